package ports_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
)

// whyPlan has one row of each kind that a question may be about.
func whyPlan() ports.Plan {
	tcp := []ports.Protocol{ports.TCP}
	flow := func(from, to, when string) []ports.Flow {
		return []ports.Flow{{From: from, To: to, Purpose: "something", When: when, Carries: []string{"client"}, Origin: "PG-9"}}
	}
	return ports.Plan{
		Name: "page", Instance: "N",
		Vars:       []ports.Var{{Name: "N", Max: 3}, {Name: "usessl", Type: ports.Bool, Default: 1}},
		Roles:      []ports.Role{{ID: "server", Is: ports.Server, Title: "the server"}, {ID: "client", Is: ports.Client}, {ID: "mail"}},
		Conditions: []ports.Condition{{ID: "linked", Text: "only with task link", When: "openings.task_link"}, {ID: "text", Text: "see the manual"}},
		Families:   []ports.Family{{ID: "fam", Formula: "3000 + N*100 + offset", Window: ports.Range{First: 3000, Last: 3999}}},
		Services: []ports.Service{
			{ID: "manager", Name: "manager", Family: "fam", Offset: 5, Protocols: tcp, Binds: true, RunsOn: []string{"server"}, Origin: "PG-1", Doors: []string{"api"}, Flows: flow("client", "server", "text")},
			{ID: "link", Name: "LINK", Port: "1952", Protocols: []ports.Protocol{ports.TCP, ports.UDP}, Binds: true, When: "linked", Flows: flow("server", "client", "")},
			{ID: "smtp", Name: "smtp_x", Port: "25", Protocols: tcp, Override: ports.Override{By: ports.ByServicesFile, Key: "smtp_x"}, Flows: flow("server", "mail", "")},
			{ID: "tool", Protocols: tcp, Binds: true, RunsOn: []string{"server"}, Alternates: []ports.Alternate{{When: "usessl", Port: "7099", TLS: true}, {When: "!usessl", Port: "2099"}}},
			{ID: "daemon", Port: "2970", Was: "3013", Window: ports.Range{First: 2900, Last: 2999}, Protocols: tcp, Binds: true, Status: ports.Reserved, RunsOn: []string{"server"}},
			{ID: "discovery", Port: ports.Unassigned, Protocols: []ports.Protocol{ports.UDP}, Binds: true, RunsOn: []string{"server"}},
			{ID: "trap", Port: "10162", Protocols: []ports.Protocol{ports.UDP}, Binds: true, Status: ports.Foreign},
		},
		Pools: []ports.Pool{{
			Service: ports.Service{ID: "containers", Protocols: tcp, Binds: true, RunsOn: []string{"server"}, Cases: []ports.Case{
				{When: "N == 0", Span: ports.Span{Ranges: []ports.Range{{First: 4000, Last: 4999}}}, Parity: ports.Even},
				{When: "N > 0", Span: ports.Span{Family: "fam", Offsets: [2]int{50, 72}}, Parity: ports.Even},
			}},
			Pair: ports.Pair{ID: "debug", Delta: 1, Parity: ports.Odd, Optional: true}, Hold: ports.Hold{Min: time.Minute},
		}},
		Notes: []ports.Statement{{Origin: "PG-1", Text: "the manager is the first", Reading: "offset 5"}, {Origin: "PG-2", Text: "another"}},
	}
}

