package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (s *timeSite) agenda(q api.AgendaQuery) api.AgendaPage {
	s.t.Helper()
	page, err := s.service.ShowAgenda(s.admin(), q)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

// TestAgenda: a day is what was decided and what is to come, with sums that agree with its items and hours.
func TestAgenda(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: d, cron: "0 6,7,8,20 * * *", must_end: 30m`)
	s.scheduled("a/c", `name: often, cron: "*/10 * * * *", blackouts: [{from: "21:00", until: "22:00"}]`)
	s.passTo("2026-03-24T06:05:00Z")
	s.down()
	s.pass(4 * time.Hour) // d is missed at 7 and 8, and often 24 times, which is a range
	s.up()
	day := s.agenda(api.AgendaQuery{})
	if day.Day != "2026-03-24" || day.Zone != "UTC" || day.End.Sub(day.Begin) != 24*time.Hour || len(day.Hours) != 24 {
		t.Fatalf("got %s in %s, %d hours", day.Day, day.Zone, len(day.Hours))
	}
	// of d: 1 released, 2 missed, 1 to come; of often, from 05:10 on: 6 released, 24 missed, 78 to come and 6 of them suppressed
	want := api.AgendaCounts{Expected: 4 + 113, Released: 7, Missed: 26, Suppressed: 6, Pending: 78, Late: 1}
	if day.Counts != want {
		t.Errorf("got %+v, want %+v", day.Counts, want)
	}
	var due, trouble int64
	for _, h := range day.Hours {
		due += h.Due
		trouble += h.Trouble
	}
	if due != want.Released+want.Missed+want.Pending || trouble != want.Missed+want.Late || day.Hours[6].Done != 2 || day.Hours[7].Due != 7 || day.Hours[21].Due != 0 {
		t.Errorf("hours: got %+v", day.Hours)
	}
	if len(day.Items) != int(want.Expected)-24+1 { // a range is one row
		t.Errorf("got %d items, want one for the range and one for each of the others", len(day.Items))
	}
	if !slices.IsSortedFunc(day.Items, func(a, b api.Occurrence) int { return a.Due.Compare(b.Due) }) {
		t.Error("items are not by due")
	}
	for state, n := range map[string]int{"pending": 78, "released": 7, "missed": 3, "suppressed": 6, "cancelled": 0, "late": 1} {
		if got := s.agenda(api.AgendaQuery{State: state}); len(got.Items) != n || got.Counts != want {
			t.Errorf("%s: got %d items and %+v, want %d and the sums of the day", state, len(got.Items), got.Counts, n)
		}
	}
	late := s.agenda(api.AgendaQuery{State: "late", Net: "a/b"}).Items[0]
	if !late.Late || late.RunState == nil {
		t.Errorf("got %+v, want it late with its run", late)
	}
	var paged int
	for q := (api.AgendaQuery{Limit: 7}); ; paged++ {
		page := s.agenda(q)
		if paged += len(page.Items) - 1; page.Next == nil {
			paged++
			break
		}
		q.After = *page.Next
	}
	if paged != len(day.Items) {
		t.Errorf("by pages: got %d items, want %d", paged, len(day.Items))
	}
	s.net("other/plain")
	if got := s.agenda(api.AgendaQuery{Folder: "other"}); got.Counts != (api.AgendaCounts{}) {
		t.Errorf("of another folder: got %+v", got.Counts)
	}
}

// TestAgendaDays: a day is as long as it is in its zone, and one that was not is refused.
func TestAgendaDays(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: d, cron: "30 0 * * *", zone: Europe/Berlin`)
	for _, test := range []struct {
		day, zone string
		hours     int
		long      time.Duration
	}{
		{"2026-03-29", "Europe/Berlin", 23, 23 * time.Hour},
		{"2026-10-25", "Europe/Berlin", 25, 25 * time.Hour},
		{"2026-10-04", "Australia/Lord_Howe", 24, 23*time.Hour + 30*time.Minute},
		{"2026-03-29", "", 24, 24 * time.Hour},
	} {
		page := s.agenda(api.AgendaQuery{Day: test.day, Zone: test.zone})
		if len(page.Hours) != test.hours || page.End.Sub(page.Begin) != test.long {
			t.Errorf("%s in %s: got %d hours, %v", test.day, test.zone, len(page.Hours), page.End.Sub(page.Begin))
		}
		if page.Counts.Expected != 1 && test.zone != "Australia/Lord_Howe" {
			t.Errorf("%s in %s: got %+v, want one", test.day, test.zone, page.Counts)
		}
	}
	for name, q := range map[string]api.AgendaQuery{
		"no day": {Day: "2011-12-30", Zone: "Pacific/Apia"}, "no zone": {Zone: "Europe/Atlantis"}, "no date": {Day: "tomorrow"}, "no month": {Day: "2026-13-01"}, "limit": {Limit: 1001}, "state": {State: "odd"},
	} {
		if _, err := s.service.ShowAgenda(s.admin(), q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

// TestMonth: each day of a month says what is due, or why nothing is.
func TestMonth(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply(free)
	s.scheduled("a/b", `name: d, cron: "0 6 * * *", calendar: work/days, shift: after, until: 2026-03-31`)
	days, err := s.service.MonthOf(s.admin(), "a/b", "d", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || len(days) != 31 {
		t.Fatalf("got %d days, %v", len(days), err)
	}
	for _, test := range []struct {
		day             int
		working         bool
		due, suppressed int64
		why             string
	}{
		{23, true, 0, 0, "Monday; it is in force since 2026-03-24T05:00:10Z"},
		{24, true, 1, 0, "Tuesday"},
		{25, false, 0, 0, "free: Founders; shifted to 2026-03-26"},
		{26, true, 1, 1, "Thursday; moved here from 2026-03-25; suppressed: collision"},
		{28, false, 0, 0, "Saturday; shifted to 2026-03-30"},
		{31, true, 0, 0, "Tuesday; the rule has nothing on this day"},
	} {
		got := days[test.day-1]
		if got.Day != fmt.Sprintf("2026-03-%02d", test.day) || got.Working != test.working || got.Due != test.due || got.Suppressed != test.suppressed || got.Why != test.why || int64(len(got.Times)) != test.due {
			t.Errorf("got %+v, want %+v", got, test)
		}
	}
	s.scheduled("a/far", `name: d, cron: "0 6 * * *", zone: Asia/Tokyo`)
	days, err = s.service.MonthOf(s.admin(), "a/far", "d", time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || len(days[0].Times) != 1 || days[0].Times[0].Format(time.RFC3339) != "2026-04-01T06:00:00+09:00" {
		t.Errorf("got %+v, %v, want the time on its own day, not the evening before in UTC", days[0], err)
	}
	if _, err := s.service.MonthOf(s.admin(), "a/b", "none", s.now()); !fault.Is(err, fault.NotFound) {
		t.Errorf("no schedule: got %v, want not found", err)
	}
}

// TestOverrides: an occurrence is added, moved, skipped and held; each change is seen until it was used, and none is lost.
func TestOverrides(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: d, cron: "0 6-9 * * *"`)
	at := func(text string) *time.Time { return ptrTime(instant(t, "2026-03-24T"+text+":00Z")) }
	added := s.override(api.CreateOverride{Kind: "add", Nominal: at("05:30")})
	moved := s.override(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: at("06:00"), To: at("06:30")})
	skip := s.override(api.CreateOverride{Kind: "skip", Schedule: "d", Nominal: at("07:00")})
	hold := s.override(api.CreateOverride{Kind: "hold", Schedule: "d", From: at("08:00"), Expires: at("12:00")})
	if added.Schedule != "manual" || moved.State != "active" || skip.By != "admin" || hold.Nominal != nil {
		t.Errorf("got %+v, %+v, %+v, %+v", added, moved, skip, hold)
	}
	ahead := []string{
		"24T05:30 manual pending not_due", "24T06:30 d pending not_due moved by override", "24T07:00 d cancelled cancelled", "24T08:00 d pending held_back", "24T09:00 d pending held_back",
	}
	page := s.agenda(api.AgendaQuery{})
	var got []string
	for _, o := range page.Items {
		got = append(got, brief(o))
	}
	want(t, "ahead", got, ahead...)
	if len(page.Overrides) != 4 {
		t.Errorf("got %+v, want four changes", page.Overrides)
	}
	s.passTo("2026-03-24T09:30:00Z")
	want(t, "afterwards", s.listed(api.OccurrenceQuery{}), "24T05:30 manual released by_hand", "24T06:30 d released due moved by override", "24T07:00 d cancelled cancelled", "24T08:00 d pending held_back", "24T09:00 d pending held_back")
	if list, err := s.service.ListOverrides(s.admin(), "a/b", false); err != nil || len(list) != 1 || list[0].ID != hold.ID {
		t.Errorf("active: got %+v, %v, want the hold", list, err)
	}
	if list, err := s.service.ListOverrides(s.admin(), "", true); err != nil || len(list) != 4 || list[3].State != "used" || list[3].Ended == nil {
		t.Errorf("all: got %+v, %v", list, err)
	}
	s.drop(hold.ID)
	s.settle()
	want(t, "after the drop", s.listed(api.OccurrenceQuery{Decisions: []string{"pending"}}))
	for _, id := range []string{"99", "x", "", "+" + hold.ID, "0" + hold.ID} {
		if _, err := s.service.DropOverride(s.admin(), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: got %v, want not found", id, err)
		}
	}
	for name, bad := range map[string]api.CreateOverride{
		"no reason":         {Kind: "skip", Net: "a/b", Schedule: "d", Nominal: at("20:00")},
		"kind":              {Kind: "explode", Reason: "x", Net: "a/b", Schedule: "d", Nominal: at("20:00")},
		"no nominal":        {Kind: "skip", Reason: "x", Net: "a/b", Schedule: "d"},
		"no schedule":       {Kind: "skip", Reason: "x", Net: "a/b", Nominal: at("20:00")},
		"add in the past":   {Kind: "add", Reason: "x", Net: "a/b", Nominal: at("05:00")},
		"add to a schedule": {Kind: "add", Reason: "x", Net: "a/b", Schedule: "d", Nominal: at("20:00")},
		"move to the past":  {Kind: "move", Reason: "x", Net: "a/b", Schedule: "d", Nominal: at("20:00"), To: at("05:00")},
		"move nowhere":      {Kind: "move", Reason: "x", Net: "a/b", Schedule: "d", Nominal: at("20:00")},
		"params":            {Kind: "skip", Reason: "x", Net: "a/b", Schedule: "d", Nominal: at("20:00"), Params: map[string]string{"a": "b"}},
		"both":              {Kind: "hold", Reason: "x", Net: "a/b", Schedule: "d", Nominal: at("20:00"), From: at("20:00")},
		"expired":           {Kind: "hold", Reason: "x", Net: "a/b", Schedule: "d", From: at("20:00"), Expires: at("05:00")},
	} {
		if _, err := s.service.CreateOverride(s.admin(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	if _, err := s.service.CreateOverride(s.admin(), api.CreateOverride{Kind: "skip", Reason: "x", Net: "a/b", Schedule: "none", Nominal: at("20:00")}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no schedule: got %v, want not found", err)
	}
}

// TestTimesOfOtherFolders: who is confined to a folder neither sees nor steers what is due in another one.
func TestTimesOfOtherFolders(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("mine/x", `name: d, cron: "0 6 * * *"`)
	s.scheduled("other/y", `name: d, cron: "0 6 * * *"`)
	nominal := instant(t, "2026-03-24T06:00:00Z")
	foreign := api.CreateOverride{Kind: "skip", Net: "other/y", Schedule: "d", Nominal: &nominal, Reason: "x"}
	made, err := s.service.CreateOverride(s.admin(), foreign)
	if err != nil {
		t.Fatal(err)
	}
	who := s.as("mine", access.Permissions()...)
	schedules, err := s.service.ListSchedules(who, api.ScheduleQuery{})
	if err != nil || len(schedules) != 1 || schedules[0].Net != "mine/x" {
		t.Errorf("schedules: got %+v, %v", schedules, err)
	}
	page, err := s.service.ShowAgenda(who, api.AgendaQuery{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Net != "mine/x" || len(page.Overrides) != 0 || page.Counts.Expected != 1 {
		t.Errorf("agenda: got %+v, %v", page, err)
	}
	planned, err := s.service.ListOccurrences(who, api.OccurrenceQuery{Planned: true})
	if err != nil || len(planned.Occurrences) != 1 {
		t.Errorf("occurrences: got %+v, %v", planned, err)
	}
	if list, err := s.service.ListOverrides(who, "", true); err != nil || len(list) != 0 {
		t.Errorf("overrides: got %+v, %v", list, err)
	}
	s.down()
	s.pass(2 * time.Hour)
	s.up()
	if missed, err := s.service.Missed(who, api.OccurrenceQuery{}); err != nil || len(missed.Missed) != 1 || missed.Missed[0].Net != "mine/x" {
		t.Errorf("missed: got %+v, %v", missed, err)
	}
	act := func(verb string) error {
		_, err := s.service.ActOnOccurrence(who, api.OccurrenceAct{Net: "other/y", Schedule: "d", Nominal: nominal, Verb: verb})
		return err
	}
	for name, do := range map[string]func() error{
		"schedules": func() error { _, err := s.service.ListSchedules(who, api.ScheduleQuery{Net: "other/y"}); return err },
		"folder":    func() error { _, err := s.service.ListSchedules(who, api.ScheduleQuery{Folder: "other"}); return err },
		"schedule":  func() error { _, err := s.service.Schedule(who, "other/y", "d"); return err },
		"pause":     func() error { _, err := s.service.PauseSchedule(who, "other/y", "d", api.Pause{}); return err },
		"resume":    func() error { _, err := s.service.ResumeSchedule(who, "other/y", "d"); return err },
		"list": func() error {
			_, err := s.service.ListOccurrences(who, api.OccurrenceQuery{Net: "other/y"})
			return err
		},
		"occurrence":  func() error { _, err := s.service.Occurrence(who, "other/y", "d", nominal); return err },
		"missed":      func() error { _, err := s.service.Missed(who, api.OccurrenceQuery{Folder: "other"}); return err },
		"release":     func() error { return act("release") },
		"dismiss":     func() error { return act("dismiss") },
		"cancel":      func() error { return act("cancel") },
		"nonsense":    func() error { return act("explode") },
		"release all": func() error { _, err := s.service.ReleaseMissed(who, api.OccurrenceQuery{Net: "other/y"}); return err },
		"dismiss all": func() error { _, err := s.service.DismissMissed(who, api.OccurrenceQuery{Net: "other/y"}); return err },
		"why":         func() error { _, err := s.service.WhyNet(who, api.WhyQuery{Net: "other/y", At: nominal}); return err },
		"why no net": func() error {
			_, err := s.service.WhyNet(who, api.WhyQuery{Net: "other/none", At: nominal})
			return err
		},
		"agenda":          func() error { _, err := s.service.ShowAgenda(who, api.AgendaQuery{Folder: "other"}); return err },
		"month":           func() error { _, err := s.service.MonthOf(who, "other/y", "d", nominal); return err },
		"overrides":       func() error { _, err := s.service.ListOverrides(who, "other/y", true); return err },
		"create override": func() error { _, err := s.service.CreateOverride(who, foreign); return err },
		"drop override":   func() error { _, err := s.service.DropOverride(who, made.ID); return err },
	} {
		if err := do(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s in another folder: got %v, want forbidden", name, err)
		}
	}
	if n, err := s.service.DismissMissed(who, api.OccurrenceQuery{}); err != nil || n != 1 {
		t.Errorf("dismissed all of mine: got %d, %v, want one", n, err)
	}
}

// A day that is written as one, and is none of the agenda's, is refused for its year.
func TestDaysOfTheAgenda(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, day := range []string{"1900-01-01", "1969-12-31", "2201-01-01", "9999-01-01"} {
		_, err := s.service.ShowAgenda(s.admin(), api.AgendaQuery{Day: day})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), day+" is out of range") || !strings.Contains(err.Error(), "1970-01-01 to 2200-12-31") {
			t.Errorf("%s: got %v", day, err)
		}
	}
}
