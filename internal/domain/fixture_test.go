package domain_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// site is a domain with a real store, engine and fleet; only the agents are played by the test.
type site struct {
	t        testing.TB
	store    *sqlite.Store
	engine   *engine.Engine
	fleet    *fleet.Fleet
	hub      *domain.Hub
	service  *domain.Service
	shelf    *domain.Shelf
	people   *domain.Registry
	agents   *agents
	verifier *domain.Verifier
	path     *playedPath
	ended    chan error
	ahead    atomic.Int64 // by how much the service's clock is ahead
	config   domain.Config
}

// advance steps the service's clock.
func (s *site) advance(d time.Duration) { s.ahead.Add(int64(d)) }

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// agents are the candidates that the test makes up, and what the engine sent to them.
type agents struct {
	mu   sync.Mutex
	all  []run.Candidate
	sent []run.Command
}

func (a *agents) Candidates() []run.Candidate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]run.Candidate{}, a.all...)
}

// CallbackPorts: no start needs one.
func (a *agents) CallbackPorts() (int, string) { return -1, "" }

func (a *agents) Send(commands []run.Command) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, commands...)
}

func (s *site) candidates(all ...run.Candidate) {
	s.agents.mu.Lock()
	s.agents.all = all
	s.agents.mu.Unlock()
	s.engine.Kick()
}

func open(t *testing.T) *site {
	t.Helper()
	s := build(t)
	running, stop := context.WithCancel(context.Background())
	go func() { s.ended <- s.engine.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-s.ended; err != nil {
			t.Errorf("the engine ended: %v", err)
		}
	})
	return s
}

// build makes a site whose engine does not run.
func build(t testing.TB) *site {
	t.Helper()
	ctx := t.Context()
	folder := t.TempDir()
	st, err := sqlite.Open(ctx, filepath.Join(folder, "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := identity.OpenAuthority(filepath.Join(folder, "authority"), "test", time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: st, hub: domain.NewHub(), agents: &agents{}, ended: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	s.people = &domain.Registry{Store: st, Authority: authority, Epoch: 1, Now: time.Now, Rand: rand.Reader, Log: log, Changed: s.nodesChanged}
	s.shelf = &domain.Shelf{Store: st, Engine: func() *engine.Engine { return s.engine }, Hub: s.hub, Folder: filepath.Join(folder, "artifacts"), Limit: 1 << 20}
	s.fleet = fleet.New(fleet.Config{
		Desk: func() fleet.Desk { return s.engine }, Shelf: s.shelf, Registry: s.people, Welcome: wire.Welcome{}, Now: time.Now, Log: log, Changed: func(string) {},
	})
	s.engine, err = engine.Open(ctx, engine.Config{
		Store: st, Dispatcher: s.agents, Now: time.Now, Log: log,
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
		t.Fatal(err)
	}
	s.verifier = testVerifier(s)
	s.config = domain.Config{
		Verifier: s.verifier,
		Store:    st, Engine: s.engine, Fleet: s.fleet, Hub: s.hub, Now: s.now, Rand: rand.Reader, Log: log,
		Address: func(h string) string { return h }, RowAddress: func(_, h string) string { return h }, Password: func(_ context.Context, p string) (string, error) { return "hash of " + p, nil },
		Backup:       func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "backup"); return err },
		NodesChanged: s.nodesChanged, DropNode: func(string, string) {},
		Book: testBook, Discover: testSearch(authority.Fingerprint()), Changer: changer{},
		Plan: ports.Compiled{Plan: "test", Pools: []ports.ResolvedPool{
			{ID: "containers", Status: ports.Works, Ranges: []ports.Range{{First: 1, Last: 2}}, Pair: ports.Pair{ID: "debug"}},
			{ID: "plain", Status: ports.Works, Ranges: []ports.Range{{First: 3, Last: 4}}},
			{ID: "site", Status: ports.Inactive},
		}},
		Name: "test", Version: "v", Started: time.Now(), Addresses: []string{"here:1"}, Fingerprint: authority.Fingerprint(), ServerID: "server-id",
	}
	s.service = domain.New(s.config)
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) nodesChanged(ctx context.Context) error {
	agents, err := s.people.Refresh(ctx)
	if err != nil {
		return err
	}
	s.fleet.Update(agents)
	return nil
}

// as returns a context in which somebody asks who has these permissions below folder ("" all).
func (s *site) as(folder string, permissions ...access.Permission) context.Context {
	return api.WithSubject(s.t.Context(), access.Subject{Name: "somebody", Permissions: permissions, Folder: folder, Address: "test"})
}

func (s *site) admin() context.Context {
	return api.WithSubject(s.t.Context(), access.Subject{Name: "admin", Permissions: access.Permissions(), Address: "test"})
}

// apply stores nets.
func (s *site) apply(text string) {
	s.t.Helper()
	if _, err := s.service.ApplyNets(s.admin(), "test.yaml", []byte(text), false); err != nil {
		s.t.Fatal(err)
	}
}

// net applies a net of one job and returns its name.
func (s *site) net(name string) string {
	s.t.Helper()
	s.apply(fmt.Sprintf("net: %s\njobs:\n  - name: a\n    command: [\"true\"]\n", name))
	return name
}

// start starts a run.
func (s *site) start(net string) api.Run {
	s.t.Helper()
	r, err := s.service.StartRun(s.admin(), api.StartRun{Net: net})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// agent stores an agent's node, and has it linked with so many slots in the eyes of the engine.
func (s *site) agent(name string, slots int) run.Candidate {
	s.t.Helper()
	n := store.Node{ID: "id-" + name, Name: name, Role: "agent", KeyHash: "key-" + name, Joined: time.Now()}
	if _, err := s.store.Commit(s.t.Context(), store.Batch{Epoch: 1, Nodes: []store.NodeWrite{{Node: n}}}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.nodesChanged(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return run.Candidate{ID: n.ID, Name: name, Linked: true, Slots: slots}
}

// report reports as an agent would.
func (s *site) report(agent, id string, in run.Input) {
	s.t.Helper()
	for _, err := range s.engine.Report(s.t.Context(), "id-"+agent, []run.Report{{Run: id, Input: in}}) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// until waits for a run to be in a state that test accepts.
func (s *site) until(id string, test func(api.Run) bool) api.Run {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.admin(), 20*time.Second)
	defer cancel()
	var last api.Run
	err := s.service.Watch(ctx, id, func(api.Change) error {
		var err error
		if last, err = s.service.Run(ctx, id); err != nil {
			return err
		}
		if test(last) {
			return io.EOF
		}
		return nil
	})
	if !errors.Is(err, io.EOF) {
		s.t.Fatalf("waiting for run %s: %v; it is %+v", id, err, last)
	}
	return last
}

// changer changes no ports.
type changer struct{}

func (changer) BeginChange(context.Context, string, time.Duration) error { return nil }
func (changer) CommitChange(context.Context, string, bool) error         { return nil }
func (changer) CancelChange(context.Context, string) error               { return nil }
func (changer) ShowChange(context.Context) api.PlanChange                { return api.PlanChange{State: "none"} }
