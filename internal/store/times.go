package store

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// Times reads what is known of schedules, their occurrences and calendars.
type Times interface {
	// Through returns the instant through which every occurrence that is due was decided or stored as pending. Zero: nothing was yet.
	Through(ctx context.Context) (time.Time, error)
	// Spans returns the spans of a query, by net, schedule and Since. They share what they hold: it must not be changed.
	Spans(ctx context.Context, q SpanQuery) ([]occurrence.Span, error)
	// Occurrences returns records by Due, Net, Schedule and Nominal; with Newest the other way round.
	Occurrences(ctx context.Context, q OccurrenceQuery) ([]occurrence.Record, error)
	// Ranges returns ranges by First, Net, Schedule and ID. Of the query Net, Schedule, Folder, Since and Until (a range that reaches
	// into them), Decisions, Reasons and Undismissed filter; Limit 0 means all.
	Ranges(ctx context.Context, q OccurrenceQuery) ([]occurrence.Range, error)
	// Tallies counts records by schedule, decision and reason, as the query filters them, by these. Ranges are not in it, and Limit
	// and After do not matter.
	Tallies(ctx context.Context, q OccurrenceQuery) ([]Tally, error)
	// Overrides returns those in the given states (none: all), newest first, of a net ("" all), at most limit (0: all).
	Overrides(ctx context.Context, net string, states []occurrence.OverrideState, limit int) ([]occurrence.Override, error)
	// Pauses returns all pauses.
	Pauses(ctx context.Context) ([]occurrence.Pause, error)
	// Durations returns how long the jobs of a net took lately, newest first: of the newest limit attempts of each job that ended
	// well (succeeded or warning). It looks at the newest runs only, so a job that has not run for long may be missing.
	Durations(ctx context.Context, net string, limit int) (map[string][]time.Duration, error)
}

// Archive keeps count of what was decided, and lets go of what is old.
type Archive interface {
	// Totals returns how many occurrences were decided since the store was made, ranges and pruned ones included, by decision and
	// reason. Pending ones are not in it.
	Totals(ctx context.Context) ([]Total, error)
	// Hours counts records by the hour after the query's Since in which they are due, as the query filters them, by hour and decision, and
	// how many of them are late at an instant. Ranges are not in it, and Limit and After do not matter.
	Hours(ctx context.Context, q OccurrenceQuery, now time.Time) ([]Hourly, error)
	// PruneOccurrences removes records and ranges that were due before an instant, and overrides that ended and spans that were over before it;
	// at most limit of each. What is pending, what is missed and neither recovered nor dismissed, the spans of these, and overrides
	// that are active or stale stay. It returns the largest count of a kind that went.
	PruneOccurrences(ctx context.Context, before time.Time, limit int) (int, error)
	// Past returns what Durations does, and how the other attempts of each job ended among these.
	Past(ctx context.Context, net string, limit int) (map[string]JobPast, error)
	// Recent returns by net what Past does, of the newest runs of all nets together: until so many jobs were read. It reads in short
	// stretches, one after the other.
	Recent(ctx context.Context, jobs, limit int) (map[string]map[string]JobPast, error)
}

// JobPast is how the newest attempts of a job ended. What is not Took is counted while these ended well.
type JobPast struct {
	Took    []time.Duration // of those that ended well, newest first
	Failed  int             // how many failed
	Codes   map[int]int     // how many of the failed ones had an exit code, by code
	RunAs   int             // how many of the failed ones had a user that their agent does not allow
	Unknown int             // how many ended in a way that nobody knows
	Decided []Decided       // how unknown ones were decided, newest first
}

// Decided is how an unknown end was decided, by whomever.
type Decided struct {
	After time.Duration // so long after it
	As    run.Status    // Succeeded or Failed; empty: by another attempt
}

// Hourly is how many records are due in an hour. Late are those whose run ended after its time, or has not ended and is over it.
type Hourly struct {
	Hour     int // from 0
	Decision occurrence.Decision
	Count    int64
	Late     int64
}

// Total is how many occurrences were decided so, and when the last of them was.
type Total struct {
	Decision occurrence.Decision
	Reason   occurrence.Reason
	Count    int64
	Last     time.Time
}

