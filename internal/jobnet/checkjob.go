package jobnet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// job checks one job by itself, and the names that it refers to.
func (c *checker) job(i int) {
	job := &c.net.Jobs[i]
	path := fmt.Sprintf("jobs[%d]", i)
	switch {
	case job.Name == "":
		c.add(path+".name", "a job needs a name")
	case !isJobName(job.Name):
		c.add(path+".name", "%q is not a name for a job: small letters, digits and '-', beginning with a letter, at most %d", clip(job.Name), MaxName)
	case c.jobs[job.Name] != i:
		c.add(path+".name", "there are two jobs named %q: the other one is jobs[%d]", job.Name, c.jobs[job.Name])
	}
	c.after(path, job)
	c.work(path, job)
	c.agent(path+".agent", job.Agent)
	c.codes(path, job)
	c.times(path, job)
	c.files(path, job)
	c.env(path+".env", job.Env)
	c.ports(path, job)
	c.needs(path, job)
	c.policies(path, job)
}

// ports checks what a job asks the port plan for. Whether the pool is there, only the plan knows.
func (c *checker) ports(path string, job *Job) {
	if len(job.Ports) > MaxPorts {
		c.add(path+".ports", "a job has at most %d ports, this one has %d", MaxPorts, len(job.Ports))
		return
	}
	seen := map[string]bool{}
	for k, p := range job.Ports {
		at := fmt.Sprintf("%s.ports[%d]", path, k)
		for _, f := range [2][2]string{{"name", p.Name}, {"pair", p.Pair}} {
			field, name := f[0], f[1]
			switch {
			case field == "pair" && name == "":
			case name == "":
				c.add(at+".name", "a port needs a name")
			case !isJobName(name):
				c.add(at+"."+field, "%q is not a name for a port: small letters, digits and '-', beginning with a letter, at most %d", clip(name), MaxName)
			case seen[name]:
				c.add(at+"."+field, "there are two ports named %q", name)
			}
			if name != "" {
				seen[name] = true
			}
		}
		switch {
		case p.Pool == "":
			c.add(at+".pool", "a port needs the pool that it comes from")
		case !isPoolID(p.Pool):
			c.add(at+".pool", "%q is not the id of a pool: small letters, digits and '-', at most %d", clip(p.Pool), MaxName)
		}
	}
}

// after checks the names of the predecessors, and the condition on them.
func (c *checker) after(path string, job *Job) {
	seen := make(map[string]bool, len(job.After))
	for k, name := range job.After {
		at := fmt.Sprintf("%s.after[%d]", path, k)
		switch _, exists := c.jobs[name]; {
		case name == job.Name:
			c.add(at, "%s comes after itself, so it could never start", name)
		case !exists:
			c.add(at, "there is no job %q%s", clip(name), c.suggest(name, maps.Keys(c.jobs)))
		case seen[name]:
			c.add(at, "%s stands twice in this list", name)
		}
		seen[name] = true
	}
	switch job.When {
	case WhenSuccess:
	case WhenFailure, WhenAlways:
		if len(job.After) == 0 {
			c.add(path+".when", "when: %s is about predecessors, and this job has none: give it an after", job.When)
		}
	default:
		c.add(path+".when", "%q is not a condition: success, failure or always", clip(string(job.When)))
	}
}

