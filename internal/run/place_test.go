package run_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	agent := func(name string, running int, change ...func(*run.Candidate)) run.Candidate {
		c := run.Candidate{ID: "id-" + name, Name: name, Linked: true, Slots: 4, Running: running, Labels: map[string]string{"site": name, "os": "linux"}}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	away := func(c *run.Candidate) { c.Linked = false }
	drained := func(c *run.Candidate) { c.Drained = true }
	noDisk := func(c *run.Candidate) { c.Disk = "1 MiB free" }
	desk := func(c *run.Candidate) { c.Desk = true }
	failed := func(c *run.Candidate) { c.Failed = noon.Add(-time.Minute) }
	first := func(names ...string) jobnet.Agent {
		return jobnet.Agent{Names: names, Select: jobnet.SelectFirst, Skip: time.Hour}
	}
	anywhere := jobnet.Agent{}
	for name, c := range map[string]struct {
		want   jobnet.Agent
		agents []run.Candidate
		chosen string
		reason run.Reason
		text   string
	}{
		"no agents":               {anywhere, nil, "", run.ReasonNoAgent, "the domain has no agent"},
		"fewest running":          {anywhere, []run.Candidate{agent("b", 1), agent("a", 2)}, "b", "", ""},
		"then by name":            {anywhere, []run.Candidate{agent("b", 1), agent("a", 1)}, "a", "", ""},
		"by name only":            {jobnet.Agent{Name: "b"}, []run.Candidate{agent("a", 0), agent("b", 3)}, "b", "", ""},
		"unknown name":            {jobnet.Agent{Name: "x"}, []run.Candidate{agent("a", 0)}, "", run.ReasonNoAgent, "no agent of the domain fits name x"},
		"all labels":              {jobnet.Agent{Labels: map[string]string{"site": "b", "os": "linux"}}, []run.Candidate{agent("a", 0), agent("b", 3)}, "b", "", ""},
		"one label differs":       {jobnet.Agent{Labels: map[string]string{"site": "b", "os": "plan9"}}, []run.Candidate{agent("b", 0)}, "", run.ReasonNoAgent, "no agent of the domain fits labels os=plan9, site=b"},
		"a desk agent by name":    {jobnet.Agent{Name: "pc"}, []run.Candidate{agent("a", 0), agent("pc", 3, desk)}, "pc", "", ""},
		"a desk agent of a list":  {first("pc", "a"), []run.Candidate{agent("a", 0), agent("pc", 3, desk)}, "pc", "", ""},
		"no desk agent anywhere":  {anywhere, []run.Candidate{agent("a", 3), agent("pc", 0, desk)}, "a", "", ""},
		"nor by labels":           {jobnet.Agent{Labels: map[string]string{"site": "pc"}}, []run.Candidate{agent("a", 3), agent("pc", 0, desk)}, "", run.ReasonNoAgent, "no agent of the domain fits labels site=pc; desk agents take only jobs that name them: pc"},
		"nor where all are full":  {anywhere, []run.Candidate{agent("a", 4), agent("pc", 0, desk)}, "", run.ReasonNoSlot, "every slot is taken on a (4 of 4)"},
		"full":                    {anywhere, []run.Candidate{agent("b", 4), agent("a", 5)}, "", run.ReasonNoSlot, "every slot is taken on a (5 of 4), b (4 of 4)"},
		"away":                    {anywhere, []run.Candidate{agent("b", 0, away), agent("a", 0, away)}, "", run.ReasonNotLinked, "not linked: a, b"},
		"drained":                 {anywhere, []run.Candidate{agent("a", 0, drained), agent("b", 0, away)}, "", run.ReasonDraining, "drained: a"},
		"no disk":                 {anywhere, []run.Candidate{agent("a", 0, noDisk), agent("b", 0, drained)}, "", run.ReasonAgentDisk, "no room on the disk of a (1 MiB free)"},
		"full counts before all":  {anywhere, []run.Candidate{agent("a", 0, noDisk), agent("b", 4), agent("c", 0, away)}, "", run.ReasonNoSlot, "every slot is taken on b (4 of 4)"},
		"first of a list":         {first("b", "a"), []run.Candidate{agent("a", 0), agent("b", 3), agent("c", 0)}, "b", "", ""},
		"first that can":          {first("b", "a", "c"), []run.Candidate{agent("a", 1), agent("b", 4), agent("c", 0)}, "a", "", ""},
		"failed comes behind":     {first("a", "b"), []run.Candidate{agent("a", 0, failed), agent("b", 3)}, "b", "", ""},
		"and is better than none": {first("a", "b"), []run.Candidate{agent("a", 0, failed), agent("b", 4)}, "a", "", ""},
		"failed is about lists":   {jobnet.Agent{Skip: time.Hour}, []run.Candidate{agent("a", 0, failed), agent("b", 3)}, "a", "", ""},
		"none of a list":          {first("x", "y"), []run.Candidate{agent("a", 0)}, "", run.ReasonNoAgent, "no agent of the domain fits first of x, y"},
		"a list that is full":     {first("b", "a"), []run.Candidate{agent("a", 4), agent("b", 5), agent("c", 0)}, "", run.ReasonNoSlot, "every slot is taken on a (4 of 4), b (5 of 4)"},
		"the rest does not hurt":  {anywhere, []run.Candidate{agent("a", 0, noDisk), agent("b", 0, drained), agent("c", 3), agent("d", 0, away)}, "c", "", ""},
	} {
		at, reason, text := run.Place(c.want, c.agents, run.Moment{Now: noon})
		got := ""
		if at >= 0 {
			got = c.agents[at].Name
		}
		if got != c.chosen || reason != c.reason || text != c.text {
			t.Errorf("%s: got %q, %q, %q; want %q, %q, %q", name, got, reason, text, c.chosen, c.reason, c.text)
		}
	}
}

