package domain_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// timeSite is a site whose server's clocks are played, and whose engine may be stopped and started again.
type timeSite struct {
	*site
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
	stop func()
}

// begin is a Tuesday, before the day in March on which Berlin's clocks go forward.
func begin() time.Time { return time.Date(2026, 3, 24, 5, 0, 10, 0, time.UTC) }

func openTimes(t testing.TB) *timeSite {
	t.Helper()
	s := &timeSite{site: build(t), wall: begin()}
	s.up()
	t.Cleanup(func() { s.down() })
	return s
}

func (s *timeSite) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wall
}

func (s *timeSite) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mono
}

// up starts the engine, and a service over it.
func (s *timeSite) up() {
	s.t.Helper()
	ids := domain.NewRunIDs(s.now, rand.Reader)
	var err error
	s.engine, err = engine.Open(s.t.Context(), engine.Config{
		Store: s.store, Dispatcher: s.agents, Now: s.now, Mono: s.elapsed, Log: slog.New(slog.DiscardHandler), NewRunID: ids.Next, Calendars: s.calendars,
		Define: func(v store.NetVersion) (*jobnet.Net, error) {
			nets, err := jobfile.Parse(v.Name, []byte(v.Text))
			if err != nil {
				return nil, err
			}
			return &nets[0], nil
		},
		Changed: func(c engine.Change) {
			s.hub.Publish(api.Change{Kind: "run", ID: c.State.ID, Net: c.State.Net, State: string(c.State.Status), Jobs: c.Jobs})
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := s.config
	cfg.Engine, cfg.Now = s.engine, s.now
	s.service = domain.New(cfg)
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	of := s.engine
	go func() { ended <- of.Run(running) }()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the engine ended: %v", err)
		}
	}
	s.settle()
}

// down stops the engine, as a server that stops.
func (s *timeSite) down() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (s *timeSite) calendars(ctx context.Context, versions map[string]int) (calendar.Lookup, error) {
	if versions == nil {
		book, err := domain.OpenCalendars(ctx, s.store)
		if err != nil {
			return nil, err
		}
		return book.Lookup, nil
	}
	return func(name string) (*calendar.Definition, bool) {
		v, err := s.store.Calendar(ctx, name, versions[name])
		if err != nil {
			return nil, false
		}
		def, err := jobfile.ParseCalendar([]byte(v.Text))
		return &def, err == nil
	}, nil
}

// pass lets time pass.
func (s *timeSite) pass(d time.Duration) {
	s.t.Helper()
	s.mu.Lock()
	s.wall, s.mono = s.wall.Add(d), s.mono+d
	s.mu.Unlock()
	if s.stop != nil {
		s.settle()
	}
}

// passTo lets time pass to an instant, in steps that no server takes for an outage.
func (s *timeSite) passTo(text string) {
	s.t.Helper()
	to := instant(s.t, text)
	for s.now().Before(to) {
		s.pass(min(to.Sub(s.now()), 50*time.Second))
	}
}

// put sets the wall clock forward, or back.
func (s *timeSite) put(d time.Duration) {
	s.t.Helper()
	s.mu.Lock()
	s.wall = s.wall.Add(d)
	s.mu.Unlock()
	s.settle()
}

// settle waits until the engine has decided all that is due now.
func (s *timeSite) settle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	for now := s.now(); ; {
		if err := s.engine.Rescheduled(ctx, nil); err != nil {
			s.t.Fatalf("waiting for the engine: %v", err)
		}
		if !s.engine.Decided().Before(now) {
			return
		}
	}
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// scheduled applies a net of one job with schedules, written in flow style, one each.
func (s *timeSite) scheduled(net string, schedules ...string) {
	s.t.Helper()
	text := "net: " + net + "\nschedules:\n"
	for _, one := range schedules {
		text += "  - {" + one + "}\n"
	}
	s.apply(text + "jobs:\n  - {name: a, command: [\"true\"]}\n")
}
