//go:build linux

package fault_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// A witness job appends START and END with the name of its attempt to a file outside Reeve's folders: what it says
// happened, happened. Lines are short and the file is opened with O_APPEND, so no line is torn.
const witnessScript = `        #!/bin/sh
        echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"
        if [ -n "$gate" ]; then read -r nothing <"$gate"; else sleep "$pause"; fi
        echo "END $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT $code" >>"$witness"
        exit "$code"
`

// witness is the file, and the gate at which gated jobs wait.
type witness struct {
	t    testing.TB
	file string
	gate string
}

func newWitness(t testing.TB) *witness {
	t.Helper()
	dir := t.TempDir()
	w := &witness{t: t, file: filepath.Join(dir, "witness"), gate: filepath.Join(dir, "gate")}
	if err := syscall.Mkfifo(w.gate, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// job writes a witness job. A gated one waits for open, another takes pause; it ends with code.
func (w *witness) job(name string, gated bool, pause time.Duration, code int, more string) string {
	gate := ""
	if gated {
		gate = w.gate
	}
	return fmt.Sprintf("  - name: %s\n    env: {witness: %q, gate: %q, pause: \"%.3f\", code: \"%d\"}\n%s    script: |\n%s",
		name, w.file, gate, pause.Seconds(), code, more, witnessScript)
}

// open lets the jobs go that wait at the gate now.
func (w *witness) open() {
	if fd, err := syscall.Open(w.gate, syscall.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		_ = syscall.Close(fd)
	}
}

// seen is what the witness says of one attempt.
type seen struct {
	starts, ends int
	startLine    int
	endLine      int
	code         string
}

// read returns what the witness says, by "RUN JOB N", and how many lines it has of each kind.
func (w *witness) read() (all map[string]seen, starts, ends int) {
	w.t.Helper()
	text, err := os.ReadFile(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	all = map[string]seen{}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		key := strings.Join(f[1:4], " ")
		s := all[key]
		switch f[0] {
		case "START":
			s.starts++
			s.startLine = i
			starts++
		case "END":
			s.ends++
			s.endLine, s.code = i, f[4]
			ends++
		}
		all[key] = s
	}
	return all, starts, ends
}

// begun waits until at least n attempts have started.
func (w *witness) begun(n int) {
	w.t.Helper()
	within(w.t, 90*time.Second, func() string {
		if _, starts, _ := w.read(); starts < n {
			return fmt.Sprintf("%d of %d witness jobs have started", starts, n)
		}
		return ""
	})
}

// reach waits until n attempts have started, or some time has passed: where a fault strikes need not be exact.
func (w *witness) reach(n int, limit time.Duration) {
	deadline := time.Now().Add(limit)
	within(w.t, limit+time.Minute, func() string {
		if _, starts, _ := w.read(); starts < n && time.Now().Before(deadline) {
			return "waiting"
		}
		return ""
	})
}

// check compares runs with the witness. mayBeUnknown says whether an attempt may have an end that nobody knows.
func (w *witness) check(runs []api.Run, mayBeUnknown bool) {
	w.t.Helper()
	all, _, _ := w.read()
	known := map[string]bool{}
	for _, r := range runs {
		states := map[string]api.Job{}
		for _, j := range r.Jobs {
			states[j.Name] = j
		}
		for _, j := range r.Jobs {
			for _, a := range j.Attempts {
				key := fmt.Sprintf("%s %s %d", r.ID, j.Name, a.N)
				known[key] = true
				w.attempt(key, j, a, all[key], mayBeUnknown)
			}
			w.order(r.ID, j, states, all)
		}
	}
	for key := range all {
		id, _, _ := strings.Cut(key, " ")
		for _, r := range runs {
			if r.ID == id && !known[key] {
				w.t.Errorf("the witness saw %s, of which the server knows nothing", key)
			}
		}
	}
}

func (w *witness) attempt(key string, j api.Job, a api.Attempt, s seen, mayBeUnknown bool) {
	w.t.Helper()
	if s.starts > 1 {
		w.t.Errorf("%s was started %d times", key, s.starts)
	}
	if a.State != "unknown" && value(a.Containment) == "" {
		w.t.Errorf("%s does not say how it was contained", key)
	}
	switch a.State {
	case "succeeded":
		if s.ends != 1 || s.code != "0" {
			w.t.Errorf("%s is shown as succeeded; the witness saw %d ends, code %q", key, s.ends, s.code)
		}
	case "failed":
		if s.ends != 1 || a.ExitCode == nil || fmt.Sprint(*a.ExitCode) != s.code {
			w.t.Errorf("%s is failed (%s %s) with exit code %v; the witness saw %d ends, code %q", key, value(a.Reason), value(a.Detail), show(a.ExitCode), s.ends, s.code)
		}
	case "unknown":
		if !mayBeUnknown {
			w.t.Errorf("%s is unknown (%s %s); the witness saw %d starts, %d ends, code %q", key, value(a.Reason), value(a.Detail), s.starts, s.ends, s.code)
		}
		if r := value(a.Reason); r != "keeper_died" && r != "start" {
			w.t.Errorf("%s is unknown for the reason %q", key, r)
		}
	default:
		w.t.Errorf("%s is %s (%s, job %s); the witness saw %d starts, %d ends", key, a.State, value(a.Reason), j.State, s.starts, s.ends)
	}
}

// order checks that a job was released once, and after all that it waits for: their ends, or a person's decision.
func (w *witness) order(run string, j api.Job, states map[string]api.Job, all map[string]seen) {
	w.t.Helper()
	if len(j.Attempts) > 1 {
		w.t.Errorf("job %s of run %s has %d attempts, and no retries", j.Name, run, len(j.Attempts))
	}
	own, ok := all[run+" "+j.Name+" 1"]
	if !ok {
		return
	}
	for _, p := range j.After {
		before := all[run+" "+p+" 1"]
		if states[p].Decided != nil && (before.starts == 0 || unknownStart(states[p])) {
			continue // it was never executed, or may still be: nobody could know, and a person decided
		}
		if before.ends != 1 || before.endLine > own.startLine {
			w.t.Errorf("%s of run %s started at line %d, before the end of %s at line %d (%d ends)", j.Name, run, own.startLine, p, before.endLine, before.ends)
		}
	}
}

// unknownStart reports whether a job's keeper died between the order and the first proof that it was executed.
func unknownStart(j api.Job) bool {
	last := j.Attempts[len(j.Attempts)-1]
	return last.State == "unknown" && last.Reason != nil && *last.Reason == "start"
}

func show(code *int) string {
	if code == nil {
		return "none"
	}
	return fmt.Sprint(*code)
}
