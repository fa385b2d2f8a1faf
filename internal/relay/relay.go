// Package relay answers: how does a node reach a server to which its zone has no path?
//
// A relay is an agent that nodes of its zone can reach, and that has a link itself. It carries their connections, byte
// for byte, as streams of its link. TLS goes from end to end between node and server: the relay can neither read nor
// forge what is said, only cut it. A server may also have a relay dial a node for it.
//
//	node ── TCP ──▶ relay ══ stream of the relay's link ══▶ Gate ──▶ link.Server: enrolment and links
//	node ◀── TCP ── relay ◀══ stream of the relay's link ══ Dial
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// The paths on a link.
const (
	PathIn  = "/relay/in"  // at a server: a relay brings a node's connection
	PathOut = "/relay/out" // at a relay: a server has it dial a node
)

// The headers of a request for a stream.
const (
	headerFrom = "Reeve-From" // where the node's connection comes from
	headerRow  = "Reeve-Row"  // of the plan, by which to dial
	headerTo   = "Reeve-To"   // HOST:PORT
)

const (
	tlsHandshake = 22 // how a connection with TLS begins
	firstByte    = 5 * time.Second
	opening      = 5 * time.Second
	// Below the streams that a server takes of one link, so that the relay's own calls find room.
	defaultNodes   = 192
	defaultAddress = 32
	acceptPause    = 100 * time.Millisecond // where the system has no descriptor left
)

// Relay carries connections of nodes to a server. Its fields are set before Run and not changed after.
type Relay struct {
	// Link returns the link to a server; nil: none is up, and nodes are turned away.
	Link func() *link.Link
	// Nodes is how many connections it carries at once, default 192; PerAddress how many of them from one address,
	// default 32.
	Nodes, PerAddress int
	Log               *slog.Logger
}

// Run carries what comes in on a listener until ctx ends, which closes it. It returns nil once all is over.
func (r *Relay) Run(ctx context.Context, l net.Listener) error {
	nodes, each := r.Nodes, r.PerAddress
	if nodes <= 0 {
		nodes = defaultNodes
	}
	if each <= 0 {
		each = defaultAddress
	}
	places := link.NewPlaces(nodes, each)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			r.Log.Warn("accepting a node's connection", slog.Any("error", err))
			pause(ctx, acceptPause)
			continue
		}
		release, ok := places.Take(conn.RemoteAddr())
		if !ok {
			r.Log.Debug("too many connections for this relay", slog.Any("from", conn.RemoteAddr()))
			_ = conn.Close()
			continue
		}
		all.Go(func() {
			defer release()
			if err := r.carry(ctx, conn); err != nil && ctx.Err() == nil {
				r.Log.Info("a node's connection was not carried", slog.Any("from", conn.RemoteAddr()), slog.Any("error", err))
			}
		})
	}
}

// carry brings one connection to the server, and ends with it. What says nothing, or does not begin with TLS, never
// gets that far.
func (r *Relay) carry(ctx context.Context, conn net.Conn) error {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	first := make([]byte, firstRead)
	_ = conn.SetReadDeadline(time.Now().Add(firstByte))
	n, err := conn.Read(first)
	switch {
	case err != nil:
		return nil // a port check connects and leaves
	case first[0] != tlsHandshake:
		return fault.New(fault.Invalid, "it does not begin with TLS", "")
	}
	_ = conn.SetReadDeadline(time.Time{})
	l := r.Link()
	if l == nil {
		return fault.New(fault.Unreachable, "this relay has no link to a server now", "")
	}
	hurry, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	stream, err := l.Stream(hurry, PathIn, http.Header{headerFrom: {conn.RemoteAddr().String()}})
	if err != nil {
		return err
	}
	if _, err := stream.Write(first[:n]); err != nil {
		return errors.Join(fault.Wrap(fault.Unreachable, "passing on the first bytes", err), stream.Close())
	}
	Splice(ctx, conn, stream)
	return nil
}

// Dialler is the relay's side of a server's dials: an http.Handler for PathOut on its link.
type Dialler struct {
	// Dial opens a connection to a node by a row of the plan.
	Dial func(ctx context.Context, row, address string) (net.Conn, error)
	Log  *slog.Logger
}

// ServeHTTP dials what a server asks for, and carries bytes until either end closes.
func (d *Dialler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer, ok := link.PeerOf(r.Context())
	if !ok || peer.Role != identity.RoleServer {
		http.Error(w, "only servers may ask a relay to dial", http.StatusForbidden)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), opening)
	defer cancel()
	conn, err := d.Dial(ctx, r.Header.Get(headerRow), r.Header.Get(headerTo))
	if err != nil {
		status := http.StatusBadGateway
		if fault.Is(err, fault.Forbidden) {
			status = http.StatusForbidden
		}
		http.Error(w, err.Error(), status)
		return
	}
	stream, err := link.AcceptStream(w, r)
	if err != nil {
		d.Log.Debug("dialling for a server", slog.Any("error", errors.Join(err, conn.Close())))
		return
	}
	Splice(r.Context(), conn, stream)
}

// Dial has the relay at the other end of a link dial a node, by a row of the plan.
func Dial(ctx context.Context, l *link.Link, row, address string) (net.Conn, error) {
	stream, err := l.Stream(ctx, PathOut, http.Header{headerRow: {row}, headerTo: {address}})
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "dialling "+address+" ("+row+") by the relay "+l.Peer().Name, err)
	}
	return &relayed{Conn: stream, from: Address{Node: address, Relay: l.Peer().Name}}, nil
}

// Address is the other end of a connection that a relay carries.
type Address struct {
	Node  string // HOST:PORT, as the relay says
	Relay string // its name
}

// Network says what kind of address it is.
func (a Address) Network() string { return "relay" }

// String names both.
func (a Address) String() string { return a.Node + " by relay " + a.Relay }

// Via names the relay.
func (a Address) Via() string { return a.Relay }

// relayed is a connection that says who carries it.
type relayed struct {
	net.Conn
	from Address
}

// RemoteAddr returns an Address.
func (r *relayed) RemoteAddr() net.Addr { return r.from }

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