// slow chooses out of a list as one would by hand: it goes round from where the turn is, and once more for those that
// have failed.
func slow(want jobnet.Agent, agents []run.Candidate, at run.Moment) string {
	round := want.Names
	if i := slices.Index(round, at.Last); want.Select == jobnet.SelectNext && i >= 0 {
		round = slices.Concat(round[i+1:], round[:i+1])
	}
	for _, behind := range []bool{false, true} {
		for _, name := range round {
			for _, a := range agents {
				recently := !a.Failed.IsZero() && at.Now.Sub(a.Failed) < want.Skip
				if a.Name == name && a.Linked && !a.Drained && a.Disk == "" && a.Callback == "" && a.Running < a.Slots && recently == behind {
					return name
				}
			}
		}
	}
	return ""
}

func TestPlaceOutOfAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e"}
		want := jobnet.Agent{
			Names:  rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 5, rapid.ID).Draw(t, "names"),
			Select: rapid.SampledFrom([]jobnet.Select{jobnet.SelectFirst, jobnet.SelectNext}).Draw(t, "select"),
			Skip:   rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "skip"),
		}
		var agents []run.Candidate
		for _, name := range rapid.Permutation(names).Draw(t, "agents") {
			c := run.Candidate{ID: "id-" + name, Name: name, Slots: 2, Running: rapid.IntRange(0, 2).Draw(t, "running"), Linked: rapid.Bool().Draw(t, "linked"), Drained: rapid.IntRange(0, 4).Draw(t, "drained") == 0}
			if rapid.Bool().Draw(t, "failed") {
				c.Failed = noon.Add(-rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 2 * time.Hour}).Draw(t, "ago"))
			}
			agents = append(agents, c)
		}
		last := rapid.SampledFrom(append(names, "", "gone")).Draw(t, "last")
		for range 12 { // one job after the other, until nobody has room
			at := run.Moment{Now: noon, Last: last}
			i, reason, text := run.Place(want, agents, at)
			got := ""
			if i >= 0 {
				got = agents[i].Name
			}
			if expected := slow(want, agents, at); got != expected {
				t.Fatalf("got %q, want %q after %q, of %+v for %+v", got, expected, last, agents, want)
			}
			if i < 0 {
				if reason == "" || text == "" {
					t.Fatalf("nobody, and no reason: %q %q", reason, text)
				}
				return
			}
			agents[i].Running++
			last = got
		}
	})
}

// Where all can take jobs, those who take turns have the same number of them, and first always has the first.
func TestTurnsAreEven(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "agents")
		want := jobnet.Agent{Select: jobnet.SelectNext}
		var agents []run.Candidate
		for i := range n {
			want.Names = append(want.Names, fmt.Sprintf("n%d", i))
			agents = append(agents, run.Candidate{Name: fmt.Sprintf("n%d", i), Linked: true, Slots: 1000, Running: rapid.IntRange(0, 9).Draw(t, "running")})
		}
		had, last := map[string]int{}, ""
		for range rapid.IntRange(0, 40).Draw(t, "jobs") * n {
			i, _, _ := run.Place(want, agents, run.Moment{Now: noon, Last: last})
			last = agents[i].Name
			had[last]++
		}
		for _, a := range agents {
			if had[a.Name] != had["n0"] {
				t.Fatalf("%v", had)
			}
		}
		want.Select = jobnet.SelectFirst
		if i, _, _ := run.Place(want, agents, run.Moment{Now: noon, Last: last}); agents[i].Name != "n0" {
			t.Fatalf("first is %s", agents[i].Name)
		}
	})
}

func TestPassedOver(t *testing.T) {
	t.Parallel()
	want := jobnet.Agent{Names: []string{"b", "a", "c"}, Skip: 30 * time.Second}
	agents := []run.Candidate{
		{Name: "a", Failed: noon.Add(-29 * time.Second), Failure: "its link ended: cut"},
		{Name: "b"},
		{Name: "c", Failed: noon.Add(-30 * time.Second)},
		{Name: "d", Failed: noon},
	}
	if got := run.PassedOver(want, agents, noon); got != "a is passed over until "+noon.Add(time.Second).UTC().Format(time.RFC3339)+" (its link ended: cut)" {
		t.Errorf("got %q", got)
	}
	if got := run.PassedOver(jobnet.Agent{Name: "a", Skip: time.Hour}, agents, noon); got != "" {
		t.Errorf("without a list: %q", got)
	}
	if !strings.HasPrefix(run.Selector(want), "first of b, a, c") {
		t.Errorf("got %q", run.Selector(want))
	}
}
