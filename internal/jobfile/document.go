package jobfile

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// The types below are the written form. Parse, Format and Schema all walk them, so a field stands here and
// nowhere else. The tags:
//
//	field    its name; the fields are written in this order
//	doc      its sentence in the schema
//	default  what stands in the schema; a test compares it with jobnet.Defaults
//	enum     the values that it can take
//	names    the pattern of a mapping's names;  pattern, min, max: of the value
//	lone     of a mapping: the field that was meant where a single value is given ("agent: north")
//	lines    "yes": always one entry a line
//	form     what it is, for who gave a number, and a number in quotes would be as wrong
type document struct {
	Net         string            `field:"net" required:"yes" pattern:"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$" max:"200" doc:"The net's name, as folder/name. It must be the first field."`
	Description string            `field:"description" doc:"What the net is for."`
	Params      map[string]string `field:"params" lines:"yes" names:"^[a-z][a-z0-9_]*$" doc:"Parameters with their defaults; a start may override them. Each attempt has them in its environment."`
	Env         map[string]string `field:"env" lines:"yes" names:"^[A-Za-z_][A-Za-z0-9_]*$" doc:"Environment of all jobs. Values may hold references to params and to the run."`
	Labels      map[string]string `field:"labels" lines:"yes" names:"^[A-Za-z0-9][A-Za-z0-9._/-]*$" doc:"Labels of the net, for people and programs."`
	Schedules   []schedule        `field:"schedules" doc:"When the net is due."`
	Jobs        []job             `field:"jobs" required:"yes" doc:"The jobs. Their order is that of their after, not of this list."`
}

type job struct {
	Name       string            `field:"name" required:"yes" pattern:"^[a-z][a-z0-9-]*$" max:"63" doc:"The job's name, once in a net."`
	After      []string          `field:"after" doc:"The jobs that must have ended before this one."`
	Command    []argument        `field:"command" doc:"An argument vector: the program, then its arguments. No shell looks at it. Exactly one of command and script."`
	Script     string            `field:"script" pattern:"^#![ \\t]*/" doc:"A file that begins with #! and its interpreter. References are not looked for in it: params and env are its variables."`
	Agent      agent             `field:"agent" lone:"name" doc:"Where the job runs; default: any linked agent with a free slot, that with the fewest running attempts first, then by name."`
	When       string            `field:"when" enum:"success,failure,always" default:"success" doc:"Which ends of the predecessors release the job: all succeeded or warned; at least one failed; all ended."`
	OK         []int             `field:"ok" min:"0" max:"255" default:"[0]" doc:"Exit codes that are a success. What is in neither list, and a signal, is a failure."`
	Warn       []int             `field:"warn" min:"0" max:"255" doc:"Exit codes that are a warning, which releases successors as a success does."`
	Timeout    duration          `field:"timeout" doc:"How long one attempt may take from exec; absent: as long as it likes."`
	Estimate   duration          `field:"estimate" doc:"How long the job takes, for forecasts and checks, until its history says more."`
	Grace      duration          `field:"grace" default:"10s" doc:"How long an attempt has to end after TERM before its whole process tree is killed."`
	Retry      retry             `field:"retry" lone:"max" doc:"How a failed job is tried again."`
	Stdout     string            `field:"stdout" doc:"The artifact to which standard output is written as well."`
	Artifacts  []string          `field:"artifacts" doc:"Files of the working folder that are kept for the jobs after this one: they find them as $REEVE_IN/JOB/FILE."`
	Env        map[string]string `field:"env" lines:"yes" names:"^[A-Za-z_][A-Za-z0-9_]*$" doc:"Environment of this job, beside the net's. Values may hold references."`
	RunAs      string            `field:"run_as" doc:"The user on the agent's machine; only what the agent's own allow file permits."`
	Limits     limits            `field:"limits" lone:"output" doc:"What an attempt may use."`
	Ports      []portWish        `field:"ports" doc:"Ports that the job has for as long as it runs, leased from pools of the port plan. An attempt waits where a pool is full."`
	Needs      []string          `field:"needs" pattern:"^[^/]+:[1-9][0-9]{0,4}(/tcp|/udp)?$" max:"300" doc:"Destinations that the job connects to, as db1:1521 or db1:1521/tcp. Its agent tries them before the start, and the attempt waits until each takes connections; those with /udp are written down only."`
	Isolation  string            `field:"isolation" enum:"shared,own" default:"shared" doc:"Whether the attempt shares the agent's keeper or has one of its own."`
	Rerunnable bool              `field:"rerunnable" default:"false" doc:"Executing the job twice does no harm."`
	OnLost     string            `field:"on_lost" enum:"keep,stop" default:"keep" doc:"What the keeper does with an attempt whose server is out of reach for too long."`
	OnUnknown  string            `field:"on_unknown" enum:"hold,fail,rerun" default:"hold" doc:"What happens when the end of an attempt cannot be known: a person decides, it is a failure, or it is tried again, which needs rerunnable: true."`
	OnLeftover string            `field:"on_leftover" enum:"kill,wait,detach" default:"kill" doc:"What happens to processes that remain when the main process has ended."`
}

type portWish struct {
	Name   string `field:"name" required:"yes" pattern:"^[a-z][a-z0-9-]*$" max:"63" doc:"The port's name: the job is told the number as REEVE_PORT_NAME, in capitals and with _ for -."`
	Pool   string `field:"pool" required:"yes" pattern:"^[a-z0-9][a-z0-9-]*$" max:"63" doc:"The pool of the agent's port plan."`
	Sticky bool   `field:"sticky" default:"false" doc:"The same number each time on one host, or an error that names who has it."`
	Pair   string `field:"pair" pattern:"^[a-z][a-z0-9-]*$" max:"63" doc:"The name of a second port that goes with it, where the pool has pairs: both are had or neither."`
	Socket bool   `field:"socket" default:"false" doc:"The job is given the listening socket itself, as LISTEN_FDS from descriptor 3 on."`
}

