// Package responder answers: how is a stranger answered, at a cost that the stranger cannot raise?
//
// Directory and discovery answer whoever asks, over UDP and TCP, before anybody has proved anything. What they say is
// theirs; how much they may be made to say is decided here, for all of them:
//
//	UDP   a reply is never longer than its request: a sender's address may be forged, and a longer reply would be
//	      somebody else's flood. Requests are counted for each sender and in all; above that there is silence.
//	TCP   the handshake has proved the address. Connections are counted for each address and in all, a request has its
//	      greatest length and its time, and nothing is allocated on the word of a length.
package responder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Asked is what is known of a request beside its bytes.
type Asked struct {
	From   netip.AddrPort // who asks; over UDP it may be forged
	At     netip.Addr     // the address of this host that was asked; the zero address: not known
	Stream bool           // over TCP
	Room   int            // how long the reply may be, in bytes
}

// Answer answers one request; nil is silence, which over TCP ends the connection. A reply that is longer than the room is
// not sent. The request is the responder's: it is used again.
type Answer func(request []byte, a Asked) []byte

// Packets is a UDP socket, as package socket opens it.
type Packets interface {
	Receive(b []byte) (n int, from netip.AddrPort, at netip.Addr, err error)
	Send(b []byte, to netip.AddrPort, from netip.Addr) error
	Close() error
}

// MaxRequest is the longest request that is read, in bytes.
const MaxRequest = 4096

// Responder answers on some sockets. Its fields are set before Run and not changed after.
type Responder struct {
	Name    string // for the log
	Answer  Answer
	Packets []Packets
	Streams []net.Listener
	Framing Framing // of streams
	Limits  Limits
	Now     func() time.Time
	Log     *slog.Logger
}

// Limits bound what strangers can take. The zero value of a field means its default.
type Limits struct {
	Each        int           // requests a second of one IPv4 address or one IPv6 /64; default 100
	Total       int           // requests a second in all; default 2000
	Connections int           // TCP connections at once; default 128
	PerAddress  int           // of them from one IPv4 address or one IPv6 /64; default 32
	Requests    int           // on one connection; default 256
	Patience    time.Duration // for one request to come, and one reply to go; default 10 s
}

func (l Limits) withDefaults() Limits {
	orElse := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orElse(&l.Each, 100)
	orElse(&l.Total, 2000)
	orElse(&l.Connections, 128)
	orElse(&l.PerAddress, 32)
	orElse(&l.Requests, 256)
	if l.Patience <= 0 {
		l.Patience = 10 * time.Second
	}
	return l
}

// Run answers until ctx ends, closes the sockets, and returns nil once everything that it started is over. It returns an
// error only where a socket breaks.
func (r *Responder) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limits := r.Limits.withDefaults()
	w := &work{Responder: r, limits: limits, meter: newMeter(limits, r.Now), places: &places{total: limits.Connections, each: limits.PerAddress, by: map[netip.Prefix]int{}}}
	var all sync.WaitGroup
	for _, p := range r.Packets {
		all.Go(func() { w.until(ctx, cancel, p.Close, func() error { return w.packets(p) }) })
	}
	for _, l := range r.Streams {
		all.Go(func() { w.until(ctx, cancel, l.Close, func() error { return w.accept(ctx, l, &all) }) })
	}
	<-ctx.Done()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// work is one Run of a Responder.
type work struct {
	*Responder
	limits Limits
	meter  *meter
	places *places
}

// until does something on a socket until ctx ends; if it breaks before, everything ends.
func (w *work) until(ctx context.Context, cancel context.CancelCauseFunc, closing func() error, do func() error) {
	stop := context.AfterFunc(ctx, func() { _ = closing() })
	defer stop()
	if err := do(); ctx.Err() == nil {
		cancel(fmt.Errorf("answering for %s: %w", w.Name, err))
	}
	_ = closing()
}

// packets answers on a UDP socket until it is closed.
func (w *work) packets(p Packets) error {
	b := make([]byte, MaxRequest+1)
	for {
		n, from, at, err := p.Receive(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // an ICMP message about an answer of ours: the socket goes on
			if !w.meter.pause() {
				return err
			}
			continue
		case n == 0 || n > MaxRequest || from.Port() == 0 || !w.meter.may(from.Addr()):
			continue
		}
		reply := w.reply(b[:n], Asked{From: from, At: at, Room: n})
		if len(reply) == 0 || len(reply) > n {
			continue
		}
		_ = p.Send(reply, from, at) // nobody waits for it but who asked, and asks again
	}
}

// reply asks for the answer; what breaks over one request must not end the others.
func (w *work) reply(request []byte, a Asked) (reply []byte) {
	defer func() {
		if broken := recover(); broken != nil {
			w.Log.Error("answering a request", slog.String("for", w.Name), slog.Any("from", a.From), slog.Any("error", broken))
			reply = nil
		}
	}()
	return w.Answer(request, a)
}
