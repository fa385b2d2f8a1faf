package ports_test

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// single is a socket that a row needs: one address, one number.
type single struct {
	stack    string // machine and network namespace
	address  netip.Addr
	protocol ports.Protocol
	number   int
	row      string
	host     string
	instance int // -1: every instance
	foreign  bool
}

// crowd draws plans in which many claims meet: few numbers, few roles, few hosts.
func crowd(t *rapid.T) (ports.Plan, ports.Inventory) {
	roles := []string{"r0", "r1", "r2"}
	some := func(label string) []string {
		return slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(roles), 1, 2).Draw(t, label))))
	}
	p := ports.Plan{Name: "crowd", Instance: "i", Vars: []ports.Var{{Name: "i", Max: 2}, {Name: "on", Type: ports.Bool, Default: 1}}}
	p.Conditions = []ports.Condition{{ID: "off", When: "!on"}}
	for _, r := range roles {
		p.Roles = append(p.Roles, ports.Role{ID: r})
	}
	formula := rapid.SampledFrom([]ports.Formula{"20001", "20002", "20005", "20000 + i", "20004 + i", "20003 + 2*i", "unassigned"})
	base := func(n int, kind string) ports.Service {
		s := ports.Service{
			ID: fmt.Sprintf("%s%d", kind, n), RunsOn: some("runs on"), Binds: rapid.IntRange(0, 5).Draw(t, "binds") > 0,
			Protocols: [][]ports.Protocol{{ports.TCP}, {ports.UDP}, {ports.TCP, ports.UDP}}[rapid.IntRange(0, 2).Draw(t, "protocols")],
			Status:    []ports.Status{ports.Works, ports.Works, ports.Reserved, ports.Foreign}[rapid.IntRange(0, 3).Draw(t, "status")],
			Scope:     []ports.Scope{ports.External, ports.External, ports.SameHost}[rapid.IntRange(0, 2).Draw(t, "scope")],
		}
		if rapid.IntRange(0, 5).Draw(t, "off") == 0 {
			s.When = "off"
		}
		return s
	}
	for n := range rapid.IntRange(1, 4).Draw(t, "services") {
		s := base(n, "s")
		s.Port = formula.Draw(t, "port")
		if rapid.IntRange(0, 4).Draw(t, "alternates") == 0 {
			s.Alternates = []ports.Alternate{{When: "on", Port: formula.Draw(t, "first")}, {When: "!on", Port: formula.Draw(t, "second")}}
		}
		p.Services = append(p.Services, s)
	}
	for n := range rapid.IntRange(0, 2).Draw(t, "pools") {
		first := rapid.IntRange(20000, 20006).Draw(t, "first")
		pool := ports.Pool{Service: base(n, "p"), Parity: rapid.SampledFrom([]ports.Parity{"", ports.Even, ports.Odd}).Draw(t, "parity")}
		last := first + rapid.IntRange(1, 4).Draw(t, "length")
		pool.Span.Ranges = []ports.Range{{First: ports.Port(first), Last: ports.Port(last)}}
		if rapid.Bool().Draw(t, "pair") {
			pool.Pair = ports.Pair{ID: "second", Delta: 1, Open: rapid.Bool().Draw(t, "open")}
		}
		p.Pools = append(p.Pools, pool)
	}
	var inv ports.Inventory
	binds := [][]string{nil, {"0.0.0.0"}, {"::"}, {"10.0.0.1"}, {"10.0.0.2"}, {"127.0.0.1"}, {"10.0.0.1", "10.0.0.2"}, {"fe80::1%a"}, {"fe80::1%b"}}
	for n := range rapid.IntRange(0, 3).Draw(t, "hosts") {
		h := ports.Host{Name: fmt.Sprintf("h%d", n), Roles: some("plays"), Bind: rapid.SampledFrom(binds).Draw(t, "bind")}
		h.Machine, h.Netns = rapid.SampledFrom([]string{"", "m"}).Draw(t, "machine"), rapid.SampledFrom([]string{"", "", "n"}).Draw(t, "netns")
		for _, s := range p.Services {
			if rapid.IntRange(0, 4).Draw(t, "own") == 0 {
				own := ports.HostService{Service: s.ID, Bind: rapid.SampledFrom(binds).Draw(t, "own bind")}
				own.Port = ports.Port(rapid.SampledFrom([]int{0, 20001, 20007}).Draw(t, "own port"))
				h.Services = append(h.Services, own)
			}
		}
		inv.Hosts = append(inv.Hosts, h)
	}
	return p, inv
}

