package store

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// Times reads what is known of schedules, their occurrences and calendars.
type Times interface {
	// Through returns the instant through which every occurrence that is due was decided or stored as pending. Zero: nothing was yet.
	Through(ctx context.Context) (time.Time, error)
	// Spans returns the spans of a query, by net, schedule and Since.
	Spans(ctx context.Context, q SpanQuery) ([]occurrence.Span, error)
	// Occurrences returns records by Due, Net, Schedule and Nominal.
	Occurrences(ctx context.Context, q OccurrenceQuery) ([]occurrence.Record, error)
	// Ranges returns ranges by First, Net and Schedule. Of the query Net, Schedule, Folder, Due (a range that reaches into it),
	// Decisions and Undismissed filter.
	Ranges(ctx context.Context, q OccurrenceQuery) ([]occurrence.Range, error)
	// Tallies counts records by schedule, decision and reason, as the query filters them. Ranges are not in it.
	Tallies(ctx context.Context, q OccurrenceQuery) ([]Tally, error)
	// Overrides returns those in the given states (none: all), newest first, of a net ("" all), at most limit.
	Overrides(ctx context.Context, net string, states []occurrence.OverrideState, limit int) ([]occurrence.Override, error)
	// Pauses returns all pauses.
	Pauses(ctx context.Context) ([]occurrence.Pause, error)
	// Durations returns how long the jobs of a net took lately: of the newest limit attempts of each job that ended well.
	Durations(ctx context.Context, net string, limit int) (map[string][]time.Duration, error)
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
	Undismissed bool // missed, not recovered and not dismissed
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
}

// OccurrenceWrite stores a record. Rev 0: it is new, and must not be there (Conflict "occurrence"); else it replaces the record of
// that revision. A record with Span is only stored while that span is in force (Conflict "span"), unless Recovered: then only
// what a person does to a missed one is written (RecoveredBy, Dismissed, DismissedBy).
type OccurrenceWrite struct {
	Record    occurrence.Record
	Recovered bool
}

// RangeWrite stores a range: a new one (ID 0), or what a person did to one (guarded by Rev). Delete removes it: it is split.
type RangeWrite struct {
	Range  occurrence.Range
	Delete bool
}

// SpanWrite opens a span (ID 0), or ends the one of that id: sets its Until (Conflict "span" where it has ended).
type SpanWrite struct{ Span occurrence.Span }

// PauseWrite stores a pause, guarded by Rev, or removes it.
type PauseWrite struct {
	Pause  occurrence.Pause
	Delete bool
}

// OverrideWrite stores an override: a new one (ID 0), or its state, guarded by Rev.
type OverrideWrite struct{ Override occurrence.Override }
