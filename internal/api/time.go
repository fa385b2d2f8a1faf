package api

import (
	"context"
	"time"
)

// Time is all about when nets are due: schedules, their occurrences, calendars and forecasts.
type Time interface {
	Schedules
	Occurrences
	Agenda
	Calendars
	Forecasts
}

// Schedules shows and steers the schedules of nets. They are defined in nets.
type Schedules interface {
	// ListSchedules returns those of a net (and below a folder), by net and name.
	ListSchedules(ctx context.Context, q ScheduleQuery) ([]Schedule, error)
	Schedule(ctx context.Context, net, name string) (Schedule, error)
	// PauseSchedule pauses one: what falls due is suppressed. ResumeSchedule ends that.
	PauseSchedule(ctx context.Context, net, name string, order Pause) (Schedule, error)
	ResumeSchedule(ctx context.Context, net, name string) (Schedule, error)
	// DiffSchedules compares the schedules of a file of definitions, and those of other nets that lean on its calendars, with those
	// in force. One answer compares so many; q.After goes on behind the last that was compared.
	DiffSchedules(ctx context.Context, name string, text []byte, q DiffQuery, more ...File) ([]ScheduleDiff, error)
}

// Missing shows what was missed, and lets people make up for all of it.
type Missing interface {
	// Missed returns what was missed and is neither recovered nor dismissed, oldest first: what a schedule missed together as one, or each.
	Missed(ctx context.Context, q OccurrenceQuery) (MissedPage, error)
	// ReleaseMissed releases all that a query finds, oldest first, each as a run of its own. Conflict: it finds more than 1000 and has no limit.
	ReleaseMissed(ctx context.Context, q OccurrenceQuery) (ReleasedMissed, error)
	// DismissMissed dismisses all that a query finds, ranges too, and returns how many occurrences that were.
	DismissMissed(ctx context.Context, q OccurrenceQuery) (int64, error)
}

// Occurrences shows what became of occurrences, and lets people act on them.
type Occurrences interface {
	Missing
	// ListOccurrences returns those that were decided or stored, by due; and with Planned those that rules foresee.
	ListOccurrences(ctx context.Context, q OccurrenceQuery) (OccurrencePage, error)
	// Occurrence returns one with its certificate. NotFound where its schedule has none of this nominal instant.
	Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (Occurrence, error)
	// ActOnOccurrence does release, dismiss or cancel, and returns the occurrence after it.
	ActOnOccurrence(ctx context.Context, act OccurrenceAct) (Occurrence, error)
	// Balance shows for each schedule of a business day that everything expected is decided or pending.
	Balance(ctx context.Context, q BalanceQuery) ([]Balance, error)
	// WhyNet says what became of what was due of a net at an instant, or next after it, and what would change it.
	WhyNet(ctx context.Context, q WhyQuery) (Why, error)
	// AtRisk returns what in the next hours needs a path or an agent that is not there.
	AtRisk(ctx context.Context, hours int) ([]Risk, error)
}

// WhyQuery asks about a net at an instant.
type WhyQuery struct {
	Net    string
	At     time.Time // zero: this minute
	Minute bool      // about the whole minute in which At is; else about its second, and where nothing is due then and it is a full minute, about that
}

// Agenda shows a day, and keeps what people change of it.
type Agenda interface {
	// ShowAgenda returns a day: what was due, what is due, and the overrides; a page of it.
	ShowAgenda(ctx context.Context, q AgendaQuery) (AgendaPage, error)
	// MonthOf returns a month of a schedule, day by day: how many are due, or why none.
	MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]MonthDay, error)
	ListOverrides(ctx context.Context, net string, all bool) ([]Override, error)
	CreateOverride(ctx context.Context, o CreateOverride) (Override, error)
	// DropOverride takes one back.
	DropOverride(ctx context.Context, id string) (Override, error)
}

