package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
)

func (h *Handler) occurrenceRoutes() []entry {
	list := func(path, id, summary string) Route {
		return get(path, id, summary).needs(access.View, Object).behind("nets")
	}
	named := func(r Route, p access.Permission) Route { return r.needs(p, Named).behind("nets") }
	entries := []entry{
		handle(list("/occurrences", "list-occurrences", "List occurrences by due: what became of them, and with planned what is to come."), h.listOccurrences),
		handle(named(get("/occurrences/one", "show-occurrence", "Show an occurrence, with how it came about."), access.View), h.showOccurrence),
		handle(list("/occurrences/missed", "list-missed", "List what was missed and is neither recovered nor dismissed, oldest first: what a schedule missed together as one."), h.listMissed),
		handle(post("/occurrences/release-all", "release-missed", "Release all missed occurrences that a query finds, oldest first, each as a run of its own; without a limit at most 1000.").needs(access.Run, Object).behind("nets"), h.releaseMissed),
		handle(post("/occurrences/dismiss-all", "dismiss-missed", "Dismiss all missed occurrences that a query finds.").needs(access.Control, Object).behind("nets"), h.dismissMissed),
		handle(list("/occurrences/balance", "balance", "Show for each schedule of a business day that all that is expected is decided or pending."), h.balance),
		handle(list("/occurrences/risk", "list-risks", "List what is due in the next hours and needs a path or an agent that is not there."), h.listRisks),
		handle(named(get("/why", "why-net", "Say what became of what was due of a net at an instant, and what would change it."), access.View), h.whyNet),
	}
	for _, v := range []struct {
		verb, summary string
		needs         access.Permission
	}{
		{"release", "Release an occurrence: one that is pending now, or one that was missed.", access.Run},
		{"dismiss", "Dismiss a missed occurrence: nothing is to be done about it.", access.Control},
		{"cancel", "Cancel an occurrence that is pending: it will not be released.", access.Control},
	} {
		entries = append(entries, handle(named(post("/occurrences/"+v.verb, v.verb+"-occurrence", v.summary), v.needs), h.actOn(v.verb, v.needs)))
	}
	return entries
}

type occurrenceFilter struct {
	Net       string    `query:"net" maxLength:"255"`
	Folder    string    `query:"folder" maxLength:"255" doc:"nets below it"`
	Schedule  string    `query:"schedule" maxLength:"63"`
	Since     time.Time `query:"since" doc:"due then or later"`
	Until     time.Time `query:"until" doc:"due earlier"`
	Decisions []string  `query:"decision" maxItems:"5" enum:"pending,released,missed,suppressed,cancelled" doc:"any of these, separated by commas"`
	Reasons   []string  `query:"reason" maxItems:"40" doc:"any of these, separated by commas: see the reference of reasons"`
	Planned   bool      `query:"planned" doc:"also those that are not due yet; needs until, at most 400 days ahead"`
	After     string    `query:"after" maxLength:"500" doc:"cursor of the page before"`
	Limit     int       `query:"limit" minimum:"0" maximum:"1000" doc:"0 or absent: 100"`
}

func (h *Handler) listOccurrences(ctx context.Context, in *occurrenceFilter) (*body[OccurrencePage], error) {
	return answer(h.svc.ListOccurrences(ctx, OccurrenceQuery{
		Net: in.Net, Folder: in.Folder, Schedule: in.Schedule, Since: in.Since, Until: in.Until, Decisions: in.Decisions, Reasons: in.Reasons, Planned: in.Planned, After: in.After, Limit: in.Limit,
	}))
}

func (h *Handler) showOccurrence(ctx context.Context, in *struct {
	ScheduleName
	Nominal time.Time `query:"nominal" required:"true"`
},
) (*body[Occurrence], error) {
	if err := may(ctx, access.View, in.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.Occurrence(ctx, in.Net, in.Schedule, in.Nominal))
}

