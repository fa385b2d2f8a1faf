//go:build linux

package fault_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// edit changes the one number of the estate's plan, and nothing else.
func (e *estate) edit(port int) {
	e.t.Helper()
	text, err := os.ReadFile(e.plan)
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(e.plan, strings.ReplaceAll(string(text), fmt.Sprint(e.port), fmt.Sprint(port)))
	e.port = port
}

// changed runs reeve plan change to its end, and returns what became of it with the exit code.
func (e *estate) changed(within string) (api.PlanChange, int) {
	e.t.Helper()
	out, errs, code := e.run("plan", "change", "--within", within, "--wait", "-o", "json")
	var c api.PlanChange
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		e.t.Fatalf("%v\n%s%s", err, out, errs)
	}
	return c, code
}

// The port of a domain is changed while a job runs: one setting is edited; old and new listen together; the agent is linked
// over the new number before the old one closes; the job ends as if nothing had been. An agent that is away keeps the change
// from being made: it is rolled back at its deadline, and a server that is started again goes on by the plan that was
// settled, not by the file.
func TestChangeOfPorts(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 2)
	gate := filepath.Join(e.home, "gate")
	e.apply(fmt.Sprintf("net: t/long\njobs:\n  - name: a\n    script: |\n      #!/bin/sh\n      until test -e %s; do sleep 0.05; done\n      echo over\n", gate))
	id := e.begin("t/long", "")
	within(t, 20*time.Second, func() string {
		if r := e.show(id); len(r.Jobs[0].Attempts) == 0 || r.Jobs[0].Attempts[0].Started == nil {
			return r.State
		}
		return ""
	})
	started := *e.show(id).Jobs[0].Attempts[0].Started
	old, next := e.port, sockettest.Lease(t)

	if _, _, code := e.run("plan", "change"); code != 5 {
		t.Errorf("a change to the plan in use: exit code %d, want 5", code)
	}
	e.edit(next)
	c, code := e.changed("60s")
	if code != 0 || c.State != "committed" || len(c.Rows) != 1 || c.Rows[0].From != fmt.Sprint(old) || c.Rows[0].To != fmt.Sprint(next) {
		t.Fatalf("the change is %+v, exit code %d, want it committed\n%s\n%s", c, code, e.logs(), tail(g.log))
	}
	e.ready()
	e.linked("north")
	if got := e.listening(); !slices.Equal(got, []int{next}) {
		t.Errorf("the server listens on %v, want %d alone", got, next)
	}
	if r := e.show(id); r.State != "running" || !r.Jobs[0].Attempts[0].Started.Equal(started) || len(r.Jobs[0].Attempts) != 1 {
		t.Errorf("the run is %s with %d attempts, want the first one to go on", r.State, len(r.Jobs[0].Attempts))
	}

	// An agent that hears nothing.
	if err := g.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.edit(sockettest.Lease(t))
	c, code = e.changed("2s")
	if code != 1 || c.State != "rolled back" || c.Why == nil || !strings.Contains(*c.Why, "north") {
		t.Errorf("the change is %+v, exit code %d, want it rolled back because of north", c, code)
	}
	e.server.end(t, syscall.SIGKILL)
	e.serve()
	if got := e.listening(); !slices.Equal(got, []int{next}) {
		t.Errorf("the server that was started again listens on %v, want %d: the plan in the file was rolled back", got, next)
	}
	if err := g.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	e.linked("north")

	e.write(gate, "")
	if r := e.settled(id, 30*time.Second); r.State != "succeeded" || len(r.Jobs[0].Attempts) != 1 {
		t.Errorf("run: %s\n%s", r.State, e.logs())
	}
	if out := e.must("run", "logs", id); !strings.Contains(out, "over") {
		t.Errorf("the output is %q", out)
	}
	// And all the same the file can still be taken, now that the agent hears.
	if c, code = e.changed("60s"); code != 0 || c.State != "committed" {
		t.Errorf("the change is %+v, exit code %d, want it committed", c, code)
	}
	e.ready()
	if got := e.listening(); !slices.Equal(got, []int{e.port}) {
		t.Errorf("the server listens on %v, want %d", got, e.port)
	}
	// The agent that is started again knows where its servers are.
	g.restart(syscall.SIGTERM)
	e.linked("north")
	records, err := e.api.ListAudit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"plan.change", "plan.committed", "plan.rolled-back"} {
		if !slices.ContainsFunc(records, func(r api.AuditRecord) bool { return r.Action == action }) {
			t.Errorf("the audit trail lacks %s", action)
		}
	}
}

// A server that was killed in the midst of a change goes on with it: it works by the old plan, and begins again.
func TestKilledWhilePortsChange(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 2)
	old := e.port
	if err := g.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.edit(sockettest.Lease(t))
	e.must("plan", "change", "--within", "10m")
	if got, want := e.listening(), sorted(old, e.port); !slices.Equal(got, want) {
		t.Errorf("the server listens on %v, want both: %v", got, want)
	}
	e.server.end(t, syscall.SIGKILL)
	e.serve()
	within(t, 20*time.Second, func() string {
		if got, want := e.listening(), sorted(old, e.port); !slices.Equal(got, want) {
			return fmt.Sprintf("the server listens on %v, want both: %v", got, want)
		}
		return ""
	})
	if err := g.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	within(t, 60*time.Second, func() string {
		c, err := e.api.PlanChange(t.Context())
		if err != nil {
			return err.Error()
		}
		if c.State != "committed" {
			return fmt.Sprintf("%+v", c)
		}
		return ""
	})
	e.ready()
	e.linked("north")
	if got := e.listening(); !slices.Equal(got, []int{e.port}) {
		t.Errorf("the server listens on %v, want %d", got, e.port)
	}
}

// Who dials links is turned round by an edited inventory: the server dials an agent that it never dialled before, and the
// agent's own link ends only then.
func TestChangeOfWhoDials(t *testing.T) {
	t.Parallel()
	site := filepath.Join(t.TempDir(), "site.yaml")
	dials := func(from, to string) {
		text := fmt.Sprintf("inventory: site\nzones: {core: {}, dmz: {}}\ndials: [{from: %s, to: %s}]\nhosts:\n"+
			"  hq1: {roles: [server], zone: core, advertise: [127.0.0.1]}\n  north: {roles: [agent], zone: dmz, advertise: [127.0.0.2]}\n", from, to)
		if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dials("dmz", "core")
	e := newEstate(t, quick+"inventory: "+site+"\n")
	g := e.newcomer("north", 2, filepath.Join(e.home, "north"))
	g.start("--bind", "127.0.0.2", "--join", lastLine(e.must("token", "create", "agent", "north")))
	e.linked("north")
	by := func() string {
		n, err := e.api.Node(t.Context(), "north")
		if err != nil || n.DialledBy == nil {
			return ""
		}
		return *n.DialledBy
	}
	if got := by(); got != "agent" {
		t.Errorf("the link is dialled by %q, want by the agent", got)
	}
	dials("core", "dmz")
	c, code := e.changed("40s")
	if code != 0 || c.State != "committed" {
		t.Fatalf("the change is %+v, exit code %d, want it committed\n%s\n%s", c, code, e.logs(), tail(g.log))
	}
	e.ready()
	e.linked("north")
	if got := by(); got != "server" {
		t.Errorf("the link is dialled by %q, want by the server", got)
	}
}

func sorted(all ...int) []int {
	slices.Sort(all)
	return all
}
