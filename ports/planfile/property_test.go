package planfile_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// drawer makes random plans and inventories of all forms that can be written.
type drawer struct{ *rapid.T }

// text makes texts of all kinds that a plan may hold.
func (d drawer) text() string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "", "a", "no", "~", "null", "1", "080", "- a", "a: b", "a #b", "'", `"`, `\n`, "{", "[a]", "*a", "&a", "é", "日本", " a ", "%", "@", "|", ">", "?", "2001-01-01", "0x1F", "1e3", ".inf", "<<", "=", "---", "...", "a  b", "a,b", "!x", "`"}),
		rapid.StringMatching(`[ -~]{0,20}`),
	).Draw(d.T, "text")
}

func (d drawer) word(words ...string) string { return rapid.SampledFrom(words).Draw(d.T, "word") }
func (d drawer) flag() bool                  { return rapid.Bool().Draw(d.T, "flag") }
func (d drawer) number(least, most int) int  { return rapid.IntRange(least, most).Draw(d.T, "number") }

func (d drawer) id() string { return d.word("a", "b-1", "no", "null", "1", "007", "on", "x-y-z") }

func (d drawer) list(words ...string) []string {
	all := rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, len(words), rapid.ID).Draw(d.T, "list")
	if len(all) == 0 {
		return nil
	}
	return all
}

func (d drawer) formula() ports.Formula {
	return ports.Formula(d.word("1", "65535", "unassigned", "3000 + i*100 + offset", "7373+i", "(1)", "i"))
}

func (d drawer) guard() ports.Guard {
	return ports.Guard(d.word("usessl", "!usessl", "i == 0", "i>0 && openings.task_link", "no", "null"))
}

func (d drawer) interval() ports.Range {
	if d.flag() {
		return ports.Range{}
	}
	first := d.number(1, 65535)
	return ports.Range{First: ports.Port(first), Last: ports.Port(d.number(first, 65535))}
}

func (d drawer) duration() time.Duration {
	return rapid.OneOf(rapid.SampledFrom([]time.Duration{0, time.Second, 120 * time.Second, time.Hour, 90 * time.Minute}),
		rapid.Map(rapid.Int64Range(0, int64(1000*time.Hour)), func(n int64) time.Duration { return time.Duration(n) })).Draw(d.T, "duration")
}

func (d drawer) span() ports.Span {
	switch d.number(0, 3) {
	case 0:
		return ports.Span{From: 30000, Size: d.number(0, 30000)}
	case 1:
		first := d.number(0, 65535)
		return ports.Span{Family: d.id(), Offsets: [2]int{first, d.number(first, 65535)}}
	case 2:
		return ports.Span{Ranges: []ports.Range{{First: 4000, Last: ports.Port(d.number(4000, 4999))}, {First: 20000, Last: 20000}}[:d.number(1, 2)]}
	}
	return ports.Span{}
}

// some makes a list with an id for each entry.
func some[T any](d drawer, id func(T) string, draw func() T) []T {
	var all []T
	for range d.number(0, 3) {
		one := draw()
		if !slices.ContainsFunc(all, func(x T) bool { return id(x) == id(one) }) {
			all = append(all, one)
		}
	}
	return all
}

func (d drawer) service() ports.Service {
	s := ports.Service{
		ID: d.id(), Function: d.text(), Name: d.word("", "smtp_mpaosfb", "jobsch_win{subsystem}"), SRVName: d.text(), Doors: d.list(ports.Doors()...),
		RunsOn: d.list("a", "no"), Binds: d.flag(), Scope: ports.Scope(d.word("external", "same-host", "remote")), TLS: d.flag(),
		Status: ports.Status(d.word("works", "reserved", "foreign", "inactive")), Application: d.text(), Modes: d.list("unicast", "broadcast"),
		Unproven: d.flag(), Deprecated: d.flag(), PerHost: d.flag(), Window: d.interval(), Origin: d.text(), Was: d.text(), Note: d.text(),
		ServicesFile: ports.ServicesFile{Windows: ports.Addition(d.word("", "auto", "manual")), Unix: ports.Addition(d.word("", "auto", "manual"))},
		When:         d.word("", "a"),
	}
	for _, p := range d.list("tcp", "udp") {
		s.Protocols = append(s.Protocols, ports.Protocol(p))
	}
	if d.flag() {
		s.RPC = ports.RPC{
			Kind: d.word("oncrpc", "msrpc"), Role: d.word("", "portmapper"), Program: uint32(d.number(0, 1<<32-1)),
			Version: uint32(d.number(0, 9)), Registers: d.list("a", "b"), Dynamic: d.word("", "os:dynamicport", "49152-65535", "135"),
		}
	}
	for range d.number(0, 2) {
		s.Flows = append(s.Flows, ports.Flow{
			From: d.id(), To: d.id(), Purpose: d.text(), Carries: d.list(ports.Carriers()...), When: d.word("", "no"), Origin: d.text(), Mirror: d.flag(), Rank: d.number(0, 3), Note: d.text(),
		})
	}
	return s
}

