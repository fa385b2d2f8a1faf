//go:build linux

package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

func TestRunsWhatAServerOrders(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	order := o.script("run1", "echo hello\necho trouble >&2\necho answer=42 > $REEVE_OUTPUT\nexit 3\n")
	if reply := s.command(l, wire.Commands{Orders: []wire.Order{order}}); len(reply.Refused) > 0 {
		t.Fatalf("refused: %+v", reply.Refused)
	}
	end := s.ended(order.Attempt)
	if end.Kind != wire.Ended || exitCode(end) != "3" || len(end.Outputs) != 1 || end.Outputs[0].Value != "42" {
		t.Errorf("got end %+v, want exit code 3 and answer=42", end)
	}
	s.wait("output", func() bool { return int64(len(s.output[order.Attempt])) >= end.Output })
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.text(order.Attempt, wire.Stdout); got != "hello\n" {
		t.Errorf("got stdout %q, want %q", got, "hello\n")
	}
	if got := s.text(order.Attempt, wire.Stderr); got != "trouble\n" {
		t.Errorf("got stderr %q, want %q", got, "trouble\n")
	}
	if hello := s.hellos[0]; hello.Incarnation != 1 || hello.Slots != 8 || hello.BootID == "" || hello.Containment == "" || hello.Facts["host.os"] != "linux" {
		t.Errorf("got hello %+v", hello)
	}
}

func TestCommandsMayComeAnyNumberOfTimes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	witness := filepath.Join(t.TempDir(), "witness")
	var o orders
	var all []wire.Order
	for i := range 10 {
		all = append(all, o.script(fmt.Sprintf("run%d", i), "echo $REEVE_RUN >> "+witness+"\n"))
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := s.tryCommand(l, wire.Commands{Orders: all}); err != nil {
				t.Errorf("commands: %v", err)
			}
		})
	}
	group.Wait()
	for _, order := range all {
		if end := s.ended(order.Attempt); exitCode(end) != "0" {
			t.Errorf("%s: got exit code %s, want 0", order.Attempt.Run, exitCode(end))
		}
	}
	// Once more when all are over, over another link.
	l.Close("test")
	s.command(s.linked(2), wire.Commands{Orders: all})
	text, err := os.ReadFile(witness)
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range all {
		if got := strings.Count(string(text), order.Attempt.Run+"\n"); got != 1 {
			t.Errorf("%s: started %d times, want 1", order.Attempt.Run, got)
		}
	}
}

func TestJobsGoOnWhereTheLinkAndTheAgentEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	path := gate(t)
	order := o.script("run1", "echo before\nread x < "+path+"\necho after\nexit 7\n")
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	s.wait("start", func() bool { return len(s.reports) == 1 && s.reports[0].Kind == wire.Started })

	h.cut.Lock() // no way to the server
	l.Close("test")
	<-l.Done()
	h.cut.Unlock()
	s.linked(2)

	mustEnd(t, h)
	h.start()
	l = s.linked(3)
	s.mu.Lock()
	if got := s.hellos[2].Incarnation; got != 2 {
		t.Errorf("got incarnation %d of the second start, want 2", got)
	}
	s.mu.Unlock()
	var state wire.AgentState
	if err := s.get(l, wire.PathState, &state); err != nil {
		t.Fatal(err)
	}
	if state.Running != 1 || !state.Keeper {
		t.Errorf("got state %+v, want 1 attempt running under a keeper", state)
	}

	mustEnd(t, h)
	release(t, path) // it ends while no agent is there
	h.start()
	s.linked(4)
	end := s.ended(order.Attempt)
	if end.Kind != wire.Ended || exitCode(end) != "7" {
		t.Errorf("got %s with exit code %s, want ended with 7", end.Kind, exitCode(end))
	}
	s.wait("output", func() bool { return s.text(order.Attempt, wire.Stdout) == "before\nafter\n" })
}

func TestReportsWaitForAServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	// The store is out of order for a while: nothing is committed.
	broken := true
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if broken && r.URL.Path == wire.PathReports {
			http.Error(w, "the disk is full", http.StatusInsufficientStorage)
			return true
		}
		return false
	}
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	order := o.script("run1", "exit 0\n")
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	mustEnd(t, h) // the reports survive the agent
	h.start()
	l = s.linked(2)
	s.change(func() { broken = false })
	s.ended(order.Attempt)
	// What is acknowledged is not told again.
	for unsent := -1; unsent != 0; {
		var state wire.AgentState
		if err := s.get(l, wire.PathState, &state); err != nil {
			t.Fatal(err)
		}
		unsent = state.Unsent
	}
	mustEnd(t, h)
	s.change(func() { s.reports = nil })
	h.start()
	last := s.linked(3)
	another := o.script("run2", "exit 0\n")
	s.command(last, wire.Commands{Orders: []wire.Order{another}})
	s.ended(another.Attempt)
	s.mu.Lock()
	defer s.mu.Unlock()
	if again := s.ends(order.Attempt); len(again) > 0 {
		t.Errorf("acknowledged report was told again: %+v", again)
	}
}

func TestOneRefusedReportHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != wire.PathReports {
			return false
		}
		var in wire.Reports
		if !read(w, r, &in) {
			return true
		}
		for _, one := range in.Reports {
			if one.Attempt.Run == "poison" {
				http.Error(w, "no such run", http.StatusUnprocessableEntity)
				return true
			}
		}
		var reply wire.ReportsReply
		s.change(func() {
			for _, one := range in.Reports {
				s.reports = append(s.reports, one)
				reply.Acked = append(reply.Acked, one.ID)
			}
		})
		write(w, reply)
		return true
	}
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	batch := []wire.Order{o.script("poison", "exit 0\n")}
	for i := range 5 {
		batch = append(batch, o.script(fmt.Sprintf("run%d", i), "exit 0\n"))
	}
	s.command(l, wire.Commands{Orders: batch})
	for _, order := range batch[1:] {
		s.ended(order.Attempt)
	}
}

func TestOutputResumesInsideAChunk(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var once sync.Once
	cut := make(chan int64, 1)
	s.intercept = func(w http.ResponseWriter, r *http.Request) (answered bool) {
		if r.URL.Path != wire.PathOutput {
			return false
		}
		once.Do(func() {
			var in wire.OutputChunks
			if !read(w, r, &in) {
				return
			}
			// A part of the chunk is stored, and the answer is lost.
			c := in.Chunks[0]
			c.Data = c.Data[:len(c.Data)/2]
			s.change(func() { cut <- s.append(c) })
			s.mu.Lock()
			l := s.links[0]
			s.mu.Unlock()
			l.Close("cut inside a chunk")
			answered = true
		})
		return answered
	}
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	order := o.script("run1", "i=0\nwhile [ $i -lt 2000 ]; do echo \"line $i of a long output that is cut somewhere\"; i=$((i+1)); done\n")
	// The link may end before the answer to this comes.
	if reply, err := s.tryCommand(l, wire.Commands{Orders: []wire.Order{order}}); err == nil && len(reply.Refused) > 0 {
		t.Fatalf("refused: %+v", reply.Refused)
	}
	at := <-cut
	s.linked(2)
	end := s.ended(order.Attempt)
	s.wait("output", func() bool { return int64(len(s.output[order.Attempt])) >= end.Output })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == 0 || s.offsets[order.Attempt][1] != at {
		t.Errorf("got offsets %v after %d questions, want the second to be %d, as the server said", s.offsets[order.Attempt], s.asked, at)
	}
	var want bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&want, "line %d of a long output that is cut somewhere\n", i)
	}
	if got := s.text(order.Attempt, wire.Stdout); got != want.String() {
		t.Errorf("got %d bytes of output, want %d; they differ", len(got), want.Len())
	}
}

func TestUnwantedOutputIsDropped(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	gone := o.script("gone", "echo nobody wants this\n")
	s.change(func() { s.unwanted[gone.Attempt] = true })
	kept := o.script("kept", "echo this\n")
	s.command(l, wire.Commands{Orders: []wire.Order{gone, kept}})
	s.wait("output", func() bool { return s.text(kept.Attempt, wire.Stdout) == "this\n" })
	s.ended(gone.Attempt)
	s.ended(kept.Attempt)
	waitGone(t, h, gone.Attempt)
	waitGone(t, h, kept.Attempt)
}

