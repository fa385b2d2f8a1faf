package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// agents stand for the fleet: candidates that the test makes up, and what was sent to them.
type agents struct {
	mu        sync.Mutex
	all       []run.Candidate
	callbacks int // how many starts have a callback port, and one; 0: none needs one
	exhausted string
	sent      chan run.Command
}

func (a *agents) Candidates() []run.Candidate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]run.Candidate{}, a.all...)
}

// CallbackPorts returns -1 until the test says otherwise.
func (a *agents) CallbackPorts() (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.callbacks - 1, a.exhausted
}

func (a *agents) Send(commands []run.Command) {
	for _, c := range commands {
		a.mu.Lock()
		a.callbacks = max(a.callbacks-1, min(a.callbacks, 1)) // what is ordered is counted at once
		a.mu.Unlock()
		a.sent <- c
	}
}

func (a *agents) set(all ...run.Candidate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = all
}

func linked(name string, slots int) run.Candidate {
	return run.Candidate{ID: "id-" + name, Name: name, Linked: true, Slots: slots}
}

// ledger is a real store whose commits the test counts, and may let go wrong.
type ledger struct {
	*sqlite.Store
	commits atomic.Int64
	mu      sync.Mutex
	before  func(store.Batch) error // asked before each commit; nil: nothing goes wrong
}

func (l *ledger) Commit(ctx context.Context, b store.Batch) (store.Receipt, error) {
	l.commits.Add(1)
	l.mu.Lock()
	before := l.before
	l.mu.Unlock()
	if before != nil {
		if err := before(b); err != nil {
			return store.Receipt{}, err
		}
	}
	return l.Store.Commit(ctx, b)
}

func (l *ledger) spoil(before func(store.Batch) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = before
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	return openLedger(t)
}

func openLedger(t testing.TB) *ledger {
	t.Helper()
	st, err := sqlite.Open(context.WithoutCancel(t.Context()), filepath.Join(t.TempDir(), "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ledger{Store: st}
}

// desk is an engine over a store, and its agents.
type desk struct {
	*engine.Engine
	t      *testing.T
	store  *ledger
	agents *agents
	ids    atomic.Int64
	prefix string
	stop   func() // ends the engine and waits for it
}

// openDesk opens an engine; start runs it.
func openDesk(t *testing.T, l *ledger, prefix string) *desk {
	t.Helper()
	d := &desk{t: t, store: l, agents: &agents{sent: make(chan run.Command, 10_000)}, prefix: prefix, stop: func() {}}
	var err error
	d.Engine, err = engine.Open(t.Context(), engine.Config{
		Store: l, Dispatcher: d.agents, Now: time.Now, NewRunID: func() (string, error) { return fmt.Sprintf("s%06d", d.ids.Add(1)), nil }, Log: slog.New(slog.DiscardHandler), Changed: func(engine.Change) {},
		Define: func(v store.NetVersion) (*jobnet.Net, error) {
			nets, err := jobfile.Parse(v.Name, []byte(v.Text))
			if err != nil {
				return nil, err
			}
			return &nets[0], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) start() *desk {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("the engine ended: %v", err)
		}
	})
	d.t.Cleanup(d.stop)
	return d
}

// net stores a definition.
func (d *desk) net(text string) {
	d.t.Helper()
	nets, err := jobfile.Parse("test", []byte(text))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := range nets {
		v := store.NetVersion{Name: nets[i].Name, Version: 1, Hash: nets[i].Name, Text: string(jobfile.Format(nets[i])), Applied: time.Now(), By: "test"}
		if _, err := d.store.Store.Commit(d.t.Context(), store.Batch{Epoch: 1, Nets: []store.NetVersion{v}}); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) order(net, key string) engine.Start {
	id := d.prefix + string(rune('a'+d.ids.Add(1)))
	return engine.Start{Net: net, Key: key, Request: run.Request{ID: id, By: "ann"}}
}

// begin starts a run and returns it.
func (d *desk) begin(net string) run.State {
	d.t.Helper()
	s, err := d.StartRun(d.t.Context(), d.order(net, ""))
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// command waits for the next command.
func (d *desk) command() run.Command {
	d.t.Helper()
	select {
	case c := <-d.agents.sent:
		return c
	case <-time.After(20 * time.Second):
		d.t.Fatal("no command was sent")
		return run.Command{}
	}
}

func ended(job string, n, code int) run.Ended {
	return run.Ended{Job: job, N: n, StartedAt: time.Now(), At: time.Now(), ExitCode: &code}
}

// report reports for an agent, and returns the error of the one report.
func (d *desk) report(agent, id string, in run.Input) error {
	d.t.Helper()
	return d.Report(d.t.Context(), "id-"+agent, []run.Report{{Run: id, Input: in}})[0]
}

// stored reads a run as the store has it.
func (d *desk) stored(id string) run.State {
	d.t.Helper()
	s, err := d.store.Run(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// selector returns where the first job of a run may run.
func (d *desk) selector(id string) jobnet.Agent {
	d.t.Helper()
	def, err := d.Definition(d.t.Context(), d.stored(id).Net, 1)
	if err != nil {
		d.t.Fatal(err)
	}
	return def.Net.Jobs[0].Agent
}
