package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (s *timeSite) balance(q api.BalanceQuery) []api.Balance {
	s.t.Helper()
	got, err := s.service.Balance(s.admin(), q)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range got {
		if sum := b.Released + b.Missed + b.Suppressed + b.Cancelled + b.Pending; b.Holds != (sum == b.Expected) && b.Holds {
			s.t.Errorf("%+v says that it holds", b)
		}
	}
	return got
}

// holds requires that the sums of a day hold, and that something is expected.
func (s *timeSite) holds(what, day string) {
	s.t.Helper()
	all := s.balance(api.BalanceQuery{Day: day})
	expected := int64(0)
	for _, b := range all {
		expected += b.Expected
		if !b.Holds {
			s.t.Errorf("%s: got %+v, want a sum that holds", what, b)
		}
	}
	if expected == 0 {
		s.t.Errorf("%s: nothing is expected on %q", what, day)
	}
}

// metric returns the value of a line of the metrics.
func (s *timeSite) metric(name string) string {
	s.t.Helper()
	text, err := s.service.Metrics(s.admin())
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// TestBalance follows schedules over days with an outage, a change of definition, acts of people and a free day: the sums hold at every time.
func TestBalance(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply("calendar: office\nweek: [mon, tue, wed, thu, fri]\nboundary: \"06:00\"\n")
	s.scheduled("ops/often", `name: five, cron: "*/5 * * * *", zone: Europe/Berlin, jitter: 90s`, `name: far, cron: "0 * * * *", zone: America/New_York`)
	s.scheduled("ops/daily", `name: office, cron: "30 23 * * *", zone: Europe/Berlin, calendar: office, shift: after 1 within 5`,
		`name: last, cron: "*/10 * * * *", zone: UTC, catchup: last`)
	s.pass(3 * time.Second)
	s.holds("at the beginning", "")
	s.passTo("2026-03-24T07:31:00Z")
	s.holds("two and a half hours later", "")
	s.holds("on another day", "2026-03-27")
	got := s.balance(api.BalanceQuery{Net: "ops/daily", Schedule: "last"})
	if len(got) != 1 || got[0].Expected != 113 || got[0].Released != 15 || got[0].Pending != 98 || got[0].Day != "2026-03-24" {
		t.Errorf("got %+v, want 113 after 05:00, of which 15 are released", got)
	}

	s.down()
	s.pass(27 * time.Hour) // until the next day, 10:31
	s.up()
	s.pass(3 * time.Second)
	for _, day := range []string{"2026-03-23", "2026-03-24", "2026-03-25", ""} {
		s.holds("after an outage, on "+day, cmpDay(day))
	}
	day := s.balance(api.BalanceQuery{Day: "2026-03-24", Net: "ops/often", Schedule: "five"})[0]
	if day.Missed < 150 || day.Released < 20 || day.Pending != 0 {
		t.Errorf("got %+v, want most of the day's missed", day)
	}

	// What a person cancelled before its time, and what the next definition does not have any more.
	if _, err := s.service.ActOnOccurrence(s.admin(), api.OccurrenceAct{Net: "ops/often", Schedule: "far", Nominal: instant(t, "2026-03-25T15:00:00Z"), Verb: "cancel"}); err != nil {
		t.Fatal(err)
	}
	s.holds("after one was cancelled", "")
	s.scheduled("ops/often", `name: five, cron: "*/5 * * * *", zone: Europe/Berlin, jitter: 120s`, `name: far, cron: "15 * * * *", zone: America/New_York`)
	s.passTo("2026-03-25T16:20:00Z")
	s.holds("after a change", "")
	if got := s.metric("reeve_occurrence_imbalance"); got != "0" {
		t.Errorf("imbalance: got %q, want 0", got)
	}
	if got := s.metric("reeve_schedules"); got != "4" {
		t.Errorf("schedules: got %q, want 4", got)
	}
	for _, name := range []string{`reeve_occurrences{decision="released"}`, `reeve_occurrences_total{decision="missed",reason="server_down"}`, "reeve_occurrences_missed_open", "reeve_occurrence_last_decided_seconds"} {
		if got := s.metric(name); got == "" || got == "0" {
			t.Errorf("%s: got %q, want some", name, got)
		}
	}
	s.loses()
}

// cmpDay leaves the day before the schedules began to those that were in force on it: business days of the west.
func cmpDay(day string) string {
	if day == "2026-03-23" {
		return "2026-03-24"
	}
	return day
}

// loses removes one row, and sees that the sums say so.
func (s *timeSite) loses() {
	t := s.t
	t.Helper()
	if n, err := s.store.PruneOccurrences(t.Context(), s.now().Add(-time.Hour), 1); err != nil || n != 1 {
		t.Fatalf("losing one row: %d, %v", n, err)
	}
	s.pass(2 * time.Minute)
	broken := s.balance(api.BalanceQuery{Day: "2026-03-24", Broken: true})
	if len(broken) != 1 || broken[0].Holds {
		t.Errorf("with one row less: got %+v, want one broken sum", broken)
	}
}

// TestSweepSeesALoss shows a sum that does not hold in the metrics and among today's, once it is looked at anew.
func TestSweepSeesALoss(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("other/a", `name: yearly, cron: "0 0 1 1 *"`)
	s.scheduled("ops/a", `name: five, cron: "*/5 * * * *"`)
	s.scheduled("ops/b", `name: five, cron: "*/5 * * * *"`)
	s.passTo("2026-03-24T07:31:00Z")
	if got, expected := s.metric("reeve_occurrence_imbalance"), s.metric("reeve_occurrences_expected"); got != "0" || expected != "60" {
		t.Errorf("got imbalance %q of %q, want 0 of 60", got, expected)
	}
	if _, err := s.store.PruneOccurrences(t.Context(), s.now(), 1); err != nil {
		t.Fatal(err)
	}
	if got := s.metric("reeve_occurrence_imbalance"); got != "0" {
		t.Errorf("within the minute: got %q, want what was found before", got)
	}
	s.pass(50 * time.Second)
	s.pass(50 * time.Second)
	s.metric("reeve_schedules") // it has a new sweep made, and does not wait
	s.service.AwaitSweep()
	if got := s.metric("reeve_occurrence_imbalance"); got != "1" {
		t.Errorf("with one row less: got %q, want 1", got)
	}
	broken := s.balance(api.BalanceQuery{Broken: true})
	if len(broken) != 1 || broken[0].Net != "ops/a" || broken[0].Schedule != "five" || broken[0].Expected-broken[0].Released-broken[0].Pending != 1 {
		t.Errorf("got %+v, want ops/a without one", broken)
	}
	if got := s.balance(api.BalanceQuery{Broken: true, Folder: "other"}); len(got) != 0 {
		t.Errorf("of another folder: got %+v", got)
	}
}

// TestBalanceRefuses tells what is wrong with a question, and who may not ask.
func TestBalanceRefuses(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	if _, err := s.service.Balance(s.admin(), api.BalanceQuery{Day: "tomorrow"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a day that is none: got %v", err)
	}
	if _, err := s.service.Balance(t.Context(), api.BalanceQuery{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("nobody: got %v", err)
	}
	if _, err := s.service.Metrics(t.Context()); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("metrics for nobody: got %v", err)
	}
	bob := api.WithSubject(t.Context(), access.Subject{Name: "bob", Permissions: []access.Permission{access.View}, Folder: "home"})
	if _, err := s.service.Balance(bob, api.BalanceQuery{Net: "ops/a"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another folder: got %v", err)
	}
	if got, err := s.service.Balance(bob, api.BalanceQuery{}); err != nil || len(got) != 0 {
		t.Errorf("own folder: got %v, %v", got, err)
	}
}