// waitGone waits until the keeper has removed what an attempt left.
func waitGone(t *testing.T, h *host, a wire.Attempt) {
	t.Helper()
	folder := filepath.Join(h.data, "keeper", "attempts")
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	news := os.NewFile(uintptr(fd), "inotify")
	defer news.Close()
	if _, err := unix.InotifyAddWatch(fd, folder, unix.IN_DELETE|unix.IN_MOVED_FROM); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		if _, err := os.Lstat(filepath.Join(folder, fmt.Sprintf("%s.%s.%d", a.Run, a.Job, a.N))); os.IsNotExist(err) {
			return
		}
		if _, err := news.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArtifactsGoBothWays(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	maker := o.script("make", "mkdir -p sub && printf made > sub/file.txt\necho listed\n")
	maker.Artifacts, maker.Stdout = []string{"sub/file.txt", "list.txt"}, "list.txt"
	s.command(l, wire.Commands{Orders: []wire.Order{maker}})
	end := s.ended(maker.Attempt)
	if len(end.Artifacts) != 2 {
		t.Fatalf("got artifacts %+v (%s %s), want two", end.Artifacts, end.Reason, end.Detail)
	}
	for _, a := range end.Artifacts {
		s.mu.Lock()
		content, ok := s.artifacts[a.SHA256]
		s.mu.Unlock()
		want := map[string]string{"sub/file.txt": "made", "list.txt": "listed\n"}[a.Name]
		if !ok || string(content) != want {
			t.Errorf("%s: got %q at the server before the report, want %q", a.Name, content, want)
		}
	}

	user := o.script("use", "cat $REEVE_IN/make/sub/file.txt $REEVE_IN/make/list.txt\n")
	for _, a := range end.Artifacts {
		a.Job = "make"
		user.Inputs = append(user.Inputs, a)
	}
	s.command(l, wire.Commands{Orders: []wire.Order{user}})
	if end := s.ended(user.Attempt); exitCode(end) != "0" {
		t.Fatalf("got exit code %s, want 0", exitCode(end))
	}
	s.wait("output", func() bool { return len(s.text(user.Attempt, wire.Stdout)) == len("madelisted\n") })
	// The same content is fetched once.
	second := o.script("again", "cat $REEVE_IN/make/sub/file.txt > /dev/null\n")
	second.Inputs = user.Inputs
	s.command(l, wire.Commands{Orders: []wire.Order{second}})
	if end := s.ended(second.Attempt); exitCode(end) != "0" {
		t.Errorf("got exit code %s, want 0", exitCode(end))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetched != 2 {
		t.Errorf("fetched %d times, want 2: each content once", s.fetched)
	}
}

func TestMissingArtifactFailsItsAttemptOnly(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	missing := o.script("missing", "echo started > "+filepath.Join(t.TempDir(), "witness")+"\n")
	missing.Inputs = []wire.Artifact{{Job: "make", Name: "file", Size: 3, SHA256: strings.Repeat("ab", 32)}}
	lying := o.script("lying", "true\n")
	lying.Inputs = []wire.Artifact{s.store("make", "file", "something else")}
	lying.Inputs[0].Size++
	fine := o.script("fine", "true\n")
	s.command(l, wire.Commands{Orders: []wire.Order{missing, lying, fine}})
	for _, order := range []wire.Order{missing, lying} {
		end := s.ended(order.Attempt)
		if end.Kind == wire.Unknown || end.Reason != "artifact" || end.ExitCode != nil || end.Detail == "" {
			t.Errorf("%s: got %+v, want an end without execution for the reason artifact", order.Attempt.Run, end)
		}
	}
	if end := s.ended(fine.Attempt); exitCode(end) != "0" {
		t.Errorf("the other order of the request: got exit code %s, want 0", exitCode(end))
	}
}

func TestSlowArtifactHoldsUpNoOtherOrder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	hold := make(chan struct{})
	slow := s.store("make", "file", "slow")
	s.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, slow.SHA256) {
			<-hold
		}
		return false
	}
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	first := o.script("first", "cat $REEVE_IN/make/file\n")
	first.Inputs = []wire.Artifact{slow}
	second := o.script("second", "true\n")
	reply := s.command(l, wire.Commands{Orders: []wire.Order{first, second}})
	if len(reply.Refused) != 1 || reply.Refused[0].Attempt != first.Attempt || reply.Refused[0].Final {
		t.Errorf("got refusals %+v, want one for now", reply.Refused)
	}
	s.ended(second.Attempt)
	close(hold)
	// It goes on by itself; asked again, it is still started once.
	s.command(l, wire.Commands{Orders: []wire.Order{first}})
	if end := s.ended(first.Attempt); exitCode(end) != "0" {
		t.Errorf("got exit code %s, want 0", exitCode(end))
	}
}

