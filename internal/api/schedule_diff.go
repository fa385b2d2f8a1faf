package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (h *Handler) diffRoute() entry {
	diff := post("/schedules/diff", "diff-schedules", "Compare the schedules of a file of definitions with those in force: what is added, removed and moved. An answer compares some hundred changed schedules, and names the others (uncompared).").
		needs(access.View, Object).behind("nets")
	diff.MaxBody = maxDefinition
	return handle(diff, h.diffSchedules)
}

type diffInput struct {
	Name    string `query:"name" maxLength:"4096" doc:"what mistakes call the file"`
	Months  int    `query:"months" minimum:"0" maximum:"120" doc:"0 or absent: 13"`
	After   string `query:"after" maxLength:"320" doc:"cursor: those behind NET/SCHEDULE, the last one that an earlier answer to the same file compared"`
	RawBody []byte `contentType:"application/yaml"`
}

func (h *Handler) diffSchedules(ctx context.Context, in *diffInput) (*body[[]ScheduleDiff], error) {
	if in.Name == "" {
		in.Name = "-"
	}
	// huma uses the buffer again for the next request.
	return answer(h.svc.DiffSchedules(ctx, in.Name, bytes.Clone(in.RawBody), in.Months, in.After))
}

// DiffSchedules implements Schedules.
func (c *Client) DiffSchedules(ctx context.Context, name string, text []byte, months int, after string) ([]ScheduleDiff, error) {
	if len(text) > maxDefinition {
		return nil, fault.Newf(fault.Invalid, "%s is longer than 4 MiB", name)
	}
	what := at(http.MethodPost, "schedules", "diff").with(url.Values{"name": {name}, "months": {number(int64(months))}, "after": {after}})
	what.raw = append([]byte{}, text...)
	return ask[[]ScheduleDiff](ctx, c, what)
}
