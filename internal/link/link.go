// Package link answers: how do two nodes call each other, whoever of them dialled?
//
// A link is one TCP connection with TLS 1.3 and certificates at both ends, cut into streams (yamux), and on each
// stream plain HTTP. Both ends serve a handler and both ends have a client; who dialled is invisible above.
//
//	one listener ──▶ handshake ──▶ ALPN reeve/1? ──yes──▶ link: streams ⇄ HTTP, both ways
//	 (bounded)        (bounded)           └──no──▶ HTTPS: console, API
//
// The package carries calls and does not know what is said.
package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
)

// BaseURL is what the URLs of a link's clients begin with. The host in it is never resolved or dialled.
const BaseURL = "http://peer"

// Timing says how long a link waits. The zero value of a field means its default.
type Timing struct {
	Heartbeat time.Duration // after so long without a byte from the peer it is asked for one; default 10 s
	Timeout   time.Duration // after so long without a byte the link is given up; default 30 s
	Handshake time.Duration // from accept or connect to the end of TLS; default 5 s
}

// Below returns the timing for a path on which something forgets a connection that is silent for so long: it is never
// silent for more than a third of that. 0: nothing on the path forgets.
func (t Timing) Below(idle time.Duration) Timing {
	t = t.withDefaults()
	if idle > 0 {
		t.Heartbeat = min(t.Heartbeat, max(idle/3, leastHeartbeat))
	}
	return t
}

// over returns t with what is set in it, and the rest of another timing.
func (t Timing) over(rest Timing) Timing {
	if t.Heartbeat > 0 {
		rest.Heartbeat = t.Heartbeat
	}
	if t.Timeout > 0 {
		rest.Timeout = t.Timeout
	}
	return rest.withDefaults()
}

func (t Timing) withDefaults() Timing {
	if t.Heartbeat <= 0 {
		t.Heartbeat = 10 * time.Second
	}
	if t.Timeout <= t.Heartbeat {
		t.Timeout = 3 * t.Heartbeat
	}
	if t.Handshake <= 0 {
		t.Handshake = 5 * time.Second
	}
	return t
}

// Options are what both sides of a link need, accepting and dialling.
type Options struct {
	// Handler answers what the peer calls; PeerOf and Of tell it who calls. It bounds bodies itself. nil answers 404.
	Handler http.Handler
	// Allowed is asked again for each request of the peer; an error ends the link. nil refuses nobody.
	Allowed func(identity.Identity, *x509.Certificate) error
	// Links keeps count of the links. It may be shared by several servers and diallers. nil makes a new one.
	Links *Links
	// Timing, with defaults for its zero fields.
	Timing Timing
	// Pace gives a link a timing of its own, by its peer and the row of the plan: a keep-alive below what the path forgets.
	// Its zero fields, and its Handshake, are those of Timing. nil: all links have Timing.
	Pace func(peer identity.Identity, row string) Timing
	// MaxStreams is how many requests of the peer may be under way at once; 0 means 256.
	MaxStreams int
	// Log; nil discards.
	Log *slog.Logger
}

// greeting is the first byte on a link, from the end that accepted it: the dialler's certificate was accepted. After it,
// both ends speak yamux.
const greeting = 1

const (
	defaultStreams = 256
	maxCalls       = 96 // of our small requests at once: below the peer's bound, so that they wait here and are not refused there
	maxBulk        = 16
	maxHeader      = 64 << 10
	backlog        = 64       // streams that wait to be accepted, and of ours that the peer has not taken yet
	maxFrame       = 16 << 10 // one TLS record: a small call waits behind at most one of each stream
	leastHeartbeat = 200 * time.Millisecond
	maxWindow      = 1 << 20         // bytes of one stream that the receiver has not read yet
	idleClient     = 5 * time.Second // below the pace of heartbeats: an idle link holds no stream, which has buffers at both ends
	idleServer     = 3 * idleClient  // longer than the client's, so that no request meets a stream that is just being closed
)