// Calendars shows calendars. They are applied as nets are, by ApplyNets.
type Calendars interface {
	ListCalendars(ctx context.Context) ([]CalendarSummary, error)
	Calendar(ctx context.Context, name string, version int) (Calendar, error)
	// CalendarDays returns each day from since to until (civil days, inclusive; at most 400) of CALENDAR or CALENDAR#SET.
	CalendarDays(ctx context.Context, ref string, since, until string) ([]CalendarDay, error)
	// ListCalendarSeeds returns the tables of holidays to begin with, by code.
	ListCalendarSeeds(ctx context.Context) ([]CalendarSeed, error)
	// CalendarSeed makes a calendar document of one of them. It is not applied.
	CalendarSeed(ctx context.Context, q SeedQuery) (CalendarText, error)
}

// Forecasts looks ahead.
type Forecasts interface {
	Forecast(ctx context.Context, q ForecastQuery) (Forecast, error)
}

// ScheduleQuery filters schedules; zero values do not filter.
type ScheduleQuery struct {
	Net    string
	Folder string
	Paused bool
	Limit  int    // 0: 1000
	After  string // cursor: NET/SCHEDULE
}

// Schedule is a schedule of a net, as it is in force.
type Schedule struct {
	Net         string     `json:"net"`
	Name        string     `json:"name"`
	Rule        string     `json:"rule" doc:"cron, rrule, every or dates, as written"`
	Kind        string     `json:"kind" enum:"cron,rrule,every,dates"`
	Zone        string     `json:"zone"`
	Calendar    *string    `json:"calendar"`
	Text        string     `json:"text" doc:"the schedule's fields that are not defaults, in one line"`
	Version     int        `json:"version" doc:"of the net"`
	Since       time.Time  `json:"since" doc:"since when it is in force as it is"`
	TZData      string     `json:"tzdata" doc:"version of the time zone database"`
	Next        *time.Time `json:"next" doc:"when it is due next; null: never again, or not known before a run has ended"`
	NextNominal *time.Time `json:"next_nominal"`
	NextReason  *string    `json:"next_reason" doc:"the rule that moved the next one, or why it waits"`
	Last        *time.Time `json:"last" doc:"due of the last that has fallen due and was decided"`
	LastWas     *string    `json:"last_was" enum:"released,missed,suppressed,cancelled"`
	Paused      *Pause     `json:"paused"`
	Missed      int64      `json:"missed" doc:"missed, neither recovered nor dismissed"`
}

// Pause says that a schedule is paused, by whom and until when.
type Pause struct {
	Reason string     `json:"reason,omitempty" maxLength:"500"`
	Until  *time.Time `json:"until,omitempty" doc:"it ends by itself; absent: it does not"`
	By     string     `json:"by,omitempty" doc:"filled in by the server"`
	Since  *time.Time `json:"since,omitempty" doc:"filled in by the server"`
	// WasUntil is in the answer to a pause alone.
	WasUntil *time.Time `json:"was_until,omitempty" doc:"filled in by the server in its answer to a pause that took the place of another one: when that was to end, where this one ends at another time, or not"`
}

// DiffQuery says how far a comparison looks, and where it goes on.
type DiffQuery struct {
	Months int    // 0: 13
	After  string // NET/SCHEDULE
}

// ScheduleDiff is what a change of definitions, of a calendar, a zone or the time zone database does to one schedule.
type ScheduleDiff struct {
	Net      string           `json:"net"`
	Schedule string           `json:"schedule"`
	Change   string           `json:"change" enum:"added,removed,changed,unchanged"`
	Cause    string           `json:"cause" enum:"net,calendar,tzdata" doc:"what changed"`
	From     time.Time        `json:"from"`
	Until    time.Time        `json:"until"`
	Added    int64            `json:"added" doc:"occurrences"`
	Removed  int64            `json:"removed"`
	Moved    int64            `json:"moved"`
	Same     int64            `json:"same"`
	Counted  bool             `json:"counted" doc:"there are too many to look at each: numbers were compared day by day, and times within a day were not"`
	Note     *string          `json:"note" doc:"what cannot be said beforehand"`
	Examples []OccurrenceDiff `json:"examples" doc:"the first ones"`

	Uncompared bool `json:"uncompared" doc:"nobody has looked, because so many schedules change in one request: the numbers are 0. Of a diff ask again, with after"`

	Overrides []Override `json:"overrides" doc:"what people changed of the agenda that this change makes stale, or active again: state is what it becomes"`
}

