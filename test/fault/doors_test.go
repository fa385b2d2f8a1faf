//go:build linux

package fault_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// behind writes a plan that extends a built-in one, with a number of this test's for every row on which a server or an
// agent listens, and returns it compiled.
func behind(t *testing.T, file, base string) ports.Compiled {
	t.Helper()
	p, err := builtin.Load(base)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := ports.Compile(p, ports.Inventory{}, 0)
	var rows []ports.Claim
	for _, cl := range c.Claims {
		if cl.Protocol == ports.TCP && !cl.Pool && cl.Port != 0 && (c.MayListen("server", cl.Service) || c.MayListen("agent", cl.Service) || c.MayListen("desk", cl.Service)) {
			rows = append(rows, cl)
		}
	}
	first := sockettest.Block(t, len(rows))
	var b strings.Builder
	fmt.Fprintf(&b, "plan: behind-%s\nextends: %s\nservices:\n", base, base)
	for i, cl := range rows {
		fmt.Fprintf(&b, "  - {id: %s, port: %d}\n", cl.Service, first+i)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err = builtin.Resolve(file, func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(p, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c
}

// ask asks one listener and returns the status and the beginning of the answer.
func ask(t *testing.T, scheme string, port ports.Port, path string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get(fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, port, path))
	if err != nil {
		t.Errorf("%s of port %d: %v", path, port, err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	return resp.StatusCode, string(body)
}

// One server behind the openings of systemwalker: it listens on each of that plan's rows and on nothing else, each row
// opens its own doors only, what is for its own host is on loopback, and an agent joins, links and works through the
// row that the plan gives it.
func TestDoorsOfSystemwalker(t *testing.T) {
	t.Parallel()
	e := &estate{t: t, home: t.TempDir(), data: filepath.Join(t.TempDir(), "server"), agents: map[string]*guest{}}
	e.mark, e.plan, e.config = e.home+"/", filepath.Join(e.home, "plan.yaml"), filepath.Join(e.home, "server.yaml")
	c := behind(t, e.plan, "systemwalker")
	e.write(e.config, quick)
	e.api = e.client()
	t.Cleanup(e.close)
	e.serve()

	var want []string
	at := map[string]ports.Port{}
	for _, cl := range c.Claims {
		if cl.Protocol == ports.TCP && len(cl.Doors) > 0 && c.MayListen("server", cl.Service) {
			want = append(want, fmt.Sprintf("tcp 127.0.0.1:%d", cl.Port))
			at[cl.Service] = cl.Port
		}
	}
	got := observed(t, e.server.cmd.Process.Pid).listening
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(want) < 10 {
		t.Fatalf("the server listens on %v, want %v", got, want)
	}

	g := e.agent("north", 4)
	for _, o := range observed(t, g.cmd.Process.Pid).open {
		if mjsnet, _ := c.Service("mjsnet"); ports.Port(o.Remote.Port()) != at["jmnet"] && ports.Port(o.Local.Port()) != mjsnet.Port {
			t.Errorf("the agent has %v, want only its link to %d, and the one that the server dials at %d", o, at["jmnet"], mjsnet.Port)
		}
	}
	e.apply("net: t/behind\njobs: [{name: a, command: [echo, hello]}]\n")
	if r := e.settled(e.begin("t/behind", ""), 30*time.Second); r.State != "succeeded" {
		t.Errorf("run: %s\n%s", r.State, e.logs())
	}

	for _, d := range []struct {
		row, scheme, path string
		status            int
		holds             string
	}{
		{"mpahso", "https", "/login", 200, "<!doctype html>"},
		{"mpahso", "https", "/api/v1/nets", 401, ""},
		{"jobsch", "https", "/api/v1/nets", 401, ""},
		{"jobsch", "https", "/api/v1/users", 401, ""},
		{"jobsch", "https", "/login", 401, ""},
		{"jmnet", "https", "/api/v1/runs", 401, ""},
		{"mpojeed1httpo", "http", "/healthz", 200, "ok"},
		{"mpojeed1httpso", "https", "/healthz", 200, "ok"},
	} {
		status, body := ask(t, d.scheme, at[d.row], d.path)
		if status != d.status || !strings.Contains(body, d.holds) {
			t.Errorf("%s of %s: status %d, want %d\n%s", d.path, d.row, status, d.status, body)
		}
	}
	token := lastLine(e.must("token", "create", "api", "reader", "--scope", "view"))
	for row, routes := range map[string]map[string]int{
		"jobsch": {"/api/v1/nets": 200, "/api/v1/users": 404, "/api/v1/nodes": 404, "/api/v1/plan": 404},
		"jmnet":  {"/api/v1/nets": 200, "/api/v1/nodes": 200, "/api/v1/plan": 200},
		"jmsrv":  {"/api/v1/nets": 404},
		"mpahso": {"/api/v1/nets": 200},
		// The server's own host only, as its other rows of that kind.
		"mpnjsosv": {"/api/v1/nets": 200, "/api/v1/nodes": 200},
	} {
		for path, want := range routes {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", at[row], path), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}).Do(req)
			if err != nil {
				t.Errorf("%s of %s: %v", path, row, err)
				continue
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s of %s with a token: status %d, want %d", path, row, resp.StatusCode, want)
			}
		}
	}
	// Only a row whose door is link takes links.
	for row, takes := range map[string]bool{"jmnet": true, "mpahso": false, "jobsch": false, "jmsrv": false} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", at[row]))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{identity.ALPN}, MinVersion: tls.VersionTLS13})
		err = client.HandshakeContext(ctx)
		if got := err == nil && client.ConnectionState().NegotiatedProtocol == identity.ALPN; got != takes {
			t.Errorf("row %s takes links: %v (%v), want %v", row, got, err, takes)
		}
		cancel()
		_ = conn.Close()
	}
	doors, err := e.api.Doors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range doors {
		if d.Door == "console" && !slices.Equal(d.URLs, []string{fmt.Sprintf("https://127.0.0.1:%d", at["mpahso"])}) {
			t.Errorf("the console is said to be at %v", d.URLs)
		}
	}
}

// A row without TLS that others could reach is refused, unless the site says that it wants it.
func TestPlainRowsAreRefused(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	plan, port := filepath.Join(home, "plan.yaml"), sockettest.Lease(t)
	text := fmt.Sprintf("plan: plain\nextends: default\nservices:\n  - {id: reeve, port: %d, tls: false}\n", port)
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := command(t, nil, "server", "--data", filepath.Join(home, "data"), "--plan", plan)
	if code != 2 || !strings.Contains(errs, "allow_plain") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
