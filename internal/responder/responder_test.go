package responder_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// packet is one datagram of a test.
type packet struct {
	b        []byte
	from, to netip.AddrPort
}

// wire is a UDP socket of which the test holds the other end.
type wire struct {
	in, out chan packet
	done    chan struct{}
}

func newWire() *wire {
	return &wire{in: make(chan packet), out: make(chan packet, 10_000), done: make(chan struct{})}
}

func (w *wire) Receive(b []byte) (int, netip.AddrPort, netip.Addr, error) {
	select {
	case p := <-w.in:
		return copy(b, p.b), p.from, p.to.Addr(), nil
	case <-w.done:
		return 0, netip.AddrPort{}, netip.Addr{}, net.ErrClosed
	}
}

func (w *wire) Send(b []byte, to netip.AddrPort, from netip.Addr) error {
	w.out <- packet{b: bytes.Clone(b), from: netip.AddrPortFrom(from, 0), to: to}
	return nil
}

func (w *wire) Close() error {
	select {
	case <-w.done:
		return net.ErrClosed
	default:
		close(w.done)
		return nil
	}
}

type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// run runs a responder until stop is called.
func run(t tb, r *responder.Responder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if r.Now == nil {
		r.Now = time.Now
	}
	r.Log = slog.New(slog.DiscardHandler)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

var (
	stranger = netip.MustParseAddrPort("10.0.0.1:1000")
	here     = netip.MustParseAddrPort("10.0.0.9:1")
)

// TestNeverLonger: over UDP no reply is longer than its request, whatever an answer says.
func TestNeverLonger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 5000), 1, 50).Draw(t, "requests")
		replies := rapid.SliceOfN(rapid.IntRange(0, 5000), len(sizes), len(sizes)).Draw(t, "replies")
		w, at := newWire(), atomic.Int32{}
		want := 0
		stop := run(t, &responder.Responder{
			Packets: []responder.Packets{w}, Limits: responder.Limits{Each: 1 << 20, Total: 1 << 20},
			Answer: func(request []byte, a responder.Asked) []byte {
				if a.Room != len(request) || a.Stream || a.From != stranger || a.At != here.Addr() {
					t.Errorf("asked %+v for %d bytes", a, len(request))
				}
				return make([]byte, at.Load())
			},
		})
		for i, n := range sizes {
			at.Store(int32(replies[i]))
			w.in <- packet{make([]byte, n), stranger, here}
			if n > 0 && n <= responder.MaxRequest && replies[i] > 0 && replies[i] <= n {
				want++
				if p := <-w.out; len(p.b) != replies[i] || p.to != stranger || p.from.Addr() != here.Addr() {
					t.Fatalf("%d bytes to %v from %v; want %d to who asked, from where it was asked", len(p.b), p.to, p.from, replies[i])
				}
			} else {
				w.in <- packet{nil, stranger, here} // once it is taken, the one before has been dealt with
			}
		}
		stop()
		if extra := len(w.out); extra != 0 {
			t.Errorf("%d replies that are longer than their requests", extra)
		}
	})
}

// TestRates: above the bounds there is silence, for one sender and for all, and in the next second they are answered again.
func TestRates(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	w := newWire()
	stop := run(t, &responder.Responder{
		Packets: []responder.Packets{w}, Limits: responder.Limits{Each: 5, Total: 12},
		Now: func() time.Time { return time.Unix(now.Load(), 0) }, Answer: func(request []byte, _ responder.Asked) []byte { return request },
	})
	defer stop()
	ask := func(from string, times int) int {
		before := len(w.out)
		for range times {
			w.in <- packet{[]byte("x"), netip.MustParseAddrPort(from), here}
		}
		w.in <- packet{nil, stranger, here}
		return len(w.out) - before
	}
	for _, c := range []struct {
		from string
		want int
	}{{"10.0.0.1:1", 5}, {"10.0.0.1:2", 0}, {"[2001:db8::1]:1", 5}, {"[2001:db8::2]:1", 0}, {"10.0.0.2:1", 2}, {"10.0.0.3:1", 0}, {"10.0.0.4:0", 0}} {
		if got := ask(c.from, 20); got != c.want {
			t.Errorf("%s: %d answers, want %d", c.from, got, c.want)
		}
	}
	now.Add(1)
	if got := ask("10.0.0.1:1", 20); got != 5 {
		t.Errorf("in the next second %d answers, want 5", got)
	}
}