// explode is the slow twin: every socket of every host, one by one.
func explode(p ports.Plan, inv ports.Inventory) []single {
	var all []single
	hosts := slices.Clone(inv.Hosts)
	for _, role := range p.Roles {
		if !slices.ContainsFunc(inv.Hosts, func(h ports.Host) bool { return slices.Contains(h.Roles, role.ID) }) {
			hosts = append(hosts, ports.Host{Name: "only " + role.ID, Roles: []string{role.ID}})
		}
	}
	put := func(h ports.Host, s ports.Service, loopback bool, numbers map[int]bool, instance int) {
		var own ports.HostService
		for _, o := range h.Services {
			if o.Service == s.ID {
				own = o
			}
		}
		bind := []string{"::"}
		if len(h.Bind) > 0 {
			bind = h.Bind
		}
		if loopback {
			bind = []string{"127.0.0.1", "::1"}
		}
		if len(own.Bind) > 0 {
			bind = own.Bind
		}
		if own.Port != 0 && len(numbers) > 0 {
			numbers, instance = map[int]bool{int(own.Port): true}, -1
		}
		machine := h.Machine
		if machine == "" {
			machine = h.Name
		}
		for n := range numbers {
			for _, b := range bind {
				for _, proto := range s.Protocols {
					all = append(all, single{machine + "|" + h.Netns, netip.MustParseAddr(b), proto, n, s.ID, h.Name, instance, s.Status == ports.Foreign})
				}
			}
		}
	}
	stands := func(h ports.Host, s ports.Service) bool {
		return slices.ContainsFunc(s.RunsOn, func(r string) bool { return slices.Contains(h.Roles, r) }) && s.When != "off" && (s.Binds || s.Status == ports.Foreign)
	}
	for _, h := range hosts {
		for _, s := range p.Services {
			if stands(h, s) {
				formulas := []ports.Formula{s.Port}
				if len(s.Alternates) > 0 {
					formulas = []ports.Formula{s.Alternates[0].Port, s.Alternates[1].Port}
				}
				varies := slices.ContainsFunc(formulas, func(f ports.Formula) bool { return f.Uses("i") })
				for i := range 3 {
					numbers := map[int]bool{}
					for _, f := range formulas {
						if n, err := f.Eval(map[string]int{"i": i}); err == nil && f.Assigned() {
							numbers[n] = true
						}
					}
					if !varies {
						i = -1
					}
					put(h, s, s.Scope == ports.SameHost, numbers, i)
				}
			}
		}
		for _, pool := range p.Pools {
			if stands(h, pool.Service) {
				first, second := map[int]bool{}, map[int]bool{}
				for n := int(pool.Span.Ranges[0].First); n <= int(pool.Span.Ranges[0].Last); n++ {
					if pool.Parity == "" || (pool.Parity == ports.Even) == (n%2 == 0) {
						first[n] = true
						if pool.Pair.ID != "" {
							second[n+1] = true
						}
					}
				}
				put(h, pool.Service, pool.Scope == ports.SameHost, first, -1)
				put(h, pool.Service, pool.Scope == ports.SameHost || !pool.Pair.Open, second, -1)
			}
		}
	}
	return all
}

// sameSocket is the truth table of addresses, written out.
func sameSocket(a, b netip.Addr) bool {
	if a == b || a == netip.IPv6Unspecified() || b == netip.IPv6Unspecified() {
		return true
	}
	any4 := netip.IPv4Unspecified()
	return a == any4 && b.Is4() || b == any4 && a.Is4()
}

// The checker finds what a port-by-port comparison of all sockets finds, and nothing else (F47, F57, F64).
func TestOverlapTwin(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile(`(?:service|pool) (\S+)|neighbour's: (\w+)`)
	rapid.Check(t, func(t *rapid.T) {
		p, inv := crowd(t)
		_, found := ports.Compile(p, inv, 0)
		got := map[string]bool{}
		for _, d := range found {
			if d.Code != ports.Overlap && d.Code != ports.InstancesMeet && d.Code != ports.NeighbourMeets {
				continue
			}
			var names []string
			for _, m := range row.FindAllStringSubmatch(d.Message, -1) {
				names = append(names, m[1]+m[2])
			}
			slices.Sort(names)
			got[string(d.Code)+" "+strings.Join(names, " ")] = true
		}
		want := map[string]bool{}
		all := explode(p, inv)
		for i, a := range all {
			for _, b := range all[i+1:] {
				if a.stack != b.stack || a.protocol != b.protocol || a.number != b.number || !sameSocket(a.address, b.address) || a.foreign && b.foreign {
					continue
				}
				if a.row == b.row && a.host == b.host && (a.instance == b.instance || a.instance < 0 || b.instance < 0) {
					continue
				}
				code := ports.Overlap
				if a.instance >= 0 && b.instance >= 0 && a.instance != b.instance {
					code = ports.InstancesMeet
				}
				if a.foreign || b.foreign {
					code = ports.NeighbourMeets
				}
				names := []string{a.row, b.row}
				slices.Sort(names)
				want[string(code)+" "+strings.Join(names, " ")] = true
			}
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Fatalf("%s\n%v", diff, found)
		}
	})
}

// F57, F64: which addresses meet.
func TestMeet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b         string
		dual, v6only bool // whether they meet, by what the socket of :: takes
	}{
		{"0.0.0.0", "0.0.0.0", true, true},
		{"0.0.0.0", "127.0.0.1", true, true},
		{"0.0.0.0", "::", true, false},
		{"::", "127.0.0.1", true, false},
		{"::", "::1", true, true},
		{"::", "::ffff:10.0.0.1", true, false},
		{"::ffff:10.0.0.1", "10.0.0.1", true, true},
		{"0.0.0.0", "::1", false, false},
		{"127.0.0.1", "::1", false, false},
		{"127.0.0.1", "127.0.0.2", false, false},
		{"10.0.0.1", "10.0.0.1", true, true},
		{"fe80::1%a", "fe80::1%a", true, true},
		{"fe80::1%a", "fe80::1%b", false, false},
		{"fe80::1%a", "fe80::1", true, true},
	} {
		a, b := netip.MustParseAddr(c.a), netip.MustParseAddr(c.b)
		for _, pair := range [][2]netip.Addr{{a, b}, {b, a}} {
			if got := ports.Meet(pair[0], pair[1], false); got != c.dual {
				t.Errorf("%s and %s meet: %v", pair[0], pair[1], got)
			}
			if got := ports.Meet(pair[0], pair[1], true); got != c.v6only {
				t.Errorf("%s and %s meet with IPv6 only: %v", pair[0], pair[1], got)
			}
		}
	}
	if ports.Meet(netip.Addr{}, netip.IPv6Unspecified(), false) {
		t.Error("no address at all meets")
	}
}
