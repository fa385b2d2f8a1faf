package domain_test

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// calendarCalls are the methods about calendars: of one that stands in no folder.
func calendarCalls(s *site) map[string]call {
	svc, view := s.service, []access.Permission{access.View}
	return map[string]call{
		"ListCalendars": {view, true, false, func(ctx context.Context) error { _, err := svc.ListCalendars(ctx); return err }},
		"Calendar": {view, true, false, func(ctx context.Context) error {
			_, err := svc.Calendar(ctx, "none", 0)
			return but(err, fault.NotFound)
		}},
		"CalendarDays": {view, true, false, func(ctx context.Context) error {
			_, err := svc.CalendarDays(ctx, "none", "2026-01-01", "2026-01-01")
			return but(err, fault.NotFound)
		}},
		"ListCalendarSeeds": {view, true, false, func(ctx context.Context) error { _, err := svc.ListCalendarSeeds(ctx); return err }},
		"CalendarSeed": {view, true, false, func(ctx context.Context) error {
			_, err := svc.CalendarSeed(ctx, api.SeedQuery{Code: "DE"})
			return err
		}},
		"apply a calendar": {[]access.Permission{access.Define}, true, false, func(ctx context.Context) error {
			_, err := svc.ApplyNets(ctx, "x", []byte("calendar: mine/days\n"), true)
			return err
		}},
	}
}

// TestCalendarsOfOtherFolders: who is confined to a folder sees the calendars that stand in it, below or above it or in none, what its nets lean on, and
// what all these lean on; of others not even whether they are there.
func TestCalendarsOfOtherFolders(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stored(bankDays) // bank stands in no folder, and leans on holidays/de
	for _, name := range []string{"holidays/fr", "holidays/us", "asia/days", "asia/jp/days", "asia/jp/tokyo/days", "asia/jpx/days", "asia/cn/days", "other/days"} {
		s.stored("calendar: " + name + "\nfree: [{date: 12-24, name: closed}]\nsets: [{name: ends, dates: [12-31]}]\n")
	}
	s.stored("calendar: asia/jp/more\nfree_on: [\"holidays/us#free\"]\n")
	net := func(name, calendar string) string {
		return "net: " + name + "\nschedules: [{name: d, cron: \"0 6 * * *\", calendar: " + calendar + "}]\njobs: [{name: x, command: [\"true\"]}]\n"
	}
	s.stored(net("asia/jp/pay", "holidays/fr"))
	s.stored(net("other/pay", "other/days"))
	who := s.as("asia/jp", access.View)
	sees := []string{"asia/days", "asia/jp/days", "asia/jp/more", "asia/jp/tokyo/days", "bank", "holidays/de", "holidays/fr", "holidays/us"}
	list, err := s.service.ListCalendars(who)
	var got []string
	for _, one := range list {
		got = append(got, one.Name)
	}
	if err != nil || !slices.Equal(got, sees) {
		t.Errorf("listed: got %q, %v, want %q", got, err, sees)
	}
	if list, err = s.service.ListCalendars(s.admin()); err != nil || len(list) != 11 {
		t.Errorf("who is not confined: got %d, %v, want all eleven", len(list), err)
	}
	for _, name := range sees {
		if one, err := s.service.Calendar(who, name, 1); err != nil || one.Text == "" {
			t.Errorf("%s: got %v", name, err)
		}
		if days, err := s.service.CalendarDays(who, name+"#free", "2026-12-24", "2026-12-24"); err != nil || len(days) != 1 {
			t.Errorf("days of %s: got %v, %v", name, days, err)
		}
		if _, err := s.service.DiffSchedules(who, "x", []byte(net("asia/jp/draft", name)), api.DiffQuery{Months: 1}); err != nil {
			t.Errorf("the difference that a schedule on %s makes: got %v", name, err)
		}
	}
	for _, name := range []string{"other/days", "asia/cn/days", "asia/jpx/days", "other/none"} {
		if _, err := s.service.Calendar(who, name, 0); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v, want forbidden", name, err)
		}
		if _, err := s.service.CalendarDays(who, name+"#ends", "2026-12-24", "2026-12-24"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("days of %s: got %v, want forbidden", name, err)
		}
		if diff, err := s.service.DiffSchedules(who, "x", []byte(net("asia/jp/draft", name)), api.DiffQuery{Months: 1}); err == nil || !strings.Contains(err.Error(), "there is no calendar "+strconv.Quote(name)) {
			t.Errorf("the difference that a schedule on %s makes: got %v, %v, want it nowhere", name, diff, err)
		}
	}
	if _, err := s.service.DiffSchedules(who, "x", []byte("calendar: bank\n"), api.DiffQuery{Months: 1}); err != nil {
		t.Errorf("the difference that a calendar makes for the nets that are seen: %v", err)
	}
	if _, err := s.service.ApplyNets(s.as("asia/jp", access.View, access.Define, access.DefineCommand), "x", []byte(net("asia/jp/draft", "other/days")), true); err != nil {
		t.Errorf("who may define leans on a calendar that they know by name: %v", err)
	}
}

