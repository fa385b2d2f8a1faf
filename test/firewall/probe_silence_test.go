//go:build linux

package firewall_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports/probe"
)

// What is dropped, and what only looks so.
func TestProbeSilence(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	for _, tr := range []truth{
		{name: "router drops", router: "tcp dport 17971 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "router drops the way back", router: "tcp sport 17971 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "host drops", far: "tcp dport 17971 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "own rules drop", near: "tcp dport 17971 drop", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "absent in the same network", set: onLink("10.2.0.77"), address: "10.2.0.77", reason: probe.HostAbsent, both: probe.Broken},
		{name: "absent behind the router", set: behindRouter("10.1.0.77"), address: "10.1.0.77", reason: probe.HostAbsent, both: probe.Broken},
		{name: "gateway absent", set: gatewayAbsent, reason: probe.NoRoute, both: probe.Broken},
	} {
		p.prove(tr)
	}
}

// A listening end without rights sees its own sockets and the queues of others. What it did not see is assumed, or left open.
func TestProbeBlind(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	for _, tr := range []truth{
		{name: "listening", reason: probe.OK, both: probe.Proven},
		{name: "nothing bound", end: "look", reason: probe.NoListener, both: probe.Broken},
		{name: "bound, not listening", end: "look", set: bindOnly, reason: probe.BoundNotListening, both: probe.Broken},
		{name: "queue full", end: "look", set: fillQueue, reason: probe.BacklogFull, both: probe.Broken},
		{name: "stranger speaks", end: "look", set: stranger("SSH-2.0-stranger\r\n"), reason: probe.ForeignListener, both: probe.Broken},
		{name: "host resets", far: "tcp dport 17971 reject with tcp reset", reason: probe.RejectedBy, both: probe.Blocked, open: true},
		{name: "router resets", router: "tcp dport 17971 reject with tcp reset", reason: probe.ResetOnPath, both: probe.Blocked, open: true},
		{name: "router drops", router: "tcp dport 17971 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "host drops", far: "tcp dport 17971 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
	} {
		tr.blind = true
		p.prove(tr)
	}
}

// Datagrams: an answer is proof, silence is none. (trap F78)
func TestProbeUDP(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	for _, tr := range []truth{
		{name: "echo", reason: probe.OK, both: probe.Proven},
		{name: "nothing bound", end: "look", reason: probe.NoListener, both: probe.Broken},
		{name: "silent listener", end: "look", set: silentUDP, reason: probe.OK, both: probe.Unproven, open: true},
		{name: "router drops", router: "udp dport 17973 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "router drops the answer", router: "udp sport 17973 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "host drops", far: "udp dport 17973 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "host rejects", far: "udp dport 17973 reject with icmp port-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router rejects", router: "udp dport 17973 reject with icmp port-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router prohibits", router: "udp dport 17973 reject with icmp admin-prohibited", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "own rules drop", near: "udp dport 17973 drop", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "own rules reject", near: "udp dport 17973 reject with icmp admin-prohibited", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "source translated", set: sourceNAT, reason: probe.Translated, both: probe.Proven},
	} {
		tr.row = "datagram"
		p.prove(tr)
	}
}

// socketOn opens a socket in a place until it is closed.
func (p *proving) socketOn(h *host, kind int, at unix.Sockaddr) int {
	p.t.Helper()
	fd := -1
	var err error
	h.do(func() {
		if fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0); err == nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			err = unix.Bind(fd, at)
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return fd
}

func (p *proving) number(row string) int { return int(p.port(row)) }

func bindOnly(p *proving) func() {
	fd := p.socketOn(p.far, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: p.number("secure")})
	return func() { _ = unix.Close(fd) }
}

func listenOnLoopback(p *proving) func() {
	fd := p.socketOn(p.far, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: p.number("secure"), Addr: [4]byte{127, 0, 0, 1}})
	if err := unix.Listen(fd, 8); err != nil {
		p.t.Fatal(err)
	}
	return func() { _ = unix.Close(fd) }
}

func silentUDP(p *proving) func() {
	fd := p.socketOn(p.far, unix.SOCK_DGRAM, &unix.SockaddrInet4{Port: p.number("datagram")})
	return func() { _ = unix.Close(fd) }
}

// fillQueue listens, accepts nothing, and fills the queue of one.
func fillQueue(p *proving) func() {
	fd := p.socketOn(p.far, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: p.number("secure")})
	if err := unix.Listen(fd, 0); err != nil {
		p.t.Fatal(err)
	}
	c := p.socketOn(p.far, unix.SOCK_STREAM, &unix.SockaddrInet4{})
	if err := unix.Connect(c, &unix.SockaddrInet4{Port: p.number("secure"), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		p.t.Fatal(err)
	}
	return func() { _, _ = unix.Close(c), unix.Close(fd) }
}

// stranger takes connections on both rows, and says something as soon as it hears something, or nothing ever.
func stranger(says string) func(*proving) func() {
	return func(p *proving) func() {
		var all []int
		for _, row := range []string{"secure", "plain"} {
			fd := p.socketOn(p.far, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: p.number(row)})
			if err := unix.Listen(fd, 64); err != nil {
				p.t.Fatal(err)
			}
			all = append(all, fd)
			go func() {
				for {
					c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
					if err != nil {
						return // shut down
					}
					go func() {
						defer func() { _ = unix.Close(c) }()
						b := make([]byte, 4096)
						if n, err := unix.Read(c, b); n <= 0 || err != nil {
							return
						}
						if says != "" {
							_, _ = unix.Write(c, []byte(says))
						}
						_, _ = unix.Read(c, b) // until the other end has enough
					}()
				}
			}()
		}
		return func() {
			for _, fd := range all {
				_, _ = unix.Shutdown(fd, unix.SHUT_RDWR), unix.Close(fd)
			}
		}
	}
}

// sourceNAT gives what the dialling host sends the router's address.
func sourceNAT(p *proving) func() {
	p.far.nft("flush ruleset\n") // the host's own rules are for the address that the plan knows
	p.router.nft("table ip probe {\nchain behind {\ntype nat hook postrouting priority srcnat;\nip saddr " + p.near.address.String() + " snat to " + gateway + "\n}\n}\n")
	return func() { p.router.nft("delete table ip probe\n") }
}

// portNAT lets the listening host be reached under another number.
func portNAT(p *proving) func() {
	p.router.nft("table ip probe {\nchain before {\ntype nat hook prerouting priority dstnat;\nip daddr " + p.far.address.String() + " tcp dport 18971 dnat to :17971\n}\n}\n")
	return func() { p.router.nft("delete table ip probe\n") }
}

func noRoute(kind string) func(*proving) func() {
	return func(p *proving) func() {
		p.near.ip("route add %s %s/32\n", kind, p.far.address)
		return func() { p.near.ip("route del %s %s/32\n", kind, p.far.address) }
	}
}

func noDefault(p *proving) func() {
	p.near.ip("route del default\n")
	return func() { p.near.ip("route add default via %s src %s\n", gateway, p.near.address) }
}

func onLink(address string) func(*proving) func() {
	return func(p *proving) func() {
		p.near.ip("route add %s dev way\n", address)
		return func() { p.near.ip("route del %s dev way\n", address) }
	}
}

func behindRouter(address string) func(*proving) func() {
	return func(p *proving) func() {
		p.open()
		p.router.ip("route add %s/32 dev to-hq\n", address)
		return func() {
			p.router.ip("route del %s/32 dev to-hq\n", address)
			p.close()
		}
	}
}

func gatewayAbsent(p *proving) func() {
	p.near.ip("route add %s/32 via 10.0.0.99 dev way onlink\n", p.far.address)
	return func() { p.near.ip("route del %s/32 via 10.0.0.99 dev way\n", p.far.address) }
}

// selfConnect leaves the dialling host one number for its outgoing connections: that of the row.
func selfConnect(p *proving) func() {
	set := func(text string) {
		var err error
		p.near.do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte(text), 0o600) })
		if err != nil {
			p.t.Fatal(err)
		}
	}
	set("17971 17971")
	return func() { set("32768 60999") }
}

