package console

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// estateTime gives a twin the schedules and occurrences of an ordinary morning after an outage in the night.
func estateTime(t *twin, now time.Time) {
	now = now.UTC().Truncate(time.Second)
	t.time.schedules = []api.Schedule{
		{Net: "census/packages", Name: "quarter", Rule: "*/15 * * * *", Kind: "cron", Zone: "UTC", Version: 2, Since: now.Add(-200 * time.Hour), TZData: "2025c", Missed: 13, LastWas: ptr("released")},
		{
			Net: "estate/harvest", Name: "nightly", Rule: "30 2 * * MON-FRI", Kind: "cron", Zone: "Europe/Berlin", Calendar: ptr("germany#bank"), Version: 7, Since: now.Add(-49 * time.Hour), TZData: "2025c",
			Text: "shift: after 1 within 3; catchup: last; must_end: 2h; jitter: 5m", LastWas: ptr("missed"), NextReason: ptr("shift"), Missed: 1,
		},
		{
			Net: "estate/ledger", Name: "close", Rule: "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18", Kind: "rrule", Zone: "Europe/Berlin", Version: 2, Since: now.Add(-200 * time.Hour), TZData: "2025c", LastWas: ptr("released"),
			Paused: &api.Pause{Reason: "the books are closed by hand this month", By: "mara", Since: ptr(now.Add(-26 * time.Hour)), Until: ptr(now.Add(100 * time.Hour))},
		},
		{Net: "proxy/certificates", Name: "renew", Rule: "48h", Kind: "every", Text: "by: end", Zone: "Pacific/Auckland", Version: 2, Since: now.Add(-200 * time.Hour), TZData: "2025c", NextReason: ptr("awaits_end")},
	}
	add := func(s *api.Schedule, due time.Time, decision, reason string) *api.Occurrence {
		t.time.occurrences = append(t.time.occurrences, api.Occurrence{
			Net: s.Net, Schedule: s.Name, Nominal: due, Due: due, Zone: s.Zone, TZData: "2025c", Decision: decision, Reason: &reason,
			Certificate: []string{"the rule means 02:30 on Monday", "clocks do nothing at that time", "the day is a working day of germany#bank", "spread by 3m 12s"},
		})
		return &t.time.occurrences[len(t.time.occurrences)-1]
	}
	estateQuarters(t, now, add)
	nightly := &t.time.schedules[1]
	night := time.Date(now.Year(), now.Month(), now.Day(), 1, 30, 0, 0, time.UTC)
	for i := -4; i < 12; i++ {
		due := night.AddDate(0, 0, i)
		switch {
		case due.After(now):
			o := add(nightly, due.Add(192*time.Second), "pending", "not_due")
			o.Nominal, o.Moved = due, ptr("jitter")
			if i%4 == 3 {
				o.Nominal, o.Moved = due.AddDate(0, 0, -1), ptr("shift")
			}
			if nightly.Next == nil {
				nightly.Next, nightly.NextNominal = &o.Due, &o.Nominal
			}
		case i == -3:
			add(nightly, due, "suppressed", "calendar").Detail = ptr("Saturday is free by germany#bank")
		default:
			o := add(nightly, due, "released", "due")
			o.Run, o.RunState, o.Late, o.Decided = ptr("01k2v7q4m9-000414"), ptr("warning"), i == 0, ptr(due.Add(time.Second))
			nightly.Last = &o.Due
		}
	}
	ledger := &t.time.schedules[2]
	add(ledger, now.Add(-50*time.Minute), "pending", "held_back").Detail = ptr("held by mara: the auditor is in the house")
	add(ledger, now.Add(-49*time.Minute), "cancelled", "cancelled").By = ptr("mara")
	manual := add(ledger, now.Add(40*time.Minute), "pending", "not_due")
	manual.Schedule = "manual"
	slices.SortStableFunc(t.time.occurrences, func(a, b api.Occurrence) int { return a.Due.Compare(b.Due) })
	estateChanges(t, now)
	estateCalendars(t, now)
	t.time.month = func(_, _ string, month time.Time) []api.MonthDay { return estateMonth(month) }
}

