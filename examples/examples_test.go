// Package examples_test proves that the nets beside it do their work, without a server: job after job, each in
// an empty folder, with what an agent would give it and nothing else.
package examples_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// pretence is a run without a server.
type pretence struct {
	net    *jobnet.Net
	values jobnet.Values
	in     string // $REEVE_IN
}

// pretend runs a net in order and returns each job's last standard output and exit code, -1 for a skipped job.
func pretend(t *testing.T, file string, params map[string]string) (output map[string]string, codes map[string]int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := jobfile.ParseDocuments(file, text)
	if err != nil {
		t.Fatal(err)
	}
	n := &docs.Nets[0]
	output, codes = map[string]string{}, map[string]int{}
	p := &pretence{net: n, in: t.TempDir()}
	p.values = jobnet.Values{Params: params, Run: "r1", Nominal: time.Unix(0, 0), Outputs: map[string]map[string]string{}}
	for _, level := range jobnet.Levels(n) {
		for _, i := range level {
			job := &n.Jobs[i]
			failed := 0
			for _, name := range job.After {
				if codes[name] != 0 {
					failed++
				}
			}
			codes[job.Name] = -1
			if job.When == jobnet.WhenSuccess && failed > 0 || job.When == jobnet.WhenFailure && failed == 0 {
				continue
			}
			for number := 1; number <= job.Retry.Max+1 && codes[job.Name] != 0; number++ {
				output[job.Name], codes[job.Name] = p.attempt(t, job, number)
			}
		}
	}
	return output, codes
}

func (p *pretence) attempt(t *testing.T, job *jobnet.Job, number int) (string, int) {
	t.Helper()
	argv, env, err := jobnet.Resolve(job, p.net, p.values)
	if err != nil {
		t.Fatalf("%s: %v", job.Name, err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", job.Name, err)
		}
	}
	folder, beside := t.TempDir(), t.TempDir()
	if job.Script != "" {
		argv = []string{filepath.Join(beside, "script")}
		// A program that another goroutine starts meanwhile would inherit the open file, and the kernel executes no
		// file that is open for writing.
		syscall.ForkLock.RLock()
		err := os.WriteFile(argv[0], []byte(job.Script), 0o700)
		syscall.ForkLock.RUnlock()
		must(err)
	}
	outputs := filepath.Join(beside, "outputs")
	must(os.WriteFile(outputs, nil, 0o600))
	home, err := os.UserHomeDir()
	must(err)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = folder
	cmd.Env = append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "USER=x", "LOGNAME=x", "SHELL=/bin/sh", "LANG=C.UTF-8",
		"REEVE_NET=" + p.net.Name, "REEVE_RUN=r1", "REEVE_JOB=" + job.Name, "REEVE_ATTEMPT=" + strconv.Itoa(number), "REEVE_FENCE=1.1", "REEVE_IN=" + p.in, "REEVE_OUTPUT=" + outputs,
	}, env...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		t.Logf("%s, attempt %d: %v %s", job.Name, number, err, stderr.String())
		return stdout.String(), exit.ExitCode()
	} else if err != nil {
		t.Fatalf("%s: %v", job.Name, err)
	}
	if job.Stdout != "" {
		must(os.WriteFile(filepath.Join(folder, job.Stdout), []byte(stdout.String()), 0o600))
	}
	must(os.MkdirAll(filepath.Join(p.in, job.Name), 0o700))
	for _, name := range job.Artifacts {
		content, err := os.ReadFile(filepath.Join(folder, name))
		must(err)
		must(os.WriteFile(filepath.Join(p.in, job.Name, name), content, 0o600))
	}
	lines, err := os.ReadFile(outputs)
	must(err)
	p.values.Outputs[job.Name] = map[string]string{}
	for line := range strings.Lines(string(lines)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		p.values.Outputs[job.Name][name] = value
	}
	return stdout.String(), 0
}

func allGood(t *testing.T, codes map[string]int, skipped string) {
	t.Helper()
	for job, code := range codes {
		if code != 0 && job != skipped {
			t.Errorf("%s ended with %d", job, code)
		}
	}
}

