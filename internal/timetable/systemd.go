package timetable

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Timers reads unit files of systemd: each .timer with the .service that it starts, which must be among the files.
func Timers(files []File, o Options, zones *calendar.Zones) Result {
	var out Result
	t := timers{options: o, zones: zones, result: &out, names: names{folder: o.Folder, seen: map[string]int{}}, units: map[string]unit{}}
	for _, f := range files {
		t.units[path.Base(f.Name)] = t.read(f)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".timer") {
			t.timer(t.units[path.Base(f.Name)])
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
	for _, s := range u.settings {
		if s.section == "Timer" && !t.setting(&e, u, s) {
			return
		}
	}
	if len(e.Net.Schedules) == 0 {
		t.result.mistake(u.file, 1, 1, "there is no OnCalendar, OnUnitActiveSec or OnUnitInactiveSec in it: nothing of it recurs")
		return
	}
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

// setting takes what says when. It reports whether the timer can be taken at all.
func (t *timers) setting(e *Entry, u unit, s setting) bool {
	schedule := calendar.DefaultSchedule()
	schedule.Name = "timer"
	if n := len(e.Net.Schedules); n > 0 {
		schedule.Name = fmt.Sprintf("timer-%d", n+1)
	}
	switch s.name {
	case "OnCalendar":
		return t.onCalendar(e, u, s, schedule)
	case "OnUnitActiveSec", "OnUnitInactiveSec":
		d, err := span(s.value)
		if err != nil || d < time.Second {
			t.result.mistake(u.file, s.line, 1, "%s is %q: a time span of at least a second is expected, as 15min or 1h 30min", s.name, s.value)
			return false
		}
		schedule.Every = d
		if s.name == "OnUnitInactiveSec" {
			schedule.EveryBy = calendar.EveryEnd
		} else {
			e.note("start", "%s=%s counts from the last start of the unit; here it is a fixed grid of elapsed time", s.name, s.value)
		}
		e.Net.Schedules = append(e.Net.Schedules, schedule)
	case "OnBootSec", "OnStartupSec", "OnActiveSec":
		e.note("start", "%s=%s: the start after the machine's own start is left out; let the host run `reeve run start`", s.name, s.value)
	}
	return true
}

func (t *timers) onCalendar(e *Entry, u unit, s setting, schedule calendar.Schedule) bool {
	m, err := parseMoment(s.value, t.zones)
	if err != nil {
		t.result.mistake(u.file, s.line, 1, "OnCalendar=%s: %s", s.value, err)
		return false
	}
	schedule.Zone = t.options.Zone
	if m.zone != "" {
		schedule.Zone = m.zone
	}
	schedule.Gap, schedule.Fold = calendar.GapSkip, calendar.FoldFirst // as systemd has it
	var ok bool
	if schedule.Cron, ok = m.cron(); !ok {
		if schedule.RRule, ok = m.rrule(); ok {
			schedule.From = "1970-01-01"
		}
	}
	if !ok {
		t.result.mistake(u.file, s.line, 1, "OnCalendar=%s: an expression with years has no form here; write it as dates, or with from and until", s.value)
		return false
	}
	e.Net.Schedules = append(e.Net.Schedules, schedule)
	clock := moment{hours: m.hours, minutes: m.minutes, secs: m.secs}
	daily, _ := clock.cron()
	e.walls = append(e.walls, walls{schedule: calendar.Schedule{
		Name: "source", Cron: daily, Shift: schedule.Shift, OnCollision: schedule.OnCollision, EveryBy: schedule.EveryBy, Catchup: schedule.Catchup, Overlap: schedule.Overlap,
	}, days: m.has, zone: schedule.Zone, manner: firstOnly})
	return true
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

// jobs makes a job of each command of the service, one after the other.
func (t *timers) jobs(e *Entry, u unit) ([]jobnet.Job, bool) {
	var out []jobnet.Job
	var commands []setting
	for _, name := range []string{"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"} {
		commands = append(commands, u.all("Service", name)...)
	}
	for i, s := range commands {
		job := jobnet.Defaults()
		job.Name = "run"
		if len(commands) > 1 {
			job.Name = fmt.Sprintf("run-%d", i+1)
		}
		if i > 0 {
			job.After = []string{out[i-1].Name}
		}
		value := s.value
		for value != "" && strings.ContainsRune("-@:+!", rune(value[0])) {
			if value[0] == '-' {
				job.OK = nil
				for code := range 256 {
					job.OK = append(job.OK, code)
				}
			} else {
				e.note("unit", "%s=%s: the sign %q before the command is left out", s.name, clipped(s.value), value[0])
			}
			value = value[1:]
		}
		words, err := unquote(value)
		if err != nil || len(words) == 0 {
			t.result.mistake(u.file, s.line, 1, "%s=%s: %s", s.name, s.value, orText(err, "a command is expected"))
			return nil, false
		}
		if strings.Contains(value, "$") {
			e.note("environment", "%s=%s: systemd replaces $NAME by the environment; here no word is replaced", s.name, clipped(s.value))
		}
		if strings.Contains(value, "%") {
			e.note("unit", "%s=%s: specifiers (%%i, %%h …) are not replaced", s.name, clipped(s.value))
		}
		for k := range words {
			words[k] = strings.ReplaceAll(words[k], "${", "$${")
		}
		job.Command, job.RunAs = words, u.last("Service", "User")
		if job.RunAs == "" {
			job.RunAs = t.options.User
		}
		t.environment(e, u, &job)
		out = append(out, job)
	}
	if len(out) == 0 {
		t.result.mistake(u.file, 1, 1, "there is no ExecStart in it")
		return nil, false
	}
	for _, s := range u.settings {
		if s.section == "Service" && slices.Contains([]string{"WorkingDirectory", "EnvironmentFile", "Group", "LoadCredential", "DynamicUser", "RootDirectory", "OnFailure"}, s.name) {
			e.note("unit", "%s=%s is left out", s.name, clipped(s.value))
		}
	}
	if len(u.all("Unit", "OnFailure")) > 0 {
		e.note("unit", "OnFailure=%s is left out", u.last("Unit", "OnFailure"))
	}
	return out, true
}

func (t *timers) environment(e *Entry, u unit, job *jobnet.Job) {
	for _, s := range u.all("Service", "Environment") {
		words, err := unquote(s.value)
		if err != nil {
			e.note("environment", "Environment=%s is not understood and left out: %s", clipped(s.value), err)
			continue
		}
		for _, w := range words {
			name, value, ok := strings.Cut(w, "=")
			if !ok || name == "PATH" || name == "IFS" || name == "ENV" || name == "BASH_ENV" || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "REEVE_") {
				e.note("environment", "Environment=%s is left out: a net may not set it", clipped(w))
				continue
			}
			if job.Env == nil {
				job.Env = map[string]string{}
			}
			job.Env[name] = strings.ReplaceAll(value, "${", "$${")
		}
	}
	if text := u.last("Service", "RuntimeMaxSec"); text != "" {
		if d, err := span(text); err == nil && d > 0 {
			job.Timeout = d
		}
	}
}

func orText(err error, instead string) string {
	if err != nil {
		return err.Error()
	}
	return instead
}

// unquote cuts a command into words as systemd does: quotes and backslashes.
func unquote(text string) ([]string, error) {
	var words []string
	var b strings.Builder
	quote, inside := byte(0), false
	for i := 0; i < len(text); i++ {
		ch := text[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(text):
			i++
			if plain, ok := map[byte]byte{'n': '\n', 't': '\t', 's': ' '}[text[i]]; ok {
				b.WriteByte(plain)
			} else {
				b.WriteByte(text[i])
			}
			inside = true
		case quote != 0 && ch == quote:
			quote = 0
		case quote == 0 && (ch == '"' || ch == '\''):
			quote, inside = ch, true
		case quote == 0 && (ch == ' ' || ch == '\t'):
			if inside {
				words = append(words, b.String())
				b.Reset()
				inside = false
			}
		default:
			b.WriteByte(ch)
			inside = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote (%c) is not closed", quote)
	}
	if inside {
		words = append(words, b.String())
	}
	return words, nil
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