// estateQuarters are the occurrences of every quarter of an hour: an outage of three hours in the night, the rest went well.
func estateQuarters(t *twin, now time.Time, add func(*api.Schedule, time.Time, string, string) *api.Occurrence) {
	s := &t.time.schedules[0]
	down := time.Date(now.Year(), now.Month(), now.Day(), 2, 0, 0, 0, time.UTC)
	for at := down.Add(-8 * time.Hour); at.Before(down.Add(30 * time.Hour)); at = at.Add(15 * time.Minute) {
		switch {
		case at.After(now):
			o := add(s, at, "pending", "not_due")
			if s.Next == nil {
				s.Next, s.NextNominal = &o.Due, &o.Nominal
			}
		case !at.Before(down) && at.Before(down.Add(3*time.Hour)):
			o := add(s, at, "missed", "server_down")
			o.Detail, o.Decided = ptr("no server could decide between 02:00 and 05:00"), ptr(down.Add(3*time.Hour))
		case at.Minute() == 45 && at.Hour()%3 == 0:
			add(s, at, "suppressed", "overlap")
		default:
			o := add(s, at, "released", "due")
			o.Run, o.RunState, o.Decided = ptr("01k2v7q4m9-000411"), ptr("succeeded"), ptr(at.Add(time.Second))
			s.Last = &o.Due
		}
	}
	first := down.Add(-24 * time.Hour)
	t.time.missed = []api.Missed{
		{Net: "estate/harvest", Schedule: "nightly", First: first, Last: first, Due: first, Count: 1, Reason: "start_deadline_passed", Detail: ptr("no agent with site=north was linked until 06:10"), Decided: first.Add(time.Hour)},
		{Net: "census/packages", Schedule: "quarter", First: down, Last: down.Add(165 * time.Minute), Due: down, Count: 12, Reason: "server_down", Decided: down.Add(3 * time.Hour)},
		{Net: "census/packages", Schedule: "quarter", First: down.Add(3 * time.Hour), Last: down.Add(3 * time.Hour), Due: down.Add(3 * time.Hour), Count: 1, Reason: "catchup_limit", Decided: down.Add(3 * time.Hour)},
	}
}

func estateChanges(t *twin, now time.Time) {
	t.time.overrides = []api.Override{
		{ID: "4", Kind: "add", Net: "estate/ledger", Schedule: "manual", Nominal: ptr(now.Add(40 * time.Minute)), Params: map[string]string{"day": "2026-11-03"}, Reason: "the auditor wants it twice", By: "mara", Created: now.Add(-time.Hour), State: "active"},
		{ID: "3", Kind: "hold", Net: "estate/ledger", Schedule: "close", From: ptr(now.Add(-time.Hour)), Expires: ptr(now.Add(90 * time.Hour)), Reason: "the auditor is in the house", By: "mara", Created: now.Add(-2 * time.Hour), State: "active"},
		{ID: "2", Kind: "move", Net: "estate/harvest", Schedule: "nightly", Nominal: ptr(now.Add(20 * time.Hour)), To: ptr(now.Add(26 * time.Hour)), Reason: "the supplier is late", By: "jonas", Created: now.Add(-30 * time.Hour), State: "stale", Ended: ptr(now.Add(-3 * time.Hour))},
	}
	t.time.risks = []api.Risk{
		{Net: "proxy/certificates", Schedule: "renew", Due: now.Add(70 * time.Minute), Count: 1, Job: "renew", Needs: "zone=dmz", Text: "agent dmz1, the only one with zone=dmz, is not linked since 08:11", Fix: "start it, or look at its log"},
		{Net: "estate/harvest", Schedule: "nightly", Due: now.Add(3 * time.Hour), Count: 2, Job: "prepare", Needs: "db1:1521/tcp", Text: "north1 reaches db1:1521 no more: refused since 09:02", Fix: "ask who runs db1"},
	}
	t.time.balances = []api.Balance{
		{Net: "census/packages", Schedule: "quarter", Day: now.Format(time.DateOnly), Expected: 96, Released: 33, Missed: 13, Suppressed: 3, Cancelled: 0, Pending: 47, Holds: true},
		{Net: "estate/ledger", Schedule: "close", Day: now.Format(time.DateOnly), Expected: 3, Released: 0, Pending: 2, Holds: false},
	}
	t.time.whys = []api.Fact{
		{Reason: "server_down", Text: "no server could decide between 02:00 and 05:00: its host was restarted", Since: ptr(now.Add(-6 * time.Hour)), Fix: "reeve occurrence release census/packages quarter 2026-11-03T02:00:00Z"},
		{Reason: "catchup", Text: "the schedule's catchup is none, so what was missed is not made up for", Fix: "write catchup: last into the schedule"},
	}
}

// estateMonth has working days, free ones and one with many times.
func estateMonth(month time.Time) []api.MonthDay {
	var out []api.MonthDay
	for d := month; d.Month() == month.Month(); d = d.AddDate(0, 0, 1) {
		day := api.MonthDay{Day: d.Format(time.DateOnly), Working: true, Due: 1, Why: "working day", Times: []time.Time{d.Add(90 * time.Minute)}}
		switch {
		case d.Weekday() == time.Saturday || d.Weekday() == time.Sunday:
			day = api.MonthDay{Day: day.Day, Suppressed: 1, Why: d.Weekday().String() + " is free by germany#bank", Times: []time.Time{}}
		case d.Day() == 3:
			day = api.MonthDay{Day: day.Day, Working: true, Why: "its rule has nothing on this day", Times: []time.Time{}}
		case d.Day() == 17:
			day.Due, day.Why = 96, "97 by its rule, of which one falls into the blackout of the year's inventory"
			day.Times, day.Suppressed = []time.Time{d, d.Add(15 * time.Minute), d.Add(30 * time.Minute), d.Add(45 * time.Minute)}, 1
		}
		out = append(out, day)
	}
	return out
}

// held is the nominal time of the occurrence that a person holds.
func (t *twinTime) held() time.Time {
	for _, o := range t.occurrences {
		if deref(o.Reason) == "held_back" {
			return o.Nominal
		}
	}
	return time.Time{}
}