// work checks what the job executes.
func (c *checker) work(path string, job *Job) {
	switch {
	case len(job.Command) > 0 && job.Script != "":
		c.add(path+".script", "a job has a command or a script, not both")
	case len(job.Command) == 0 && job.Script == "":
		c.add(path+".command", "a job needs a command or a script")
	}
	if len(job.Command) > MaxArguments {
		c.add(path+".command", "a command has at most %d arguments, this one has %d", MaxArguments, len(job.Command))
	}
	for k, text := range job.Command {
		at := fmt.Sprintf("%s.command[%d]", path, k)
		if k == 0 && text == "" {
			c.add(at, "the program to execute is empty")
		}
		if problem := textProblem(text, MaxValue); problem != "" {
			c.add(at, "the argument %s", problem)
		}
	}
	if job.Script == "" {
		return
	}
	if problem := textProblem(job.Script, MaxScript); problem != "" {
		c.add(path+".script", "the script %s", problem)
	}
	first, _, _ := strings.Cut(job.Script, "\n")
	switch interpreter, ok := strings.CutPrefix(first, "#!"); {
	case !ok:
		c.add(path+".script", "a script begins with #! and the interpreter, as #!/bin/sh")
	case !strings.HasPrefix(strings.TrimSpace(interpreter), "/"):
		c.add(path+".script", "the first line of a script names its interpreter by its full path, as #!/bin/sh")
	}
}

func (c *checker) agent(path string, agent Agent) {
	if agent.Name != "" && len(agent.Labels) > 0 {
		c.add(path, "an agent is chosen by name or by labels, not by both")
	}
	c.oneOf(path, agent)
	if agent.Name != "" && !isAgentName(agent.Name) {
		c.add(path+".name", "%q is not a name of an agent", clip(agent.Name))
	}
	c.labels(path+".labels", agent.Labels)
}

// oneOf checks the list of agents of which one runs the job, and what is said of the list.
func (c *checker) oneOf(path string, agent Agent) {
	switch {
	case len(agent.Names) > 0 && (agent.Name != "" || len(agent.Labels) > 0):
		c.add(path+".names", "an agent is chosen by name, by labels or out of names, not by two of them")
	case len(agent.Names) > MaxAgents:
		c.add(path+".names", "at most %d names, here are %d", MaxAgents, len(agent.Names))
		return
	case len(agent.Names) == 0 && agent.Select == SelectNext:
		c.add(path+".select", "select: next is about a list of agents: write names: [a, b]")
	case len(agent.Names) == 0 && agent.Skip != DefaultSkip && agent.Skip != 0:
		c.add(path+".skip", "skip is about a list of agents: write names: [a, b]")
	}
	seen := map[string]bool{}
	for k, name := range agent.Names {
		at := fmt.Sprintf("%s.names[%d]", path, k)
		switch {
		case !isAgentName(name):
			c.add(at, "%q is not a name of an agent", clip(name))
		case seen[name]:
			c.add(at, "%s stands twice in this list", name)
		}
		seen[name] = true
	}
	if agent.Select != "" && agent.Select != SelectFirst && agent.Select != SelectNext {
		c.add(path+".select", "%q is not one of first and next", clip(string(agent.Select)))
	}
	if agent.Skip < 0 || agent.Skip > maxSkip {
		c.add(path+".skip", "a duration here goes from 0s to %dh", maxSkip/time.Hour)
	}
}

// codes checks the lists of exit codes and the retry.
func (c *checker) codes(path string, job *Job) {
	if len(job.OK) == 0 && len(job.Warn) == 0 {
		c.add(path+".ok", "with no code in ok or warn the job could never end well")
	}
	meaning := map[int]string{}
	list := func(name string, codes []int) {
		if len(codes) > MaxEntries {
			c.add(path+"."+name, "at most %d codes", MaxEntries)
			return
		}
		for k, code := range codes {
			at := fmt.Sprintf("%s.%s[%d]", path, name, k)
			switch other, twice := meaning[code]; {
			case code < 0 || code > 255:
				c.add(at, "%d is not an exit code: they go from 0 to 255", code)
			case twice && other == name:
				c.add(at, "%d stands twice in this list", code)
			case twice && name == "retry.codes":
				c.add(at, "%d is in %s, so it is no failure to try again after", code, other)
			case twice:
				c.add(at, "%d cannot be in both ok and warn", code)
			}
			meaning[code] = name
		}
	}
	list("ok", job.OK)
	list("warn", job.Warn)
	list("retry.codes", job.Retry.Codes)
	switch {
	case job.Retry.Max < 0 || job.Retry.Max > MaxRetries:
		c.add(path+".retry.max", "the number of retries goes from 0 to %d", MaxRetries)
	case job.Retry.Max == 0 && (job.Retry.Delay != 0 || len(job.Retry.Codes) > 0):
		c.add(path+".retry.max", "retry needs a max: with 0, its default, the job is never tried again")
	}
}

