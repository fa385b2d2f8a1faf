//go:build linux

package firewall_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/ports"
)

// client is a program on a host that asks the server's API with a token over one row of the plan.
func (l *laboratory) client(name, service string) *api.Client {
	l.t.Helper()
	token := lastLine(l.server.must("token", "create", "api", name+"-"+service, "--scope", "view,run"))
	c, err := api.NewClient(&http.Client{Transport: l.transport(name)}, "https://"+l.server.known(service), token)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// transport connects from a host to the server, whose authority it knows.
func (l *laboratory) transport(name string) *http.Transport {
	l.t.Helper()
	conf, err := identity.Pinned(l.fingerprint(), time.Now)
	if err != nil {
		l.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: conf, DialContext: l.hosts[name].dial}
	l.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// dial connects from the host.
func (h *host) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	h.do(func() { c, err = (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address) })
	return c, err
}

// fingerprint is that of the server's authority, as its administrator reads it.
func (l *laboratory) fingerprint() string {
	l.t.Helper()
	var d struct{ Fingerprint string }
	if err := json.Unmarshal([]byte(l.server.must("domain", "show", "-o", "json")), &d); err != nil || d.Fingerprint == "" {
		l.t.Fatalf("no fingerprint: %v", err)
	}
	return d.Fingerprint
}

// logIn logs a person in on a host, over one row of the plan.
func (l *laboratory) logIn(name, service string) *host {
	l.t.Helper()
	return l.logInAt(name, l.server.known(service))
}

// logInAt logs a person in on a host, at HOST:PORT.
func (l *laboratory) logInAt(name, address string) *host {
	l.t.Helper()
	h := l.hosts[name]
	h.must("login", "https://"+address, "--fingerprint", l.fingerprint(), "--user", "admin", "--password-file", filepath.Join(l.server.data, "admin-password"))
	return h
}

// helloNet has one job for each agent, which says where it is.
func helloNet(agents ...string) string {
	var b strings.Builder
	b.WriteString("net: lab/hello\njobs:\n")
	for _, a := range agents {
		fmt.Fprintf(&b, "  - name: on-%[1]s\n    agent: {name: %[1]s}\n    script: |\n      #!/bin/sh\n      echo \"hello from %[1]s\"\n", a)
	}
	return b.String()
}

// runHello applies the net on a host where a person is logged in, runs it to its end there, and reads its output.
func (h *host) runHello(agents ...string) {
	h.t.Helper()
	file := filepath.Join(h.home, "hello.yaml")
	if err := os.WriteFile(file, []byte(helloNet(agents...)), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.must("net", "apply", file)
	id := lastLine(h.must("run", "start", "lab/hello"))
	h.must("run", "watch", id)
	logs := h.must("run", "logs", id)
	for _, a := range agents {
		if !strings.Contains(logs, "hello from "+a) {
			h.t.Errorf("the output of the run is %q, want the greeting of %s in it", logs, a)
		}
	}
}

// wantSucceeded waits until a run has ended well.
func (l *laboratory) wantSucceeded(id string) {
	l.t.Helper()
	wantSucceeded(l.t, l.server.api, id)
}

func wantSucceeded(t testing.TB, c *api.Client, id string) {
	t.Helper()
	within(t, 30*time.Second, func() string {
		r, err := c.Run(t.Context(), id)
		switch {
		case err != nil:
			return err.Error()
		case r.State == "failed" || r.State == "cancelled":
			t.Fatalf("the run is %s", r.State)
		case r.State != "succeeded":
			return "the run is " + r.State
		}
		return ""
	})
}

// wantProgram lets a program on a host use the API with a token, over one row of the plan.
func (l *laboratory) wantProgram(name, service string) {
	l.t.Helper()
	c := l.client(name, service)
	run, err := c.StartRun(l.t.Context(), api.StartRun{Net: "lab/hello"})
	if err != nil {
		l.t.Fatalf("a program on %s: %v", name, err)
	}
	wantSucceeded(l.t, c, run.ID)
}

// wantDoor wants an answer at one row of the plan, over TLS where the row has it, whatever it opens.
func (l *laboratory) wantDoor(name, service string) {
	l.t.Helper()
	l.wantDoorAt(name, service, l.server.known(service))
}

// wantDoorAt is wantDoor at HOST:PORT.
func (l *laboratory) wantDoorAt(name, service, address string) {
	l.t.Helper()
	scheme := "http://"
	if cl, ok := l.site.Compiled.Service(service); ok && cl.TLS {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, scheme+address+"/healthz", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: l.transport(name), Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		l.t.Errorf("the row %s: %v", service, err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		l.t.Errorf("the row %s answers %s", service, resp.Status)
	}
}

// wantOthersClosed wants the numbers beside the server's, and those that are for the server's own host, to be closed to a
// host that may use the first of the numbers: by the router, and by the rules on the server's host where the router lets
// all through. Somebody listens on each of them.
func (l *laboratory) wantOthersClosed(name string, numbers ...ports.Port) {
	l.t.Helper()
	others := l.neighbours(numbers...)
	own := 0
	for _, cl := range l.site.Closed(l.server.name) {
		if cl.Protocol == ports.TCP {
			others, own = append(others, cl.Port), own+1
		}
	}
	l.server.listen(others...)
	var targets []netip.AddrPort
	for _, n := range others {
		targets = append(targets, l.server.at(n))
	}
	open := l.server.at(numbers[0])
	l.hosts[name].wantClosed(open, true, targets...)
	l.open()
	l.hosts[name].wantClosed(open, false, targets...)
	l.close()
	l.t.Logf("closed to %s, by the router and by the host itself: %d neighbours, %d numbers of the host's own", name, len(others)-own, own)
}

// neighbours returns the numbers beside some, where the plan has nothing.
func (l *laboratory) neighbours(numbers ...ports.Port) []ports.Port {
	taken := map[ports.Port]bool{}
	for _, cl := range l.site.Compiled.Claims {
		for n := int(cl.Port); n <= int(max(cl.Port, cl.Last)); n++ {
			taken[ports.Port(n)] = true
		}
	}
	var all []ports.Port
	for _, n := range numbers {
		for _, beside := range []ports.Port{n - 1, n + 1} {
			if !taken[beside] {
				taken[beside] = true
				all = append(all, beside)
			}
		}
	}
	return all
}
