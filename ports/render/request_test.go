package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// openingsOf puts the lines of a request together again: the openings that were split by zones.
func openingsOf(rules []Rule) []ports.Opening {
	var out []ports.Opening
	for _, r := range rules {
		if r.Change == Removed {
			continue
		}
		i := slices.IndexFunc(out, func(o ports.Opening) bool { return o.Flow == r.Flow && o.First == r.First && o.Last == r.Last })
		if i < 0 {
			out = append(out, r.Opening)
			continue
		}
		for _, side := range []struct{ all, more *[]ports.Endpoint }{{&out[i].Sources, &r.Sources}, {&out[i].Destinations, &r.Destinations}} {
			for _, e := range *side.more {
				if !slices.Contains(*side.all, e) {
					*side.all = append(*side.all, e)
				}
			}
		}
	}
	return out
}

// joinedOpenings are the site's openings, one for each flow and number.
func joinedOpenings(in Input) []ports.Opening {
	var rules []Rule
	for _, o := range in.openings(in.Site) {
		rules = append(rules, Rule{Opening: o})
	}
	return openingsOf(rules)
}

func sortEnds(list []ports.Opening) []ports.Opening {
	for i, o := range list {
		for _, ends := range []*[]ports.Endpoint{&list[i].Sources, &list[i].Destinations} {
			*ends = slices.Clone(*ends)
			slices.SortFunc(*ends, func(a, b ports.Endpoint) int {
				return strings.Compare(a.Address+a.Host+a.Zone, b.Address+b.Host+b.Zone)
			})
			if len(*ends) == 0 {
				*ends = nil
			}
		}
		list[i].Purpose, list[i].Condition = strings.TrimSpace(o.Purpose), strings.TrimSpace(o.Condition)
	}
	return list
}

// checkRequest reads both forms of a change request back and compares them with the site's openings. P7, F68: no line
// is without a port.
func checkRequest(t rapid.TB, in Input) {
	t.Helper()
	text, err := renderRequestCSV(in)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := ReadRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sortEnds(joinedOpenings(in)), sortEnds(openingsOf(rules))); diff != "" {
		t.Errorf("the request is not the site's openings (-site +request):\n%s", diff)
	}
	want, err := Rules(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trimmed(want), trimmed(rules)); diff != "" {
		t.Errorf("the request reads back as other lines (-want +got):\n%s", diff)
	}
	page, err := renderRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	checkRequestPage(t, in, rules, string(page))
}

func trimmed(rules []Rule) []Rule {
	rules = slices.Clone(rules)
	for i, r := range rules {
		rules[i].Purpose, rules[i].Condition, rules[i].Application = strings.TrimSpace(r.Purpose), strings.TrimSpace(r.Condition), strings.TrimSpace(r.Application)
		for _, ends := range []*[]ports.Endpoint{&rules[i].Sources, &rules[i].Destinations} {
			if len(*ends) == 0 {
				*ends = nil
			}
		}
	}
	return rules
}

// checkRequestPage compares the lines for people with the lines for programs.
func checkRequestPage(t rapid.TB, in Input, rules []Rule, page string) {
	t.Helper()
	w, err := wordsOf(in.Locale)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	for _, p := range readMarkdown(page) {
		for _, cells := range p.rows {
			line := map[string]string{}
			for i, h := range p.heads {
				line[h] = cells[i]
			}
			got = append(got, line)
		}
	}
	var lines []Rule // in the order of the groups
	for _, g := range grouped(rules, true) {
		lines = append(lines, g.rules...)
	}
	if len(got) != len(lines) {
		t.Fatalf("the page has %d lines, the request %d", len(got), len(lines))
	}
	for i, r := range lines {
		numbers := r.numbers()
		if r.Parity != "" {
			numbers += " " + w.parity(r.Parity)
		}
		for head, want := range map[string]string{
			w.request.change: w.change(r.Change), w.columns["port"]: numbers, w.columns["protocol"]: string(r.Protocol), w.request.flow: r.Flow,
			w.request.reason: r.Purpose, w.columns["condition"]: r.Condition, w.plan: r.Plan + " " + shortHash(r.Hash),
		} {
			want = strings.TrimSpace(strings.ReplaceAll(want, "\t", " "))
			if got[i][head] != want {
				t.Errorf("line %d: %s is %q, want %q", i, head, got[i][head], want)
			}
		}
		for head, list := range map[string][]ports.Endpoint{w.request.source: r.Sources, w.request.destination: r.Destinations} {
			if len(list) > 0 && !strings.HasSuffix(got[i][head], ": "+ends(list)) {
				t.Errorf("line %d: %s is %q, want %q", i, head, got[i][head], ends(list))
			}
		}
	}
}

func TestRequestsReadBack(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		in.Owner, in.Expiry = "network, \"team\"", "2027-01-31"
		for _, in.Locale = range []string{"en", "de", "ja"} {
			checkRequest(t, in)
		}
		for _, h := range in.Site.Inventory.Hosts {
			in.Host = h.Name
			checkRequest(t, in)
		}
	})
}

func TestRequestsOfAnyPlanReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { checkRequest(rt, anyInput(rt)) })
}

