//go:build linux

package firewall_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// laboratory is a topology that stands: its hosts in places of their own, and the router between them.
type laboratory struct {
	t       testing.TB
	plan    string // as a command of the product is told it
	files   string // where plan and inventory lie
	site    ports.Site
	holes   []hole
	home    string
	hosts   map[string]*host
	router  *place
	second  *place // the router of the zones that are far; nil: none are
	forward []forward
	record  *recorder
	probes  map[netip.AddrPort]bool // the sources of our own attempts, which are not the product's
	server  *server
}

// host is a host of the topology.
type host struct {
	*place
	lab     *laboratory
	name    string
	address netip.Addr // its own
	home    string     // of its users
}

// Where the routers are found, and what they call themselves in ICMP.
const gateway, secondGateway = "10.0.0.254", "10.0.1.254"

// build makes the places of a topology and connects each with the router. The hosts' firewalls are loaded by the time
// it returns, and the router drops what the plan does not open.
func build(t testing.TB, tp topology) *laboratory {
	t.Helper()
	needs(t)
	l := &laboratory{t: t, plan: tp.plan, site: tp.site(t), home: t.TempDir(), hosts: map[string]*host{}, router: newPlace(t), probes: map[netip.AddrPort]bool{}}
	t.Cleanup(func() { endRest(l.home) })
	l.holes = holes(t, l.site)
	l.files = filepath.Join(l.home, "files")
	if err := os.Mkdir(l.files, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, l.inventory(), tp.inventory)
	if tp.extends != "" {
		l.plan = filepath.Join(l.files, "plan.yaml")
		write(t, l.plan, tp.text())
	}
	l.wireRouters(tp)
	l.record = record(t, l.router)
	for _, h := range l.site.Inventory.Hosts {
		n := &host{place: newPlace(t), lab: l, name: h.Name, address: own(t, h), home: filepath.Join(l.home, h.Name)}
		if err := os.Mkdir(n.home, 0o700); err != nil {
			t.Fatal(err)
		}
		l.hosts[h.Name] = n
		l.wire(n, l.second != nil && slices.Contains(tp.far, h.Zone))
		n.nft(n.must("ports", "render", "nftables", "--plan", l.plan, "--inventory", l.inventory(), "--host", h.Name))
	}
	l.translate(tp.dead)
	l.close()
	return l
}

// inventory is the file of the site's inventory.
func (l *laboratory) inventory() string { return filepath.Join(l.files, "inventory.yaml") }

// wireRouters makes the router a router, and the second one behind it, where there is one.
func (l *laboratory) wireRouters(tp topology) {
	l.t.Helper()
	l.router.ip("link set lo up")
	l.router.set("ipv4/ip_forward", 1)
	for _, b := range l.site.Inventory.Middleboxes {
		if b.Idle > 0 {
			l.router.set("netfilter/nf_conntrack_tcp_loose", 0)
			l.router.set("netfilter/nf_conntrack_tcp_timeout_established", int(b.Idle/time.Second))
		}
	}
	if len(tp.far) == 0 {
		return
	}
	l.second = newPlace(l.t)
	l.second.ip("link set lo up")
	l.second.set("ipv4/ip_forward", 1)
	l.router.ip(`link add beyond type veth peer name way netns %d
link set beyond up
address add %s/32 dev beyond
route add %s/32 dev beyond
`, l.second.tid, gateway, secondGateway)
	l.second.ip(`link set way up
address add %[1]s/32 dev way
route add %[2]s/32 dev way
route add default via %[2]s src %[1]s
`, secondGateway, gateway)
}

// wire connects a host with its router.
func (l *laboratory) wire(h *host, far bool) {
	l.t.Helper()
	router, at := l.router, gateway
	if far {
		router, at = l.second, secondGateway
		l.router.ip("route add %s/32 via %s dev beyond\n", h.address, secondGateway)
	}
	router.ip(`link add to-%[1]s type veth peer name way netns %[2]d
link set to-%[1]s up
address add %[3]s/32 dev to-%[1]s
route add %[4]s/32 dev to-%[1]s
`, h.name, h.tid, at, h.address)
	h.ip(`link set lo up
link set way up
address add %[1]s/32 dev way
route add %[2]s/32 dev way
route add default via %[2]s src %[1]s
`, h.address, at)
}

// close makes the router drop what the plan does not open.
func (l *laboratory) close() { l.router.nft(l.rules(l.holes)) }

