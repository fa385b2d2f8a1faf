package ports_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// shop is a small plan without any finding, to be spoilt.
func shop() (ports.Plan, ports.Inventory) {
	tcp := []ports.Protocol{ports.TCP}
	p := ports.Plan{
		Name: "shop", Instance: "i",
		Vars:     []ports.Var{{Name: "i", Max: 1}, {Name: "ssl", Type: ports.Bool, Default: 1}},
		Roles:    []ports.Role{{ID: "server", Is: ports.Server}, {ID: "agent", Is: ports.Agent}, {ID: "client", Is: ports.Client}},
		Families: []ports.Family{{ID: "f", Formula: "20100 + i*10 + offset", Window: ports.Range{First: 20100, Last: 20199}}},
		Services: []ports.Service{
			{ID: "main", Name: "main", Port: "21000", Protocols: tcp, Binds: true, Flows: []ports.Flow{{From: "agent", To: "server", Carries: []string{"link"}}}},
			{ID: "all", Family: "f", Protocols: tcp, Binds: true, RunsOn: []string{"server"}},
		},
		Pools: []ports.Pool{
			{Service: ports.Service{ID: "rest", Protocols: tcp, Binds: true, RunsOn: []string{"server"}}, Span: ports.Span{Family: "f", Offsets: [2]int{1, 9}}},
			{
				Service: ports.Service{ID: "pool", Protocols: tcp, Binds: true, Flows: []ports.Flow{{From: "agent", To: "server"}}},
				Span:    ports.Span{Ranges: []ports.Range{{First: 22000, Last: 22009}}},
			},
		},
	}
	inv := ports.Inventory{
		Zones: []ports.Zone{{Name: "a", Networks: []string{"10.0.0.0/8"}}, {Name: "b"}},
		Hosts: []ports.Host{
			{Name: "s", Roles: []string{"server"}, Zone: "a", Advertise: []string{"s"}},
			{Name: "w", Roles: []string{"agent"}, Zone: "b", Advertise: []string{"w"}},
		},
	}
	return p, inv
}

