package server

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// withHosts opens a server with an inventory of so many agents, of which the first has a number of its own and the first
// three are nodes. Its own host comes last and does not have its name.
func withHosts(tb testing.TB, hosts int) *Server {
	tb.Helper()
	plan, err := builtin.Load(builtin.Default)
	if err != nil {
		tb.Fatal(err)
	}
	inv := ports.Inventory{Name: "site", Zones: []ports.Zone{{Name: "core"}, {Name: "dmz"}}}
	for i := range hosts {
		inv.Hosts = append(inv.Hosts, ports.Host{Name: fmt.Sprintf("n%d", i), Roles: []string{"agent"}, Zone: "dmz", Advertise: []string{fmt.Sprintf("10.2.%d.%d", i/250, i%250+1)}})
	}
	inv.Hosts[0].Services = []ports.HostService{{Service: "reeve", Port: 9000}}
	inv.Hosts = append(inv.Hosts, ports.Host{
		Name: "hq", Roles: []string{"server"}, Zone: "core", Advertise: []string{"10.1.0.5"},
		Services: []ports.HostService{{Service: "reeve", Port: ports.Port(sockettest.Lease(tb))}},
	})
	c, found := ports.Compile(plan, inv, 0)
	if ports.HasErrors(found) {
		tb.Fatal(found)
	}
	cfg := Default()
	cfg.Data, cfg.Bind = filepath.Join(tb.TempDir(), "data"), []string{"127.0.0.1"}
	s, err := Open(tb.Context(), cfg, Env{
		Plan: c, Ports: domain.PortPlan{Written: plan, Inventory: inv}, Version: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader,
		Secret: func(string, string) {},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	for i := range 3 {
		n := store.Node{ID: fmt.Sprintf("id%d", i), Name: fmt.Sprintf("n%d", i), Role: "agent", KeyHash: fmt.Sprint(i), Joined: time.Now()}
		if _, err := s.store.Commit(tb.Context(), store.Batch{Epoch: s.registry.Epoch, Nodes: []store.NodeWrite{{Node: n}}}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.nodesChanged(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// A view is made once, and again when something that it is made of changes; agents without numbers of their own share the
// plan's text.
func TestViewIsMadeOnce(t *testing.T) {
	t.Parallel()
	s := withHosts(t, 5)
	view := func(id string) wire.View {
		t.Helper()
		v, err := s.view(id)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	own, first, second := view("id0"), view("id1"), view("id2")
	if &first.Plan[0] != &second.Plan[0] || &first.Plan[0] == &own.Plan[0] {
		t.Error("want one text for agents without numbers of their own, and another for the one that has some")
	}
	if first.ID == own.ID || view("id1").ID != first.ID || len(first.Dial) != 1 || !slices.Equal(first.Dial[0].Addresses, s.advertised(s.now(), "reeve")) {
		t.Errorf("the view is %+v, then has the id %s", first.Dial, view("id1").ID)
	}

	next := s.now()
	next.site.Compiled.Hash = "next"
	s.change.Store(&change{next: next})
	if v := view("id1"); v.Hash != "next" || v.ID == first.ID {
		t.Errorf("while the ports are changed the view is of the plan %s", v.Hash)
	}
	s.change.Store(nil)
	if v := view("id1"); v.ID != first.ID {
		t.Error("after a change was taken back the view is not what it was")
	}
	n, err := s.store.Node(t.Context(), "id1")
	if err != nil {
		t.Fatal(err)
	}
	n.Addresses = []string{"10.2.0.77"} // a server's dial enrolled it, and its zone stays the inventory's
	n.Name = "elsewhere"
	if _, err := s.store.Commit(t.Context(), store.Batch{Epoch: s.registry.Epoch, Nodes: []store.NodeWrite{{Node: n}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.nodesChanged(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := view("id1"); v.ID == first.ID || len(v.Listen) != 1 {
		t.Errorf("a node that the inventory does not have, and that is dialled, has the view %+v", v.Listen)
	}
}

// BenchmarkView is what each heartbeat of an agent costs beside itself: it is seen whether the agent has its view.
func BenchmarkView(b *testing.B) {
	for _, hosts := range []int{10, 1000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			s := withHosts(b, hosts)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.view("id1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWays is what each look at where to dial a node costs, and each node of a list.
func BenchmarkWays(b *testing.B) {
	s := withHosts(b, 1000)
	n, _ := s.registry.Node("id1")
	b.ReportAllocs()
	for b.Loop() {
		if len(s.ways(n)) == 0 {
			b.Fatal("no way")
		}
	}
}

// Where a node comes from by its own dial is where it is dialled from then on, without a restart of the server.
func TestNodeThatMoves(t *testing.T) {
	t.Parallel()
	s := withHosts(t, 5)
	for _, from := range []string{"10.9.0.1", "10.9.0.2", ""} { // empty: this server dialled
		if err := s.registry.Linked(t.Context(), "id1", from, wire.Hello{}); err != nil {
			t.Fatal(err)
		}
		want := from
		if from == "" {
			want = "10.9.0.2"
		}
		if n, _ := s.registry.Node("id1"); n.Found != want {
			t.Errorf("it came from %q, and is known at %q, want %q", from, n.Found, want)
		}
	}
}
