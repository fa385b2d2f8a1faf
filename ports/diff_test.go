package ports_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
)

// site is a small compiled plan that the tests below change.
func diffBase() ports.Compiled {
	return ports.Compiled{
		Plan: "site", Hash: "one", Roles: map[string]string{"server": "the server"}, Conditions: map[string]string{"used": "if it is used"},
		Claims: []ports.Claim{
			{Service: "jmnet", Name: "jmnet", Protocol: ports.TCP, Port: 9352, Binds: true, Listeners: []string{"server"}, Scope: ports.External, Status: ports.Works},
			{Service: "mpnjsc", Name: "mpnjsc", Protocol: ports.TCP, Port: 1952, Binds: true, Listeners: []string{"client"}, Status: ports.Works},
			{Service: "mpnjsc", Name: "mpnjsc", Protocol: ports.UDP, Port: 1952, Binds: true, Listeners: []string{"client"}, Status: ports.Works},
			{Service: "smtp", Name: "smtp", Protocol: ports.TCP, Port: 25, Status: ports.Works},
			{Service: "workers", Protocol: ports.TCP, Port: 10003, Last: 11000, Pool: true, Binds: true, Listeners: []string{"agent"}, Status: ports.Works},
		},
		Flows: []ports.ResolvedFlow{
			{ID: "jmnet.1/tcp", Service: "jmnet", Status: ports.Works, Protocol: ports.TCP, Port: 9352, Flow: ports.Flow{From: "client", To: "server", Purpose: "data"}},
			{ID: "jmnet.2/tcp", Service: "jmnet", Status: ports.Works, Protocol: ports.TCP, Port: 9352, Flow: ports.Flow{From: "server", To: "server", Purpose: "cancel"}},
		},
		Pools: []ports.ResolvedPool{{ID: "workers", Protocol: []ports.Protocol{ports.TCP}, Ranges: []ports.Range{{First: 10003, Last: 11000}}, Pick: ports.LRU, Size: 998}},
	}
}