// OccurrenceDiff is one occurrence that a change adds, removes or moves, or several of a stretch of days.
type OccurrenceDiff struct {
	Change string     `json:"change" enum:"added,removed,moved"`
	Before *time.Time `json:"before" doc:"due; of several the beginning of their first day"`
	After  *time.Time `json:"after" doc:"due"`
	Last   *time.Time `json:"last" doc:"of several: the end of their last day"`
	Count  int64      `json:"count"`
	Reason *string    `json:"reason" doc:"the rule that moves or suppresses it"`
}

// Occurrence is one nominal instant of a schedule and what became of it.
type Occurrence struct {
	Kind        string     `json:"kind" enum:"occurrence,range" doc:"range: many of one schedule that were decided together, as after an outage; lists have it as one row"`
	Net         string     `json:"net"`
	Schedule    string     `json:"schedule" doc:"manual: added by hand"`
	Nominal     time.Time  `json:"nominal" doc:"of a range: of its first"`
	Due         time.Time  `json:"due" doc:"of a range: of its first"`
	Last        *time.Time `json:"last" doc:"of a range: nominal of its last"`
	Count       int64      `json:"count" doc:"1; of a range: how many, exactly. Of a range that reaches beyond what is asked for, all is told of the part that does not"`
	Zone        string     `json:"zone"`
	TZData      string     `json:"tzdata"`
	Moved       *string    `json:"moved" doc:"the rule that moved it: dst_gap, dst_overlap, shift, jitter, override"`
	Decision    string     `json:"decision" enum:"pending,released,missed,suppressed,cancelled" doc:"of one that is not decided yet: what it will be if nothing changes"`
	Reason      *string    `json:"reason"`
	Detail      *string    `json:"detail"`
	Decided     *time.Time `json:"decided" doc:"null: it is not decided yet"`
	By          *string    `json:"by"`
	Run         *string    `json:"run"`
	RunState    *string    `json:"run_state" doc:"of the run, where it is known"`
	RunStarted  *time.Time `json:"run_started"`
	RunEnded    *time.Time `json:"run_ended"`
	Late        bool       `json:"late" doc:"its run has not ended in time (must_end)"`
	RecoveredBy *string    `json:"recovered_by" doc:"missed: the run that was released for it later"`
	Dismissed   *time.Time `json:"dismissed"`
	DismissedBy *string    `json:"dismissed_by"`
	Certificate []string   `json:"certificate,omitempty" doc:"how it came about, step by step; of one that is asked for alone"`
}

// OccurrenceQuery filters occurrences; zero values do not filter.
type OccurrenceQuery struct {
	Net       string
	Folder    string
	Schedule  string
	Since     time.Time // due at or after
	Until     time.Time // due before
	Decisions []string
	Reasons   []string
	Planned   bool   // also those that are not due yet, up to Until (at most 400 days ahead)
	After     string // cursor of the page before
	Limit     int    // 0: 100; at most 1000
	Each      bool   // of what was missed: one by one
	Expect    int64  // of releasing: how many it has to find; 0: as many as there are
	Reason    string // of releasing and dismissing: why
}

// OccurrencePage is a page of occurrences by due.
type OccurrencePage struct {
	Occurrences []Occurrence `json:"occurrences" doc:"ranges among them"`
	Next        *string      `json:"next" doc:"cursor of the next page; null: this is the last"`
}

// MissedPage is a page of what was missed, oldest first.
type MissedPage struct {
	Missed []Missed `json:"missed"`
	Count  int64    `json:"count" doc:"how many occurrences were missed, on all pages"`
	Next   *string  `json:"next" doc:"cursor of the next page; null: this is the last"`
}

// Missed is what a schedule missed together, for one reason: one occurrence or many.
type Missed struct {
	Net      string    `json:"net"`
	Schedule string    `json:"schedule"`
	First    time.Time `json:"first" doc:"nominal"`
	Last     time.Time `json:"last" doc:"nominal"`
	Due      time.Time `json:"due" doc:"of the one that was due first"`
	Count    int64     `json:"count" doc:"how many of them are neither recovered nor dismissed"`
	Reason   string    `json:"reason"`
	Detail   *string   `json:"detail"`
	Decided  time.Time `json:"decided"`
}

