package timetable_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/timetable"
)

func crontab(t *testing.T, text string, o timetable.Options) []timetable.Entry {
	t.Helper()
	if o.Zone == "" {
		o.Zone = "America/New_York"
	}
	result := timetable.Crontab(timetable.File{Name: "tab", Text: text}, o)
	if len(result.Mistakes) > 0 {
		t.Fatalf("mistakes: %v", result.Mistakes)
	}
	return result.Entries
}

// TestCronTZ: with CRON_TZ cronie does not make up for what is missing in that zone, and repeats what comes twice there, but in the
// hour that its own machine repeats (cronie src/cron.c, find_jobs).
func TestCronTZ(t *testing.T) {
	t.Parallel()
	zones := calendar.Builtin()
	compiler := calendar.NewCompiler(zones, nil)
	from, until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for line, want := range map[string]struct {
		gap  calendar.Gap
		fold calendar.Fold
		due  int64 // in 2026
	}{
		"30 2 * * * x":                              {calendar.GapNextValid, calendar.FoldFirst, 365},
		"CRON_TZ=Europe/Berlin\n30 2 * * * x":       {calendar.GapSkip, calendar.FoldBoth, 365},
		"CRON_TZ=Europe/Berlin\n30 2 1-28 3 * x":    {calendar.GapSkip, calendar.FoldBoth, 28},
		"CRON_TZ=Europe/Berlin\n30 2 20-31 3 * x":   {calendar.GapSkip, calendar.FoldBoth, 11},
		"CRON_TZ=Europe/Berlin\n30 2 20-31 10 * x":  {calendar.GapSkip, calendar.FoldBoth, 13},
		"CRON_TZ=America/New_York\n30 2 1-9 3 * x":  {calendar.GapSkip, calendar.FoldFirst, 8},
		"CRON_TZ=America/New_York\n30 1 1-9 11 * x": {calendar.GapSkip, calendar.FoldFirst, 9},
		"CRON_TZ=Europe/Berlin\n30 * 29 3 * x":      {calendar.GapNextValid, calendar.FoldFirst, 23}, // by real time already
	} {
		entries := crontab(t, line+"\n", timetable.Options{})
		s := entries[0].Net.Schedules[0]
		if s.Gap != want.gap || s.Fold != want.fold {
			t.Errorf("%q: dst_gap %s and dst_overlap %s, want %s and %s", line, s.Gap, s.Fold, want.gap, want.fold)
		}
		got, problems := entries[0].Compare(compiler, zones, from, until)
		if len(problems) > 0 || got.Source != want.due || got.Reeve != want.due || len(got.Differences) > 0 {
			t.Errorf("%q: %+v (%v), want %d there and here", line, got, problems, want.due)
		}
	}
}

func TestCrontab(t *testing.T) {
	t.Parallel()
	entries := crontab(t, `# the nightly work
SHELL=/bin/bash
MAILTO = "ops@example.com"
GREETING='hello ${world}'
30 2 * * * /usr/local/bin/backup --all
CRON_TZ=Europe/Berlin
-*/15 8-17 * * mon-fri  cd /srv && ./poll.sh
@daily mail -s today root%one line%and 100\% more
`, timetable.Options{Folder: "imported"})
	if len(entries) != 3 {
		t.Fatalf("got %d entries, want 3", len(entries))
	}
	backup, poll, mail := entries[0], entries[1], entries[2]
	if got, want := backup.Net.Name, "imported/backup"; got != want {
		t.Errorf("name: got %s, want %s", got, want)
	}
	wantScript := "#!/bin/bash\nPATH='/usr/bin:/bin'\nexport PATH\nGREETING='hello ${world}'\nexport GREETING\ncd \"$HOME\" || exit 1\n/usr/local/bin/backup --all\n"
	if diff := cmp.Diff(wantScript, backup.Net.Jobs[0].Script); diff != "" {
		t.Errorf("script (-want +got):\n%s", diff)
	}
	if s := backup.Net.Schedules[0]; s.Cron != "30 2 * * *" || s.Zone != "America/New_York" || s.Gap != calendar.GapNextValid || s.Fold != calendar.FoldFirst {
		t.Errorf("fixed times: got %+v", s)
	}
	if s := poll.Net.Schedules[0]; s.Zone != "Europe/Berlin" || s.Gap != calendar.GapSkip || s.Fold != calendar.FoldBoth {
		t.Errorf("a star in the minute goes by real time: got %+v", s)
	}
	if got, want := poll.Net.Name, "imported/srv"; got != want && got != "imported/poll-sh" {
		t.Errorf("name: got %s, want %s", got, want)
	}
	if script := mail.Net.Jobs[0].Script; !strings.HasSuffix(script, "{ mail -s today root\n} <<'END_OF_INPUT'\none line\nand 100% more\nEND_OF_INPUT\n") {
		t.Errorf("percent signs: got %q", script)
	}
	kinds := map[string]int{}
	for _, n := range backup.Notes {
		kinds[n.Kind]++
	}
	if kinds["mail"] != 1 || kinds["user"] != 1 {
		t.Errorf("notes: got %v", backup.Notes)
	}
	for _, e := range entries {
		if _, err := jobfile.Parse("made", jobfile.Format(e.Net)); err != nil {
			t.Errorf("%s is not a definition that can be applied: %v", e.Net.Name, err)
		}
	}
}