// numbered is a service with one of the forms of a number.
func (d drawer) numbered() ports.Service {
	s := d.service()
	switch d.number(0, 3) {
	case 0:
		s.Port = d.formula()
	case 1:
		s.Family, s.Offset = d.id(), d.number(0, 65535)
	case 2:
		s.Alternates = []ports.Alternate{{When: d.guard(), Port: d.formula(), TLS: d.flag(), Origin: d.text()}, {When: "x", Port: "2"}}
	}
	if d.flag() {
		s.Cases = []ports.Case{{When: d.guard(), Name: d.word("", "n{i}"), Port: ports.Formula(d.word("", "unassigned", "5"))}}
	}
	if d.flag() {
		s.Override = ports.Override{By: ports.OverrideBy(d.word("services-file", "flag", "environment")), Key: "k" + d.text(), Range: d.interval()}
	}
	return s
}

func (d drawer) pool() ports.Pool {
	p := ports.Pool{
		Service: d.service(), Span: d.span(), Down: d.flag(), Parity: ports.Parity(d.word("", "even", "odd")), Pick: ports.Pick(d.word("", "ascending", "lru", "random")),
		Hold:     ports.Hold{Min: d.duration(), Reasons: d.list("conntrack", "operator")},
		Lease:    ports.LeaseRule{Owner: d.text(), TTL: d.duration(), Renew: d.word("", "heartbeat"), Fence: d.flag(), Nonce: d.number(0, 512), Liveness: d.word("", "process")},
		Capacity: ports.Capacity{Parallel: d.number(0, 1000), Rate: rapid.Float64Range(0, 1000).Draw(d.T, "rate"), Duration: d.duration(), Blocking: d.blocking()},
		Fallback: d.word("", "rendezvous"),
	}
	if d.flag() {
		p.Pair = ports.Pair{ID: d.id(), Delta: d.number(1, 5), Parity: ports.Parity(d.word("", "even", "odd")), Optional: d.flag(), Open: d.flag(), Hint: d.text(), Printed: d.interval(), Origin: d.text(), Note: d.text()}
	}
	if d.flag() {
		p.Sticky = ports.Sticky{Key: "{instance}/{name}@{host}", OnBusy: d.word("", "fail", "next"), HostChange: d.word("", "deny", "allow")}
	}
	switch d.number(0, 2) {
	case 0:
		p.Cases = []ports.Case{{When: d.guard(), Name: d.word("", "n"), Span: d.span(), Parity: ports.Parity(d.word("", "odd"))}}
	case 1:
		p.Span, p.Down = ports.Span{}, false
		p.Alternates = []ports.Alternate{{When: d.guard(), Span: d.span(), TLS: d.flag(), Origin: d.text()}}
	}
	return p
}

func (d drawer) blocking() float64 {
	if d.flag() {
		return 0
	}
	return rapid.SampledFrom([]float64{0.001, 0.5, 1e-6, 0.9999999}).Draw(d.T, "blocking")
}

