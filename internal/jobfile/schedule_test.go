package jobfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// A colon without a space behind it is part of a text, wherever it stands.
func TestTextsWithColons(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"net: a/b\nschedules: [{name: x, dates: [2026-12-24T06:00, 2026-12-25T06:00:30], blackouts: [{from: 22:00, until: 06:00}]}]\njobs: [{name: x, command: [echo, a:b], needs: [db1:1521]}]\n",
		"net: a/b\nschedules:\n  - name: x\n    dates:\n      - 2026-12-24T06:00\n      - 2026-12-25T06:00:30\n    blackouts:\n      - from: 22:00\n        until: 06:00\n" +
			"jobs:\n  - name: x\n    command: [echo, a:b]\n    needs: [db1:1521]\n",
	} {
		nets, err := Parse("x", []byte(text))
		if err != nil {
			t.Error(err)
			continue
		}
		s, j := nets[0].Schedules[0], nets[0].Jobs[0]
		if diff := cmp.Diff([]string{"2026-12-24T06:00", "2026-12-25T06:00:30"}, s.Dates); diff != "" {
			t.Error(diff)
		}
		if s.Blackouts[0].From != "22:00" || s.Blackouts[0].Until != "06:00" || j.Command[1] != "a:b" || j.Needs[0] != "db1:1521" {
			t.Errorf("got %+v and %+v", s, j)
		}
	}
	for _, text := range []string{"{a: 1}", "{a:1}", "[a: 1]", "{\"a\":1}"} {
		if _, err := Parse("x", []byte("net: a/b\nschedules: [{name: x, dates: ["+text+"]}]\njobs: [{name: x, command: [echo]}]\n")); err == nil {
			t.Errorf("dates takes %s", text)
		}
	}
}

// Each mistake of a schedule is told, once, with its field and what would be right; nothing is told that is not so.
func TestMistakesOfSchedules(t *testing.T) {
	t.Parallel()
	check := jobnet.Schedules(calendar.Builtin(), func(name string) (*calendar.Definition, bool) {
		return &calendar.Definition{Name: name, Free: []calendar.Date{{Date: "12-25"}}}, name == "k/a"
	})
	for text, want := range map[string][]string{
		`every: 1`:                    {`every: "1" has no unit: write 1s, 1m or 1h`},
		`every: 1d`:                   {`every: "1d" is not a duration: write 10s, 5m or 1h30m`},
		`every: 0s, overlap: skip`:    {`every is at least 1s`},
		`every: 1, every_by: end`:     {`every: "1" has no unit: write 1s, 1m or 1h`},
		`every: 1, zone: Mars/Phobos`: {`every: "1" has no unit: write 1s, 1m or 1h`, `there is no time zone "Mars/Phobos" in tzdata TZDATA; write a name of the time zone database, as Europe/Berlin or UTC`},
		`dates: {a: b}`:               {`dates is a list, not a mapping`},
		`rrule: [a]`:                  {`rrule is a rule of RFC 5545, as FREQ=DAILY, not a list`},
		`cron: "@daily", calendar: [a], shift: after`:                        {`calendar is text, not a list`},
		`cron: "@daily", jitter: 48h`:                                        {`a jitter of 48h is too long: it goes up to 24h`},
		`cron: "@daily", jitter: 48h, dst_gap: never`:                        {`a jitter of 48h is too long: it goes up to 24h`, `"never" is not one of next-valid, skip and shift`},
		`cron: "61 * * * *", every: 1, dst_gap: never`:                       {`the minute is "61": it can be 0 to 59`, `every: "1" has no unit: write 1s, 1m or 1h`, `"never" is not one of next-valid, skip and shift`},
		`every: 1h, blackouts: [{from: 22, until: "23:00"}]`:                 {`blackouts[0].from is a time, as 22:00, 12-24T18:00 or 2026-12-24T18:00, not the number 22`},
		`rrule: FREQ=DAILY;COUNT=3, from: 3`:                                 {`from is a day or a time, as 2026-01-01 or 2026-01-01T06:00, not the number 3`},
		`cron: "@daily", calendar: k/a, working_days: [bananas, 3 of month]`: {`"bananas" is not a working day: write 1 of month, -1 of quarter (the last), 10 of year`},
		`cron: "@daily", calendar: k/a, working_days: [3 of week]`:           {`"3 of week" is not a working day: write 1 of month, -1 of quarter (the last), 10 of year`},
		`cron: "@daily", calendar: k/a, working_days: [3]`:                   {`each entry of working_days is a day as 3 of month, -1 of quarter or 10 of year, not the number 3`},
		`cron: "@daily", calendar: k/a, working_days: [32 of month]`:         {`"32 of month" is never: a month has at most 31 days`},
		`cron: "@daily", calendar: k/a, shift: after 400`:                    {`"after 400" looks too far: a shift is of at most 366 working days, and within at most 366 days`},
		`cron: "@daily", calendar: k/a, shift: after 1 within 400`:           {`"after 1 within 400" looks too far: a shift is of at most 366 working days, and within at most 366 days`},
		`cron: "@daily", calendar: k/a, shift: after 0`:                      {`"after 0" is not a shift: write skip, run, before or after; before 2 for the second working day before, before 2 within 5 for at most five days earlier`},
		`cron: "@daily", calendar: m/cal`:                                    {`there is no calendar "m/cal": put it into the file, or apply it first; without a server, name its file with --calendars`},
		`rrule: FREQ=YEARLY;INTERVAL=1000000`:                                {`it is never due: its only time within 40 years is 1970-01-01, where it begins without from`},
		`every: 1500ms`:                                                      {`an every of 1.5s is not in whole seconds`},
		`cron: "@daily", jitter: 1us`:                                        {`a jitter of 1µs is not in whole milliseconds`},
		`cron: "@daily", dst_overlap: 3`:                                     {`dst_overlap is one of first, last and both, not the number 3`},
		`cron: "@daily", catchup: true`:                                      {`catchup is one of none, last and all, not true`},
		`cron: "@daily", zone: 5`:                                            {`zone is the name of a time zone, as Europe/Berlin, not the number 5`},
		`cron: 5`:                                                            {`cron is a line of cron in quotes, as "30 2 * * *", not the number 5`},
		`rrule: 5`:                                                           {`rrule is a rule of RFC 5545, as FREQ=DAILY, not the number 5`},
		`cron: "@daily", from: 2026`:                                         {`from is a day or a time, as 2026-01-01 or 2026-01-01T06:00, not the number 2026`},
		`cron: "@daily", shift: 1`:                                           {`shift is skip, run, before or after, not the number 1`},
		`cron: "@daily", until: 2026-13-01, from: 3`:                         {`"2026-13-01" is not a time: write 2026-12-24, 2026-12-24T06:00 or 2026-12-24T06:00:30, a wall time of the zone; or with an offset, 2026-12-24T06:00:00+01:00`, `from is a day or a time, as 2026-01-01 or 2026-01-01T06:00, not the number 3`},
	} {
		_, err := Parse("x", []byte("net: a/b\nschedules: [{name: x, "+text+"}]\njobs: [{name: x, command: [echo], estimate: 1m}]\n"), check)
		var mistakes fault.Mistakes
		if !errors.As(err, &mistakes) {
			t.Errorf("%s: got %v", text, err)
			continue
		}
		var got []string
		for _, m := range mistakes {
			got = append(got, strings.ReplaceAll(m.Message, calendar.Builtin().Version(), "TZDATA"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
