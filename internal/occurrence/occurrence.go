// Package occurrence answers: what becomes of an occurrence that has fallen due?
//
//	         ┌ released (a run is made in the same commit)
//	pending ─┼ missed      nobody could decide in time, or it could not start in its window
//	         ├ suppressed  a rule says that it is not to run
//	         └ cancelled   a person, or a newer definition, took it away
//
// Each occurrence is decided once, with a reason from a closed list, and each reason belongs to one decision. What is
// released later by hand stays missed, and names its run in RecoveredBy. The package is pure.
package occurrence

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Decision is what became of an occurrence.
type Decision string

// The decisions.
const (
	Pending    Decision = "pending" // not yet due, or waiting for a reason that Record.Reason gives
	Released   Decision = "released"
	Missed     Decision = "missed"
	Suppressed Decision = "suppressed"
	Cancelled  Decision = "cancelled"
)

// Reason says why. The list is closed; Reasons has each with its decision and its sentence.
type Reason string

// The reasons.
const (
	// released
	Due      Reason = "due"     // at its time
	CaughtUp Reason = "catchup" // after an outage: by the schedule's catchup, or its start window was still open
	Waited   Reason = "waited"  // later, within its start window or without one: what it waited for came
	ByHand   Reason = "by_hand" // a person released it before its time or from a hold, or added it
	// missed
	ServerDown   Reason = "server_down"           // it fell due while no server could decide
	ClockJump    Reason = "clock_jump"            // the clock was put forward over it by more than a minute
	LateStart    Reason = "start_deadline_passed" // its start window closed while it waited
	NoAgent      Reason = "no_agent"              // its start window closed, and no agent for its first jobs was linked
	CatchupLimit Reason = "catchup_limit"         // more were to be caught up than the limit allows, or only the last one is
	// suppressed
	Calendar  Reason = "calendar"  // its day is free
	Blackout  Reason = "blackout"  // it falls into a blackout of its schedule
	Collision Reason = "collision" // a shift brought it to the due of an earlier one
	Overlap   Reason = "overlap"   // a run of the net was open, and the schedule says skip
	Paused    Reason = "paused"    // the schedule is paused
	Held      Reason = "held"      // the domain was held when it fell due, and catchup does not say that it is to run
	// cancelled
	ByPerson Reason = "cancelled"          // a person cancelled it
	Changed  Reason = "definition_changed" // it waited, and the newer definition does not have it
	// pending
	NotYet      Reason = "not_due"      // it is in the future
	Queued      Reason = "queued"       // a run of the net is open, and the schedule says queue or replace
	HeldBack    Reason = "held_back"    // a person holds this occurrence, or all from a date
	DomainHeld  Reason = "domain_held"  // the domain starts nothing
	AwaitsAgent Reason = "awaits_agent" // it has a start window, and no agent for its first jobs is linked
	AwaitsEnd   Reason = "awaits_end"   // of `every` by end: the run before it has not ended
	DiskFull    Reason = "disk"         // the server has no room on its disk
)

// Manual is the schedule of what is added by hand.
const Manual = "manual"

// Key names an occurrence. Nominal is in UTC, to the microsecond.
type Key struct {
	Net      string    `json:"net"`
	Schedule string    `json:"schedule"`
	Nominal  time.Time `json:"nominal"`
}

// Record is what is kept of an occurrence: of every one that was decided (unless a Range stands for it), and of those pending
// ones that have fallen due or that a person has touched.
type Record struct {
	Key
	Span        int64     // the Span whose definition it comes from; 0: by hand
	Due         time.Time // by the rule
	Moved       calendar.Reason
	Decision    Decision
	Reason      Reason
	Detail      string // one sentence
	Decided     time.Time
	By          string // who, where a person did
	Version     int    // of the net that was released
	Zone        string
	TZData      string    // version of the time zone database
	Run         string    // released
	MustEnd     time.Time // its run is late when it has not ended by then; zero: no such limit
	RecoveredBy string    // missed: the run that a person released for it later
	Dismissed   time.Time // missed: a person has seen it and nothing is to be done
	DismissedBy string
	Rev         int64
}

// Range stands for many occurrences of one schedule that were decided together: all that the rule has with First <= Nominal
// <= Last and that this decision and reason are about. Count is exact.
type Range struct {
	ID          int64
	Net         string
	Schedule    string
	Span        int64
	First       time.Time // nominal, inclusive
	Last        time.Time
	Count       int64
	Decision    Decision // missed or suppressed
	Reason      Reason
	Detail      string
	Decided     time.Time
	Zone        string
	TZData      string
	Dismissed   time.Time
	DismissedBy string
	Rev         int64
}

// Span is a time in which a schedule was as Schedule says: from Since (when it was applied) until before Until. Occurrences
// belong to the span in which they are due. A change of net, of a calendar that it uses or of the time zone database ends it.
type Span struct {
	ID        int64
	Net       string
	Schedule  string // its name
	Version   int    // of the net, whose newest version is released
	Since     time.Time
	Until     time.Time // zero: it is in force
	Rule      calendar.Schedule
	Calendars map[string]int // name → version, of all that the rule leans on
	TZData    string
}

// Pause says that a schedule is paused by a person: what falls due is suppressed.
type Pause struct {
	Net      string
	Schedule string
	By       string
	Reason   string
	Since    time.Time
	Until    time.Time // it ends by itself; zero: it does not
	Rev      int64
}

// OverrideKind says what an override does.
type OverrideKind string

// The kinds.
const (
	OverrideAdd  OverrideKind = "add"  // an occurrence that no rule has; Key.Schedule is Manual
	OverrideMove OverrideKind = "move" // its due is To
	OverrideSkip OverrideKind = "skip" // it is cancelled when it falls due
	OverrideHold OverrideKind = "hold" // it stays pending until it is released, or Expires; with From: all from then on
)

// OverrideState is how far an override is. None is ever dropped silently.
type OverrideState string

// The states.
const (
	OverrideActive  OverrideState = "active"
	OverrideUsed    OverrideState = "used"    // it did what it says
	OverrideExpired OverrideState = "expired" // its expiry came before it was used
	OverrideStale   OverrideState = "stale"   // the definition changed: its nominal is no occurrence any more; shown until dropped
	OverrideDropped OverrideState = "dropped" // a person took it back
)

// Override is what a person changed of the agenda.
type Override struct {
	ID int64
	Key
	Kind    OverrideKind
	From    time.Time         // hold: all of the schedule that are due from then on; Key.Nominal is zero
	To      time.Time         // move
	Params  map[string]string // add
	Expires time.Time         // zero: it does not
	Reason  string
	By      string
	Created time.Time
	State   OverrideState
	Ended   time.Time // when it left active
	Rev     int64
}