// TestDiff goes through what can change between two plans.
func TestDiff(t *testing.T) {
	t.Parallel()
	field := func(name, before, after string) []ports.FieldChange {
		return []ports.FieldChange{{Name: name, Old: before, New: after}}
	}
	for _, tt := range []struct {
		name    string
		change  func(c *ports.Compiled)
		want    []ports.Change
		claimed []ports.Claimed
		freed   []ports.Claimed
	}{
		{name: "nothing", change: func(*ports.Compiled) {}},
		{name: "order", change: func(c *ports.Compiled) { slices.Reverse(c.Claims) }},
		{
			name: "a number: one line, however many flows", change: func(c *ports.Compiled) {
				c.Claims[0].Port, c.Flows[0].Port, c.Flows[1].Port = 19352, 19352, 19352
			},
			want:    []ports.Change{{What: "changed", Kind: "row", ID: "jmnet/tcp", Fields: field("port", "9352", "19352")}},
			claimed: []ports.Claimed{{Ports: "19352", Protocol: ports.TCP, Role: "server", Service: "jmnet", Breaking: true}},
			freed:   []ports.Claimed{{Ports: "9352", Protocol: ports.TCP, Role: "server", Service: "jmnet"}},
		},
		{ // F08: the twin of the other transport is not touched
			name: "one of two transports", change: func(c *ports.Compiled) { c.Claims[2].Port = 2952 },
			want:    []ports.Change{{What: "changed", Kind: "row", ID: "mpnjsc/udp", Fields: field("port", "1952", "2952")}},
			claimed: []ports.Claimed{{Ports: "2952", Protocol: ports.UDP, Role: "client", Service: "mpnjsc", Breaking: true}},
			freed:   []ports.Claimed{{Ports: "1952", Protocol: ports.UDP, Role: "client", Service: "mpnjsc"}},
		},
		{ // F46: a wider pool takes numbers that others may use by now
			name: "a wider pool", change: func(c *ports.Compiled) { c.Claims[4].Last = 19999 },
			want:    []ports.Change{{What: "changed", Kind: "row", ID: "workers/tcp", Fields: field("port", "10003-11000", "10003-19999")}},
			claimed: []ports.Claimed{{Ports: "11001-19999", Protocol: ports.TCP, Role: "agent", Service: "workers", Breaking: true}},
		},
		{
			name: "a flow", change: func(c *ports.Compiled) { c.Flows[1].Purpose = "cancel a job" },
			want: []ports.Change{{
				What: "changed", Kind: "flow", ID: "jmnet/tcp", Flow: "server to server: cancel a job",
				Fields: field("flow", "server to server: cancel", "server to server: cancel a job"),
			}},
		},
		{
			name: "a flow turned round", change: func(c *ports.Compiled) { c.Flows[0].From, c.Flows[0].To = "server", "client" },
			want: []ports.Change{
				{What: "removed", Kind: "flow", ID: "jmnet/tcp", Flow: "client to server: data", Fields: []ports.FieldChange{}},
				{What: "added", Kind: "flow", ID: "jmnet/tcp", Flow: "server to client: data", Fields: []ports.FieldChange{}},
			},
		},
		{
			name: "a target is no claim", change: func(c *ports.Compiled) { c.Claims[3].Port = 2525 },
			want: []ports.Change{{What: "changed", Kind: "row", ID: "smtp/tcp", Fields: field("port", "25", "2525")}},
		},
		{
			name: "a pool's rule, a title and a condition", change: func(c *ports.Compiled) {
				c.Pools[0].Pick = ports.Random
				c.Roles["server"], c.Conditions["used"] = "SERVER", "always"
			},
			want: []ports.Change{
				{What: "changed", Kind: "pool", ID: "workers", Fields: field("pick", "lru", "random")},
				{What: "changed", Kind: "role", ID: "server", Fields: field("title", "the server", "SERVER")},
				{What: "changed", Kind: "condition", ID: "used", Fields: field("text", "if it is used", "always")},
			},
		},
		{
			name: "what no column of the table has", change: func(c *ports.Compiled) { c.Claims[0].TLS = true },
			want: []ports.Change{{What: "changed", Kind: "row", ID: "jmnet/tcp", Fields: field("tls", "", "true")}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from, to := diffBase(), diffBase()
			tt.change(&to)
			to.Hash = "two"
			got := ports.Diff(from, to)
			want := ports.Difference{
				From: ports.Version{Plan: "site", Hash: "one"}, To: ports.Version{Plan: "site", Hash: "two"},
				Changes: append([]ports.Change{}, tt.want...), Claimed: append([]ports.Claimed{}, tt.claimed...), Freed: append([]ports.Claimed{}, tt.freed...),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Empty() != (len(tt.want) == 0) {
				t.Errorf("Empty: got %v", got.Empty())
			}
		})
	}
}

// TestDiffOfRows: a row that comes or goes, with all that is known of it, and the other way round.
func TestDiffOfRows(t *testing.T) {
	t.Parallel()
	from, to := diffBase(), diffBase()
	to.Claims = append(to.Claims, ports.Claim{Service: "metrics", Protocol: ports.TCP, Port: 9101, Binds: true, Status: ports.Works, Doors: []string{"metrics", "logs"}})
	there, back := ports.Diff(from, to), ports.Diff(to, from)
	if len(there.Changes) != 1 || there.Changes[0].What != "added" || there.Changes[0].ID != "metrics/tcp" {
		t.Fatalf("got %+v, want one added row", there.Changes)
	}
	if want := (ports.FieldChange{Name: "doors", New: "metrics logs"}); !slices.Contains(there.Changes[0].Fields, want) {
		t.Errorf("the fields of the added row are %+v, want %+v among them", there.Changes[0].Fields, want)
	}
	if len(back.Changes) != 1 || back.Changes[0].What != "removed" || len(back.Claimed) != 0 || len(back.Freed) != 1 {
		t.Errorf("back: got %+v", back)
	}
	text, err := json.Marshal(to)
	var read ports.Compiled
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if d := ports.Diff(to, read); err != nil || !d.Empty() {
		t.Errorf("a plan differs from its own JSON: %v, %+v", err, d)
	}
}

// TestDiffOfMany: rows of one id by the thousand are compared in one pass.
func TestDiffOfMany(t *testing.T) {
	t.Parallel()
	var from, to ports.Compiled
	for n := range 5_000 {
		from.Claims = append(from.Claims, ports.Claim{Service: "one", Protocol: ports.TCP, Port: ports.Port(1 + n), Binds: true, Status: ports.Works})
		to.Claims = append(to.Claims, ports.Claim{Service: "one", Protocol: ports.TCP, Port: ports.Port(2 + n), Binds: true, Status: ports.Works})
	}
	d := ports.Diff(from, to)
	if len(d.Changes) != 1 || len(d.Claimed) != 1 || d.Claimed[0].Ports != "5001" || len(d.Freed) != 1 || d.Freed[0].Ports != "1" {
		t.Errorf("got %d changes, claimed %v, freed %v", len(d.Changes), d.Claimed, d.Freed)
	}
}