// times checks durations and amounts.
func (c *checker) times(path string, job *Job) {
	const most = maxDays * 24 * time.Hour
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"timeout", job.Timeout}, {"estimate", job.Estimate}, {"grace", job.Grace}, {"retry.delay", job.Retry.Delay}} {
		if d.value < 0 || d.value > most {
			c.add(path+"."+d.field, "a duration here goes from 0s to %dh", most/time.Hour)
		}
	}
	if job.Timeout > 0 && job.Estimate > job.Timeout {
		c.add(path+".estimate", "by its estimate %s takes %s, and its timeout ends it after %s", job.Name, short(job.Estimate), short(job.Timeout))
	}
	if job.Limits.Output < 1 || job.Limits.Output > MaxOutput {
		c.add(path+".limits.output", "the output that is kept goes from 1 byte to 1TiB")
	}
}

// short writes a duration without the zeros at its end: 5m and not 5m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// files checks the names of artifacts. The file of stdout is an artifact, and may stand in their list as well.
func (c *checker) files(path string, job *Job) {
	if len(job.Artifacts) > MaxEntries {
		c.add(path+".artifacts", "at most %d artifacts, here are %d", MaxEntries, len(job.Artifacts))
		return
	}
	good := make(map[string]bool)
	for k, name := range job.Artifacts {
		at := fmt.Sprintf("%s.artifacts[%d]", path, k)
		if problem := fileProblem(name); problem != "" {
			c.add(at, "%s", problem)
			continue
		}
		if good[name] {
			c.add(at, "%q stands twice in this list", clip(name))
		}
		good[name] = true
	}
	inside := func(at, name string) {
		for end := strings.LastIndexByte(name, '/'); end > 0; end = strings.LastIndexByte(name[:end], '/') {
			if good[name[:end]] {
				c.add(at, "%q cannot be a file in %q, which is a file as well", clip(name), clip(name[:end]))
			}
		}
	}
	if job.Stdout != "" {
		if problem := fileProblem(job.Stdout); problem != "" {
			c.add(path+".stdout", "%s", problem)
		} else {
			good[job.Stdout] = true
			inside(path+".stdout", job.Stdout)
		}
	}
	for k, name := range job.Artifacts {
		inside(fmt.Sprintf("%s.artifacts[%d]", path, k), name)
	}
}

// policies checks the closed sets, and what they need.
func (c *checker) policies(path string, job *Job) {
	if job.RunAs != "" && !isUserName(job.RunAs) {
		c.add(path+".run_as", "%q is not the name of a user", clip(job.RunAs))
	}
	check := func(field string, ok bool, value, choices string) {
		if !ok {
			c.add(path+"."+field, "%q is not one of %s", clip(value), choices)
		}
	}
	check("isolation", slices.Contains([]Isolation{IsolationShared, IsolationOwn}, job.Isolation), string(job.Isolation), "shared and own")
	check("on_lost", slices.Contains([]OnLost{LostKeep, LostStop}, job.OnLost), string(job.OnLost), "keep and stop")
	check("on_unknown", slices.Contains([]OnUnknown{UnknownHold, UnknownFail, UnknownRerun}, job.OnUnknown), string(job.OnUnknown), "hold, fail and rerun")
	check("on_leftover", slices.Contains([]OnLeftover{LeftoverKill, LeftoverWait, LeftoverDetach}, job.OnLeftover), string(job.OnLeftover),
		"kill, wait and detach")
	if job.OnUnknown == UnknownRerun && !job.Rerunnable {
		c.add(path+".on_unknown", "on_unknown: rerun may execute the job twice: say rerunnable: true if that does no harm")
	}
}
