package planfile_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

const wholeText = `plan: whole
description: every field
version: 12
owner: batch-platform
instance: ACS_INSTANCE
policies: {ephemeral: error, egress: restricted}
vars:
  ACS_INSTANCE: {min: 1, max: 9, default: 1, env: ACS_INSTANCE}
  usessl: {type: bool, default: true}
roles:
  server: {}
  smtp-server: {managed: false, title: SMTP server, note: a neighbour}
  gateway: {is: agent, relay: true}
conditions:
  needs-centric: {text: only with it, when: openings.centric, default: true}
families: [{id: acs-services, formula: "3000 + ACS_INSTANCE*100 + offset", window: 3000-3999}]
services:
  - {id: naming, family: acs-services, offset: 7, protocol: [tcp], per_host: true, window: 2900-2999, deprecated: true, verify: unproven}
  - id: jobsch
    name: jobsch_win
    srv_name: jobsch-win
    port: 9297
    cases: [{when: "subsystem > 0 && !x", name: "jobsch_win{subsystem}", port: unassigned}]
    override: {by: services-file, key: smtp_mpaosfb, range: 1-65535}
    application: Remote Event Log Management
    modes: [unicast, broadcast]
    flows: [{from: server, to: server, mirror: both-ends, rank: 2, purpose: p, carries: [link], when: needs-centric, origin: SW-3, note: n}]
    function: Job scheduler
    tls: true
    door: [api, link]
    services_file: {windows: auto, unix: manual}
    when: needs-centric
    origin: SW-10
    note: a note
  - id: mgmt
    alternates: [{when: usessl, port: 7099, tls: true, origin: AR-16}, {when: "!usessl", port: 2099, tls: false}]
    rpc: {kind: oncrpc, role: portmapper, program: 0x20000001, version: 1, registers: [naming, jobsch], dynamic: "os:dynamicport"}
pools:
  - id: callback
    protocol: tcp
    range: {from: 59999, down: true, size: auto}
    pick: lru
    hold: {min: 120s, reasons: [conntrack, late-callback]}
    lease: {owner: task attempt, ttl: 90s, renew: heartbeat, fence: true, nonce: 128, liveness: process}
    capacity: {parallel: 100, rate: 10/m, duration: 10m, blocking: 0.001}
    fallback: rendezvous
  - id: containers
    cases:
      - {when: ACS_INSTANCE == 0, range: 4000-4999, parity: even}
      - {when: "ACS_INSTANCE > 0", range: {family: acs-services, offsets: 50-72}, parity: even}
    pair: {id: debug, delta: 1, parity: odd, optional: true, open: true, hint: jdwp, printed: 50-74, origin: AC-8, note: n}
    sticky: {key: "{instance}/{name}@{host}", on_busy: fail, host_change: deny}
  - {id: sized, range: {from: 30000, size: 20}, parity: odd}
  - {id: list, range: ["20000-20100", 7199], runs_on: server, scope: same-host}
  - {id: either, alternates: [{when: usessl, range: 5-6}, {when: "!usessl", range: unassigned}]}
  - {id: site, range: unassigned, was: 080}
local: [{id: admin, runs_on: server, purpose: administration}]
notes: [{origin: JS-5, text: "…", reading: "…", contradicts: [JS-13]}]
`

