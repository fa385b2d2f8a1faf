package render

import (
	"errors"
	"slices"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// TestSelection: a host's or a role's document has the rows that have to do with it, and a service's those of the
// service.
func TestSelection(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	inv := twoZones(plan)
	inv.Hosts = append(inv.Hosts, ports.Host{Name: "exec1", Zone: "dmz", Roles: []string{"agent"}, Advertise: []string{"10.2.0.9"}})
	site := compiled(t, plan, inv, 0)
	for _, c := range []struct {
		in       Input
		has, not []string
	}{
		{Input{Role: "smtp-server"}, []string{"smtp"}, []string{"jmnet", "mjsnet"}},
		{Input{Role: "agent"}, []string{"mjsnet", "jmnet"}, []string{"smtp", "mpahso"}},
		{Input{Host: "exec1"}, []string{"mjsnet", "jmnet", "name-resolution"}, []string{"smtp", "mpahso"}},
		{Input{Service: "mjsnet"}, []string{"mjsnet"}, []string{"jmnet"}},
	} {
		c.in.Site = site
		_, got, err := c.in.open()
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, cl := range got.Claims {
			ids = append(ids, cl.Service)
		}
		for _, id := range c.has {
			if !slices.Contains(ids, id) {
				t.Errorf("host %q role %q service %q has %v, want %s", c.in.Host, c.in.Role, c.in.Service, ids, id)
			}
		}
		for _, id := range c.not {
			if slices.Contains(ids, id) {
				t.Errorf("host %q role %q service %q has %v, want no %s", c.in.Host, c.in.Role, c.in.Service, ids, id)
			}
		}
		checkTables(t, Input{Site: ports.Site{Compiled: got, Inventory: inv}})
	}
}

// TestUnknown: what the site does not have is named, by every document.
func TestUnknown(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "default")
	site := compiled(t, plan, twoZones(plan), 0)
	for _, target := range documents() {
		for _, in := range []Input{{Host: "nobody"}, {Role: "nobody"}, {Service: "nobody"}} {
			in.Site = site
			if _, err := target.Render(in); !errors.Is(err, ErrUnknown) {
				t.Errorf("%s of host %q, role %q, service %q: %v", target.Name, in.Host, in.Role, in.Service, err)
			}
		}
		if _, err := target.Render(Input{Site: site, Locale: "fr"}); !errors.Is(err, ErrLocale) && target.Name != "change-request-csv" {
			t.Errorf("%s in fr: %v", target.Name, err)
		}
		if _, err := target.Render(Input{Site: site, Host: "hq1", Role: "server"}); err == nil {
			t.Errorf("%s takes a host and a role", target.Name)
		}
		if _, err := target.Render(Input{}); err != nil {
			t.Errorf("%s of nothing: %v", target.Name, err)
		}
	}
}

// TestDeterministic: the same input gives the same bytes. P5.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		for _, target := range documents() {
			first, err := target.Render(in)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if again, err := target.Render(in); err != nil || string(again) != string(first) {
					t.Fatalf("%s gives other bytes, %v", target.Name, err)
				}
			}
		}
	})
}

// TestOwnNumbers: a service that stands on a host with another number has it in the host's documents, and what the host
// dials elsewhere keeps the plan's.
func TestOwnNumbers(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	inv := twoZones(plan)
	inv.Hosts[0].Services = []ports.HostService{{Service: "jmnet", Port: 19352}}
	site := compiled(t, plan, inv, 0)
	numbers := func(host string) map[string][]string {
		_, c, err := Input{Site: site, Host: host}.open()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string][]string{}
		for _, r := range c.Rows() {
			if r.ID == "jmnet" {
				found[r.Port] = append(found[r.Port], r.Source+" > "+r.Destination)
			}
		}
		return found
	}
	got := numbers("hq1")
	if want := []string{"client > server", "job execution server > job requesting server", "message event source > message event destination"}; !slices.Equal(got["19352"], want) {
		t.Errorf("towards hq1 go %v, want %v", got["19352"], want)
	}
	if want := []string{"job requesting server > job execution server", "message event source > message event destination"}; !slices.Equal(got["9352"], want) {
		t.Errorf("from hq1 go %v, want %v", got["9352"], want)
	}
	if got := numbers("hq2"); len(got["9352"]) != 4 || got["19352"] != nil {
		t.Errorf("hq2 has %v", got)
	}
}
