package end

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// What two nodes say to each other over a connection that proves a flow, inside mutual TLS:
//
//	dialler                               listener
//	   SESSION NONCE            ────▶
//	                            ◀────     NONCE SEEN REACHED
//	   again                    ────▶                           any number of times, however late
//	                            ◀────     again
const (
	again      = "again"
	maxLine    = 256
	answerTime = 5 * time.Second
)

// came is a connection that proved itself here.
type came struct{ peer netip.AddrPort }

// Prove answers a node that proves a flow to a listener of this one. It returns when the other end is done.
func (e *End) Prove(ctx context.Context, c *tls.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(answerTime))
	r := bufio.NewReaderSize(c, maxLine)
	line, err := readLine(r)
	id, nonce, ok := strings.Cut(line, " ")
	if err != nil || !ok {
		return
	}
	s, err := e.session(id, false, 0)
	if err != nil {
		return // whoever asks has no session here
	}
	bye := context.AfterFunc(s.ctx, func() { _ = c.Close() })
	defer bye()
	seen, reached := endOf(c.RemoteAddr()), endOf(c.LocalAddr())
	if !s.arrived(nonce, seen) {
		return
	}
	if _, err := fmt.Fprintln(c, nonce, seen, reached); err != nil {
		return
	}
	for {
		_ = c.SetDeadline(time.Now().Add(wire.MaxProveFor))
		if line, err := readLine(r); err != nil || line != again {
			return
		}
		if _, err := fmt.Fprintln(c, again); err != nil {
			return
		}
	}
}

// maxCame bounds how many connections of one session are remembered: a node could make any number.
const maxCame = 1 << 16

func (s *session) arrived(nonce string, peer netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.came) >= maxCame {
		return false
	}
	s.came[nonce] = came{peer}
	return true
}

// answer takes the connections of a row that was opened for silences.
func (s *session) answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		s.done.Go(func() {
			defer c.Close()
			t := tls.Server(c, s.end.cfg.Listening())
			ctx, cancel := context.WithTimeout(s.ctx, answerTime)
			defer cancel()
			if t.HandshakeContext(ctx) == nil && t.ConnectionState().NegotiatedProtocol == identity.ProofALPN {
				s.end.Prove(s.ctx, t)
			}
		})
	}
}

// readLine reads a bounded line.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	return strings.TrimSuffix(string(line), "\n"), err
}

func endOf(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// talk is an open connection to a node's own listener.
type talk struct {
	conn          *tls.Conn
	r             *bufio.Reader
	nonce         string
	seen, reached netip.AddrPort
}

// errOther is said by somebody who does not speak as a node does, errNode is another node than the one that is meant.
var (
	errOther = errors.New("who answers does not speak as a node that proves a flow")
	errNode  = errors.New("another node answers")
)

// hail asks who answers over a connection. The connection is the caller's to close.
func (e *End) hail(ctx context.Context, c net.Conn, session, node string, random io.Reader) (*talk, error) {
	_ = c.SetDeadline(time.Now().Add(answerTime))
	t := &talk{conn: tls.Client(c, e.cfg.Dialling())}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := t.conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	state := t.conn.ConnectionState()
	if state.NegotiatedProtocol != identity.ProofALPN {
		return nil, errOther
	}
	who, err := identity.FromCertificate(state.PeerCertificates[0])
	if err != nil {
		return nil, errOther
	}
	if who.Name != node {
		return nil, fmt.Errorf("%w: %s", errNode, who)
	}
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fault.Wrap(fault.Internal, "drawing a nonce", err)
	}
	t.nonce = base64.RawURLEncoding.EncodeToString(b[:])
	if _, err := fmt.Fprintln(t.conn, session, t.nonce); err != nil {
		return nil, err
	}
	t.r = bufio.NewReaderSize(t.conn, maxLine)
	line, err := readLine(t.r)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != t.nonce {
		return nil, errOther
	}
	var err1, err2 error
	t.seen, err1 = netip.ParseAddrPort(words[1])
	t.reached, err2 = netip.ParseAddrPort(words[2])
	if err1 != nil || err2 != nil {
		return nil, errOther
	}
	return t, nil
}

// echo reports whether the connection still carries words both ways.
func (t *talk) echo() error {
	_ = t.conn.SetDeadline(time.Now().Add(answerTime))
	if _, err := fmt.Fprintln(t.conn, again); err != nil {
		return err
	}
	line, err := readLine(t.r)
	if err == nil && line != again {
		err = errOther
	}
	return err
}
