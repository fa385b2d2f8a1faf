//go:build linux

package fault_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A desk agent is enrolled and linked by the server's dial alone, on the plan's row for it. It runs what names it and
// nothing else, also after it was started again, and goes on as nothing but a desk agent.
func TestDeskAgent(t *testing.T) {
	t.Parallel()
	e, port := serverDials(t, "systemwalker", "jmact3")
	g, code := e.waiting("pc", "127.0.0.4", "--desk")
	_, errs, exit := e.run("node", "enrol", "pc", "127.0.0.4", "--code", code)
	if exit == 0 {
		t.Error("a desk agent was enrolled as any other")
	}
	wantAll(t, oneSentence(t, errs), "no row on which a server enrols an agent", "--desk")
	e.must("node", "enrol", "pc", "127.0.0.4", "--code", code, "--desk", "--label", "site=office")
	e.linked("pc")
	g.hasDialledNobody(port)
	n, err := e.api.Node(t.Context(), "pc")
	if err != nil || n.Role != "agent" || n.Kind != "desk" || n.DialledBy == nil || *n.DialledBy != "server" {
		t.Errorf("the node is %+v (%v)", n, err)
	}
	for _, p := range n.Paths {
		if p.Row != "jmact3" || p.Dials != "server" {
			t.Errorf("the desk agent has a path that is not its own: %+v", p)
		}
	}

	e.apply("net: t/named\njobs: [{name: a, command: [echo, hello], agent: {name: pc}}]\n")
	e.apply("net: t/anywhere\njobs: [{name: a, command: [echo, hello]}]\n")
	e.apply("net: t/labels\njobs: [{name: a, command: [echo, hello], agent: {labels: {site: office}}}]\n")
	held := []string{e.begin("t/anywhere", ""), e.begin("t/labels", "")}
	named := func() {
		t.Helper()
		if r := e.settled(e.begin("t/named", ""), 30*time.Second); r.State != "succeeded" {
			t.Errorf("run: %s\n%s", r.State, e.logs())
		}
	}
	named()
	for _, id := range held {
		wantAll(t, e.must("why", id), "no agent of the domain fits", "desk agents take only jobs that name them: pc")
	}

	g.end(t, syscall.SIGTERM)
	g.start("--bind", "127.0.0.4")
	within(t, 20*time.Second, func() string {
		if !g.ended() {
			return "an agent that was enrolled as a desk agent goes on as any other:\n" + tail(g.log)
		}
		return ""
	})
	if text := tail(g.log); !strings.Contains(text, "was enrolled as a desk agent") {
		t.Errorf("it says why it does not:\n%s", text)
	}
	g.start("--bind", "127.0.0.4", "--desk")
	e.linked("pc")
	named()
}
