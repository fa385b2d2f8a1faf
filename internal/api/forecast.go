package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// forecastTime bounds one forecast: it plays the next days many times.
const forecastTime = 2 * time.Minute

func (h *Handler) forecastRoutes() []entry {
	r := get("/forecast", "forecast", "Look ahead: play the next days many times, with durations from history, slots of agents and pools of ports.").
		needs(access.View, Object).behind("nets")
	r.Timeout = forecastTime
	return []entry{handle(r, h.forecast)}
}

type forecastFilter struct {
	Days         int      `query:"days" minimum:"0" maximum:"400" doc:"0 or absent: 7"`
	Net          string   `query:"net" maxLength:"255" doc:"report only what is due of this net; all are simulated"`
	Folder       string   `query:"folder" maxLength:"255" doc:"report only what is due of nets below it"`
	Replications int      `query:"replications" minimum:"0" maximum:"1000" doc:"0 or absent: 100; 1: with mean durations and without failures"`
	WhatIf       []string `query:"what_if,explode" maxItems:"20" doc:"agent-down=NAME, agent-slots=NAME:N, duration=NET[/JOB]:+50%, pool-closed=ID, pool-size=ID:N, without=NET; may be repeated"`
	Limit        int      `query:"limit" minimum:"0" maximum:"10000" doc:"of items; 0 or absent: 200"`
	Seed         int64    `query:"seed" doc:"of chance: the same seed gives the same forecast"`
}

func (h *Handler) forecast(ctx context.Context, in *forecastFilter) (*body[Forecast], error) {
	return answer(h.svc.Forecast(ctx, ForecastQuery(*in)))
}

// Forecast implements Forecasts.
func (c *Client) Forecast(ctx context.Context, q ForecastQuery) (Forecast, error) {
	query := url.Values{
		"days": {number(int64(q.Days))}, "net": {q.Net}, "folder": {q.Folder}, "replications": {number(int64(q.Replications))},
		"what_if": q.WhatIf, "limit": {number(int64(q.Limit))}, "seed": {number(q.Seed)},
	}
	return ask[Forecast](ctx, c, at(http.MethodGet, "forecast").with(query))
}
