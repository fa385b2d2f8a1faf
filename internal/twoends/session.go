package twoends

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// accept takes connections until the listener is closed, and ends those that are open then.
func (l *Listener) accept(ctx context.Context, s stream) {
	room := make(chan struct{}, maxAtOnce)
	var open sync.WaitGroup
	defer open.Wait()
	for {
		c, err := s.Accept()
		if closed(err) {
			return
		}
		if err != nil { // of one connection, or no descriptors are left: not of the listener
			select {
			case <-ctx.Done():
				return
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			_ = c.Close() // who floods gets nothing
			continue
		}
		open.Go(func() {
			defer func() { <-room }()
			l.session(ctx, s.end, c)
		})
	}
}

const acceptPause = 100 * time.Millisecond

// session answers one connection, and notes how far it came.
func (l *Listener) session(ctx context.Context, end int, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(sessionTime))
	a := Arrival{From: endOf(c.RemoteAddr()), To: endOf(c.LocalAddr())}
	defer func() { l.tell(end, a) }()
	r := bufio.NewReader(c)
	binding := ""
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	speaksTLS := first[0] == tlsClient
	if speaksTLS != l.o.Rows[end].TLS { // said in the words of this end, so that the other knows
		a.TLS = mismatch(c, l.o.Rows[end].TLS)
		return
	}
	if speaksTLS {
		t := tls.Server(peeked{c, r}, l.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			a.TLS = err.Error()
			return
		}
		a.TLS = "done"
		binding = bound(t.ConnectionState())
		c, r = t, bufio.NewReader(t)
	}
	line, err := readLine(r, maxLine)
	q, ok := parseQuestion(line)
	if err != nil || !ok {
		return
	}
	a.Nonce = q.nonce
	reply, err := l.answer(q, a.From, a.To)
	if err != nil {
		return
	}
	l.note(end, a) // before the dialler can ask for the report
	if _, err := fmt.Fprintln(c, reply.line()); err != nil {
		return
	}
	if line, err = readLineOf(r); err != nil {
		return
	}
	mac, want, _ := strings.Cut(line, " ")
	words := append(reply.words(q), want)
	if !l.o.Code.proves(mac, purposeDialler, words...) {
		return
	}
	a.Proved = true
	if want != wantReport && want != wantBinding {
		return
	}
	l.note(end, a)
	told := sealed{Binding: binding}
	if want == wantReport {
		if told.Report, err = l.Report(ctx); err != nil {
			return
		}
	}
	_ = writeSealed(c, l.o.Code, told, words...)
}

// mismatch tells a dialler in which way it is wrong, and says it for the report.
func mismatch(c net.Conn, rowHasTLS bool) string {
	if rowHasTLS {
		_, _ = c.Write([]byte{tlsAlert, tlsVersion, 1, 0, 2, 2, 10}) // fatal: unexpected message
		return "the dialler speaks plain, and the row TLS"
	}
	_, _ = fmt.Fprintln(c, hello)
	return "the dialler speaks TLS, and the row plain"
}

// readLineOf reads the dialler's second line: a proof, which begins with any letter.
func readLineOf(r *bufio.Reader) (string, error) { return boundedLine(r, maxLine) }

// answer proves the code over a question.
func (l *Listener) answer(q question, seen, reached netip.AddrPort) (answer, error) {
	own, err := nonce(l.o.Rand)
	if err != nil {
		return answer{}, err
	}
	a := answer{nonce: own, seen: seen, reached: reached}
	a.mac = l.o.Code.mac(purposeListener, a.words(q)...)
	return a, nil
}

// receive answers datagrams until the socket is closed. An answer is never longer than its question, and what is no
// question gets none.
func (l *Listener) receive(p datagrams) {
	b := make([]byte, 2*datagram)
	for {
		n, from, at, err := p.Receive(b)
		if closed(err) {
			return
		}
		if err != nil {
			continue // an ICMP error about an earlier answer
		}
		to := p.Local()
		if at.IsValid() {
			to = netip.AddrPortFrom(at, to.Port())
		}
		q, ok := parseQuestion(string(b[:n]))
		a := Arrival{From: from, To: to, Nonce: q.nonce}
		if ok {
			a.Proved = l.o.Code.proves(q.mac, purposeDialler, q.flow, q.nonce)
			if reply, err := l.answer(q, from, to); err == nil && len(reply.line()) <= n {
				_ = p.Send([]byte(reply.line()), from, at)
			}
		}
		l.tell(p.end, a)
	}
}

// endOf is an address of a connection.
func endOf(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// peeked is a connection of which the first bytes were read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// bound names a TLS session: both of its ends have the same name for it, and nobody between them has (RFC 5705).
func bound(s tls.ConnectionState) string {
	const size = 32
	key, err := s.ExportKeyingMaterial("EXPORTER-reeve-probe", nil, size)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(key)
}
