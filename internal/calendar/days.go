package calendar

import "time"

// Days is a set of working days with a boundary: a reference to a calendar, resolved. It is never changed. Its zero value
// has every day as a working day.
type Days struct {
	boundary time.Duration
	parts    []part   // what the reference leans on, each behind those that it leans on itself; the last is the reference
	bits     []uint64 // working days from firstDay on
	ranks    []uint32 // working days before each word of bits
}

// The days whose answer is made once, when a reference is resolved. Beyond them each answer is worked out by the rules.
const (
	firstDay Day = 0     // 1970-01-01
	afterDay Day = 47847 // 2101-01-01
	words        = (int(afterDay-firstDay) + 63) / 64
)

// part is one set of days that is resolved: the working days of a calendar, its free days, or one of its sets.
type part struct {
	calendar string
	name     string // of the set; "free": the free days; empty: the working days
	entries  entries
	union    []int // positions in Days.parts
	inter    []int
	without  []int

	week uint8 // working days only: a bit for each weekday, of the days that are not in parts[free]
	free int
	all  bool // it begins with all days: a set without dates and union
}

// Boundary returns the wall time at which a business day begins.
func (s *Days) Boundary() time.Duration { return s.boundary }

// Working reports whether d is a working day.
func (s *Days) Working(d Day) bool {
	if d >= firstDay && d < afterDay && s.bits != nil {
		return s.bits[d>>6]&(1<<(d&63)) != 0
	}
	in := s.members(d)
	return len(in) == 0 || in[len(in)-1]
}

// Calendars returns the names of all calendars that the answer leans on, the one that was asked for last.
func (s *Days) Calendars() []string {
	var out []string
	seen := map[string]bool{}
	for i := range s.parts {
		if name := s.parts[i].calendar; !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	if n := len(s.parts); n > 0 {
		last := s.parts[n-1].calendar
		for i, name := range out {
			if name == last {
				return append(append(out[:i:i], out[i+1:]...), last)
			}
		}
	}
	return out
}

// members says of each part whether d is in it. Each part is looked at once: a walk along the references would take as many
// steps as there are ways through them, which double with each level.
func (s *Days) members(d Day) []bool {
	if len(s.parts) == 0 {
		return nil
	}
	in := make([]bool, len(s.parts))
	for i := range s.parts {
		in[i] = s.parts[i].has(d, in)
	}
	return in
}

// has reports whether d is in p, where it is known of the parts before it.
func (p *part) has(d Day, in []bool) bool {
	_, own := p.entries.find(d)
	for _, u := range p.union {
		own = own || in[u]
	}
	if p.name == "" {
		return own || p.week&(1<<d.Weekday()) != 0 && !in[p.free]
	}
	own = own || p.all
	for _, k := range p.inter {
		own = own && in[k]
	}
	for _, k := range p.without {
		own = own && !in[k]
	}
	return own
}

// label is how people name the part.
func (p *part) label() string {
	if p.name == "" {
		return p.calendar
	}
	return p.calendar + "#" + p.name
}

// Why says in a few words why d is a working day or not: "Saturday", "free: New Year's Day (holidays/de)".
func (s *Days) Why(d Day) string {
	in := s.members(d)
	if len(in) == 0 {
		return d.Weekday().String()
	}
	at := len(in) - 1
	p := &s.parts[at]
	if p.name == "" {
		switch text, from, listed := s.listed(at, d, in); {
		case listed:
			return "working: " + s.told(text, from)
		case in[p.free]:
			text, from, _ := s.listed(p.free, d, in)
			return "free: " + s.told(text, from)
		}
		return d.Weekday().String()
	}
	if in[at] {
		text, from, _ := s.listed(at, d, in)
		return "in " + p.label() + ": " + s.told(text, from)
	}
	for _, k := range p.without {
		if in[k] {
			text, from, _ := s.listed(k, d, in)
			return "not in " + p.label() + ", which leaves out " + s.told(text, from)
		}
	}
	return "not in " + p.label()
}

// Entry returns what the entry of a table is called that makes d a free day, or a working one; empty: no entry does, but the
// week, or a set.
func (s *Days) Entry(d Day) string {
	in := s.members(d)
	at := len(in) - 1
	if at < 0 {
		return ""
	}
	if p := &s.parts[at]; p.name == "" {
		if text := s.entry(at, d, in); text != "" || !in[p.free] {
			return text
		}
		at = p.free
	} else if !in[at] {
		return ""
	}
	return s.entry(at, d, in)
}

func (s *Days) entry(at int, d Day, in []bool) string {
	if text, ok := s.parts[at].entries.find(d); ok {
		return text
	}
	for _, u := range s.parts[at].union {
		if in[u] {
			return s.entry(u, d, in)
		}
	}
	return ""
}

// listed finds the entry that makes d a member of a part: what it is called, and the part that it stands in. Where there is
// no entry, it is the weekday, or the part that begins with all days; of the working days, listed says that there is one.
func (s *Days) listed(at int, d Day, in []bool) (text string, from int, listed bool) {
	p := &s.parts[at]
	if text, ok := p.entries.find(d); ok {
		return text, at, true
	}
	for _, u := range p.union {
		if in[u] {
			text, from, _ := s.listed(u, d, in)
			return text, from, true
		}
	}
	return d.Weekday().String(), at, false
}

// told writes the text of an entry with the part that it stands in, where that is not plain.
func (s *Days) told(text string, from int) string {
	asked, p := &s.parts[len(s.parts)-1], &s.parts[from]
	if p.calendar == asked.calendar && (p.name == freeName || p.name == asked.name) {
		return text
	}
	if p.name == freeName {
		return text + " (" + p.calendar + ")"
	}
	return text + " (" + p.label() + ")"
}