// ReleasedMissed says what became of missed occurrences that were released together.
type ReleasedMissed struct {
	Released int64         `json:"released" doc:"how many were"`
	Left     int64         `json:"left" doc:"how many more the query finds: the limit left them"`
	Runs     []RecoveredBy `json:"runs" doc:"in the order of due"`
	Refused  []NotReleased `json:"refused" doc:"what cannot be released"`
}

// RecoveredBy is a missed occurrence with the run that it was released as.
type RecoveredBy struct {
	Net      string    `json:"net"`
	Schedule string    `json:"schedule"`
	Nominal  time.Time `json:"nominal"`
	Run      string    `json:"run"`
}

// NotReleased is what cannot be released, and why: one occurrence, or all that a range stands for.
type NotReleased struct {
	Net      string    `json:"net"`
	Schedule string    `json:"schedule"`
	First    time.Time `json:"first" doc:"nominal"`
	Last     time.Time `json:"last" doc:"nominal"`
	Count    int64     `json:"count"`
	Why      string    `json:"why"`
}

// OccurrenceAct is what a person does with an occurrence.
type OccurrenceAct struct {
	Net      string    `json:"net" minLength:"1" maxLength:"255"`
	Schedule string    `json:"schedule" minLength:"1" maxLength:"63"`
	Nominal  time.Time `json:"nominal"`
	Verb     string    `json:"-"` // release, dismiss or cancel: a part of the route
	Reason   string    `json:"reason,omitempty" maxLength:"500"`
}

// BalanceQuery asks for business days.
type BalanceQuery struct {
	Day      string // 2026-12-24; "": today, in each schedule's own zone
	Net      string
	Folder   string
	Schedule string
	Broken   bool // only those that do not hold
}

// Balance is the sum of one schedule and business day: Expected = Released + Missed + Suppressed + Cancelled + Pending.
type Balance struct {
	Net        string `json:"net"`
	Schedule   string `json:"schedule"`
	Day        string `json:"day"`
	Expected   int64  `json:"expected"`
	Released   int64  `json:"released"`
	Missed     int64  `json:"missed"`
	Suppressed int64  `json:"suppressed"`
	Cancelled  int64  `json:"cancelled"`
	Pending    int64  `json:"pending"`
	Holds      bool   `json:"holds"`
}

// Risk is an occurrence that is due in the next hours, and what it needs and does not have now.
type Risk struct {
	Net      string    `json:"net"`
	Schedule string    `json:"schedule"`
	Due      time.Time `json:"due"`
	Count    int64     `json:"count" doc:"how many of this schedule until then, this one included"`
	Job      string    `json:"job"`
	Needs    string    `json:"needs" doc:"what is missing: an agent, labels, a path, a destination"`
	Text     string    `json:"text" doc:"why, in one sentence"`
	Fix      string    `json:"fix"`
}

// AgendaQuery asks for a day.
type AgendaQuery struct {
	Day    string // 2026-12-24; "": today
	Zone   string // in which a day is meant; "": UTC
	Net    string
	Folder string
	State  string // pending, released, missed, suppressed, cancelled, late; "": all
	After  string
	Limit  int // 0: 200; at most 1000
}

// AgendaPage is a day with a page of its occurrences.
type AgendaPage struct {
	Day       string       `json:"day"`
	Zone      string       `json:"zone"`
	Begin     time.Time    `json:"begin"`
	End       time.Time    `json:"end"`
	Now       time.Time    `json:"now"`
	Counts    AgendaCounts `json:"counts" doc:"of the whole day"`
	Hours     []AgendaHour `json:"hours" doc:"one for each hour of the day: 23 to 25 of them where clocks change"`
	Items     []Occurrence `json:"items" doc:"ranges among them"`
	Next      *string      `json:"next" doc:"cursor"`
	Overrides []Override   `json:"overrides" doc:"active and stale ones that touch the day"`
}

// AgendaCounts counts a day.
type AgendaCounts struct {
	Expected   int64 `json:"expected"`
	Released   int64 `json:"released"`
	Missed     int64 `json:"missed"`
	Suppressed int64 `json:"suppressed"`
	Cancelled  int64 `json:"cancelled"`
	Pending    int64 `json:"pending"`
	Late       int64 `json:"late"`
}