func TestCancelEndsWhatRunsAndWhatNeverStarted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	running := o.script("running", "sleep 600\n")
	s.command(l, wire.Commands{Orders: []wire.Order{running}})
	never := o.script("never", "true\n")
	s.command(l, wire.Commands{Cancels: []wire.Cancel{
		{Attempt: running.Attempt, Position: running.Position, Grace: time.Second},
		{Attempt: never.Attempt, Position: never.Position, Grace: time.Second},
	}})
	if end := s.ended(running.Attempt); end.Kind != wire.Ended || end.Reason != "cancel" {
		t.Errorf("got %s for %q, want ended for cancel", end.Kind, end.Reason)
	}
	s.command(l, wire.Commands{Orders: []wire.Order{never}})
	if end := s.ended(never.Attempt); end.Kind != wire.NeverStarted {
		t.Errorf("got %s, want never_started", end.Kind)
	}
}

func TestFullDiskIsSaidAndNothingStarted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.config = func(c *Config) { c.Reserve = 1 << 60 }
	h.start()
	l := s.linked(1)
	var o orders
	order := o.script("run1", "true\n")
	reply := s.command(l, wire.Commands{Orders: []wire.Order{order}})
	if len(reply.Refused) != 1 || reply.Refused[0].Final || reply.Refused[0].Reason != "disk" {
		t.Errorf("got %+v, want it refused for now, for disk", reply)
	}
	s.wait("heartbeat", func() bool { return len(s.beats) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beats[0].Disk == "" {
		t.Error("the heartbeat does not say that the disk is full")
	}
}

func TestSilentServerLosesItsLink(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.welcome.Heartbeat, s.welcome.Timeout = 20*time.Millisecond, 100*time.Millisecond
	hang := make(chan struct{})
	var once sync.Once
	s.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == wire.PathHeartbeat {
			once.Do(func() { <-hang })
		}
		return false
	}
	t.Cleanup(func() { close(hang) })
	h := newHost(t, s)
	h.start()
	s.linked(2)
}

func TestHostileCommandsAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	bad := o.script("../../etc", "true\n")
	out := o.script("run1", "true\n")
	out.Inputs = []wire.Artifact{{Job: "make", Name: "../../x", SHA256: strings.Repeat("ab", 32)}}
	fine := o.script("run2", "true\n")
	reply := s.command(l, wire.Commands{Orders: []wire.Order{bad, out, fine}})
	if len(reply.Refused) != 2 || !reply.Refused[0].Final || !reply.Refused[1].Final {
		t.Errorf("got %+v, want two refused for good", reply.Refused)
	}
	s.ended(fine.Attempt)
	for _, body := range []string{"", "{", `{"orders":[]}x`, `{"orders":"no"}`, strings.Repeat("[", 10_000)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, peerBase+wire.PathCommands, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := l.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if body != `{"orders":[]}x` && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q: got %s, want 400", body, resp.Status)
		}
	}
	large, err := json.Marshal(wire.Commands{Orders: []wire.Order{{Script: strings.Repeat("x", wire.MaxMessage)}}})
	if err != nil {
		t.Fatal(err)
	}
	err = postBytes(t.Context(), l.Client(), peerBase+wire.PathCommands, large, nil)
	if !refused(err) {
		t.Errorf("oversized request: got %v, want it refused", err)
	}
}