// open makes the router let everything through, so that only the hosts' own firewalls stand.
func (l *laboratory) open() {
	l.router.nft("table inet router\ndelete table inet router\n")
}

// blockage is how a path is blocked: which packets of a host, and what the router does with them.
type blockage struct {
	name     string
	to, from bool // the host
	verdict  string
}

// block blocks what goes between a host and others, of connections that stand too.
func (l *laboratory) block(h *host, k blockage) {
	l.t.Helper()
	var drops string
	if k.to {
		drops += fmt.Sprintf("ip daddr %s meta l4proto tcp %s\n", h.address, k.verdict)
	}
	if k.from {
		drops += fmt.Sprintf("ip saddr %s meta l4proto tcp %s\n", h.address, k.verdict)
	}
	l.router.nft("table inet block {\nchain forward {\ntype filter hook forward priority filter - 10; policy accept;\n" + drops + "}\n}\n")
}

// unblock takes the block away.
func (l *laboratory) unblock() { l.router.nft("delete table inet block\n") }

// port returns the number of a service of the plan.
func (l *laboratory) port(service string) ports.Port {
	l.t.Helper()
	cl, ok := l.site.Compiled.Service(service)
	if !ok || cl.Port == 0 {
		l.t.Fatalf("the plan %s has no number for %s", l.plan, service)
	}
	return cl.Port
}

// seen compares what was recorded at the router with the plan. It returns how often each opening was used, by its flow,
// and what the plan does not open, be it that a host tried it or that the router even let it through.
func (l *laboratory) seen() (used, outside map[string]int) {
	used, outside = map[string]int{}, map[string]int{}
	for _, p := range l.record.packets() {
		probe := l.probes[p.from]
		if !p.passed {
			p = l.behind(p)
		}
		flows := map[string]bool{} // several, where one number is for several purposes between the same hosts
		for _, h := range l.holes {
			if h.lets(p) {
				flows[h.flow] = true
			}
		}
		switch {
		case probe:
		case len(flows) == 0 && p.passed:
			outside[p.String()+", and the router let it through"]++
		case len(flows) == 0:
			outside[p.String()]++
		case !p.passed:
			for flow := range flows {
				used[flow]++
			}
		}
	}
	return used, outside
}

// judge fails the test for every packet outside the plan, and for each of these flows whose opening was not used.
func (l *laboratory) judge(flows ...string) {
	l.t.Helper()
	used, outside := l.seen()
	for _, p := range slices.Sorted(maps.Keys(outside)) {
		l.t.Errorf("outside the plan: %s (%d times)", p, outside[p])
	}
	for _, flow := range flows {
		if used[flow] == 0 {
			l.t.Errorf("the opening for %s was not used", flow)
		}
	}
	var said, unused []string
	for _, h := range l.holes {
		text := fmt.Sprintf("%s %d", h.flow, used[h.flow])
		if used[h.flow] == 0 && !slices.Contains(unused, h.flow) {
			unused = append(unused, h.flow)
		} else if used[h.flow] > 0 && !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	l.t.Logf("plan %s: %d rules; used: %s; not used: %s; outside the plan: %d", l.plan, len(l.holes), strings.Join(said, ", "), strings.Join(unused, ", "), len(outside))
}

// judgeAll fails the test for every packet outside the plan, and for each planned flow that was not used in its planned
// direction, unless the reason is given here why nothing can use it. A reason for a flow that was used is wrong, too.
func (l *laboratory) judgeAll(unused map[string]string) {
	l.t.Helper()
	var flows []string
	used, _ := l.seen()
	known := map[string]bool{}
	for _, h := range l.holes {
		known[h.flow] = true
		if _, ok := unused[h.flow]; !ok && !slices.Contains(flows, h.flow) {
			flows = append(flows, h.flow)
		}
	}
	for _, flow := range l.elsewhere(known) {
		if known[flow] = true; unused[flow] == "" {
			l.t.Errorf("the plan has %s, which no two hosts of this site have: the test has to say why", flow)
		}
	}
	for flow, reason := range unused {
		switch {
		case !known[flow]:
			l.t.Errorf("%s is no flow of the plan that Reeve dials and takes", flow)
		case used[flow] > 0:
			l.t.Errorf("%s was used %d times, though: %s", flow, used[flow], reason)
		default:
			l.t.Logf("not used: %s: %s", flow, reason)
		}
	}
	l.judge(flows...)
}

// elsewhere are the flows in use between roles that Reeve plays, but for those that the site's hosts have.
func (l *laboratory) elsewhere(here map[string]bool) []string {
	var all []string
	_, out := ports.Site{Compiled: l.site.Compiled}.Openings("")
	for _, o := range out {
		if l.site.Compiled.Kinds[o.From] != "" && l.site.Compiled.Kinds[o.To] != "" && !here[o.Flow] {
			all = append(all, o.Flow)
		}
	}
	return all
}

// oneServer is why flows between servers are not used.
const oneServer = "the site has one server"

// attempt is a connection that was begun by hand.
type attempt struct {
	fd     int
	source netip.AddrPort
	target netip.AddrPort
}

// begin begins a connection and does not wait for it.
func (h *host) begin(target netip.AddrPort) attempt {
	h.t.Helper()
	a := attempt{fd: -1, target: target}
	var err error
	h.do(func() {
		if a.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		if err = unix.Bind(a.fd, &unix.SockaddrInet4{Addr: h.address.As4()}); err != nil {
			return
		}
		var own unix.Sockaddr
		if own, err = unix.Getsockname(a.fd); err != nil {
			return
		}
		if in4, ok := own.(*unix.SockaddrInet4); ok {
			a.source = netip.AddrPortFrom(h.address, uint16(in4.Port))
		}
		h.lab.probes[a.source] = true
		if err = unix.Connect(a.fd, &unix.SockaddrInet4{Addr: target.Addr().As4(), Port: int(target.Port())}); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	})
	if err != nil {
		h.t.Fatalf("from %s to %s: %v", h.name, target, err)
	}
	return a
}

// answer returns what became of the connection so far: "open", "refused" or another error, or "" for silence.
func (a attempt) answer() string {
	polls := []unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(polls, 0); err != nil || n == 0 {
		return ""
	}
	code, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return err.Error()
	case code != 0:
		return unix.Errno(code).Error()
	}
	return "open"
}

