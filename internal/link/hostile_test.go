package link_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// hurried is a handshake limit that a test can wait for.
const hurried = 400 * time.Millisecond

// closedBy waits until the other end closes conn, and says whether it did so before the deadline.
func closedBy(conn net.Conn, within time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	return !errors.As(err, &timeout) || !timeout.Timeout()
}

// stillServes fails the test where the server no longer answers the agent and a browser.
func (p *pair) stillServes(t *testing.T, l *link.Link) {
	t.Helper()
	if got, err := get(t.Context(), l.Client(), "/"); err != nil || got != p.domain.agent.Identity.String() {
		t.Errorf("the agent is answered %q, %v; want its name", got, err)
	}
	response, err := p.domain.webClient(t).Get("https://" + p.address + "/")
	if err != nil {
		t.Errorf("a browser is answered %v", err)
		return
	}
	_ = response.Body.Close()
}

func besieged(t *testing.T) (*pair, *link.Link) {
	t.Helper()
	p := newPair(t, func(p *pair) {
		p.server.Web = whoami
		p.server.Options.Timing.Handshake = hurried
		p.server.Limits.Header = hurried
	})
	return p, receive(t, p.atNode)
}

func TestGarbageBeforeAuthentication(t *testing.T) {
	t.Parallel()
	p, l := besieged(t)
	record := func(kind byte, claimed int, body []byte) []byte {
		return append([]byte{kind, 3, 1, byte(claimed >> 8), byte(claimed)}, body...)
	}
	for name, bytesSent := range map[string][]byte{
		"zeros":                    make([]byte, 4096),
		"plain HTTP":               []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"SSH":                      []byte("SSH-2.0-OpenSSH_9.9\r\n"),
		"a yamux frame":            {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},
		"a huge length":            bytes.Repeat([]byte{0xff}, 64),
		"a record that is too big": record(22, 0xffff, nil),
		"a hello of 16 MiB":        record(22, 4, []byte{1, 0xff, 0xff, 0xff}),
		"an empty hello":           record(22, 4, []byte{1, 0, 0, 0}),
		"an alert":                 record(21, 2, []byte{2, 40}),
		"data before a handshake":  record(23, 4, []byte{1, 2, 3, 4}),
	} {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(bytesSent)
		if !closedBy(conn, 10*time.Second) {
			t.Errorf("%s: the connection is still open after 10 s", name)
		}
		_ = conn.Close()
	}
	p.stillServes(t, l)
}

func TestSlowStrangersAreClosed(t *testing.T) {
	t.Parallel()
	p, l := besieged(t)
	silent, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	trickle, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := tls.Dial("tcp", p.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	for _, slow := range []struct {
		conn net.Conn
		text string
	}{
		{trickle, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("a", 400)},
		{secure, "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 400)},
	} {
		group.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := range len(slow.text) {
				select {
				case <-tick.C:
				case <-stop:
					return
				}
				if _, err := slow.conn.Write([]byte{slow.text[i]}); err != nil {
					return
				}
			}
		})
	}
	for name, conn := range map[string]net.Conn{"silent": silent, "one byte at a time": trickle, "a slow header": secure} {
		if !closedBy(conn, 6*time.Second) { // each would trickle for 8 s
			t.Errorf("%s: the connection is still open after 6 s, the limit is %v", name, hurried)
		}
		_ = conn.Close()
	}
	close(stop)
	group.Wait()
	p.stillServes(t, l)
}

// A stranger may send 64 KiB: a hello that is legal in form, but comes in ever more records, ends there.
func TestOversizedHandshakeIsCutOff(t *testing.T) {
	t.Parallel()
	p, l := besieged(t)
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sent := 0
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	// A record of one byte each: 65,535 bytes of hello are 393 KiB on the wire.
	record := []byte{22, 3, 1, 0, 1, 'a'}
	begin := []byte{22, 3, 1, 0, 4, 1, 0, 0xff, 0xff}
	_, err = conn.Write(begin)
	for err == nil && sent < 64<<20 {
		var n int
		n, err = conn.Write(bytes.Repeat(record, 1000))
		sent += n
	}
	if err == nil {
		t.Errorf("the server took %d bytes before authentication", sent)
	}
	p.stillServes(t, l)
}

