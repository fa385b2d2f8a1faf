package run

import (
	"time"
)

// Input is something that happened to a run. The list below is closed.
type Input interface{ input() }

// Begin starts the life of a run that New made: jobs without predecessors become ready.
type Begin struct{}

// Tick lets time pass: retries that are due become ready.
type Tick struct{}

// Dispatch gives a ready job to an agent. The engine chose it with Place.
type Dispatch struct {
	Job, Agent, AgentID string
}

// Started is the agent's report that an attempt was executed.
type Started struct {
	Job         string
	N           int
	At          time.Time
	PID         int
	Containment string
}

// Ended is the agent's report of an end that is known. Reason is empty for a plain end, else why it ended.
type Ended struct {
	Job       string
	N         int
	StartedAt time.Time // zero: never executed
	At        time.Time
	ExitCode  *int
	Signal    string
	Reason    Reason
	Detail    string
	Outputs   map[string]string
	Artifacts []Artifact
	Output    int64
	Lost      int64
	Leftover  int
	CPU       time.Duration
	MaxRSS    int64
	// PID and Containment, where its start was not reported before: a short attempt only says how it ended.
	PID         int
	Containment string
}

// NeverStarted is the agent's report that an attempt was not, and will never be, executed.
type NeverStarted struct {
	Job    string
	N      int
	At     time.Time
	Reason Reason
	Detail string
}

// Deferred is the agent's word that it has an order and cannot carry it out yet. The order stays open and is tried again.
type Deferred struct {
	Job    string
	N      int
	Reason Reason
	Detail string
}

// Unknown says that the end of an attempt cannot be known: reported by the agent (start, reboot, keeper_died) or
// decided by the server (fenced, agent_gone).
type Unknown struct {
	Job    string
	N      int
	At     time.Time // when it ended where that is known, else when this was noticed
	Reason Reason
	Detail string
	Output int64
	Lost   int64
}

// Cancel ends the run: what has not started never will; what runs is told to end.
type Cancel struct{ By string }

// Hold keeps the jobs that have not been dispatched from being dispatched; Release lets them go on.
type Hold struct{ By string }

// Release ends a Hold.
type Release struct{ By string }

// Decide settles a job whose end is unknown: as succeeded or failed, or by another attempt (Rerun).
type Decide struct {
	Job string
	As  Status // Succeeded or Failed; empty with Rerun
	// Rerun starts another attempt. By a person it is allowed for every job; by policy only for rerunnable ones.
	Rerun bool
	By    string
}

func (Begin) input()        {}
func (Tick) input()         {}
func (Dispatch) input()     {}
func (Started) input()      {}
func (Ended) input()        {}
func (NeverStarted) input() {}
func (Deferred) input()     {}
func (Unknown) input()      {}
func (Cancel) input()       {}
func (Hold) input()         {}
func (Release) input()      {}
func (Decide) input()       {}

// Effect is something that must be done because of a step. It is stored with the state and done until acknowledged.
type Effect interface{ effect() }

// StartAttempt orders an agent to start an attempt.
type StartAttempt struct {
	Job     string
	N       int
	AgentID string
}

// CancelAttempt orders an agent to end an attempt, or never to start it.
type CancelAttempt struct {
	Job     string
	N       int
	AgentID string
}

// CloseAttempt says that an attempt is ended, or withdrawn, for good: its order needs no more sending.
type CloseAttempt struct {
	Job     string
	N       int
	AgentID string
}

func (StartAttempt) effect()  {}
func (CancelAttempt) effect() {}
func (CloseAttempt) effect()  {}
