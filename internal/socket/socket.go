// Package socket answers: how does a service of the compiled plan become an open socket?
//
// It is the only package that opens TCP and UDP sockets. A socket is asked for by the service's id, never by a
// number: the number comes from the compiled plan, and what the plan does not have cannot be opened.
package socket

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// defaultDialTimeout bounds a dial where the context does not: a dropped packet must not cost the two minutes of the
// system's own patience.
const defaultDialTimeout = 15 * time.Second

// Net opens sockets for one compiled plan. Its methods may be called at once.
type Net struct {
	plan   ports.Compiled
	role   string
	dialer net.Dialer
	proxy  *Proxy            // nil: none
	fits   func(string) bool // hosts that are dialled by it; nil: all

	mu   sync.Mutex
	real map[string]ports.Port // the port that the system chose, for services of a test's plan that have port 0
	open map[*entry]Socket
	uses map[useKey]*Usage
}

// Option changes how a Net behaves.
type Option func(*Net)

// As makes the Net speak for one role of the plan: it opens only what the plan's flows allow this role.
func As(role string) Option { return func(n *Net) { n.role = role } }

// DialTimeout bounds each dial; it is 15 s if it is not given.
func DialTimeout(d time.Duration) Option { return func(n *Net) { n.dialer.Timeout = d } }

// New returns a Net for a compiled plan.
func New(c ports.Compiled, opts ...Option) *Net {
	n := &Net{plan: c, real: map[string]ports.Port{}, open: map[*entry]Socket{}, uses: map[useKey]*Usage{}}
	n.dialer = net.Dialer{Timeout: defaultDialTimeout, Control: dialControl}
	for _, o := range opts {
		o(n)
	}
	return n
}

// Plan returns the compiled plan that the Net opens sockets for.
func (n *Net) Plan() ports.Compiled { return n.plan }

// claim returns the TCP claim of a service.
func (n *Net) claim(service string) (ports.Claim, error) {
	for _, cl := range n.plan.Claims {
		if cl.Service == service && cl.Protocol == ports.TCP {
			return cl, nil
		}
	}
	return ports.Claim{}, fault.New(fault.Internal, "the plan "+n.plan.Plan+" has no TCP service "+strconv.Quote(service),
		"add it to the plan: no port is opened that the plan does not have")
}

// Port returns the port of a service: the plan's, or the one that the system chose where the plan has port 0. It is
// false for an unknown service, and as long as no number is known.
func (n *Net) Port(service string) (ports.Port, bool) {
	cl, err := n.claim(service)
	if err != nil {
		return 0, false
	}
	if cl.Port != 0 {
		return cl.Port, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p, ok := n.real[service]
	return p, ok
}

// Address returns HOST:PORT for a service on a host. A host that already names a port keeps it: an address may be
// advertised under another number, because of NAT. An unknown service, or one without a number, gives port 0.
func (n *Net) Address(service, host string) string {
	if h, port, ok := splitAddress(host); ok && port != "" {
		return net.JoinHostPort(h, port)
	}
	p, _ := n.Port(service)
	return net.JoinHostPort(bare(host), strconv.Itoa(int(p)))
}

// splitAddress splits HOST or HOST:PORT. An IPv6 address needs brackets only if a port follows. The port is empty if
// there is none; it is false for what is neither.
func splitAddress(s string) (host, port string, ok bool) {
	if _, err := netip.ParseAddr(bare(s)); err == nil {
		return bare(s), "", true
	}
	if !strings.Contains(s, ":") {
		return s, "", s != "" && !strings.ContainsAny(s, "[] /\t\r\n")
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, " /\t\r\n") {
		return "", "", false
	}
	if v, err := strconv.ParseUint(port, 10, 16); err != nil || v == 0 || strconv.FormatUint(v, 10) != port {
		return "", "", false
	}
	return host, port, true
}

// bare removes the brackets of an IPv6 address.
func bare(host string) string {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}

// Use says what a socket is open for.
type Use string

// The uses of a socket. Accepted connections are not listed: they belong to their listener's port.
const (
	Listens Use = "listens"
	Dialled Use = "dialled"
)

// Socket is one socket that a Net has open.
type Socket struct {
	Service string
	Use     Use
	Local   netip.AddrPort
	Remote  netip.AddrPort // zero for a listener
}

// entry is the identity of an open socket in the Net's table.
type entry struct{ _ byte }

// Open returns what is open now, ordered by service, use and address.
func (n *Net) Open() []Socket {
	n.mu.Lock()
	all := make([]Socket, 0, len(n.open))
	for _, s := range n.open {
		all = append(all, s)
	}
	n.mu.Unlock()
	slices.SortFunc(all, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Use, b.Use), a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return all
}

func (n *Net) track(s Socket) *entry {
	e := &entry{}
	n.mu.Lock()
	n.open[e] = s
	n.mu.Unlock()
	return e
}

func (n *Net) forget(e *entry) {
	n.mu.Lock()
	delete(n.open, e)
	n.mu.Unlock()
}

// addrPort is the address of a TCP end, with IPv4 in its own form.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
