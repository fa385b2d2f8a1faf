package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/reeve-scheduler/reeve/internal/access"
)

func (h *Handler) scheduleRoutes() []entry {
	named := func(r Route, p access.Permission) Route { return r.needs(p, Named).behind("nets") }
	return []entry{
		handle(get("/schedules", "list-schedules", "List schedules as they are in force, by net and name.").needs(access.View, Object).behind("nets"), h.listSchedules),
		handle(named(get("/schedules/{net...}", "show-schedule", "Show a schedule of a net. The name's slashes may stand as they are."), access.View), h.showSchedule),
		h.diffRoute(),
		handle(named(post("/schedules/pause", "pause-schedule", "Pause a schedule: what falls due is suppressed."), access.Control), h.pauseSchedule),
		handle(named(post("/schedules/resume", "resume-schedule", "End the pause of a schedule."), access.Control), h.resumeSchedule),
	}
}

type scheduleFilter struct {
	Net    string `query:"net" maxLength:"255"`
	Folder string `query:"folder" maxLength:"255" doc:"nets below it"`
	Paused bool   `query:"paused" doc:"only those that are paused"`
	Limit  int    `query:"limit" minimum:"0" maximum:"10000" doc:"0 or absent: 1000"`
	After  string `query:"after" maxLength:"320" doc:"cursor: those behind NET/SCHEDULE"`
}

func (h *Handler) listSchedules(ctx context.Context, in *scheduleFilter) (*body[[]Schedule], error) {
	return answer(h.svc.ListSchedules(ctx, ScheduleQuery(*in)))
}

func (h *Handler) showSchedule(ctx context.Context, in *struct {
	Net      string `path:"net" maxLength:"255"`
	Schedule string `query:"schedule" required:"true" minLength:"1" maxLength:"63"`
},
) (*body[Schedule], error) {
	if err := may(ctx, access.View, in.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.Schedule(ctx, in.Net, in.Schedule))
}

// ScheduleName names a schedule in a query. Routes embed it.
type ScheduleName struct {
	Net      string `query:"net" required:"true" minLength:"1" maxLength:"255"`
	Schedule string `query:"schedule" required:"true" minLength:"1" maxLength:"63"`
}

func (h *Handler) pauseSchedule(ctx context.Context, in *struct {
	ScheduleName
	Body Pause
},
) (*body[Schedule], error) {
	if err := may(ctx, access.Control, in.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.PauseSchedule(ctx, in.Net, in.Schedule, in.Body))
}

func (h *Handler) resumeSchedule(ctx context.Context, in *ScheduleName) (*body[Schedule], error) {
	if err := may(ctx, access.Control, in.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.ResumeSchedule(ctx, in.Net, in.Schedule))
}

// ListSchedules implements Schedules.
func (c *Client) ListSchedules(ctx context.Context, q ScheduleQuery) ([]Schedule, error) {
	query := url.Values{"net": {q.Net}, "folder": {q.Folder}, "paused": {yes(q.Paused)}, "limit": {number(int64(q.Limit))}, "after": {q.After}}
	return ask[[]Schedule](ctx, c, at(http.MethodGet, "schedules").with(query))
}

// yes writes a switch of a query; one that is off is left away.
func yes(on bool) string {
	if on {
		return "true"
	}
	return ""
}

func (n ScheduleName) values() url.Values {
	return url.Values{"net": {n.Net}, "schedule": {n.Schedule}}
}

// Schedule implements Schedules.
func (c *Client) Schedule(ctx context.Context, net, name string) (Schedule, error) {
	return ask[Schedule](ctx, c, at(http.MethodGet, "schedules", net).with(url.Values{"schedule": {name}}))
}

// PauseSchedule implements Schedules.
func (c *Client) PauseSchedule(ctx context.Context, net, name string, order Pause) (Schedule, error) {
	return ask[Schedule](ctx, c, at(http.MethodPost, "schedules", "pause").with(ScheduleName{net, name}.values()).sending(order))
}

// ResumeSchedule implements Schedules.
func (c *Client) ResumeSchedule(ctx context.Context, net, name string) (Schedule, error) {
	return ask[Schedule](ctx, c, at(http.MethodPost, "schedules", "resume").with(ScheduleName{net, name}.values()))
}
