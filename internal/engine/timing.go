package engine

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Scheduled is a schedule that is in force, compiled.
type Scheduled struct {
	Net     string
	Name    string
	Span    int64
	Version int // of the net, when the span began
	Since   time.Time
	TZData  string
	Rule    *calendar.Rule
	// Next is what falls due next and is not decided; false in HasNext: nothing ever will, or it is only known when a run has
	// ended (AwaitsEnd).
	Next      calendar.Occurrence
	HasNext   bool
	AwaitsEnd bool
}

// Upcoming is an occurrence that the rule of a schedule in force has. What people have changed of the agenda is not in it.
type Upcoming struct {
	Net      string
	Schedule string
	Span     int64
	Version  int
	calendar.Occurrence
}

// UpcomingQuery asks for occurrences with Since < Due <= Until. Limit 0 means 1000.
type UpcomingQuery struct {
	Since    time.Time
	Until    time.Time
	Net      string
	Folder   string // nets below it; "" all
	Schedule string
	Limit    int
}

// Waiting is a pending occurrence, and when it is looked at again at the latest; zero: when what it waits for comes.
type Waiting struct {
	occurrence.Record
	Again time.Time
}

// Act is who does something to occurrences and why, and what the audit trail says of it; it is committed with what is done.
type Act struct {
	By     string
	Reason string
	Audit  []store.AuditRecord
}

// Dismissal says what a person has seen and does not want to be done: one missed occurrence (Key), a range (by its id), or all that was
// missed of the nets that match and fell due before Until.
type Dismissal struct {
	Key      occurrence.Key
	Range    int64
	Net      string
	Folder   string
	Schedule string
	Until    time.Time
}

// Upcoming returns what rules have, by due, net, schedule and nominal, the suppressed ones among them. It only reads memory, and is safe for
// use by several goroutines at once, as all queries below.
func (e *Engine) Upcoming(q UpcomingQuery) []Upcoming { return nil }

// Schedules returns the schedules in force of a net ("": all) and below a folder, by net and name.
func (e *Engine) Schedules(net, folder string) []Scheduled { return nil }

// RuleOf returns a schedule that is in force.
func (e *Engine) RuleOf(net, schedule string) (Scheduled, bool) { return Scheduled{}, false }

// OpenRunsOf returns the ids of a net's runs that have not ended, unknown ones too, oldest first.
func (e *Engine) OpenRunsOf(net string) []string { return nil }

// PendingWhy returns an occurrence that has fallen due and waits, with the reason; false: it does not wait.
func (e *Engine) PendingWhy(key occurrence.Key) (Waiting, bool) { return Waiting{}, false }

// PausedNow returns a schedule's pause that is in force; false: it is not paused.
func (e *Engine) PausedNow(net, schedule string) (occurrence.Pause, bool) {
	return occurrence.Pause{}, false
}

// Decided returns the instant through which everything that is due was decided or stored as pending. Conservation holds up to it.
func (e *Engine) Decided() time.Time { return time.Time{} }

// Late returns by when an open run had to end, and whether that is over; zero: it has no such limit.
func (e *Engine) Late(id string) (mustEnd time.Time, late bool) { return time.Time{}, false }

// Rescheduled must be called after every commit that wrote spans of these nets, or versions of them: they are read anew, what waits and is no
// occurrence any more is cancelled, and overrides of such are stale. It returns when that is committed.
func (e *Engine) Rescheduled(ctx context.Context, nets []string) error { return nil }

// ReleaseOccurrence starts what waits, or a missed one, which stays missed; it returns the run. Faults: NotFound, Conflict.
func (e *Engine) ReleaseOccurrence(ctx context.Context, key occurrence.Key, act Act) (run.State, error) {
	return run.State{}, nil
}

// CancelOccurrence takes away what waits, or what has not fallen due.
func (e *Engine) CancelOccurrence(ctx context.Context, key occurrence.Key, act Act) (occurrence.Record, error) {
	return occurrence.Record{}, nil
}

// Dismiss says of what was missed that nothing is to be done. It returns how many occurrences that were.
func (e *Engine) Dismiss(ctx context.Context, what Dismissal, act Act) (int64, error) { return 0, nil }

// Override changes the agenda, and returns it as it was stored. Net, Schedule, Nominal, Kind and its fields, Expires are the caller's.
func (e *Engine) Override(ctx context.Context, o occurrence.Override, act Act) (occurrence.Override, error) {
	return occurrence.Override{}, nil
}

// DropOverride takes one back that is active or stale.
func (e *Engine) DropOverride(ctx context.Context, id int64, act Act) (occurrence.Override, error) {
	return occurrence.Override{}, nil
}

// Pause pauses a schedule until a time (zero: until Resume).
func (e *Engine) Pause(ctx context.Context, net, schedule string, until time.Time, act Act) (occurrence.Pause, error) {
	return occurrence.Pause{}, nil
}

// Resume ends a pause. What fell due in it stays suppressed.
func (e *Engine) Resume(ctx context.Context, net, schedule string, act Act) error { return nil }
