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

// TestNothingIsLeftOutInSilence: each setting of the units is in the net, or a note names it.
func TestNothingIsLeftOutInSilence(t *testing.T) {
	t.Parallel()
	const oneshot = "[Unit]\nDescription=x\nAfter=network.target\nOnFailure=mail.service\n[Service]\nType=oneshot\nUser=nobody\nEnvironment=FOO=bar\nEnvironmentFile=/etc/default/x\n" +
		"ExecStartPre=/bin/mkdir /x\nExecStart=/opt/backup\nExecStop=/bin/stop\nTimeoutStartSec=90\nTimeoutStopSec=1min\nRuntimeMaxSec=5\nMemoryMax=1G\nNice=5\n" +
		"X-Ours=1\n[X-Other]\nY=2\n[Install]\nWantedBy=multi-user.target\n"
	e := timers(t, "[Unit]\nDescription=d\nRequires=x.mount\n[Timer]\nOnCalendar=daily\nOnClockChange=true\nRandomizedOffsetSec=5\n[Install]\nWantedBy=timers.target\n", oneshot)[0]
	var named []string
	for _, n := range e.Notes {
		name, _, _ := strings.Cut(n.Text, "=")
		named = append(named, n.Kind+" "+name)
	}
	slices.Sort(named)
	want := []string{
		"unit After", "unit EnvironmentFile", "unit ExecStop", "unit MemoryMax", "unit Nice", "unit OnClockChange", "unit OnFailure", "unit RandomizedOffsetSec",
		"unit Requires", "unit RuntimeMaxSec",
	}
	if !slices.Equal(named, want) {
		t.Errorf("noted:\n%q\nwant\n%q", named, want)
	}
	for _, j := range e.Net.Jobs {
		if j.Timeout != 90*time.Second || j.Grace != time.Minute {
			t.Errorf("%s: got timeout %s and grace %s, want those of each command of the unit", j.Name, j.Timeout, j.Grace)
		}
	}
	// Of a service that is up once it is started, the start and the run have bounds of their own.
	for text, want := range map[string]struct {
		timeouts []time.Duration
		noted    string
	}{
		"RuntimeMaxSec=5\nTimeoutStartSec=90\nExecStartPre=/bin/a\n":             {[]time.Duration{90 * time.Second, 5 * time.Second}, ""},
		"RuntimeMaxSec=5\nTimeoutSec=90\n":                                       {[]time.Duration{5 * time.Second}, "TimeoutSec"},
		"TimeoutStartSec=infinity\nRuntimeMaxSec=infinity\n":                     {[]time.Duration{0}, ""},
		"Type=oneshot\nTimeoutSec=1min 30s\n":                                    {[]time.Duration{90 * time.Second}, ""},
		"Type=oneshot\nTimeoutStartSec=soon\n":                                   {[]time.Duration{0}, "TimeoutStartSec"},
		"Type=forking\n":                                                         {[]time.Duration{0}, "Type"},
		"Type=exec\nTimeoutStartSec=1\nTimeoutStartSec=\nExecStartPost=/bin/b\n": {[]time.Duration{0, 0}, ""},
	} {
		e := timers(t, "[Timer]\nOnCalendar=daily\n", service+text)[0]
		var got []time.Duration
		for _, j := range e.Net.Jobs {
			got = append(got, j.Timeout)
		}
		if !slices.Equal(got, want.timeouts) || (want.noted == "") != (len(e.Notes) == 0) || want.noted != "" && !strings.HasPrefix(e.Notes[0].Text, want.noted+"=") {
			t.Errorf("%q: got timeouts %v and notes %v, want %+v", text, got, e.Notes, want)
		}
	}
}