type agent struct {
	Name   string            `field:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" max:"63" doc:"The agent's name."`
	Labels map[string]string `field:"labels" names:"^[A-Za-z0-9][A-Za-z0-9._/-]*$" doc:"Labels that the agent must have, all of them."`
	Names  []string          `field:"names" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" max:"63" doc:"Agents of which one runs the job."`
	Select string            `field:"select" enum:"first,next" default:"first" doc:"Which of names: the first that can take the job, or the next after that which was given the last one."`
	Skip   duration          `field:"skip" default:"30s" doc:"How long an agent of names comes behind the others after its link was lost or an order could not be brought to it."`
}

type retry struct {
	Max   int      `field:"max" min:"0" max:"1000" default:"0" doc:"How many times, the first attempt not counted."`
	Delay duration `field:"delay" default:"0s" doc:"How long to wait before each."`
	Codes []int    `field:"codes" min:"0" max:"255" doc:"Only after these exit codes; absent: after every failure."`
}

type limits struct {
	Output size `field:"output" default:"64MiB" doc:"How much of standard output and error is kept."`
}

type (
	argument string        // text; a number, true or false is taken as it is written
	duration time.Duration // written as 5m, 1h30m, 250ms
	size     int64         // bytes, written as 64MiB, 1GB or a plain number
)

// defaultJob is the job that a definition changes field by field.
func defaultJob() job { return fromJob(jobnet.Defaults()) }

func fromNet(n jobnet.Net) document {
	d := document{Net: n.Name, Description: n.Description, Params: n.Params, Env: n.Env, Labels: n.Labels}
	for _, s := range n.Schedules {
		d.Schedules = append(d.Schedules, fromSchedule(s))
	}
	for _, j := range n.Jobs {
		d.Jobs = append(d.Jobs, fromJob(j))
	}
	return d
}

func fromJob(j jobnet.Job) job {
	return job{
		Name: j.Name, After: j.After, Command: convert[argument](j.Command), Script: j.Script, Agent: fromAgent(j.Agent), When: string(j.When), OK: j.OK,
		Warn: j.Warn, Timeout: duration(j.Timeout), Estimate: duration(j.Estimate), Grace: duration(j.Grace),
		Retry:  retry{Max: j.Retry.Max, Delay: duration(j.Retry.Delay), Codes: j.Retry.Codes},
		Stdout: j.Stdout, Artifacts: j.Artifacts, Env: j.Env, RunAs: j.RunAs, Limits: limits{Output: size(j.Limits.Output)},
		Ports: convertPorts[portWish](j.Ports), Needs: convert[string](j.Needs), Isolation: string(j.Isolation), Rerunnable: j.Rerunnable,
		OnLost: string(j.OnLost), OnUnknown: string(j.OnUnknown), OnLeftover: string(j.OnLeftover),
	}
}

func (d document) net() jobnet.Net {
	n := jobnet.Net{Name: d.Net, Description: d.Description, Params: d.Params, Env: d.Env, Labels: d.Labels}
	for _, s := range d.Schedules {
		n.Schedules = append(n.Schedules, s.schedule())
	}
	for _, j := range d.Jobs {
		n.Jobs = append(n.Jobs, j.job())
	}
	return n
}

func (j job) job() jobnet.Job {
	return jobnet.Job{
		Name: j.Name, After: j.After, Command: convert[string](j.Command), Script: j.Script, Agent: j.Agent.agent(),
		When: jobnet.When(j.When), OK: j.OK, Warn: j.Warn, Timeout: time.Duration(j.Timeout), Estimate: time.Duration(j.Estimate), Grace: time.Duration(j.Grace),
		Retry:  jobnet.Retry{Max: j.Retry.Max, Delay: time.Duration(j.Retry.Delay), Codes: j.Retry.Codes},
		Stdout: j.Stdout, Artifacts: j.Artifacts, Env: j.Env, RunAs: j.RunAs, Limits: jobnet.Limits{Output: int64(j.Limits.Output)},
		Ports: convertPorts[jobnet.PortWish](j.Ports), Needs: convert[jobnet.Destination](j.Needs), Isolation: jobnet.Isolation(j.Isolation), Rerunnable: j.Rerunnable,
		OnLost: jobnet.OnLost(j.OnLost), OnUnknown: jobnet.OnUnknown(j.OnUnknown), OnLeftover: jobnet.OnLeftover(j.OnLeftover),
	}
}

func fromAgent(a jobnet.Agent) agent {
	return agent{Name: a.Name, Labels: a.Labels, Names: a.Names, Select: string(a.Select), Skip: duration(a.Skip)}
}

func (a agent) agent() jobnet.Agent {
	return jobnet.Agent{Name: a.Name, Labels: a.Labels, Names: a.Names, Select: jobnet.Select(a.Select), Skip: time.Duration(a.Skip)}
}

// convert turns a list of one kind of text into another; nil stays nil.
func convert[To, From ~string](list []From) []To {
	var out []To
	for _, s := range list {
		out = append(out, To(s))
	}
	return out
}

// convertPorts turns a list of wishes of one form into the other; nil stays nil.
func convertPorts[To, From portWish | jobnet.PortWish](list []From) []To {
	var out []To
	for _, p := range list {
		out = append(out, To(p))
	}
	return out
}
