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

	"github.com/reeve-scheduler/reeve/ports"
)

// dialled is an estate behind the jobscheduler plan, in which only the server dials, and the row on which agents wait.
func dialled(t *testing.T) (*estate, ports.Port) {
	t.Helper()
	e := &estate{t: t, home: t.TempDir(), data: filepath.Join(t.TempDir(), "server"), agents: map[string]*guest{}}
	e.mark, e.plan, e.config = e.home+"/", filepath.Join(e.home, "plan.yaml"), filepath.Join(e.home, "server.yaml")
	c := behind(t, e.plan, "jobscheduler")
	e.write(e.config, quick)
	e.api = e.client()
	t.Cleanup(e.close)
	e.serve()
	cl, ok := c.Service("jobscheduler")
	if !ok {
		t.Fatal("the plan has no row jobscheduler")
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
