package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// site is a server, a relay that is linked to it, and what a node behind the relay needs.
type site struct {
	t         *testing.T
	authority *identity.Authority
	server    *identity.Credentials
	node      *identity.Credentials

	relay    *relay.Relay
	linked   atomic.Pointer[link.Link] // of the relay, at its end
	toRelay  chan *link.Link           // the same, at the server's end
	atServer chan *link.Link           // of nodes
	address  string                    // of the relay, for nodes
	direct   string                    // of the server, which nodes cannot reach
}

// newSite brings it up. Nodes and server call each other's handlers: /echo gives back what it is sent.
func newSite(t *testing.T, prepare func(*site)) *site {
	t.Helper()
	authority, err := identity.OpenAuthority(filepath.Join(t.TempDir(), "ca"), "test", time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, authority: authority, atServer: make(chan *link.Link, 16), toRelay: make(chan *link.Link, 16)}
	s.server, s.node = s.issue(identity.RoleServer, "hq1"), s.issue(identity.RoleAgent, "north")
	s.relay = &relay.Relay{Link: s.linked.Load, Log: quiet}
	if prepare != nil {
		prepare(s)
	}
	gate := relay.NewGate(quiet)
	mux := http.NewServeMux()
	mux.Handle(relay.PathIn, gate)
	mux.HandleFunc("/echo", echo)
	web := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "web for ", r.RemoteAddr) })
	listener := s.listen()
	s.direct = listener.Addr().String()
	for _, l := range []net.Listener{listener, gate} {
		one := &link.Server{
			Listener: l, TLS: s.end(s.server, identity.RoleAgent).ServerConfig(), Web: web, Options: link.Options{Handler: mux},
			OnLink: func(ctx context.Context, l *link.Link) {
				if l.Peer().Name == "dmz1" {
					s.toRelay <- l
					return
				}
				s.atServer <- l
			},
		}
		s.run(one.Run)
	}
	out := &relay.Dialler{Log: quiet, Dial: func(ctx context.Context, row, address string) (net.Conn, error) {
		if row != "zone" {
			return nil, fault.New(fault.Forbidden, "the plan has no flow from a relay to "+row, "")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	own := s.issue(identity.RoleAgent, "dmz1")
	s.dial(own, s.direct, link.Options{Handler: out}, func(ctx context.Context, l *link.Link) {
		s.linked.Store(l)
		<-ctx.Done()
		s.linked.CompareAndSwap(l, nil)
	})
	s.receive(s.toRelay)
	for s.linked.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	zone := s.listen()
	s.address = zone.Addr().String()
	s.run(func(ctx context.Context) error { return s.relay.Run(ctx, zone) })
	return s
}

func (s *site) issue(role identity.Role, name string) *identity.Credentials {
	s.t.Helper()
	key, err := identity.OpenKey(filepath.Join(s.t.TempDir(), "key"))
	if err != nil {
		s.t.Fatal(err)
	}
	node, err := identity.NewNodeID(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	id := identity.Identity{Domain: "test", Role: role, Name: name, ID: node}
	var chain, der []byte
	var csr *x509.CertificateRequest
	if role == identity.RoleServer {
		chain, err = s.authority.IssueServer(&key.PublicKey, id, []string{"127.0.0.1"}, time.Hour, time.Now())
	} else if der, err = identity.NewRequest(key); err == nil {
		if csr, err = identity.ParseRequest(der); err == nil {
			chain, err = s.authority.Issue(csr, id, time.Hour, time.Now())
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	own, err := identity.ParseCredentials(chain, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return own
}

func (s *site) end(own *identity.Credentials, expect identity.Role) identity.Endpoint {
	return identity.Endpoint{Own: func() (*identity.Credentials, error) { return own, nil }, Domain: "test", Expect: []identity.Role{expect}}
}

func (s *site) listen() net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

func (s *site) run(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				s.t.Errorf("it ended with %v, want nil", err)
			}
		case <-time.After(20 * time.Second):
			s.t.Error("it did not end within 20 s")
		}
	})
}

func (s *site) dial(own *identity.Credentials, address string, options link.Options, onLink func(context.Context, *link.Link)) {
	d := &link.Dialer{
		Targets: func() []link.Target { return []link.Target{{Address: address}} },
		TLS:     s.end(own, identity.RoleServer).ClientConfig, Options: options,
		Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.Address)
		},
	}
	s.run(func(ctx context.Context) error { return d.Run(ctx, onLink) })
}

