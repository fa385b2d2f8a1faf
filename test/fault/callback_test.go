//go:build linux

package fault_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// newCallbackEstate starts a server and the agent north under a plan in which agents call back on n ports, each held for a
// while after its use. It returns the lowest of the ports.
func newCallbackEstate(t testing.TB, n, slots int, hold time.Duration) (e *estate, g *guest, first int) {
	t.Helper()
	return newCallbackEstateAt(t, n, slots, callbackSetting{hold: hold, config: quick})
}

// callbackSetting is how a pool's ports are held, a configuration of the server's own, and something between agents and
// server that hands on what comes to the server's own port; nil: nothing.
type callbackSetting struct {
	hold    time.Duration
	config  string
	between *crossing
}

// newCallbackEstateAt does so with settings.
func newCallbackEstateAt(t testing.TB, n, slots int, s callbackSetting) (e *estate, g *guest, first int) {
	t.Helper()
	first = sockettest.Block(t, n)
	e = newEstateWith(t, s.config, fmt.Sprintf(`pools:
  - id: callback
    function: incoming ports
    protocol: [tcp]
    tls: true
    runs_on: [server]
    range: {from: %d, down: true, size: %d}
    pick: lru
    hold: {min: %s, reasons: [operator]}
    lease: {owner: task attempt, ttl: 90s, renew: heartbeat, fence: true, nonce: 128}
    origin: ours
    flows: [{from: agent, to: server, purpose: the words of an attempt, carries: [callback]}]
`, first+n-1, n, s.hold))
	if s.between != nil {
		s.between.stand(e.port, false)
	}
	g = e.newcomer("north", slots, filepath.Join(e.home, "north"))
	g.start("--join", lastLine(e.must("token", "create", "agent", "north")))
	e.linked("north")
	return e, g, first
}

// listening returns the ports on which the server listens.
func (e *estate) listening() []int {
	e.t.Helper()
	all := observed(e.t.(*testing.T), e.server.cmd.Process.Pid).listening
	var found []int
	for _, l := range all {
		var port int
		if _, err := fmt.Sscanf(l[strings.LastIndex(l, ":")+1:], "%d", &port); err != nil {
			e.t.Fatalf("%q: %v", l, err)
		}
		found = append(found, port)
	}
	slices.Sort(found)
	return found
}

// R24: an attempt says what it has to say on a connection of its own to a port of the range; the port listens until its
// agent has come, and is given back with the end.
func TestCallback(t *testing.T) {
	t.Parallel()
	e, g, first := newCallbackEstate(t, 3, 4, 50*time.Millisecond)
	w := newWitness(t)
	e.apply(fmt.Sprintf(`net: fault/callback
jobs:
  - name: one
    env: {gate: %q}
    script: |
        #!/bin/sh
        echo before
        read -r nothing <"$gate"
        echo after
        echo result=7 >>"$REEVE_OUTPUT"
`, w.gate))
	id := e.begin("fault/callback", "")
	within(t, 20*time.Second, func() string {
		if r := e.show(id); r.Jobs[0].State != "running" {
			return "the job is " + r.Jobs[0].State + "\n" + e.logs()
		}
		for _, o := range observed(t, g.cmd.Process.Pid).open {
			if p := int(o.Remote.Port()); p >= first && p < first+3 {
				return ""
			}
		}
		return "the agent has no connection to a callback port\n" + e.logs()
	})
	if got := e.listening(); len(got) != 1 || got[0] != e.port {
		t.Errorf("the server listens on %v while the attempt is connected, want only %d", got, e.port)
	}
	if all := e.leases(); len(all) != 1 || all[0].Owner.Kind != "callback" || int(all[0].Port) < first || int(all[0].Port) > first+2 {
		t.Errorf("leases %+v, want one for a callback", all)
	}
	r := w.finish(e, id)
	if r.State != "succeeded" || r.Jobs[0].Attempts[0].Outputs["result"] != "7" {
		t.Errorf("run: %s, outputs %v\n%s", r.State, r.Jobs[0].Attempts, e.logs())
	}
	if out := e.must("run", "logs", id+"/one"); !strings.Contains(out, "before") || !strings.Contains(out, "after") {
		t.Errorf("output: %s", out)
	}
	within(t, 10*time.Second, func() string {
		if all := e.leases(); len(all) != 0 {
			return fmt.Sprintf("leases are left: %+v", all)
		}
		return ""
	})
}