func (d drawer) plan() ports.Plan {
	return ports.Plan{
		Name: d.id(), Description: d.text(), Version: d.number(0, 99), Owner: d.text(),
		Policies: ports.Policies{Ephemeral: ports.Ephemeral(d.word("", "reserve", "error", "warn")), Egress: d.word("", "unrestricted", "restricted")},
		Vars: some(d, func(v ports.Var) string { return v.Name }, func() ports.Var {
			v := ports.Var{Name: d.word("i", "usessl", "ACS_INSTANCE", "no"), Type: ports.VarType(d.word("", "int", "bool")), Env: d.text(), Max: 1}
			if v.Default = d.number(0, 1); v.Type != ports.Bool {
				v.Min, v.Max, v.Default = d.number(-5, 0), d.number(5, 9), d.number(0, 5)
			}
			return v
		}),
		Roles: some(d, func(x ports.Role) string { return x.ID }, func() ports.Role {
			return ports.Role{ID: d.word("server", "agent", "no", "1"), Is: ports.RoleKind(d.word("", "server", "agent", "desk", "client")), Title: d.text(), Note: d.text()}
		}),
		Conditions: some(d, func(c ports.Condition) string { return c.ID }, func() ports.Condition {
			c := ports.Condition{ID: d.id(), Text: "x" + d.text(), When: ports.Guard(d.word("", "a", "openings.x"))}
			c.Default = c.When == "openings.x" && d.flag()
			return c
		}),
		Families: some(d, func(f ports.Family) string { return f.ID }, func() ports.Family {
			return ports.Family{ID: d.id(), Formula: "3000 + offset", Window: d.interval()}
		}),
		Services: some(d, func(s ports.Service) string { return s.ID }, d.numbered),
		Pools:    some(d, func(p ports.Pool) string { return p.ID }, d.pool),
		Local: some(d, func(l ports.LocalSocket) string { return l.ID }, func() ports.LocalSocket {
			return ports.LocalSocket{ID: d.id(), RunsOn: d.word("", "server"), Purpose: d.text()}
		}),
		Notes: some(d, func(s ports.Statement) string { return s.Text }, func() ports.Statement {
			return ports.Statement{Origin: d.word("AC-1", "1"), Text: "x" + d.text(), Reading: d.text(), Contradicts: d.list("AC-1", "1")}
		}),
	}
}

// Parse(Format(p)) is p: what is written down says the same, and is written down the same again.
func TestWrittenPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkWritten(t, drawer{t}.plan()) })
}

// Each plan that comes with the program can be written out in full.
func TestWrittenBuiltins(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		p, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		checkWritten(t, p)
	}
}

func checkWritten(t interface{ Fatalf(string, ...any) }, p ports.Plan) {
	text := planfile.Format(p)
	back, err := planfile.Parse("f", text, base)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p.Extends = ""
	if diff := cmp.Diff(p, back, noPlaces()); diff != "" {
		t.Fatalf("%s\n%s", diff, text)
	}
	if again := planfile.Format(back); string(again) != string(text) {
		t.Fatalf("written differently the second time: %s", cmp.Diff(string(text), string(again)))
	}
}

func (d drawer) inventory() ports.Inventory {
	address := func() []string { return d.list("10.1.0.5", "::1", "fe80::1%eth0") }
	advertised := func() []string { return d.list("hq1", "hq1.example.com:8443", "[::1]:1", "10.1.0.5") }
	networks := func() []string { return d.list("10.1.0.0/16", "fd00::/8", "10.2.0.5/32") }
	inv := ports.Inventory{
		Name:  d.id(),
		Zones: some(d, func(z ports.Zone) string { return z.Name }, func() ports.Zone { return ports.Zone{Name: d.id(), Networks: networks()} }),
		Dials: some(d, func(x ports.Dial) string { return fmt.Sprint(x) }, func() ports.Dial { return ports.Dial{From: d.id(), To: d.id()} }),
		Middleboxes: some(d, func(m ports.Middlebox) string { return m.Name }, func() ports.Middlebox {
			return ports.Middlebox{Name: "x" + d.text(), Between: d.list("a", "no"), Conntrack: d.duration(), Idle: d.duration()}
		}),
		Hosts: some(d, func(h ports.Host) string { return h.Name }, func() ports.Host {
			return ports.Host{
				Name: "h" + strconv.Itoa(d.number(0, 9)), Roles: d.list("server", "no", "1"), Zone: d.word("", "no", "core"), Machine: d.word("", "m.1"), Netns: d.word("", "ns_1"),
				OS: d.word("", "linux", "windows", "darwin"), Bind: address(), Advertise: advertised(), Networks: networks(), Ephemeral: d.interval(),
				Services: some(d, func(s ports.HostService) string { return s.Service }, func() ports.HostService {
					return ports.HostService{Service: d.id(), Port: ports.Port(d.number(0, 65535)), Bind: address(), Advertise: advertised()}
				}),
			}
		}),
	}
	for _, name := range d.list("task_link", "no", "x") {
		if inv.Openings == nil {
			inv.Openings, inv.Vars = map[string]bool{}, map[string]int{}
		}
		inv.Openings[name], inv.Vars[name] = d.flag(), d.number(-1, 5)
	}
	return inv
}

func TestWrittenInventory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inv := drawer{t}.inventory()
		text := planfile.FormatInventory(inv)
		back, err := planfile.ParseInventory("f", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(inv, back, noPlaces()); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
	})
}
