package server

import (
	"context"
	"log/slog"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

// openEngine opens what decides: over runs, and over what schedules have due.
func (s *Server) openEngine(ctx context.Context) error {
	var err error
	s.engine, err = engine.Open(ctx, engine.Config{
		Store: s.store, Dispatcher: s.fleet, Define: define, Now: s.env.Now, Log: s.env.Log,
		Calendars: s.calendars, NewRunID: domain.NewRunIDs(s.env.Now, s.env.Rand).Next,
		Changed: func(c engine.Change) {
			s.hub.Publish(api.Change{Kind: "run", ID: c.State.ID, Net: c.State.Net, State: string(c.State.Status), Jobs: c.Jobs})
		},
		Decided: s.decided,
	})
	return err
}

// toldOneByOne is up to how many nets watchers are told which; of more they look at everything.
const toldOneByOne = 50

// decided tells watchers that something was decided about occurrences of nets.
func (s *Server) decided(nets []string) {
	if len(nets) > toldOneByOne {
		nets = []string{""}
	}
	for _, net := range nets {
		s.hub.Publish(api.Change{Kind: "occurrence", ID: net, Net: net})
	}
}

// calendars reads calendars: in some versions, or, without, the newest of each.
func (s *Server) calendars(ctx context.Context, versions map[string]int) (calendar.Lookup, error) {
	if versions == nil {
		book, err := domain.OpenCalendars(ctx, s.store)
		if err != nil {
			return nil, err
		}
		return book.Lookup, nil
	}
	return func(name string) (*calendar.Definition, bool) {
		version, ok := versions[name]
		if !ok {
			return nil, false
		}
		stored, err := s.store.Calendar(ctx, name, version)
		if err != nil {
			s.env.Log.Error("reading a calendar", slog.String("calendar", name), slog.Any("error", err))
			return nil, false
		}
		def, err := jobfile.ParseCalendar([]byte(stored.Text))
		return &def, err == nil
	}, nil
}