// spoilt has a way to each finding of Compile, by its code. Several of one code have a mark behind it.
func spoilt() map[string]func(*ports.Plan, *ports.Inventory) {
	type plan = ports.Plan
	type site = ports.Inventory
	return map[string]func(*plan, *site){
		"PP101 warning":   func(p *plan, _ *site) { p.Pools[1].Span.Ranges[0] = ports.Range{First: 32760, Last: 32769} },
		"PP101 error":     func(p *plan, _ *site) { p.Services[0].Port, p.Policies.Ephemeral = "60999", ports.Forbid },
		"PP101 warning 2": func(_ *plan, s *site) { s.Hosts[0].Ephemeral = ports.Range{First: 9000, Last: 21000} }, // F34
		"PP101 warning 3": func(p *plan, s *site) { p.Services[0].Port, s.Hosts[0].OS = "65535", "windows" },
		"PP104 warning":   func(p *plan, _ *site) { p.Pools[1].Parity, p.Pools[1].Span.Ranges[0].Last = ports.Odd, 22010 },
		"PP105 note":      func(p *plan, _ *site) { p.Pools[0].Span.Offsets[0] = 3 },
		"PP106 warning": func(p *plan, _ *site) {
			p.Families[0].Formula, p.Families[0].Window = "3298 + i*10 + offset", ports.Range{}
		},
		"PP107 warning":   func(p *plan, _ *site) { p.Services[0].Name = "jobsch_win" },
		"PP107 note":      func(p *plan, _ *site) { p.Services[0].Name, p.Services[0].SRVName = "jobsch_win", "jobsch-win" },
		"PP107 warning 2": func(p *plan, _ *site) { p.Services[0].SRVName = "jobsch_win" },
		"PP108 warning":   func(p *plan, _ *site) { p.Services[1].Name = "MAIN" },
		"PP108 note":      func(p *plan, _ *site) { p.Services[1].Name, p.Services[1].Origin = "ALL", "SW-3" },
		"PP109 note":      func(p *plan, _ *site) { p.Services[0].Flows[0].From, p.Services[0].Flows[0].To = "server", "client" },
		"PP110 note": func(p *plan, _ *site) {
			p.Notes = []ports.Statement{{Origin: "JS-13", Text: "to OP", Reading: "IP", Contradicts: []string{"JS-1"}}}
		},
		"PP111 warning":   func(p *plan, _ *site) { p.Pools[1].Span.Ranges[0] = ports.Range{First: 10000, Last: 10009} },
		"PP111 warning 2": func(p *plan, _ *site) { p.Pools[1].Span.Ranges[0] = ports.Range{First: 20000, Last: 20009} },
		"PP112 note":      func(p *plan, _ *site) { p.Services[0].Port, p.Services[0].Name = "2681", "MPNJSOMB" },
		"PP112 note 2":    func(p *plan, _ *site) { p.Services[0].Port = "9903" },
		"PP113 note":      func(p *plan, _ *site) { p.Services[0].Port = "3250" },
		"PP114 note":      func(p *plan, _ *site) { p.Services[0].Port, p.Services[0].Binds = "25", false },
		"PP120 error":     func(p *plan, _ *site) { p.Services[0].Port = "22009" }, // F47: a service in a pool
		"PP120 error 2": func(p *plan, _ *site) {
			p.Services[0].Alternates = []ports.Alternate{{When: "ssl", Port: "21000"}, {When: "!ssl", Port: "22000"}}
		},
		"PP120 error 3": func(p *plan, s *site) { s.Hosts[1].Machine, s.Hosts[1].Roles = "s", []string{"server"} },
		"PP121 error":   func(p *plan, _ *site) { p.Vars[0].Min = 1 },
		"PP122 error":   func(p *plan, _ *site) { p.Services[0].Port = "65536" }, // F59
		"PP122 error 2": func(p *plan, s *site) {
			p.Services[0].Override.By, s.Overrides = ports.ByFlag, []ports.Given{{Service: "main", By: ports.ByFlag}}
		},
		"PP123 error":     func(p *plan, _ *site) { p.Services[1].RunsOn = []string{"nobody"} },
		"PP124 error":     func(p *plan, _ *site) { p.Pools[1].ID = "main" },
		"PP124 error 2":   func(_ *plan, s *site) { s.Hosts[1].Name = "s" },
		"PP125 error":     func(p *plan, _ *site) { p.Services[0].Port = "21000 +" },
		"PP125 error 2":   func(p *plan, _ *site) { p.Services[0].Cases = []ports.Case{{Name: "a{i"}} },
		"PP126 error":     func(p *plan, _ *site) { p.Services[0].Flows[0].When = "never" },
		"PP127 warning":   func(p *plan, _ *site) { p.Pools[0].Span.Offsets[1] = 12 },
		"PP128 error":     func(_ *plan, s *site) { s.Middleboxes = []ports.Middlebox{{Name: "fw", Between: []string{"c"}}} },
		"PP129 error":     func(_ *plan, s *site) { s.Dials = []ports.Dial{{From: "a", To: "b"}} },
		"PP130 warning":   func(_ *plan, s *site) { s.Hosts[0].Advertise = nil },
		"PP131 error":     func(p *plan, _ *site) { p.Pools[1].Protocols = nil },
		"PP132 error":     func(p *plan, _ *site) { p.Services[0].Cases = []ports.Case{{When: "ssl ==", Name: "x"}} },
		"PP133 warning":   func(_ *plan, s *site) { s.Openings = map[string]bool{"centric": true} },
		"PP133 warning 2": func(_ *plan, s *site) { s.Vars = map[string]int{"tls": 1} },
		"PP134 error":     func(_ *plan, s *site) { s.Vars = map[string]int{"ssl": 2} },
		"PP135 error":     func(p *plan, _ *site) { p.Pools[0].Span.Family = "g" },
		"PP136 error":     func(p *plan, _ *site) { p.Families[0].Window.Last = 20115 },
		"PP136 warning": func(p *plan, s *site) {
			p.Services[0].Window, p.Services[0].Override.By = ports.Range{First: 21000, Last: 21009}, ports.ByFlag
			s.Overrides = []ports.Given{{Service: "main", Port: 21010, By: ports.ByFlag}}
		},
		"PP137 error":   func(p *plan, _ *site) { p.Pools[1].Span = ports.Span{From: 100, Size: 65500} }, // F18
		"PP137 error 2": func(p *plan, _ *site) { p.Pools[1].Span = ports.Span{From: 100, Size: -1} },    // F18
		"PP137 error 3": func(p *plan, _ *site) { p.Pools[1].Span = ports.Span{From: 25000} },            // no capacity
		"PP137 error 4": func(p *plan, _ *site) { p.Pools[1].Span.Ranges[0].Last = 21999 },               // reversed
		"PP137 error 5": func(p *plan, _ *site) { p.Pools[1].Pair = ports.Pair{ID: "x", Delta: 65000} },
		"PP137 error 6": func(p *plan, _ *site) { p.Pools[1].Span.Ranges[0].Last, p.Pools[1].Parity = 22000, ports.Odd },
		"PP137 error 7": func(p *plan, _ *site) { p.Pools[0].Span.Offsets = [2]int{9, 1} },
		"PP137 note": func(p *plan, _ *site) {
			p.Pools[1].Span.Ranges = append(p.Pools[1].Span.Ranges, ports.Range{First: 22005, Last: 22015})
		}, // F62
		"PP138 error": func(_ *plan, s *site) { s.Overrides = []ports.Given{{Service: "main", Port: 21010, By: ports.ByFlag}} },
		"PP138 warning": func(_ *plan, s *site) {
			s.Overrides = []ports.Given{{Service: "main", Port: 21010, By: ports.ByServicesFile}}
		},
		"PP138 error 2": func(_ *plan, s *site) { s.Hosts[0].Services = []ports.HostService{{Service: "pool", Port: 21010}} },
		"PP139 error":   func(_ *plan, s *site) { s.Overrides = []ports.Given{{Service: "nobody", Port: 21010}} },
		"PP140 error": func(p *plan, _ *site) {
			p.Vars[0].Max, p.Families[0], p.Pools[0].Span.Offsets[1] = 999, ports.Family{ID: "f", Formula: "20100 + i - i + offset"}, 30000
		},
		"PP141 warning":   func(p *plan, _ *site) { p.Pools[1].Status, p.Services[0].Port = ports.Foreign, "22001" },
		"PP142 warning":   func(p *plan, _ *site) { p.Services[0].Was = "21001, 22001" }, // F33
		"PP143 note":      func(p *plan, _ *site) { p.Services[0].Port = ports.Unassigned },
		"PP143 note 2":    func(p *plan, _ *site) { p.Pools[1].Span = ports.Span{} },
		"PP144 warning":   func(p *plan, _ *site) { p.Services[0].Port = "400" },
		"PP144 warning 2": func(p *plan, _ *site) { p.Services[0].Port = "600" }, // F41
		"PP145 warning":   func(p *plan, _ *site) { p.Services[0].Alternates = []ports.Alternate{{When: "!ssl", Port: "21000"}} },
		"PP145 warning 2": func(p *plan, _ *site) { p.Services[0].Alternates = []ports.Alternate{{Port: "21000"}, {Port: "21001"}} },
		"PP146 error":     func(_ *plan, s *site) { s.Hosts[0].Bind = []string{"10.0.0.256"} },
		"PP146 error 2":   func(_ *plan, s *site) { s.Hosts[0].Networks = []string{"10.0.0.0"} },
		"PP146 warning":   func(_ *plan, s *site) { s.Hosts[0].Bind = []string{"0.0.0.0", "10.0.0.1"} },
		"PP146 warning 2": func(_ *plan, s *site) { s.Zones[0].Networks = []string{"10.0.0.1/8"} },
		"PP147 note":      func(p *plan, _ *site) { p.Pools[1].Span.Ranges[0].Last = 22000 }, // F58
		"PP148 warning":   func(p *plan, _ *site) { p.Pools[1].Capacity.Parallel = 11 },
		"PP148 warning 2": func(p *plan, s *site) { p.Pools[1].Span.Ranges[0].Last = 22001; more(s, 2) },
		"PP149 warning": func(p *plan, s *site) {
			p.Pools[1].Hold.Reasons = []string{"conntrack"}
			s.Middleboxes = []ports.Middlebox{{Name: "fw", Between: []string{"a", "b"}, Conntrack: time.Minute}}
		},
		"PP150 error": func(p *plan, s *site) {
			p.Services[0].Flows[0].Mirror = true
			s.Hosts[0].Services = []ports.HostService{{Service: "main", Port: 21001}}
		},
	}
}