// TestWhyOfRows asks for rows by id and by service name.
func TestWhyOfRows(t *testing.T) {
	t.Parallel()
	inv := ports.Inventory{
		Openings:  map[string]bool{"task_link": false},
		Hosts:     []ports.Host{{Name: "hq1", Roles: []string{"server"}}, {Name: "desk1", Roles: []string{"client"}}},
		Overrides: []ports.Given{{Service: "smtp", Port: 2525, By: ports.ByServicesFile, Key: "smtp_x", At: ports.Place{File: "/etc/services", Line: 7, Column: 1}}},
	}
	ask := func(query string) ports.RowReason {
		t.Helper()
		e := ports.Why(whyPlan(), inv, 1, query)
		if len(e.Rows) != 1 || !e.Found() {
			t.Fatalf("%s: got %d rows, want 1: %v", query, len(e.Rows), e.Absent)
		}
		return e.Rows[0]
	}
	same := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}

	manager := ask("manager")
	same("formula", manager.Formula, "3000 + N*100 + offset")
	same("values", manager.Values, map[string]int{"N": 1, "offset": 5})
	same("claims", manager.Claims, []ports.ClaimReason{{Ports: "3105", Protocol: ports.TCP, Status: ports.Works, Scope: ports.External, Holds: "a listener on the server"}})
	same("hosts", manager.Hosts, []string{"hq1"})
	same("statements", manager.Statements, whyPlan().Notes[:1])
	same("flows", manager.Flows, []ports.FlowReason{{ID: "manager.1/tcp", From: "client", To: "the server", Purpose: "something", Carries: []string{"client"}, Status: ports.Works, Origin: "PG-9"}})
	same("conditions", manager.Conditions, []ports.ConditionReason{{ID: "text", Text: "see the manual", Of: "manager.1", Holds: true, State: map[string]int{}}})

	link := ask("link")
	same("the switch", link.Conditions, []ports.ConditionReason{
		{ID: "linked", Text: "only with task link", Of: "row", When: "openings.task_link", State: map[string]int{"openings.task_link": 0}},
	})
	if len(link.Claims) != 2 || link.Claims[0].Status != ports.Inactive || link.Claims[1].Holds != "nobody: the row is not in use" {
		t.Errorf("the claims of a row that is switched off: %+v", link.Claims)
	}

	smtp := ask("SMTP_X") // names have no case
	same("sources", smtp.Sources, []ports.Source{
		{By: "flag", Text: "the row takes no number from there"},
		{By: "environment", Text: "the row takes no number from there"},
		{By: "services-file", Key: "smtp_x", Value: "2525", Taken: true, Text: "it has one: /etc/services:7"},
		{By: "plan", Key: "smtp", Value: "25", Text: "the row's own number"},
	})
	same("claim of an overridden target", smtp.Claims[0].Holds, "another program serves it; the system only connects to it")

	tool := ask("tool")
	same("alternates", tool.Choices, []ports.Choice{{When: "usessl", Ports: "7099", Holds: true, Taken: true}, {When: "!usessl", Ports: "2099"}})
	if s := tool.Sources[3]; s.Value != "7099" || !s.Taken {
		t.Errorf("the plan's number of alternates: %+v", s)
	}

	pool := ask("containers.debug")
	same("cases", pool.Choices, []ports.Choice{{When: "N == 0", Ports: "4000-4999"}, {When: "N > 0", Ports: "3150-3172", Holds: true, Taken: true}})
	if pool.Pool == nil || pool.Kind != "pool" || len(pool.Claims) != 2 || pool.Claims[0].Holds != "leases on the server" {
		t.Errorf("the pool: %+v", pool)
	}

	for query, want := range map[string]string{
		"discovery": "no source gives a number: nothing is opened", "trap": "another program on the same hosts: the system neither holds nor uses it",
		"daemon": "reserved on the server, so that nothing else takes it; nothing listens",
	} {
		same(query, ask(query).Claims[0].Holds, want)
	}
}

