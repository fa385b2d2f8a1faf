package relay

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// Gate is the server's side: an http.Handler for PathIn on links of agents, and a net.Listener of what they bring, for
// a link.Server. That server holds the same against strangers as on its own ports.
type Gate struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	log   *slog.Logger
}

// NewGate returns an open gate.
func NewGate(log *slog.Logger) *Gate {
	return &Gate{conns: make(chan net.Conn), done: make(chan struct{}), log: log}
}

// ServeHTTP takes a connection that a relay brings.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer, ok := link.PeerOf(r.Context())
	if !ok || peer.Role != identity.RoleAgent {
		http.Error(w, "only agents may relay", http.StatusForbidden)
		return
	}
	from, err := netip.ParseAddrPort(r.Header.Get(headerFrom))
	if err != nil {
		http.Error(w, headerFrom+" must say where the connection comes from, as ADDRESS:PORT", http.StatusBadRequest)
		return
	}
	stream, err := link.AcceptStream(w, r)
	if err != nil {
		g.log.Debug("taking a relayed connection", slog.String("relay", peer.Name), slog.Any("error", err))
		return
	}
	conn := &relayed{Conn: stream, from: Address{Node: from.String(), Relay: peer.Name}}
	if !g.pass(r.Context(), conn) {
		_ = conn.Close()
	}
}

// passing is how long a connection waits for the server to take it.
const passing = 5 * time.Second

func (g *Gate) pass(ctx context.Context, conn net.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, passing)
	defer cancel()
	select {
	case g.conns <- conn:
		return true
	case <-g.done:
	case <-ctx.Done():
	}
	return false
}

// Accept waits for the next connection.
func (g *Gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.conns:
		return conn, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. Connections that were taken go on.
func (g *Gate) Close() error {
	g.once.Do(func() { close(g.done) })
	return nil
}

// Addr says that the gate has no address of its own.
func (g *Gate) Addr() net.Addr { return Address{Node: "any node", Relay: "of this domain"} }
