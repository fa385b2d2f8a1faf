//go:build linux

package fault_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// A command that waits for a run is called back on the port that the plan has for it, and hears the end there. Where the
// port is another command's, and where the server dies in the middle, it says so and asks for itself.
func TestCommandIsCalledBack(t *testing.T) {
	t.Parallel()
	port := sockettest.Lease(t)
	e := newEstateWith(t, quick, fmt.Sprintf(`pools:
  - id: client-callback
    function: callback of the command line
    protocol: [tcp]
    tls: true
    runs_on: [client]
    range: %[1]d-%[1]d
    lease: {owner: command, ttl: 10m, renew: heartbeat, fence: true, nonce: 128, liveness: process}
    origin: ours
    flows: [{from: server, to: client, purpose: answering commands that wait, carries: [callback]}]
`, port))
	e.agent("north", 8)
	w := newWitness(t)
	e.apply("net: fault/tool\njobs:\n" + w.job("one", true, 0, 0, ""))
	waiting := func(args ...string) *process {
		t.Helper()
		log := filepath.Join(e.home, fmt.Sprintf("tool-%d", time.Now().UnixNano()))
		args = append(args, "--plan", e.plan, "--bind", "127.0.0.1", "--advertise", "127.0.0.1", "--ledger", filepath.Join(e.home, "ledger"))
		return start(t, log, []string{"REEVE_DATA=" + e.data}, args...)
	}
	ended := func(p *process) string {
		t.Helper()
		within(t, 30*time.Second, func() string {
			if !p.ended() {
				w.open()
				return "the command goes on\n" + tail(p.log) + "\n" + e.logs()
			}
			return ""
		})
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d\n%s", code, tail(p.log))
		}
		return tail(p.log)
	}
	called := func(pid int) bool { // the server's connection to the port
		for _, o := range observed(t, pid).open {
			if int(o.Remote.Port()) == port {
				return true
			}
		}
		return false
	}

	first := waiting("run", "start", "fault/tool", "--wait")
	w.begun(1)
	within(t, 10*time.Second, func() string {
		if !called(e.server.cmd.Process.Pid) {
			return "the server does not call the command back\n" + tail(first.log) + e.logs()
		}
		return ""
	})
	if all := e.leases(); len(all) != 1 || all[0].Owner.Kind != "command" || int(all[0].Port) != port {
		t.Errorf("leases %+v, want the command's", all)
	}
	id := ""
	for _, r := range e.runs() {
		id = r
	}
	second := waiting("run", "watch", id)
	within(t, 10*time.Second, func() string {
		if text := tail(second.log); !strings.Contains(text, "the callback does not work; the run is followed by asking") {
			return "the second command says: " + text
		}
		return ""
	})
	if text := ended(first); strings.Contains(text, "callback") || !strings.Contains(text, "fault/tool succeeded") {
		t.Errorf("the first command says: %s", text)
	}
	ended(second)
	if all := e.leases(); len(all) != 0 {
		t.Errorf("leases are left: %+v", all)
	}

	third := waiting("run", "start", "fault/tool", "--wait")
	w.begun(2)
	within(t, 10*time.Second, func() string {
		if !called(e.server.cmd.Process.Pid) {
			return "the server does not call the command back"
		}
		return ""
	})
	e.server.end(t, syscall.SIGKILL)
	e.serve()
	e.linked("north")
	if text := ended(third); !strings.Contains(text, "the run is followed by asking") {
		t.Errorf("the third command says: %s", text)
	}
}

// runs returns the ids of all runs.
func (e *estate) runs() []string {
	e.t.Helper()
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(e.must("run", "list")), "\n")[1:] {
		all = append(all, strings.Fields(line)[0])
	}
	return all
}
