package calendar

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

const (
	freeName = "free" // the set of a calendar's free days
	maxParts = 2000   // sets of days that one reference may lean on
)

// Resolve finds what a reference (CALENDAR or CALENDAR#SET) means. Of a set the days that are in it are the working days; the
// boundary is its calendar's. What is wrong has the field "calendar".
func Resolve(ref string, lookup Lookup) (*Days, []Problem) {
	r := resolver{lookup: lookup, done: map[partName]int{}}
	at, ok := r.reference("", "calendar", ref)
	if !ok || len(r.problems) > 0 {
		return &Days{}, r.problems
	}
	days := &Days{parts: r.parts}
	if def, ok := lookup(r.parts[at].calendar); ok {
		days.boundary = def.Boundary
	}
	days.fill()
	return days, nil
}

type partName struct{ calendar, name string }

// step is a reference that is being followed: the calendar in which it stands ("": outside of all), and its field.
type step struct {
	calendar, field string
	to              partName
}

// resolver follows references and makes their parts, each behind those that it leans on.
type resolver struct {
	self     string // the calendar that is checked; empty: a reference from outside is resolved
	among    bool   // lookup does not know all calendars: what leads elsewhere is not looked at
	lookup   Lookup
	done     map[partName]int
	parts    []part
	way      []step
	problems []Problem
	full     bool
}

// What done says of a part that has no position.
const (
	underway = -1 // it is not finished: who meets it has walked in a circle
	broken   = -2 // it cannot be made, and that is reported already
)

// reference finds the part that a reference in a field of a calendar means.
func (r *resolver) reference(inside, field, ref string) (int, bool) {
	r.way = append(r.way, step{calendar: inside, field: field})
	defer func() { r.way = r.way[:len(r.way)-1] }()
	to, def := r.target(inside, ref)
	if def == nil {
		return 0, false
	}
	r.way[len(r.way)-1].to = to
	return r.part(to, def)
}

// part makes a part of a calendar, once.
func (r *resolver) part(to partName, def *Definition) (int, bool) {
	switch at, known := r.done[to]; {
	case known && at == underway:
		r.problem("it leads back to itself: %s", r.circle(to))
		return 0, false
	case known:
		return at, at != broken
	case len(r.done) >= maxParts:
		if !r.full {
			r.problem("more than %d sets of days are behind this reference", maxParts)
		}
		r.full = true
		return 0, false
	}
	r.done[to] = underway
	p, ok := r.build(def, to.name)
	if !ok {
		r.done[to] = broken
		return 0, false
	}
	r.parts = append(r.parts, p)
	r.done[to] = len(r.parts) - 1
	return r.done[to], true
}

// target says which part a reference names, and in which calendar; nil: there is no such thing, or it is not looked at.
func (r *resolver) target(inside, ref string) (partName, *Definition) {
	name, set, sharp := strings.Cut(ref, "#")
	switch {
	case ref == "" || sharp && set == "":
		r.problem("%q names nothing: write CALENDAR, CALENDAR#SET or CALENDAR#free", clip(ref))
		return partName{}, nil
	case inside == "" && name == "":
		r.problem("%q needs its calendar: write CALENDAR#%s", clip(ref), clip(set))
		return partName{}, nil
	case name == "":
		name = inside
	case !sharp && inside != "":
		if def, ok := r.lookup(inside); ok && setOf(def, name) != nil {
			return partName{inside, name}, def
		}
	}
	def, ok := r.lookup(name)
	switch {
	case !ok && r.among:
		return partName{}, nil
	case !ok && inside != "" && !sharp:
		r.problem("there is neither a set %q in this calendar nor a calendar of this name", clip(name))
		return partName{}, nil
	case !ok:
		r.problem("there is no calendar %q: put it into the file, or apply it first; without a server, name its file with --calendars", clip(name))
		return partName{}, nil
	case sharp && set != freeName && setOf(def, set) == nil:
		r.problem("calendar %s has no set %q", name, clip(set))
		return partName{}, nil
	}
	return partName{name, set}, def
}

// build makes the part of a calendar: its working days (""), its free days, or a set.
func (r *resolver) build(def *Definition, name string) (part, bool) {
	p := part{calendar: def.Name, name: name}
	ok := true
	switch name {
	case "":
		p.week = weekOf(def.Week)
		p.entries.add(def.Work)
		ok = r.dates(def, "work", def.Work) && ok
		p.union, ok = r.list(def, "work_on", def.WorkOn, ok)
		free, found := r.reference(def.Name, "free", "#"+freeName)
		p.free, ok = free, ok && found
	case freeName:
		p.entries.add(def.Free)
		ok = r.dates(def, "free", def.Free) && ok
		p.union, ok = r.list(def, "free_on", def.FreeOn, ok)
	default:
		i := 0
		for def.Sets[i].Name != name {
			i++
		}
		set, field := &def.Sets[i], fmt.Sprintf("sets[%d].", i)
		p.all = len(set.Dates) == 0 && len(set.Union) == 0
		p.entries.add(set.Dates)
		ok = r.dates(def, field+"dates", set.Dates) && ok
		p.union, ok = r.list(def, field+"union", set.Union, ok)
		p.inter, ok = r.list(def, field+"intersection", set.Intersection, ok)
		p.without, ok = r.list(def, field+"difference", set.Difference, ok)
	}
	return p, ok
}

