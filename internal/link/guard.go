package link

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// maxUnproved is how many bytes a peer may send before its handshake is over.
const maxUnproved = 64 << 10

// guardedConn bounds what a peer may send before its handshake is over, and gives its place back when it closes.
type guardedConn struct {
	net.Conn
	budget  atomic.Int64
	proved  atomic.Bool
	release func()
	once    sync.Once
}

func guardConn(conn net.Conn, release func()) *guardedConn {
	g := &guardedConn{Conn: conn, release: release}
	g.budget.Store(maxUnproved)
	return g
}

// Read reads, until the handshake is over no more than the budget.
func (g *guardedConn) Read(b []byte) (int, error) {
	if g.proved.Load() {
		return g.Conn.Read(b)
	}
	left := g.budget.Load()
	if left <= 0 {
		return 0, fault.Newf(fault.Forbidden, "more than %d bytes before the end of the handshake", maxUnproved)
	}
	n, err := g.Conn.Read(b[:min(int64(len(b)), left)])
	g.budget.Add(-int64(n))
	return n, err
}

// Close closes the connection and gives its place back.
func (g *guardedConn) Close() error {
	g.giveBack()
	return g.Conn.Close()
}

// giveBack frees the place among those that have proved nothing.
func (g *guardedConn) giveBack() { g.once.Do(g.release) }

// Places bounds how many connections may be open that have proved no identity: those in their handshake, and HTTPS.
type Places struct {
	total, each int // bounds

	mu    sync.Mutex
	taken int
	by    map[netip.Prefix]int
}

// NewPlaces bounds connections altogether, and from one IPv4 address or one IPv6 /64.
func NewPlaces(total, each int) *Places {
	return &Places{total: total, each: each, by: map[netip.Prefix]int{}}
}

// Take takes a place and returns how to give it back, or false where none is free for that address.
func (p *Places) Take(remote net.Addr) (func(), bool) {
	from := network(remote)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.total || p.by[from] >= p.each {
		return nil, false
	}
	p.taken++
	p.by[from]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.by[from]--; p.by[from] == 0 {
			delete(p.by, from)
		}
	}, true
}

// network returns what counts as one peer: an IPv4 address, or the /64 that one IPv6 host may have wholly. Addresses
// of other kinds count as one.
func network(remote net.Addr) netip.Prefix {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	address := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
