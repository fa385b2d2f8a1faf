//go:build linux

package fault_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// newPortEstate starts a server and the agent north under a plan with the pool containers: two even numbers, each with
// its debugger's beside it, and the pool web of one number.
func newPortEstate(t *testing.T) (e *estate, g *guest, first int) {
	t.Helper()
	first = sockettest.Block(t, 6)
	e = newEstateWith(t, quick, fmt.Sprintf(`pools:
  - {id: containers, name: containers, protocol: [tcp], runs_on: [agent], range: %d-%d, parity: even, pair: {id: debug, delta: 1, parity: odd, optional: true}, lease: {owner: container, liveness: process}, origin: ours}
  - {id: web, name: web, protocol: [tcp], runs_on: [agent], range: %d-%d, lease: {owner: container, liveness: process}, origin: ours}
`, first, first+3, first+4, first+4))
	g = e.newcomer("north", 20, filepath.Join(e.home, "north"))
	g.env = []string{"REEVE_LEDGER=" + filepath.Join(e.home, "ledger")}
	g.start("--join", lastLine(e.must("token", "create", "agent", "north")))
	e.linked("north")
	return e, g, first
}

// leases returns the live leases of the estate's ledger.
func (e *estate) leases() []ledger.Lease {
	e.t.Helper()
	l, err := ledger.Open(filepath.Join(e.home, "ledger"), ledger.Options{ReadOnly: true})
	if err != nil {
		e.t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Leases(context.Background())
	if err != nil {
		e.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(l ledger.Lease) bool { return l.State == ledger.Planned || l.State == ledger.Held })
}

// A job has the ports that it asks for as long as it runs, pair and all; where the pool is full, an attempt waits and
// says so, and goes on when a port comes back. R6: a restart of the agent, and the death of its keeper, take no port away.
func TestJobsHavePorts(t *testing.T) {
	t.Parallel()
	e, g, first := newPortEstate(t)
	w := newWitness(t)
	var b strings.Builder
	b.WriteString("net: fault/ports\njobs:\n")
	for i := range 3 {
		fmt.Fprintf(&b, "  - name: c-%d\n    ports: [{name: http, pool: containers, pair: debug}]\n    env: {witness: %q, gate: %q}\n    script: |\n%s", i, w.file, w.gate,
			`        #!/bin/sh
        echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"
        read -r nothing <"$gate"
        echo "http=$REEVE_PORT_HTTP" >>"$REEVE_OUTPUT"
        echo "debug=$REEVE_PORT_DEBUG" >>"$REEVE_OUTPUT"
        echo "both=$REEVE_PORT_HTTP_DEBUG" >>"$REEVE_OUTPUT"
`)
	}
	e.apply(b.String())
	id := e.begin("fault/ports", "")
	w.begun(2)
	within(t, 30*time.Second, func() string {
		for _, j := range e.show(id).Jobs {
			if j.State == "dispatched" && value(j.Reason) == "ports" {
				return ""
			}
		}
		return "no job waits for ports\n" + e.logs()
	})
	why := e.must("why", id)
	if want := fmt.Sprintf("pool containers (%d-%d even) has no free port: 2 leases have its numbers", first, first+3); !strings.Contains(why, want) {
		t.Errorf("why does not say %q:\n%s", want, why)
	}
	owned := func(when string) {
		t.Helper()
		within(t, 20*time.Second, func() string {
			all := e.leases()
			for _, l := range all {
				if l.Owner.Kind != "attempt" || l.Owner.PID == g.keeper() || !alive(l.Owner.PID) || int(l.Pair) != int(l.Port)+1 {
					return fmt.Sprintf("%s: lease %+v does not belong to its job's process", when, l)
				}
			}
			if len(all) != 2 {
				return fmt.Sprintf("%s: %d leases, want 2: %+v", when, len(all), all)
			}
			return ""
		})
	}
	owned("running")
	g.restart(syscall.SIGKILL)
	e.linked("north")
	owned("after a restart of the agent")

	r := w.finish(e, id)
	if r.State != "succeeded" {
		t.Fatalf("run: %s\n%s", r.State, e.logs())
	}
	seen := map[string]int{}
	for _, j := range r.Jobs {
		o := j.Attempts[0].Outputs
		port, _ := strconv.Atoi(o["http"])
		if port != first && port != first+2 || o["debug"] != strconv.Itoa(port+1) || o["both"] != o["debug"] || len(j.Attempts) != 1 {
			t.Errorf("job %s had %v in %d attempts", j.Name, o, len(j.Attempts))
		}
		seen[o["http"]]++
	}
	if len(seen) != 2 {
		t.Errorf("three jobs had the ports %v, want both of the pool", seen)
	}
	if all := e.leases(); len(all) != 0 {
		t.Errorf("leases after the end: %+v", all)
	}
}

// A job that wants the socket is given it, as systemd gives one: bound, listening, and its own alone. Its number stays with
// its name; a job whose keeper dies keeps its port, and gives it back at its end.
func TestJobsHaveSockets(t *testing.T) {
	t.Parallel()
	e, g, first := newPortEstate(t)
	w := newWitness(t)
	e.apply(fmt.Sprintf(`net: fault/socket
jobs:
  - name: web
    ports: [{name: ui, pool: web, socket: true, sticky: true}]
    env: {witness: %q, gate: %q}
    on_unknown: fail
    script: |
        #!/bin/sh
        [ "$LISTEN_FDS" = 1 ] && [ "$LISTEN_PID" = $$ ] && [ "$LISTEN_FDNAMES" = ui ] || exit 3
        inode=$(readlink /proc/$$/fd/3 | tr -dc 0-9)
        hex=$(printf %%04X "$REEVE_PORT_UI")
        cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$hex .* 0A .* $inode " || exit 4
        [ -e /proc/$$/fd/4 ] && exit 5
        echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"
        read -r nothing <"$gate"
        echo "ui=$REEVE_PORT_UI" >>"$REEVE_OUTPUT"
`, w.file, w.gate))
	for range 2 {
		r := w.finish(e, e.begin("fault/socket", ""))
		j := r.Jobs[0]
		if r.State != "succeeded" || j.Attempts[0].Outputs["ui"] != strconv.Itoa(first+4) {
			t.Fatalf("run %s, job %s %s exit %s outputs %v\n%s", r.State, j.State, value(j.Reason), show(j.Attempts[0].ExitCode), j.Attempts[0].Outputs, e.logs())
		}
	}
	id := e.begin("fault/socket", "")
	w.begun(3)
	within(t, 20*time.Second, func() string { // its process has it before its keeper dies
		if all := e.leases(); len(all) != 1 || all[0].Owner.PID == g.keeper() {
			return fmt.Sprintf("leases: %+v", all)
		}
		return ""
	})
	if err := syscall.Kill(g.keeper(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func() string {
		if all := e.leases(); len(all) != 1 || int(all[0].Port) != first+4 || !alive(all[0].Owner.PID) {
			return fmt.Sprintf("after the keeper's death: leases %+v", all)
		}
		return ""
	})
	if r := w.finish(e, id); r.State != "failed" {
		t.Errorf("a run whose keeper died: %s, want failed by its on_unknown", r.State)
	}
	within(t, 20*time.Second, func() string {
		if all := e.leases(); len(all) != 0 {
			return fmt.Sprintf("leases after the end: %+v", all)
		}
		return ""
	})
}

// The example runs as it stands, and its sticky number is the same at every run.
func TestExampleOfPorts(t *testing.T) {
	t.Parallel()
	e, _, first := newPortEstate(t)
	e.must("net", "apply", "../../examples/ports/service.yaml")
	sticky := ""
	for range 2 {
		r := e.settled(e.begin("ports/service", ""), 60*time.Second)
		if r.State != "succeeded" {
			t.Fatalf("run: %s\n%s", r.State, e.logs())
		}
		for _, j := range r.Jobs {
			port := j.Attempts[0].Outputs["port"]
			if port != strconv.Itoa(first) && port != strconv.Itoa(first+2) {
				t.Errorf("job %s had port %q, want one of the pool from %d", j.Name, port, first)
			}
			if j.Name == "inherits" && sticky != "" && port != sticky {
				t.Errorf("the sticky port was %s, and is now %s", sticky, port)
			}
			if j.Name == "inherits" {
				sticky = port
			}
		}
	}
}

// A pool that the agent's plan does not have is told when the net is applied.
func TestPortsNeedAPool(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	file := filepath.Join(e.home, "net.yaml")
	e.write(file, "net: fault/none\njobs: [{name: a, command: [\"true\"], ports: [{name: http, pool: containers}]}]\n")
	out, errs, code := e.run("net", "apply", file)
	if code != 2 || !strings.Contains(out+errs, "has no pools") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
