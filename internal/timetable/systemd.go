package timetable

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Timers reads unit files of systemd: each .timer with the .service that it starts, which must be among the files.
func Timers(files []File, o Options, zones *calendar.Zones) Result {
	var out Result
	t := timers{options: o, zones: zones, result: &out, names: names{folder: o.Folder, seen: map[string]int{}}, units: map[string]unit{}}
	for _, f := range files {
		if out.text(f) {
			t.units[path.Base(f.Name)] = t.read(f)
		}
	}
	for _, f := range files {
		if u, ok := t.units[path.Base(f.Name)]; ok && strings.HasSuffix(f.Name, ".timer") {
			t.timer(u)
		}
	}
	return out
}

type timers struct {
	options Options
	zones   *calendar.Zones
	result  *Result
	names   names
	units   map[string]unit
}

// unit is a unit file: every setting of every section with its place.
type unit struct {
	file     File
	settings []setting
}

type setting struct {
	section, name, value string
	line                 int
}

// read cuts a unit file into settings. A line that ends with \ goes on; an empty value forgets what stands before it.
func (t *timers) read(f File) unit {
	u := unit{file: f}
	section, held, first := "", "", 0
	for i, line := range strings.Split(f.Text, "\n") {
		line = strings.TrimSpace(line)
		if held == "" && (line == "" || line[0] == '#' || line[0] == ';') {
			continue
		}
		if held == "" {
			first = i + 1
		}
		if rest, more := strings.CutSuffix(line, `\`); more {
			held += rest + " "
			continue
		}
		line, held = held+line, ""
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line[1 : len(line)-1]
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section == "" {
			t.result.mistake(f, first, 1, "a section or a setting is expected: [Timer], or Name=value")
			continue
		}
		s := setting{section, strings.TrimSpace(name), strings.TrimSpace(value), first}
		if s.value == "" {
			u.settings = slices.DeleteFunc(u.settings, func(old setting) bool { return old.section == s.section && old.name == s.name })
			continue
		}
		u.settings = append(u.settings, s)
	}
	return u
}

func (u unit) all(section, name string) []setting {
	var out []setting
	for _, s := range u.settings {
		if s.section == section && s.name == name {
			out = append(out, s)
		}
	}
	return out
}

func (u unit) last(section, name string) string {
	if all := u.all(section, name); len(all) > 0 {
		return all[len(all)-1].value
	}
	return ""
}

func (t *timers) timer(u unit) {
	base := strings.TrimSuffix(path.Base(u.file.Name), ".timer")
	service := u.last("Timer", "Unit")
	if service == "" {
		service = base + ".service"
	}
	e := Entry{File: u.file.Name, Line: 1, Text: path.Base(u.file.Name)}
	started, known := t.units[service]
	if !known {
		t.result.mistake(u.file, 1, 1, "the unit %s that it starts is not among the files: give it too", service)
		return
	}
	before := len(t.result.Mistakes)
	for _, s := range u.settings {
		if s.section == "Timer" {
			t.setting(&e, u, s)
		}
	}
	if len(e.Net.Schedules) == 0 {
		if len(t.result.Mistakes) == before {
			t.result.mistake(u.file, 1, 1, "there is no OnCalendar, OnUnitActiveSec or OnUnitInactiveSec in it: nothing of it recurs")
		}
		return
	}
	t.counted(&e, u)
	leftOut(&e, u, "Timer", timerSettings())
	t.modify(&e, u)
	jobs, ok := t.jobs(&e, started)
	if !ok {
		return
	}
	e.Net.Name, e.Net.Jobs = t.names.of(base), jobs
	e.Net.Description = "from " + u.file.Name
	if d := u.last("Unit", "Description"); d != "" {
		e.Net.Description = clipped(d) + " (from " + u.file.Name + ")"
	}
	t.result.Entries = append(t.result.Entries, e)
}

// setting takes what says when.
func (t *timers) setting(e *Entry, u unit, s setting) {
	switch s.name {
	case "OnCalendar":
		t.onCalendar(e, u, s)
	case "OnUnitActiveSec", "OnUnitInactiveSec":
		d, err := span(s.value)
		if err != nil || d < time.Second {
			t.result.mistake(u.file, s.line, 1, "%s is %q: a time span of at least a second is expected, as 15min or 1h 30min", s.name, s.value)
			return
		}
		schedule := calendar.DefaultSchedule()
		schedule.Every = d
		if s.name == "OnUnitInactiveSec" {
			schedule.EveryBy = calendar.EveryEnd
		}
		e.add(schedule, walls{})
	case "OnBootSec", "OnStartupSec", "OnActiveSec":
		e.note("start", "%s=%s: the start after the machine's own start is left out; let the host run `reeve run start`", s.name, s.value)
	}
}

// add adds a schedule under a name of its own, with what the source does.
func (e *Entry) add(s calendar.Schedule, w walls) {
	s.Name = "timer"
	if n := len(e.Net.Schedules); n > 0 {
		s.Name = fmt.Sprintf("timer-%d", n+1)
	}
	e.Net.Schedules, e.walls = append(e.Net.Schedules, s), append(e.walls, w)
}

// counted says what is not the same of what counts from starts and ends.
func (t *timers) counted(e *Entry, u unit) {
	for _, s := range u.all("Timer", "OnUnitInactiveSec") {
		if len(e.Net.Schedules) > 1 {
			e.note("start", "%s=%s counts from the end of the unit, whatever started it; here from the end of the runs of this schedule", s.name, s.value)
		}
	}
	for _, s := range u.all("Timer", "OnUnitActiveSec") {
		e.note("start", "%s=%s counts from the last start of the unit; here it is a fixed grid of elapsed time", s.name, s.value)
	}
}

// mostYears is how many schedules one expression becomes at most.
const mostYears = 10

func (t *timers) onCalendar(e *Entry, u unit, s setting) {
	m, err := parseMoment(s.value, t.zones)
	if err != nil {
		t.result.mistake(u.file, s.line, 1, "OnCalendar=%s: %s", s.value, err)
		return
	}
	runs := m.runs()
	if len(runs) > mostYears {
		t.result.mistake(u.file, s.line, 1, "OnCalendar=%s: its years have gaps more than %d times; write a schedule for each run of years, with from and until", s.value, mostYears)
		return
	}
	schedule := calendar.DefaultSchedule()
	if schedule.Zone = t.options.Zone; m.zone != "" {
		schedule.Zone = m.zone
	}
	schedule.Gap, schedule.Fold = calendar.GapSkip, calendar.FoldFirst // as systemd has it
	var ok bool
	if schedule.Cron, ok = m.cron(); !ok {
		schedule.RRule = m.rrule()
	}
	clock := moment{hours: m.hours, minutes: m.minutes, secs: m.secs}
	daily, _ := clock.cron()
	source := schedule
	source.Name, source.Cron, source.RRule = "source", daily, ""
	for _, years := range runs {
		schedule.From, schedule.Until = civil(years.from), civil(years.until)
		if schedule.RRule != "" && schedule.From == "" {
			schedule.From = civil(firstYear)
		}
		one := m
		one.years = slices.DeleteFunc(slices.Clone(m.years), func(y int) bool { return y < years.from || years.until > 0 && y >= years.until })
		e.add(schedule, walls{schedule: source, days: one.has, zone: schedule.Zone, manner: firstOnly})
	}
}

// modify takes what says how.
func (t *timers) modify(e *Entry, u unit) {
	if slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(u.last("Timer", "Persistent"))) {
		for i := range e.Net.Schedules {
			e.Net.Schedules[i].Catchup = calendar.CatchupLast
		}
	}
	// A unit that is active is not started once more.
	for i := range e.Net.Schedules {
		e.Net.Schedules[i].Overlap = calendar.OverlapSkip
	}
	if text := u.last("Timer", "RandomizedDelaySec"); text != "" {
		if d, err := span(text); err == nil && d > 0 {
			for i := range e.Net.Schedules {
				e.Net.Schedules[i].Jitter = d
			}
			if u.last("Timer", "FixedRandomDelay") == "" {
				e.note("delay", "RandomizedDelaySec=%s is drawn at each start; here it is jitter, which stays the same for one occurrence", text)
			}
		} else {
			e.note("delay", "RandomizedDelaySec=%s is not understood and left out", text)
		}
	}
	if text := u.last("Timer", "AccuracySec"); text != "" {
		e.note("delay", "AccuracySec=%s lets systemd be late on purpose; here a start is at its second", text)
	}
	if text := u.last("Timer", "WakeSystem"); text != "" && text != "no" && text != "false" {
		e.note("unit", "WakeSystem=%s: machines are not woken", text)
	}
}

// span reads a time span of systemd: 15min, 1h 30min, 90 (seconds).
func span(text string) (time.Duration, error) {
	units := map[string]time.Duration{
		"us": time.Microsecond, "usec": time.Microsecond, "ms": time.Millisecond, "msec": time.Millisecond,
		"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
		"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
		"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
		"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	}
	var all time.Duration
	rest := strings.ReplaceAll(text, " ", "")
	if rest == "" {
		return 0, fmt.Errorf("%q is no time span", text)
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no time span", text)
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		unit, ok := units[rest[:letters]]
		if !ok {
			return 0, fmt.Errorf("%q: %q is no unit of time", text, rest[:letters])
		}
		all += time.Duration(n) * unit
		rest = rest[letters:]
	}
	return all, nil
}