// TestChangesOfCalendarsAreToldToWhoSeesThem: the stream of changes names no calendar that one does not see.
func TestChangesOfCalendarsAreToldToWhoSeesThem(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(s.as("mine", access.View))
	defer cancel()
	told, ended := make(chan string, 10), make(chan error, 1)
	go func() {
		ended <- s.service.Watch(ctx, "", func(c api.Change) error {
			told <- c.Kind + " " + c.ID
			return nil
		})
	}()
	<-told // what is told at once: from now on nothing is missed
	s.stored("calendar: other/days\n")
	s.stored("calendar: mine/days\n")
	if got := <-told; got != "calendar mine/days" {
		t.Errorf("got %q, want the one of the folder first", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("got %v", err)
	}
}

const bankDays = `calendar: holidays/de
free: [{date: 12-25, name: Christmas Day}]
---
calendar: bank
week: [mon, tue, wed, thu, fri]
boundary: "06:00"
free: [{date: 2026-12-24, name: Christmas Eve}]
free_on: ["holidays/de#free"]
sets: [{name: ends, dates: [03-31, 12-31]}]
`

func TestCalendarsAreShown(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stored(bankDays)
	s.stored(strings.Replace(bankDays, "Christmas Eve", "The day before", 1))
	s.stored("net: other/net\nschedules: [{name: daily, cron: \"0 6 * * *\", calendar: bank#ends}]\njobs: [{name: x, command: [\"true\"]}]\n")
	list, err := s.service.ListCalendars(s.admin())
	if err != nil || len(list) != 2 || list[0].Name != "bank" || list[0].Version != 2 || list[1].Version != 1 || list[0].UsedBy != 1 || !slices.Equal(list[0].Sets, []string{"ends"}) {
		t.Errorf("got %+v, %v", list, err)
	}
	one, err := s.service.Calendar(s.admin(), "bank", 0)
	if err != nil || one.Version != 2 || !slices.Equal(one.Versions, []int{2, 1}) || one.Boundary != "06:00" || one.Free[0].Name != "The day before" ||
		!slices.Equal(one.Schedules, []string{"other/net/daily"}) || len(one.Week) != 5 {
		t.Errorf("got %+v, %v", one, err)
	}
	if one, err = s.service.Calendar(s.admin(), "bank", 1); err != nil || one.Newest != 2 || one.Free[0].Name != "Christmas Eve" {
		t.Errorf("version 1: got %+v, %v", one, err)
	}
	if one, err = s.service.Calendar(s.as("mine", access.View), "bank", 0); err != nil || len(one.Schedules) != 0 || one.UsedBy != 0 {
		t.Errorf("who may not see other/net is told of its schedule: %+v, %v", one.Schedules, err)
	}
	days, err := s.service.CalendarDays(s.admin(), "bank", "2026-12-23", "2026-12-26")
	want := []api.CalendarDay{
		{Day: "2026-12-23", Working: true, Why: "Wednesday"},
		{Day: "2026-12-24", Why: "free: The day before", Name: ptr("The day before")},
		{Day: "2026-12-25", Why: "free: Christmas Day (holidays/de)", Name: ptr("Christmas Day")},
		{Day: "2026-12-26", Why: "Saturday"},
	}
	if err != nil || !reflect.DeepEqual(days, want) {
		t.Errorf("got %+v, %v", days, err)
	}
	for _, bad := range [][3]string{{"bank", "12-24", "2026-12-25"}, {"bank", "2026-12-25", "2026-12-24"}, {"bank", "2026-01-01", "2027-06-01"}, {"bank", "x", "2026-01-01"}} {
		if _, err := s.service.CalendarDays(s.admin(), bad[0], bad[1], bad[2]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: got %v, want invalid", bad, err)
		}
	}
	for _, ref := range []string{"none", "bank#none", "", "#free"} {
		if _, err := s.service.CalendarDays(s.admin(), ref, "2026-01-01", "2026-01-01"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: got %v, want not found", ref, err)
		}
	}
	if _, err := s.service.Calendar(s.admin(), "bank", 3); !fault.Is(err, fault.NotFound) {
		t.Errorf("version 3: got %v", err)
	}
}

// A file is stored whole or not at all, and each calendar needs the right to define in its own folder.
func TestCalendarsAreAppliedWholeOrNot(t *testing.T) {
	t.Parallel()
	s := open(t)
	if got := s.stored(bankDays); got.Calendars[0].Change != "created" || got.Calendars[1].Version != 1 {
		t.Errorf("got %+v", got.Calendars)
	}
	if got := s.stored(bankDays); got.Calendars[0].Change != "unchanged" || got.Calendars[1].Change != "unchanged" {
		t.Errorf("applied again: got %+v", got.Calendars)
	}
	for name, text := range map[string]string{
		"a mistake":        "calendar: bank\n---\ncalendar: other\nfree: [13-01]\n",
		"nowhere":          "calendar: bank\nfree_on: [\"holidays/none#free\"]\n",
		"a circle":         "calendar: holidays/de\nfree_on: [bank#free]\n",
		"a set is missing": "calendar: holidays/de\n---\ncalendar: x\nfree_on: [bank#none]\n",
	} {
		if _, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte(text), false); err == nil || !strings.Contains(err.Error(), "x.yaml:") {
			t.Errorf("%s: got %v, want a mistake with its place", name, err)
		}
	}
	mine := s.as("mine", access.View, access.Define)
	if _, err := s.service.ApplyNets(mine, "x", []byte("calendar: mine/days\n---\ncalendar: other/days\n"), false); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another folder: got %v", err)
	}
	if v, err := s.store.Calendar(t.Context(), "bank", 0); err != nil || v.Version != 1 {
		t.Errorf("bank: got version %d, %v", v.Version, err)
	}
	if _, err := s.store.Calendar(t.Context(), "mine/days", 0); err == nil {
		t.Error("half of a refused file is stored")
	}
	if audit, err := s.service.ListAudit(s.admin(), 0, 10); err != nil || !slices.ContainsFunc(audit, func(a api.AuditRecord) bool { return a.Action == "calendar.apply" && a.Object == "bank" }) {
		t.Errorf("the audit trail has no calendar.apply: %v", err)
	}
}

