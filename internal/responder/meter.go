package responder

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxSenders is how many senders are told apart in one second; the rest share the bound of all.
const maxSenders = 4096

// meter counts requests in the second that runs.
type meter struct {
	each, total int
	now         func() time.Time

	mu     sync.Mutex
	second int64
	all    int
	by     map[netip.Prefix]int
	broken int
}

func newMeter(l Limits, now func() time.Time) *meter {
	return &meter{each: l.Each, total: l.Total, now: now, by: map[netip.Prefix]int{}}
}

// may counts a request and reports whether it is to be answered.
func (m *meter) may(from netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if second := m.now().Unix(); second != m.second {
		m.second, m.all, m.broken = second, 0, 0
		clear(m.by)
	}
	who := whose(from)
	if m.all >= m.total || m.by[who] >= m.each {
		return false
	}
	m.all++
	if _, known := m.by[who]; known || len(m.by) < maxSenders {
		m.by[who]++
	}
	return true
}

// maxBroken is how often in one second a socket may fail to receive before it counts as broken.
const maxBroken = 1000

// pause counts a failure and reports whether it is worth going on.
func (m *meter) pause() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if second := m.now().Unix(); second != m.second {
		m.second, m.all, m.broken = second, 0, 0
		clear(m.by)
	}
	m.broken++
	return m.broken <= maxBroken
}

// whose is what one sender can have many addresses of: an IPv4 address, or an IPv6 /64.
func whose(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// places bounds the connections that are open at once.
type places struct {
	total, each int

	mu    sync.Mutex
	taken int
	by    map[netip.Prefix]int
}

// take takes a place for a connection; it is false where there is none.
func (p *places) take(a net.Addr) (release func(), ok bool) {
	who := whose(addrPort(a).Addr())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.total || p.by[who] >= p.each {
		return nil, false
	}
	p.taken++
	p.by[who]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.by[who]--; p.by[who] == 0 {
			delete(p.by, who)
		}
	}, true
}
