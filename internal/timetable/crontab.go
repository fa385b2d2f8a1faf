package timetable

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Crontab reads a crontab: of a user, or with Options.System one whose lines name a user. Environment lines, CRON_TZ, MAILTO,
// RANDOM_DELAY, percent signs and the macros are understood as cronie and Debian's cron do.
func Crontab(f File, o Options) Result {
	var out Result
	if !out.text(f) {
		return out
	}
	c := crontab{file: f, options: o, result: &out, env: map[string]string{}, zone: o.Zone, names: names{folder: o.Folder, seen: map[string]int{}}}
	for i, text := range strings.Split(f.Text, "\n") {
		c.line(i+1, strings.TrimSuffix(text, "\r"))
	}
	return out
}

type crontab struct {
	file    File
	options Options
	result  *Result
	env     map[string]string // as it is at this line
	zone    string
	names   names
}

func (c *crontab) line(n int, text string) {
	trimmed := strings.TrimLeft(text, " \t")
	if trimmed == "" || trimmed[0] == '#' {
		return
	}
	if name, value, ok := assignment(trimmed); ok {
		c.env[name] = value
		if name == "CRON_TZ" {
			c.zone = value
		}
		return
	}
	column := len(text) - len(trimmed) + 1
	trimmed = strings.TrimPrefix(trimmed, "-") // cronie: do not log it
	when, rest, ok := c.when(n, column, trimmed)
	if !ok {
		return
	}
	user := c.options.User
	if c.options.System {
		if user, rest, ok = word(rest); !ok || rest == "" {
			c.result.mistake(c.file, n, column, "after the five fields a user and a command are expected: %q", strings.TrimSpace(text))
			return
		}
	}
	if rest == "" {
		c.result.mistake(c.file, n, column, "there is no command in this line: five fields, then the command")
		return
	}
	c.entry(n, text, when, user, rest)
}

// assignment reads NAME = value, with or without quotes.
func assignment(text string) (name, value string, ok bool) {
	name, value, found := strings.Cut(text, "=")
	name = strings.Trim(strings.TrimSpace(name), `"'`)
	if !found || name == "" || strings.ContainsAny(name, " \t*/,-@#%;|&<>()") || name[0] >= '0' && name[0] <= '9' {
		return "", "", false
	}
	value = strings.TrimSpace(value)
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
	}
	return name, value, true
}

func word(text string) (first, rest string, ok bool) {
	text = strings.TrimLeft(text, " \t")
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		return text, "", text != ""
	}
	return text[:i], strings.TrimLeft(text[i:], " \t"), true
}

// macros are the short forms; @reboot is none of time.
func macros() map[string]string {
	return map[string]string{
		"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
		"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
	}
}

// when reads the fields of time.
func (c *crontab) when(n, column int, text string) (fields [5]string, rest string, ok bool) {
	if text != "" && text[0] == '@' {
		macro, rest, _ := word(text)
		full, known := macros()[strings.ToLower(macro)]
		if macro == "@reboot" {
			c.result.mistake(c.file, n, column, "@reboot is no time: let the host's own start-up run `reeve run start NET`")
			return fields, "", false
		}
		if !known {
			c.result.mistake(c.file, n, column, "%s is no macro of cron: %s", macro, strings.Join(slices.Sorted(maps.Keys(macros())), ", "))
			return fields, "", false
		}
		copy(fields[:], strings.Fields(full))
		return fields, rest, true
	}
	rest = text
	for i := range fields {
		if fields[i], rest, ok = word(rest); !ok {
			c.result.mistake(c.file, n, column, "five fields of time are expected: minute, hour, day of month, month, day of week")
			return fields, "", false
		}
		if strings.Contains(fields[i], "~") {
			c.result.mistake(c.file, n, column, "%s: a random time (~) is drawn anew by cron at each start; write H(a-b), which is spread and stays", fields[i])
			return fields, "", false
		}
	}
	return fields, rest, true
}