// TestTimerOfYears: years are the schedule's from and until, one schedule for each run of them.
func TestTimerOfYears(t *testing.T) {
	t.Parallel()
	e := timers(t, "[Timer]\nOnCalendar=2027..2028,2031-1..3-* 02:30\nOnCalendar=Mon 2027/1-*-1..7 06:00\n", service)[0]
	var got []string
	for _, s := range e.Net.Schedules {
		got = append(got, s.Name+" "+s.Cron+s.RRule+" "+s.From+" "+s.Until)
	}
	want := []string{
		"timer 0 30 2 * 1,2,3 * 2027-01-01 2029-01-01", "timer-2 0 30 2 * 1,2,3 * 2031-01-01 2032-01-01",
		"timer-3 FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=MO;BYHOUR=6;BYMINUTE=0;BYSECOND=0 2027-01-01 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c := compare(t, e, "2026-06-01T00:00:00Z", 12*7)
	if len(c.Differences) != 0 || c.Source < 90+91+90 || c.Same != c.Source {
		t.Errorf("got %+v", c)
	}
	if _, err := jobfile.Parse("made", jobfile.Format(e.Net)); err != nil {
		t.Errorf("it is not a definition that can be applied: %v", err)
	}
}

// TestTimerOfBoth: what is known in advance is compared, also where something of the timer is not; and one line that cannot be taken does not take the others away.
func TestTimerOfBoth(t *testing.T) {
	t.Parallel()
	e := timers(t, "[Timer]\nOnUnitInactiveSec=90s\nOnCalendar=*-*-* 02:30\nOnUnitActiveSec=1h\nOnCalendar=weekly America/Havana\n", service)[0]
	if !e.Foreseen() || len(e.Net.Schedules) != 4 {
		t.Fatalf("foreseen: %v, %d schedules", e.Foreseen(), len(e.Net.Schedules))
	}
	c := compare(t, e, "2026-01-01T00:00:00Z", 13)
	if c.Source != 395+56 || c.Same != c.Source || len(c.Differences) != 0 || c.Without != 2 {
		t.Errorf("got %+v, want 395 nights and 56 weeks, without two schedules", c)
	}
	if n := len(e.Notes); n != 2 || !strings.HasPrefix(e.Notes[0].Text, "OnUnitInactiveSec=90s counts from the end of the unit") {
		t.Errorf("got %v", e.Notes)
	}
	if e := timers(t, "[Timer]\nOnUnitInactiveSec=90s\n", service)[0]; e.Foreseen() || len(e.Notes) != 0 {
		t.Errorf("alone: got %v and %v", e.Foreseen(), e.Notes)
	}
	result := timetable.Timers([]timetable.File{{Name: "a.timer", Text: "[Timer]\nOnCalendar=daily\nOnCalendar=*-*-* 15:30:00.5\nOnUnitActiveSec=often\nOnCalendar=weekly\n"}, {Name: "a.service", Text: service}},
		timetable.Options{Zone: "UTC"}, calendar.Builtin())
	if len(result.Mistakes) != 2 || result.Mistakes[0].Line != 3 || result.Mistakes[1].Line != 4 || len(result.Entries) != 1 || len(result.Entries[0].Net.Schedules) != 2 {
		t.Errorf("got %v and %+v", result.Mistakes, result.Entries)
	}
}

// TestNoText: what is not text is one mistake, at its place.
func TestNoText(t *testing.T) {
	t.Parallel()
	for text, line := range map[string]int{"\x7fELF\x00\x01\n* * * * *\n": 1, "# fine\n# caf\xe9\n* * * * * x\n": 2} {
		f := timetable.File{Name: "a.timer", Text: text}
		for what, got := range map[string]timetable.Result{
			"crontab": timetable.Crontab(f, timetable.Options{Zone: "UTC"}),
			"timer":   timetable.Timers([]timetable.File{f}, timetable.Options{Zone: "UTC"}, calendar.Builtin()),
		} {
			if len(got.Mistakes) != 1 || len(got.Entries) != 0 || got.Mistakes[0].Line != line || !strings.Contains(got.Mistakes[0].Message, "not UTF-8 text") {
				t.Errorf("%s of %q: got %v and %d entries, want one mistake in line %d", what, text, got.Mistakes, len(got.Entries), line)
			}
		}
	}
}

func TestTimerMistakes(t *testing.T) {
	t.Parallel()
	for timer, want := range map[string]string{
		"[Timer]\nOnCalendar=Mox *-*-* 02:30\n":       "no day of the week",
		"[Timer]\nOnCalendar=*-13-01 02:30\n":         "outside of 1 to 12",
		"[Timer]\nOnCalendar=2027/2-01-01 02:30\n":    "more than 10 times",
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
			"Mon 2026..2027,2029-*-* 02:30:00", "*-01,04,07,10-01 00:00:00", "weekly", "quarterly", "Sat *-*-* 06,14,22:00", "*-*-* 02:15,45:00",
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
