package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// brief writes an occurrence in few words: due, schedule, decision and reason.
func brief(o api.Occurrence) string {
	text := o.Due.Format("02T15:04") + " " + o.Schedule + " " + o.Decision
	if o.Reason != nil {
		text += " " + *o.Reason
	}
	if o.Moved != nil {
		text += " moved by " + *o.Moved
	}
	return text
}

func (s *timeSite) listed(q api.OccurrenceQuery) []string {
	s.t.Helper()
	page, err := s.service.ListOccurrences(s.admin(), q)
	if err != nil {
		s.t.Fatal(err)
	}
	out := []string{}
	for _, o := range page.Occurrences {
		out = append(out, brief(o))
	}
	return out
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestOccurrencesAreListed: what was decided and what is to come stand in one list by due, page by page.
func TestOccurrencesAreListed(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *"`, `name: half, cron: "30 5-7 * * *", blackouts: [{from: "06:00", until: "07:00"}]`)
	s.passTo("2026-03-24T06:10:00Z")
	q := api.OccurrenceQuery{Net: "a/b"}
	want(t, "decided", s.listed(q), "24T05:30 half released due", "24T06:00 hourly released due")
	q.Planned, q.Until = true, instant(t, "2026-03-24T08:00:00Z")
	all := []string{
		"24T05:30 half released due", "24T06:00 hourly released due", "24T06:30 half suppressed blackout", "24T07:00 hourly pending not_due", "24T07:30 half pending not_due",
	}
	want(t, "planned too", s.listed(q), all...)
	var paged []string
	for q.Limit = 2; ; {
		page, err := s.service.ListOccurrences(s.admin(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Occurrences {
			paged = append(paged, brief(o))
		}
		if page.Next == nil {
			break
		}
		q.After = *page.Next
	}
	want(t, "by pages of two", paged, all...)
	q.After, q.Limit = "", 0
	q.Decisions = []string{"suppressed"}
	want(t, "suppressed", s.listed(q), "24T06:30 half suppressed blackout")
	q.Decisions, q.Schedule = nil, "hourly"
	want(t, "of one schedule", s.listed(q), "24T06:00 hourly released due", "24T07:00 hourly pending not_due")
	for name, bad := range map[string]api.OccurrenceQuery{
		"decision": {Decisions: []string{"lost"}}, "cursor": {After: "x"}, "limit": {Limit: 1001}, "too far": {Planned: true, Until: s.now().Add(401 * 24 * time.Hour)},
	} {
		if _, err := s.service.ListOccurrences(s.admin(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

// TestMissedAreRecovered: after an outage what was missed is exact; it can be released, which leaves it missed, or dismissed.
func TestMissedAreRecovered(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *"`)
	s.scheduled("a/often", `name: minutes, cron: "* * * * *"`)
	s.passTo("2026-03-24T05:30:00Z")
	s.down()
	s.pass(4*time.Hour + time.Second)
	s.up()
	page, err := s.service.Missed(s.admin(), api.OccurrenceQuery{Net: "a/b", Each: true})
	missed := page.Missed
	if err != nil || len(missed) != 4 || missed[0].Count != 1 || missed[0].Reason != "server_down" || missed[0].First.Hour() != 6 {
		t.Fatalf("got %+v, %v, want the hours from 6 to 9", missed, err)
	}
	often, err := s.service.Missed(s.admin(), api.OccurrenceQuery{Net: "a/often"})
	if err != nil || len(often.Missed) != 1 || often.Missed[0].Count != 240 {
		t.Fatalf("got %+v, %v, want one row of 240", often, err)
	}
	key := api.OccurrenceAct{Net: "a/b", Schedule: "hourly", Nominal: missed[1].First}
	act := func(verb string) (api.Occurrence, error) {
		key.Verb = verb
		return s.service.ActOnOccurrence(s.admin(), key)
	}
	o, err := act("release")
	if err != nil || o.Decision != "missed" || o.RecoveredBy == nil || o.RunState == nil {
		t.Fatalf("got %+v, %v, want it missed and recovered", o, err)
	}
	run, err := s.service.Run(s.admin(), *o.RecoveredBy)
	if err != nil || run.Schedule == nil || *run.Schedule != "hourly" || run.Nominal == nil || !run.Nominal.Equal(key.Nominal) {
		t.Errorf("got %+v, %v, want a run of the schedule", run, err)
	}
	if _, err := act("release"); !fault.Is(err, fault.Conflict) {
		t.Errorf("released twice: got %v, want a conflict", err)
	}
	key.Nominal = missed[0].First
	if o, err = act("dismiss"); err != nil || o.Dismissed == nil || o.DismissedBy == nil || *o.DismissedBy != "admin" {
		t.Errorf("got %+v, %v, want it dismissed", o, err)
	}
	if n, err := s.service.DismissMissed(s.admin(), api.OccurrenceQuery{Net: "a/b", Until: instant(t, "2026-03-24T09:00:00Z")}); err != nil || n != 1 {
		t.Errorf("dismissed until nine: got %d, %v, want that of eight", n, err)
	}
	if page, err = s.service.Missed(s.admin(), api.OccurrenceQuery{}); err != nil || len(page.Missed) != 2 || page.Count != 241 {
		t.Errorf("left: got %+v, %v, want a range and one", page, err)
	}
	list, err := s.service.ListSchedules(s.admin(), api.ScheduleQuery{})
	if err != nil || len(list) != 2 || list[0].Missed != 1 || list[1].Missed != 240 || list[1].LastWas == nil {
		t.Errorf("schedules: got %+v, %v", list, err)
	}
	if n, err := s.service.DismissMissed(s.admin(), api.OccurrenceQuery{}); err != nil || n != 241 {
		t.Errorf("dismissed all: got %d, %v, want 241", n, err)
	}
	if _, err := act("explode"); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
	one, err := s.service.Occurrence(s.admin(), "a/often", "minutes", instant(t, "2026-03-24T07:07:00Z"))
	if err != nil || one.Decision != "missed" || one.Dismissed == nil || len(one.Certificate) == 0 {
		t.Errorf("one of the range: got %+v, %v", one, err)
	}
	if _, err := s.service.Occurrence(s.admin(), "a/often", "minutes", instant(t, "2026-03-24T07:07:30Z")); !fault.Is(err, fault.NotFound) {
		t.Errorf("none: got %v, want not found", err)
	}
}

// TestPause: what falls due in a pause is suppressed; afterwards all is as before.
func TestPause(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *"`)
	until := instant(t, "2026-03-24T07:30:00Z")
	got, err := s.service.PauseSchedule(s.admin(), "a/b", "hourly", api.Pause{Reason: "disk change", Until: &until})
	if err != nil || got.Paused == nil || got.Paused.By != "admin" || got.Paused.Reason != "disk change" || got.NextReason == nil || *got.NextReason != "paused" {
		t.Fatalf("got %+v, %v", got, err)
	}
	q := api.OccurrenceQuery{Net: "a/b", Planned: true, Until: instant(t, "2026-03-24T09:00:00Z")}
	want(t, "ahead", s.listed(q), "24T06:00 hourly suppressed paused", "24T07:00 hourly suppressed paused", "24T08:00 hourly pending not_due")
	if list, err := s.service.ListSchedules(s.admin(), api.ScheduleQuery{Paused: true}); err != nil || len(list) != 1 {
		t.Errorf("paused: got %+v, %v", list, err)
	}
	s.passTo("2026-03-24T06:10:00Z")
	if got, err = s.service.ResumeSchedule(s.admin(), "a/b", "hourly"); err != nil || got.Paused != nil {
		t.Errorf("resumed: got %+v, %v", got, err)
	}
	s.passTo("2026-03-24T07:10:00Z")
	want(t, "afterwards", s.listed(api.OccurrenceQuery{}), "24T06:00 hourly suppressed paused", "24T07:00 hourly released due")
	past := s.now().Add(-time.Hour)
	if _, err := s.service.PauseSchedule(s.admin(), "a/b", "hourly", api.Pause{Until: &past}); !fault.Is(err, fault.Invalid) {
		t.Errorf("until the past: got %v, want invalid", err)
	}
	if _, err := s.service.ResumeSchedule(s.admin(), "a/b", "hourly"); !fault.Is(err, fault.Conflict) {
		t.Errorf("not paused: got %v, want a conflict", err)
	}
	if _, err := s.service.PauseSchedule(s.admin(), "a/b", "none", api.Pause{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no schedule: got %v, want not found", err)
	}
	again, err := s.service.PauseSchedule(s.admin(), "a/b", "hourly", api.Pause{Reason: "disk change"})
	if err != nil || again.Paused == nil || again.Paused.WasUntil != nil || again.Paused.Until != nil {
		t.Errorf("a first pause without end: got %+v, %v", again.Paused, err)
	}
	next := s.now().Add(48 * time.Hour)
	for _, test := range []struct{ until, was *time.Time }{{&next, nil}, {nil, &next}, {&next, nil}, {&next, nil}} {
		again, err = s.service.PauseSchedule(s.admin(), "a/b", "hourly", api.Pause{Reason: "disk change", Until: test.until})
		if err != nil || again.Paused == nil || (again.Paused.WasUntil == nil) != (test.was == nil) || test.was != nil && !again.Paused.WasUntil.Equal(*test.was) {
			t.Errorf("until %v: got %+v, %v, want that it was to end at %v", test.until, again.Paused, err, test.was)
		}
	}
	if shown, err := s.service.Schedule(s.admin(), "a/b", "hourly"); err != nil || shown.Paused == nil || shown.Paused.WasUntil != nil {
		t.Errorf("shown later: got %+v, %v", shown.Paused, err)
	}
}
