package jobnet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// A shift that never finds a day is refused for its limit, with one that would do; applied so, the schedule is taken.
func TestLimitOfAShift(t *testing.T) {
	t.Parallel()
	job := jobnet.Defaults()
	job.Name, job.Command = "x", []string{"true"}
	lookup := func(name string) (*calendar.Definition, bool) {
		d, ok := calendars("work/days")
		d.Free = append(d.Free, calendar.Date{Date: "12-24"})
		return d, ok && name == d.Name
	}
	problems := func(cron, shift string) []jobnet.Problem {
		s := calendar.DefaultSchedule()
		s.Name, s.Cron, s.Calendar, s.Shift = "s", cron, "work/days", shift
		return jobnet.Schedules(calendar.Builtin(), lookup)(&jobnet.Net{Name: "bank/nightly", Jobs: []jobnet.Job{job}, Schedules: []calendar.Schedule{s}})
	}
	for _, test := range []struct{ cron, shift, remedy string }{
		{"30 8 25 12 *", "before 2 within 2", "before 2 within 5"}, // where the 24th is a Monday
		{"30 8 * * SUN", "before 2 within 2", "before 2 within 3"},
		{"30 8 * * SAT", "after within 1", "after within 4"}, // where the 24th is a Monday
	} {
		found := problems(test.cron, test.shift)
		if len(found) != 1 || !strings.HasSuffix(found[0].Path, ".shift") ||
			!strings.Contains(found[0].Message, fmt.Sprintf("its shift %s finds no working day in work/days", test.shift)) ||
			!strings.Contains(found[0].Message, "write "+test.remedy+",") {
			t.Errorf("%+v: got %+v", test, found)
		}
		if left := problems(test.cron, test.remedy); len(left) > 0 {
			t.Errorf("%+v: with the remedy: got %+v", test, left)
		}
	}
	if found := problems("30 8 25 12 *", "skip"); len(found) != 1 || !strings.HasSuffix(found[0].Path, ".calendar") {
		t.Errorf("no shift: got %+v, want that every day is free", found)
	}
}
