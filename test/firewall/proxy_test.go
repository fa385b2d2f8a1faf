//go:build linux

package firewall_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// proxyRow is what a site adds for an HTTP proxy: a neighbour's row that agents dial, and what the proxy itself dials.
const proxyRow = `roles:
  proxy: {managed: false, title: HTTP proxy}
services:
  - id: proxy
    function: HTTP proxy
    port: 3128
    protocol: [tcp]
    binds: false
    flows: [{from: agent, to: proxy, purpose: "agents' links through the proxy", carries: [proxy]}]
  - id: reeve
    flows:
      - {from: client, to: server, purpose: "console, API and command line", carries: [client]}
      - {from: agent, to: server, purpose: "joining, and the link", carries: [enrol, link]}
      - {from: proxy, to: server, purpose: what agents dial through the proxy}
`

const withProxy = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, edge: {networks: [10.4.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  gate: {roles: [proxy], zone: edge, advertise: [10.4.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// proxy serves CONNECT on a host to one user, and counts what it lets through.
func (h *host) proxy(address, user, password string) *atomic.Int64 {
	h.t.Helper()
	var l net.Listener
	var err error
	h.do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		h.t.Fatal(err)
	}
	passed := new(atomic.Int64)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { h.tunnel(c, "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)), passed) })
		}
	})
	h.t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return passed
}

// tunnel serves one connection of a proxy.
func (h *host) tunnel(c net.Conn, want string, passed *atomic.Int64) {
	defer c.Close() // one direction is over, and so is the other
	in := bufio.NewReader(c)
	request, err := http.ReadRequest(in)
	switch {
	case err != nil:
		return
	case request.Header.Get("Proxy-Authorization") != want:
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"lab\"\r\n\r\n")
		return
	}
	out, err := h.dial(h.t.Context(), "tcp", request.Host)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer out.Close() // as above
	passed.Add(1)
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(c, out)
}

// An agent whose way out is an HTTP proxy with a password joins, links and works through it, and dials nothing else: the
// opening past the proxy is taken away. With a wrong password it says so.
func TestProxy(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, extends: proxyRow, inventory: withProxy})
	past := slices.DeleteFunc(slices.Clone(l.holes), func(h hole) bool { return h.source == "north" && service(h.flow) == "reeve" })
	if len(past) != len(l.holes)-1 {
		t.Fatalf("the site has the openings %v", l.holes)
	}
	l.holes = past
	l.close()
	l.serve("hq")
	north := l.hosts["north"]
	passed := l.hosts["gate"].proxy(fmt.Sprintf("10.4.0.1:%d", l.port("proxy")), "anna", "s3cret")
	file := filepath.Join(north.home, "password")
	write(t, file, "wrong\n")
	flags := []string{"--proxy", "http://anna@10.4.0.1", "--proxy-password-file", file}
	token := lastLine(l.server.must("token", "create", "agent", "north"))
	data := filepath.Join(north.home, "first")
	_, said, code := north.run(append([]string{"agent", "--data", data, "--plan", l.plan, "--join", token}, flags...)...)
	if code == 0 || !strings.Contains(said, "407") || !strings.Contains(said, "correct the user, or the password") {
		t.Errorf("with a wrong password: exit code %d, %s", code, said)
	}
	write(t, file, "s3cret\n")
	a := l.agent("north", append([]string{"--join", token}, flags...)...)
	l.linked("north", true)
	l.logIn("desk", "reeve").runHello("north")
	l.reconnect(a)
	if n := passed.Load(); n < 3 {
		t.Errorf("%d connections went through the proxy, want those of joining and of two links", n)
	}
	if said := tail(a.log); strings.Contains(said, "s3cret") {
		t.Error("the agent's log has the password")
	}
	l.judge("proxy.1/tcp", "reeve.3/tcp")
}