// Where one path is open, the listening end says over it what it saw of those that are closed: no file is carried, and the
// proofs are those of both ends at once.
func TestProbeOverAnOpenPath(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	p.router.nft("table inet block {\nchain forward {\ntype filter hook forward priority filter - 10; policy accept;\ntcp dport 17972 drop\nudp dport 17973 drop\n}\n}\n")
	s := p.listen("--plan", p.plan(), "--service", "secure,plain,datagram")
	got, _ := p.dial(p.far.address.String(), "--service", "secure,plain,datagram", "--code", s.code)
	want := map[string]probe.Reason{"secure.1/tcp": probe.OK, "plain.1/tcp": probe.DroppedAfterHop, "datagram.1/udp": probe.DroppedAfterHop}
	for _, one := range got {
		if one.Reason != want[one.Flow] || one.Basis != probe.BothEnds {
			t.Errorf("%s: %s, %s by %s: %s", one.Flow, one.Verdict, one.Reason, one.Basis, one.Text)
		}
		if one.Evidence.Hop != nil && one.Evidence.Hop.Address != gateway {
			t.Errorf("%s: dropped after %+v, want the router %s named", one.Flow, one.Evidence.Hop, gateway)
		}
	}
	s.report()
	p.judge("secure.1/tcp", "plain.1/tcp", "datagram.1/udp") // what was dialled to find out is within the plan too
}

