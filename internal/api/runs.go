package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
)

func (h *Handler) runRoutes() []entry {
	object := func(r Route, p access.Permission) Route { return r.needs(p, Object).behind("nets") }
	list := []entry{
		handle(object(get("/runs", "list-runs", "List runs, newest first."), access.View), h.listRuns),
		handle(post("/runs", "start-run", "Order a run.").needs(access.Run, Named).behind("nets").forPeers(), h.startRun),
		handle(object(get("/runs/{run}", "show-run", "Show a run with its jobs and attempts."), access.View).forPeers(), h.showRun),
		handle(object(post("/runs/{run}/rerun", "rerun-run", "Order a run of the same net, version and params."), access.Run), h.rerun),
		handle(object(post("/runs/{run}/jobs/{job}/decide", "decide-job", "Settle a job whose end is unknown."), access.Control), h.decide),
		handle(object(post("/runs/{run}/callback", "call-back", "Have the server call a command back that waits for a run."), access.View).forPeers(), h.callBack),
		handle(object(get("/runs/{run}/why", "why", "Say why a run or a job of it waits, or ended as it did."), access.View), h.why),
		streaming(object(get("/runs/{run}/watch", "watch-run", "Tell of each change of a run, as server-sent events."), access.View).forPeers(), h.watchRun, eventStream[Change]("change")),
		streaming(get("/runs/{run}/logs", "logs", "Read output, as lines of JSON or, asked for text/event-stream, as server-sent events.").
			needs(access.ViewLog, Object).behind("logs").forPeers(), h.logs, linesOf[Log], eventStream[Log]("log")),
	}
	for _, v := range [][2]string{
		{"cancel", "Cancel a run: what has not started never starts, what runs is ended."},
		{"hold", "Hold a run: nothing more of it is started."},
		{"release", "Release a run that is held."},
	} {
		r := object(post("/runs/{run}/"+v[0], v[0]+"-run", v[1]), access.Control)
		r.Peer = v[0] == "cancel"
		list = append(list, handle(r, h.control(v[0])))
	}
	return list
}

type runPath struct {
	Run string `path:"run" maxLength:"64"`
}

type runFilter struct {
	Net      string    `query:"net" maxLength:"255"`
	Folder   string    `query:"folder" maxLength:"255" doc:"nets below it"`
	Schedule string    `query:"schedule" maxLength:"63" doc:"whose occurrences they are"`
	States   []string  `query:"state" maxItems:"8" enum:"waiting,held,running,succeeded,warning,failed,cancelled,unknown" doc:"any of these, separated by commas"`
	Since    time.Time `query:"since" doc:"created then or later"`
	Until    time.Time `query:"until" doc:"created earlier"`
	Before   string    `query:"before" maxLength:"64" doc:"cursor: runs older than this id"`
	Limit    int       `query:"limit" minimum:"0" maximum:"1000" doc:"0 or absent: 50"`
}

func (h *Handler) listRuns(ctx context.Context, in *runFilter) (*body[[]RunSummary], error) {
	return answer(h.svc.ListRuns(ctx, RunQuery(*in)))
}

func (h *Handler) startRun(ctx context.Context, in *struct{ Body StartRun }) (*body[Run], error) {
	if err := may(ctx, access.Run, in.Body.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.StartRun(ctx, in.Body))
}

func (h *Handler) showRun(ctx context.Context, in *runPath) (*body[Run], error) {
	return answer(h.svc.Run(ctx, in.Run))
}

func (h *Handler) rerun(ctx context.Context, in *runPath) (*body[Run], error) {
	return answer(h.svc.RerunRun(ctx, in.Run))
}

func (h *Handler) control(verb string) func(context.Context, *runPath) (*body[Run], error) {
	return func(ctx context.Context, in *runPath) (*body[Run], error) {
		return answer(h.svc.ControlRun(ctx, in.Run, verb))
	}
}

type decideInput struct {
	Run  string `path:"run" maxLength:"64"`
	Job  string `path:"job" maxLength:"255"`
	Body Decision
}

func (h *Handler) decide(ctx context.Context, in *decideInput) (*body[Run], error) {
	return answer(h.svc.DecideJob(ctx, in.Run, in.Job, in.Body))
}

type callBackInput struct {
	Run  string `path:"run" maxLength:"64"`
	Body CallBack
}

func (h *Handler) callBack(ctx context.Context, in *callBackInput) (*body[Run], error) {
	return answer(h.svc.CallBack(ctx, in.Run, in.Body))
}

type whyInput struct {
	Run string `path:"run" maxLength:"64"`
	Job string `query:"job" maxLength:"255"`
}

func (h *Handler) why(ctx context.Context, in *whyInput) (*body[Why], error) {
	return answer(h.svc.Why(ctx, in.Run, in.Job))
}

func (h *Handler) watchRun(ctx context.Context, in *runPath) (*huma.StreamResponse, error) {
	return h.stream(func(x *exchange) {
		pump(h, x, feedOf("change", true), func(ctx context.Context, emit func(Change) error) error {
			return h.svc.Watch(ctx, in.Run, emit)
		})
	}), nil
}

type logFilter struct {
	Run     string `path:"run" maxLength:"64"`
	Job     string `query:"job" maxLength:"255" doc:"absent: all jobs, in order"`
	Attempt int    `query:"attempt" minimum:"0" doc:"0 or absent: the last"`
	Stream  string `query:"stream" enum:"stdout,stderr" doc:"absent: both"`
	Follow  bool   `query:"follow" doc:"until the run, or the job, has ended and all of its output is there"`
}

func (h *Handler) logs(_ context.Context, in *logFilter) (*huma.StreamResponse, error) {
	q := LogQuery{Run: in.Run, Job: in.Job, N: in.Attempt, Stream: in.Stream, Follow: in.Follow}
	return h.stream(func(x *exchange) {
		pump(h, x, feedOf("log", wantsEvents(x.r)), func(ctx context.Context, emit func(Log) error) error {
			return h.svc.Logs(ctx, q, emit)
		})
	}), nil
}

func wantsEvents(r *http.Request) bool {
	return r.Header.Get("Accept") == "text/event-stream"
}
