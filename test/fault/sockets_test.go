package fault_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
)

// TestEverySocketStandsInThePlan compares the sockets of each role's process, while jobs run, with the compiled plan:
// the server listens on the plan's one port and dials nobody, the agent listens on nothing and dials only that port,
// the keeper has no socket of the network at all. (promise S1: nothing is open that is not in the port table)
func TestEverySocketStandsInThePlan(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("one", 4)
	e.apply("net: t/sockets\njobs:\n  - {name: a, command: [sleep, \"30\"]}\n  - {name: b, command: [echo, hello]}\n")
	id := e.begin("t/sockets", "")
	within(t, 30*time.Second, func() string {
		if r := e.show(id); r.Jobs[0].State != "running" || r.Jobs[1].State != "succeeded" {
			return "the jobs are " + r.Jobs[0].State + " and " + r.Jobs[1].State
		}
		return ""
	})
	keeper := g.keeper()

	server := observed(t, e.server.cmd.Process.Pid)
	if len(server.listening) != 1 || server.listening[0] != fmt.Sprintf("tcp 127.0.0.1:%d", e.port) {
		t.Errorf("the server listens on %v, want only the plan's port %d", server.listening, e.port)
	}
	for _, o := range server.open {
		if int(o.Local.Port()) != e.port {
			t.Errorf("the server has %v, which is not a connection to its port", o)
		}
	}
	agent := observed(t, g.cmd.Process.Pid)
	if len(agent.listening) != 0 {
		t.Errorf("the agent listens on %v, want nothing", agent.listening)
	}
	if len(agent.open) == 0 {
		t.Error("the agent has no connection, want its link")
	}
	for _, o := range agent.open {
		if int(o.Remote.Port()) != e.port {
			t.Errorf("the agent has %v, which does not go to the link's port %d", o, e.port)
		}
	}
	if k := observed(t, keeper); len(k.listening)+len(k.open) != 0 {
		t.Errorf("the keeper has %v and %v, want no socket of the network", k.listening, k.open)
	}
	e.must("run", "cancel", id)
}

type sockets struct {
	listening []string
	open      []socket.Observed // all that do not listen
}

func observed(t *testing.T, pid int) sockets {
	t.Helper()
	all, err := socket.Observe(pid)
	if err != nil {
		t.Fatal(err)
	}
	listening, err := socket.Listening(pid)
	if err != nil {
		t.Fatal(err)
	}
	var s sockets
	for _, o := range listening {
		s.listening = append(s.listening, o.Protocol+" "+o.Local.String())
	}
	for _, o := range all {
		if !slices.Contains(listening, o) {
			s.open = append(s.open, o)
		}
	}
	return s
}