// MissedFilter says which of what was missed.
type MissedFilter struct {
	Net      string    `query:"net" maxLength:"255"`
	Folder   string    `query:"folder" maxLength:"255" doc:"nets below it"`
	Schedule string    `query:"schedule" maxLength:"63"`
	Since    time.Time `query:"since" doc:"due then or later"`
	Until    time.Time `query:"until" doc:"due earlier"`
}

func (f *MissedFilter) query() OccurrenceQuery {
	return OccurrenceQuery{Net: f.Net, Folder: f.Folder, Schedule: f.Schedule, Since: f.Since, Until: f.Until}
}

func (h *Handler) listMissed(ctx context.Context, in *struct {
	MissedFilter
	Each  bool   `query:"each" doc:"one by one"`
	After string `query:"after" maxLength:"500" doc:"cursor of the page before"`
	Limit int    `query:"limit" minimum:"0" maximum:"1000" doc:"0 or absent: 100"`
},
) (*body[MissedPage], error) {
	q := in.query()
	q.Each, q.After, q.Limit = in.Each, in.After, in.Limit
	return answer(h.svc.Missed(ctx, q))
}

func (h *Handler) releaseMissed(ctx context.Context, in *struct {
	MissedFilter
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"only so many, the oldest; 0 or absent: all, and refused where they are more than 1000"`
	Expect int64  `query:"expect" minimum:"0" doc:"refused where the query finds not so many; 0 or absent: however many they are"`
	Reason string `query:"reason" maxLength:"500"`
},
) (*body[ReleasedMissed], error) {
	q := in.query()
	q.Limit, q.Expect, q.Reason = in.Limit, in.Expect, in.Reason
	return answer(h.svc.ReleaseMissed(ctx, q))
}

// dismissed says how many occurrences were dismissed.
type dismissed struct {
	Dismissed int64 `json:"dismissed" doc:"how many occurrences that were"`
}

func (h *Handler) dismissMissed(ctx context.Context, in *struct {
	Net      string    `query:"net" maxLength:"255"`
	Folder   string    `query:"folder" maxLength:"255" doc:"nets below it"`
	Schedule string    `query:"schedule" maxLength:"63"`
	Until    time.Time `query:"until" doc:"due earlier"`
	Reason   string    `query:"reason" maxLength:"500"`
},
) (*body[dismissed], error) {
	n, err := h.svc.DismissMissed(ctx, OccurrenceQuery{Net: in.Net, Folder: in.Folder, Schedule: in.Schedule, Until: in.Until, Reason: in.Reason})
	return answer(dismissed{n}, err)
}

func (h *Handler) actOn(verb string, p access.Permission) func(context.Context, *struct{ Body OccurrenceAct }) (*body[Occurrence], error) {
	return func(ctx context.Context, in *struct{ Body OccurrenceAct }) (*body[Occurrence], error) {
		if err := may(ctx, p, in.Body.Net); err != nil {
			return nil, err
		}
		in.Body.Verb = verb
		return answer(h.svc.ActOnOccurrence(ctx, in.Body))
	}
}

func (h *Handler) balance(ctx context.Context, in *struct {
	Day      string `query:"day" maxLength:"10" doc:"2026-12-24; absent: today, in each schedule's own zone"`
	Net      string `query:"net" maxLength:"255"`
	Folder   string `query:"folder" maxLength:"255" doc:"nets below it"`
	Schedule string `query:"schedule" maxLength:"63"`
	Broken   bool   `query:"broken" doc:"only those that do not hold"`
},
) (*body[[]Balance], error) {
	return answer(h.svc.Balance(ctx, BalanceQuery{Day: in.Day, Net: in.Net, Folder: in.Folder, Schedule: in.Schedule, Broken: in.Broken}))
}

func (h *Handler) listRisks(ctx context.Context, in *struct {
	Hours int `query:"hours" minimum:"0" maximum:"168" doc:"0 or absent: 12"`
},
) (*body[[]Risk], error) {
	return answer(h.svc.AtRisk(ctx, in.Hours))
}

func (h *Handler) whyNet(ctx context.Context, in *struct {
	Net    string    `query:"net" required:"true" minLength:"1" maxLength:"255"`
	At     time.Time `query:"at" doc:"what is due in this second, or by its nominal instant is; where nothing is and it is a full minute, in this minute; absent: now"`
	Minute bool      `query:"minute" doc:"all that is due in the minute of at"`
},
) (*body[Why], error) {
	if err := may(ctx, access.View, in.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.WhyNet(ctx, WhyQuery{Net: in.Net, At: in.At, Minute: in.Minute}))
}

// ListOccurrences implements Occurrences.
func (c *Client) ListOccurrences(ctx context.Context, q OccurrenceQuery) (OccurrencePage, error) {
	query := q.values()
	query.Set("decision", strings.Join(q.Decisions, ","))
	query.Set("reason", strings.Join(q.Reasons, ","))
	query.Set("planned", yes(q.Planned))
	query.Set("after", q.After)
	return ask[OccurrencePage](ctx, c, at(http.MethodGet, "occurrences").with(query))
}

func (q OccurrenceQuery) values() url.Values {
	return url.Values{
		"net": {q.Net}, "folder": {q.Folder}, "schedule": {q.Schedule}, "since": {instant(q.Since)}, "until": {instant(q.Until)}, "limit": {number(int64(q.Limit))},
	}
}

// Occurrence implements Occurrences.
func (c *Client) Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (Occurrence, error) {
	query := ScheduleName{net, schedule}.values()
	query.Set("nominal", instant(nominal))
	return ask[Occurrence](ctx, c, at(http.MethodGet, "occurrences", "one").with(query))
}

// Missed implements Occurrences.
func (c *Client) Missed(ctx context.Context, q OccurrenceQuery) (MissedPage, error) {
	query := q.values()
	query.Set("each", yes(q.Each))
	query.Set("after", q.After)
	return ask[MissedPage](ctx, c, at(http.MethodGet, "occurrences", "missed").with(query))
}

// ReleaseMissed implements Occurrences.
func (c *Client) ReleaseMissed(ctx context.Context, q OccurrenceQuery) (ReleasedMissed, error) {
	query := q.values()
	query.Set("expect", number(q.Expect))
	query.Set("reason", q.Reason)
	return ask[ReleasedMissed](ctx, c, at(http.MethodPost, "occurrences", "release-all").with(query))
}

// ActOnOccurrence implements Occurrences.
func (c *Client) ActOnOccurrence(ctx context.Context, act OccurrenceAct) (Occurrence, error) {
	return ask[Occurrence](ctx, c, at(http.MethodPost, "occurrences", act.Verb).sending(act))
}

// DismissMissed implements Occurrences.
func (c *Client) DismissMissed(ctx context.Context, q OccurrenceQuery) (int64, error) {
	query := q.values()
	query.Set("reason", q.Reason)
	out, err := ask[dismissed](ctx, c, at(http.MethodPost, "occurrences", "dismiss-all").with(query))
	return out.Dismissed, err
}

// Balance implements Occurrences.
func (c *Client) Balance(ctx context.Context, q BalanceQuery) ([]Balance, error) {
	query := url.Values{"day": {q.Day}, "net": {q.Net}, "folder": {q.Folder}, "schedule": {q.Schedule}, "broken": {yes(q.Broken)}}
	return ask[[]Balance](ctx, c, at(http.MethodGet, "occurrences", "balance").with(query))
}

// WhyNet implements Occurrences.
func (c *Client) WhyNet(ctx context.Context, q WhyQuery) (Why, error) {
	return ask[Why](ctx, c, at(http.MethodGet, "why").with(url.Values{"net": {q.Net}, "at": {instant(q.At)}, "minute": {yes(q.Minute)}}))
}

// AtRisk implements Occurrences.
func (c *Client) AtRisk(ctx context.Context, hours int) ([]Risk, error) {
	return ask[[]Risk](ctx, c, at(http.MethodGet, "occurrences", "risk").with(url.Values{"hours": {number(int64(hours))}}))
}