// TestWhyOfNumbers asks for numbers, also for those that no row has.
func TestWhyOfNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		query    string
		instance int
		rows     string   // ids
		absent   []string // parts
		others   int      // claims of other instances
	}{
		{query: "3005", rows: "manager"},
		{query: "3005/TCP", rows: "manager"},
		{query: "3005/udp", absent: []string{"the other transport is another port", "offset 5 of the family fam"}},
		{query: "3105", absent: []string{"other instances claim it", "offset 105"}, others: 1},
		{query: "3105", instance: 1, rows: "manager"},
		{query: "3154", instance: 2, absent: []string{"other instances claim it", "is no number of this instance"}, others: 1},
		{query: "1952", rows: "link"},
		{query: "1952/udp", rows: "link"},
		{query: "2099", rows: "tool"}, // inactive, and yet explained
		{query: "4000", rows: "containers"},
		{query: "4001", rows: "containers"}, // of its pair
		{query: "4000/udp", absent: []string{"containers claims 4000-4999/tcp"}},
		{query: "3013", absent: []string{"the number that daemon had before", "offset 13"}},
		{query: "2971", absent: []string{"within 2900-2999"}},
		{query: "10162", rows: "trap"},
		{query: "60000", absent: []string{"no row, pool or window"}},
		{query: "0", absent: []string{"is no port"}},
		{query: "65536", absent: []string{"is no port"}},
		{query: "80/sctp", absent: []string{"is no port"}},
		{query: "", absent: []string{"no row with this id"}},
		{query: "nobody", absent: []string{"no row with this id"}},
	} {
		e := ports.Why(whyPlan(), ports.Inventory{Openings: map[string]bool{"task_link": true}}, tt.instance, tt.query)
		var ids []string
		for _, r := range e.Rows {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); got != tt.rows {
			t.Errorf("%s in instance %d: got the rows %q, want %q", tt.query, tt.instance, got, tt.rows)
		}
		all := strings.Join(e.Absent, "\n")
		for _, part := range tt.absent {
			if !strings.Contains(all, part) {
				t.Errorf("%s in instance %d: got %q, want %q in it", tt.query, tt.instance, all, part)
			}
		}
		if len(tt.absent) == 0 && all != "" || e.Found() != (tt.rows != "" || tt.others > 0) {
			t.Errorf("%s in instance %d: found %v, absent %q", tt.query, tt.instance, e.Found(), all)
		}
		if tt.others > 0 && len(e.Instances) != tt.others {
			t.Errorf("%s in instance %d: other instances %+v, want %d", tt.query, tt.instance, e.Instances, tt.others)
		}
	}
}

// TestWhyInOtherInstances: a row's numbers in the other instances, and none for a row that has the same in all.
func TestWhyInOtherInstances(t *testing.T) {
	t.Parallel()
	e := ports.Why(whyPlan(), ports.Inventory{}, 1, "manager")
	var got []string
	for _, i := range e.Instances {
		got = append(got, fmt.Sprintf("%d:%s", i.Instance, i.Ports))
	}
	if want := []string{"0:3005", "2:3205", "3:3305"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if e := ports.Why(whyPlan(), ports.Inventory{}, 1, "daemon"); len(e.Instances) != 0 {
		t.Errorf("a number that is the same in all instances: %+v", e.Instances)
	}
}

// TestWhyOfACollision: both rows that have one number are told so, not only the one that the finding stands at; a row
// whose id only begins like one of them is not.
func TestWhyOfACollision(t *testing.T) {
	t.Parallel()
	tcp := []ports.Protocol{ports.TCP}
	row := func(id, port string, line int) ports.Service {
		return ports.Service{ID: id, Port: ports.Formula(port), Protocols: tcp, Binds: true, RunsOn: []string{"server"}, At: ports.Place{File: "p", Line: line, Column: 1}}
	}
	p := ports.Plan{Name: "two", Roles: []ports.Role{{ID: "server"}}, Services: []ports.Service{row("one", "41000", 1), row("two", "41000", 2), row("on", "41001", 3)}}
	for query, want := range map[string]int{"one": 1, "two": 1, "on": 0, "41000": 1} {
		e := ports.Why(p, ports.Inventory{}, 0, query)
		n := 0
		for _, d := range e.Findings {
			if d.Code == ports.Overlap {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d findings of %v, want %d", query, n, e.Findings, want)
		}
	}
}
