package domain

import (
	"context"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// scopeOf is the folder of a calendar; empty: it stands in none, and is there for all.
func scopeOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

// near reports whether who is confined to a folder sees a calendar for where it stands: in the folder or below it, above it, or in none.
func near(who access.Subject, name string) bool {
	scope := scopeOf(name)
	return scope == "" || who.May(access.View, scope) || strings.HasPrefix(who.Folder+"/", scope+"/")
}

// mayCalendar refuses who does not see a calendar, as nets of other folders are refused: whether there is one is not told.
func (s *Service) mayCalendar(ctx context.Context, name string) error {
	who, err := s.may(ctx, access.View, "")
	if err != nil || near(who, name) {
		return err
	}
	book, err := OpenCalendars(ctx, s.cfg.Store)
	if err != nil {
		return storeFault(err)
	}
	seen, err := s.seenCalendars(ctx, book)
	if err != nil || seen(name) {
		return err
	}
	_, err = s.may(ctx, access.View, scopeOf(name))
	return err
}

// seenCalendars tells which calendars of a book who asks sees: those that stand near, what schedules in force of nets that are to be seen lean on,
// and what all these lean on.
func (s *Service) seenCalendars(ctx context.Context, book *CalendarBook) (func(name string) bool, error) {
	who := api.SubjectOf(ctx)
	if who.Folder == "" {
		return func(string) bool { return true }, nil
	}
	seen := map[string]bool{}
	var work []string
	see := func(name string) {
		if !seen[name] {
			seen[name] = true
			work = append(work, name)
		}
	}
	for name := range book.versions {
		if near(who, name) {
			see(name)
		}
	}
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{Folder: who.Folder, Open: true})
	if err != nil {
		return nil, storeFault(err)
	}
	for i := range spans {
		for name := range spans[i].Calendars {
			see(name)
		}
	}
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		if def, ok := book.Lookup(name); ok {
			for _, other := range calendar.LeansOn(def) {
				see(other)
			}
		}
	}
	return func(name string) bool { return seen[name] }, storeFault(book.err)
}
