//go:build linux

package agent

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

func TestAnotherKeeperTakesOver(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	pids := make(chan int, 4)
	h.config = func(c *Config) { c.Log = keeperPIDs(c.Log, pids) }
	h.start()
	l := s.linked(1)
	var o orders
	path := gate(t)
	order := o.script("run1", "read x < "+path+"\necho still here\nexit 5\n")
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	s.wait("start", func() bool { return len(s.reports) > 0 })
	if err := syscall.Kill(<-pids, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-pids // the next one answers
	after := o.script("run2", "exit 0\n")
	reply, err := s.tryCommand(l, wire.Commands{Orders: []wire.Order{after}})
	if err != nil || len(reply.Refused) > 0 {
		t.Fatalf("got %+v, %v; want the next keeper to start it", reply, err)
	}
	if end := s.ended(after.Attempt); exitCode(end) != "0" {
		t.Errorf("got exit code %s, want 0", exitCode(end))
	}
	release(t, path)
	end := s.ended(order.Attempt)
	if end.Kind != wire.Unknown || end.Reason != "keeper_died" {
		t.Errorf("got %s for %q, want unknown for keeper_died", end.Kind, end.Reason)
	}
	s.wait("output", func() bool { return s.text(order.Attempt, wire.Stdout) == "still here\n" })
}

func TestKeeperOfAnotherVersionIsReplacedWhenIdle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	pids := make(chan int, 8)
	h.config = func(c *Config) { c.Log = keeperPIDs(c.Log, pids) }
	h.start()
	l := s.linked(1)
	first := <-pids
	witness := filepath.Join(t.TempDir(), "witness")
	var o orders
	path := gate(t)
	order := o.script("run1", "echo start >> "+witness+"\nread x < "+path+"\n")
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	s.wait("start", func() bool { return len(s.reports) > 0 })
	mustEnd(t, h)

	h.config = func(c *Config) { c.Log, c.Version = keeperPIDs(c.Log, pids), "next" }
	h.start()
	s.linked(2)
	if got := <-pids; got != first {
		t.Errorf("keeper %d was replaced by %d while something ran under it", first, got)
	}
	release(t, path)
	s.ended(order.Attempt)
	mustEnd(t, h)

	h.start()
	l = s.linked(3)
	if again, next := <-pids, <-pids; again != first || next == first {
		t.Errorf("got keepers %d and then %d, want %d and then another", again, next, first)
	}
	// What the old one knew, the new one knows.
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	after := o.script("run2", "true\n")
	s.command(l, wire.Commands{Orders: []wire.Order{after}})
	s.ended(after.Attempt)
	if text, err := os.ReadFile(witness); err != nil || string(text) != "start\n" {
		t.Errorf("got witness %q (%v), want one start", text, err)
	}
}

func TestKillingTheAgentHurtsNoJob(t *testing.T) {
	t.Parallel()
	const jobs, kills = 20, 10
	s := newServer(t)
	h := newHost(t, s)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	witness := filepath.Join(t.TempDir(), "witness")
	var o orders
	var all []wire.Order
	gates := make([]string, jobs)
	for i := range jobs {
		gates[i] = gate(t)
		all = append(all, o.script(fmt.Sprintf("run%d", i), fmt.Sprintf("echo $REEVE_RUN >> %s\nread x < %s\necho end\nexit %d\n", witness, gates[i], i)))
	}
	for kill := range kills {
		agent := exec.Command(exe, "agent", h.data, h.token)
		agent.Stderr = os.Stderr
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		l := s.linked(kill + 1)
		_, _ = s.tryCommand(l, wire.Commands{Orders: all}) // every time again, as a server does that has no word of them
		release(t, gates[2*kill])                          // some end while an agent is there, and some while none is
		if err := agent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = agent.Wait()
		release(t, gates[2*kill+1])
	}
	h.start()
	s.linked(kills + 1)
	for i, order := range all {
		end := s.ended(order.Attempt)
		if end.Kind != wire.Ended || exitCode(end) != strconv.Itoa(i) {
			t.Errorf("%s: got %s with exit code %s, want ended with %d", order.Attempt.Run, end.Kind, exitCode(end), i)
		}
		s.wait("output", func() bool { return s.text(order.Attempt, wire.Stdout) == "end\n" })
	}
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

func TestWhatIsNotSentIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	block := true
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if block && r.URL.Path == wire.PathOutput {
			http.Error(w, "the disk is full", http.StatusInsufficientStorage)
			return true
		}
		return false
	}
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	order := o.script("run1", "echo output\n")
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	s.ended(order.Attempt)
	// The end is committed, so the server's mark covers it; its output has not been sent, and then the agent restarts.
	s.command(l, wire.Commands{Mark: order.Position.Seq})
	mustEnd(t, h)
	h.start()
	l = s.linked(2)
	s.command(l, wire.Commands{Mark: order.Position.Seq})
	beats := 0
	s.change(func() { s.mark, beats = order.Position.Seq, len(s.beats) })
	s.wait("heartbeats", func() bool { return len(s.beats) > beats+1 })
	s.change(func() { block = false })
	s.wait("output", func() bool { return s.text(order.Attempt, wire.Stdout) == "output\n" })
	waitGone(t, h, order.Attempt) // by a mark: this agent has not seen its end
}