func (c *crontab) entry(n int, text string, when [5]string, user, command string) {
	e := Entry{File: c.file.Name, Line: n, Text: strings.TrimSpace(text)}
	s := calendar.DefaultSchedule()
	s.Name, s.Zone, s.Cron = "cron", c.zone, strings.Join(when[:], " ")
	how := fixedTime
	own, wild := c.env["CRON_TZ"] != "", when[0][0] == '*' || when[1][0] == '*'
	switch {
	case wild || own && c.zone != c.options.Zone:
		how = realTime
		if when[1] != "*" && !plainStep(when[1]) {
			// Cron goes by real time here; the same is said by the fields.
			s.Gap, s.Fold = calendar.GapSkip, calendar.FoldBoth
		}
	case own:
		how = firstOnly
		s.Gap = calendar.GapSkip
	}
	if own && !wild { // cronie src/cron.c, find_jobs
		e.note("zone", "with CRON_TZ cron makes up for no time that clocks jump over, and neither does dst_gap: skip here; next-valid keeps it")
	}
	if delay := c.env["RANDOM_DELAY"]; delay != "" {
		if minutes, err := strconv.Atoi(delay); err == nil && minutes > 0 && minutes < 1440 {
			s.Jitter = time.Duration(minutes) * time.Minute
			e.note("delay", "RANDOM_DELAY=%s is drawn at each start; here it is jitter, which stays the same for one occurrence", delay)
		} else {
			c.result.mistake(c.file, n, 1, "RANDOM_DELAY is %q: minutes from 1 to 1439 are expected", delay)
			return
		}
	}
	body, input, piped := percent(command)
	job := c.job(&e, body, input, piped)
	job.RunAs = user
	if user == "" {
		e.note("user", "it runs as the user of the agent; give --user where it has to be another")
	}
	e.Net = jobnet.Net{
		Name: c.names.of(program(body)), Description: fmt.Sprintf("from %s, line %d: %s", c.file.Name, n, clipped(e.Text)),
		Schedules: []calendar.Schedule{s}, Jobs: []jobnet.Job{job},
	}
	e.walls = []walls{{schedule: s, zone: c.zone, manner: how}}
	c.result.Entries = append(c.result.Entries, e)
}

// plainStep reports whether a field is */n.
func plainStep(field string) bool {
	n, ok := strings.CutPrefix(field, "*/")
	_, err := strconv.Atoi(n)
	return ok && err == nil
}

// percent cuts a command at its first percent sign: what follows is its standard input, one line for each sign.
func percent(command string) (body, input string, piped bool) {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(command); i++ {
		switch {
		case command[i] == '\\' && i+1 < len(command) && command[i+1] == '%':
			b.WriteByte('%')
			i++
		case command[i] == '%':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(command[i])
		}
	}
	parts = append(parts, b.String())
	return strings.TrimSpace(parts[0]), strings.Join(parts[1:], "\n"), len(parts) > 1
}

// program is the word by which a person knows a command.
func program(command string) string {
	for w := range strings.FieldsSeq(command) {
		switch {
		case strings.Contains(w, "="), strings.ContainsAny(w, "[({&|;"), slices.Contains([]string{"cd", "test", "if", "then", "exec", "nice", "ionice", "sudo", "env", "/bin/sh", "sh", "bash", "command"}, w), w[0] == '-':
			continue
		}
		return path.Base(w)
	}
	return "job"
}

func clipped(text string) string {
	if len(text) > 120 {
		return strings.ToValidUTF8(text[:117], "") + "..."
	}
	return text
}

// job makes the job of a command: a script for the shell that cron would use, in the home folder, with cron's environment.
func (c *crontab) job(e *Entry, body, input string, piped bool) jobnet.Job {
	job := jobnet.Defaults()
	job.Name = "run"
	shell := c.env["SHELL"]
	if shell == "" {
		shell = "/bin/sh"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#!%s\n", shell)
	search := c.env["PATH"]
	if search == "" {
		search = "/usr/bin:/bin"
	}
	fmt.Fprintf(&b, "PATH=%s\nexport PATH\n", quoted(search))
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		switch name {
		case "SHELL", "PATH", "CRON_TZ", "RANDOM_DELAY":
		case "MAILTO", "MAILFROM":
			if c.env[name] != "" && name == "MAILTO" {
				e.note("mail", "cron mails output to %s; here it is kept with the run (reeve run logs)", c.env[name])
			}
		default:
			fmt.Fprintf(&b, "%s=%s\nexport %s\n", name, quoted(c.env[name]), name)
		}
	}
	b.WriteString("cd \"$HOME\" || exit 1\n")
	if piped {
		end := "END_OF_INPUT"
		for strings.Contains(input, end) {
			end += "_"
		}
		fmt.Fprintf(&b, "{ %s\n} <<'%s'\n%s\n%s\n", body, end, input, end)
	} else {
		b.WriteString(body + "\n")
	}
	job.Script = b.String()
	return job
}

// quoted writes a text for a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
