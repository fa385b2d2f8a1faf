//go:build linux

package firewall_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports"
)

// fewCallbacks is a site of the jobscheduler plan that has opened three ports for its callbacks.
const fewCallbacks = `pools:
  - id: callback
    range: {from: 59999, down: true, size: 3}
    hold: {min: 200ms, reasons: [operator]}
`

// callbackSite has one agent in front of the firewall.
const callbackSite = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
`

// callbacks returns the lowest and the highest number of the plan's callback pool.
func (l *laboratory) callbacks() (first, last ports.Port) {
	l.t.Helper()
	cl, ok := l.site.Compiled.Service("callback")
	if !ok || cl.Last == 0 {
		l.t.Fatal("the plan has no callback pool")
	}
	return cl.Port, cl.Last
}

// silence swallows what goes to or from some ports, of connections that stand too.
func (l *laboratory) silence(first, last ports.Port) {
	l.t.Helper()
	l.router.nft(fmt.Sprintf("table inet block {\nchain forward {\ntype filter hook forward priority filter - 10; policy accept;\ntcp dport %[1]d-%[2]d drop\ntcp sport %[1]d-%[2]d drop\n}\n}\n", first, last))
}

// With the path of the link blocked, the end of an attempt is known over its callback; with the path of the callback
// blocked, over the link: within 30 s either way, and nothing else is tried.
func TestCallbackAndLink(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "jobscheduler", inventory: callbackSite, extends: fewCallbacks})
	l.serve("hq")
	north := l.enrol("north")

	j := l.long(north)
	l.silence(l.port("jobscheduler"), l.port("jobscheduler"))
	l.linked("north", false)
	j.end()
	l.wantSucceeded(j.run)
	if n, err := l.server.api.Node(t.Context(), "north"); err != nil || n.Linked {
		t.Errorf("the agent is linked, and its path was to be blocked: %v", err)
	}
	if out := l.server.must("run", "logs", j.run+"/long"); !strings.Contains(out, "over") {
		t.Errorf("output over the callback: %q", out)
	}
	l.unblock()
	l.linked("north", true)

	first, last := l.callbacks()
	j = l.again(north)
	l.silence(first, last)
	j.end()
	l.wantSucceeded(j.run)
	j = l.again(north) // no callback can be opened any more
	j.end()
	l.wantSucceeded(j.run)
	if out := l.server.must("run", "logs", j.run+"/long"); !strings.Contains(out, "over") {
		t.Errorf("output over the link: %q", out)
	}
	l.unblock()
	l.judge("jobscheduler.1/tcp", "callback.1/tcp")
}

// again starts the long job once more.
func (l *laboratory) again(a *agent) long {
	l.t.Helper()
	for _, name := range []string{"begun", "gate", "ended"} {
		if err := unix.Unlink(filepath.Join(a.home, name)); err != nil {
			l.t.Fatal(err)
		}
	}
	return l.long(a)
}

// R24 behind the firewall: three ports, fifty jobs, and somebody on the agent's host who tries all three of them all the
// time. Every job runs once and ends well, attempts that have no port say for what they wait, and nothing outside is tried.
func TestCallbackRange(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "jobscheduler", inventory: callbackSite, extends: fewCallbacks})
	l.serve("hq")
	north := l.enrol("north")
	var b strings.Builder
	b.WriteString("net: lab/fifty\njobs:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - {name: j-%d, command: [sleep, \"0.1\"]}\n", i)
	}
	file := filepath.Join(l.server.home, "fifty.yaml")
	write(t, file, b.String())
	l.server.must("net", "apply", file)

	first, last := l.callbacks()
	stop := make(chan struct{})
	var strangers sync.WaitGroup
	strangers.Go(func() {
		for p := first; ; p++ {
			if p > last {
				p = first
			}
			a := north.begin(l.server.at(p))
			select {
			case <-stop:
				_ = unix.Close(a.fd)
				return
			case <-time.After(5 * time.Millisecond):
			}
			_, _ = unix.Write(a.fd, []byte("GET / HTTP/1.1\r\n\r\n"))
			_ = unix.Close(a.fd)
		}
	})
	leave := sync.OnceFunc(func() {
		close(stop)
		strangers.Wait()
	})
	defer leave()

	r, err := l.server.api.StartRun(t.Context(), api.StartRun{Net: "lab/fifty"})
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	within(t, 90*time.Second, func() string {
		if r, err = l.server.api.Run(t.Context(), r.ID); err != nil {
			return err.Error()
		}
		for _, j := range r.Jobs {
			waited = waited || j.Reason != nil && *j.Reason == "callback_port"
		}
		if r.Ended == nil {
			return "the run is " + r.State
		}
		return ""
	})
	if r.State != "succeeded" || !waited {
		t.Errorf("the run is %s; some jobs waited for a callback port: %t", r.State, waited)
	}
	for _, j := range r.Jobs {
		if len(j.Attempts) != 1 {
			t.Errorf("%s has %d attempts", j.Name, len(j.Attempts))
		}
	}
	leave()
	l.judge("jobscheduler.1/tcp", "callback.1/tcp")
}

// calledSite has a host with the command line utilities, and a client server, in zones of their own.
const calledSite = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, office: {networks: [10.3.0.0/24]}, branch: {networks: [10.5.0.0/24]}}
hosts:
  hq: {roles: [primary], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
  desk: {roles: [utility, client], zone: office, advertise: [10.3.0.1]}
  branch: {roles: [client-server, client], zone: branch, advertise: [10.5.0.1]}
`