func TestCensus(t *testing.T) {
	t.Parallel()
	output, codes := pretend(t, "census.yaml", map[string]string{"top": "5"})
	allGood(t, codes, "")
	if got := strings.Count(output["largest"], "\n"); got != 1+5+2 {
		t.Errorf("got a report of %d lines:\n%s", got, output["largest"])
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	repository := t.TempDir()
	for i, args := range [][]string{
		{"init", "-q"},
		{"-c", "user.name=Ada", "-c", "user.email=a@example.com", "commit", "-qm", "one", "--allow-empty"},
		{"add", "file"},
		{"-c", "user.name=Ada", "-c", "user.email=a@example.com", "commit", "-qm", "two"},
	} {
		if i == 2 {
			if err := os.WriteFile(filepath.Join(repository, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command("git", append([]string{"-C", repository}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	output, codes := pretend(t, "history.yaml", map[string]string{"repository": repository})
	allGood(t, codes, "")
	for _, want := range []string{"2 commits", "2 Ada", "1 file\n"} {
		if !strings.Contains(output["report"], want) {
			t.Errorf("the report has no %q:\n%s", want, output["report"])
		}
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	output, codes := pretend(t, "retry.yaml", nil)
	allGood(t, codes, "alarm")
	if codes["alarm"] != -1 || output["fetch"] != "attempt 2: 42 rows\n" || output["check"] != "fetch says: 42 rows\n" {
		t.Errorf("got %v, %q", codes, output)
	}
	if _, codes = pretend(t, "retry.yaml", map[string]string{"rows": "0"}); codes["check"] != 3 {
		t.Errorf("without rows: got %v", codes)
	}
	output, codes = pretend(t, "retry.yaml", map[string]string{"attempts": "9"})
	if codes["fetch"] != 75 || codes["alarm"] != 0 || codes["clean-up"] != 0 || !strings.HasPrefix(output["alarm"], "run r1 of 1970-01-01T00:00:00Z") {
		t.Errorf("failing: got %v, %q", codes, output)
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	output, codes := pretend(t, "needs.yaml", nil)
	allGood(t, codes, "")
	if got := output["load"]; got != "what I need is there: I can connect to it now\n" {
		t.Errorf("got %q", got)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	output, codes := pretend(t, "turns.yaml", nil)
	allGood(t, codes, "")
	if got := output["three"]; got != "run r1: and mine again\n" {
		t.Errorf("got %q", got)
	}
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	for limit, want := range map[string]string{"20000": "2262", "10": "4", "2": "0"} {
		output, codes := pretend(t, "fan-out.yaml", map[string]string{"limit": limit})
		allGood(t, codes, "")
		if got := output["add"]; got != want+" primes below "+limit+"\n" {
			t.Errorf("got %q, want %s primes below %s", got, want, limit)
		}
	}
}

// The schedules are those that a server takes, and each is due in every year from its beginning on.
func TestSchedules(t *testing.T) {
	t.Parallel()
	output, codes := pretend(t, "schedules.yaml", nil)
	allGood(t, codes, "")
	if got := output["report"]; got != "the report of 1970-01-01T00:00:00Z\n" {
		t.Errorf("got %q", got)
	}
	text, err := os.ReadFile("schedules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	draft := jobfile.Read("schedules.yaml", text)
	zones, lookup := calendar.Builtin(), draft.Found().Lookup(nil)
	docs, err := draft.Documents(jobfile.Checks{Nets: []jobfile.Check{jobnet.Schedules(zones, lookup)}})
	if err != nil {
		t.Fatal(err)
	}
	n := docs.Nets[0]
	compiler := calendar.NewCompiler(zones, lookup)
	since := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, s := range n.Schedules {
		rule, problems := compiler.Compile(n.Name, s)
		if problems != nil {
			t.Fatal(problems)
		}
		if counts := rule.Count(since, since.AddDate(1, 0, 0)); counts.All-counts.Suppressed() < 2 {
			t.Errorf("%s: got %+v in 2027", s.Name, counts)
		}
	}
}
