//go:build linux

package firewall_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// packet is the first one of a connection (SYN), or a datagram.
type packet struct {
	protocol ports.Protocol // another than TCP and UDP: its number
	from, to netip.AddrPort
	passed   bool // seen behind the firewall, not before it
}

func (p packet) String() string { return fmt.Sprintf("%s %s to %s", p.protocol, p.from, p.to) }

// recorder sees what enters and leaves a router. The kernel queues the packets at once; whoever asks takes them from
// the queue, so that what happened before the question is in the answer.
type recorder struct {
	t    testing.TB
	fd   int
	mu   sync.Mutex
	seen []packet
}

// record starts to record in a place until the test ends. It fails the test where the kernel had no room for a packet.
func record(t testing.TB, p *place) *recorder {
	t.Helper()
	r := &recorder{t: t}
	var err error
	p.do(func() {
		r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(swap(unix.ETH_P_ALL)))
	})
	if err != nil {
		t.Skipf("no packets can be recorded: %v", err)
	}
	t.Cleanup(r.close)
	program := firstPackets()
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := errors.Join(unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog), unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)); err != nil {
		t.Fatal(err)
	}
	r.take() // what came before the filter stood
	r.seen = nil
	return r
}

func swap(n uint16) uint16 { return n<<8 | n>>8 }

// firstPackets is a filter for the kernel: SYN without ACK, and all that is neither TCP nor ICMP, over IPv4 and IPv6.
func firstPackets() []unix.SockFilter {
	const (
		ldb, ldbX = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, unix.BPF_LD | unix.BPF_B | unix.BPF_IND
		jeq, and  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		ret       = unix.BPF_RET | unix.BPF_K
		// where the kernel tells the protocol of the layer below
		ethertype = 0xfffff000
		synAck    = 0x12
		syn       = 0x02
	)
	return []unix.SockFilter{
		0:  {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: ethertype},
		1:  {Code: jeq, K: unix.ETH_P_IP, Jt: 0, Jf: 6},
		2:  {Code: ldb, K: 9},
		3:  {Code: jeq, K: unix.IPPROTO_ICMP, Jt: 13, Jf: 0},
		4:  {Code: jeq, K: unix.IPPROTO_TCP, Jt: 0, Jf: 13},
		5:  {Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},
		6:  {Code: ldbX, K: 13},
		7:  {Code: unix.BPF_JMP | unix.BPF_JA, K: 7},
		8:  {Code: jeq, K: unix.ETH_P_IPV6, Jt: 0, Jf: 8},
		9:  {Code: ldb, K: 6},
		10: {Code: jeq, K: unix.IPPROTO_ICMPV6, Jt: 6, Jf: 0},
		11: {Code: jeq, K: unix.IPPROTO_HOPOPTS, Jt: 5, Jf: 0}, // reports of multicast
		12: {Code: jeq, K: unix.IPPROTO_TCP, Jt: 0, Jf: 5},
		13: {Code: ldb, K: 40 + 13},
		14: {Code: unix.BPF_JMP | unix.BPF_JA, K: 0},
		15: {Code: and, K: synAck},
		16: {Code: jeq, K: syn, Jt: 1, Jf: 0},
		17: {Code: ret, K: 0},
		18: {Code: ret, K: 128},
	}
}

// packets returns all that was seen until now.
func (r *recorder) packets() []packet {
	r.take()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]packet(nil), r.seen...)
}

// take empties the kernel's queue.
func (r *recorder) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	buf := make([]byte, 128)
	for {
		n, from, err := unix.Recvfrom(r.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			continue
		}
		p := parse(buf[:n])
		p.passed = ll.Pkttype == unix.PACKET_OUTGOING
		r.seen = append(r.seen, p)
	}
}

// parse reads what the filter lets through.
func parse(b []byte) packet {
	var p packet
	var src, dst netip.Addr
	var number byte
	if b[0]>>4 == 4 {
		src, dst, number = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		b = b[int(b[0]&0xf)*4:]
	} else {
		src, dst, number = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		b = b[40:]
	}
	switch number {
	case unix.IPPROTO_TCP:
		p.protocol = ports.TCP
	case unix.IPPROTO_UDP:
		p.protocol = ports.UDP
	default:
		p.protocol = ports.Protocol(fmt.Sprintf("protocol %d", number))
		p.from, p.to = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
		return p
	}
	p.from = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	p.to = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	return p
}

// close ends the recording; the kernel says whether something was lost.
func (r *recorder) close() {
	r.take()
	lost, err := unix.GetsockoptTpacketStats(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil || lost.Drops != 0 {
		r.t.Errorf("the record is not complete: %+v, %v", lost, err)
	}
	_ = unix.Close(r.fd)
}
