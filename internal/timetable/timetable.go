// Package timetable answers: what do a crontab and a systemd timer mean in Reeve, and where is that not the same?
//
//	crontab, units ──parse──▶ Entry (what the source says) ──▶ Net (with its schedule)
//	                               │                                  │
//	                               └── walls by the source's rules ───┴──▶ Comparison: every difference of the next months
//
// What a source does when clocks change is written down here as its own rules, apart from those of package calendar, so that
// the comparison is between two descriptions and not of one with itself. The package is pure: files come in as texts.
package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// File is a text to import. Name is what mistakes call it.
type File struct {
	Name string
	Text string
}

// Options says what the files do not.
type Options struct {
	Folder string // in which the nets are made
	Zone   string // of the machine: cron and systemd mean its wall time
	System bool   // crontab: each line names a user, as /etc/crontab and cron.d have it
	User   string // of a user's crontab: runs as; empty: as the agent does
}

// Entry is one line of a crontab, or one timer.
type Entry struct {
	File  string
	Line  int
	Text  string // as it is written
	Net   jobnet.Net
	Notes []Note // what is not the same, apart from instants

	walls []walls // by the source's rules, one for each schedule; without a zone: its starts are not known in advance
}

// Note is one thing that Reeve does otherwise than the source, or not at all.
type Note struct {
	Kind string `json:"kind"` // environment, mail, output, user, start, delay, unit
	Text string `json:"text"`
}

// Foreseen reports whether starts of the source are known in advance, so that they can be compared.
func (e *Entry) Foreseen() bool { return slices.ContainsFunc(e.walls, walls.foreseen) }

func (e *Entry) note(kind, format string, args ...any) {
	e.Notes = append(e.Notes, Note{kind, fmt.Sprintf(format, args...)})
}

// Result is what an import gives. What could not be read is a mistake at its place; the rest is imported all the same, and
// the caller decides whether that is enough.
type Result struct {
	Entries  []Entry
	Mistakes fault.Mistakes
}

// text reports whether a file is text, and says where it is not.
func (r *Result) text(f File) bool {
	before, isText := f.Text, utf8.ValidString(f.Text)
	for i, c := range f.Text {
		if c == 0 || c == utf8.RuneError && !isText && !strings.HasPrefix(f.Text[i:], string(utf8.RuneError)) {
			before, isText = f.Text[:i], false
			break
		}
	}
	if isText {
		return true
	}
	r.Mistakes = append(r.Mistakes, fault.Mistake{
		File: f.Name, Line: strings.Count(before, "\n") + 1, Column: len(before) - strings.LastIndexByte(before, '\n'),
		Message: "here the file is not UTF-8 text: convert it, as with `iconv -f latin1 -t utf-8`",
	})
	return false
}

func (r *Result) mistake(f File, line, column int, format string, args ...any) {
	lines := strings.Split(f.Text, "\n")
	excerpt := ""
	if line >= 1 && line <= len(lines) {
		excerpt = "    " + lines[line-1] + "\n    " + strings.Repeat(" ", max(column-1, 0)) + "^"
	}
	r.Mistakes = append(r.Mistakes, fault.Mistake{File: f.Name, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Excerpt: excerpt})
}

// names gives each net a name of its own.
type names struct {
	folder string
	seen   map[string]int
}

func (n *names) of(word string) string {
	base := slug(word)
	n.seen[base]++
	if k := n.seen[base]; k > 1 {
		base = fmt.Sprintf("%s-%d", base, k)
	}
	if n.folder == "" {
		return base
	}
	return n.folder + "/" + base
}

// Name makes a name of a word, for folders and nets: small letters, digits and '-'.
func Name(word string) string { return slug(word) }

// slug makes a name of what a person wrote: small letters, digits and '-'.
func slug(word string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(word) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = strings.Trim("job-"+out, "-")
	}
	return out[:min(len(out), 40)]
}

// Comparison is what a source and its net do over some months.
type Comparison struct {
	From        time.Time    `json:"from"`
	Until       time.Time    `json:"until"`
	Source      int64        `json:"source"` // starts by the source's rules
	Reeve       int64        `json:"reeve"`
	Same        int64        `json:"same"`
	Without     int          `json:"without"`     // schedules that are left out of it: their starts are not known in advance
	Differences []Difference `json:"differences"` // all of them
}

// Difference is one instant at which only one of the two starts it.
type Difference struct {
	At  time.Time `json:"at"`
	Who string    `json:"who"` // source or reeve
	Why string    `json:"why"`
}

// maxDifferences bounds what is listed one by one: the counts are exact in any case.
const maxDifferences = 1000

// Compare plays both from an instant on, without the schedules whose starts are not known in advance. problems are what is wrong with the net's schedules.
func (e *Entry) Compare(c *calendar.Compiler, zones *calendar.Zones, from, until time.Time) (Comparison, []calendar.Problem) {
	out := Comparison{From: from, Until: until, Differences: []Difference{}}
	var reeve, source []int64
	for i, s := range e.Net.Schedules {
		s.Jitter = 0 // it moves a start, and makes none
		rule, problems := c.Compile(e.Net.Name, s)
		if len(problems) > 0 {
			return out, problems
		}
		if !e.walls[i].foreseen() {
			out.Without++
			continue
		}
		for o := range rule.Between(from, until) {
			if o.Suppressed == "" {
				reeve = append(reeve, o.Nominal.Unix())
			}
		}
		source = append(source, e.walls[i].starts(c, zones, from, until)...)
	}
	slices.Sort(reeve)
	slices.Sort(source)
	out.Source, out.Reeve = int64(len(source)), int64(len(reeve))
	i, k := 0, 0
	for i < len(source) || k < len(reeve) {
		switch {
		case i < len(source) && k < len(reeve) && source[i] == reeve[k]:
			out.Same++
			i, k = i+1, k+1
		case k == len(reeve) || i < len(source) && source[i] < reeve[k]:
			why := "the clocks change: only the source starts it at this instant"
			if i > 0 && source[i-1] == source[i] {
				why = "clocks are put forward: the source makes one start for each minute that is missing; here rule times of one instant are one occurrence"
			}
			out.differ(source[i], "source", why)
			i++
		default:
			out.differ(reeve[k], "reeve", e.alone(zones, reeve[k]))
			k++
		}
	}
	return out, nil
}

// alone says why only Reeve starts it at an instant.
func (e *Entry) alone(zones *calendar.Zones, at int64) string {
	for _, w := range e.walls {
		loc, ok := zones.Location(w.zone)
		if !ok {
			continue
		}
		_, offset := time.Unix(at, 0).In(loc).Zone()
		if len(instants(loc, at+int64(offset))) > 1 {
			return "clocks are put back: the source starts it in one pass of this wall time only"
		}
	}
	return "clocks are put forward by three hours or more: the source makes up for nothing"
}

func (c *Comparison) differ(at int64, who, why string) {
	if len(c.Differences) < maxDifferences {
		c.Differences = append(c.Differences, Difference{At: time.Unix(at, 0).UTC(), Who: who, Why: why})
	}
}
