package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// world is a server's engine on clocks that the test sets, over a real store that outlives it.
type world struct {
	*engine.Engine
	t       testing.TB
	store   *ledger
	agents  *agents
	wall    time.Time
	mono    time.Duration
	zones   *calendar.Zones
	ids     int
	days    []*calendar.Definition // the calendars that there are
	running bool
	late    []string
}

var day0 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, at time.Time) *world {
	t.Helper()
	w := &world{t: t, store: openLedger(t), agents: &agents{sent: make(chan run.Command, 100_000)}, wall: at, zones: calendar.Builtin()}
	return w
}

// define stores a net whose only job is true, with schedules in force from now on.
func (w *world) define(net string, schedules ...calendar.Schedule) {
	w.t.Helper()
	w.defineText(fmt.Sprintf("net: %s\nparams: {x: \"1\"}\njobs:\n  - name: a\n    command: [\"true\"]\n", net), net, schedules...)
}

func (w *world) defineText(text, net string, schedules ...calendar.Schedule) {
	w.t.Helper()
	b := store.Batch{Epoch: 1}
	old, err := w.store.NetVersions(w.t.Context(), net)
	if err != nil {
		old = nil
	}
	b.Nets = append(b.Nets, store.NetVersion{Name: net, Version: len(old) + 1, Hash: net, Text: text, Applied: w.wall, By: "test"})
	spans, err := w.store.Spans(w.t.Context(), store.SpanQuery{Net: net, Open: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range spans {
		s.Until = w.wall
		b.Spans = append(b.Spans, store.SpanWrite{Span: s})
	}
	for _, s := range schedules {
		span := occurrence.Span{Net: net, Schedule: s.Name, Version: len(old) + 1, Since: w.wall, Rule: s, TZData: w.zones.Version()}
		if s.Calendar != "" {
			span.Calendars = map[string]int{s.Calendar: 1}
		}
		b.Spans = append(b.Spans, store.SpanWrite{Span: span})
	}
	if _, err := w.store.Store.Commit(w.t.Context(), b); err != nil {
		w.t.Fatal(err)
	}
	if w.running {
		w.do(func(ctx context.Context) error { return w.Rescheduled(ctx, []string{net}) })
	}
}

// cron is a schedule with every default but its line and what the options change.
func cron(name, line string, options ...func(*calendar.Schedule)) calendar.Schedule {
	s := calendar.DefaultSchedule()
	s.Name, s.Cron = name, line
	for _, o := range options {
		o(&s)
	}
	return s
}

func catchup(c calendar.Catchup) func(*calendar.Schedule) {
	return func(s *calendar.Schedule) { s.Catchup = c }
}

func overlap(o calendar.Overlap) func(*calendar.Schedule) {
	return func(s *calendar.Schedule) { s.Overlap = o }
}

func within(d time.Duration) func(*calendar.Schedule) {
	return func(s *calendar.Schedule) { s.StartWithin = d }
}

// open starts the server.
func (w *world) open() *world {
	w.t.Helper()
	var err error
	w.Engine, err = engine.Open(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	w.running = true
	w.settle()
	return w
}

func (w *world) config() engine.Config {
	return engine.Config{
		Store: w.store, Dispatcher: w.agents, Zones: w.zones, Log: slog.New(slog.DiscardHandler),
		Calendars: func(context.Context, map[string]int) (calendar.Lookup, error) { return w.lookup, nil },
		Now:       func() time.Time { return w.wall }, Mono: func() time.Duration { return w.mono },
		NewRunID: func() (string, error) { w.ids++; return fmt.Sprintf("r%08d", w.ids), nil },
		Changed: func(c engine.Change) {
			if c.Late {
				w.late = append(w.late, c.State.ID)
			}
		},
		Define: func(v store.NetVersion) (*jobnet.Net, error) {
			nets, err := jobfile.Parse(v.Name, []byte(v.Text))
			if err != nil {
				return nil, err
			}
			return &nets[0], nil
		},
	}
}

func (w *world) lookup(name string) (*calendar.Definition, bool) {
	for _, d := range w.days {
		if d.Name == name {
			return d, true
		}
	}
	return nil, false
}

// settle takes turns until nothing is left to do at this instant.
func (w *world) settle() {
	w.t.Helper()
	for range 100_000 {
		if err := w.Turn(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		if w.Sleep() > 0 {
			return
		}
	}
	w.t.Fatal("the engine does not come to rest")
}

// pass lets time pass, as it does for a server that runs.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for d > 0 {
		step := min(max(w.Sleep(), time.Microsecond), d)
		w.wall, w.mono, d = w.wall.Add(step), w.mono+step, d-step
		w.settle()
	}
}

// down lets time pass while no server runs, and starts it again.
func (w *world) down(d time.Duration) {
	w.t.Helper()
	w.running = false
	w.wall, w.mono = w.wall.Add(d), w.mono+d
	w.open()
}

// do lets a person do something.
func (w *world) do(act func(ctx context.Context) error) {
	w.t.Helper()
	if err := w.try(act); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) try(act func(ctx context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- act(w.t.Context()) }()
	for {
		select {
		case err := <-done:
			w.settle()
			return err
		case <-time.After(100 * time.Microsecond):
			if w.Waiting() > 0 {
				w.settle()
			}
		}
	}
}

// records returns what the store has of a schedule, by due.
func (w *world) records(net, schedule string) []occurrence.Record {
	w.t.Helper()
	var all []occurrence.Record
	q := store.OccurrenceQuery{Net: net, Schedule: schedule, Limit: 1000}
	for {
		page, err := w.store.Occurrences(w.t.Context(), q)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
	}
}

func (w *world) ranges(net, schedule string) []occurrence.Range {
	w.t.Helper()
	all, err := w.store.Ranges(w.t.Context(), store.OccurrenceQuery{Net: net, Schedule: schedule})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// said writes what became of the occurrences of a schedule, one line each.
func (w *world) said(net, schedule string) []string {
	w.t.Helper()
	lines := []string{}
	for _, r := range w.records(net, schedule) {
		lines = append(lines, fmt.Sprintf("%s %s(%s)", r.Due.Format("15:04:05"), r.Decision, r.Reason))
	}
	return lines
}

func (w *world) expect(net, schedule string, want ...string) {
	w.t.Helper()
	if got := w.said(net, schedule); !slices.Equal(got, want) {
		w.t.Errorf("%s/%s:\n got %q\nwant %q", net, schedule, got, want)
	}
}

// conserved checks that everything that the rules of a net had due from an instant on is accounted for, once: it compares with the rule's own
// list where nothing is in ranges, else with its count.
func (w *world) conserved(net string, schedules ...calendar.Schedule) {
	w.t.Helper()
	through := w.Decided()
	for _, s := range schedules {
		spans, err := w.store.Spans(w.t.Context(), store.SpanQuery{Net: net, Schedule: s.Name})
		if err != nil {
			w.t.Fatal(err)
		}
		want := map[time.Time]bool{}
		expected := int64(0)
		ranges := w.ranges(net, s.Name)
		for _, span := range spans {
			rule, problems := calendar.NewCompiler(w.zones, w.lookup).Compile(net, span.Rule)
			if len(problems) > 0 {
				w.t.Fatal(problems)
			}
			until := through
			if !span.Until.IsZero() && span.Until.Before(until) {
				until = span.Until.Add(-time.Microsecond)
			}
			expected += rule.Count(span.Since.Add(-time.Microsecond), until).All
			if len(ranges) == 0 {
				for o := range rule.Between(span.Since.Add(-time.Microsecond), until) {
					want[o.Nominal] = true
				}
			}
		}
		got, runs := int64(0), map[string]bool{}
		for _, r := range w.records(net, s.Name) {
			if r.Due.After(through) {
				continue
			}
			got++
			if len(ranges) == 0 && !want[r.Nominal] {
				w.t.Fatalf("%s/%s has a record of %s, which the rule does not have", net, s.Name, r.Nominal)
			}
			if r.Decision != occurrence.Pending && occurrence.DecisionOf(r.Reason) != r.Decision {
				w.t.Fatalf("%s is %s for %s, which is not a reason of that", r.Nominal, r.Decision, r.Reason)
			}
			if r.Decision == occurrence.Released {
				if r.Run == "" || runs[r.Run] {
					w.t.Fatalf("%s was released as run %q, which is none or another's", r.Nominal, r.Run)
				}
				runs[r.Run] = true
				if st, err := w.store.Run(w.t.Context(), r.Run); err != nil || !st.Nominal.Equal(r.Nominal) || st.Schedule != s.Name {
					w.t.Fatalf("run %s is of %s/%s, want %s/%s: %v", r.Run, st.Schedule, st.Nominal, s.Name, r.Nominal, err)
				}
			}
		}
		for _, r := range ranges {
			got += r.Count
		}
		if got != expected {
			w.t.Fatalf("%s/%s: %d of %d occurrences until %s are accounted for", net, s.Name, got, expected, through)
		}
	}
}
