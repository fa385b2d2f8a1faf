package ports_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

var (
	someWord    = rapid.SampledFrom([]string{"a", "b", "c", "server", "agent", ""})
	someGuard   = rapid.SampledFrom([]ports.Guard{"", "on", "!on", "i > 0", "openings.x", "openings.x && on", "nobody", "(", "i == 03"})
	someFormula = rapid.SampledFrom([]ports.Formula{"", "unassigned", "80", "80 + i", "j*9", "(", "60000 + i", "65535", "0"})
	someStatus  = rapid.SampledFrom([]ports.Status{"", ports.Works, ports.Reserved, ports.Foreign, ports.Inactive})
	someParity  = rapid.SampledFrom([]ports.Parity{"", ports.Even, ports.Odd})
)

func drawSpan(t *rapid.T) ports.Span {
	switch rapid.IntRange(0, 4).Draw(t, "span") {
	case 0:
		return ports.Span{From: ports.Port(rapid.Uint16().Draw(t, "from")), Size: rapid.IntRange(-1, 300).Draw(t, "size")}
	case 1:
		return ports.Span{Family: someWord.Draw(t, "family"), Offsets: [2]int{rapid.IntRange(-1, 9).Draw(t, "low"), rapid.IntRange(0, 30).Draw(t, "high")}}
	case 2:
		return ports.Span{}
	}
	var s ports.Span
	for range rapid.IntRange(1, 3).Draw(t, "ranges") {
		first := rapid.IntRange(0, 65535).Draw(t, "first")
		s.Ranges = append(s.Ranges, ports.Range{First: ports.Port(first), Last: ports.Port(min(65535, first+rapid.IntRange(-1, 50).Draw(t, "more")))})
	}
	return s
}

func drawService(t *rapid.T) ports.Service {
	s := ports.Service{
		ID: someWord.Draw(t, "id"), Name: rapid.SampledFrom([]string{"", "a", "A", "a_b", "a{i}", "a{", "x{j}"}).Draw(t, "name"), Port: someFormula.Draw(t, "port"),
		Binds: rapid.Bool().Draw(t, "binds"), Status: someStatus.Draw(t, "status"), When: someWord.Draw(t, "when"), Was: rapid.SampledFrom([]string{"", "80", "80, 81"}).Draw(t, "was"),
		Scope: rapid.SampledFrom([]ports.Scope{"", ports.External, ports.SameHost, ports.Remote}).Draw(t, "scope"), Origin: rapid.SampledFrom([]string{"", "ours", "SW-1"}).Draw(t, "origin"),
		Override: ports.Override{By: rapid.SampledFrom([]ports.OverrideBy{"", ports.ByFlag}).Draw(t, "by")}, Application: rapid.SampledFrom([]string{"", "app"}).Draw(t, "app"),
	}
	s.Protocols = rapid.SliceOfN(rapid.SampledFrom([]ports.Protocol{ports.TCP, ports.UDP}), 0, 2).Draw(t, "protocols")
	s.RunsOn = rapid.SliceOfN(someWord, 0, 2).Draw(t, "runs on")
	if rapid.IntRange(0, 3).Draw(t, "family?") == 0 {
		s.Family, s.Offset = someWord.Draw(t, "family"), rapid.IntRange(-1, 30).Draw(t, "offset")
	}
	for range rapid.IntRange(0, 2).Draw(t, "flows") {
		s.Flows = append(s.Flows, ports.Flow{From: someWord.Draw(t, "from"), To: someWord.Draw(t, "to"), Carries: []string{"link"}, When: rapid.SampledFrom([]string{"", "", "a"}).Draw(t, "flow when"), Mirror: rapid.Bool().Draw(t, "mirror")})
	}
	if rapid.IntRange(0, 3).Draw(t, "cases?") == 0 {
		s.Cases = []ports.Case{{When: someGuard.Draw(t, "case"), Port: someFormula.Draw(t, "case port"), Parity: someParity.Draw(t, "case parity"), Span: drawSpan(t)}}
	}
	for range rapid.IntRange(0, 2).Draw(t, "alternates") {
		s.Alternates = append(s.Alternates, ports.Alternate{When: someGuard.Draw(t, "alternate"), Port: someFormula.Draw(t, "alternate port"), Span: drawSpan(t), TLS: rapid.Bool().Draw(t, "tls")})
	}
	return s
}

