package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
)

// Server accepts links and HTTPS on one listener. Its fields are set before Run and not changed after.
type Server struct {
	// Listener is closed by Run.
	Listener net.Listener
	// Row is the listener's row of the plan, a service's id: links that are accepted on it say so.
	Row string
	// Turn of its links in the order of dialling, as Target has it.
	Turn int
	// TLS is what identity.Endpoint.ServerConfig returns: it decides by ALPN who must show a certificate.
	TLS *tls.Config
	// Web answers HTTPS; nil: only links are accepted.
	Web http.Handler
	// OnLink is called for each new link, on a goroutine of its own; its context ends with the link. nil: nothing.
	OnLink func(context.Context, *Link)
	// Prove has what a node says that proves a flow to this listener (identity.Endpoint.Provable); the connection is closed
	// when it returns. nil: at once.
	Prove func(context.Context, *tls.Conn)
	// Options of the links.
	Options Options
	// Limits on connections that have proved no identity.
	Limits Limits
}

// Limits bound what strangers can take. The zero value of a field means its default.
type Limits struct {
	Strangers  int           // connections in their handshake or speaking HTTPS; default 4096
	PerAddress int           // of them from one IPv4 address or one IPv6 /64; default 512
	Header     time.Duration // from the first byte of an HTTPS request to the end of its header; default 10 s
	Idle       time.Duration // of an HTTPS connection between requests; default 2 min
	Stop       time.Duration // that HTTPS requests under way have when Run ends; default 1 s
}

func (l Limits) withDefaults() Limits {
	if l.Strangers <= 0 {
		l.Strangers = 4096
	}
	if l.PerAddress <= 0 {
		l.PerAddress = 512
	}
	if l.Header <= 0 {
		l.Header = 10 * time.Second
	}
	if l.Idle <= 0 {
		l.Idle = 2 * time.Minute
	}
	if l.Stop <= 0 {
		l.Stop = time.Second
	}
	return l
}

const maxPause = time.Second // between two tries to accept when the system has no descriptor left

// errStopping is the cause by which links end with their server.
var errStopping = errors.New("this node is stopping")

// Run accepts until ctx ends, then ends HTTPS and links and returns nil once everything that it started is over. It
// returns an error only where the listener breaks.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &running{
		Server: s, options: s.Options.withDefaults(), limits: s.Limits.withDefaults(),
		handed:     &handed{conns: make(chan net.Conn), done: make(chan struct{}), addr: s.Listener.Addr()},
		complaints: &complaints{},
	}
	r.complaints.log = r.options.Log
	r.places = NewPlaces(r.limits.Strangers, r.limits.PerAddress)
	stopListening := context.AfterFunc(ctx, func() { _ = s.Listener.Close() })
	defer stopListening()

	stopWeb := r.startWeb(ctx)
	err := r.accept(ctx)
	_ = s.Listener.Close()
	cancel(errStopping) // handshakes and links
	stopWeb()
	r.conns.Wait()
	return err
}

// running is one Run of a Server.
type running struct {
	*Server
	options    Options
	limits     Limits
	places     *Places
	handed     *handed
	complaints *complaints
	conns      sync.WaitGroup
}

func (r *running) accept(ctx context.Context) error {
	pause := time.Duration(0)
	for {
		conn, err := r.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case err != nil && !passing(err):
			return fmt.Errorf("accepting connections: %w", err)
		case err != nil: // no descriptor is free: what is open goes on, and one will be
			pause = min(max(2*pause, 5*time.Millisecond), maxPause)
			r.complaints.logger().LogAttrs(ctx, slog.LevelWarn, "accepting connections", slog.Any("error", err), slog.Duration("pause", pause))
			wait(ctx, pause)
			continue
		}
		pause = 0
		release, ok := r.places.Take(conn.RemoteAddr())
		if !ok {
			r.complaints.logger().LogAttrs(ctx, slog.LevelWarn, "too many connections without an identity", slog.Any("from", conn.RemoteAddr()))
			_ = conn.Close()
			continue
		}
		r.conns.Go(func() { r.greet(ctx, guardConn(conn, release)) })
	}
}