func (o Options) withDefaults() Options {
	o.Timing = o.Timing.withDefaults()
	if o.Handler == nil {
		o.Handler = http.NotFoundHandler()
	}
	if o.Links == nil {
		o.Links = NewLinks()
	}
	if o.MaxStreams <= 0 {
		o.MaxStreams = defaultStreams
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Link is one live connection to an authenticated peer. Its methods may be called from many goroutines.
type Link struct {
	peer    identity.Identity
	cert    *x509.Certificate
	remote  net.Addr
	local   net.Addr
	by      Target
	dialled bool
	since   time.Time
	number  int64
	options Options

	session *yamux.Session
	calls   *http.Client
	bulk    *http.Client
	ended   chan struct{}

	mu     sync.Mutex
	reason error                   // why this end closed it; nil: it did not
	err    error                   // why it ended
	cancel context.CancelCauseFunc // ends the handlers; nil before serve
	told   []context.CancelCauseFunc
}

// Peer returns who is at the other end.
func (l *Link) Peer() identity.Identity { return l.peer }

// Certificate returns what the peer proved itself with. It must not be changed.
func (l *Link) Certificate() *x509.Certificate { return l.cert }

// Number counts the links to this peer since this process started, from 1. The server's count is the one that
// matters: of two links of a node, the higher is the newer.
func (l *Link) Number() int64 { return l.number }

// RemoteAddr returns the address that the connection comes from or goes to.
func (l *Link) RemoteAddr() net.Addr { return l.remote }

// LocalAddr returns this end's address.
func (l *Link) LocalAddr() net.Addr { return l.local }

// Row returns the row of the plan, a service's id, that the link was dialled by or accepted on; empty: nobody said.
func (l *Link) Row() string { return l.by.Row }

// Target returns what this end dialled; of a link that it accepted, the address is empty.
func (l *Link) Target() Target { return l.by }

// Turn returns the place of the link's row in the order of dialling, from 1; 0: it has none.
func (l *Link) Turn() int { return l.by.Turn }

// Via names the relay that carries the link; empty: none does.
func (l *Link) Via() string {
	if relayed, ok := l.remote.(interface{ Via() string }); ok {
		return relayed.Via()
	}
	return ""
}

// Timing returns after how long a silence this end asks for a sign of life, and gives the link up.
func (l *Link) Timing() Timing { return l.options.Timing }

// Dialled reports whether this end dialled.
func (l *Link) Dialled() bool { return l.dialled }

// Since returns when the link came up.
func (l *Link) Since() time.Time { return l.since }

// Client returns the client for calls to the peer, with URLs below BaseURL. It keeps streams open between calls, and
// follows no redirect. It has no time-out of its own: give each request a context.
func (l *Link) Client() *http.Client { return l.calls }

// Bulk returns a second client, for output and files. It has streams of its own, few of them, so that however much it
// has to send, calls by Client find a free one.
func (l *Link) Bulk() *http.Client { return l.bulk }

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.ended }

// Err says why the link ended, and is nil while it is up.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close ends the link: requests under way fail at both ends. Only the first reason is kept. It returns at once; Done
// tells when the link is gone.
func (l *Link) Close(reason string) {
	l.mu.Lock()
	first, cancel := l.reason == nil, l.cancel
	if first {
		l.reason = fault.New(fault.Unreachable, "link closed: "+reason, "")
	}
	cause := l.reason
	l.mu.Unlock()
	if cancel != nil {
		cancel(cause) // before the streams break, so that handlers see the reason
	}
	if first {
		go func() { _ = l.session.Close() }() // saying goodbye to a dead peer may take seconds
	}
}

// newLink numbers a connection whose handshake is over, greets if this end accepted it, and starts streams on it.
func newLink(conn *tls.Conn, by Target, dialled bool, options Options) (*Link, error) {
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != identity.ALPN || len(state.PeerCertificates) == 0 {
		return nil, fault.New(fault.Unreachable, "opening link: the other end does not speak "+identity.ALPN, "check that the address is that of a Reeve node")
	}
	cert := state.PeerCertificates[0]
	peer, err := identity.FromCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("opening link: %w", err)
	}
	if options.Pace != nil {
		options.Timing = options.Pace(peer, by.Row).over(options.Timing)
	}
	number := options.Links.next(peer.ID)
	open := yamux.Client
	if !dialled {
		open = yamux.Server
		_ = conn.SetWriteDeadline(time.Now().Add(options.Timing.Handshake))
		if _, err := conn.Write([]byte{greeting}); err != nil {
			return nil, fmt.Errorf("opening link: greeting: %w", err)
		}
	}
	session, err := open(conn, streams(options), nil)
	if err != nil {
		return nil, fmt.Errorf("opening link: %w", err)
	}
	keepShortQueue(conn.NetConn())
	return &Link{
		peer: peer, cert: cert, remote: conn.RemoteAddr(), local: conn.LocalAddr(), by: by, dialled: dialled, since: time.Now(), number: number, options: options,
		session: session, calls: client(session, maxCalls), bulk: client(session, maxBulk), ended: make(chan struct{}),
	}, nil
}

