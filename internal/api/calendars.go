package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (h *Handler) calendarRoutes() []entry {
	seen := func(path, id, summary string) Route {
		return get(path, id, summary).needs(access.View, Object).behind("calendars")
	}
	seed := func(path, id, summary string) Route {
		return get(path, id, summary).needs(access.View, Whole).behind("calendars")
	}
	return []entry{
		handle(seen("/calendars", "list-calendars", "List calendars at their newest version, by name: who is confined to a folder sees those that stand in it, below or above it or in none, and what its nets and these lean on."), h.listCalendars),
		handle(seen("/calendars/{calendar...}", "show-calendar", "Show a version of a calendar. The name's slashes may stand as they are."), h.showCalendar),
		handle(seen("/calendar-days", "calendar-days", "Show which days of a calendar, or of a set of one, are working days, and why."), h.calendarDays),
		handle(seed("/calendar-seeds", "list-calendar-seeds", "List the tables of holidays that a calendar can be made of."), h.listCalendarSeeds),
		handle(seed("/calendar-seeds/{code}", "show-calendar-seed", "Make a calendar document of a table of holidays. It is not applied."), h.showCalendarSeed),
		handle(get("/schemas/calendar", "calendar-schema", "The JSON Schema of definitions of calendars.").needs(access.Known, Nobody).behind("calendars"), h.calendarSchema),
	}
}

func (h *Handler) listCalendars(ctx context.Context, _ *nothing) (*body[[]CalendarSummary], error) {
	return answer(h.svc.ListCalendars(ctx))
}

func (h *Handler) showCalendar(ctx context.Context, in *struct {
	Calendar string `path:"calendar" maxLength:"255"`
	Version  int    `query:"version" minimum:"0" doc:"0 or absent: the newest"`
},
) (*body[Calendar], error) {
	return answer(h.svc.Calendar(ctx, in.Calendar, in.Version))
}

func (h *Handler) calendarDays(ctx context.Context, in *struct {
	Calendar string `query:"calendar" required:"true" minLength:"1" maxLength:"512" doc:"CALENDAR, CALENDAR#SET, or CALENDAR#free for its free days"`
	From     string `query:"from" required:"true" maxLength:"10" doc:"2026-12-24"`
	Until    string `query:"until" maxLength:"10" doc:"inclusive, at most 400 days; absent: only the first"`
},
) (*body[[]CalendarDay], error) {
	if in.Until == "" {
		in.Until = in.From
	}
	return answer(h.svc.CalendarDays(ctx, in.Calendar, in.From, in.Until))
}

func (h *Handler) listCalendarSeeds(ctx context.Context, _ *nothing) (*body[[]CalendarSeed], error) {
	return answer(h.svc.ListCalendarSeeds(ctx))
}

func (h *Handler) showCalendarSeed(ctx context.Context, in *struct {
	Code  string `path:"code" maxLength:"16" doc:"DE, DE-BY"`
	Name  string `query:"name" maxLength:"200" doc:"of the calendar; absent: holidays/CODE"`
	First int    `query:"first" minimum:"0" maximum:"9999" doc:"year; 0 or absent: all years that there are"`
	Last  int    `query:"last" minimum:"0" maximum:"9999" doc:"year"`
},
) (*body[CalendarText], error) {
	return answer(h.svc.CalendarSeed(ctx, SeedQuery(*in)))
}

func (h *Handler) calendarSchema(context.Context, *nothing) (*huma.StreamResponse, error) {
	if len(h.opts.CalendarSchema) == 0 {
		return nil, fault.New(fault.NotFound, "this server has no schema of calendars", "use reeve calendar schema")
	}
	return written("application/schema+json", h.opts.CalendarSchema), nil
}

// ListCalendars implements Calendars.
func (c *Client) ListCalendars(ctx context.Context) ([]CalendarSummary, error) {
	return ask[[]CalendarSummary](ctx, c, at(http.MethodGet, "calendars"))
}

// Calendar implements Calendars.
func (c *Client) Calendar(ctx context.Context, name string, version int) (Calendar, error) {
	return ask[Calendar](ctx, c, at(http.MethodGet, "calendars", name).with(url.Values{"version": {number(int64(version))}}))
}

// CalendarDays implements Calendars.
func (c *Client) CalendarDays(ctx context.Context, ref string, since, until string) ([]CalendarDay, error) {
	return ask[[]CalendarDay](ctx, c, at(http.MethodGet, "calendar-days").with(url.Values{"calendar": {ref}, "from": {since}, "until": {until}}))
}

// ListCalendarSeeds implements Calendars.
func (c *Client) ListCalendarSeeds(ctx context.Context) ([]CalendarSeed, error) {
	return ask[[]CalendarSeed](ctx, c, at(http.MethodGet, "calendar-seeds"))
}

// CalendarSeed implements Calendars.
func (c *Client) CalendarSeed(ctx context.Context, q SeedQuery) (CalendarText, error) {
	query := url.Values{"name": {q.Name}, "first": {number(int64(q.First))}, "last": {number(int64(q.Last))}}
	return ask[CalendarText](ctx, c, at(http.MethodGet, "calendar-seeds", q.Code).with(query))
}