// wantOpen connects.
func (h *host) wantOpen(target netip.AddrPort) {
	h.t.Helper()
	a := h.begin(target)
	defer unix.Close(a.fd)
	within(h.t, 10*time.Second, func() string {
		switch got := a.answer(); got {
		case "open":
			return ""
		default:
			return fmt.Sprintf("from %s to %s: %q, want it open", h.name, target, got)
		}
	})
}

// wantClosed tries targets at which somebody listens, and then one that is open. What was sent first has arrived by
// then, or was dropped: the first must have got no answer. They are dropped at the router if it is closed, else by the
// target's own firewall.
func (h *host) wantClosed(open netip.AddrPort, router bool, targets ...netip.AddrPort) {
	h.t.Helper()
	var all []attempt
	for _, target := range targets {
		a := h.begin(target)
		defer unix.Close(a.fd)
		all = append(all, a)
	}
	within(h.t, 10*time.Second, func() string {
		seen := h.lab.sources(!router) // where they have to have come by now
		for _, a := range all {
			if !seen[a.source] {
				return fmt.Sprintf("from %s to %s: it was not seen at the router", h.name, a.target)
			}
		}
		return ""
	})
	h.wantOpen(open)
	passed := h.lab.sources(true)
	for _, a := range all {
		if got := a.answer(); got != "" {
			h.t.Errorf("from %s to %s: %s, want it closed", h.name, a.target, got)
		}
		if router && passed[a.source] {
			h.t.Errorf("from %s to %s: the router let it through", h.name, a.target)
		}
	}
}

// sources are those of the packets that were seen before the router's firewall, or behind it.
func (l *laboratory) sources(passed bool) map[netip.AddrPort]bool {
	all := map[netip.AddrPort]bool{}
	for _, p := range l.record.packets() {
		if p.passed == passed {
			all[p.from] = true
		}
	}
	return all
}

// listen takes connections on numbers of a host, all addresses, until the test ends; what the product listens on
// already is left to it.
func (h *host) listen(numbers ...ports.Port) {
	h.t.Helper()
	for _, n := range numbers {
		h.do(func() {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				h.t.Error(err)
				return
			}
			h.t.Cleanup(func() { _ = unix.Close(fd) })
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: h.address.As4(), Port: int(n)}); err != nil {
				h.t.Errorf("listening on %d of %s: %v", n, h.name, err)
				return
			}
			if err := unix.Listen(fd, 8); err != nil {
				h.t.Error(err)
			}
		})
	}
}

// at returns the address of a number of the host.
func (h *host) at(n ports.Port) netip.AddrPort { return netip.AddrPortFrom(h.address, uint16(n)) }
