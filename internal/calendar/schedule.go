// Package calendar answers: at which instants is a schedule due, on which days, and by which rule?
//
//	Schedule (as written) ──Compile──▶ Rule ──▶ nominal instants ──days, shift, blackout, jitter──▶ Occurrence{Nominal, Due}
//	                           ▲ ▲
//	            Zones (tzdata) ┘ └ Days (a calendar, resolved)
//
// It is pure: the time zone database is a value (the embedded one, or one that is handed in), calendars are values, and no
// clock is read. What a rule means is defined by instants: in a stretch of time with one offset from UTC, a wall time is one
// instant; where clocks are put forward, wall times are missing, and where they are put back they come twice. What a schedule
// does there is said by its fields Gap and Fold, and by nothing else.
package calendar

import "time"

// Gap says what becomes of a wall time that does not exist, because clocks were put forward over it.
type Gap string

// The rules for a gap.
const (
	GapNextValid Gap = "next-valid" // once, at the first instant after the gap
	GapSkip      Gap = "skip"       // it is no occurrence
	GapShift     Gap = "shift"      // later by the length of the gap
)

// Fold says which of the two instants of a wall time is meant, where clocks were put back.
type Fold string

// The rules for an overlap.
const (
	FoldFirst Fold = "first"
	FoldLast  Fold = "last"
	FoldBoth  Fold = "both"
)

// Collision says what happens when a shift brings two nominal instants to one due.
type Collision string

// The rules for a collision.
const (
	CollisionOne  Collision = "one"  // the one with the earliest nominal counts; the others are suppressed
	CollisionBoth Collision = "both" // each counts
)

// Catchup says which of the occurrences that fell due while nobody could decide are released afterwards. One whose start
// window is still open is released in any case.
type Catchup string

// The rules for catching up.
const (
	CatchupNone Catchup = "none"
	CatchupLast Catchup = "last" // the last one; the others are missed
	CatchupAll  Catchup = "all"  // all, oldest first, at most CatchupLimit of a schedule; older ones are missed
)

// CatchupLimit is how many occurrences of one schedule are caught up after one outage at most.
const CatchupLimit = 1000

// Overlap says what happens when an occurrence falls due while a run of its net is open.
type Overlap string

// The rules for an overlap of runs. An unknown run is open.
const (
	OverlapAllow   Overlap = "allow"
	OverlapSkip    Overlap = "skip"    // it is suppressed
	OverlapQueue   Overlap = "queue"   // it is released when the open runs have ended
	OverlapReplace Overlap = "replace" // the open runs are cancelled, and it is released when they have ended
)

// EveryBy says from where the next interval of Every counts.
type EveryBy string

// The ways to count.
const (
	EveryStart EveryBy = "start" // from the last nominal: a fixed grid of elapsed time that begins at From (1970-01-01T00:00:00Z without)
	EveryEnd   EveryBy = "end"   // from the end of the last run: the next occurrence is known when that has ended
)

// Schedule is the rule that says when a net is due, as it is written in the net. Exactly one of Cron, RRule, Every and Dates
// is set. All defaults are filled in (DefaultSchedule). Times without an offset are wall times of Zone.
type Schedule struct {
	Name        string        `json:"name"`
	Cron        string        `json:"cron,omitempty"`         // five fields, six with seconds first, or a macro
	RRule       string        `json:"rrule,omitempty"`        // RFC 5545, without DTSTART: that is From
	Every       time.Duration `json:"every,omitempty"`        // elapsed time, at least a second
	EveryBy     EveryBy       `json:"every_by,omitempty"`     // with Every
	Dates       []string      `json:"dates,omitempty"`        // 2026-12-24T06:00[:00], or 2026-12-24 (midnight)
	WorkingDays []string      `json:"working_days,omitempty"` // only the days "N of month|quarter|year", N from 1, or from -1 for the last; needs Calendar
	Zone        string        `json:"zone"`                   // a name of the time zone database
	Calendar    string        `json:"calendar,omitempty"`     // CALENDAR, CALENDAR#SET: the days that count
	Shift       string        `json:"shift,omitempty"`        // when the day is free: skip, run, before [N] [within D], after [N] [within D]
	OnCollision Collision     `json:"on_collision"`
	Gap         Gap           `json:"dst_gap"`
	Fold        Fold          `json:"dst_overlap"`
	Catchup     Catchup       `json:"catchup"`
	Overlap     Overlap       `json:"overlap"`
	StartWithin time.Duration `json:"start_within,omitempty"` // how long after Due it may still be released; 0: no such window
	MustEnd     time.Duration `json:"must_end,omitempty"`     // how long after Due its run must have ended; a run that has not is late
	Jitter      time.Duration `json:"jitter,omitempty"`       // Due is later by an amount below this, always the same for one occurrence
	From        string        `json:"from,omitempty"`         // nothing before: 2026-01-01, 2026-01-01T06:00 or with an offset
	Until       string        `json:"until,omitempty"`        // nothing at or after
	Blackouts   []Blackout    `json:"blackouts,omitempty"`
}

// Blackout is a time in which a schedule's occurrences are suppressed: from From to before Until, both in one of the forms
// 2026-12-24T18:00 (once), 12-24T18:00 (every year), or 22:00 (every day, over midnight where Until is not after From).
type Blackout struct {
	From  string `json:"from"`
	Until string `json:"until"`
	Text  string `json:"text,omitempty"` // why, for people
}

// DefaultSchedule returns a schedule with every default of the contract.
func DefaultSchedule() Schedule {
	return Schedule{
		Zone: "UTC", EveryBy: EveryStart, Shift: "skip", OnCollision: CollisionOne, Gap: GapNextValid, Fold: FoldFirst,
		Catchup: CatchupNone, Overlap: OverlapAllow,
	}
}

// Reason says by which rule an occurrence is not simply at the wall time that its schedule means.
type Reason string

// The reasons. The first group says why Due differs from the wall time, or why a wall time is no occurrence; the second why
// an occurrence is suppressed by its own schedule. They are also reasons of package occurrence, which lists all.
const (
	ReasonGap     Reason = "dst_gap"
	ReasonOverlap Reason = "dst_overlap"
	ReasonShift   Reason = "shift" // of the calendar
	ReasonJitter  Reason = "jitter"

	ReasonCalendar  Reason = "calendar"
	ReasonBlackout  Reason = "blackout"
	ReasonCollision Reason = "collision"
)

// Occurrence is one nominal instant of a schedule. Its key is (net, schedule, Nominal).
type Occurrence struct {
	Nominal time.Time // UTC: what the rule means once Gap and Fold have resolved it
	Due     time.Time // UTC: after shift and jitter; of a suppressed one equal to Nominal
	Moved   Reason    // why Due, or Nominal, is not the wall time that the rule means: the first that moved it; empty: it is
	// Suppressed is why it is not to be released, by its own schedule: calendar, blackout or collision; empty: it is to be.
	Suppressed Reason
}

// Taken is a wall time of the rule that is no occurrence, because of Gap or Fold.
type Taken struct {
	Wall   string // as 2026-03-08T02:30:00, in the schedule's zone
	At     time.Time
	Reason Reason // dst_gap or dst_overlap
}

// Shifts reports whether its calendar may bring occurrences to other days.
func (s *Schedule) Shifts() bool { return s.Calendar != "" && s.Shift != "skip" && s.Shift != "run" }

// Loose reports whether an occurrence may be due at another instant than its nominal one.
func (s *Schedule) Loose() bool { return s.Jitter > 0 || s.Shifts() }
