package socket_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// proxied is a plan with a service and a proxy.
func proxied(service, proxy int) ports.Compiled {
	claim := func(id string, port int, binds bool) ports.Claim {
		return ports.Claim{Service: id, Protocol: ports.TCP, Port: ports.Port(port), Binds: binds, Status: ports.Works, Scope: ports.External, Listeners: []string{"server"}}
	}
	flow := func(id, from string, port int, carries string) ports.ResolvedFlow {
		return ports.ResolvedFlow{ID: id + ".1/tcp", Service: id, Status: ports.Works, Protocol: ports.TCP, Port: ports.Port(port), Flow: ports.Flow{From: from, To: "server", Carries: []string{carries}}}
	}
	return ports.Compiled{
		Plan: "site", Claims: []ports.Claim{claim("reeve", service, true), claim("proxy", proxy, false)},
		Flows: []ports.ResolvedFlow{flow("reeve", "agent", service, "link"), flow("proxy", "agent", proxy, "proxy")},
		Kinds: map[string]ports.RoleKind{"agent": ports.Agent, "server": ports.Server},
	}
}

// listening is a listener whose connections are given to serve, until the test ends.
func listening(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close() // the test has what it wants
				serve(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

// realProxy is an HTTP proxy that lets CONNECT through for a user, or for everybody where there is none.
func realProxy(user, password string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		request, err := http.ReadRequest(in)
		if err != nil || request.Method != http.MethodConnect {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			return
		}
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
		if user != "" && request.Header.Get("Proxy-Authorization") != want {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"site\"\r\n\r\n")
			return
		}
		out, err := net.DialTimeout("tcp", request.Host, time.Second)
		if err != nil {
			_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		defer out.Close() // both directions are over
		_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		_, _ = io.Copy(c, out)
	}
}

func TestDialByProxy(t *testing.T) {
	t.Parallel()
	service := listening(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "first ") // before it is asked anything
		_, _ = io.CopyN(c, c, 4)
	})
	proxy := listening(t, realProxy("anna", "s3cret"))
	n := socket.New(proxied(service, proxy), socket.As("agent"))
	p, err := n.Proxy(fmt.Sprintf("http://anna@127.0.0.1:%d", proxy), "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	n.Through(p, func(host string) bool { return host == "127.0.0.1" })
	if _, err := n.Dial(t.Context(), "reeve", "127.0.0.2:1"); strings.Contains(fmt.Sprint(err), "proxy") {
		t.Errorf("a host that does not fit was dialled by the proxy: %v", err)
	}
	c, err := n.Dial(t.Context(), "reeve", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() // it has ended
	_, _ = io.WriteString(c, "echo")
	if got, err := io.ReadAll(c); err != nil || string(got) != "first echo" {
		t.Errorf("through the proxy came %q, %v", got, err)
	}
	if open := n.Open(); len(open) != 1 || open[0].Service != "proxy" {
		t.Errorf("open are %v, want the proxy's row alone", open)
	}
}

// Each way in which a proxy does not connect is told apart.
func TestProxyRefusals(t *testing.T) {
	t.Parallel()
	answer := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, text)
		}
	}
	closed := listening(t, func(net.Conn) {})
	for name, test := range map[string]struct {
		proxy func(net.Conn)
		user  string
		kind  fault.Kind
		want  string
	}{
		"no user":          {realProxy("anna", "s3cret"), "", fault.Unauthenticated, "give a user in the proxy's address"},
		"a wrong password": {realProxy("anna", "other"), "anna@", fault.Unauthenticated, "correct the user, or the password"},
		"another scheme":   {answer("HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n\r\n"), "anna@", fault.Unauthenticated, "the proxy asks for Negotiate, and Reeve speaks Basic"},
		"forbidden":        {answer("HTTP/1.1 403 Forbidden\r\n\r\n"), "", fault.Forbidden, "have the proxy allow CONNECT"},
		"out of reach":     {answer("HTTP/1.1 504 Gateway Timeout\r\n\r\n"), "", fault.Unreachable, "the proxy may reach it"},
		"no CONNECT":       {answer("HTTP/1.1 400 Bad Request\r\n\r\n"), "", fault.Unreachable, "lets CONNECT through"},
		"no proxy":         {answer("SSH-2.0-OpenSSH_9.9\r\n"), "", fault.Unreachable, "address is that of an HTTP proxy"},
		"an endless one":   {answer("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20)), "", fault.Unreachable, "address is that of an HTTP proxy"},
		"silence":          {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "", fault.Unreachable, "takes connections and answers nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := listening(t, test.proxy)
			n := socket.New(proxied(closed, proxy), socket.As("agent"))
			password := ""
			if test.user != "" {
				password = "s3cret"
			}
			p, err := n.Proxy(fmt.Sprintf("http://%s127.0.0.1:%d/", test.user, proxy), password)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			n.Through(p, nil)
			_, err = n.Dial(ctx, "reeve", "127.0.0.1")
			if !fault.Is(err, test.kind) {
				t.Fatalf("%v is of another kind", err)
			}
			if said := asFault(err); !strings.Contains(said.Msg+" "+said.Fix, test.want) || strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Errorf("%v (%s), want %q and no password", err, said.Fix, test.want)
			}
			if open := n.Open(); len(open) != 0 {
				t.Errorf("open are %v, want nothing", open)
			}
		})
	}
}

func TestProxyThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	n := socket.New(proxied(1, dead), socket.As("agent"))
	p, err := n.Proxy("http://127.0.0.1", "")
	if err != nil {
		t.Fatal(err)
	}
	n.Through(p, nil)
	if _, err := n.Dial(t.Context(), "reeve", "127.0.0.1"); !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "reaching the proxy") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a dead proxy is %v", err)
	}
}

// What is not an address, holds a password, or is not in the plan is refused, and the password is not repeated.
func TestProxyAddresses(t *testing.T) {
	t.Parallel()
	planned := proxied(1, 3128)
	for address, want := range map[string]string{
		"proxy:3128":              "http://[USER@]HOST[:PORT]",
		"https://proxy:3128":      "not one of an HTTP proxy",
		"http://proxy/path":       "not one of an HTTP proxy",
		"http://a:s3cret@proxy":   "has a password in it",
		"http://a:s3cret%zz@p":    "cannot be read",
		"http://proxy:8080":       "has the port 8080",
		"http://an%0d%0aX:%20y@p": "has a password in it",
	} {
		_, err := socket.New(planned, socket.As("agent")).Proxy(address, "")
		said := asFault(err)
		if said == nil || !fault.Is(err, fault.Invalid) || !strings.Contains(said.Msg+" "+said.Fix, want) || strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s is %v, want %q and no password", address, err, want)
		}
	}
	if _, err := socket.New(planned, socket.As("agent")).Proxy("http://an%0d%0aX@proxy", "x"); err == nil {
		t.Error("a user with a line's end in it is taken")
	}
	if _, err := socket.New(planned, socket.As("agent")).Proxy("http://proxy", "x"); err == nil {
		t.Error("a password without a user is taken")
	}
	if _, err := socket.New(planned, socket.As("server")).Proxy("http://proxy", ""); !strings.Contains(fmt.Sprint(err), "has no row for an HTTP proxy") {
		t.Errorf("a role without a flow to the proxy: %v", err)
	}
}

func asFault(err error) *fault.Error {
	var f *fault.Error
	errors.As(err, &f)
	return f
}
