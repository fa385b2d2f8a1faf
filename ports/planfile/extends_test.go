package planfile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// wholeBase finds the plan that has every field.
func wholeBase(name string) (ports.Plan, error) {
	if name != "whole" {
		return ports.Plan{}, errUnknown
	}
	return planfile.Parse("whole.yaml", []byte(wholeText), base)
}

// change returns the whole plan with a change to it.
func change(t *testing.T, text string) ports.Plan {
	t.Helper()
	p, err := planfile.Parse("site.yaml", []byte("plan: site\nextends: whole\n"+text), wholeBase)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Everything merges by id, notes by origin; what is given replaces, what is not stays.
func TestExtendsEverything(t *testing.T) {
	t.Parallel()
	want, err := wholeBase("whole")
	if err != nil {
		t.Fatal(err)
	}
	same := func(got ports.Plan) {
		t.Helper()
		want.Name, want.Extends = "site", "whole"
		if diff := cmp.Diff(want, got, noPlaces()); diff != "" {
			t.Error(diff)
		}
		want, _ = wholeBase("whole")
	}
	same(change(t, ""))

	want.Version, want.Owner, want.Description, want.Policies.Egress = 13, "site", "ours", "unrestricted"
	same(change(t, "version: 13\nowner: site\ndescription: ours\npolicies: {egress: unrestricted}\n"))

	want.Vars[0].Max, want.Vars[1].Default = 4, 0
	want.Vars = append(want.Vars, ports.Var{Name: "more", Max: 1})
	same(change(t, "vars: {ACS_INSTANCE: {max: 4}, usessl: {default: false}, more: {max: 1}}\n"))

	want.Roles[0].Title, want.Roles[1].Is = "hall", ports.Agent
	want.Roles = append(want.Roles, ports.Role{ID: "new"})
	same(change(t, "roles: {server: {title: hall}, smtp-server: {managed: true, is: agent}, new: {managed: false}}\n"))

	want.Conditions[0].Default = false
	want.Conditions = append(want.Conditions, ports.Condition{ID: "night", Text: "at night"})
	same(change(t, "conditions: {needs-centric: {default: false}, night: {text: at night}}\n"))

	want.Families[0].Window = ports.Range{First: 3000, Last: 4999}
	want.Families = append(want.Families, ports.Family{ID: "more", Formula: "offset"})
	same(change(t, "families: [{id: acs-services, window: 3000-4999}, {id: more, formula: offset}]\n"))

	want.Pools[0].Hold.Min, want.Pools[0].Capacity.Parallel = time.Minute, 5
	want.Pools[1].Pair.Open, want.Pools[1].Sticky.OnBusy, want.Pools[1].Cases = false, "next", nil
	want.Pools[1].Span.Ranges = []ports.Range{{First: 5000, Last: 5999}}
	same(change(t, `pools:
  - {id: callback, hold: {min: 1m}, capacity: {parallel: 5}}
  - {id: containers, range: 5000-5999, cases: [], pair: {open: false}, sticky: {on_busy: next}}
`))

	want.Services[1].ServicesFile.Unix, want.Services[1].Flows, want.Services[1].Override.Range = ports.Auto, nil, ports.Range{}
	want.Services[1].Override = ports.Override{By: ports.ByFlag, Key: "smtp_mpaosfb", Range: ports.Range{First: 1, Last: 65535}}
	same(change(t, "services: [{id: jobsch, services_file: {unix: auto}, flows: [], override: {by: flag}}]\n"))

	want.Local[0].Purpose = "ours"
	same(change(t, "local: [{id: admin, purpose: ours}]\n"))

	want.Notes = []ports.Statement{{Origin: "JS-5", Text: "a"}, {Origin: "JS-5", Text: "b"}, {Origin: "ours", Text: "c"}}
	same(change(t, "notes: [{origin: JS-5, text: a}, {origin: JS-5, text: b}, {origin: ours, text: c}]\n"))
}

// The way of saying a number that is given replaces the way of the base.
func TestExtendsNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ports.Service{
		"{id: naming, port: 5}":                          {Port: "5"},
		"{id: naming, offset: 9}":                        {Family: "acs-services", Offset: 9},
		"{id: naming, family: other, offset: 0}":         {Family: "other"},
		"{id: naming, alternates: [{when: a, port: 1}]}": {Alternates: []ports.Alternate{{When: "a", Port: "1"}}},
		"{id: naming, note: x}":                          {Family: "acs-services", Offset: 7},
	} {
		s := change(t, "services: ["+text+"]\n").Services[0]
		got := ports.Service{Port: s.Port, Family: s.Family, Offset: s.Offset, Alternates: s.Alternates}
		if diff := cmp.Diff(want, got, noPlaces()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for text, want := range map[string]ports.Pool{
		"{id: callback, range: 5-6}":                                {Span: ports.Span{Ranges: []ports.Range{{First: 5, Last: 6}}}},
		"{id: callback, range: unassigned}":                         {},
		"{id: callback, range: {from: 500, down: true, size: 500}}": {Span: ports.Span{From: 500, Size: 500}, Down: true},
		"{id: callback, range: {list: [5, 7-8], down: true}}":       {Span: ports.Span{Ranges: []ports.Range{{First: 5, Last: 5}, {First: 7, Last: 8}}}, Down: true},
		"{id: callback, pick: random}":                              {Span: ports.Span{From: 59999}, Down: true},
		"{id: callback, alternates: [{when: a, range: 5}]}":         {},
	} {
		p := change(t, "pools: ["+text+"]\n").Pools[0]
		if diff := cmp.Diff(want, ports.Pool{Span: p.Span, Down: p.Down}, noPlaces()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// A document changes nothing of the plan that it extends.
func TestExtendsLeavesTheBase(t *testing.T) {
	t.Parallel()
	shared, err := wholeBase("whole")
	if err != nil {
		t.Fatal(err)
	}
	before := string(planfile.Format(shared))
	text := strings.Replace(wholeText, "plan: whole\n", "plan: site\nextends: whole\n", 1)
	text = strings.NewReplacer("9297", "9298", "unicast", "broadcast", "broadcast", "unicast", "7099", "7098", "4000-4999", "4000-4998", "JS-13", "JS-14").Replace(text)
	if _, err := planfile.Parse("f", []byte(text), func(string) (ports.Plan, error) { return shared, nil }); err != nil {
		t.Fatal(err)
	}
	if after := string(planfile.Format(shared)); after != before {
		t.Error(cmp.Diff(before, after))
	}
}