// drawPlan makes plans of all kinds, good and bad.
func drawPlan(t *rapid.T) (ports.Plan, ports.Inventory, int) {
	p := ports.Plan{Name: "p", Instance: rapid.SampledFrom([]string{"", "i"}).Draw(t, "instance")}
	p.Policies.Ephemeral = rapid.SampledFrom([]ports.Ephemeral{"", ports.Forbid}).Draw(t, "ephemeral")
	for range rapid.IntRange(0, 3).Draw(t, "vars") {
		p.Vars = append(p.Vars, ports.Var{Name: rapid.SampledFrom([]string{"i", "j", "on"}).Draw(t, "var"), Min: rapid.SampledFrom([]int{0, 0, 1, -3, -1 << 62}).Draw(t, "min"), Max: rapid.IntRange(-5, 20).Draw(t, "max")})
	}
	for range rapid.IntRange(0, 4).Draw(t, "roles") {
		p.Roles = append(p.Roles, ports.Role{ID: someWord.Draw(t, "role"), Is: ports.RoleKind(someWord.Draw(t, "is"))})
	}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		p.Conditions = append(p.Conditions, ports.Condition{ID: someWord.Draw(t, "condition"), When: someGuard.Draw(t, "condition guard"), Default: rapid.Bool().Draw(t, "default")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "families") {
		p.Families = append(p.Families, ports.Family{ID: someWord.Draw(t, "family id"), Formula: rapid.SampledFrom([]ports.Formula{"100 + i*10 + offset", "offset*offset", "9"}).Draw(t, "family formula")})
	}
	for range rapid.IntRange(0, 4).Draw(t, "services") {
		p.Services = append(p.Services, drawService(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "pools") {
		pool := ports.Pool{Service: drawService(t), Span: drawSpan(t), Down: rapid.Bool().Draw(t, "down"), Parity: someParity.Draw(t, "parity")}
		pool.Pair = ports.Pair{ID: someWord.Draw(t, "pair"), Delta: rapid.IntRange(-2, 2).Draw(t, "delta"), Parity: someParity.Draw(t, "pair parity"), Optional: rapid.Bool().Draw(t, "optional"), Open: rapid.Bool().Draw(t, "open")}
		pool.Capacity = ports.Capacity{Parallel: rapid.IntRange(-1, 40).Draw(t, "parallel"), Rate: rapid.Float64Range(-1, 3).Draw(t, "rate"), Duration: time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second}
		pool.Hold = ports.Hold{Min: time.Duration(rapid.IntRange(0, 180_000).Draw(t, "hold")) * time.Millisecond, Reasons: []string{"conntrack"}}
		p.Pools = append(p.Pools, pool)
	}
	inv := ports.Inventory{
		Zones: []ports.Zone{{Name: "a"}}, Dials: []ports.Dial{{From: someWord.Draw(t, "dial from"), To: someWord.Draw(t, "dial to")}},
		Openings: rapid.MapOfN(rapid.SampledFrom([]string{"x", "y", "z"}), rapid.Bool(), 0, 3).Draw(t, "openings"),
		Vars:     rapid.MapOfN(rapid.SampledFrom([]string{"on", "j", "k", "l"}), rapid.IntRange(-1, 3), 0, 4).Draw(t, "values"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "hosts") {
		h := ports.Host{Name: someWord.Draw(t, "host"), Roles: rapid.SliceOfN(someWord, 0, 3).Draw(t, "host roles"), Zone: someWord.Draw(t, "zone"), Machine: someWord.Draw(t, "machine")}
		h.Bind = rapid.SliceOfN(rapid.SampledFrom([]string{"::", "10.0.0.1", "x"}), 0, 2).Draw(t, "bind")
		h.Services = []ports.HostService{{Service: someWord.Draw(t, "own"), Port: ports.Port(rapid.IntRange(0, 100).Draw(t, "own port"))}}
		inv.Hosts = append(inv.Hosts, h)
	}
	if rapid.Bool().Draw(t, "override") {
		inv.Overrides = []ports.Given{{Service: someWord.Draw(t, "overridden"), Port: ports.Port(rapid.Uint16().Draw(t, "number")), By: ports.ByFlag, Key: "--set"}}
	}
	return p, inv, rapid.IntRange(-1, 12).Draw(t, "n")
}

// P5: compile is a pure function: same input, same bytes, whatever the order of its maps; the input is not touched;
// hosts, zones and addresses do not enter the hash; what was sent over a link is the same plan; a plan without errors
// holds no port twice where two claims can meet.
func TestCompileIsPure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, inv, n := drawPlan(t)
		before, err := json.Marshal([]any{p, inv})
		if err != nil {
			t.Fatal(err)
		}
		one, found1 := ports.Compile(p, inv, n)
		again := inv
		again.Openings, again.Vars = turned(inv.Openings), turned(inv.Vars)
		two, found2 := ports.Compile(p, again, n)
		if diff := cmp.Diff(one, two); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(found1, found2); diff != "" {
			t.Error(diff)
		}
		if after, _ := json.Marshal([]any{p, inv}); string(after) != string(before) {
			t.Errorf("compiling changed %s to %s", before, after)
		}
		bare, _ := ports.Compile(p, ports.Inventory{Openings: inv.Openings, Vars: inv.Vars, Overrides: inv.Overrides}, n)
		if bare.Hash != one.Hash {
			t.Error("hosts, zones or addresses change the hash")
		}
		sent, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		var back ports.Compiled
		if err := json.Unmarshal(sent, &back); err != nil {
			t.Fatal(err)
		}
		if resent, _ := json.Marshal(back); string(resent) != string(sent) {
			t.Errorf("sent %s, and again %s", sent, resent)
		}
		if diff := cmp.Diff(one.Rows(), back.Rows()); diff != "" {
			t.Error(diff)
		}
		if !slices.IsSortedFunc(found1, func(a, b ports.Diagnostic) int { return a.Line - b.Line }) {
			t.Error("the findings are not in the order of their places")
		}
		if !ports.HasErrors(found1) && len(inv.Hosts) == 0 { // a host may give two rows addresses that do not meet
			noPortTwice(t, one)
		}
		site := ports.Site{Compiled: one, Inventory: inv}
		for _, h := range append(inv.Hosts, ports.Host{}) {
			checkOpenings(t, site, h.Name)
		}
	})
}

// turned is a map of the same entries, put in another order.
func turned[V any](m map[string]V) map[string]V {
	if m == nil {
		return nil
	}
	out := map[string]V{}
	keys := slices.Sorted(maps.Keys(m))
	for _, k := range slices.Backward(keys) {
		out[k] = m[k]
	}
	return out
}

func noPortTwice(t *rapid.T, c ports.Compiled) {
	for i, a := range c.Claims {
		for _, b := range c.Claims[i+1:] {
			if a.Port == 0 || a.Port != b.Port || a.Protocol != b.Protocol || !a.Binds || !b.Binds || a.Service == b.Service || a.Parity != b.Parity {
				continue
			}
			if a.Status == ports.Inactive || b.Status == ports.Inactive || a.Status == ports.Foreign || b.Status == ports.Foreign {
				continue
			}
			if slices.ContainsFunc(a.Listeners, func(r string) bool { return slices.Contains(b.Listeners, r) }) {
				t.Errorf("%s and %s both have %d", a.Service, b.Service, a.Port)
			}
		}
	}
}

// checkOpenings holds what is true of each opening: a flow in use, numbers of its claim, and two ends.
func checkOpenings(t *rapid.T, s ports.Site, host string) {
	in, out := s.Openings(host)
	for _, o := range append(in, out...) {
		cl, ok := s.Compiled.Service(o.Service)
		if !ok || cl.Status != ports.Works || cl.Scope == ports.SameHost || o.First > o.Last || (o.First == 0) != (o.Application != "") {
			t.Errorf("%q: %+v is not of a claim in use: %+v", host, o, cl)
		}
		if !slices.ContainsFunc(s.Compiled.Flows, func(f ports.ResolvedFlow) bool {
			return f.ID == o.Flow && f.Status == ports.Works && f.From == o.From && f.To == o.To
		}) {
			t.Errorf("%q: %+v has no flow", host, o)
		}
	}
	for _, cl := range s.Closed(host) {
		if cl.Scope != ports.SameHost || cl.Port == 0 {
			t.Errorf("%q: %+v is not to be closed", host, cl)
		}
	}
}
