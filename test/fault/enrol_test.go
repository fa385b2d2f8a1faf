//go:build linux

package fault_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// dialled is an estate behind the jobscheduler plan, in which only the server dials, and the row on which agents wait.
func dialled(t *testing.T) (*estate, ports.Port) {
	t.Helper()
	return serverDials(t, "jobscheduler", "jobscheduler")
}

// serverDials is an estate behind a plan, and the number of a row on which agents wait for the server's dial.
func serverDials(t *testing.T, plan, row string) (*estate, ports.Port) {
	t.Helper()
	e := &estate{t: t, home: t.TempDir(), data: filepath.Join(t.TempDir(), "server"), agents: map[string]*guest{}}
	e.mark, e.plan, e.config = e.home+"/", filepath.Join(e.home, "plan.yaml"), filepath.Join(e.home, "server.yaml")
	c := behind(t, e.plan, plan)
	e.write(e.config, quick)
	e.api = e.client()
	t.Cleanup(e.close)
	e.serve()
	cl, ok := c.Service(row)
	if !ok {
		t.Fatal("the plan has no row " + row)
	}
	return e, cl.Port
}

// waiting starts an agent that waits to be enrolled on an address of its own, and returns its first code.
func (e *estate) waiting(name, address string, more ...string) (*guest, string) {
	e.t.Helper()
	g := e.newcomer(name, 8, filepath.Join(e.home, name))
	return g, g.wait(address, more...)
}

// wait starts the agent with --enrol and returns the code that it shows.
func (g *guest) wait(address string, more ...string) string {
	g.e.t.Helper()
	file := filepath.Join(g.e.home, g.name+".code")
	_ = os.Remove(file)
	g.start(append([]string{"--enrol", "--code-file", file, "--bind", address}, more...)...)
	code := ""
	within(g.e.t, 20*time.Second, func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			return err.Error() + "\n" + tail(g.log)
		}
		code = strings.TrimSpace(string(text))
		return ""
	})
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		g.e.t.Errorf("the file with the code has mode %v (%v), want 0600", info.Mode(), err)
	}
	return code
}

// hasDialledNobody wants every connection of the agent to be one that it accepted on the row.
func (g *guest) hasDialledNobody(row ports.Port) {
	g.e.t.Helper()
	for _, o := range observed(g.e.t.(*testing.T), g.cmd.Process.Pid).open {
		if ports.Port(o.Local.Port()) != row {
			g.e.t.Errorf("the agent has dialled: %v", o)
		}
	}
}

// Where only the server dials, an agent waits with a code, the server dials and enrols it, and it works: nothing is ever
// dialled towards the server.
func TestEnrolledByTheServersDial(t *testing.T) {
	t.Parallel()
	e, port := dialled(t)
	g, code := e.waiting("north", "127.0.0.2")
	out := e.must("node", "enrol", "north", "127.0.0.2", "--code", code, "--label", "site=north")
	wantAll(t, out, "north", "site=north")
	e.linked("north")
	g.hasDialledNobody(port)
	e.apply("net: t/dialled\njobs: [{name: a, command: [echo, hello]}]\n")
	if r := e.settled(e.begin("t/dialled", ""), 30*time.Second); r.State != "succeeded" {
		t.Errorf("run: %s\n%s", r.State, e.logs())
	}
	// It is a node now: with and without --enrol it goes on as that, and shows no code again.
	file := filepath.Join(e.home, "north.code")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{{"--enrol", "--code-file", file}, {}} {
		g.end(t, syscall.SIGTERM)
		g.start(append([]string{"--bind", "127.0.0.2"}, more...)...)
		e.linked("north")
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a node shows a code again (%v)", err)
	}
	_, errs, errCode := e.run("node", "enrol", "north", fmt.Sprintf("127.0.0.2:%d", port), "--code", code)
	if errCode == 0 {
		t.Error("a code was good after the agent's restart")
	}
	wantAll(t, oneSentence(t, errs), "does not wait to be enrolled")
}

// Agents are killed, and servers, at any moment of an enrolment: the same command, with the code that the agent shows then,
// ends with one node that works, and it is the first that was stored.
func TestEnrolmentIsKilledAtRandom(t *testing.T) {
	t.Parallel()
	e, _ := dialled(t)
	random := rand.New(rand.NewPCG(4, 22))
	for round := range 3 * *rounds {
		name := fmt.Sprintf("north%d", round)
		address := fmt.Sprintf("127.0.0.%d", 10+round%200)
		g, code := e.waiting(name, address)
		first := ""
		for range 4 {
			whole := make(chan struct{})
			go func() {
				defer close(whole)
				_, _, _ = e.run("node", "enrol", name, address, "--code", code)
			}()
			<-time.After(time.Duration(random.IntN(60)) * time.Millisecond)
			victim := g.process
			if random.IntN(3) == 0 {
				victim = e.server
			}
			victim.end(t, syscall.SIGKILL)
			<-whole
			if e.server.ended() {
				e.serve()
			}
			if n, err := e.api.Node(t.Context(), name); err == nil {
				if first == "" {
					first = n.ID
				}
				if n.ID != first {
					t.Fatalf("%s is the node %s, and was %s", name, n.ID, first)
				}
			}
			if _, err := os.Stat(filepath.Join(g.data, "agent.crt")); err == nil {
				break // a node, which shows no code any more
			}
			if g.ended() {
				code = g.wait(address)
			}
		}
		if g.ended() {
			g.start("--bind", address, "--enrol", "--code-file", filepath.Join(e.home, name+".code"))
		}
		if _, err := os.Stat(filepath.Join(g.data, "agent.crt")); err != nil {
			e.must("node", "enrol", name, address, "--code-file", filepath.Join(e.home, name+".code"))
		}
		e.linked(name)
		n, err := e.api.Node(t.Context(), name)
		if err != nil || first != "" && n.ID != first {
			t.Fatalf("%s is the node %s in the end, and was %s (%v)", name, n.ID, first, err)
		}
		g.end(t, syscall.SIGTERM)
	}
}

// A code that one domain has used is refused to another; the code is the last line that the agent prints.
func TestCodesAreForOneDomain(t *testing.T) {
	t.Parallel()
	e, port := dialled(t)
	other, _ := dialled(t)
	g := e.newcomer("north", 8, filepath.Join(e.home, "north"))
	g.start("--enrol", "--bind", "127.0.0.3", "--log-level", "error")
	code := ""
	within(t, 20*time.Second, func() string {
		text := tail(g.log)
		if code = lastLine(text); !strings.HasPrefix(code, "reeve-enrol1.") {
			return "no code is the last line of:\n" + text
		}
		return ""
	})
	at := fmt.Sprintf("127.0.0.3:%d", port) // the other domain's plan has other numbers
	e.must("node", "enrol", "north", at, "--code", code)
	_, errs, exit := other.run("node", "enrol", "north", at, "--code", code)
	if exit != 5 {
		t.Errorf("exit code %d, want 5", exit)
	}
	wantAll(t, oneSentence(t, errs), "used already", "another domain")
	if nodes := other.must("node", "list"); strings.Contains(nodes, "north") {
		t.Errorf("the other domain has a node of it:\n%s", nodes)
	}
	e.linked("north")
}
