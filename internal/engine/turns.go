package engine

import (
	"context"
	"log/slog"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// turns knows which agent of each list that takes turns was given a job last. It is a setting of the store, written with
// the dispatch in one commit: a restart neither repeats a turn nor leaves one out. Only the engine's goroutine touches it.
type turns map[string]store.Setting // as committed, by the list

// TurnSetting begins the names of the settings that say which agent of a list was given a job last; the list follows.
const TurnSetting = "turn of "

// moment returns what the placement of a job is told of time and turns; ok is false where the store does not tell.
func (e *Engine) moment(ctx context.Context, d *decision, want jobnet.Agent) (at run.Moment, ok bool) {
	at.Now = e.cfg.Now()
	list := want.Turns()
	if list == "" {
		return at, true
	}
	if given, decided := d.turns[list]; decided {
		at.Last = given.Value
		return at, true
	}
	last, known := e.turns[list]
	if !known {
		var err error
		if last, err = e.cfg.Store.Setting(ctx, TurnSetting+list); err != nil {
			e.cfg.Log.Error("reading whose turn it is; the job waits", slog.String("agents", list), slog.Any("error", err))
			return at, false
		}
		e.turns[list] = last
	}
	at.Last = last.Value
	return at, true
}

// took notes that an agent was given a job, to be committed with the dispatch.
func (d *decision) took(want jobnet.Agent, agent string, committed turns) {
	list := want.Turns()
	if list == "" {
		return
	}
	if d.turns == nil {
		d.turns = turns{}
	}
	d.turns[list] = store.Setting{Name: TurnSetting + list, Value: agent, Rev: committed[list].Rev}
}

// committed takes over whose turn it was.
func (t turns) committed(d *decision) {
	for list, s := range d.turns {
		s.Rev++
		t[list] = s
	}
}