// greet does the handshake and hands the connection to who serves it.
func (r *running) greet(ctx context.Context, raw *guardedConn) {
	conn := tls.Server(raw, r.TLS)
	hurry, cancel := context.WithTimeout(ctx, r.options.Timing.Handshake)
	defer cancel()
	if err := conn.HandshakeContext(hurry); err != nil {
		_ = raw.Close()
		if ctx.Err() == nil && !errors.Is(err, io.EOF) { // a port check connects and leaves
			r.complaints.logger().LogAttrs(ctx, slog.LevelWarn, "handshake refused", slog.Any("from", raw.RemoteAddr()), slog.Any("error", err))
		}
		return
	}
	raw.proved.Store(true)
	switch conn.ConnectionState().NegotiatedProtocol {
	case identity.ALPN:
		raw.giveBack()
		r.serveLink(ctx, conn)
		return
	case identity.ProofALPN:
		if r.Prove != nil {
			r.Prove(ctx, conn)
		}
		_ = conn.Close()
		return
	}
	if r.Web == nil || !r.handed.pass(conn) {
		_ = conn.Close()
	}
}

func (r *running) serveLink(ctx context.Context, conn *tls.Conn) {
	l, err := newLink(conn, Target{Row: r.Row, Turn: r.Turn}, false, r.options)
	if err != nil {
		r.complaints.logger().LogAttrs(ctx, slog.LevelWarn, "link refused", slog.Any("from", conn.RemoteAddr()), slog.Any("error", err))
		_ = conn.Close()
		return
	}
	// On a goroutine of its own: the stack that a handshake needs is several times what an idle link does.
	r.conns.Go(func() { l.live(ctx, r.OnLink) })
}

// startWeb serves HTTPS and returns how to end it: requests under way have a moment, then their context ends.
func (r *running) startWeb(ctx context.Context) (stop func()) {
	if r.Web == nil {
		return func() { _ = r.handed.Close() }
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	handlers := newGate()
	web := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			if handlers.enter() {
				defer handlers.leave()
				r.Web.ServeHTTP(w, request)
				abortAfter(ctx)
			}
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: r.limits.Header,
		IdleTimeout:       r.limits.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(r.options.Log.Handler(), slog.LevelWarn),
	}
	r.conns.Go(func() { _ = web.Serve(r.handed) }) // only ever ends because it was closed
	return func() {
		hurry, done := context.WithTimeout(ctx, r.limits.Stop)
		defer done()
		_ = web.Shutdown(hurry)
		last := handlers.shut()
		cancel(errStopping)
		_ = web.Close()
		<-last
	}
}

// complaints lets what strangers do be logged, but not as often as they can do it.
type complaints struct {
	log *slog.Logger

	mu     sync.Mutex
	second int64
	said   int
	silent int
}

// logger returns where to log one complaint: nowhere, if there were several in this second.
func (c *complaints) logger() *slog.Logger {
	const eachSecond = 5
	c.mu.Lock()
	defer c.mu.Unlock()
	if second := time.Now().Unix(); second != c.second {
		c.second, c.said = second, 0
	}
	if c.said >= eachSecond {
		c.silent++
		return slog.New(slog.DiscardHandler)
	}
	c.said++
	log := c.log
	if c.silent > 0 {
		log = log.With(slog.Int("not_logged_before", c.silent))
		c.silent = 0
	}
	return log
}

// handed is a net.Listener of connections whose handshake is over.
type handed struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

// pass hands a connection on, and says false where nobody takes it any more.
func (h *handed) pass(conn net.Conn) bool {
	select {
	case h.conns <- conn:
		return true
	case <-h.done:
		return false
	}
}

// Accept waits for the next connection.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr returns the real listener's address.
func (h *handed) Addr() net.Addr { return h.addr }

// passing says whether accepting may work again soon.
func passing(err error) bool {
	var temporary interface{ Temporary() bool }
	return !errors.Is(err, net.ErrClosed) && errors.As(err, &temporary) && temporary.Temporary()
}

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// live counts the link, tells onLink, and serves it until it ends. It returns when both are done with it.
func (l *Link) live(ctx context.Context, onLink func(context.Context, *Link)) {
	l.options.Links.add(l)
	log := l.options.Log.With(slog.String("peer", l.peer.String()), slog.Int64("number", l.number))
	log.LogAttrs(ctx, slog.LevelInfo, "link up", slog.Any("remote", l.remote))
	var told sync.WaitGroup
	if onLink != nil {
		told.Go(func() {
			ctx, cancel := l.context(ctx)
			defer cancel()
			onLink(ctx, l)
		})
	}
	l.serve(ctx)
	l.options.Links.remove(l)
	told.Wait()
	log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "link down", slog.Any("error", l.Err()))
}

// context returns a context that ends with the link, with the link's error as its cause.
func (l *Link) context(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(withLink(ctx, l))
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ended:
		cancel(l.err)
	default:
		l.told = append(l.told, cancel)
	}
	return ctx, func() { cancel(nil) }
}