func TestStrangersCannotTakeAllPlaces(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(p *pair) {
		p.server.Limits.PerAddress = 3
		p.server.Options.Timing.Handshake = 30 * time.Second
	})
	l := receive(t, p.atNode) // a link has proved who it is, and takes no place
	var held []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	fourth, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	if !closedBy(fourth, 10*time.Second) {
		t.Error("a fourth connection of one address was not closed")
	}
	_ = fourth.Close()
	if got, err := get(t.Context(), l.Client(), "/"); err != nil {
		t.Errorf("the link is answered %q, %v", got, err)
	}
	for _, conn := range held {
		_ = conn.Close()
	}
	// The places come back: a second agent gets in.
	other := p.domain.issue(identity.RoleAgent, "south", time.Now())
	receive(t, dial(t, &link.Dialer{TLS: end(other, identity.RoleServer).ClientConfig}, p.address))
}

// refusedDial dials with the given credentials and returns why no link came up.
func refusedDial(t *testing.T, dialer *link.Dialer, address string) error {
	t.Helper()
	failed := make(chan error, 1)
	dialer.Targets = func() []link.Target {
		if err := dialer.State().Err; err != nil {
			select {
			case failed <- err:
			default:
			}
		}
		return []link.Target{{Address: address}}
	}
	links := dial(t, dialer, address)
	select {
	case err := <-failed:
		return err
	case l := <-links:
		t.Errorf("a link to %v came up", l.Peer())
	case <-time.After(10 * time.Second):
		t.Error("no error within 10 s")
	}
	return nil
}

func TestWrongNodesGetNoLink(t *testing.T) {
	t.Parallel()
	d, alien := newDomain(t), newDomain(t)
	server := &link.Server{TLS: end(d.server, identity.RoleAgent).ServerConfig(), OnLink: func(_ context.Context, l *link.Link) {
		t.Errorf("a link of %v came up", l.Peer())
	}}
	address := serve(t, server)
	refused := "refused this node's certificate"
	for name, test := range map[string]struct {
		own  *identity.Credentials
		want string
	}{
		"another authority":           {alien.agent, "another authority than the domain's"},
		"a server where agents call":  {d.issue(identity.RoleServer, "hq2", time.Now()), refused},
		"an expired certificate":      {d.issueFor(identity.RoleAgent, "old", time.Now(), time.Nanosecond), refused},
		"a certificate of the future": {d.issue(identity.RoleAgent, "new", time.Now().Add(10*time.Minute)), refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refusedDial(t, &link.Dialer{TLS: end(test.own, identity.RoleServer).ClientConfig}, address)
			if !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the dialler says %v, want kind forbidden and %q", err, test.want)
			}
		})
	}
	t.Run("an agent where a server is expected", func(t *testing.T) {
		t.Parallel()
		fake := serve(t, &link.Server{TLS: end(d.agent, identity.RoleAgent).ServerConfig()})
		err := refusedDial(t, &link.Dialer{TLS: end(d.issue(identity.RoleAgent, "south", time.Now()), identity.RoleServer).ClientConfig}, fake)
		if !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "has the role agent") {
			t.Errorf("the dialler says %v, want the wrong role", err)
		}
	})
	t.Run("a web server", func(t *testing.T) {
		t.Parallel()
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			NextProtos:     []string{"h2"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") },
		})
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Server{Handler: whoami, ReadHeaderTimeout: time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn)}
		go func() { _ = web.Serve(listener) }()
		t.Cleanup(func() { _ = web.Close() })
		err = refusedDial(t, &link.Dialer{TLS: end(d.agent, identity.RoleServer).ClientConfig}, listener.Addr().String())
		if !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "check that the address is that of a Reeve node") {
			t.Errorf("the dialler says %v, want what to check", err)
		}
	})
}

// Revocation ends live links, refuses requests on what is left of them, and lets nobody in again.
func TestRevocation(t *testing.T) {
	t.Parallel()
	var revoked atomic.Bool
	links := link.NewLinks()
	p := newPair(t, func(p *pair) {
		allowed := func(identity.Identity, *x509.Certificate) error {
			if revoked.Load() {
				return errors.New("the node was removed")
			}
			return nil
		}
		guard := end(p.domain.server, identity.RoleAgent)
		guard.Allowed = allowed
		p.server.TLS = guard.ServerConfig()
		p.server.Options.Allowed, p.server.Options.Links = allowed, links
	})
	near, far := receive(t, p.atNode), receive(t, p.atServer)
	begin := time.Now()
	revoked.Store(true)
	if got, err := get(t.Context(), near.Client(), "/"); err == nil && !strings.Contains(got, "not allowed") {
		t.Errorf("a request after the revocation is answered %q", got)
	}
	links.Drop(near.Peer().ID, "not this node")
	receive(t, far.Done())
	receive(t, near.Done())
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the link ended after %v, want at most 5 s", took)
	}
	for s := p.dialer.State(); !fault.Is(s.Err, fault.Forbidden); s = p.dialer.State() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("the dialler's state is %+v, want it refused", s)
		}
		runtime.Gosched()
	}
	if got := links.All(); len(got) != 0 {
		t.Errorf("%d links are up, want none", len(got))
	}
}