// Behind arcserve a command that waits for a run is called back: on 20000-20100 where the utilities are, on 7199 on a client
// server. With the path of the callback blocked the command asks for itself.
func TestCommandLineCallback(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "arcserve", inventory: calledSite, extends: arcserveOpen})
	l.serve("hq")
	l.join("north")
	for _, name := range []string{"desk", "branch"} {
		h := l.logInAt(name, l.server.known("casmgmtsvc"))
		file := filepath.Join(h.home, "called.yaml")
		write(t, file, "net: lab/called\njobs:\n  - {name: a, command: [sleep, \"0.5\"]}\n")
		h.must("net", "apply", file)
		args := []string{"run", "start", "lab/called", "--wait", "--plan", l.plan, "--advertise", h.address.String(), "--ledger", filepath.Join(h.home, "ledger")}
		if name == "branch" {
			args = append(args, "--pool", "client-callback")
		}
		if out := h.must(args...); !strings.Contains(out, "lab/called succeeded") {
			t.Errorf("on %s: %s", name, out)
		}
		used, _ := l.seen()
		if flow := map[string]string{"desk": "callback.1/tcp", "branch": "client-callback.1/tcp"}[name]; used[flow] == 0 {
			t.Errorf("the command on %s was not called back: %s was not used", name, flow)
		}
		if name == "desk" {
			l.silence(20000, 20100)
			if out := h.must(args...); !strings.Contains(out, "lab/called succeeded") {
				t.Errorf("with the callback blocked, on %s: %s", name, out)
			}
			l.unblock()
		}
	}
	l.judge("callback.1/tcp", "client-callback.1/tcp")
}

// orderSite has two servers: on the first one's host a net is ordered from the second.
const orderSite = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, other: {networks: [10.6.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  hq2: {roles: [remote-server, server], zone: other, advertise: [10.6.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
`

// Behind jobscheduler a net is ordered from another server, with parameters, over its command port, and its end comes back
// on 59999 and lower. Nothing else is tried.
func TestJobschedulerOrder(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "jobscheduler", inventory: orderSite})
	l.serve("hq2")
	l.enrol("north")
	file := filepath.Join(l.server.home, "ordered.yaml")
	write(t, file, "net: lab/ordered\nparams: {name: nobody}\njobs:\n  - name: a\n    script: |\n      #!/bin/sh\n      sleep 0.5\n      echo \"hello $name\"\n")
	l.server.must("net", "apply", file)
	secret := filepath.Join(l.server.home, "secret")
	write(t, secret, lastLine(l.server.must("token", "create", "api", "orders", "--scope", "view,run,view_log", "--folder", "lab", "--expires", "1h")))
	hq := l.hosts["hq"]
	at := "https://" + l.server.at(l.port("jobscheduler")).String()
	hq.must("login", at, "--fingerprint", l.fingerprint(), "--token-file", secret)
	out := hq.must("run", "start", "lab/ordered", "--server", at, "--param", "name=order", "--key", "k1", "--wait", "--plan", l.plan, "--advertise", hq.address.String(), "--ledger", filepath.Join(hq.home, "ledger"))
	if !strings.Contains(out, "lab/ordered succeeded") {
		t.Errorf("the order says %q", out)
	}
	if logs := hq.must("run", "logs", lastLine(out), "--server", at); !strings.Contains(logs, "hello order") {
		t.Errorf("its output: %q", logs)
	}
	l.judge("jobscheduler.1/tcp", "jobscheduler.2/tcp", "callback.1/tcp", "callback.2/tcp")
}
