package jobnet

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong with a net. Path leads to it as `jobs[2].after[0]` or `params.top`; it may lead to
// a field that is missing. Key says that the name of the entry is meant, not its value.
type Problem struct {
	Path    string
	Key     bool
	Message string
}

// Check returns everything that is wrong with n, nil if it can be run. It expects defaults to be filled in.
func Check(n *Net) []Problem {
	c := &checker{net: n, jobs: make(map[string]int, len(n.Jobs))}
	c.head()
	c.schedules()
	if len(n.Jobs) > MaxJobs {
		c.add("jobs", "a net has at most %d jobs, this one has %d", MaxJobs, len(n.Jobs))
		return c.problems
	}
	for i := range n.Jobs {
		if _, twice := c.jobs[n.Jobs[i].Name]; !twice {
			c.jobs[n.Jobs[i].Name] = i
		}
	}
	c.before = links(n)
	for i := range n.Jobs {
		c.job(i)
	}
	c.order()
	c.references()
	return c.problems
}

type checker struct {
	net      *Net
	jobs     map[string]int // the first job of each name
	before   [][]int
	above    []bitset // each job's ancestors; made when the first reference to an output asks for them
	problems []Problem
}

func (c *checker) add(path, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) addKey(path, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{Path: path, Key: true, Message: fmt.Sprintf(format, args...)})
	}
}

// suggest is Suggest, as long as there are few problems: comparing every wrong name with every job of a large
// net would take minutes.
func (c *checker) suggest(name string, known iter.Seq[string]) string {
	const few = 100
	if len(c.problems) >= few {
		return ""
	}
	return Suggest(name, known)
}

// ancestor reports whether job a comes before job i. Of jobs on a cycle it says yes: that is reported already.
func (c *checker) ancestor(a, i int) bool {
	if c.above == nil {
		c.above = make([]bitset, len(c.before))
		order, _ := topological(c.before)
		for _, j := range order {
			c.above[j] = newBitset(len(c.before))
			for _, p := range c.before[j] {
				c.above[j].add(p)
				c.above[j].union(c.above[p])
			}
		}
	}
	return c.above[i] == nil || c.above[i].has(a)
}

// head checks what stands above the jobs.
func (c *checker) head() {
	n := c.net
	if problem := netNameProblem(n.Name); problem != "" {
		c.add("net", "%s", problem)
	}
	if len(n.Description) > MaxDescription || !utf8.ValidString(n.Description) || strings.Contains(n.Description, "\x00") {
		c.add("description", "a description is text of at most %d bytes", MaxDescription)
	}
	if len(n.Params) > MaxEntries {
		c.add("params", "a net has at most %d params, this one has %d", MaxEntries, len(n.Params))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Params)) {
		path := "params." + name
		if !isParamName(name) {
			c.addKey(path, "%q is not a name for a parameter: small letters, digits and '_', beginning with a letter, at most %d", clip(name), MaxName)
		}
		if problem := textProblem(n.Params[name], MaxValue); problem != "" {
			c.add(path, "the value of %s %s", clip(name), problem)
		}
	}
	c.env("env", n.Env)
	c.labels("labels", n.Labels)
	if len(n.Jobs) == 0 {
		c.add("jobs", "a net needs at least one job")
	}
}

// env checks the variables of a net or a job.
func (c *checker) env(path string, env map[string]string) {
	if len(env) > MaxEntries {
		c.add(path, "at most %d variables, here are %d", MaxEntries, len(env))
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		at := path + "." + name
		if problem := envNameProblem(name); problem != "" {
			c.addKey(at, "%s", problem)
		} else if _, twice := c.net.Params[name]; twice {
			c.addKey(at, "%q is a parameter too, and would be hidden by it: every parameter is put into the environment; rename one of them", name)
		}
		if problem := textProblem(env[name], MaxValue); problem != "" {
			c.add(at, "the value of %s %s", clip(name), problem)
		}
	}
}

// envNameProblem refuses what is no name, what Reeve sets itself, and what makes a program load or run other
// code than it says.
func envNameProblem(name string) string {
	switch {
	case !isEnvName(name):
		return fmt.Sprintf("%q is not a name for a variable: letters, digits and '_', not beginning with a digit, at most %d", clip(name), MaxName)
	case strings.HasPrefix(name, "REEVE_"):
		return fmt.Sprintf("%s may not be set: names that begin with REEVE_ are Reeve's own", name)
	case name == "PATH":
		return "PATH may not be set: it decides which program a name means; write the program's full path instead"
	case strings.HasPrefix(name, "LD_"):
		return fmt.Sprintf("%s may not be set: the dynamic linker would load other code into every program of the job", name)
	case name == "BASH_ENV" || name == "ENV":
		return fmt.Sprintf("%s may not be set: a shell would run the file that it names before the script", name)
	case name == "IFS":
		return "IFS may not be set: it changes how a shell cuts text into words"
	}
	return ""
}

