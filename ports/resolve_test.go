package ports_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
)

// Both ends of a range belong to it, whichever way the pool goes (F60), and one number is a pool too (F58).
func TestPoolNumbers(t *testing.T) {
	t.Parallel()
	literal := func(first, last ports.Port) ports.Span {
		return ports.Span{Ranges: []ports.Range{{First: first, Last: last}}}
	}
	ten := ports.Capacity{Parallel: 10, Rate: 1}
	for name, c := range map[string]struct {
		pool ports.Pool
		want string // claims, and the size
	}{
		"literal":           {ports.Pool{Span: literal(4000, 4999)}, "p 4000-4999 1000"},
		"one number":        {ports.Pool{Span: literal(7199, 7199)}, "p 7199 1"},
		"the highest":       {ports.Pool{Span: literal(65535, 65535)}, "p 65535 1"},
		"all":               {ports.Pool{Span: literal(1, 65535)}, "p 1-65535 65535"},
		"down":              {ports.Pool{Span: ports.Span{From: 59999, Size: 130}, Down: true}, "p 59870-59999 130"},
		"up":                {ports.Pool{Span: ports.Span{From: 65000, Size: 536}}, "p 65000-65535 536"},
		"down to the first": {ports.Pool{Span: ports.Span{From: 10, Size: 10}, Down: true}, "p 1-10 10"},
		"several":           {ports.Pool{Span: ports.Span{Ranges: []ports.Range{{First: 20000, Last: 20100}, {First: 7199, Last: 7199}}}}, "p 20000-20100 p 7199 102"},
		"twice":             {ports.Pool{Span: ports.Span{Ranges: []ports.Range{{First: 10, Last: 20}, {First: 5, Last: 30}}}}, "p 10-20 p 5-9 p 21-30 26"},
		"family":            {ports.Pool{Span: ports.Span{Family: "f", Offsets: [2]int{50, 72}}}, "p 3250-3272 23"},
		"family in steps":   {ports.Pool{Span: ports.Span{Family: "steps", Offsets: [2]int{0, 2}}}, "p 100 p 103 p 106 3"},
		"even":              {ports.Pool{Span: literal(4000, 4999), Parity: ports.Even}, "p 4000-4999 even 500"},
		"odd":               {ports.Pool{Span: literal(4000, 4999), Parity: ports.Odd}, "p 4000-4999 odd 500"},
		"pairs": {
			ports.Pool{Span: literal(50, 72), Parity: ports.Even, Pair: ports.Pair{ID: "debug", Delta: 1, Parity: ports.Odd, Optional: true}},
			"p 50-72 even p.debug 51-73 odd 12",
		}, // F83: 12 containers, the debuggers end at 73
		"pairs by the second's parity": {ports.Pool{Span: literal(50, 73), Pair: ports.Pair{ID: "debug", Delta: 1, Parity: ports.Odd}}, "p 50-73 even p.debug 51-73 odd 12"},
		"pairs below":                  {ports.Pool{Span: literal(1, 9), Parity: ports.Odd, Pair: ports.Pair{ID: "x", Delta: -2}}, "p 1-9 odd p.x 1-7 odd 5"},
		"pairs without parity":         {ports.Pool{Span: literal(100, 109), Pair: ports.Pair{ID: "x", Delta: 10}}, "p 100-109 p.x 110-119 10"},
		"auto":                         {ports.Pool{Span: ports.Span{From: 59999}, Down: true, Capacity: ten, Hold: ports.Hold{Min: 120 * time.Second}}, "p 59870-59999 130"},
		"auto, even":                   {ports.Pool{Span: ports.Span{From: 59999}, Down: true, Parity: ports.Even, Capacity: ten, Hold: ports.Hold{Min: 120 * time.Second}}, "p 59740-59999 even 130"},
		"auto, by load": {ports.Pool{
			Span: ports.Span{From: 59999}, Down: true, Hold: ports.Hold{Min: 120 * time.Second},
			Capacity: ports.Capacity{Rate: 0.1667, Duration: 10 * time.Minute, Blocking: 0.001},
		}, "p 59849-59999 151"}, // E1
		"none": {ports.Pool{}, "p  inactive 0"},
	} {
		c.pool.Service = ports.Service{ID: "p", Protocols: []ports.Protocol{ports.TCP}, Binds: true, RunsOn: []string{"r"}}
		plan := ports.Plan{
			Name: "pools", Instance: "i", Vars: []ports.Var{{Name: "i", Max: 9}}, Roles: []ports.Role{{ID: "r"}}, Pools: []ports.Pool{c.pool},
			Families: []ports.Family{{ID: "f", Formula: "3000 + i*100 + offset"}, {ID: "steps", Formula: "100 + 3*offset"}},
		}
		compiled, found := ports.Compile(plan, ports.Inventory{}, 2)
		var got []string
		for _, cl := range compiled.Claims {
			got = append(got, cl.Service, cl.Range().String())
			if cl.Parity != "" {
				got = append(got, string(cl.Parity))
			}
			if cl.Status != ports.Works {
				got = append(got, string(cl.Status))
			}
		}
		for _, p := range compiled.Pools {
			got = append(got, fmt.Sprint(p.Size))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: got %q, want %q (%v)", name, text, c.want, found)
		}
	}
}

