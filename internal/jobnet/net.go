// Package jobnet answers: what is a net, and is it one that can be run?
//
// It holds the definition of nets and jobs as values, checks what does not depend on how they are written
// (cycles, unknown references, waits that can never be met) and resolves references. It is pure.
package jobnet

import (
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// When says which ends of the predecessors release a job.
type When string

// The conditions. Each is looked at when all predecessors have ended.
const (
	WhenSuccess When = "success" // all ended succeeded or warning
	WhenFailure When = "failure" // at least one failed
	WhenAlways  When = "always"  // all ended
)

// OnLost says what the keeper does with an attempt whose server is out of reach past the tenure.
type OnLost string

// The policies.
const (
	LostKeep OnLost = "keep" // let it go on
	LostStop OnLost = "stop" // end its process tree by the fence deadline
)

// OnUnknown says what the server does with an attempt whose end cannot be known.
type OnUnknown string

// The policies.
const (
	UnknownHold  OnUnknown = "hold"  // a person decides
	UnknownFail  OnUnknown = "fail"  // take it as failed
	UnknownRerun OnUnknown = "rerun" // start another attempt; needs rerunnable
)

// OnLeftover says what happens to processes of an attempt that remain when its main process has ended.
type OnLeftover string

// The policies.
const (
	LeftoverKill   OnLeftover = "kill"   // end them
	LeftoverWait   OnLeftover = "wait"   // the attempt ends when they have
	LeftoverDetach OnLeftover = "detach" // leave them alone
)

// Isolation says whether an attempt shares the agent's keeper.
type Isolation string

// The kinds of isolation.
const (
	IsolationShared Isolation = "shared"
	IsolationOwn    Isolation = "own" // a keeper of its own
)

// Select says which of several named agents is given a job.
type Select string

// The ways to select. An agent that failed a moment ago comes behind the others.
const (
	SelectFirst Select = "first" // the first of the list that can take it
	SelectNext  Select = "next"  // the one after that which was given the last job, so that they take turns
)

// Net is a definition: jobs and their order. It is a value; once applied it never changes.
type Net struct {
	Name        string              `json:"net"`
	Description string              `json:"description,omitempty"`
	Params      map[string]string   `json:"params,omitempty"` // names [a-z][a-z0-9_]*, with their defaults
	Env         map[string]string   `json:"env,omitempty"`
	Labels      map[string]string   `json:"labels,omitempty"`
	Schedules   []calendar.Schedule `json:"schedules,omitempty"` // in the order of the file; their names differ
	Jobs        []Job               `json:"jobs"`                // in the order of the file
}

// Job is one unit of work. Durations of zero in Timeout mean none. All defaults are filled in.
type Job struct {
	Name       string            `json:"name"`
	After      []string          `json:"after,omitempty"`
	Command    []string          `json:"command,omitempty"` // exactly one of Command and Script
	Script     string            `json:"script,omitempty"`  // starts with #!
	Agent      Agent             `json:"agent,omitzero"`
	When       When              `json:"when"`
	OK         []int             `json:"ok"`
	Warn       []int             `json:"warn,omitempty"`
	Timeout    time.Duration     `json:"timeout,omitempty"`
	Estimate   time.Duration     `json:"estimate,omitempty"` // how long it takes, until history says more; 0: nobody has said
	Grace      time.Duration     `json:"grace"`
	Retry      Retry             `json:"retry,omitzero"`
	Stdout     string            `json:"stdout,omitempty"`
	Artifacts  []string          `json:"artifacts,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
	RunAs      string            `json:"run_as,omitempty"`
	Limits     Limits            `json:"limits,omitzero"`
	Ports      []PortWish        `json:"ports,omitempty"`
	Needs      []Destination     `json:"needs,omitempty"` // that must take connections before an attempt starts
	Isolation  Isolation         `json:"isolation"`
	Rerunnable bool              `json:"rerunnable,omitempty"`
	OnLost     OnLost            `json:"on_lost"`
	OnUnknown  OnUnknown         `json:"on_unknown"`
	OnLeftover OnLeftover        `json:"on_leftover"`
}

// PortWish is a port that a job wants for as long as it runs, from a pool of the agent's port plan. The job is told the
// number as REEVE_PORT_NAME, and that of the pair as REEVE_PORT_PAIR, in capitals and with '_' for '-'.
type PortWish struct {
	Name   string `json:"name"`
	Pool   string `json:"pool"`             // the pool's id in the plan
	Sticky bool   `json:"sticky,omitempty"` // the same number each time, for this net, job and name on one host
	Pair   string `json:"pair,omitempty"`   // the name of the port that goes with it; empty: none
	Socket bool   `json:"socket,omitempty"` // the job is given the listening socket (LISTEN_FDS)
}

// Agent selects where a job runs: by name, by labels that must all match, on one of several by their names, or anywhere
// (all empty). Select and Skip are about Names.
type Agent struct {
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Names  []string          `json:"names,omitempty"`
	Select Select            `json:"select,omitempty"`
	Skip   time.Duration     `json:"skip,omitempty"` // how long one that failed comes behind the others
}

// Any reports whether every agent will do.
func (a Agent) Any() bool { return a.Name == "" && len(a.Labels) == 0 && len(a.Names) == 0 }

// Turns names the list whose agents take turns; empty: they do not. Jobs with the same list share its turns.
func (a Agent) Turns() string {
	if a.Select != SelectNext {
		return ""
	}
	return strings.Join(a.Names, " ")
}

// Retry says how often a failed job is tried again. Max counts retries; Codes empty means every failure.
type Retry struct {
	Max   int           `json:"max,omitempty"`
	Delay time.Duration `json:"delay,omitempty"`
	Codes []int         `json:"codes,omitempty"`
}

// Limits bounds what an attempt may use. Output is in bytes.
type Limits struct {
	Output int64 `json:"output,omitempty"`
}

// The defaults of the contract.
const (
	DefaultGrace  = 10 * time.Second
	DefaultOutput = 64 << 20
	DefaultSkip   = 30 * time.Second
)

// Defaults returns a job with every default filled in.
func Defaults() Job {
	return Job{
		Agent: Agent{Select: SelectFirst, Skip: DefaultSkip}, When: WhenSuccess, OK: []int{0}, Grace: DefaultGrace, Limits: Limits{Output: DefaultOutput},
		Isolation: IsolationShared, OnLost: LostKeep, OnUnknown: UnknownHold, OnLeftover: LeftoverKill,
	}
}

// JobIndex returns the position of the named job, -1 if there is none.
func (n *Net) JobIndex(name string) int {
	for i := range n.Jobs {
		if n.Jobs[i].Name == name {
			return i
		}
	}
	return -1
}
