package timetable_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/timetable"
)

const service = "[Service]\nExecStart=/usr/bin/true\n"

func timers(t *testing.T, timer, service string) []timetable.Entry {
	t.Helper()
	result := timetable.Timers([]timetable.File{{Name: "/etc/systemd/system/backup.timer", Text: timer}, {Name: "/etc/systemd/system/backup.service", Text: service}},
		timetable.Options{Zone: "America/New_York", Folder: "imported"}, calendar.Builtin())
	if len(result.Mistakes) > 0 {
		t.Fatalf("mistakes: %v", result.Mistakes)
	}
	return result.Entries
}

func TestTimer(t *testing.T) {
	t.Parallel()
	e := timers(t, "[Unit]\nDescription=Nightly backup\n[Timer]\nOnCalendar=Mon..Fri *-*-* 02:30\nOnCalendar=Sat 12:00 Europe/Berlin\nPersistent=true\nRandomizedDelaySec=5min\n",
		"[Service]\nUser=backup\nEnvironment=\"LEVEL=full ${x}\" PATH=/bin\nExecStartPre=-/bin/mkdir -p '/var/my backup'\nExecStart=/usr/bin/backup --to \"/var/my backup\" $LEVEL\n")[0]
	if got, want := e.Net.Name, "imported/backup"; got != want {
		t.Errorf("name: got %s, want %s", got, want)
	}
	if len(e.Net.Schedules) != 2 || len(e.Net.Jobs) != 2 {
		t.Fatalf("got %d schedules and %d jobs, want 2 and 2", len(e.Net.Schedules), len(e.Net.Jobs))
	}
	first, second := e.Net.Schedules[0], e.Net.Schedules[1]
	if first.Cron != "0 30 2 * * 1,2,3,4,5" || first.Zone != "America/New_York" || first.Gap != calendar.GapSkip || first.Catchup != calendar.CatchupLast ||
		first.Overlap != calendar.OverlapSkip || first.Jitter != 5*time.Minute || second.Zone != "Europe/Berlin" {
		t.Errorf("got %+v and %+v", first, second)
	}
	if got, want := e.Net.Jobs[0].Command, []string{"/bin/mkdir", "-p", "/var/my backup"}; !slices.Equal(got, want) || !slices.Contains(e.Net.Jobs[0].OK, 7) {
		t.Errorf("got %q, ok %d codes", got, len(e.Net.Jobs[0].OK))
	}
	if got, want := e.Net.Jobs[1].Env["LEVEL"], "full $${x}"; got != want || e.Net.Jobs[1].RunAs != "backup" || !slices.Equal(e.Net.Jobs[1].After, []string{"run-1"}) {
		t.Errorf("got %+v", e.Net.Jobs[1])
	}
	if _, err := jobfile.Parse("made", jobfile.Format(e.Net)); err != nil {
		t.Errorf("it is not a definition that can be applied: %v", err)
	}
}

func TestTimerMistakes(t *testing.T) {
	t.Parallel()
	for timer, want := range map[string]string{
		"[Timer]\nOnCalendar=Mox *-*-* 02:30\n":       "no day of the week",
		"[Timer]\nOnCalendar=*-13-01 02:30\n":         "outside of 1 to 12",
		"[Timer]\nOnCalendar=2027-01-01 02:30\n":      "an expression with years",
		"[Timer]\nOnBootSec=5min\n":                   "nothing of it recurs",
		"[Timer]\nOnUnitActiveSec=often\n":            "a time span",
		"nonsense\n":                                  "a section or a setting",
		"[Timer]\nOnCalendar=daily\nUnit=x.service\n": "is not among the files",
	} {
		result := timetable.Timers([]timetable.File{{Name: "a.timer", Text: timer}, {Name: "a.service", Text: service}}, timetable.Options{Zone: "UTC"}, calendar.Builtin())
		if len(result.Mistakes) == 0 || !strings.Contains(result.Mistakes[0].Message, want) || len(result.Entries) != 0 {
			t.Errorf("%q: got %v and %d entries, want %q", timer, result.Mistakes, len(result.Entries), want)
		}
	}
}

// TestAgainstSystemd asks systemd itself what its expressions mean, and holds what the report says of the source against it.
func TestAgainstSystemd(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not on this machine")
	}
	from := time.Date(2026, 2, 20, 0, 0, 0, 0, time.UTC)
	for _, zone := range []string{"America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC"} {
		for _, expression := range []string{
			"daily", "*-*-* 02:30:00", "*-*-* 01:30", "Mon..Fri *-*-* 06:00", "Sun,Wed 03:15:30", "*-*~01 12:00", "*-*~03 00:00", "Fri *-*-1..7 18:00:00",
			"*-01,04,07,10-01 00:00:00", "weekly", "quarterly", "Sat *-*-* 06,14,22:00", "*-*-* 02:15,45:00",
		} {
			result := timetable.Timers([]timetable.File{{Name: "a.timer", Text: "[Timer]\nOnCalendar=" + expression + "\n"}, {Name: "a.service", Text: service}},
				timetable.Options{Zone: zone}, calendar.Builtin())
			if len(result.Mistakes) > 0 {
				t.Errorf("%s: %v", expression, result.Mistakes)
				continue
			}
			want := systemdSays(t, zone, []string{analyze, expression}, from)
			if len(want) == 0 {
				t.Fatalf("systemd says nothing of %s", expression)
			}
			until := want[len(want)-1]
			zones := calendar.Builtin()
			c, problems := result.Entries[0].Compare(calendar.NewCompiler(zones, nil), zones, from, until)
			if len(problems) > 0 {
				t.Errorf("%s: %v", expression, problems)
				continue
			}
			if c.Source != int64(len(want)) {
				t.Errorf("%s in %s until %s: systemd starts it %d times, the report says %d", expression, zone, until, len(want), c.Source)
			}
			if len(c.Differences) != 0 {
				t.Errorf("%s in %s: differences %v", expression, zone, c.Differences)
			}
		}
	}
}

// systemdSays returns the next 300 starts of an expression, by the program that is given with it.
func systemdSays(t *testing.T, zone string, asked []string, from time.Time) []time.Time {
	t.Helper()
	analyze, expression := asked[0], asked[1]
	loc, ok := calendar.Builtin().Location(zone)
	if !ok {
		t.Fatalf("no zone %s", zone)
	}
	cmd := exec.Command(analyze, "calendar", "--base-time="+from.In(loc).Format("2006-01-02 15:04:05"), "--iterations=300", expression)
	cmd.Env = []string{"TZ=" + zone, "LC_ALL=C", "PATH=/usr/bin:/bin"}
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", expression, err, text)
	}
	var out []time.Time
	for line := range bytes.Lines(text) {
		label, value, ok := strings.Cut(string(line), ": ")
		label = strings.TrimSpace(label)
		if !ok || label != "(in UTC)" && (zone != "UTC" || label != "Next elapse" && !strings.HasPrefix(label, "Iter")) {
			continue
		}
		at, err := time.Parse("Mon 2006-01-02 15:04:05 MST", strings.TrimSpace(value))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, at)
	}
	return out
}
