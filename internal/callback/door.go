package callback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// door is a port that listens: for one attempt, or the rendezvous of many.
type door struct {
	desk     *Desk
	lease    ledger.Lease
	listener Listener
	server   *http.Server
	shared   bool
	calls    map[wire.Attempt]*call // guarded by Desk.mu

	mu        sync.Mutex
	strangers []net.Conn // that have proved nothing yet, oldest first
	proved    map[net.Conn]*call
}

// maxStrangers is how many connections a port has at once that have proved nothing: the oldest makes room for the next, so
// nobody can keep the true one out by sitting there.
const maxStrangers = 16

// dismiss ends connections of which nothing more is awaited. TLS says good-bye, for which it may wait.
func dismiss(conns ...net.Conn) {
	for _, c := range conns {
		go func() { _ = c.Close() }()
	}
}

// openDoor listens on a leased socket: for one call, or, without one, as the rendezvous.
func (d *Desk) openDoor(g ledger.Grant, c *call) error {
	dr := &door{desk: d, lease: g.Lease, shared: c == nil, calls: map[wire.Attempt]*call{}, proved: map[net.Conn]*call{}}
	if len(g.Sockets) == 0 {
		return errors.Join(fmt.Errorf("the lease of port %d came without a socket", g.Lease.Port), d.giveBack(g.Lease, "without a socket"))
	}
	for _, s := range g.Sockets[1:] {
		_ = s.File.Close() // only the first listens; nothing was written to it
	}
	l, err := d.cfg.Adopt(g.Sockets[0].File)
	if err != nil {
		return errors.Join(err, d.giveBack(g.Lease, "its socket cannot be used"))
	}
	dr.listener = l
	dr.server = &http.Server{
		Handler: dr.handler(), ReadHeaderTimeout: d.cfg.Times.Handshake, IdleTimeout: d.cfg.Times.Timeout, MaxHeaderBytes: 8 << 10,
		ConnState: dr.connState, ConnContext: withConn, ErrorLog: slog.NewLogLogger(d.cfg.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.Background() },
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = l.Close()                                                    // nobody was told of it
		return &Busy{Text: "this server is stopping", Wait: time.Second} // the lease is its name's once this process is gone
	}
	d.doors[dr] = true
	if c == nil {
		d.shared = dr
	} else {
		d.await(c, dr, tokenOf(g.Lease))
	}
	d.work.Go(dr.serve)
	return nil
}

func (dr *door) serve() {
	err := dr.server.Serve(tls.NewListener(dr.listener, dr.desk.cfg.TLS(dr.allowed)))
	if !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		dr.desk.cfg.Log.Warn("listening on a callback port", slog.Int("port", int(dr.lease.Port)), slog.Any("error", err))
	}
}

// allowed refuses, in the handshake, who is no node of the domain, or not the agent that is awaited.
func (dr *door) allowed(id identity.Identity, cert *x509.Certificate) error {
	if err := dr.desk.cfg.Allowed(id, cert); err != nil {
		return err
	}
	if dr.shared {
		return nil
	}
	dr.desk.mu.Lock()
	defer dr.desk.mu.Unlock()
	for _, c := range dr.calls {
		if c.agent == id.ID {
			return nil
		}
	}
	return fault.Newf(fault.Forbidden, "%s is not awaited on port %d", id, dr.lease.Port)
}

// connState keeps count of who has proved nothing yet, and learns when a connection has ended.
func (dr *door) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		dr.stranger(c)
	case http.StateClosed, http.StateHijacked:
		if of := dr.left(c); of != nil {
			dr.desk.ended(of)
		}
	case http.StateActive, http.StateIdle:
	}
}

func (dr *door) stranger(c net.Conn) {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	if len(dr.strangers) >= maxStrangers {
		dismiss(dr.strangers[0])
		dr.strangers = dr.strangers[1:]
	}
	dr.strangers = append(dr.strangers, c)
}

// left forgets a connection, and returns the call that it was.
func (dr *door) left(c net.Conn) *call {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	dr.without(c)
	of := dr.proved[c]
	delete(dr.proved, c)
	return of
}

// without takes a connection from the strangers. The door's lock is held.
func (dr *door) without(c net.Conn) bool {
	for i, s := range dr.strangers {
		if s == c {
			dr.strangers = append(dr.strangers[:i:i], dr.strangers[i+1:]...)
			return true
		}
	}
	return false
}

// accept makes a connection the call's. It is false where the connection has ended meanwhile. A port of one attempt
// listens no longer, and who else was there is gone.
func (dr *door) accept(conn net.Conn, c *call) bool {
	dr.mu.Lock()
	if !dr.without(conn) {
		dr.mu.Unlock()
		return false
	}
	dr.proved[conn] = c
	var others []net.Conn
	if !dr.shared {
		others, dr.strangers = dr.strangers, nil
	}
	dr.mu.Unlock()
	if !dr.shared {
		_ = dr.listener.Close() // its purpose is fulfilled
	}
	dismiss(others...)
	return true
}

// closeDoor stops listening and gives the port back, into its hold. The lock is held.
func (d *Desk) closeDoor(dr *door, why string) {
	if !d.doors[dr] {
		return
	}
	delete(d.doors, dr)
	d.leasing++
	d.work.Go(func() {
		_ = dr.server.Close() // the listener may be closed already
		if err := d.giveBack(dr.lease, why); err != nil {
			d.cfg.Log.Error("a callback port is not given back", slog.Int("port", int(dr.lease.Port)), slog.Any("error", err))
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.leasing--
		d.stock.held[dr.lease.Port] = time.Now().Add(dr.lease.HoldFor + holdSlack)
		d.nudge()
	})
}

// giveBack ends a lease, also while the server stops.
func (d *Desk) giveBack(l ledger.Lease, why string) error {
	ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
	defer cancel()
	err := d.cfg.Book.Forget(ctx, l.ID, l.Fence, why)
	var refused *ledger.Refusal
	if errors.As(err, &refused) && (refused.Outcome == ledger.NoLease || refused.Outcome == ledger.Fenced) {
		return nil // it has gone by itself
	}
	return err
}

const giveBackTime = 10 * time.Second

// ended takes in that a call's connection has ended, whoever ended it.
func (d *Desk) ended(c *call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls[c.attempt] != c {
		return
	}
	why := "its connection broke"
	if c.ended {
		why = "the attempt has ended"
	} else {
		d.cfg.Log.Info("a callback broke; the attempt's words come over the link", slog.Any("attempt", c.attempt), slog.Int("port", int(c.door.lease.Port)))
	}
	d.over(c, why)
}
