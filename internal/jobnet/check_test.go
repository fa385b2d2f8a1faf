package jobnet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// net returns a good net of jobs that each run /bin/true.
func net(jobs ...Job) *Net {
	n := &Net{Name: "test/net", Params: map[string]string{"top": "20"}}
	for _, j := range jobs {
		full := Defaults()
		full.Name, full.After, full.Command = j.Name, j.After, []string{"/bin/true"}
		if j.When != "" {
			full.When = j.When
		}
		n.Jobs = append(n.Jobs, full)
	}
	return n
}

func paths(problems []Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Path)
	}
	return out
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	n := net(Job{Name: "a"}, Job{Name: "b", After: []string{"a"}}, Job{Name: "c", After: []string{"a", "b"}, When: WhenAlways})
	n.Env = map[string]string{"TZ": "UTC", "LANG": "C", "WHEN": "${run.nominal} $${x} ${params.top}"}
	n.Labels = map[string]string{"team": "data"}
	n.Jobs[1].Command = []string{"echo", "${jobs.a.outputs.x}", "${params.top}", "$HOME", "100$", "$${params.nothing}"}
	n.Jobs[1].Stdout = "log/out.txt"
	n.Jobs[1].Artifacts = []string{"log/out.txt", "log/err.txt"}
	n.Jobs[2].Command, n.Jobs[2].Script = nil, "#!/bin/sh\necho ${whatever}\n"
	n.Jobs[2].Agent = Agent{Labels: map[string]string{"host.os": "linux"}}
	n.Jobs[2].OK, n.Jobs[2].Warn = nil, []int{0}
	n.Jobs[2].Retry = Retry{Max: 2, Delay: time.Second, Codes: []int{75}}
	n.Jobs[2].Rerunnable, n.Jobs[2].OnUnknown = true, UnknownRerun
	if got := Check(n); got != nil {
		t.Errorf("got %v, want no problem", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	for name, c := range map[string]struct {
		spoil func(n *Net)
		path  string
		say   string
	}{
		"no name":            {func(n *Net) { n.Name = "" }, "net", "needs a name"},
		"name with space":    {func(n *Net) { n.Name = "a/b c" }, "net", "folder/name"},
		"name upwards":       {func(n *Net) { n.Name = "a/../b" }, "net", "folder/name"},
		"name absolute":      {func(n *Net) { n.Name = "/a" }, "net", "folder/name"},
		"name capital":       {func(n *Net) { n.Name = "Census/x" }, "net", "folder/name"},
		"name long":          {func(n *Net) { n.Name = strings.Repeat("a/", 101) + "b" }, "net", "at most 200"},
		"no jobs":            {func(n *Net) { n.Jobs = nil }, "jobs", "at least one"},
		"param name":         {func(n *Net) { n.Params["Top"] = "" }, "params.Top", "not a name for a parameter"},
		"param NUL":          {func(n *Net) { n.Params["top"] = "a\x00" }, "params.top", "NUL"},
		"param long":         {func(n *Net) { n.Params["top"] = strings.Repeat("x", MaxValue+1) }, "params.top", "at most"},
		"job name":           {func(n *Net) { n.Jobs[0].Name = "A_b" }, "jobs[0].name", "not a name for a job"},
		"job name long":      {func(n *Net) { n.Jobs[0].Name = long }, "jobs[0].name", "at most 63"},
		"job without name":   {func(n *Net) { n.Jobs[1].Name = "" }, "jobs[1].name", "needs a name"},
		"job twice":          {func(n *Net) { n.Jobs[1].Name = "a" }, "jobs[1].name", "two jobs"},
		"after itself":       {func(n *Net) { n.Jobs[1].After = []string{"b"} }, "jobs[1].after[0]", "after itself"},
		"after unknown":      {func(n *Net) { n.Jobs[1].After = []string{"aa"} }, "jobs[1].after[0]", "did you mean a?"},
		"after twice":        {func(n *Net) { n.Jobs[1].After = []string{"a", "a"} }, "jobs[1].after[1]", "twice"},
		"when alone":         {func(n *Net) { n.Jobs[0].When = WhenAlways }, "jobs[0].when", "none"},
		"when other":         {func(n *Net) { n.Jobs[1].When = "later" }, "jobs[1].when", "not a condition"},
		"no work":            {func(n *Net) { n.Jobs[0].Command = nil }, "jobs[0].command", "needs a command or a script"},
		"two works":          {func(n *Net) { n.Jobs[0].Script = "#!/bin/sh\n" }, "jobs[0].script", "not both"},
		"script start":       {func(n *Net) { n.Jobs[0].Command, n.Jobs[0].Script = nil, "echo" }, "jobs[0].script", "begins with #!"},
		"script interpreter": {func(n *Net) { n.Jobs[0].Command, n.Jobs[0].Script = nil, "#!sh\n" }, "jobs[0].script", "full path"},
		"script NUL":         {func(n *Net) { n.Jobs[0].Command, n.Jobs[0].Script = nil, "#!/bin/sh\n\x00" }, "jobs[0].script", "NUL"},
		"empty program":      {func(n *Net) { n.Jobs[0].Command[0] = "" }, "jobs[0].command[0]", "empty"},
		"argument NUL":       {func(n *Net) { n.Jobs[0].Command[0] = "a\x00b" }, "jobs[0].command[0]", "NUL"},
		"agent twice": {
			func(n *Net) { n.Jobs[0].Agent = Agent{Name: "x", Labels: map[string]string{"a": "b"}} },
			"jobs[0].agent", "not by both",
		},
		"agent label empty": {func(n *Net) { n.Jobs[0].Agent.Labels = map[string]string{"a": ""} }, "jobs[0].agent.labels.a", "1 to 255"},
		"label name":        {func(n *Net) { n.Labels = map[string]string{" ": "b"} }, "labels. ", "not a name for a label"},
		"ok out of range":   {func(n *Net) { n.Jobs[0].OK = []int{256} }, "jobs[0].ok[0]", "0 to 255"},
		"ok twice":          {func(n *Net) { n.Jobs[0].OK = []int{1, 1} }, "jobs[0].ok[1]", "twice"},
		"ok and warn":       {func(n *Net) { n.Jobs[0].Warn = []int{3, 0} }, "jobs[0].warn[1]", "both ok and warn"},
		"nothing is good":   {func(n *Net) { n.Jobs[0].OK = nil }, "jobs[0].ok", "never end well"},
		"retry of success": {
			func(n *Net) { n.Jobs[0].Retry = Retry{Max: 1, Codes: []int{0}} },
			"jobs[0].retry.codes[0]", "no failure",
		},
		"retry without max":  {func(n *Net) { n.Jobs[0].Retry.Delay = 1 }, "jobs[0].retry.max", "needs a max"},
		"retry negative":     {func(n *Net) { n.Jobs[0].Retry.Max = -1 }, "jobs[0].retry.max", "0 to 1000"},
		"timeout negative":   {func(n *Net) { n.Jobs[0].Timeout = -1 }, "jobs[0].timeout", "0s to"},
		"output limit":       {func(n *Net) { n.Jobs[0].Limits.Output = 0 }, "jobs[0].limits.output", "1 byte"},
		"artifact absolute":  {func(n *Net) { n.Jobs[0].Artifacts = []string{"/etc/passwd"} }, "jobs[0].artifacts[0]", "absolute"},
		"artifact upwards":   {func(n *Net) { n.Jobs[0].Artifacts = []string{"a/../../b"} }, "jobs[0].artifacts[0]", "leaves"},
		"artifact form":      {func(n *Net) { n.Jobs[0].Artifacts = []string{"a//b"} }, "jobs[0].artifacts[0]", "shortest form"},
		"artifact backslash": {func(n *Net) { n.Jobs[0].Artifacts = []string{`a\b`} }, "jobs[0].artifacts[0]", "separated by '/'"},
		"artifact NUL":       {func(n *Net) { n.Jobs[0].Artifacts = []string{"a\x00"} }, "jobs[0].artifacts[0]", "control character"},
		"artifact twice":     {func(n *Net) { n.Jobs[0].Artifacts = []string{"a", "a"} }, "jobs[0].artifacts[1]", "twice"},
		"artifact in a file": {func(n *Net) { n.Jobs[0].Artifacts = []string{"a/b", "a"} }, "jobs[0].artifacts[0]", "a file as well"},
		"stdout in a file": {
			func(n *Net) { n.Jobs[0].Stdout, n.Jobs[0].Artifacts = "a/b", []string{"a"} },
			"jobs[0].stdout", "a file as well",
		},
		"stdout upwards":    {func(n *Net) { n.Jobs[0].Stdout = "../x" }, "jobs[0].stdout", "leaves"},
		"env PATH":          {func(n *Net) { n.Env = map[string]string{"PATH": "/x"} }, "env.PATH", "full path"},
		"env LD_PRELOAD":    {func(n *Net) { n.Jobs[0].Env = map[string]string{"LD_PRELOAD": "/x"} }, "jobs[0].env.LD_PRELOAD", "linker"},
		"env BASH_ENV":      {func(n *Net) { n.Env = map[string]string{"BASH_ENV": "/x"} }, "env.BASH_ENV", "before the script"},
		"env ENV":           {func(n *Net) { n.Env = map[string]string{"ENV": "/x"} }, "env.ENV", "before the script"},
		"env IFS":           {func(n *Net) { n.Env = map[string]string{"IFS": ":"} }, "env.IFS", "words"},
		"env REEVE_":        {func(n *Net) { n.Env = map[string]string{"REEVE_RUN": "1"} }, "env.REEVE_RUN", "Reeve's own"},
		"env name":          {func(n *Net) { n.Env = map[string]string{"A-B": "1"} }, "env.A-B", "not a name for a variable"},
		"env is a param":    {func(n *Net) { n.Jobs[0].Env = map[string]string{"top": "1"} }, "jobs[0].env.top", "parameter too"},
		"run_as":            {func(n *Net) { n.Jobs[0].RunAs = "-x" }, "jobs[0].run_as", "name of a user"},
		"isolation":         {func(n *Net) { n.Jobs[0].Isolation = "none" }, "jobs[0].isolation", "shared and own"},
		"on_lost":           {func(n *Net) { n.Jobs[0].OnLost = "x" }, "jobs[0].on_lost", "keep and stop"},
		"on_unknown":        {func(n *Net) { n.Jobs[0].OnUnknown = "x" }, "jobs[0].on_unknown", "hold, fail and rerun"},
		"on_leftover":       {func(n *Net) { n.Jobs[0].OnLeftover = "x" }, "jobs[0].on_leftover", "kill, wait and detach"},
		"rerun":             {func(n *Net) { n.Jobs[0].OnUnknown = UnknownRerun }, "jobs[0].on_unknown", "rerunnable: true"},
		"reference open":    {func(n *Net) { n.Jobs[0].Command = []string{"x", "é ${params.top"} }, "jobs[0].command[1]", "column 3: "},
		"reference unknown": {func(n *Net) { n.Jobs[0].Command = []string{"${HOME}"} }, "jobs[0].command[0]", `"${HOME}" is not a reference`},
		"reference param":   {func(n *Net) { n.Env = map[string]string{"X": "${params.tpo}"} }, "env.X", "did you mean top?"},
		"reference job":     {func(n *Net) { n.Jobs[1].Command = []string{"${jobs.aa.outputs.x}"} }, "jobs[1].command[0]", "there is no job aa"},
		"reference itself":  {func(n *Net) { n.Jobs[1].Command = []string{"${jobs.b.outputs.x}"} }, "jobs[1].command[0]", "its own"},
		"reference later":   {func(n *Net) { n.Jobs[0].Command = []string{"${jobs.b.outputs.x}"} }, "jobs[0].command[0]", "does not come after"},
		"reference in net env": {
			func(n *Net) { n.Env = map[string]string{"X": "${jobs.a.outputs.x}"} },
			"env.X", "for all jobs",
		},
		"reference to what failed": {func(n *Net) {
			n.Jobs[1].When, n.Jobs[1].Command = WhenFailure, []string{"${jobs.a.outputs.x}"}
		}, "jobs[1].command[0]", "never has a value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := net(Job{Name: "a"}, Job{Name: "b", After: []string{"a"}})
			if name == "job without name" || name == "job twice" || name == "after itself" {
				n.Jobs[1].After = nil
			}
			if strings.HasPrefix(name, "job name") || name == "no jobs" {
				n.Jobs = n.Jobs[:1]
			}
			c.spoil(n)
			got := Check(n)
			if len(got) != 1 || got[0].Path != c.path || !strings.Contains(got[0].Message, c.say) {
				t.Errorf("got %+v, want one problem at %s with %q", got, c.path, c.say)
			}
		})
	}
}

func TestCheckTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	n := net(Job{Name: "A"}, Job{Name: "b", After: []string{"x", "y"}, When: "z"})
	n.Name, n.Jobs[0].Timeout, n.Env = "", -1, map[string]string{"PATH": "a"}
	want := []string{"net", "env.PATH", "jobs[0].name", "jobs[0].timeout", "jobs[1].after[0]", "jobs[1].after[1]", "jobs[1].when"}
	if diff := cmp.Diff(want, paths(Check(n))); diff != "" {
		t.Error(diff)
	}
}

func TestCheckCycles(t *testing.T) {
	t.Parallel()
	after := func(s ...string) []string { return s }
	for name, c := range map[string]struct {
		net  *Net
		want []string
	}{
		"two":  {net(Job{Name: "a", After: after("b")}, Job{Name: "b", After: after("a")}), after("a after b after a")},
		"tail": {net(Job{Name: "a"}, Job{Name: "b", After: after("a", "d")}, Job{Name: "c", After: after("b")}, Job{Name: "d", After: after("c")}, Job{Name: "e", After: after("d")}), after("b after d after c after b")},
		"two knots": {
			net(Job{Name: "a", After: after("b")}, Job{Name: "b", After: after("a")}, Job{Name: "c", After: after("d", "a")}, Job{Name: "d", After: after("c")}),
			after("a after b after a", "c after d after c"),
		},
	} {
		var got []string
		for _, p := range Check(c.net) {
			if _, cycle, ok := strings.Cut(p.Message, "start: "); ok {
				got = append(got, cycle)
			} else {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCheckLimits(t *testing.T) {
	t.Parallel()
	n := net()
	for i := range MaxJobs + 1 {
		j := Defaults()
		j.Name, j.Command = fmt.Sprintf("j%d", i), []string{"x"}
		n.Jobs = append(n.Jobs, j)
	}
	if got := Check(n); len(got) != 1 || got[0].Path != "jobs" {
		t.Errorf("%d jobs: got %v, want one problem", len(n.Jobs), got)
	}
	n.Jobs = n.Jobs[:MaxJobs]
	if got := Check(n); got != nil {
		t.Errorf("%d jobs: got %v, want none", len(n.Jobs), got)
	}
	for i := range n.Jobs {
		n.Jobs[i].After = []string{"nowhere-to-be-found"}
	}
	if got := Check(n); len(got) != maxProblems {
		t.Errorf("got %d problems, want them to end at %d", len(got), maxProblems)
	}
}