// R24: with 3 ports, 50 jobs: none fails, none more than 3 have one at once, and what waits says for what.
func TestCallbackRange(t *testing.T) {
	t.Parallel()
	e, _, first := newCallbackEstate(t, 3, 60, 100*time.Millisecond)
	var b strings.Builder
	b.WriteString("net: fault/fifty\njobs:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - {name: j-%d, command: [sleep, \"0.2\"]}\n", i)
	}
	e.apply(b.String())
	id := e.begin("fault/fifty", "")
	waited, most := false, 0
	var r api.Run
	within(t, 120*time.Second, func() string {
		r = e.show(id)
		running := 0
		for _, j := range r.Jobs {
			if j.State == "running" || j.State == "dispatched" {
				running++
			}
			waited = waited || j.State == "ready" && value(j.Reason) == "callback_port"
		}
		most = max(most, running)
		for _, p := range e.listening() {
			if p != e.port && (p < first || p > first+2) {
				t.Fatalf("the server listens on %d", p)
			}
		}
		if !isEnd(r.State) {
			return "the run is " + r.State + "\n" + e.logs()
		}
		return ""
	})
	if r.State != "succeeded" || most > 3 || !waited {
		t.Errorf("run %s, at most %d jobs at once (want 3), some waited for a port: %t", r.State, most, waited)
	}
	for _, j := range r.Jobs {
		if len(j.Attempts) != 1 {
			t.Errorf("job %s: %d attempts", j.Name, len(j.Attempts))
		}
	}
}

// R24: a killed server's ports come back, its attempts' words come over the link, and what it had ordered ends once.
func TestCallbackKilledServer(t *testing.T) {
	t.Parallel()
	e, g, _ := newCallbackEstate(t, 3, 4, 50*time.Millisecond)
	w := newWitness(t)
	e.apply(fmt.Sprintf("net: fault/killed\njobs:\n  - name: a\n    env: {witness: %q, gate: %q}\n    script: |\n%s", w.file, w.gate,
		`        #!/bin/sh
        echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"
        read -r nothing <"$gate"
        echo done
`))
	for i := range 3 {
		id := e.begin("fault/killed", "")
		w.begun(i + 1)
		e.server.end(t, syscall.SIGKILL)
		e.serve()
		if i == 1 {
			g.restart(syscall.SIGKILL)
		}
		e.linked("north")
		if r := w.finish(e, id); r.State != "succeeded" {
			t.Errorf("run: %s\n%s", r.State, e.logs())
		}
	}
	within(t, 20*time.Second, func() string {
		if all := e.leases(); len(all) != 0 {
			return fmt.Sprintf("leases are left: %+v", all)
		}
		return ""
	})
}

// A pool of one port with a rendezvous: attempts share the port, none waits for it, and nothing else listens.
func TestCallbackRendezvous(t *testing.T) {
	t.Parallel()
	port := sockettest.Lease(t)
	e := newEstateWith(t, quick, fmt.Sprintf(`pools:
  - id: callback
    function: incoming port
    protocol: [tcp]
    tls: true
    runs_on: [server]
    range: %[1]d-%[1]d
    pick: lru
    lease: {owner: task attempt, ttl: 90s, renew: heartbeat, fence: true, nonce: 128}
    fallback: rendezvous
    origin: ours
    flows: [{from: agent, to: server, purpose: the words of an attempt, carries: [callback]}]
`, port))
	g := e.agent("north", 12)
	w := newWitness(t)
	var b strings.Builder
	b.WriteString("net: fault/rendezvous\njobs:\n")
	for i := range 12 {
		b.WriteString(w.job(fmt.Sprintf("j-%d", i), true, 0, 0, ""))
	}
	e.apply(b.String())
	for range 2 {
		id := e.begin("fault/rendezvous", "")
		within(t, 30*time.Second, func() string {
			connected := 0
			for _, o := range observed(t, g.cmd.Process.Pid).open {
				if int(o.Remote.Port()) == port {
					connected++
				}
			}
			if connected != 12 {
				return fmt.Sprintf("%d attempts are connected\n%s", connected, e.logs())
			}
			return ""
		})
		if got := e.listening(); len(got) != 2 || !slices.Contains(got, port) {
			t.Errorf("the server listens on %v, want its own port and %d", got, port)
		}
		within(t, 20*time.Second, func() string { // a connection is there before it has proved itself
			for _, j := range e.show(id).Jobs {
				if c := j.Attempts[0].Callback; c == nil || c.Port != port || c.State != "connected" || !c.Shared {
					return fmt.Sprintf("%s: callback %+v", j.Name, c)
				}
			}
			return ""
		})
		if r := w.finish(e, id); r.State != "succeeded" {
			t.Errorf("run: %s\n%s", r.State, e.logs())
		}
		e.server.end(t, syscall.SIGTERM) // the port is the same after a restart
		e.serve()
		e.linked("north")
	}
}
