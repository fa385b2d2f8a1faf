//go:build linux

package firewall_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// exercise does what a person does on a host, at one HOST:PORT of the server: logs in, applies a net, runs it on each of
// the agents, reads its output, cancels another, and opens the console.
func (l *laboratory) exercise(name, address string, agents ...string) {
	l.t.Helper()
	h := l.logInAt(name, address)
	h.runHello(agents...)
	h.cancelRun(agents[0])
	l.wantConsole(name, address)
	if out := h.must("node", "list"); !strings.Contains(out, agents[0]) {
		l.t.Errorf("on %s reeve node list says %q, want %s in it", name, out, agents[0])
	}
}

// cancelRun starts a run that would not end by itself, from a host where a person is logged in, and cancels it there.
func (h *host) cancelRun(agent string) {
	h.t.Helper()
	file := filepath.Join(h.home, "endless.yaml")
	write(h.t, file, "net: lab/endless\njobs:\n  - name: endless\n    agent: {name: "+agent+"}\n    command: [sleep, infinity]\n")
	h.must("net", "apply", file)
	id := lastLine(h.must("run", "start", "lab/endless"))
	within(h.t, 30*time.Second, func() string {
		if r, err := h.lab.server.api.Run(h.t.Context(), id); err != nil || r.State != "running" {
			return "the run is " + r.State
		}
		return ""
	})
	h.must("run", "cancel", id)
	within(h.t, 30*time.Second, func() string {
		if r, err := h.lab.server.api.Run(h.t.Context(), id); err != nil || r.State != "cancelled" {
			return "the run is " + r.State
		}
		return ""
	})
}

// wantConsole opens the console as a browser would: its first page sends a stranger to the login.
func (l *laboratory) wantConsole(name, address string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, "https://"+address+"/", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: l.transport(name), Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		l.t.Errorf("the console at %s: %v", address, err)
		return
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(page), `type="password"`) {
		l.t.Errorf("the console at %s answers %s (%v), want the page on which one logs in", address, resp.Status, err)
	}
}

// reconnect breaks every connection of an agent, and wants its link back, and a job's end that came about in between.
func (l *laboratory) reconnect(a *agent) {
	l.t.Helper()
	j := l.long(a)
	l.block(a.host, blockage{to: true, from: true, verdict: "reject with tcp reset"})
	l.linked(a.name, false)
	j.end()
	l.unblock()
	l.wantSucceeded(j.run)
	l.linked(a.name, true)
}