// labels checks the labels of a net, or those that an agent must have.
func (c *checker) labels(path string, labels map[string]string) {
	if len(labels) > MaxEntries {
		c.add(path, "at most %d labels, here are %d", MaxEntries, len(labels))
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if !isLabelName(name) {
			c.addKey(path+"."+name, "%q is not a name for a label: letters, digits, '.', '_', '/' and '-', beginning with a letter or a digit, at most %d",
				clip(name), MaxName)
		}
		value := labels[name]
		if value == "" || len(value) > maxSegment || !utf8.ValidString(value) || strings.ContainsFunc(value, isControl) {
			c.add(path+"."+name, "the value of a label is text of 1 to %d bytes without control characters", maxSegment)
		}
	}
}

// order checks what follows from the jobs' order: cycles, and waits that can never be met.
func (c *checker) order() {
	for _, cycle := range cycles(c.before) {
		names := make([]string, 0, len(cycle)+1)
		for _, i := range cycle {
			names = append(names, c.net.Jobs[i].Name)
		}
		const most = 12
		if len(names) > most {
			names = append(names[:most-1], "…", names[len(names)-1])
		}
		first := c.net.Jobs[cycle[0]]
		next := slices.Index(first.After, c.net.Jobs[cycle[1]].Name)
		c.add(fmt.Sprintf("jobs[%d].after[%d]", cycle[0], next), "a cycle: each of these jobs comes after the next, so none could ever start: %s",
			strings.Join(append(names, first.Name), " after "))
	}
}

// references checks every reference of the net.
func (c *checker) references() {
	for _, name := range slices.Sorted(maps.Keys(c.net.Env)) {
		for _, p := range c.pieces("env."+name, c.net.Env[name]) {
			if p.kind == output {
				c.add("env."+name, "column %d: %s: the net's env is for all jobs, and the first ones have no predecessors; put it into the env of the job that needs it",
					p.at, p)
			}
		}
	}
	must := needs(c.net, c.before)
	for i := range c.net.Jobs {
		job := &c.net.Jobs[i]
		check := func(path, text string) {
			for _, p := range c.pieces(path, text) {
				if p.kind != output {
					continue
				}
				c.output(path, p, i)
				if a, ok := c.jobs[p.job]; ok && must.fail[i].has(a) {
					c.add(path, "column %d: %s never has a value: %s starts only when %s has failed, and outputs are those of an attempt that ended well",
						p.at, p, job.Name, p.job)
				}
			}
		}
		for k, text := range job.Command {
			check(fmt.Sprintf("jobs[%d].command[%d]", i, k), text)
		}
		for _, name := range slices.Sorted(maps.Keys(job.Env)) {
			check(fmt.Sprintf("jobs[%d].env.%s", i, name), job.Env[name])
		}
	}
	for _, i := range must.never {
		c.add(fmt.Sprintf("jobs[%d].when", i), "%s could never start: %s", c.net.Jobs[i].Name, must.why[i])
	}
}

// pieces cuts text and checks all that does not depend on the job.
func (c *checker) pieces(path, text string) []piece {
	if !strings.Contains(text, "${") {
		return nil
	}
	pieces, bad := split(text)
	for _, b := range bad {
		c.add(path, "column %d: %s", b.at, b.message)
	}
	for _, p := range pieces {
		if p.kind != param {
			continue
		}
		if _, ok := c.net.Params[p.name]; !ok {
			c.add(path, "column %d: %s: the net has no parameter %s%s", p.at, p, p.name, c.suggest(p.name, maps.Keys(c.net.Params)))
		}
	}
	return pieces
}

// output checks one reference to an output in job i.
func (c *checker) output(path string, p piece, i int) {
	switch a, exists := c.jobs[p.job]; {
	case !exists:
		c.add(path, "column %d: %s: there is no job %s%s", p.at, p, p.job, c.suggest(p.job, maps.Keys(c.jobs)))
	case p.job == c.net.Jobs[i].Name:
		c.add(path, "column %d: %s: a job cannot use its own outputs", p.at, p)
	case !c.ancestor(a, i):
		c.add(path, "column %d: %s: %s does not come after %s, so the output may not be there yet; add %s to its after",
			p.at, p, c.net.Jobs[i].Name, p.job, p.job)
	}
}