// join links the node by the relay and returns its end.
func (s *site) join() <-chan *link.Link {
	links := make(chan *link.Link, 16)
	s.dial(s.node, s.address, link.Options{Handler: http.HandlerFunc(echo)}, func(ctx context.Context, l *link.Link) {
		links <- l
		<-ctx.Done()
	})
	return links
}

func (s *site) receive(from <-chan *link.Link) *link.Link {
	s.t.Helper()
	select {
	case l := <-from:
		return l
	case <-time.After(10 * time.Second):
		s.t.Fatal("no link within 10 s")
		return nil
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(w, r.Body)
}

func call(t *testing.T, c *http.Client, body string) {
	t.Helper()
	response, err := c.Post(link.BaseURL+"/echo", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close() // read only
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != body {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(body), err)
	}
}

func TestNodeIsLinkedByTheRelay(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	near, far := s.receive(s.join()), s.receive(s.atServer)
	call(t, near.Client(), "from the node")
	call(t, far.Client(), "from the server")
	call(t, near.Bulk(), strings.Repeat("much ", 1<<20))
	if far.Via() != "dmz1" || !strings.HasSuffix(far.RemoteAddr().String(), " by relay dmz1") || far.Peer() != s.node.Identity || near.Via() != "" {
		t.Errorf("the server's end is %s by %q, from %s", far.Peer(), far.Via(), far.RemoteAddr())
	}
}

// Enrolment and renewal are HTTPS without a certificate of the node's: the relay carries them too.
func TestHTTPSGoesByTheRelay(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	pool := x509.NewCertPool()
	pool.AddCert(s.authority.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://" + s.address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() // read only
	if got, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(got), "by relay dmz1") {
		t.Errorf("the answer is %q, %v; want the relay in the address", got, err)
	}
}

// When the relay's own link ends, those that it carries end too; with the next one they come back.
func TestRelaysLinkEndsAndComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	links := s.join()
	near, far := s.receive(links), s.receive(s.atServer)
	s.linked.Load().Close("test")
	for _, l := range []*link.Link{near, far} {
		select {
		case <-l.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("a relayed link outlived that of its relay")
		}
	}
	s.receive(s.toRelay)
	again := s.receive(links)
	call(t, again.Client(), "again")
}

// A relay without a link, and what is no TLS, cost the server nothing.
func TestStrangersGetNoFurtherThanTheRelay(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(s *site) { s.relay.PerAddress = 2 })
	for name, sent := range map[string]string{"plain HTTP": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "a yamux frame": "\x00\x01\x00\x01"} {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(sent))
		if !ends(conn) {
			t.Errorf("%s: the relay keeps the connection", name)
		}
		_ = conn.Close()
	}
	var held []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	if !ends(held[2]) {
		t.Error("a third connection of one address was not closed")
	}
	for _, conn := range held {
		_ = conn.Close()
	}
	s.receive(s.join()) // the places come back
}

func TestWithoutALinkNodesAreTurnedAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(s *site) { s.relay.Link = func() *link.Link { return nil } })
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() // it has ended
	_, _ = conn.Write([]byte{22, 3, 1})
	if !ends(conn) {
		t.Error("the connection is kept although the relay has no link")
	}
}

func ends(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, conn)
	return err == nil || !strings.Contains(err.Error(), "timeout")
}