// list follows the references of a field.
func (r *resolver) list(def *Definition, field string, refs []string, ok bool) ([]int, bool) {
	var out []int
	for i, ref := range refs {
		at, found := r.reference(def.Name, fmt.Sprintf("%s[%d]", field, i), ref)
		out, ok = append(out, at), ok && found
	}
	return out, ok
}

// dates reports entries that are no dates.
func (r *resolver) dates(def *Definition, field string, list []Date) bool {
	ok := true
	for i, entry := range list {
		if _, _, _, err := ParseDate(entry.Date); err != nil {
			r.way = append(r.way, step{calendar: def.Name, field: fmt.Sprintf("%s[%d].date", field, i)})
			r.problem("%s", err)
			r.way = r.way[:len(r.way)-1]
			ok = false
		}
	}
	return ok
}

// problem reports what is wrong where the way has led: at the last field of the calendar that is checked, with the rest of
// the way in words.
func (r *resolver) problem(format string, args ...any) {
	p := Problem{Field: "calendar", Message: fmt.Sprintf(format, args...)}
	if n := len(r.way); n > 0 {
		last := r.way[n-1]
		for _, s := range r.way {
			if r.self != "" && s.calendar == r.self {
				p.Field = s.field
			}
		}
		if last.calendar != r.self && last.calendar != "" {
			p.Message = fmt.Sprintf("calendar %s, %s: %s", last.calendar, last.field, p.Message)
		}
	}
	r.problems = append(r.problems, p)
}

// circle writes the way from a part back to it.
func (r *resolver) circle(to partName) string {
	write := func(n partName) string { p := part{calendar: n.calendar, name: n.name}; return p.label() }
	text := []string{write(to)}
	for i := len(r.way) - 2; i >= 0 && r.way[i].to != to; i-- {
		text = append([]string{write(r.way[i].to)}, text...)
	}
	return strings.Join(append([]string{write(to)}, text...), " → ")
}

func setOf(def *Definition, name string) *Set {
	for i := range def.Sets {
		if def.Sets[i].Name == name {
			return &def.Sets[i]
		}
	}
	return nil
}

func weekOf(days []time.Weekday) uint8 {
	if len(days) == 0 {
		return 1<<7 - 1
	}
	var mask uint8
	for _, d := range days {
		mask |= 1 << (uint(d) % 7)
	}
	return mask
}

// fill works out the days that are made once: set by set, and not day by day.
func (s *Days) fill() {
	made := make([][]uint64, len(s.parts))
	for i := range s.parts {
		made[i] = s.parts[i].bitmap(made)
	}
	s.bits = made[len(made)-1]
	s.ranks = make([]uint32, words)
	for i := 1; i < words; i++ {
		s.ranks[i] = s.ranks[i-1] + uint32(bits.OnesCount64(s.bits[i-1]))
	}
}

// bitmap makes the days of p of those before it.
func (p *part) bitmap(made [][]uint64) []uint64 {
	out := make([]uint64, words)
	set := func(d Day) {
		if d >= firstDay && d < afterDay {
			out[d>>6] |= 1 << (d & 63)
		}
	}
	switch {
	case p.all:
		for d := firstDay; d < afterDay; d++ {
			set(d)
		}
	case p.name == "":
		for d := firstDay; d < afterDay; d++ {
			if p.week&(1<<d.Weekday()) != 0 {
				set(d)
			}
		}
		for i := range out {
			out[i] &^= made[p.free][i]
		}
	}
	for d := range p.entries.once {
		set(d)
	}
	p.entries.eachYear(set)
	for _, u := range p.union {
		for i := range out {
			out[i] |= made[u][i]
		}
	}
	for _, k := range p.inter {
		for i := range out {
			out[i] &= made[k][i]
		}
	}
	for _, k := range p.without {
		for i := range out {
			out[i] &^= made[k][i]
		}
	}
	return out
}

// eachYear gives the days of the entries of every year.
func (e *entries) eachYear(yield func(Day)) {
	if len(e.yearly) == 0 {
		return
	}
	first, _, _ := firstDay.Date()
	after, _, _ := afterDay.Date()
	for year := first; year < after; year++ {
		for date := range e.yearly {
			month, day := time.Month(date/100), date%100
			if d := DayOf(year, month, day); date != 229 || isDay(d, day) {
				yield(d)
			}
		}
	}
}

// isDay reports whether d has this day of the month: 29 February has not, where it rolled over.
func isDay(d Day, day int) bool {
	_, _, got := d.Date()
	return got == day
}
