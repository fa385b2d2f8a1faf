package domain_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const twoJobs = "net: estate/two\njobs:\n  - name: a\n    command: [\"true\"]\n  - name: b\n    after: [a]\n    command: [\"true\"]\n"

// spool makes the records of an attempt's output.
func spool(t *testing.T, texts ...string) []byte {
	t.Helper()
	var b []byte
	for i, text := range texts {
		stream := wire.Stdout
		if i%2 == 1 {
			stream = wire.Stderr
		}
		b = wire.AppendRecord(b, wire.Record{Stream: stream, At: time.Now(), Data: []byte(text)})
	}
	return b
}

// write stores output as an agent's.
func (s *site) write(agent, id, job string, offset int64, data []byte) {
	s.t.Helper()
	have, err := s.shelf.AppendOutput(s.t.Context(), "id-"+agent, []wire.OutputChunk{{Attempt: wire.Attempt{Run: id, Job: job, N: 1}, Offset: offset, Data: data}})
	if err != nil || have[0] != offset+int64(len(data)) {
		s.t.Fatalf("storing output: have %v, error %v", have, err)
	}
}

// dispatched waits until a job's attempt is ordered.
func (s *site) dispatched(id, job string) {
	s.t.Helper()
	s.until(id, func(r api.Run) bool {
		for _, j := range r.Jobs {
			if j.Name == job && j.State == "dispatched" {
				return true
			}
		}
		return false
	})
}

func exited(job string, code int, output int) run.Ended {
	return run.Ended{Job: job, N: 1, StartedAt: time.Now(), At: time.Now(), ExitCode: &code, Output: int64(output)}
}

// follow reads logs until they end by themselves.
func (s *site) follow(q api.LogQuery) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.admin(), 20*time.Second)
	defer cancel()
	var b strings.Builder
	q.Follow = true
	err := s.service.Logs(ctx, q, func(l api.Log) error {
		fmt.Fprintf(&b, "%s/%d %s %s\n", l.Job, l.Attempt, l.Stream, l.Text)
		return nil
	})
	if err != nil || ctx.Err() != nil {
		s.t.Fatalf("following %+v: %v, %v; got %s", q, err, ctx.Err(), b.String())
	}
	return b.String()
}

// TestLogsFollow: following ends when the run has ended and all of its output, which may come later, is told.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.candidates(s.agent("north", 4))
	s.apply(twoJobs)
	id := s.start("estate/two").ID
	s.dispatched(id, "a")
	first, second := spool(t, "one", "two"), spool(t, "three")
	told := make(chan string)
	go func() { told <- s.follow(api.LogQuery{Run: id}) }()
	s.report("north", id, exited("a", 0, len(first)))
	s.write("north", id, "a", 0, first[:7]) // not a whole record
	s.dispatched(id, "b")
	s.write("north", id, "a", 7, first[7:])
	s.report("north", id, exited("b", 0, len(second)))
	s.write("north", id, "b", 0, second)
	// In the order of each job: of two that write at once, either may be told first.
	got := strings.SplitAfter(<-told, "\n")
	slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(a[:min(len(a), 1)], b[:min(len(b), 1)]) })
	if got, want := strings.Join(got, ""), "a/1 stdout one\na/1 stderr two\nb/1 stdout three\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.follow(api.LogQuery{Run: id, Job: "a", Stream: "stderr"}), "a/1 stderr two\n"; got != want {
		t.Errorf("one stream: got %q, want %q", got, want)
	}
}

// TestLogsFollowUnknown: an unknown run is an end: jobs that wait for a decision hold up nobody who follows.
func TestLogsFollowUnknown(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.candidates(s.agent("north", 4))
	s.apply(twoJobs)
	id := s.start("estate/two").ID
	s.dispatched(id, "a")
	s.write("north", id, "a", 0, spool(t, "one"))
	s.report("north", id, run.Unknown{Job: "a", N: 1, At: time.Now(), Reason: run.ReasonReboot, Output: 1000})
	for _, job := range []string{"", "a", "b"} {
		got := s.follow(api.LogQuery{Run: id, Job: job})
		if want := map[bool]string{true: "a/1 stdout one\n"}[job != "b"]; got != want {
			t.Errorf("following job %q: got %q, want %q", job, got, want)
		}
	}
}

// TestLogsFollowPruned: output that retention has removed, or that never came, holds up nobody for ever.
func TestLogsFollowPruned(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.candidates(s.agent("north", 4))
	id := s.start(s.net("estate/one")).ID
	s.dispatched(id, "a")
	text := spool(t, "one")
	s.write("north", id, "a", 0, text)
	s.report("north", id, exited("a", 0, len(text)))
	if n, err := s.store.PruneOutput(t.Context(), time.Now().Add(time.Hour), 0, 10); err != nil || n != 1 {
		t.Fatalf("pruning output: %d, %v", n, err)
	}
	s.advance(time.Hour)
	if got := s.follow(api.LogQuery{Run: id}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

// TestLogsRefuse: what cannot be told is an error before anything is told.
func TestLogsRefuse(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.start(s.net("estate/one")).ID
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // who asks is what differs
		q    api.LogQuery
		kind fault.Kind
	}{
		"no run":            {s.admin(), api.LogQuery{Run: "none"}, fault.NotFound},
		"no job":            {s.admin(), api.LogQuery{Run: id, Job: "none"}, fault.NotFound},
		"no attempt":        {s.admin(), api.LogQuery{Run: id, Job: "a", N: 1}, fault.NotFound},
		"negative":          {s.admin(), api.LogQuery{Run: id, Job: "a", N: -1}, fault.NotFound},
		"no stream":         {s.admin(), api.LogQuery{Run: id, Stream: "stdin"}, fault.Invalid},
		"nobody":            {t.Context(), api.LogQuery{Run: id}, fault.Unauthenticated},
		"without the right": {s.as("", access.View), api.LogQuery{Run: id}, fault.Forbidden},
		"another folder":    {s.as("other", access.ViewLog), api.LogQuery{Run: id}, fault.Forbidden},
	} {
		err := s.service.Logs(test.ctx, test.q, func(api.Log) error { t.Errorf("%s: something was told", name); return nil })
		if !fault.Is(err, test.kind) {
			t.Errorf("%s: got %v, want kind %d", name, err, test.kind)
		}
	}
}
