package domain

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// definitions is a text of nets and calendars that was read and checked, with what it leans on.
type definitions struct {
	docs  jobfile.Documents
	book  *CalendarBook // with the calendars of the text
	now   time.Time
	zones *calendar.Zones
	// changed has the calendars of the text that differ from those in force.
	changed map[string]bool
	// limited: who asks may define nothing, and the book has only the calendars that they see.
	limited bool
}

// readDefinitions reads files of nets and calendars. Each may lean on what stands in any of them, and on the store's calendars: for who may define
// something on all, by name; for who may only look on those that they see.
func (s *Service) readDefinitions(ctx context.Context, files []api.File) (*definitions, error) {
	book, err := OpenCalendars(ctx, s.cfg.Store)
	if err != nil {
		return nil, storeFault(err)
	}
	who := api.SubjectOf(ctx)
	limited := !who.May(access.Define, who.Folder)
	if limited { // who may only look must not look through a schedule of their own
		seen, err := s.seenCalendars(ctx, book)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(book.versions, func(name string, _ store.CalendarVersion) bool { return !seen(name) })
		clear(book.parsed)
	}
	p := &definitions{book: book, now: s.cfg.Now(), zones: s.cfg.Zones, changed: map[string]bool{}, limited: limited}
	drafts := make([]*jobfile.Draft, len(files))
	for i, f := range files {
		drafts[i] = jobfile.Read(f.Name, f.Text)
		for _, c := range drafts[i].Found().Calendars {
			version := book.versions[c.Name].Version
			if version == 0 || book.versions[c.Name].Text != string(jobfile.FormatCalendar(c)) {
				version++
				p.changed[c.Name] = true
			}
			book.Put(c, version)
		}
	}
	p.docs, err = jobfile.All(drafts, jobfile.Checks{
		Nets: []jobfile.Check{s.planned, jobnet.Schedules(p.zones, book.Lookup)},
		Calendars: []jobfile.CalendarCheck{func(d *calendar.Definition) []calendar.Problem {
			return calendar.CheckDefinition(d, book.Lookup)
		}},
	})
	if err == nil && book.err != nil {
		err = fault.Wrap(fault.Internal, "reading calendars", book.err)
	}
	return p, err
}

// rescheduling begins to work out what a text changes of the schedules in force.
func (p *definitions) rescheduling(from store.Timing, months int) *Rescheduling {
	return &Rescheduling{Store: from, Zones: p.zones, Calendars: p.book, Now: p.now, Months: months}
}

// others makes the schedules in force anew that lean on a calendar which the text changes, and whose nets it has not. The answer
// is by calendar.
func (s *Service) others(ctx context.Context, p *definitions, r *Rescheduling) (map[string]Changed, error) {
	out := map[string]Changed{}
	changed := slices.DeleteFunc(slices.Clone(p.docs.Calendars), func(c calendar.Definition) bool { return !p.changed[c.Name] })
	spans, err := s.leaning(ctx, changed, func(net string) bool {
		hidden := p.limited && !api.SubjectOf(ctx).May(access.View, folderOf(net))
		return hidden || slices.ContainsFunc(p.docs.Nets, func(n jobnet.Net) bool { return n.Name == net })
	})
	if err != nil || len(spans) == 0 {
		return out, err
	}
	if err := s.keepsDays(spans, jobnet.Schedules(p.zones, p.book.Lookup), calendar.NewCompiler(p.zones, p.book.Lookup)); err != nil {
		return nil, err
	}
	because := func(span occurrence.Span) string {
		return changed[slices.IndexFunc(changed, func(c calendar.Definition) bool { return span.Calendars[c.Name] > 0 })].Name
	}
	// In the order in which they are told: an answer of which a part was not compared is gone on with there.
	slices.SortStableFunc(spans, func(a, b occurrence.Span) int { return strings.Compare(because(a), because(b)) })
	for _, span := range spans {
		one, err := r.Again(ctx, span)
		if err != nil {
			return nil, storeFault(err)
		}
		by := because(span)
		sum := out[by]
		sum.Diffs, sum.Uncompared = append(sum.Diffs, one.Diffs...), sum.Uncompared+one.Uncompared
		out[by] = sum
	}
	return out, nil
}
