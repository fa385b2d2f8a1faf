package run_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/run"
)

var update = flag.Bool("update", false, "write what is got as what is wanted")

// TestTranscripts plays testdata/*.txt: a net, inputs one a line, and what each of them changed. Run with -update to
// write the transcripts anew, and read the difference.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			got := play(t, parts["net"], parts["inputs"])
			if *update {
				archive.Files = []txtar.File{{Name: "net", Data: []byte(parts["net"])}, {Name: "inputs", Data: []byte(parts["inputs"])}, {Name: "want", Data: []byte(got)}}
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := parts["want"]; got != want {
				t.Errorf("transcript differs\n--- got\n%s\n--- want\n%s", got, want)
			}
		})
	}
}

// play applies the inputs and writes what happened.
func play(t *testing.T, net, inputs string) string {
	t.Helper()
	nets, err := jobfile.Parse("net", []byte(net))
	if err != nil {
		t.Fatal(err)
	}
	d := run.Define(&nets[0], 1)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := run.New(d, run.Request{ID: "r1", By: "ann"}, now)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(inputs), "\n") {
		fmt.Fprintf(&b, "> %s\n", line)
		words := strings.Fields(line)
		if words[0] == "pass" {
			d, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
			continue
		}
		next, effects, err := run.Step(d, s, input(t, words, now), now)
		b.WriteString(difference(s, next, now))
		for _, e := range effects {
			fmt.Fprintf(&b, "    effect %s\n", effect(e))
		}
		switch {
		case errors.Is(err, run.ErrKnown):
			b.WriteString("    known already\n")
		case err != nil:
			fmt.Fprintf(&b, "    refused: %v\n", err)
		}
		s = next
	}
	return b.String()
}

func input(t *testing.T, words []string, now time.Time) run.Input {
	t.Helper()
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	n, _ := strconv.Atoi(arg(2))
	switch words[0] {
	case "begin":
		return run.Begin{}
	case "tick":
		return run.Tick{}
	case "dispatch":
		return run.Dispatch{Job: arg(1), Agent: arg(2), AgentID: "id-" + arg(2)}
	case "started":
		return run.Started{Job: arg(1), N: n, At: now, PID: 4711, Containment: "cgroup"}
	case "ended":
		return end(t, words, n, now)
	case "never":
		return run.NeverStarted{Job: arg(1), N: n, At: now, Reason: run.Reason(arg(3))}
	case "deferred":
		return run.Deferred{Job: arg(1), N: n, Reason: run.Reason(arg(3)), Detail: strings.Join(words[min(4, len(words)):], " ")}
	case "unknown":
		return run.Unknown{Job: arg(1), N: n, At: now, Reason: run.Reason(arg(3))}
	case "cancel":
		return run.Cancel{By: arg(1)}
	case "hold":
		return run.Hold{By: arg(1)}
	case "release":
		return run.Release{By: arg(1)}
	case "decide":
		return run.Decide{Job: arg(1), As: run.Status(strings.TrimSuffix(arg(2), "rerun")), Rerun: arg(2) == "rerun", By: "ann"}
	}
	t.Fatalf("no such input: %v", words)
	return nil
}

// end reads `ended JOB N exit=3 signal=SIGTERM reason=timeout out.NAME=VALUE`.
func end(t *testing.T, words []string, n int, now time.Time) run.Input {
	t.Helper()
	in := run.Ended{Job: words[1], N: n, At: now, StartedAt: now}
	for _, w := range words[3:] {
		k, v, _ := strings.Cut(w, "=")
		switch {
		case k == "exit":
			code, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			in.ExitCode = &code
		case k == "signal":
			in.Signal = v
		case k == "reason":
			in.Reason = run.Reason(v)
		case strings.HasPrefix(k, "out."):
			in.Outputs = map[string]string{strings.TrimPrefix(k, "out."): v}
		default:
			t.Fatalf("no such word: %q", w)
		}
	}
	return in
}

func difference(before, after run.State, now time.Time) string {
	var b strings.Builder
	if before.Status != after.Status || before.Reason != after.Reason {
		fmt.Fprintf(&b, "    run: %s%s\n", after.Status, paren(after.Reason))
	}
	for i := range after.Jobs {
		x, y := before.Jobs[i], after.Jobs[i]
		if x.Status == y.Status && x.Reason == y.Reason && len(x.Attempts) == len(y.Attempts) && x.Decided == y.Decided && last(x) == last(y) {
			continue
		}
		fmt.Fprintf(&b, "    %s: %s%s", y.Name, y.Status, paren(y.Reason))
		if !y.Due.IsZero() {
			fmt.Fprintf(&b, " due in %s", y.Due.Sub(now))
		}
		if y.Decided != "" {
			fmt.Fprintf(&b, " decided by %s", y.Decided)
		}
		if a := last(y); a != "" {
			fmt.Fprintf(&b, " [%s]", a)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func last(j run.Job) string {
	if len(j.Attempts) == 0 {
		return ""
	}
	a := j.Attempts[len(j.Attempts)-1]
	out := fmt.Sprintf("attempt %d on %s %s%s", a.N, a.Agent, a.Status, paren(a.Reason))
	if a.ExitCode != nil {
		out += fmt.Sprintf(" exit %d", *a.ExitCode)
	}
	return out
}

func paren(r run.Reason) string {
	if r == "" {
		return ""
	}
	return " (" + string(r) + ")"
}

func effect(e run.Effect) string {
	switch e := e.(type) {
	case run.StartAttempt:
		return fmt.Sprintf("start %s/%d on %s", e.Job, e.N, e.AgentID)
	case run.CancelAttempt:
		return fmt.Sprintf("cancel %s/%d on %s", e.Job, e.N, e.AgentID)
	case run.CloseAttempt:
		return fmt.Sprintf("close %s/%d on %s", e.Job, e.N, e.AgentID)
	}
	return fmt.Sprintf("%T", e)
}