// AgendaHour counts an hour.
type AgendaHour struct {
	Begin   time.Time `json:"begin"`
	Due     int64     `json:"due" doc:"to be released"`
	Done    int64     `json:"done" doc:"released"`
	Trouble int64     `json:"trouble" doc:"missed or late"`
}

// MonthDay is a day of a month of a schedule.
type MonthDay struct {
	Day        string      `json:"day"`
	Working    bool        `json:"working" doc:"by its calendar; true without one"`
	Why        string      `json:"why" doc:"why the day is free, or by which rule nothing is due, or something is"`
	Due        int64       `json:"due" doc:"occurrences that are, or were, to be released"`
	Suppressed int64       `json:"suppressed"`
	Times      []time.Time `json:"times" doc:"the first of them, at the offset of the schedule's zone: in UTC they may lie on another day"`
}

// Override is what a person changed of the agenda.
type Override struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind" enum:"add,move,skip,hold"`
	Net      string            `json:"net"`
	Schedule string            `json:"schedule"`
	Nominal  *time.Time        `json:"nominal" doc:"null: of all that are due from then on"`
	From     *time.Time        `json:"from"`
	To       *time.Time        `json:"to" doc:"move: the new due"`
	Params   map[string]string `json:"params"`
	Expires  *time.Time        `json:"expires"`
	Reason   string            `json:"reason"`
	By       string            `json:"by"`
	Created  time.Time         `json:"created"`
	State    string            `json:"state" enum:"active,used,expired,stale,dropped"`
	Ended    *time.Time        `json:"ended"`
}

// CreateOverride changes the agenda.
type CreateOverride struct {
	Kind     string            `json:"-"` // add, move, skip or hold: a part of the route
	Net      string            `json:"net" minLength:"1" maxLength:"255"`
	Schedule string            `json:"schedule,omitempty" maxLength:"63" doc:"not for add"`
	Nominal  *time.Time        `json:"nominal,omitempty" doc:"of the occurrence; for add: when it is due"`
	From     *time.Time        `json:"from,omitempty" doc:"hold: all that are due from then on"`
	To       *time.Time        `json:"to,omitempty" doc:"move"`
	Params   map[string]string `json:"params,omitempty" doc:"add"`
	Expires  *time.Time        `json:"expires,omitempty"`
	Reason   string            `json:"reason" minLength:"1" maxLength:"500"`
}

// CalendarSummary is a calendar in a list, at its newest version.
type CalendarSummary struct {
	Name        string    `json:"name"`
	Version     int       `json:"version"`
	Description string    `json:"description"`
	Applied     time.Time `json:"applied"`
	By          string    `json:"by"`
	Sets        []string  `json:"sets"`
	Today       bool      `json:"today" doc:"today (UTC) is a working day"`
	UsedBy      int       `json:"used_by" doc:"schedules"`
}

// Calendar is one version of a calendar.
type Calendar struct {
	CalendarSummary
	Newest    int            `json:"newest"`
	Versions  []int          `json:"versions" doc:"newest first"`
	Text      string         `json:"text" doc:"the canonical written form"`
	Hash      string         `json:"hash"`
	Week      []string       `json:"week"`
	Boundary  string         `json:"boundary" doc:"06:00"`
	Free      []CalendarDate `json:"free"`
	Work      []CalendarDate `json:"work"`
	Schedules []string       `json:"schedules" doc:"NET/SCHEDULE that use it"`
}

// CalendarDate is an entry of a calendar's table.
type CalendarDate struct {
	Date string `json:"date" doc:"2026-12-24, or 12-24 for every year"`
	Name string `json:"name"`
}

// CalendarDay is a day of a calendar.
type CalendarDay struct {
	Day     string  `json:"day"`
	Working bool    `json:"working"`
	Why     string  `json:"why"`
	Name    *string `json:"name" doc:"of the entry of a table that decides it"`
}

// CalendarSeed is a table of holidays that a calendar can be made of: a beginning, and never the truth.
type CalendarSeed struct {
	Code  string `json:"code" doc:"DE, DE-BY"`
	Name  string `json:"name" doc:"Germany: Bavaria"`
	First int    `json:"first" doc:"year"`
	Last  int    `json:"last" doc:"year"`
	Days  int    `json:"days"`
}