// more adds agents to a site.
func more(s *ports.Inventory, n int) {
	for i := range n {
		name := fmt.Sprintf("w%d", i)
		s.Hosts = append(s.Hosts, ports.Host{Name: name, Roles: []string{"agent"}, Zone: "b", Advertise: []string{name}})
	}
}

// A number that is given stands before a range that is leased from: a service inside a pool is refused, so that no
// lease can ever take it (F09, F47). Ranges of no number, of less than none and beyond the last are refused (F18).
//
// Each finding has its code and severity, a place, a message and a suggestion; the table of codes knows it, and each
// code of the table can be had.
func TestCodes(t *testing.T) {
	t.Parallel()
	if p, inv := shop(); true {
		if _, found := ports.Compile(p, inv, 0); len(found) > 0 {
			t.Fatal(found)
		}
	}
	worst := map[ports.Code]ports.Severity{}
	for name, spoil := range spoilt() {
		p, inv := shop()
		spoil(&p, &inv)
		_, found := ports.Compile(p, inv, 0)
		fields := strings.Fields(name)
		code, severity := ports.Code(fields[0]), ports.Severity(fields[1])
		if !slices.ContainsFunc(found, func(d ports.Diagnostic) bool { return d.Code == code && d.Severity == severity }) {
			t.Errorf("%s: got %v", name, found)
		}
		for _, d := range found {
			if d.Message == "" || d.Suggestion == "" {
				t.Errorf("%s: %q, %q: a finding says what is wrong and what to do", name, d.Message, d.Suggestion)
			}
			if worst[d.Code] == "" || d.Severity == ports.Error || d.Severity == ports.Warning && worst[d.Code] == ports.Note {
				worst[d.Code] = d.Severity
			}
		}
	}
	last := ports.Code("")
	for _, c := range ports.Codes() {
		if c.Code <= last || c.Text == "" {
			t.Errorf("%s stands behind %s, and says %q", c.Code, last, c.Text)
		}
		last = c.Code
		if c.Code == ports.OddRange || c.Code == ports.NoRange || c.Code == ports.BadLine {
			continue // an importer's
		}
		if worst[c.Code] != c.Severity {
			t.Errorf("%s: the table says %s, the worst finding is %q", c.Code, c.Severity, worst[c.Code])
		}
		delete(worst, c.Code)
	}
	if len(worst) > 0 {
		t.Errorf("not in the table: %v", worst)
	}
}