// The server dials a node behind the relay: by the plan's rows alone, and the cause of a failure is told.
func TestServerDialsANodeBehindTheRelay(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	// The site has taken the server's end of the relay's link already; the next one is as good.
	s.linked.Load().Close("test")
	relayLink := s.receive(s.toRelay)
	atNode := make(chan *link.Link, 1)
	listener := s.listen()
	s.run((&link.Server{
		Listener: listener, TLS: s.end(s.node, identity.RoleServer).ServerConfig(), Options: link.Options{Handler: http.HandlerFunc(echo)},
		OnLink: func(_ context.Context, l *link.Link) { atNode <- l },
	}).Run)
	atServer := make(chan *link.Link, 1)
	d := &link.Dialer{
		Targets: func() []link.Target { return []link.Target{{Row: "zone", Address: listener.Addr().String()}} },
		TLS:     s.end(s.server, identity.RoleAgent).ClientConfig, Options: link.Options{Handler: http.HandlerFunc(echo)},
		Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
			return relay.Dial(ctx, relayLink, to.Row, to.Address)
		},
	}
	s.run(func(ctx context.Context) error {
		return d.Run(ctx, func(ctx context.Context, l *link.Link) { atServer <- l; <-ctx.Done() })
	})
	far, near := s.receive(atServer), s.receive(atNode)
	call(t, far.Client(), "from the server")
	call(t, near.Client(), "from the node")
	if far.Via() != "dmz1" {
		t.Errorf("the link goes by %q, want dmz1", far.Via())
	}
	dead := s.listen()
	_ = dead.Close()
	for row, test := range map[string]struct {
		kind fault.Kind
		want string
	}{
		"zone":  {fault.Unreachable, "refused"},
		"other": {fault.Forbidden, "no flow from a relay to other"},
	} {
		_, err := relay.Dial(t.Context(), relayLink, row, dead.Addr().String())
		if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("row %s: %v, want %q of its kind", row, err, test.want)
		}
	}
}

// Only an agent may bring connections to a server, only a server may have a relay dial, and nobody without a link.
func TestPathsAreForTheirPeersAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	near := s.receive(s.join())
	far := s.receive(s.atServer)
	if _, err := far.Stream(t.Context(), relay.PathIn, nil); err == nil {
		t.Error("a node that is no relay took a connection")
	}
	if _, err := near.Stream(t.Context(), relay.PathIn, http.Header{"Reeve-From": {"nobody"}}); !strings.Contains(fmt.Sprint(err), "where the connection comes from") {
		t.Errorf("a connection from nowhere: %v", err)
	}
	response, err := near.Client().Get(link.BaseURL + relay.PathIn)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("an ordinary request is answered %s", response.Status)
	}
	for _, h := range []http.Handler{relay.NewGate(quiet), &relay.Dialler{Log: quiet}} {
		w := &recorder{}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if h.ServeHTTP(w, r); w.status != http.StatusForbidden {
			t.Errorf("%T answers %d to nobody, want 403", h, w.status)
		}
	}
}

type recorder struct {
	bytes.Buffer
	status int
}

func (r *recorder) Header() http.Header    { return http.Header{} }
func (r *recorder) WriteHeader(status int) { r.status = status }

// An end is passed on in each direction by itself: what was sent before it gets there, and the answer comes back.
func TestSplicePassesOnAnEnd(t *testing.T) {
	t.Parallel()
	s := &site{t: t}
	near, a := s.pair()
	b, far := s.pair()
	done := make(chan struct{})
	go func() { relay.Splice(t.Context(), a, b); close(done) }()
	question := bytes.Repeat([]byte("question "), 1<<16)
	go func() {
		_, _ = near.Write(question)
		_ = near.CloseWrite()
	}()
	if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, question) {
		t.Errorf("%d bytes came of %d, %v", len(got), len(question), err)
	}
	_, _ = io.WriteString(far, "answer")
	_ = far.Close()
	if got, err := io.ReadAll(near); err != nil || string(got) != "answer" {
		t.Errorf("the answer is %q, %v", got, err)
	}
	<-done
	_ = near.Close()
}

// Who does not read holds up who writes: nothing piles up in the relay.
func TestSpliceHoldsBack(t *testing.T) {
	t.Parallel()
	s := &site{t: t}
	near, a := s.pair()
	b, far := s.pair()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { relay.Splice(ctx, a, b); close(done) }()
	sent := 0
	chunk := make([]byte, 64<<10)
	for sent < 256<<20 {
		_ = near.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := near.Write(chunk)
		sent += n
		if err != nil {
			break
		}
	}
	if sent >= 64<<20 {
		t.Errorf("%d MB were taken although nobody reads", sent>>20)
	}
	cancel()
	<-done
	_, _ = near.Close(), far.Close()
}

// pair is a TCP connection.
func (s *site) pair() (dialled, accepted *net.TCPConn) {
	s.t.Helper()
	l := s.listen()
	defer l.Close() // it has done its work
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	return conn.(*net.TCPConn), other.(*net.TCPConn)
}
