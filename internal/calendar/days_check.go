package calendar

import (
	"fmt"
	"time"
)

// What a calendar may have at most.
const (
	maxEntries = 10_000 // of one table of days
	maxSets    = 200
	maxRefs    = 100 // of one list
	maxName    = 200
	maxText    = 200 // characters of the name of an entry
)

// CheckDefinition returns what is wrong with a calendar: names, dates, references that lead nowhere or back, no working day
// from 1970 to 2100. lookup finds the other calendars, all that there are.
func CheckDefinition(d *Definition, lookup Lookup) []Problem { return check(d, lookup, false) }

// CheckAmong is CheckDefinition where lookup knows only some of the other calendars, or none (nil): what leads elsewhere is not
// looked at.
func CheckAmong(d *Definition, lookup Lookup) []Problem { return check(d, lookup, true) }

func check(d *Definition, lookup Lookup, among bool) []Problem {
	var found []Problem
	add := func(field, format string, args ...any) {
		found = append(found, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if !ValidName(d.Name) {
		add("calendar", "%q is no name of a calendar: write folder/name, in small letters, digits, dots, dashes and underscores", clip(d.Name))
	}
	week := map[time.Weekday]bool{}
	for i, day := range d.Week {
		switch {
		case day < time.Sunday || day > time.Saturday:
			add(fmt.Sprintf("week[%d]", i), "this is no day of the week")
		case week[day]:
			add(fmt.Sprintf("week[%d]", i), "%s stands twice", day)
		}
		week[day] = true
	}
	if d.Boundary < 0 || d.Boundary >= 24*time.Hour || d.Boundary%time.Minute != 0 {
		add("boundary", "a business day begins at a time from 00:00 to 23:59")
	}
	tables := []struct {
		field string
		list  []Date
	}{{"free", d.Free}, {"work", d.Work}}
	lists := []struct {
		field string
		list  []string
	}{{"free_on", d.FreeOn}, {"work_on", d.WorkOn}}
	names := map[string]int{}
	for i, set := range d.Sets {
		field := fmt.Sprintf("sets[%d].", i)
		if problem := setName(set.Name); problem != "" {
			add(field+"name", "%s", problem)
		}
		if first, twice := names[set.Name]; twice {
			add(field+"name", "set %q stands twice: the other one is number %d of the list", clip(set.Name), first+1)
		}
		names[set.Name] = i
		if len(set.Dates)+len(set.Union)+len(set.Intersection)+len(set.Difference) == 0 {
			add(field[:len(field)-1], "set %q has no days: give it dates, union, intersection or difference", clip(set.Name))
		}
		tables = append(tables, struct {
			field string
			list  []Date
		}{field + "dates", set.Dates})
		for k, list := range [][]string{set.Union, set.Intersection, set.Difference} {
			lists = append(lists, struct {
				field string
				list  []string
			}{field + []string{"union", "intersection", "difference"}[k], list})
		}
	}
	if len(d.Sets) > maxSets {
		add("sets", "a calendar has at most %d sets, this one has %d", maxSets, len(d.Sets))
	}
	for _, t := range tables {
		found = append(found, checkTable(t.field, t.list)...)
	}
	for _, l := range lists {
		if len(l.list) > maxRefs {
			add(l.field, "at most %d references, not %d", maxRefs, len(l.list))
		}
	}
	found = append(found, contradictions(d)...)
	return append(found, checkReferences(d, lookup, among)...)
}

// checkTable finds what is wrong with a table of days, but for dates that are none: those the resolver finds.
func checkTable(field string, list []Date) (found []Problem) {
	if len(list) > maxEntries {
		found = append(found, Problem{field, fmt.Sprintf("a table has at most %d days, this one has %d", maxEntries, len(list))})
	}
	seen := map[string]int{}
	for i, entry := range list {
		if first, twice := seen[entry.Date]; twice && entry.Date != "" {
			found = append(found, Problem{fmt.Sprintf("%s[%d].date", field, i), fmt.Sprintf(
				"%s stands twice: the other one is number %d of the list; two names for one day go into one entry", clip(entry.Date), first+1)})
		} else {
			seen[entry.Date] = i
		}
		if n := len([]rune(entry.Name)); n > maxText {
			found = append(found, Problem{fmt.Sprintf("%s[%d].name", field, i), fmt.Sprintf("the name has %d characters, at most %d", n, maxText)})
		}
	}
	return found
}

// contradictions finds days that stand in free and in work. A year's own day may differ from the same day of every year.
func contradictions(d *Definition) (found []Problem) {
	free := map[string]bool{}
	for _, entry := range d.Free {
		free[entry.Date] = true
	}
	for i, entry := range d.Work {
		if free[entry.Date] {
			found = append(found, Problem{fmt.Sprintf("work[%d].date", i), fmt.Sprintf("%s stands in free, too: remove one of the two (work would win)", clip(entry.Date))})
		}
	}
	return found
}

// checkReferences follows every reference of d, whether its working days lean on it or not.
func checkReferences(d *Definition, lookup Lookup, among bool) []Problem {
	if d.Name == "" { // a name is needed to tell its own fields from those of others
		named := *d
		named.Name = "?"
		d = &named
	}
	own := func(name string) (*Definition, bool) {
		if name == d.Name {
			return d, true
		}
		if lookup == nil {
			return nil, false
		}
		return lookup(name)
	}
	r := resolver{self: d.Name, lookup: own, among: among, done: map[partName]int{}}
	sets := []string{""}
	for _, set := range d.Sets {
		if setName(set.Name) == "" {
			sets = append(sets, set.Name)
		}
	}
	whole := true
	for _, name := range sets {
		to := partName{d.Name, name}
		if _, known := r.done[to]; known {
			continue
		}
		if _, ok := r.part(to, d); !ok {
			whole = false
		}
	}
	found := unique(r.problems)
	if len(found) > 0 || !whole {
		return found
	}
	days := Days{parts: append(r.parts, r.parts[r.done[partName{d.Name, ""}]])}
	days.fill()
	if days.rank(afterDay) == 0 {
		found = append(found, Problem{"calendar", "it has no working day from 1970 to 2100"})
	}
	return found
}

// unique drops what was found on more than one way.
func unique(list []Problem) (out []Problem) {
	seen := map[Problem]bool{}
	for _, p := range list {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// ValidName reports whether a calendar may be called so: as a net, folder/name.
func ValidName(name string) bool {
	if len(name) > maxName {
		return false
	}
	start := true
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			start = false
		case start:
			return false
		case c == '/':
			start = true
		case c != '.' && c != '_' && c != '-':
			return false
		}
	}
	return !start
}

// setName says what is wrong with the name of a set; empty: nothing.
func setName(name string) string {
	switch {
	case name == freeName:
		return `"free" is the name of the calendar's free days: choose another one`
	case len(name) > maxName:
		return fmt.Sprintf("the name has %d characters, at most %d", len(name), maxName)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (i == 0 || c != '-' && c != '_') {
			name = ""
			break
		}
	}
	if name == "" {
		return "a set has a name of small letters, digits, dashes and underscores"
	}
	return ""
}

func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