// TestRequestDifference: what was asked for last stays, what is new is added, what is gone is removed; by the last plan
// and by the last request alike, and after the request is granted nothing is left to ask.
func TestRequestDifference(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	inv := twoZones(plan)
	last := Input{Site: compiled(t, plan, inv, 0)}
	inv.Openings = map[string]bool{"task_link": false, "power_control": true}
	in := Input{Site: compiled(t, plan, inv, 0), Previous: &last.Site.Compiled}
	text, err := renderRequestCSV(last)
	if err != nil {
		t.Fatal(err)
	}
	byPlan, err := Rules(in)
	if err != nil {
		t.Fatal(err)
	}
	flows := map[Change][]string{}
	for _, r := range byPlan {
		flows[r.Change] = append(flows[r.Change], r.Flow)
	}
	if want := []string{"jmcal.2/tcp"}; !slices.Equal(flows[Added], want) {
		t.Errorf("added are %v, want %v", flows[Added], want)
	}
	if want := []string{"mpnjsocl.1/tcp", "mpnjsc.1/tcp", "mpnjsc-udp.1/udp"}; !slices.Equal(flows[Removed], want) {
		t.Errorf("removed are %v, want %v", flows[Removed], want)
	}
	if len(flows[Unchanged]) < 20 {
		t.Errorf("%d lines are unchanged, want all others", len(flows[Unchanged]))
	}
	in.Previous = nil
	if in.Asked, err = ReadRequest(text); err != nil {
		t.Fatal(err)
	}
	byRequest, err := Rules(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trimmed(byPlan), trimmed(byRequest)); diff != "" {
		t.Errorf("by the last request it is another (-plan +request):\n%s", diff)
	}
	again := in
	again.Asked = byRequest
	rest, err := Rules(again)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rest {
		if r.Change != Unchanged {
			t.Errorf("after the request is granted %s %s is asked for again", r.Change, r.Flow)
		}
	}
}

// TestRequestUndo: the request to take back names what the request added, and nothing else. P12.
func TestRequestUndo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		in := anyInput(rt)
		before, _ := anyPlan(rt)
		c, _ := ports.Compile(before, in.Site.Inventory, 0)
		in.Previous = &c
		do, err := Rules(in)
		if err != nil {
			rt.Fatal(err)
		}
		in.Undo = true
		undo, err := Rules(in)
		if err != nil {
			rt.Fatal(err)
		}
		if len(do) != len(undo) {
			rt.Fatalf("%d lines to do, %d to undo", len(do), len(undo))
		}
		opposite := map[Change]Change{Added: Removed, Removed: Added, Unchanged: Unchanged}
		for i := range do {
			if do[i].key() != undo[i].key() || undo[i].Change != opposite[do[i].Change] {
				rt.Errorf("%s %s is undone by %s %s", do[i].Change, do[i].Flow, undo[i].Change, undo[i].Flow)
			}
		}
	})
}

// TestRequestOwner: the plan's owner answers where nobody else is named, and stands in every line.
func TestRequestOwner(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "default")
	plan.Owner = "batch-platform"
	for owner, want := range map[string]string{"": "batch-platform", "someone": "someone"} {
		rules, err := Rules(Input{Site: compiled(t, plan, twoZones(plan), 0), Owner: owner, Expiry: "2027-01-31"})
		if err != nil || len(rules) == 0 {
			t.Fatalf("%d rules, %v", len(rules), err)
		}
		for _, r := range rules {
			if r.Owner != want || r.Expires != "2027-01-31" || r.Plan != "default" || len(r.Hash) != 64 || r.Purpose == "" || r.Flow == "" {
				t.Errorf("the line %+v does not say who, why and until when", r)
			}
		}
	}
}

func TestRequestZones(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	page, err := renderRequest(Input{Site: compiled(t, plan, twoZones(plan), 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Firewall fw-2: from zone dmz to zone core", "## Firewall fw-2: from zone core to zone dmz", "## within zone core", "## from zone core to addresses in no zone"} {
		if !strings.Contains(string(page), want+"\n") {
			t.Errorf("the request has no part %q", want)
		}
	}
}

func TestReadRequestRefuses(t *testing.T) {
	t.Parallel()
	head := strings.Join(requestColumns(), ",") + "\n"
	line := func(change, source, port, protocol string) string {
		return change + ",,,,client," + source + ",server,unknown," + protocol + "," + port + ",,reason,,,,plan,hash,flow,service,name,function\n"
	}
	if rules, err := ReadRequest([]byte(head + line("add", "any", "20000-20100", "tcp"))); err != nil || len(rules) != 1 || rules[0].Last != 20100 {
		t.Fatalf("a good line reads as %v, %v", rules, err)
	}
	for text, want := range map[string]string{
		"":                                     "reading the columns",
		"a,b\n":                                "reading the columns",
		head + "x\n":                           "reading a change request",
		head + line("open", "any", "1", "tcp"): `line 2 of the change request: the change "open"`,
		head + line("add", "any", "1", "sctp"): `the protocol "sctp"`,
		head + line("add", "10.0.0.1", "1", "tcp"):      `the address "10.0.0.1"`,
		head + line("add", "any", "", "tcp"):            `the port ""`,
		head + line("add", "any", "0", "tcp"):           `the port "0"`,
		head + line("add", "any", "65536", "tcp"):       `the port "65536"`,
		head + line("add", "any", "20000-19999", "tcp"): `the port "20000-19999"`,
	} {
		if _, err := ReadRequest([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q", text, err, want)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(strings.Join(requestColumns(), ",") + "\nadd,fw,a,b,client,10.0.0.1 (h),server,any,tcp,1-2,even,r,,,,p,h,f.1/tcp,f,n,fn\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := ReadRequest(text)
		if err != nil {
			return
		}
		for _, r := range rules {
			if r.numbers() == "" || r.Last < r.First {
				t.Fatalf("the line %+v was read", r)
			}
		}
	})
}
