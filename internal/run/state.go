// Package run answers: given what has happened to a run, what happens next?
//
//	           ┌────────── retry ───────────┐
//	           ▼                            │
//	waiting → ready → dispatched → running ─┴→ succeeded | warning | failed | cancelled | unknown
//	   └────────────────────────────────────→ skipped
//
// Step is the only place in Reeve where the next state of a run is chosen. It is pure: the same state, input
// and instant give the same answer, so every decision can be replayed from a text file (testdata).
package run

import (
	"time"
)

// Status is the state of a run, a job or an attempt.
type Status string

// The states. Each says who enters it and who leaves it; all changes are made by Step.
const (
	// Waiting: entered by New (a job with predecessors, a run until a job is dispatched) and by a failed
	// attempt that will be retried; left when the predecessors have ended or the delay has passed (Begin,
	// Ended, Tick), or by Cancel. Reason says for what it waits.
	Waiting Status = "waiting"
	// Ready: entered when nothing but a free slot on a fitting agent is missing; left by Dispatch or Cancel.
	Ready Status = "ready"
	// Held: entered by Hold before dispatch; left by Release or Cancel.
	Held Status = "held"
	// Dispatched: entered by Dispatch, when the order is committed; left by the agent's report.
	Dispatched Status = "dispatched"
	// Running: entered by Started; left by Ended, Unknown or Lost.
	Running Status = "running"
	// Succeeded, Warning, Failed: entered by Ended by the job's exit codes; failed also by what could not be
	// executed, by a time-out, and by policy or person from unknown. A job leaves Failed only by its own retry.
	Succeeded Status = "succeeded"
	Warning   Status = "warning"
	Failed    Status = "failed"
	// Cancelled: entered by Cancel (what was not started) and by the end of an attempt that was cancelled. Final.
	Cancelled Status = "cancelled"
	// Skipped: entered when the predecessors ended in a way that the job's `when` excludes. Final.
	Skipped Status = "skipped"
	// Lost is shown as "unknown": entered when what happened cannot be known (Reason: start, reboot, keeper_died,
	// fenced); left by a late end that the keeper reports, by policy (on_unknown) or by a person (Decide).
	Lost Status = "unknown"
)

// Ended reports whether s is an end; unknown is one as long as nobody knows better.
func (s Status) Ended() bool {
	switch s {
	case Succeeded, Warning, Failed, Cancelled, Skipped, Lost:
		return true
	case Waiting, Ready, Held, Dispatched, Running:
		return false
	}
	return false
}

// State is all that is known about one run. It is a value: Step copies what it changes.
type State struct {
	ID       string            `json:"id"`
	Net      string            `json:"net"`
	Version  int               `json:"version"` // of the net
	Rev      int64             `json:"-"`       // guard: the revision in the store that this state was read at; 0 is not stored yet
	Status   Status            `json:"state"`
	Reason   Reason            `json:"reason,omitempty"`
	Params   map[string]string `json:"params,omitempty"`   // all, defaults included
	Schedule string            `json:"schedule,omitempty"` // whose occurrence it is; "manual": added by hand; empty: a person or a program started it
	Nominal  time.Time         `json:"nominal,omitzero"`
	Created  time.Time         `json:"created"`
	Started  time.Time         `json:"started,omitzero"` // first dispatch
	Ended    time.Time         `json:"ended,omitzero"`
	By       string            `json:"by,omitempty"`       // who ordered it
	RerunOf  string            `json:"rerun_of,omitempty"` // the run that this one repeats
	Cancel   string            `json:"cancel,omitempty"`   // who asked to cancel it; empty: nobody
	HeldBy   string            `json:"held_by,omitempty"`  // who holds it; empty: nobody
	Jobs     []Job             `json:"jobs"`               // in the order of the definition
}

// Job is the state of one job of a run.
type Job struct {
	Name     string    `json:"name"`
	Status   Status    `json:"state"`
	Reason   Reason    `json:"reason,omitempty"`
	Detail   string    `json:"detail,omitempty"`   // one sentence for a person
	Since    time.Time `json:"since"`              // when Status was entered
	Due      time.Time `json:"due,omitzero"`       // when a retry may be dispatched
	Decided  string    `json:"decided,omitempty"`  // who or what policy decided an unknown end
	Attempts []Attempt `json:"attempts,omitempty"` // in order; N of Attempts[i] is i+1
}

