package domain

import (
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// TestNextIsOneToRelease: what a schedule itself suppresses is not what it is due for next.
func TestNextIsOneToRelease(t *testing.T) {
	t.Parallel()
	week := &calendar.Definition{Name: "week", Week: []time.Weekday{1, 2, 3, 4, 5}}
	s := calendar.DefaultSchedule()
	s.Name, s.Cron, s.Calendar = "s", "0 9 * * *", "week"
	rule, problems := calendar.NewCompiler(calendar.Builtin(), func(string) (*calendar.Definition, bool) { return week, true }).Compile("n", s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	saturday := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	next, ok := rule.Next(saturday)
	if !ok || next.Suppressed != calendar.ReasonCalendar {
		t.Fatalf("got %+v, want a suppressed one on Saturday", next)
	}
	if got, want := toRelease(rule, next).Due, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