// rawLink is an authenticated agent that speaks whatever it likes.
func rawLink(t *testing.T, p *pair) *tls.Conn {
	t.Helper()
	own := p.domain.issue(identity.RoleAgent, "rogue", time.Now())
	conn, err := tls.Dial("tcp", p.address, end(own, identity.RoleServer).ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func frame(kind byte, flags uint16, stream, length uint32, body string) []byte {
	b := []byte{0, kind}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(b, body...)
}

// An agent that was broken into has a certificate, and may still harm nobody but itself.
func TestAuthenticatedRogueHurtsOnlyItself(t *testing.T) {
	t.Parallel()
	p, l := besieged(t)
	const syn = 1
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, sent := range map[string][]byte{
		"garbage":                  bytes.Repeat([]byte{0xff}, 4096),
		"another version":          {9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"an unknown kind of frame": frame(77, 0, 0, 0, ""),
		"4 GiB on a stream":        append(frame(1, syn, 1, 0, ""), frame(0, 0, 1, 0xffffffff, "")...),
		"past the window":          append(frame(1, syn, 1, 0, ""), frame(0, 0, 1, 64<<20, "")...),
		"a stream twice":           append(frame(1, syn, 1, 0, ""), frame(1, syn, 1, 0, "")...),
		"a stream of the server's": frame(1, syn, 2, 0, ""),
	} {
		conn := rawLink(t, p)
		_, _ = conn.Write(sent) // the link may be gone before the last byte
		if !closedBy(conn, 10*time.Second) {
			t.Errorf("%s: the link is still up after 10 s", name)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	p.stillServes(t, l)
}

// Requests past the bound are refused at once, while those within it go on.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 8
	release := make(chan struct{})
	var inside atomic.Int32
	entered := make(chan struct{}, 1000)
	p := newPair(t, func(p *pair) {
		p.server.Options.MaxStreams = most
		p.server.Options.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			inside.Add(1)
			entered <- struct{}{}
			<-release
		})
	})
	l := receive(t, p.atNode)
	const calls = 64
	results := make(chan error, calls)
	for range calls {
		go func() {
			_, err := get(t.Context(), l.Client(), "/")
			results <- err
		}()
	}
	for range most {
		receive(t, entered)
	}
	for range calls - most {
		if err := receive(t, results); err == nil {
			t.Error("a call past the bound succeeded while all places were taken")
		}
	}
	if got := inside.Load(); got != most {
		t.Errorf("%d requests were under way, want %d", got, most)
	}
	close(release)
	for range most {
		if err := receive(t, results); err != nil {
			t.Errorf("a call within the bound: %v", err)
		}
	}
}

func TestPeerCannotSendUsElsewhere(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(p *pair) {
		p.server.Options.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/secret", http.StatusFound)
		})
	})
	response, err := receive(t, p.atNode).Client().Get(link.BaseURL + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusFound {
		t.Errorf("status %d, want the redirect itself", response.StatusCode)
	}
}

func TestNodeKeepsFewLinks(t *testing.T) {
	t.Parallel()
	links := link.NewLinks()
	d := newDomain(t)
	address := serve(t, &link.Server{TLS: end(d.server, identity.RoleAgent).ServerConfig(), Options: link.Options{Links: links}})
	var ends []*link.Link
	for range 6 {
		ends = append(ends, receive(t, dial(t, &link.Dialer{
			TLS:     end(d.agent, identity.RoleServer).ClientConfig,
			Backoff: link.Backoff{Least: time.Hour},
		}, address)))
	}
	for _, l := range ends[:2] {
		receive(t, l.Done())
	}
	got := ""
	for range 1000 { // the server counts a link until it is over at its end, too
		got = ""
		for _, l := range links.Of(d.agent.Identity.ID) {
			got += fmt.Sprint(l.Number(), " ")
		}
		if got == "3 4 5 6 " {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the links %sare up, want 3 to 6", got)
}
