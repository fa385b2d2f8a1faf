package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// TestLogsWaitForOutputThatIsOnItsWay: an end may be committed before the last of the output is, and who asks for the
// output of what has just ended wants all of it.
func TestLogsWaitForOutputThatIsOnItsWay(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.candidates(s.agent("one", 1))
	id := s.start(s.net("logs/late")).ID
	s.until(id, func(r api.Run) bool { return r.Jobs[0].State == "dispatched" })

	text := wire.AppendRecord(nil, wire.Record{Stream: wire.Stdout, At: time.Now(), Data: []byte("late\n")})
	code := 0
	s.report("one", id, run.Ended{Job: "a", N: 1, StartedAt: time.Now(), At: time.Now(), ExitCode: &code, Output: int64(len(text))})

	var got strings.Builder
	read := make(chan error, 1)
	go func() {
		read <- s.service.Logs(s.admin(), api.LogQuery{Run: id}, func(l api.Log) error {
			got.WriteString(l.Text)
			return nil
		})
	}()
	select {
	case err := <-read:
		t.Fatalf("it ended with %q before the output was there: %v", got.String(), err)
	case <-time.After(50 * time.Millisecond): // long enough for a reader that does not wait
	}
	if _, err := s.shelf.AppendOutput(t.Context(), "id-one", []wire.OutputChunk{{Attempt: wire.Attempt{Run: id, Job: "a", N: 1}, Data: text}}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if want := "late\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

// TestLogsDoNotWaitForWhatEndedLongAgo: output that retention removed, or an agent took with it, never comes.
func TestLogsDoNotWaitForWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.candidates(s.agent("one", 1))
	id := s.start(s.net("logs/gone")).ID
	s.until(id, func(r api.Run) bool { return r.Jobs[0].State == "dispatched" })
	code, then := 0, time.Now().Add(-time.Hour)
	s.report("one", id, run.Ended{Job: "a", N: 1, StartedAt: then, At: then, ExitCode: &code, Output: 100})

	began := time.Now()
	if err := s.service.Logs(s.admin(), api.LogQuery{Run: id}, func(api.Log) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
