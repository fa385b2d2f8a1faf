//go:build linux

package keeper

import (
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// entry is what the journal knows of one attempt.
type entry struct {
	attempt  wire.Attempt
	position wire.Position
	order    *wire.Order // without what only the start needs; nil of a tombstone
	boot     string
	identity *executor.Identity // nil: no proof of exec
	started  time.Time
	clock    time.Duration // CLOCK_BOOTTIME of the start
	ending   *record       // a cancel that was ordered
	told     *wire.Report  // the Started report
	end      *wire.Report  // Ended, NeverStarted or Unknown; nil: it is not over
	acked    bool          // a server has committed the end
	forgot   bool          // its folder is gone
	script   bool          // it was given as one; not known of those of an earlier keeper
	live     *attempt      // watched by this keeper
}

// registry is the journal's content in memory: it decides what may be started. Callers hold mu.
type registry struct {
	mu      sync.Mutex
	entries map[wire.Attempt]*entry
	unacked map[int64]wire.Attempt // whose report it is, by report id
	running int
	epoch   int64
	highest int64 // sequence of that epoch
	mark    int64
	lastID  int64
	doubt   int64 // a start of this epoch at or below it that is not known may have been executed: its record was lost
	tenure  time.Duration
	boot    string // of the tenure
	closed  bool   // no more starts
}

func newRegistry() *registry {
	return &registry{entries: map[wire.Attempt]*entry{}, unacked: map[int64]wire.Attempt{}}
}

// verdict says what is to be done with a start.
type verdict uint8

const (
	begin        verdict = iota // execute it
	known                       // the journal knows it: it is not executed again
	again                       // known and over: its report is told again
	refusedEpoch                // of an epoch that is over
	below                       // at or below the mark, and not known: never started
	doubtful                    // it may have been executed: the journal was damaged
)

// judge decides a start. It changes nothing.
func (r *registry) judge(o wire.Order) verdict {
	e := r.entries[o.Attempt]
	switch {
	case o.Position.Epoch < r.epoch:
		return refusedEpoch
	case e != nil && e.end != nil && e.acked:
		return again
	case e != nil:
		return known
	case o.Position.Epoch > r.epoch:
		return begin
	case o.Position.Seq <= r.mark:
		return below
	case o.Position.Seq <= r.doubt:
		return doubtful
	}
	return begin
}

// seen raises epoch and highest sequence. A higher epoch begins a new count.
func (r *registry) seen(p wire.Position) {
	if p.Epoch > r.epoch {
		r.epoch, r.highest, r.mark, r.doubt = p.Epoch, 0, 0, 0
	}
	if p.Epoch == r.epoch {
		r.highest = max(r.highest, p.Seq)
	}
}

func (r *registry) nextID() int64 {
	r.lastID++
	return r.lastID
}

// apply takes one record as it was read from the journal.
func (r *registry) apply(rec record) {
	if rec.Position != nil {
		r.seen(*rec.Position)
	}
	r.lastID = max(r.lastID, rec.LastID)
	switch rec.Kind {
	case recordMark:
		r.seen(wire.Position{Epoch: rec.Epoch})
		if rec.Epoch == r.epoch {
			r.mark = max(r.mark, rec.Mark)
		}
	case recordAck:
		for _, id := range rec.IDs {
			r.ack(id)
		}
	case recordTenure:
		r.tenure, r.boot = rec.Clock, rec.Boot
	case recordDoubt:
		r.seen(wire.Position{Epoch: rec.Epoch})
		if rec.Epoch == r.epoch {
			r.doubt = max(r.doubt, rec.Mark)
		}
	}
	if rec.Attempt != nil {
		r.applyAttempt(rec)
	}
}

func (r *registry) applyAttempt(rec record) {
	e := r.entries[*rec.Attempt]
	if e == nil {
		e = &entry{attempt: *rec.Attempt}
		r.entries[e.attempt] = e
	}
	if rec.Position != nil {
		e.position = *rec.Position
	}
	switch rec.Kind {
	case recordIntent:
		e.order, e.boot = rec.Order, rec.Boot
	case recordStarted:
		e.identity, e.started, e.clock = rec.Identity, rec.At, rec.Clock
		if rec.Boot != "" {
			e.boot = rec.Boot
		}
	case recordEnding:
		e.ending = &rec
	case recordForget:
		e.forgot, e.order = true, nil
	}
	if rec.Report == nil {
		return
	}
	r.lastID = max(r.lastID, rec.Report.ID)
	if rec.Report.Kind == wire.Started {
		e.told = rec.Report
	} else {
		e.end, e.acked = rec.Report, rec.Acked
	}
	if !rec.Acked {
		r.unacked[rec.Report.ID] = rec.Report.Attempt
	}
}

// ack notes that a server has committed a report.
func (r *registry) ack(id int64) bool {
	a, ok := r.unacked[id]
	if !ok {
		return false
	}
	delete(r.unacked, id)
	if e := r.entries[a]; e != nil {
		if e.end != nil && e.end.ID == id {
			e.acked = true
		}
		if e.told != nil && e.told.ID == id {
			e.told = nil
		}
	}
	return true
}

// forget drops what may be forgotten: what is over, acknowledged or at or below the mark, and of an epoch and
// sequence that the mark covers. It returns those whose folders are still there.
func (r *registry) forget() []*entry {
	var gone []*entry
	for a, e := range r.entries {
		covered := e.position.Epoch < r.epoch || e.position.Epoch == r.epoch && e.position.Seq <= r.mark
		if !covered || e.end == nil || !e.acked {
			continue
		}
		delete(r.entries, a)
		if !e.forgot {
			gone = append(gone, e)
		}
	}
	return gone
}

// pending returns the reports that no server has committed yet, in their order.
func (r *registry) pending() []wire.Report {
	all := make([]wire.Report, 0, len(r.unacked))
	for id, a := range r.unacked {
		e := r.entries[a]
		switch {
		case e == nil:
		case e.end != nil && e.end.ID == id:
			all = append(all, *e.end)
		case e.told != nil && e.told.ID == id:
			all = append(all, *e.told)
		}
	}
	slices.SortFunc(all, func(a, b wire.Report) int { return int(a.ID - b.ID) })
	return all
}

// runAs returns as whom the order of an attempt was to run.
func (e *entry) runAs() string {
	if e.order == nil {
		return ""
	}
	return e.order.RunAs
}

// records returns a journal that says just what the registry knows.
func (r *registry) records() []record {
	all := []record{{Kind: recordMark, Epoch: r.epoch, Mark: r.mark, LastID: r.lastID}}
	if r.highest > 0 {
		all[0].Position = &wire.Position{Epoch: r.epoch, Seq: r.highest}
	}
	if r.doubt > 0 {
		all = append(all, record{Kind: recordDoubt, Epoch: r.epoch, Mark: r.doubt})
	}
	if r.tenure > 0 {
		all = append(all, record{Kind: recordTenure, Clock: r.tenure, Boot: r.boot})
	}
	if r.closed {
		all = append(all, record{Kind: recordNoStarts})
	}
	for _, e := range r.entries {
		all = append(all, e.records()...)
	}
	return all
}

func (e *entry) records() []record {
	var all []record
	if e.order != nil {
		all = append(all, record{Kind: recordIntent, Attempt: &e.attempt, Position: &e.position, Order: e.order, Boot: e.boot})
	}
	if e.identity != nil && e.end == nil {
		all = append(all, record{
			Kind: recordStarted, Attempt: &e.attempt, Position: &e.position, Identity: e.identity,
			At: e.started, Clock: e.clock, Boot: e.boot, Report: e.told, Acked: e.told == nil,
		})
	}
	if e.ending != nil && e.end == nil {
		all = append(all, *e.ending)
	}
	if e.end != nil {
		kind := recordExit
		if e.order == nil {
			kind = recordTombstone
		}
		all = append(all, record{Kind: kind, Attempt: &e.attempt, Position: &e.position, Report: e.end, Acked: e.acked})
	}
	if e.forgot {
		all = append(all, record{Kind: recordForget, Attempt: &e.attempt})
	}
	return all
}
