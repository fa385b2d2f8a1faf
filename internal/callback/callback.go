// Package callback answers: on which port does this server await the words of an attempt, and is it really its agent
// that comes?
//
// Where the plan has it so, the server leases a port for each attempt before it orders it, listens there, and sends the
// address and a one-time token in the order. The agent opens one connection, shows its certificate, and says attempt and
// token first; start, output and end then come on that connection.
//
//	order ─▶ Announce: lease (durable), listen ─▶ address, token ─▶ agent
//	                          │                                      │ dials, TLS with its certificate
//	          strangers ─▶ refused, bounded                          ▼
//	                          └─ awaited ──────── proof ────────▶ connected ── end, cut or silence ──▶ over
//	                                │ deadline                                                          │
//	                                └──────────────────────────── the port goes into its hold ◀─────────┘
//
// It is no link: the server asks nothing there. What comes is handed to the same functions that the link's routes call, so
// it does not matter on which way a word arrives, nor that it arrives on both.
package callback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// Book is the ledger of leases of this host.
type Book interface {
	Lease(ctx context.Context, r ledger.Request) (ledger.Grant, error)
	Release(ctx context.Context, id string, fence uint64, reason string) error
	Forget(ctx context.Context, id string, fence uint64, reason string) error
	Renew(ctx context.Context, id string, fence uint64) error
	Sweep(ctx context.Context) ([]ledger.Lease, error)
	Leases(ctx context.Context) ([]ledger.Lease, error)
	Now() time.Time
}

// Office takes what attempts say. The fleet happens to be one.
type Office interface {
	Reports(ctx context.Context, agentID string, in wire.Reports) (wire.ReportsReply, error)
	Output(ctx context.Context, agentID string, in wire.OutputChunks) (wire.OutputReply, error)
	OutputHave(ctx context.Context, agentID string, in []wire.Attempt) (wire.OutputReply, error)
	PutArtifact(ctx context.Context, sum string, body io.Reader) (fresh bool, err error)
	// Heard books that the agent is alive.
	Heard(agentID string)
}

// Config is what a desk is built with.
type Config struct {
	Book Book
	// Request of the plan's pool, with the address on which this server binds; name and owner are the desk's.
	Request ledger.Request
	// Addresses are where agents find a port of this server, HOST:PORT: those that it advertises, in their order.
	Addresses func(port ports.Port) []string
	// TLS makes the configuration of a listener on which only whom allowed does not refuse may come.
	TLS func(allowed func(identity.Identity, *x509.Certificate) error) *tls.Config
	// Allowed refuses who is not a node of the domain now; it is asked for each request.
	Allowed func(identity.Identity, *x509.Certificate) error
	Office  func() Office // asked at each use: desk and office are made around each other
	// Ordered reports whether an attempt is ordered and its start not confirmed: it will be announced again.
	Ordered func(a wire.Attempt) bool
	Adopt   func(*os.File) (Listener, error) // makes a listener of a leased socket
	Freed   func()                           // told when a port may have become free; must not block
	Times   Times
	Log     *slog.Logger
}

// Times say how long a desk waits. The zero value of a field means its default.
type Times struct {
	Patience  time.Duration // from the order until the agent has come; default 60 s
	Handshake time.Duration // of a connection that has proved nothing yet; default 5 s
	Heartbeat time.Duration // how often an agent speaks at least; default 10 s
	Timeout   time.Duration // after which a silent connection ends; default 30 s
}

func (t Times) withDefaults() Times {
	or := func(d *time.Duration, instead time.Duration) {
		if *d <= 0 {
			*d = instead
		}
	}
	or(&t.Patience, 60*time.Second)
	or(&t.Handshake, 5*time.Second)
	or(&t.Heartbeat, 10*time.Second)
	or(&t.Timeout, 30*time.Second)
	return t
}

// State says where a call stands.
type State string

// The states of a call.
const (
	Awaited   State = "awaited"   // entered by Announce: the port listens; left by proof, deadline or end
	Connected State = "connected" // entered by proof; left when the connection ends
)

// Call is what is known of the port of one attempt.
type Call struct {
	Port   ports.Port
	State  State
	Since  time.Time
	Shared bool // the port is the rendezvous of several attempts
}

// Busy says that no port can be had now.
type Busy struct {
	Text string
	Wait time.Duration // until one may be free
}

// Error says what is in the way.
func (b *Busy) Error() string { return b.Text }

// After is how long to wait before it is tried again.
func (b *Busy) After() time.Duration { return b.Wait }