// Calendars reads calendars' definitions.
type Calendars interface {
	// Calendar returns a version of a calendar; version 0 is the newest. ErrNotFound.
	Calendar(ctx context.Context, name string, version int) (CalendarVersion, error)
	// ListCalendars returns the newest version of each calendar, by name, with Text.
	ListCalendars(ctx context.Context) ([]CalendarVersion, error)
	// CalendarVersions returns all versions of a calendar, newest first. ErrNotFound.
	CalendarVersions(ctx context.Context, name string) ([]CalendarVersion, error)
}

// CalendarVersion is one immutable version of a calendar. Text is the canonical written form of package jobfile.
type CalendarVersion struct {
	Name    string
	Version int // from 1
	Hash    string
	Text    string
	Applied time.Time
	By      string
}

// SpanQuery filters spans. Zero values do not filter.
type SpanQuery struct {
	Net      string
	Folder   string
	Schedule string
	Open     bool      // only those in force
	Since    time.Time // that were in force at or after this
	Until    time.Time // that were in force before this
	After    int64     // with higher ids: those that were opened since
	IDs      []int64   // exactly these
	Beyond   SpanCursor
	Limit    int // 0: all
}

// SpanCursor is the last span of the page before.
type SpanCursor struct {
	Net, Schedule string
	Since         time.Time
	ID            int64
}

// OccurrenceQuery filters and pages records. Zero values do not filter. Limit 0 means 1000.
type OccurrenceQuery struct {
	Net         string
	Folder      string
	Schedule    string
	Nominal     time.Time // exactly this
	Since       time.Time // due at or after
	Until       time.Time // due before
	Decisions   []occurrence.Decision
	Reasons     []occurrence.Reason
	Undismissed bool      // missed, not recovered and not dismissed
	Newest      bool      // of records: the last due first
	Late        time.Time // of records: only those that are late at this instant, as Hourly has it
	After       OccurrenceCursor
	Limit       int
}

// OccurrenceCursor is the last record of the page before.
type OccurrenceCursor struct {
	Due time.Time
	Key occurrence.Key
}

// Tally is how many records of a schedule have one decision for one reason.
type Tally struct {
	Net, Schedule string
	Decision      occurrence.Decision
	Reason        occurrence.Reason
	Count         int64
	Early         int64 // how many of them were decided before they were due
}

// OccurrenceID is how a Conflict names an occurrence: net, schedule and nominal instant.
func OccurrenceID(k occurrence.Key) string {
	return k.Net + " " + k.Schedule + " " + k.Nominal.UTC().Format(time.RFC3339Nano)
}

// OccurrenceWrite stores a record. Rev 0: it is new, and must not be there (Conflict "occurrence"); else it replaces the record of
// that revision, which must be pending: what is decided is never decided again. A record with a Span is only stored where it is due
// before that span's Until (Conflict "span"); spans that end in the same batch count as they were before. Span -1 is the first span that
// the batch opens, -2 the second, and so on. With Recovered only what a person does to a missed one is written (RecoveredBy,
// Dismissed, DismissedBy), whatever became of its span. A new record is refused (Conflict "occurrence") where a range of an earlier span of its
// schedule reaches over its nominal instant and may stand for it; with Free it is known that none does.
type OccurrenceWrite struct {
	Record    occurrence.Record
	Recovered bool
	Free      bool
}

// RangeWrite stores a range: a new one (ID 0), or what a person did to one (Dismissed and DismissedBy, guarded by Rev). Delete removes it,
// guarded by Rev: it is split.
type RangeWrite struct {
	Range occurrence.Range
	// Until is the Until of the range's span that Count was made with. A new range is refused (Conflict "span") where the span has
	// ended meanwhile, unless it ended then, or after Last.
	Until  time.Time
	Delete bool
}

// SpanWrite opens a span (ID 0; Conflict "span" where one of the schedule is open that the batch does not end), or ends the one of
// that id: sets its Until (Conflict "span" where it has ended). What was decided stays decided: neither Since nor Until is stored
// before Through, but just after it; Receipt.Spans says what was stored. In a batch spans are ended before others are opened.
type SpanWrite struct{ Span occurrence.Span }

// PauseWrite stores a pause, guarded by Rev (0: there is none yet), or removes it.
type PauseWrite struct {
	Pause  occurrence.Pause
	Delete bool
}

// OverrideWrite stores an override: a new one (ID 0), or its State and Ended, guarded by Rev.
type OverrideWrite struct{ Override occurrence.Override }