// Attempt is the state of one try of a job.
type Attempt struct {
	N           int               `json:"n"`
	Agent       string            `json:"agent"`    // name
	AgentID     string            `json:"agent_id"` // node id
	Status      Status            `json:"state"`
	Reason      Reason            `json:"reason,omitempty"`
	Detail      string            `json:"detail,omitempty"`
	Ordered     time.Time         `json:"ordered"`
	Started     time.Time         `json:"started,omitzero"` // exec, by the agent's clock
	Ended       time.Time         `json:"ended,omitzero"`
	ExitCode    *int              `json:"exit_code"`
	Signal      string            `json:"signal,omitempty"`
	PID         int               `json:"pid,omitempty"`
	Containment string            `json:"containment,omitempty"`
	Outputs     map[string]string `json:"outputs,omitempty"`
	Artifacts   []Artifact        `json:"artifacts,omitempty"`
	Output      int64             `json:"output,omitempty"` // bytes of the spool
	Lost        int64             `json:"lost,omitempty"`   // bytes of output dropped
	Leftover    int               `json:"leftover,omitempty"`
	CPU         time.Duration     `json:"cpu,omitempty"`
	MaxRSS      int64             `json:"max_rss,omitempty"`
}

// Artifact is a file kept for successors. SHA256 is hex; Size in bytes.
type Artifact struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Reason says why something is as it is. The list is closed and documented.
type Reason string

// The reasons. Docs are generated from Reasons.
const (
	// why a job waits
	ReasonPredecessors Reason = "predecessors"        // a predecessor has not ended
	ReasonUnknownPred  Reason = "unknown_predecessor" // a predecessor is unknown and holds its successors
	ReasonRetry        Reason = "retry_delay"         // the delay before the next try
	ReasonHeld         Reason = "held"                // a person holds the run
	ReasonDomainHeld   Reason = "domain_held"         // the domain starts nothing (restored, or held by a person)
	ReasonNoAgent      Reason = "no_agent"            // no agent of the domain fits
	ReasonNotLinked    Reason = "agent_not_linked"    // every agent that fits is out of reach
	ReasonDraining     Reason = "agent_draining"      // every linked agent that fits is being drained
	ReasonNoSlot       Reason = "no_slot"             // every linked agent that fits is full
	ReasonAgentDisk    Reason = "agent_disk"          // every agent that fits has no room on its disk
	ReasonDisk         Reason = "disk"                // the server has no room on its disk (waiting); the agent could not store it (ended)
	ReasonDelivery     Reason = "delivery"            // ordered, and not yet confirmed by the agent
	ReasonCallback     Reason = "callback_port"       // every port of the plan's callback pool is in use or held: none is free on which the server could await the attempt's words
	ReasonPorts        Reason = "ports"               // a pool of ports is full, or a port is another's (waiting); it cannot be had at all (ended)
	ReasonNeeds        Reason = "needs"               // a destination that the job needs does not take connections from its agent (waiting); its plan has no row to look (ended)
	// why something ended as it did
	ReasonExit        Reason = "exit_code"    // an exit code that is neither ok nor warn
	ReasonSignal      Reason = "signal"       // ended by a signal
	ReasonTimeout     Reason = "timeout"      // ended for taking longer than its time-out
	ReasonCancel      Reason = "cancel"       // a person or a program cancelled it
	ReasonExec        Reason = "exec"         // could not be executed
	ReasonRunAs       Reason = "run_as"       // the agent's allow file does not permit the user
	ReasonArtifact    Reason = "artifact"     // an artifact is missing or too large
	ReasonReference   Reason = "reference"    // a reference has no value
	ReasonOutputLimit Reason = "output_limit" // outputs are not of the form name=value, or too many
	ReasonWhen        Reason = "when"         // the predecessors' ends exclude it
	ReasonWithdrawn   Reason = "withdrawn"    // never started: cancelled before it was known to the keeper
	ReasonJobFailed   Reason = "job_failed"   // of a run: a job failed
	ReasonJobUnknown  Reason = "job_unknown"  // of a run: a job is unknown
	ReasonDecided     Reason = "decided"      // a person or a policy decided an unknown end
	ReasonEpoch       Reason = "epoch"        // never started: the server is of an older epoch than the agent has seen
	// why an end is unknown
	ReasonStart      Reason = "start"       // the keeper ended between the intent and the first proof of execution
	ReasonReboot     Reason = "reboot"      // the host was restarted
	ReasonKeeperDied Reason = "keeper_died" // the keeper ended; the time is known, the code is not
	ReasonFenced     Reason = "fenced"      // no word from the agent until the server's deadline
	ReasonRestored   Reason = "restored"    // ordered before the backup that the server was restored from: what came after is not known here
	ReasonAgentGone  Reason = "agent_gone"  // the agent was removed from the domain
)