// TestBrokenAnswer: what breaks over one request does not end the others.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	w := newWire()
	stop := run(t, &responder.Responder{Packets: []responder.Packets{w}, Answer: func(request []byte, _ responder.Asked) []byte {
		if request[0] == 'b' {
			panic("broken")
		}
		return request
	}})
	defer stop()
	w.in <- packet{[]byte("b"), stranger, here}
	w.in <- packet{[]byte("g"), stranger, here}
	if p := <-w.out; string(p.b) != "g" {
		t.Errorf("answered %q", p.b)
	}
}

// listening returns the address of a responder on TCP that repeats what it is told, until the test ends.
func listening(t *testing.T, framing responder.Framing, limits responder.Limits) string {
	t.Helper()
	l, address := sockettest.Listen(t, sockettest.Net(t))
	stop := run(t, &responder.Responder{
		Streams: []net.Listener{l}, Framing: framing, Limits: limits,
		Answer: func(request []byte, _ responder.Asked) []byte { return bytes.Repeat(request, 2) },
	})
	t.Cleanup(stop)
	return address
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// closes fails the test unless the other end closes the connection without a word.
func closes(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil && !isReset(err) {
		t.Errorf("%s: got %q, %v; want the end", what, b, err)
	}
}

func isReset(err error) bool {
	n, ok := err.(net.Error) //nolint:errorlint // of the connection itself
	return ok && !n.Timeout()
}

// TestStreams: several requests on one connection, in fragments and in pieces, are answered in their order.
func TestStreams(t *testing.T) {
	t.Parallel()
	records := dial(t, listening(t, responder.Records{}, responder.Limits{}))
	for _, b := range []string{"\x00\x00\x00\x02he", "\x00\x00\x00\x00", "\x80\x00\x00", "\x03llo", "\x80\x00\x00\x01x"} {
		if _, err := records.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	want := "\x80\x00\x00\x0ahellohello\x80\x00\x00\x02xx"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(records, got); err != nil || string(got) != want {
		t.Errorf("records: %q, %v; want %q", got, err, want)
	}
	lengths := dial(t, listening(t, responder.Lengths{}, responder.Limits{Requests: 2}))
	if _, err := lengths.Write([]byte("\x00\x01a\x00\x02bc\x00\x01d")); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(lengths); err != nil && !isReset(err) || string(all) != "\x00\x02aa\x00\x04bcbc" {
		t.Errorf("lengths: %q, %v; want two answers and the end", all, err)
	}
}

// TestHostileStreams: lengths that lie, requests that never come, and more connections than there may be, end.
func TestHostileStreams(t *testing.T) {
	t.Parallel()
	limits := responder.Limits{Patience: 200 * time.Millisecond, PerAddress: 6, Connections: 6}
	records, lengths := listening(t, responder.Records{}, limits), listening(t, responder.Lengths{}, limits)
	fragments := bytes.Repeat([]byte{0, 0, 0, 0}, 1000)
	for name, c := range map[string]struct{ to, send string }{
		"a fragment of 2 GiB":    {records, "\xff\xff\xff\xff"},
		"a fragment of 16 MiB":   {records, "\x01\x00\x00\x00"},
		"one byte too much":      {records, string(binary.BigEndian.AppendUint32(nil, 1<<31|responder.MaxRequest+1))},
		"fragments without end":  {records, string(fragments)},
		"nothing":                {records, ""},
		"half a mark":            {records, "\x80\x00"},
		"less than it says":      {records, "\x80\x00\x00\x09abc"},
		"a message of 64 KiB":    {lengths, "\xff\xff"},
		"half a message":         {lengths, "\x00\x09abc"},
		"a greeting for another": {lengths, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
	} {
		conn := dial(t, c.to)
		if _, err := io.WriteString(conn, c.send); err != nil && !isReset(err) {
			t.Fatal(err)
		}
		closes(t, name, conn)
		_ = conn.Close()
	}
	var all []net.Conn
	for range 6 {
		all = append(all, dial(t, records))
	}
	closes(t, "one connection too many", dial(t, records))
	for _, c := range all {
		_ = c.Close()
	}
}

// FuzzFraming: no bytes make a framing return more than it may.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02he\x80\x00\x00\x03llo"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, framing := range []responder.Framing{responder.Records{}, responder.Lengths{}} {
			r := bytes.NewReader(b)
			for {
				request, err := framing.Read(r)
				if len(request) > responder.MaxRequest {
					t.Fatalf("%T: %d bytes", framing, len(request))
				}
				if err != nil {
					break
				}
				again, err := framing.Read(bytes.NewReader(framing.Frame(nil, request)))
				if err != nil || !bytes.Equal(again, request) {
					t.Fatalf("%T: %q came back as %q, %v", framing, request, again, err)
				}
			}
		}
	})
}