// A calendar that others lean on cannot lose the set that they name.
func TestASetThatIsUsedStays(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stored(bankDays + "---\nnet: a/b\nschedules: [{name: daily, cron: \"0 6 * * *\", calendar: bank#ends}]\njobs: [{name: x, command: [\"true\"]}]\n")
	_, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte("calendar: bank\n"), false)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "schedule daily of net a/b") {
		t.Errorf("got %v", err)
	}
}

func TestSeedsOverTheService(t *testing.T) {
	t.Parallel()
	s := open(t)
	seeds, err := s.service.ListCalendarSeeds(s.admin())
	if err != nil || len(seeds) < 60 || seeds[0].Code != "AT" || seeds[0].Days < 100 {
		t.Errorf("got %d seeds, %v", len(seeds), err)
	}
	got, err := s.service.CalendarSeed(s.admin(), api.SeedQuery{Code: "de-by", First: 2026, Last: 2027})
	if err != nil || got.Calendar != "holidays/de-by" || !strings.Contains(got.Text, "Fronleichnam") || strings.Contains(got.Text, "2028") {
		t.Errorf("got %+v, %v", got, err)
	}
	s.stored(got.Text)
	if _, err := s.service.CalendarSeed(s.admin(), api.SeedQuery{Code: "xx"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("xx: got %v", err)
	}
	if _, err := s.service.CalendarSeed(s.admin(), api.SeedQuery{Code: "DE", First: 1990, Last: 1999}); !fault.Is(err, fault.Invalid) {
		t.Errorf("years that are not there: got %v", err)
	}
}