// What gives a number is known afterwards; the plan's own has nobody to name.
func TestOverrides(t *testing.T) {
	t.Parallel()
	p, inv := shop()
	p.Services[0].Override = ports.Override{By: ports.ByEnvironment, Key: "MAIN_PORT", Range: ports.Range{First: 21000, Last: 21999}}
	base, _ := ports.Compile(p, inv, 0)
	inv.Overrides = []ports.Given{{Service: "main", Port: 21500, By: ports.ByEnvironment, Key: "MAIN_PORT"}, {Service: "main", Port: 21600, By: ports.ByEnvironment}}
	c, found := ports.Compile(p, inv, 1)
	if len(found) > 0 {
		t.Fatal(found)
	}
	if cl, _ := c.Service("main"); cl.Port != 21500 || cl.By != ports.ByEnvironment || cl.Key != "MAIN_PORT" {
		t.Errorf("got %+v", cl)
	}
	if cl, _ := c.Service("all"); cl.Port != 20110 || cl.By != "" || cl.Family != "f" {
		t.Errorf("got %+v", cl)
	}
	if c.Flows[0].Port != 21500 || c.Hash == base.Hash {
		t.Errorf("the override reaches %+v, and the hash is %s", c.Flows[0], c.Hash)
	}
}

// A switch turns rows off and on; a row that is off stays in the table, and nothing listens for it or dials it.
func TestConditions(t *testing.T) {
	t.Parallel()
	p, inv := shop()
	p.Conditions = []ports.Condition{{ID: "c", Text: "if it is used", When: "openings.used", Default: true}, {ID: "text", Text: "for people"}}
	p.Services[0].When, p.Services[1].When = "c", "text"
	p.Pools[1].Flows[0].When = "c"
	state := func(inv ports.Inventory) (claim, flow ports.Status, may string) {
		c, _ := ports.Compile(p, inv, 0)
		cl, _ := c.Service("main")
		for _, f := range c.Flows {
			if f.Service == "pool" {
				flow = f.Status
			}
		}
		return cl.Status, flow, fmt.Sprint(c.MayListen("server", "main"), c.MayDial("agent", "main"), c.MayDial("agent", "pool"), c.MayListen("server", "pool"), len(c.Carrying("link")))
	}
	if claim, flow, may := state(inv); claim != ports.Works || flow != ports.Works || may != "true true true true 1" {
		t.Errorf("on: %s, %s, %s", claim, flow, may)
	}
	inv.Openings = map[string]bool{"used": false}
	if claim, flow, may := state(inv); claim != ports.Inactive || flow != ports.Inactive || may != "false false false true 0" {
		t.Errorf("off: %s, %s, %s", claim, flow, may)
	}
	if diff := cmp.Diff(map[string]bool{"used": true}, p.Switches()); diff != "" {
		t.Error(diff)
	}
}

// The claim in use comes first, whichever alternate it is; the others are listed.
func TestAlternates(t *testing.T) {
	t.Parallel()
	p, inv := shop()
	p.Services[0].Alternates = []ports.Alternate{{When: "ssl", Port: "21001", TLS: true, Origin: "AR-16"}, {When: "!ssl", Port: "21002", Origin: "AR-17"}}
	for value, want := range map[int]string{0: "21002 false AR-17", 1: "21001 true AR-16"} {
		inv.Vars = map[string]int{"ssl": value}
		c, _ := ports.Compile(p, inv, 0)
		cl, _ := c.Service("main")
		if got := fmt.Sprint(cl.Port, cl.TLS, " ", cl.Origin); got != want {
			t.Errorf("ssl is %d: got %s, want %s", value, got, want)
		}
		if len(c.Claims) < 5 || c.Claims[0].Port != 21001 || c.Claims[1].Port != 21002 || c.Claims[0].Status == c.Claims[1].Status {
			t.Errorf("ssl is %d: %+v", value, c.Claims[:2])
		}
	}
}

func TestDefaultInstance(t *testing.T) {
	t.Parallel()
	p, inv := shop()
	p.Vars[0].Default = 1
	if got := ports.DefaultInstance(p, inv); got != 1 {
		t.Errorf("the plan's: %d", got)
	}
	inv.Vars = map[string]int{"i": 0}
	if got := ports.DefaultInstance(p, inv); got != 0 {
		t.Errorf("the inventory's: %d", got)
	}
	if got := ports.DefaultInstance(ports.Plan{}, inv); got != 0 {
		t.Errorf("none: %d", got)
	}
}

// Inside cuts claims to a range, such as a host's own for outgoing connections (F34).
func TestInside(t *testing.T) {
	t.Parallel()
	p, inv := shop()
	p.Pools[1].Parity, p.Pools[1].Span.Ranges[0].Last = ports.Odd, 22010
	c, _ := ports.Compile(p, inv, 0)
	for r, want := range map[ports.Range]string{
		{First: 9000, Last: 65500}:  "main 21000 all 20100 rest 20101-20109 pool 22001-22009",
		{First: 20105, Last: 21000}: "main 21000 rest 20105-20109",
		{First: 22002, Last: 22004}: "pool 22003",
		{First: 22002, Last: 22002}: "",
		{First: 30000, Last: 65535}: "",
	} {
		var got []string
		for _, cl := range c.Inside(r) {
			got = append(got, cl.Service, cl.Range().String())
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: got %q, want %q", r, text, want)
		}
	}
}
