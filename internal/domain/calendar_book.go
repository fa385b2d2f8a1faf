package domain

import (
	"context"
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// CalendarBook finds calendars with their versions, and reads each when it is asked for.
type CalendarBook struct {
	versions map[string]store.CalendarVersion
	parsed   map[string]*calendar.Definition
	err      error // of a text that could not be read
}

// OpenCalendars returns the newest version of every calendar.
func OpenCalendars(ctx context.Context, from store.Calendars) (*CalendarBook, error) {
	list, err := from.ListCalendars(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading calendars: %w", err)
	}
	return bookOf(list), nil
}

func bookOf(list []store.CalendarVersion) *CalendarBook {
	b := &CalendarBook{versions: make(map[string]store.CalendarVersion, len(list)), parsed: map[string]*calendar.Definition{}}
	for _, v := range list {
		b.versions[v.Name] = v
	}
	return b
}

// Lookup is a calendar.Lookup.
func (b *CalendarBook) Lookup(name string) (*calendar.Definition, bool) {
	if d, ok := b.parsed[name]; ok {
		return d, true
	}
	v, ok := b.versions[name]
	if !ok {
		return nil, false
	}
	d, err := jobfile.ParseCalendar([]byte(v.Text))
	if err != nil {
		b.err = fmt.Errorf("reading calendar %s, version %d: %w", name, v.Version, err)
		return nil, false
	}
	b.parsed[name] = &d
	return &d, true
}

// Put adds a calendar, or a newer version of one.
func (b *CalendarBook) Put(d calendar.Definition, version int) {
	b.parsed[d.Name] = &d
	b.versions[d.Name] = store.CalendarVersion{Name: d.Name, Version: version}
}

// Leans returns the calendars that a reference leans on, directly or not, with their versions; nil: none.
func (b *CalendarBook) Leans(ref string) map[string]int {
	if ref == "" {
		return nil
	}
	first, _, _ := strings.Cut(ref, "#")
	out := map[string]int{}
	work := []string{first}
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		if _, known := out[name]; known {
			continue
		}
		d, ok := b.Lookup(name)
		if !ok {
			continue
		}
		out[name] = b.versions[name].Version
		work = append(work, calendar.LeansOn(d)...)
	}
	return out
}
