package planfile_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

const baseText = `plan: base
instance: i
vars:
  i: {min: 0, max: 9, default: 0}
roles:
  server:
  agent: {}
  boss: {is: server, title: "the boss: 1"}
  mail: {managed: false}
conditions:
  power: {text: if power control is used}
services:
  - id: main
    function: Main
    name: main
    port: 9000 + i
    protocol: [tcp]
    tls: true
    door: [api, link]
    services_file: {windows: auto, unix: manual}
    was: 3013
    flows:
      - {from: agent, to: server, purpose: the link, carries: [link, enrol]}
      - {from: boss, to: server, purpose: "yes", when: power, origin: ours, note: a note}
  - {id: out, port: 25, protocol: tcp, binds: false, scope: remote, flows: [{from: server, to: mail, purpose: mail}]}
  - {id: none, port: unassigned, protocol: [udp, tcp], status: reserved, runs_on: [agent], when: power}
local:
  - {id: admin, runs_on: server, purpose: administration}
`

var errUnknown = errors.New("no such plan")

func base(name string) (ports.Plan, error) {
	if name != "base" {
		return ports.Plan{}, errUnknown
	}
	return planfile.Parse("base.yaml", []byte(baseText), base)
}

// noPlaces compares plans by what they say, not by where it stands.
func noPlaces() cmp.Option {
	return cmpopts.IgnoreTypes(ports.Place{})
}

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := base("base")
	if err != nil {
		t.Fatal(err)
	}
	want := ports.Plan{
		Name: "base", Instance: "i",
		Vars: []ports.Var{{Name: "i", Max: 9}},
		Roles: []ports.Role{
			{ID: "server", Is: ports.Server}, {ID: "agent", Is: ports.Agent}, {ID: "boss", Is: ports.Server, Title: "the boss: 1"}, {ID: "mail"},
		},
		Conditions: []ports.Condition{{ID: "power", Text: "if power control is used"}},
		Services: []ports.Service{
			{
				ID: "main", Function: "Main", Name: "main", Port: "9000 + i", Protocols: []ports.Protocol{ports.TCP}, TLS: true,
				Doors: []string{"api", "link"}, Binds: true, Scope: ports.External, Status: ports.Works,
				ServicesFile: ports.ServicesFile{Windows: ports.Auto, Unix: ports.Manual}, Was: "3013",
				Flows: []ports.Flow{
					{From: "agent", To: "server", Purpose: "the link", Carries: []string{"link", "enrol"}},
					{From: "boss", To: "server", Purpose: "yes", When: "power", Origin: "ours", Note: "a note"},
				},
			},
			{ID: "out", Port: "25", Protocols: []ports.Protocol{ports.TCP}, Scope: ports.Remote, Status: ports.Works, Flows: []ports.Flow{{From: "server", To: "mail", Purpose: "mail"}}},
			{ID: "none", Port: ports.Unassigned, Protocols: []ports.Protocol{ports.UDP, ports.TCP}, Binds: true, Scope: ports.External, Status: ports.Reserved, RunsOn: []string{"agent"}, When: "power"},
		},
		Local: []ports.LocalSocket{{ID: "admin", RunsOn: "server", Purpose: "administration"}},
	}
	if diff := cmp.Diff(want, got, noPlaces()); diff != "" {
		t.Error(diff)
	}
	if at := got.Services[0].At; at != (ports.Place{File: "base.yaml", Line: 13, Column: 5}) {
		t.Errorf("the service stands at %v", at)
	}
	if _, found := ports.Compile(got, ports.Inventory{}, 0); ports.HasErrors(found) {
		t.Error(found)
	}
}

func TestExtends(t *testing.T) {
	t.Parallel()
	got, err := planfile.Parse("site.yaml", []byte(`plan: site
extends: base
vars:
  i: {max: 4}
roles: {monitoring: {managed: false}, boss: {title: chief}}
services:
  - {id: main, port: 19352}
  - {id: metrics, port: 9101, protocol: [tcp], door: metrics, flows: [{from: monitoring, to: server, purpose: scraping}]}
  - {id: out, flows: []}
`), base)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := base("base")
	want.Name, want.Extends = "site", "base"
	want.Vars[0].Max = 4
	want.Roles[2].Title = "chief"
	want.Roles = append(want.Roles, ports.Role{ID: "monitoring"})
	want.Services[0].Port = "19352"
	want.Services[1].Flows = nil
	want.Services = append(want.Services, ports.Service{
		ID: "metrics", Port: "9101", Protocols: []ports.Protocol{ports.TCP}, Doors: []string{"metrics"}, Binds: true, Scope: ports.External, Status: ports.Works,
		Flows: []ports.Flow{{From: "monitoring", To: "server", Purpose: "scraping"}},
	})
	if diff := cmp.Diff(want, got, noPlaces()); diff != "" {
		t.Error(diff)
	}
	if got.Services[0].At.File != "site.yaml" || got.Services[2].At.File != "base.yaml" {
		t.Errorf("places: %v and %v", got.Services[0].At, got.Services[2].At)
	}
}

func TestInventory(t *testing.T) {
	t.Parallel()
	got, err := planfile.ParseInventory("f", []byte(`plan: beside
---
inventory: site
zones: {core: {}, dmz: }
dials: [{from: core, to: dmz}]
hosts:
  hq1:  {roles: [server], zone: core, bind: [10.1.0.5, "::1"], advertise: [hq1.example.com, "hq1:8443", "[::1]:1"]}
  dmz1: {roles: agent, zone: dmz, advertise: 10.2.0.5}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := ports.Inventory{
		Name: "site", Zones: []ports.Zone{{Name: "core"}, {Name: "dmz"}}, Dials: []ports.Dial{{From: "core", To: "dmz"}},
		Hosts: []ports.Host{
			{Name: "hq1", Roles: []string{"server"}, Zone: "core", Bind: []string{"10.1.0.5", "::1"}, Advertise: []string{"hq1.example.com", "hq1:8443", "[::1]:1"}},
			{Name: "dmz1", Roles: []string{"agent"}, Zone: "dmz", Advertise: []string{"10.2.0.5"}},
		},
	}
	if diff := cmp.Diff(want, got, noPlaces()); diff != "" {
		t.Error(diff)
	}
}