// SeedQuery asks for a calendar made of a seed; zero values mean its own.
type SeedQuery struct {
	Code  string
	Name  string // of the calendar; "": holidays/CODE in small letters
	First int    // year
	Last  int
}

// CalendarText is a document.
type CalendarText struct {
	Calendar string `json:"calendar"`
	Text     string `json:"text" doc:"the canonical written form"`
}

// ForecastQuery asks for a forecast. What-if changes the world that is simulated.
type ForecastQuery struct {
	Days         int    // 1 to 400; 0: 7
	Net          string // only this net's occurrences are reported; all are simulated
	Folder       string
	Replications int      // 0: 100; 1: with mean durations
	WhatIf       []string // agent-down=NAME, agent-slots=NAME:N, duration=NET[/JOB]:+50%, pool-closed=ID, pool-size=ID:N, without=NET, at most 20
	Limit        int      // of Items; 0: 200
	Seed         int64    // of chance
}

// Forecast is what is expected.
type Forecast struct {
	From         time.Time       `json:"from"`
	Until        time.Time       `json:"until"`
	Days         int             `json:"days"`
	WhatIf       []string        `json:"what_if"`
	Replications int             `json:"replications"`
	PlayedUntil  time.Time       `json:"played_until" doc:"what is due later is counted only: it would have been too much; agents and pools are of the time before"`
	Occurrences  int64           `json:"occurrences" doc:"that will be released"`
	Suppressed   int64           `json:"suppressed"`
	Items        []ForecastItem  `json:"items" doc:"those most likely late first, then by due"`
	Agents       []ForecastAgent `json:"agents"`
	Pools        []ForecastPool  `json:"pools"`
	ByDay        []ForecastDay   `json:"by_day"`
	Critical     []ForecastStep  `json:"critical" doc:"the chain that decides when the worst item ends"`
	Notes        []string        `json:"notes" doc:"what it assumes: durations without history, and so on"`
}

// ForecastItem is an occurrence with its expected run.
type ForecastItem struct {
	Net      string     `json:"net"`
	Schedule string     `json:"schedule"`
	Due      time.Time  `json:"due"`
	Start    time.Time  `json:"start" doc:"median"`
	End      time.Time  `json:"end" doc:"median"`
	EndLow   time.Time  `json:"end_low" doc:"2.5th percentile"`
	EndHigh  time.Time  `json:"end_high" doc:"97.5th percentile"`
	MustEnd  *time.Time `json:"must_end"`
	Late     float64    `json:"late" doc:"probability of ending after must_end"`
	Waits    *string    `json:"waits" doc:"what it mostly waits for; null: nothing"`
	Basis    string     `json:"basis" enum:"history,estimate,guess" doc:"of its durations"`
}

// ForecastAgent is the load of an agent.
type ForecastAgent struct {
	Name  string    `json:"name"`
	Slots int       `json:"slots"`
	Busy  float64   `json:"busy" doc:"part of its slots' time that is used"`
	Peak  float64   `json:"peak" doc:"mean of the most attempts at one time"`
	At    time.Time `json:"at" doc:"of the peak"`
	Hours []float64 `json:"hours" doc:"mean attempts, hour by hour, from the beginning"`
}

// ForecastPool is the load of a pool of ports.
type ForecastPool struct {
	Pool  string    `json:"pool"`
	Size  int       `json:"size"`
	Peak  float64   `json:"peak"`
	At    time.Time `json:"at"`
	Waits float64   `json:"waits" doc:"mean number of starts that wait for a port"`
	Hours []float64 `json:"hours"`
}

// ForecastDay counts a day (UTC).
type ForecastDay struct {
	Day         string   `json:"day"`
	Occurrences int64    `json:"occurrences"`
	Runs        *float64 `json:"runs" doc:"mean at most at one time; null: the day was not played"`
	Late        *float64 `json:"late" doc:"mean; null: the day was not played"`
}

// ForecastStep is a job on the critical path.
type ForecastStep struct {
	Net   string    `json:"net"`
	Job   string    `json:"job"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Why   string    `json:"why" doc:"what it waited for: due, a predecessor, a slot, a port"`
}
