package api

import (
	"context"
	"net/http"

	"github.com/reeve-scheduler/reeve/internal/access"
)

func (h *Handler) diffRoute() entry {
	diff := post("/schedules/diff", "diff-schedules", "Compare the schedules of a file of definitions with those in force: what is added, removed and moved. An answer compares some hundred changed schedules, and names the others (uncompared).").
		needs(access.View, Object).behind("nets")
	diff.MaxBody = maxDefinition
	return handle(diff, h.diffSchedules)
}

type diffInput struct {
	FileNames
	Months  int    `query:"months" minimum:"0" maximum:"120" doc:"0 or absent: 13"`
	After   string `query:"after" maxLength:"320" doc:"cursor: those behind NET/SCHEDULE, the last one that an earlier answer to the same file compared"`
	RawBody []byte `contentType:"application/yaml"`
}

func (h *Handler) diffSchedules(ctx context.Context, in *diffInput) (*body[[]ScheduleDiff], error) {
	files, err := in.files(in.RawBody)
	if err != nil {
		return nil, err
	}
	return answer(h.svc.DiffSchedules(ctx, files[0].Name, files[0].Text, DiffQuery{in.Months, in.After}, files[1:]...))
}

// DiffSchedules implements Schedules.
func (c *Client) DiffSchedules(ctx context.Context, name string, text []byte, q DiffQuery, more ...File) ([]ScheduleDiff, error) {
	query, body, err := joined(File{name, text}, more)
	if err != nil {
		return nil, err
	}
	query.Set("months", number(int64(q.Months)))
	query.Set("after", q.After)
	what := at(http.MethodPost, "schedules", "diff").with(query)
	what.raw = body
	return ask[[]ScheduleDiff](ctx, c, what)
}
