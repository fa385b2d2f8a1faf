package responder

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxReply is the longest reply that a stream carries, in bytes.
const maxReply = 1 << 20

// Framing says where a request begins and ends on a stream, and a reply.
type Framing interface {
	// Read returns the next request, at most MaxRequest bytes; io.EOF where there is none.
	Read(r io.Reader) ([]byte, error)
	// Frame appends a reply to b.
	Frame(b, reply []byte) []byte
	// Room is the longest reply.
	Room() int
}

// Lengths is the framing of DNS (RFC 1035, 4.2.2) and of discovery: two bytes of length, then the message.
type Lengths struct{}

// Read implements Framing.
func (Lengths) Read(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	return take(r, nil, int(binary.BigEndian.Uint16(head[:])), MaxRequest)
}

// Frame implements Framing.
func (Lengths) Frame(b, reply []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(reply))), reply...) //nolint:gosec // Room bounds it
}

// Room implements Framing.
func (Lengths) Room() int { return 1<<16 - 1 }

// Records is the record marking of ONC RPC (RFC 5531, 11): fragments, each with four bytes of which the first bit marks
// the last one.
type Records struct{}

const (
	lastFragment = 1 << 31
	maxFragments = 16
)

// Read implements Framing.
func (Records) Read(r io.Reader) ([]byte, error) { return ReadRecord(r, MaxRequest) }

// ReadRecord returns the next record of ONC RPC, at most longest bytes.
func ReadRecord(r io.Reader, longest int) ([]byte, error) {
	var whole []byte
	for range maxFragments {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, err
		}
		mark := binary.BigEndian.Uint32(head[:])
		var err error
		if whole, err = take(r, whole, int(mark&^lastFragment), longest); err != nil || mark&lastFragment != 0 {
			return whole, err
		}
	}
	return nil, fmt.Errorf("a record of more than %d fragments", maxFragments)
}

// Frame implements Framing.
func (Records) Frame(b, reply []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, lastFragment|uint32(len(reply))), reply...) //nolint:gosec // Room bounds it
}

// Room implements Framing.
func (Records) Room() int { return maxReply }

// take appends n bytes of r to b, within the bound.
func take(r io.Reader, b []byte, n, longest int) ([]byte, error) {
	if n > longest-len(b) {
		return nil, fmt.Errorf("a message of %d bytes; at most %d", len(b)+n, longest)
	}
	at := len(b)
	b = append(b, make([]byte, n)...)
	_, err := io.ReadFull(r, b[at:])
	return b, err
}

// accept takes connections until the listener is closed.
func (w *work) accept(ctx context.Context, l net.Listener, all *sync.WaitGroup) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil && passing(err) && w.meter.pause() {
				continue
			}
			return err
		}
		release, ok := w.places.take(conn.RemoteAddr())
		if !ok {
			_ = conn.Close()
			continue
		}
		all.Go(func() {
			defer release()
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			w.converse(conn)
		})
	}
}

// converse answers the requests of one connection and closes it.
func (w *work) converse(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	from, at := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr()).Addr()
	r := bufio.NewReaderSize(conn, 512)
	for range w.limits.Requests {
		if conn.SetDeadline(time.Now().Add(w.limits.Patience)) != nil {
			return
		}
		request, err := w.Framing.Read(r)
		if err != nil || !w.meter.may(from.Addr()) {
			return
		}
		room := w.Framing.Room()
		reply := w.reply(request, Asked{From: from, At: at, Stream: true, Room: room})
		if len(reply) == 0 || len(reply) > room {
			return
		}
		if _, err := conn.Write(w.Framing.Frame(nil, reply)); err != nil {
			return
		}
	}
}

// passing says whether accepting may work again soon.
func passing(err error) bool {
	temporary, ok := err.(interface{ Temporary() bool })
	return ok && temporary.Temporary()
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
