package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (h *Handler) agendaRoutes() []entry {
	object := func(r Route, p access.Permission) Route { return r.needs(p, Object).behind("nets") }
	entries := []entry{
		handle(object(get("/agenda", "show-agenda", "Show a day: what was due and what is due, a page of it, and what people changed."), access.View), h.showAgenda),
		handle(get("/agenda/month", "show-month", "Show a month of a schedule, day by day: how many are due, or why none.").needs(access.View, Named).behind("nets"), h.showMonth),
		handle(object(get("/overrides", "list-overrides", "List what people changed of the agenda, newest first."), access.View), h.listOverrides),
		handle(object(post("/overrides/{id}/drop", "drop-override", "Take back what was changed of the agenda."), access.Control), h.dropOverride),
	}
	for _, v := range []struct {
		kind, summary string
		needs         access.Permission
	}{
		{"add", "Add an occurrence that no schedule has.", access.Run},
		{"move", "Move an occurrence to another time.", access.Control},
		{"skip", "Skip an occurrence: it is cancelled when it falls due.", access.Control},
		{"hold", "Hold an occurrence, or all of a schedule from a time on, until it is released.", access.Control},
	} {
		r := post("/overrides/"+v.kind, v.kind+"-override", v.summary).needs(v.needs, Named).behind("nets")
		entries = append(entries, handle(r, h.createOverride(v.kind, v.needs)))
	}
	return entries
}

func (h *Handler) showAgenda(ctx context.Context, in *struct {
	Day    string `query:"day" maxLength:"10" doc:"2026-12-24; absent: today"`
	Zone   string `query:"zone" maxLength:"100" doc:"in which a day is meant; absent: UTC"`
	Net    string `query:"net" maxLength:"255"`
	Folder string `query:"folder" maxLength:"255" doc:"nets below it"`
	State  string `query:"state" enum:"pending,released,missed,suppressed,cancelled,late"`
	After  string `query:"after" maxLength:"500" doc:"cursor of the page before"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"0 or absent: 200"`
},
) (*body[AgendaPage], error) {
	return answer(h.svc.ShowAgenda(ctx, AgendaQuery{
		Day: in.Day, Zone: in.Zone, Net: in.Net, Folder: in.Folder, State: in.State, After: in.After, Limit: in.Limit,
	}))
}

func (h *Handler) showMonth(ctx context.Context, in *struct {
	ScheduleName
	Month string `query:"month" required:"true" maxLength:"7" doc:"2026-12"`
},
) (*body[[]MonthDay], error) {
	if err := may(ctx, access.View, in.Net); err != nil {
		return nil, err
	}
	month, err := time.Parse(monthForm, in.Month)
	if err != nil {
		return nil, fault.New(fault.Invalid, strconv.Quote(in.Month)+" is no month", "write it as 2026-12")
	}
	return answer(h.svc.MonthOf(ctx, in.Net, in.Schedule, month))
}

const monthForm = "2006-01"

func (h *Handler) listOverrides(ctx context.Context, in *struct {
	Net string `query:"net" maxLength:"255"`
	All bool   `query:"all" doc:"also those that are over: used, expired, dropped"`
},
) (*body[[]Override], error) {
	return answer(h.svc.ListOverrides(ctx, in.Net, in.All))
}

func (h *Handler) createOverride(kind string, p access.Permission) func(context.Context, *struct{ Body CreateOverride }) (*body[Override], error) {
	return func(ctx context.Context, in *struct{ Body CreateOverride }) (*body[Override], error) {
		if err := may(ctx, p, in.Body.Net); err != nil {
			return nil, err
		}
		in.Body.Kind = kind
		return answer(h.svc.CreateOverride(ctx, in.Body))
	}
}

func (h *Handler) dropOverride(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"63"`
},
) (*body[Override], error) {
	return answer(h.svc.DropOverride(ctx, in.ID))
}

// ShowAgenda implements Agenda.
func (c *Client) ShowAgenda(ctx context.Context, q AgendaQuery) (AgendaPage, error) {
	query := url.Values{
		"day": {q.Day}, "zone": {q.Zone}, "net": {q.Net}, "folder": {q.Folder}, "state": {q.State}, "after": {q.After}, "limit": {number(int64(q.Limit))},
	}
	return ask[AgendaPage](ctx, c, at(http.MethodGet, "agenda").with(query))
}

// MonthOf implements Agenda.
func (c *Client) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]MonthDay, error) {
	query := ScheduleName{net, schedule}.values()
	query.Set("month", month.Format(monthForm))
	return ask[[]MonthDay](ctx, c, at(http.MethodGet, "agenda", "month").with(query))
}

// ListOverrides implements Agenda.
func (c *Client) ListOverrides(ctx context.Context, net string, all bool) ([]Override, error) {
	return ask[[]Override](ctx, c, at(http.MethodGet, "overrides").with(url.Values{"net": {net}, "all": {yes(all)}}))
}

// CreateOverride implements Agenda.
func (c *Client) CreateOverride(ctx context.Context, o CreateOverride) (Override, error) {
	return ask[Override](ctx, c, at(http.MethodPost, "overrides", o.Kind).sending(o))
}

// DropOverride implements Agenda.
func (c *Client) DropOverride(ctx context.Context, id string) (Override, error) {
	return ask[Override](ctx, c, at(http.MethodPost, "overrides", id, "drop"))
}