func TestSystemCrontab(t *testing.T) {
	t.Parallel()
	entries := crontab(t, "RANDOM_DELAY=30\n17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n", timetable.Options{System: true})
	e := entries[0]
	if got := e.Net.Jobs[0].RunAs; got != "root" {
		t.Errorf("user: got %q, want root", got)
	}
	if got, want := e.Net.Schedules[0].Jitter, 30*time.Minute; got != want {
		t.Errorf("RANDOM_DELAY: got %s, want %s", got, want)
	}
}

func TestCrontabMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"@reboot /bin/x":              "@reboot is no time",
		"@fortnightly /bin/x":         "@fortnightly is no macro of cron",
		"1 2 3 4":                     "five fields of time",
		"1 2 3 4 5":                   "there is no command",
		"0~59 2 * * * x":              "drawn anew by cron",
		"RANDOM_DELAY=x\n1 2 * * * x": "minutes from 1 to 1439",
	} {
		result := timetable.Crontab(timetable.File{Name: "tab", Text: text}, timetable.Options{Zone: "UTC"})
		if len(result.Mistakes) != 1 || !strings.Contains(result.Mistakes[0].Message, want) || len(result.Entries) != 0 {
			t.Errorf("%q: got %v and %d entries, want %q", text, result.Mistakes, len(result.Entries), want)
		}
	}
}

func compare(t *testing.T, e timetable.Entry, from string, months int) timetable.Comparison {
	t.Helper()
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	zones := calendar.Builtin()
	c, problems := e.Compare(calendar.NewCompiler(zones, nil), zones, at, at.AddDate(0, months, 0))
	if len(problems) > 0 {
		t.Fatalf("%s: %v", e.Text, problems)
	}
	return c
}

// TestDifferences: what is not the same when clocks change, by name.
func TestDifferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line, zone string
		want       []string
	}{
		{"30 2 * * * x", "America/New_York", nil},
		{"30 1 * * * x", "America/New_York", nil},
		{"30 * * * * x", "America/New_York", nil},
		{"*/20 2 * * * x", "America/New_York", nil},
		{"*/20 1 * * * x", "America/New_York", nil},
		{"0,30 2 * * * x", "America/New_York", []string{"2026-03-08T07:00:00Z source"}}, // cron makes two starts of it
		{"0 0 * * * x", "America/Havana", nil},
		{"15 2 * * * x", "Australia/Lord_Howe", nil},
	} {
		got := compare(t, crontab(t, c.line, timetable.Options{Zone: c.zone})[0], "2026-01-01T00:00:00Z", 13)
		var said []string
		for _, d := range got.Differences {
			said = append(said, d.At.Format(time.RFC3339)+" "+d.Who)
		}
		if diff := cmp.Diff(c.want, said); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", c.line, c.zone, diff)
		}
		if got.Same+int64(len(got.Differences)) < got.Source || got.Source == 0 {
			t.Errorf("%s in %s: %d starts there, %d the same, %d differences", c.line, c.zone, got.Source, got.Same, len(got.Differences))
		}
	}
}

