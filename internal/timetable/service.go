package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

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
	t.bounds(e, u, out, commands)
	leftOut(e, u, "Service", serviceSettings())
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
}

// bounds takes what ends a command that takes too long. Of a service that is up once it is started (all but oneshot) the start and the run have
// bounds of their own; each counts for a command, as a job's timeout does.
func (t *timers) bounds(e *Entry, u unit, jobs []jobnet.Job, commands []setting) {
	oneshot := u.last("Service", "Type") == "oneshot"
	start, run, stop := bound{}, bound{}, bound{}
	for _, s := range u.settings {
		if s.section != "Service" {
			continue
		}
		switch s.name {
		case "TimeoutSec":
			start, stop = boundOf(s), boundOf(s)
		case "TimeoutStartSec":
			start = boundOf(s)
		case "TimeoutStopSec":
			stop = boundOf(s)
		case "RuntimeMaxSec":
			run = boundOf(s)
		}
	}
	for i := range jobs {
		b := &start
		if commands[i].name == "ExecStart" && !oneshot {
			b = &run
		}
		b.used = true
		jobs[i].Timeout = b.value
		if stop.value > 0 {
			jobs[i].Grace = stop.value
		}
	}
	for _, b := range []bound{start, run, stop} {
		if b.bad {
			e.note("unit", "%s is not understood and left out", b.text)
		}
	}
	if start.value > 0 && !start.used {
		e.note("unit", "%s is left out as a bound of the start: such a unit is up at once", start.text)
	}
	if run.value > 0 && !run.used {
		e.note("unit", "%s is left out: it has no effect on Type=oneshot", run.text)
	}
}

// bound is a time span that ends something; without value there is no end.
type bound struct {
	text  string
	value time.Duration
	bad   bool
	used  bool
}

func boundOf(s setting) bound {
	b := bound{text: s.name + "=" + s.value}
	if s.value != "infinity" {
		var err error
		b.value, err = span(s.value)
		b.bad = err != nil
	}
	return b
}

// timerSettings are those of a timer that are taken, or said otherwise.
func timerSettings() []string {
	return []string{
		"OnCalendar", "OnUnitActiveSec", "OnUnitInactiveSec", "OnBootSec", "OnStartupSec", "OnActiveSec", "Unit",
		"Persistent", "RandomizedDelaySec", "FixedRandomDelay", "AccuracySec", "WakeSystem",
	}
}

// serviceSettings are those of a service.
func serviceSettings() []string {
	return []string{
		"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "User", "Environment", "TimeoutSec", "TimeoutStartSec", "TimeoutStopSec", "RuntimeMaxSec",
	}
}

// leftOut notes every setting of a unit that is not taken: of its own section, and of [Unit]. What people read, and how a unit is enabled, is none.
func leftOut(e *Entry, u unit, section string, taken []string) {
	for _, s := range u.settings {
		switch {
		case s.section != section && s.section != "Unit", strings.HasPrefix(s.name, "X-"):
		case s.section == "Unit" && slices.Contains([]string{"Description", "Documentation", "SourcePath"}, s.name):
		case s.section == section && slices.Contains(taken, s.name):
		case s.name == "Type" && slices.Contains([]string{"simple", "exec", "oneshot", "idle"}, s.value):
		default:
			e.note("unit", "%s=%s is left out", s.name, clipped(s.value))
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