// streams sets yamux so that a dead peer is noticed within the time-out: a ping is sent after Heartbeat of silence,
// and its answer has the rest of the time.
func streams(options Options) *yamux.Config {
	config := yamux.DefaultConfig()
	config.KeepAliveInterval = options.Timing.Heartbeat
	config.ConnectionWriteTimeout = options.Timing.Timeout - options.Timing.Heartbeat
	config.MaxIncomingStreams = uint32(options.MaxStreams)
	config.AcceptBacklog = min(options.MaxStreams, backlog)
	config.ReadBufSize = 0 // TLS has a buffer already, and a thousand links have two of each
	config.MaxStreamWindowSize = maxWindow
	config.MaxMessageSize = maxFrame
	config.LogOutput = io.Discard // what matters of it comes back as the session's error
	return config
}

func client(session *yamux.Session, atOnce int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return session.Open(ctx) },
			DisableCompression:     true,
			MaxConnsPerHost:        atOnce,
			MaxIdleConnsPerHost:    atOnce,
			IdleConnTimeout:        idleClient,
			MaxResponseHeaderBytes: maxHeader,
		},
		// A peer must not be able to send us anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serve answers the peer's requests until the link ends or ctx does. When it returns, Done is closed and every
// handler has returned; handlers see the end in their context.
func (l *Link) serve(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	l.cancel = cancel
	l.mu.Unlock()
	handlers := newGate()
	server := &http.Server{
		Handler:           l.guard(ctx, handlers),
		BaseContext:       func(net.Listener) context.Context { return withLink(ctx, l) },
		ReadHeaderTimeout: l.options.Timing.Timeout,
		IdleTimeout:       idleServer,
		MaxHeaderBytes:    maxHeader,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2 is set up for it
		ErrorLog:          slog.NewLogLogger(l.options.Log.Handler(), slog.LevelWarn),
	}
	stopWatching := context.AfterFunc(ctx, func() { l.Close(context.Cause(ctx).Error()) })
	expiry := time.AfterFunc(time.Until(l.cert.NotAfter), func() { l.Close("the peer's certificate has expired") })

	err := server.Serve(l.session) // until the session ends
	expiry.Stop()
	stopWatching()
	err = l.finish(err)
	last := handlers.shut()
	cancel(err)
	l.mu.Lock()
	close(l.ended)
	for _, tell := range l.told {
		tell(err)
	}
	l.mu.Unlock()
	_ = server.Close()
	l.calls.CloseIdleConnections()
	l.bulk.CloseIdleConnections()
	<-last
}

// guard looks again, for each request, at whether the peer may still talk to us.
func (l *Link) guard(ctx context.Context, handlers *gate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handlers.enter() {
			return // the link has ended; nobody reads an answer
		}
		defer handlers.leave()
		if allowed := l.options.Allowed; allowed != nil {
			if err := allowed(l.peer, l.cert); err != nil {
				l.Close(err.Error())
				http.Error(w, "not allowed", http.StatusForbidden)
				return
			}
		}
		l.options.Handler.ServeHTTP(w, r)
		abortAfter(ctx)
	})
}

// abortAfter breaks the answer off where ctx has ended: a handler that gave up has written nothing, which must not look
// like an empty success.
func abortAfter(ctx context.Context) {
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler) // how net/http wants to be told
	}
}

// finish settles why the link ended, in words for a person.
func (l *Link) finish(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.reason != nil:
		l.err = l.reason
	case errors.Is(err, yamux.ErrKeepAliveTimeout), errors.Is(err, yamux.ErrConnectionWriteTimeout):
		l.err = fault.Wrap(fault.Unreachable, fmt.Sprintf("link lost: no word from %s for %v", l.remote, l.options.Timing.Timeout), err)
	case errors.Is(err, io.EOF), errors.Is(err, yamux.ErrRemoteGoAway):
		l.err = fault.New(fault.Unreachable, "link lost: the peer closed it", "")
	default:
		l.err = fault.Wrap(fault.Unreachable, "link lost", err)
	}
	l.reason = l.err
	return l.err
}

type linkKey struct{}

func withLink(ctx context.Context, l *Link) context.Context {
	return context.WithValue(ctx, linkKey{}, l)
}

// Of returns the link that a request came over.
func Of(ctx context.Context) (*Link, bool) {
	l, ok := ctx.Value(linkKey{}).(*Link)
	return l, ok
}

// PeerOf returns the verified identity of the node that a request came from. It is false for a request that came over
// no link.
func PeerOf(ctx context.Context) (identity.Identity, bool) {
	l, ok := Of(ctx)
	if !ok {
		return identity.Identity{}, false
	}
	return l.peer, true
}
