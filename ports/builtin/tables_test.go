package builtin_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

var update = flag.Bool("update", false, "write the tables instead of comparing them")

// variants are the plans with the values under which their tables stand in testdata.
func variants() map[string]variant {
	return map[string]variant{
		"default":           {plan: "default"},
		"default-4":         {plan: "default", instance: 4},
		"systemwalker":      {plan: "systemwalker"},
		"systemwalker-3":    {plan: "systemwalker", instance: 3},
		"systemwalker-on":   {plan: "systemwalker", openings: every(true)},
		"systemwalker-off":  {plan: "systemwalker", openings: every(false)},
		"jobscheduler":      {plan: "jobscheduler"},
		"arcserve":          {plan: "arcserve"},
		"arcserve-plain":    {plan: "arcserve", vars: map[string]int{"usessl": 0}},
		"acs":               {plan: "acs"},
		"acs-3":             {plan: "acs", instance: 3},
		"acs-9":             {plan: "acs", instance: 9},
		"systemwalker-mail": {plan: "systemwalker", given: []ports.Given{{Service: "smtp", Port: 2525, By: ports.ByServicesFile, Key: "smtp_mpaosfb"}}},
	}
}

type variant struct {
	plan     string
	instance int
	openings map[string]bool
	vars     map[string]int
	given    []ports.Given
}

// every sets all switches of the contract.
func every(on bool) map[string]bool {
	return map[string]bool{
		"event_monitoring": on, "action_management": on, "task_link": on, "remote_machine": on, "power_control": on, "centric": on,
	}
}

func (v variant) compile(t *testing.T) (ports.Compiled, []ports.Diagnostic) {
	t.Helper()
	p, err := builtin.Load(v.plan)
	if err != nil {
		t.Fatal(err)
	}
	return ports.Compile(p, ports.Inventory{Openings: v.openings, Vars: v.vars, Overrides: v.given}, v.instance)
}

// TestTables compares the port table of each plan with the one that stands in testdata, which was read line by line
// against the page.
func TestTables(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, found := v.compile(t)
			if ports.HasErrors(found) {
				t.Error(found)
			}
			rows := [][]string{ports.Columns()}
			for _, r := range c.Rows() {
				rows = append(rows, r.Fields())
			}
			var b bytes.Buffer
			if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".csv", b.String())
		})
	}
}

// TestFindings compares what compiling says about each plan with what stands in testdata: the findings that the four
// systems bring with them, each with its place. Among them are the numbers of every instance of acs that other products
// use (F84), and old numbers that are others' now (F33).
func TestFindings(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		_, found := variant{plan: name}.compile(t)
		var b strings.Builder
		for _, d := range found {
			fmt.Fprintln(&b, d)
		}
		golden(t, name+".findings.txt", b.String())
	}
}

// golden compares a text with a file of testdata, or writes it.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./ports/builtin -update writes it", err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-testdata +plan): %s", name, diff)
	}
}

// TestEveryInstance compiles each plan in each of its instances, with all switches on and all off, and with both
// values of usessl: no combination has an error, and none a number twice on one host.
func TestEveryInstance(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		p, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != name {
			t.Errorf("the plan %s calls itself %s", name, p.Name)
		}
		instances := p.Instances()
		if want := 10; p.Instance != "" && len(instances) != want {
			t.Errorf("%s has %d instances, want %d", name, len(instances), want)
		}
		for _, i := range instances {
			for _, on := range []bool{true, false} {
				inv := ports.Inventory{Openings: map[string]bool{}, Vars: map[string]int{}}
				for s := range p.Switches() {
					inv.Openings[s] = on
				}
				if name == "arcserve" && !on {
					inv.Vars["usessl"] = 0
				}
				c, found := ports.Compile(p, inv, i)
				for _, d := range found {
					if d.Severity == ports.Error {
						t.Errorf("instance %d, switches %v: %v", i, on, d)
					}
				}
				if len(c.Claims) == 0 || len(c.Hash) != 64 {
					t.Errorf("%s: instance %d: %d claims, hash %q", name, i, len(c.Claims), c.Hash)
				}
			}
		}
		if _, found := ports.Compile(p, ports.Inventory{}, 10); !ports.HasErrors(found) {
			t.Errorf("%s: instance 10 compiles", name)
		}
	}
}

// TestOneHost puts every role of a plan on one host: no part of it takes a number of another, in any instance (F47).
func TestOneHost(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		p, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		inv := ports.Inventory{Openings: map[string]bool{}, Hosts: []ports.Host{{Name: "all", Roles: []string{"server", "agent", "desk", "client"}}}}
		for s := range p.Switches() {
			inv.Openings[s] = true
		}
		for _, i := range p.Instances() {
			if _, found := ports.Compile(p, inv, i); ports.HasErrors(found) {
				t.Errorf("%s, instance %d: %v", name, i, found)
			}
		}
	}
}
