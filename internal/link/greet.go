package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// greeted does the handshake and waits for the other end's first byte.
func greeted(ctx context.Context, conn *tls.Conn, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fault.Newf(fault.Unreachable, "no handshake within %v", within))
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return broken(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	var first [1]byte
	_, err := io.ReadFull(conn, first[:])
	var alert *net.OpError
	switch {
	case err == nil && first[0] == greeting:
		return nil
	case err == nil:
		return fault.Newf(fault.Unreachable, "handshake: greeting %d, expected %d", first[0], greeting)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return &fault.Error{
			Kind: fault.Forbidden, Msg: "handshake: the other end refused this node's certificate", Err: err,
			Fix: "its log has the reason; compare the clocks of both machines; if the node was removed, join it again",
		}
	default:
		return broken(err)
	}
}

// broken says what a handshake broke with. What already has a kind, and says what to do, keeps it.
func broken(err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return fmt.Errorf("handshake: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return &fault.Error{Kind: fault.Unreachable, Msg: "handshake: the other end closed the connection", Err: err, Fix: "it may be stopping, or have too many connections"}
	default:
		return &fault.Error{Kind: fault.Unreachable, Msg: "handshake", Err: err, Fix: "check that the address is that of a Reeve node"}
	}
}
