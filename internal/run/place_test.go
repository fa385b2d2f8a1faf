package run_test

import (
	"testing"

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
	anywhere := jobnet.Agent{}
	for name, c := range map[string]struct {
		want   jobnet.Agent
		agents []run.Candidate
		chosen string
		reason run.Reason
		text   string
	}{
		"no agents":              {anywhere, nil, "", run.ReasonNoAgent, "the domain has no agent"},
		"fewest running":         {anywhere, []run.Candidate{agent("b", 1), agent("a", 2)}, "b", "", ""},
		"then by name":           {anywhere, []run.Candidate{agent("b", 1), agent("a", 1)}, "a", "", ""},
		"by name only":           {jobnet.Agent{Name: "b"}, []run.Candidate{agent("a", 0), agent("b", 3)}, "b", "", ""},
		"unknown name":           {jobnet.Agent{Name: "x"}, []run.Candidate{agent("a", 0)}, "", run.ReasonNoAgent, "no agent of the domain fits name x"},
		"all labels":             {jobnet.Agent{Labels: map[string]string{"site": "b", "os": "linux"}}, []run.Candidate{agent("a", 0), agent("b", 3)}, "b", "", ""},
		"one label differs":      {jobnet.Agent{Labels: map[string]string{"site": "b", "os": "plan9"}}, []run.Candidate{agent("b", 0)}, "", run.ReasonNoAgent, "no agent of the domain fits labels os=plan9, site=b"},
		"full":                   {anywhere, []run.Candidate{agent("b", 4), agent("a", 5)}, "", run.ReasonNoSlot, "every slot is taken on a (5 of 4), b (4 of 4)"},
		"away":                   {anywhere, []run.Candidate{agent("b", 0, away), agent("a", 0, away)}, "", run.ReasonNotLinked, "not linked: a, b"},
		"drained":                {anywhere, []run.Candidate{agent("a", 0, drained), agent("b", 0, away)}, "", run.ReasonDraining, "drained: a"},
		"no disk":                {anywhere, []run.Candidate{agent("a", 0, noDisk), agent("b", 0, drained)}, "", run.ReasonAgentDisk, "no room on the disk of a (1 MiB free)"},
		"full counts before all": {anywhere, []run.Candidate{agent("a", 0, noDisk), agent("b", 4), agent("c", 0, away)}, "", run.ReasonNoSlot, "every slot is taken on b (4 of 4)"},
		"the rest does not hurt": {anywhere, []run.Candidate{agent("a", 0, noDisk), agent("b", 0, drained), agent("c", 3), agent("d", 0, away)}, "c", "", ""},
	} {
		at, reason, text := run.Place(c.want, c.agents)
		got := ""
		if at >= 0 {
			got = c.agents[at].Name
		}
		if got != c.chosen || reason != c.reason || text != c.text {
			t.Errorf("%s: got %q, %q, %q; want %q, %q, %q", name, got, reason, text, c.chosen, c.reason, c.text)
		}
	}
}
