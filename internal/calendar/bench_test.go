package calendar

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkNext is the next occurrence, by kind of rule: under 5 µs for usual ones.
func BenchmarkNext(b *testing.B) {
	office := &Definition{Name: "office", Week: []time.Weekday{1, 2, 3, 4, 5}, Free: []Date{{Date: "12-25"}, {Date: "01-01"}}}
	for name, change := range map[string]func(*Schedule){
		"minute":       func(s *Schedule) { s.Cron = "* * * * *" },
		"daily":        func(s *Schedule) { s.Cron = "30 2 * * *" },
		"weekdays":     func(s *Schedule) { s.Cron = "*/15 8-17 * * MON-FRI" },
		"last day":     func(s *Schedule) { s.Cron = "0 18 L * *" },
		"yearly":       func(s *Schedule) { s.Cron = "@yearly" },
		"leap day":     func(s *Schedule) { s.Cron = "0 0 29 2 *" },
		"rrule":        func(s *Schedule) { s.RRule = "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6" },
		"rrule setpos": func(s *Schedule) { s.RRule = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1" },
		"every":        func(s *Schedule) { s.Every = 7 * time.Minute },
		"calendar":     func(s *Schedule) { s.Cron, s.Calendar = "0 6 * * *", "office" },
		"shift":        func(s *Schedule) { s.Cron, s.Calendar, s.Shift = "0 6 * * *", "office", "after" },
		"working day":  func(s *Schedule) { s.Cron, s.Calendar, s.WorkingDays = "0 18 * * *", "office", []string{"-1 of month"} },
		"blackout":     func(s *Schedule) { s.Cron, s.Blackouts = "0 * * * *", []Blackout{{From: "22:00", Until: "06:00"}} },
		"jitter":       func(s *Schedule) { s.Cron, s.Jitter = "0 6 * * *", 10*time.Minute },
	} {
		s := DefaultSchedule()
		s.Name, s.Zone = "s", "Europe/Berlin"
		change(&s)
		r, problems := NewCompiler(Builtin(), func(string) (*Definition, bool) { return office, true }).Compile("n", s)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		b.Run(name, func(b *testing.B) {
			after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				o, ok := r.Next(after)
				if after = o.Due; !ok || after.Year() > 2100 {
					after = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				}
			}
		})
	}
}

// BenchmarkThirteenMonthsDaily is one net's part of the figure for 50,000 nets: under 30 s for all.
func BenchmarkThirteenMonthsDaily(b *testing.B) {
	r := compiled(b, func(s *Schedule) { s.Cron, s.Zone = "30 2 * * *", "Europe/Berlin" })
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until := since.AddDate(0, 13, 0)
	n := 0
	for b.Loop() {
		n = 0
		for range r.Between(since, until) {
			n++
		}
	}
	b.ReportMetric(float64(n), "occurrences")
}

// BenchmarkCount is the outage of 400 days of a schedule of every second.
func BenchmarkCount(b *testing.B) {
	office := &Definition{Name: "office", Week: []time.Weekday{1, 2, 3, 4, 5}}
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(*Schedule){
		"second":   func(s *Schedule) { s.Cron = "* * * * * *" },
		"fixed":    func(s *Schedule) { s.Cron = "* * 0-23 * * *" },
		"calendar": func(s *Schedule) { s.Cron, s.Calendar = "* * * * * *", "office" },
		"shift":    func(s *Schedule) { s.Cron, s.Calendar, s.Shift = "*/10 * * * * *", "office", "after" },
		"every":    func(s *Schedule) { s.Every, s.Calendar, s.Shift = 11*time.Second, "office", "after" },
		"blackout": func(s *Schedule) { s.Cron, s.Blackouts = "* * * * * *", []Blackout{{From: "22:00", Until: "06:00"}} },
		"jitter":   func(s *Schedule) { s.Cron, s.Jitter = "* * * * * *", time.Minute },
	} {
		s := DefaultSchedule()
		s.Name, s.Zone = "s", "Europe/Berlin"
		change(&s)
		r, problems := NewCompiler(Builtin(), func(string) (*Definition, bool) { return office, true }).Compile("n", s)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Count(since, since.AddDate(0, 0, 400))
			}
		})
	}
}

// BenchmarkCompile is 100,000 schedules of a hundred expressions in twenty zones: under 2 s with what the server does besides, and
// how much memory they hold.
func BenchmarkCompile(b *testing.B) {
	names := Builtin().Names()
	schedules := make([]Schedule, 100_000)
	for i := range schedules {
		s := DefaultSchedule()
		s.Name, s.Cron, s.Zone = "nightly", fmt.Sprintf("%d %d * * *", i%60, i/1000%24), names[i%20*29]
		schedules[i] = s
	}
	var rules []*Rule
	var before, after runtime.MemStats
	for b.Loop() {
		rules = make([]*Rule, len(schedules))
		runtime.GC()
		runtime.ReadMemStats(&before)
		compiler := NewCompiler(Builtin(), nil)
		for i := range schedules {
			rules[i], _ = compiler.Compile("ops/net", schedules[i])
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
	}
	runtime.KeepAlive(rules)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(schedules)), "B/rule")
}

// BenchmarkZone is the first use of a zone with all its fields for gaps and overlaps.
func BenchmarkZone(b *testing.B) {
	loc, _ := Builtin().Location("America/New_York")
	for b.Loop() {
		newTimeline(newZone(loc), GapNextValid, FoldFirst)
	}
}