func wholePlan() ports.Plan {
	service := func(id string) ports.Service {
		return ports.Service{ID: id, Binds: true, Scope: ports.External, Status: ports.Works}
	}
	naming, jobsch, mgmt := service("naming"), service("jobsch"), service("mgmt")
	naming.Offset, naming.Family, naming.Protocols, naming.PerHost, naming.Window, naming.Deprecated, naming.Unproven = 7, "acs-services", []ports.Protocol{ports.TCP}, true, ports.Range{First: 2900, Last: 2999}, true, true
	jobsch.Name, jobsch.SRVName, jobsch.Port = "jobsch_win", "jobsch-win", "9297"
	jobsch.Cases = []ports.Case{{When: "subsystem > 0 && !x", Name: "jobsch_win{subsystem}", Port: ports.Unassigned}}
	jobsch.Override = ports.Override{By: ports.ByServicesFile, Key: "smtp_mpaosfb", Range: ports.Range{First: 1, Last: 65535}}
	jobsch.Application, jobsch.Modes = "Remote Event Log Management", []string{"unicast", "broadcast"}
	jobsch.Flows = []ports.Flow{{
		From: "server", To: "server", Mirror: true, Rank: 2, Purpose: "p", Carries: []string{"link"}, When: "needs-centric", Origin: "SW-3", Note: "n",
	}}
	jobsch.Function, jobsch.TLS, jobsch.Doors, jobsch.When, jobsch.Origin, jobsch.Note = "Job scheduler", true, []string{"api", "link"}, "needs-centric", "SW-10", "a note"
	jobsch.ServicesFile = ports.ServicesFile{Windows: ports.Auto, Unix: ports.Manual}
	mgmt.Alternates = []ports.Alternate{{When: "usessl", Port: "7099", TLS: true, Origin: "AR-16"}, {When: "!usessl", Port: "2099"}}
	mgmt.RPC = ports.RPC{Kind: "oncrpc", Role: "portmapper", Program: 0x20000001, Version: 1, Registers: []string{"naming", "jobsch"}, Dynamic: "os:dynamicport"}

	callback := ports.Pool{Service: service("callback"), Span: ports.Span{From: 59999}, Down: true, Pick: ports.LRU, Fallback: "rendezvous"}
	callback.Protocols = []ports.Protocol{ports.TCP}
	callback.Hold = ports.Hold{Min: 2 * time.Minute, Reasons: []string{"conntrack", "late-callback"}}
	callback.Lease = ports.LeaseRule{Owner: "task attempt", TTL: 90 * time.Second, Renew: "heartbeat", Fence: true, Nonce: 128, Liveness: "process"}
	callback.Capacity = ports.Capacity{Parallel: 100, Rate: 10. / 60, Duration: 10 * time.Minute, Blocking: 0.001}
	containers := ports.Pool{Service: service("containers")}
	containers.Cases = []ports.Case{
		{When: "ACS_INSTANCE == 0", Span: ports.Span{Ranges: []ports.Range{{First: 4000, Last: 4999}}}, Parity: ports.Even},
		{When: "ACS_INSTANCE > 0", Span: ports.Span{Family: "acs-services", Offsets: [2]int{50, 72}}, Parity: ports.Even},
	}
	containers.Pair = ports.Pair{ID: "debug", Delta: 1, Parity: ports.Odd, Optional: true, Open: true, Hint: "jdwp", Printed: ports.Range{First: 50, Last: 74}, Origin: "AC-8", Note: "n"}
	containers.Sticky = ports.Sticky{Key: "{instance}/{name}@{host}", OnBusy: "fail", HostChange: "deny"}
	sized := ports.Pool{Service: service("sized"), Span: ports.Span{From: 30000, Size: 20}, Parity: ports.Odd}
	list := ports.Pool{Service: service("list"), Span: ports.Span{Ranges: []ports.Range{{First: 20000, Last: 20100}, {First: 7199, Last: 7199}}}}
	list.RunsOn, list.Scope = []string{"server"}, ports.SameHost
	either := ports.Pool{Service: service("either")}
	either.Alternates = []ports.Alternate{{When: "usessl", Span: ports.Span{Ranges: []ports.Range{{First: 5, Last: 6}}}}, {When: "!usessl"}}
	site := ports.Pool{Service: service("site")}
	site.Was = "080"

	return ports.Plan{
		Name: "whole", Description: "every field", Version: 12, Owner: "batch-platform", Instance: "ACS_INSTANCE",
		Policies:   ports.Policies{Ephemeral: ports.Forbid, Egress: "restricted"},
		Vars:       []ports.Var{{Name: "ACS_INSTANCE", Min: 1, Max: 9, Default: 1, Env: "ACS_INSTANCE"}, {Name: "usessl", Type: ports.Bool, Max: 1, Default: 1}},
		Roles:      []ports.Role{{ID: "server", Is: ports.Server}, {ID: "smtp-server", Title: "SMTP server", Note: "a neighbour"}, {ID: "gateway", Is: ports.Agent, Relay: true}},
		Conditions: []ports.Condition{{ID: "needs-centric", Text: "only with it", When: "openings.centric", Default: true}},
		Families:   []ports.Family{{ID: "acs-services", Formula: "3000 + ACS_INSTANCE*100 + offset", Window: ports.Range{First: 3000, Last: 3999}}},
		Services:   []ports.Service{naming, jobsch, mgmt},
		Pools:      []ports.Pool{callback, containers, sized, list, either, site},
		Local:      []ports.LocalSocket{{ID: "admin", RunsOn: "server", Purpose: "administration"}},
		Notes:      []ports.Statement{{Origin: "JS-5", Text: "…", Reading: "…", Contradicts: []string{"JS-13"}}},
	}
}