// A published port goes round the rule that denies it, and only a probe from outside sees that. (trap F74)
func TestProbeClosed(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	p.far.nft("table inet deny {\nchain input {\ntype filter hook input priority filter - 10; policy accept;\ntcp dport 17972 drop\n}\n}\n")
	s := p.listen("--plan", p.plan(), "--service", "secure,plain")
	ask := func() probe.Proof {
		got, _ := p.dial(p.far.address.String(), "--service", "plain", "--closed", "--code", s.code)
		return got[0]
	}
	if got := ask(); got.Verdict != probe.Unproven {
		t.Errorf("silence from one end: %s, %s: %s; want it unproven", got.Verdict, got.Reason, got.Text)
	}
	p.far.nft("table ip publish {\nchain before {\ntype nat hook prerouting priority dstnat;\ntcp dport 17972 redirect to :17971\n}\n}\n")
	if got := ask(); got.Verdict != probe.Exposed || got.Reason != probe.UnexpectedlyOpen {
		t.Errorf("published round the rule: %s, %s: %s; want it exposed", got.Verdict, got.Reason, got.Text)
	}
	p.far.nft("delete table ip publish\n")
	_, dialled := p.dial(p.far.address.String(), "--service", "plain", "--closed", "--code", s.code)
	merged, _ := p.proofs(p.near, "ports", "probe", "merge", "-o", "json", dialled, s.report())
	if got := merged[0]; got.Verdict != probe.Proven || got.Reason != probe.NotReachable {
		t.Errorf("with both ends: %s, %s: %s; want it proven closed", got.Verdict, got.Reason, got.Text)
	}
}

// While the listener is bound and the firewall is still closed, nobody takes a connection in its place: the system dials
// again, and the first that is let through is the listener's. (trap F23)
func TestProbeDuringTheGap(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	s := p.listen("--plan", p.plan(), "--service", "secure")
	p.block(p.near, blockage{to: true, from: true, verdict: "drop"})
	before := len(p.record.packets())
	wait := p.begin(p.near, "ports", "probe", "dial", "-o", "json", "--plan", p.plan(), p.far.address.String(), "--service", "secure", "--code", s.code, "--patience", "20s")
	within(t, 20*time.Second, func() string {
		if len(p.record.packets()) == before {
			return "nothing has come to the router"
		}
		return ""
	})
	p.unblock()
	all, _ := wait()
	if got := all[0]; got.Verdict != probe.Proven || got.Reason != probe.OK || got.Evidence.MS < 500 {
		t.Errorf("after %.0f ms: %s, %s: %s; want the packet that was sent again to have been taken", got.Evidence.MS, got.Verdict, got.Reason, got.Text)
	}
	s.report()
}
