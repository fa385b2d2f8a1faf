// Package forecast answers: what will happen in the next days, when will it end, and what is it likely to wait for?
//
//	World ──New──▶ Plan ──Simulator──▶ Replicate(0), Replicate(1), … ──▶ Forecast
//	  what-if ┘      │                    a virtual clock; the same deciders as the server:
//	                 └ occurrences        calendar rules, occurrence decisions, run.Fold, run.Place
//
// A Plan holds what is due and who may run it. Each replication plays it once with durations and failures drawn from history;
// what differs between replications is what cannot be known. Chance is a function of names: the same attempt of the same occurrence has the
// same luck in every forecast with the same seed, so that two forecasts differ by what was changed, and by nothing else.
//
// What run.Fold decides does not depend on the instant at which it decides. So a Simulator asks it once for each state that a net of
// one shape can be in, and remembers what followed; millions of ends are then steps on that map.
//
// The package is pure. Plans are never changed and may be used by several goroutines, each with a Simulator of its own.
package forecast

import (
	"iter"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// World is what a forecast starts from, as it was read once. It is not changed.
type World struct {
	Now     time.Time
	Nets    []Net
	Runs    []Open              // that have not ended, oldest first
	Pending []occurrence.Record // occurrences that have fallen due and wait
	Changes []occurrence.Override
	Pauses  []occurrence.Pause
	Agents  []run.Candidate   // Running is the forecast's to fill in
	Turns   map[string]string // of a list of agents that take turns (jobnet.Agent.Turns): which was given a job last
	Pools   []Pool
	Decided []Decision // how people decided unknown ends, any number of examples; none: nobody ever does
}

// Net is a net as its next occurrences will run it.
type Net struct {
	Name    string
	Jobs    []Job
	Rules   []Rule             // of its schedules
	History map[string]History // by job; a job that is missing has none
}

// Job is what a forecast looks at of a job. A domain has very many: it is a small part of jobnet.Job, and may be shared by nets.
type Job struct {
	Name      string
	After     []string
	When      jobnet.When
	Agent     jobnet.Agent
	Retry     jobnet.Retry
	OnUnknown jobnet.OnUnknown
	Timeout   time.Duration
	Estimate  time.Duration
	Ports     []jobnet.PortWish
}

// Jobs returns what a forecast looks at of a net's jobs.
func Jobs(n *jobnet.Net) []Job {
	out := make([]Job, len(n.Jobs))
	for i := range n.Jobs {
		j := &n.Jobs[i]
		out[i] = Job{
			Name: j.Name, After: j.After, When: j.When, Agent: j.Agent, Retry: j.Retry, OnUnknown: j.OnUnknown, Timeout: j.Timeout, Estimate: j.Estimate, Ports: j.Ports,
		}
		if j.OnUnknown == jobnet.UnknownRerun && !j.Rerunnable {
			out[i].OnUnknown = jobnet.UnknownHold
		}
	}
	return out
}

// Open is a run that has not ended, with the jobs of the version that it runs.
type Open struct {
	State run.State
	Jobs  []Job
}

// Rule says when a schedule is due; *calendar.Rule is one. Of one that counts from ends Between has the next one only, if it is known.
type Rule interface {
	Schedule() calendar.Schedule
	Between(since, until time.Time) iter.Seq[calendar.Occurrence]
	ByEnd() bool
	AfterEnd(end time.Time) (calendar.Occurrence, bool)
}

// History is what is known of a job's attempts.
type History struct {
	Took    Durations // of attempts that ended well
	Failed  float64   // which part of its attempts failed
	Final   float64   // which part of those that failed its `retry` does not try again, whatever its `max` says
	Unknown float64   // which part of its attempts ended in a way that nobody knows
}

// Durations are in seconds, the shortest first. Much is kept of the past: they are as small as their precision allows, and never changed.
type Durations []float32

// Seen makes Durations of what was seen, in any order.
func Seen(took ...time.Duration) Durations {
	out := make(Durations, len(took))
	for i, d := range took {
		out[i] = float32(max(d, 0).Seconds())
	}
	slices.Sort(out)
	return out
}

// Decision is how a person decided an unknown end.
type Decision struct {
	After time.Duration // so long after it
	As    run.Status    // Succeeded or Failed; empty: by another attempt
}

// Pool is a range of ports from which attempts lease.
type Pool struct {
	ID    string
	Agent string // on whose host it is; empty: the servers', from which each attempt has a port to call back on
	Size  int
	Hold  time.Duration // how long a port rests after its use
	Pair  int           // how many of Size a port takes together with its pair
	Pairs bool          // every port of it has its pair, also where a job asks for none
	// Sticky: every number stays with the name that had it; otherwise only with a job that asks for it. Kept is for how long after it was
	// given; 0 is for good.
	Sticky bool
	Kept   time.Duration
}

// Options says what is asked.
type Options struct {
	Days         int // 1 to MaxDays
	Replications int // 1: with mean durations and without failures
	Seed         uint64
	WhatIf       []string
	Limit        int                   // of Items; 0: 200
	Show         func(net string) bool // whose occurrences are reported; nil: all. All are simulated
	Known        func(net string) bool // which nets may be named; nil: all
	Budget       int                   // how many jobs are simulated at most, over all replications; 0: DefaultBudget
}

// The bounds of a forecast.
const (
	MaxDays       = 400
	MaxWhatIf     = 20
	DefaultBudget = 12_000_000
	defaultLimit  = 200
	fewest        = 20 // replications: below that the horizon is shortened instead
)

// Basis says on what a duration rests.
type Basis string

// The bases, the best first.
const (
	FromHistory  Basis = "history"
	FromEstimate Basis = "estimate"
	FromGuess    Basis = "guess"
)

// Forecast is what is expected.
type Forecast struct {
	From, Until  time.Time
	Simulated    time.Time // how far it was simulated; before Until where the budget did not suffice
	Replications int
	Occurrences  int64 // that will be released
	Suppressed   int64
	Items        []Item // those most likely late first, then by due
	Agents       []AgentLoad
	Pools        []PoolLoad
	Days         []Day
	Critical     []Step // what decides when the worst item ends, the first step first
	Notes        []string
}

// Item is an occurrence with the run that is expected of it.
type Item struct {
	Net, Schedule string
	Due           time.Time
	Start, End    time.Time // medians
	Low, High     time.Time // of End: 95 of 100 ends are between them
	MustEnd       time.Time // zero: none
	Late          float64   // probability
	Waits         string    // what it mostly waits for; empty: nothing
	Basis         Basis     // the worst of its jobs
	Open          float64   // part of the replications in which it had not ended when the forecast did
}

// AgentLoad is what an agent has to do.
type AgentLoad struct {
	Name  string
	Slots int
	Busy  float64 // part of its slots' time
	Peak  float64 // mean of the most attempts at one time
	At    time.Time
	Hours []float64 // mean attempts, hour by hour
}

// PoolLoad is how many ports are wanted: in use, at rest, and waited for.
type PoolLoad struct {
	ID    string
	Agent string
	Size  int
	Peak  float64
	At    time.Time
	Waits float64 // mean number of starts that wait for a port
	Hours []float64
}

// Day counts a day (UTC).
type Day struct {
	Begin       time.Time
	Occurrences int64
	Runs        float64 // mean of the most at one time
	Late        float64 // mean
}

// Step is an attempt on the critical path.
type Step struct {
	Net, Job   string
	Start, End time.Time
	Why        string
}