// TestThousandCrontabs: lines as people write them. Every difference of thirteen months is listed, none is silent: what both
// have in common and what is listed give each side's starts, and a third description of cron, minute by minute, agrees.
func TestThousandCrontabs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(20, 26))
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	zones := []string{"America/New_York", "Europe/Berlin", "UTC", "Australia/Lord_Howe", "America/Havana", "Asia/Tokyo", "Africa/Cairo"}
	apart := 0
	for i := range 1000 {
		text := strings.Join([]string{
			one("0", "30", "*/5", "*/15", "17", "0,30", "*", "5-10", "59"), one("2", "1", "*", "*/2", "0", "3", "1-5", "22,23", "6", "*/4"),
			one("*", "*", "*", "1", "15", "1-7", "*/2", "31"), one("*", "*", "*", "1", "3,10,11", "JAN-JUN"), one("*", "*", "*", "0", "1-5", "sun", "7", "MON"), "work",
		}, " ")
		zone := zones[i%len(zones)]
		e := crontab(t, text, timetable.Options{Zone: zone})[0]
		months := 13
		if i%40 != 0 {
			months = 1 + r.IntN(2) // the third description is slow
		}
		from := fmt.Sprintf("2026-%02d-01T00:00:00Z", 1+r.IntN(12))
		got := compare(t, e, from, months)
		fromSource, fromReeve := int64(0), int64(0)
		for _, d := range got.Differences {
			if d.Why == "" {
				t.Errorf("%s: a difference without a reason at %s", text, d.At)
			}
			if d.Who == "source" {
				fromSource++
			} else {
				fromReeve++
			}
		}
		if got.Source != got.Same+fromSource || got.Reeve != got.Same+fromReeve {
			t.Errorf("%s in %s from %s: %d there, %d here, %d the same, and listed %d and %d", text, zone, from, got.Source, got.Reeve, got.Same, fromSource, fromReeve)
		}
		if want := played(t, text, zone, got.From, got.Until); want != got.Source {
			t.Errorf("%s in %s from %s, %d months: cron played minute by minute makes %d starts, %d are said", text, zone, from, months, want, got.Source)
		}
		apart += len(got.Differences)
	}
	if apart == 0 {
		t.Error("no difference in a thousand lines: the comparison cannot be looking")
	}
}

// played counts starts by going through real time as cron's main loop does: a virtual clock follows the wall clock, runs ahead
// through what was skipped for lines of fixed times, and stands still in a repeated hour.
func played(t *testing.T, text, zone string, from, until time.Time) int64 {
	t.Helper()
	loc, ok := calendar.Builtin().Location(zone)
	if !ok {
		t.Fatalf("no zone %s", zone)
	}
	fields := strings.Fields(text)
	s := calendar.DefaultSchedule()
	s.Name, s.Cron = "wall", strings.Join(fields[:5], " ")
	rule, problems := calendar.NewCompiler(calendar.Builtin(), nil).Compile("wall", s)
	if len(problems) > 0 {
		return 0
	}
	meant := map[int64]bool{}
	for o := range rule.Between(from.Add(-50*time.Hour), until.Add(50*time.Hour)) {
		meant[o.Nominal.Unix()/60] = true
	}
	wild := fields[0][0] == '*' || fields[1][0] == '*'
	wall := func(u int64) int64 { _, o := time.Unix(u, 0).In(loc).Zone(); return (u + int64(o)) / 60 }
	starts, virtual := int64(0), wall(from.Unix()-48*3600)
	for u := from.Unix() - 48*3600 + 60; u <= until.Unix(); u += 60 {
		now := wall(u)
		counts := u > from.Unix()
		switch ahead := now - virtual; {
		case wild:
			if counts && meant[now] {
				starts++
			}
			virtual = now
		case ahead > 180 || ahead < -180:
			virtual = now
			if counts && meant[now] {
				starts++
			}
		case ahead > 0:
			for virtual < now {
				virtual++
				if counts && meant[virtual] {
					starts++
				}
			}
		}
	}
	return starts
}