// Every field of the written form becomes the field of the plan that it means, and is written down again.
func TestWholePlan(t *testing.T) {
	t.Parallel()
	got, err := planfile.Parse("whole.yaml", []byte(wholeText), base)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholePlan(), got, noPlaces()); diff != "" {
		t.Error(diff)
	}
	text := planfile.Format(got)
	back, err := planfile.Parse("written.yaml", text, base)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(got, back, noPlaces()); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
}

const wholeInventory = `inventory: whole
zones: {core: {networks: [10.1.0.0/16, "fd00::/8"]}, dmz: }
dials: [{from: core, to: dmz}]
openings: {task_link: true, centric: false}
vars: {usessl: false, ACS_INSTANCE: 3}
middleboxes:
  - {name: fw-2, between: [core, dmz], conntrack: 120s, idle: 15m}
hosts:
  hq1:
    roles: [server, job-execution-server]
    zone: core
    machine: big
    netns: ns_1
    os: windows
    bind: [10.1.0.5, "::1"]
    advertise: ["hq1.example.com:8443"]
    networks: 10.9.0.0/16
    ephemeral: 20000-30000
    services:
      jmnet: {port: 19352, bind: 10.1.0.6, advertise: [hq1-b]}
      mjsnet:
  dmz1: {}
`

// Every field of an inventory becomes the field that it means, and is written down again.
func TestWholeInventory(t *testing.T) {
	t.Parallel()
	got, err := planfile.ParseInventory("f", []byte(wholeInventory))
	if err != nil {
		t.Fatal(err)
	}
	want := ports.Inventory{
		Name:        "whole",
		Openings:    map[string]bool{"task_link": true, "centric": false},
		Vars:        map[string]int{"usessl": 0, "ACS_INSTANCE": 3},
		Zones:       []ports.Zone{{Name: "core", Networks: []string{"10.1.0.0/16", "fd00::/8"}}, {Name: "dmz"}},
		Dials:       []ports.Dial{{From: "core", To: "dmz"}},
		Middleboxes: []ports.Middlebox{{Name: "fw-2", Between: []string{"core", "dmz"}, Conntrack: 2 * time.Minute, Idle: 15 * time.Minute}},
		Hosts: []ports.Host{
			{
				Name: "hq1", Roles: []string{"server", "job-execution-server"}, Zone: "core", Machine: "big", Netns: "ns_1", OS: "windows",
				Bind: []string{"10.1.0.5", "::1"}, Advertise: []string{"hq1.example.com:8443"}, Networks: []string{"10.9.0.0/16"}, Ephemeral: ports.Range{First: 20000, Last: 30000},
				Services: []ports.HostService{{Service: "jmnet", Port: 19352, Bind: []string{"10.1.0.6"}, Advertise: []string{"hq1-b"}}, {Service: "mjsnet"}},
			},
			{Name: "dmz1"},
		},
	}
	if diff := cmp.Diff(want, got, noPlaces()); diff != "" {
		t.Error(diff)
	}
	back, err := planfile.ParseInventory("f", planfile.FormatInventory(got))
	if diff := cmp.Diff(got, back, noPlaces()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}
