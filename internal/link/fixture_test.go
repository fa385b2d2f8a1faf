package link_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

func TestMain(m *testing.M) {
	if os.Getenv(childServer) != "" {
		if err := playAgents(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// domain is an authority with a server and an agent that it made.
type domain struct {
	t         testing.TB
	authority *identity.Authority
	server    *identity.Credentials
	agent     *identity.Credentials
}

func newDomain(t testing.TB) *domain {
	t.Helper()
	authority, err := identity.OpenAuthority(filepath.Join(t.TempDir(), "ca"), "test", time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &domain{t: t, authority: authority}
	d.server = d.issue(identity.RoleServer, "hq1", time.Now())
	d.agent = d.issue(identity.RoleAgent, "north", time.Now())
	return d
}

// issue makes credentials as they would have been made at the given instant.
func (d *domain) issue(role identity.Role, name string, now time.Time) *identity.Credentials {
	return d.issueFor(role, name, now, time.Hour)
}

func (d *domain) issueFor(role identity.Role, name string, now time.Time, ttl time.Duration) *identity.Credentials {
	d.t.Helper()
	key, err := identity.OpenKey(filepath.Join(d.t.TempDir(), "key"))
	if err != nil {
		d.t.Fatal(err)
	}
	node, err := identity.NewNodeID(rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	id := identity.Identity{Domain: d.authority.Domain(), Role: role, Name: name, ID: node}
	var chain []byte
	if role == identity.RoleServer {
		chain, err = d.authority.IssueServer(&key.PublicKey, id, []string{"localhost", "127.0.0.1"}, ttl, now)
	} else {
		var der []byte
		var csr *x509.CertificateRequest
		if der, err = identity.NewRequest(key); err == nil {
			if csr, err = identity.ParseRequest(der); err == nil {
				chain, err = d.authority.Issue(csr, id, ttl, now)
			}
		}
	}
	if err != nil {
		d.t.Fatal(err)
	}
	credentials, err := identity.ParseCredentials(chain, key)
	if err != nil {
		d.t.Fatal(err)
	}
	return credentials
}

// end says that own expects a peer of the role.
func end(own *identity.Credentials, expect identity.Role) identity.Endpoint {
	return identity.Endpoint{
		Own:    func() (*identity.Credentials, error) { return own, nil },
		Domain: "test",
		Expect: []identity.Role{expect},
	}
}

// run runs f until the test ends and waits for it.
func run(t testing.TB, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v, want nil", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run did not return within 20 s of its context's end")
		}
	})
}

// serve starts a server on loopback and returns its address.
func serve(t testing.TB, server *link.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	run(t, server.Run)
	return listener.Addr().String()
}

// dial starts a dialler to address and returns it with its links.
func dial(t testing.TB, dialer *link.Dialer, address string) <-chan *link.Link {
	t.Helper()
	links := make(chan *link.Link, 16)
	if dialer.Targets == nil {
		dialer.Targets = func() []link.Target { return []link.Target{{Address: address}} }
	}
	if dialer.Dial == nil {
		dialer.Dial = dialTCP
	}
	run(t, func(ctx context.Context) error {
		return dialer.Run(ctx, func(ctx context.Context, l *link.Link) {
			links <- l
			<-ctx.Done()
		})
	})
	return links
}

func dialTCP(ctx context.Context, to link.Target) (net.Conn, error) {
	address := to.Address
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// receive waits for a value.
func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
		panic("unreachable")
	}
}

// webClient returns a browser-like client that trusts the domain's authority.
func (d *domain) webClient(t testing.TB, protocols ...string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(d.authority.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: protocols}, ForceAttemptHTTP2: len(protocols) == 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// pipes is a listener without a network, for tests in a bubble of synctest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _ link.Target) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
