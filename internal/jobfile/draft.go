package jobfile

import (
	"errors"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Documents is what stands in a file, each kind in the order of the file.
type Documents struct {
	Nets      []jobnet.Net
	Calendars []calendar.Definition
}

// Lookup finds the calendars of the documents, and asks next for others; next may be nil.
func (d Documents) Lookup(next calendar.Lookup) calendar.Lookup {
	return func(name string) (*calendar.Definition, bool) {
		for i := range d.Calendars {
			if d.Calendars[i].Name == name {
				return &d.Calendars[i], true
			}
		}
		if next == nil {
			return nil, false
		}
		return next(name)
	}
}

// CalendarCheck returns what is wrong with a calendar, as calendar.CheckDefinition does.
type CalendarCheck func(*calendar.Definition) []calendar.Problem

// Checks is what a reader knows beside jobnet.Check.
type Checks struct {
	Nets      []Check
	Calendars []CalendarCheck
}

// Draft is a file that was read, and is not checked yet: what its definitions lean on may stand further down, or in another file.
type Draft struct {
	r     *reader
	pages []page
}

// page is one document.
type page struct {
	sheet
	at       place
	net      *jobnet.Net // one of the two
	calendar *calendar.Definition
}

func (p *page) name() string {
	if p.net != nil {
		return p.net.Name
	}
	return p.calendar.Name
}

// ParseDocuments reads the nets and calendars of a file, as Parse does. checks are about nets.
func ParseDocuments(name string, text []byte, checks ...Check) (Documents, error) {
	return Read(name, text).Documents(Checks{Nets: checks})
}

// Read reads the documents of a file.
func Read(name string, text []byte) *Draft { return draft(name, text, false) }

func draft(name string, text []byte, netsOnly bool) *Draft {
	r := &reader{file: name, netsOnly: netsOnly}
	d := &Draft{r: r}
	if len(text) > MaxFile {
		r.mistake(place{1, 1}, "the file has %d bytes, at most %d (4 MiB)", len(text), MaxFile)
		return d
	}
	clean := strings.TrimPrefix(string(text), "\ufeff")
	r.lines = strings.Split(strings.ReplaceAll(clean, "\r\n", "\n"), "\n")
	if r.characters(); len(r.mistakes) > 0 {
		return d
	}
	documents := 0
	seen := map[string]int{}
	for _, c := range chunks(r.lines) {
		for _, body := range r.bodies(c) {
			documents++
			p := r.document(body, c.first)
			if p == nil {
				continue
			}
			key := p.kind + " " + p.name()
			if line, twice := seen[key]; twice && p.name() != "" {
				r.mistake(p.at, "%s stands twice in this file: the other one is in line %d", key, line)
			}
			seen[key] = p.at.line
			d.pages = append(d.pages, *p)
		}
	}
	if documents == 0 && len(r.mistakes) == 0 {
		r.mistake(place{1, 1}, "there is no definition in this file: it begins with net: folder/name")
	}
	return d
}

// Found returns the documents as they were read, right or wrong: for checks that look from one to another.
func (d *Draft) Found() Documents {
	var out Documents
	for _, p := range d.pages {
		if p.net != nil {
			out.Nets = append(out.Nets, *p.net)
		} else {
			out.Calendars = append(out.Calendars, *p.calendar)
		}
	}
	return out
}

// All checks drafts that become one change, as Documents does one.
func All(drafts []*Draft, checks Checks) (Documents, error) {
	Together(drafts)
	var out Documents
	var mistakes fault.Mistakes
	for _, d := range drafts {
		docs, err := d.Documents(checks)
		var more fault.Mistakes
		if errors.As(err, &more); err != nil && more == nil {
			return Documents{}, err
		}
		mistakes = append(mistakes, more...)
		out.Nets, out.Calendars = append(out.Nets, docs.Nets...), append(out.Calendars, docs.Calendars...)
	}
	if len(mistakes) > 0 {
		return Documents{}, mistakes
	}
	return out, nil
}

// Together adds what is wrong with drafts that become one change: a definition that another one has, too.
func Together(drafts []*Draft) {
	type spot struct {
		in   *Draft
		line int
	}
	seen := map[string]spot{}
	for _, d := range drafts {
		for _, p := range d.pages {
			key := p.kind + " " + p.name()
			if other, twice := seen[key]; !twice {
				seen[key] = spot{d, p.at.line}
			} else if other.in != d && p.name() != "" { // of its own file it is told already
				d.r.mistake(p.at, "%s stands twice: the other one is in line %d of %s", key, other.line, other.in.r.file)
			}
		}
	}
}

// Documents checks what was read. The error is fault.Mistakes, and then there are no documents. It is called once.
func (d *Draft) Documents(checks Checks) (Documents, error) {
	among := d.Found().Lookup(nil)
	for _, p := range d.pages {
		d.r.sheet = p.sheet
		if p.net != nil {
			d.r.checkNet(p.net, checks.Nets)
		} else {
			d.r.checkCalendar(p.calendar, checks.Calendars, among)
		}
	}
	if len(d.r.mistakes) > 0 {
		return Documents{}, d.r.sorted()
	}
	return d.Found(), nil
}

// checkNet adds what the checks find, save what follows from a value that could not be read.
func (r *reader) checkNet(n *jobnet.Net, checks []Check) {
	for _, check := range append([]Check{jobnet.Check}, checks...) {
		for _, p := range check(n) {
			if !r.hidden(p.Path) && !r.follows(p.Path) {
				r.mistake(r.find(p.Path, p.Key), "%s", p.Message)
			}
		}
	}
}

// follows reports whether what is wrong at path would only follow from another field of the schedule that could not be read.
func (r *reader) follows(path string) bool {
	i := strings.LastIndexByte(path, '.')
	if !strings.HasPrefix(path, "schedules[") || i < 0 {
		return false
	}
	var others []string
	switch path[i+1:] {
	case "cron": // where it is missing, another rule may be there
		if _, given := r.keys[path]; !given {
			others = []string{"rrule", "every", "dates"}
		}
	case "every_by":
		others = []string{"every"}
	case "shift", "working_days", "on_collision":
		others = []string{"calendar"}
	}
	return slices.ContainsFunc(others, func(field string) bool { return r.bad[path[:i+1]+field] })
}

// checkCalendar looks at a calendar by itself and among those of the file; whoever knows all of them has a check of its own.
func (r *reader) checkCalendar(c *calendar.Definition, checks []CalendarCheck, among calendar.Lookup) {
	if len(checks) == 0 {
		checks = []CalendarCheck{func(c *calendar.Definition) []calendar.Problem { return calendar.CheckAmong(c, among) }}
	}
	for _, check := range checks {
		for _, p := range check(c) {
			if !r.hidden(p.Field) {
				r.mistake(r.find(p.Field, false), "%s", p.Message)
			}
		}
	}
}
