package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// Watch tells of each arrival until the context ends. It returns once what comes is seen; wait returns when nothing more
// will be told. The error is ErrNoWatch where it is not allowed.
func Watch(ctx context.Context, tell func(Arrival)) (wait func(), err error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(ErrNoWatch, err)
	}
	program := firstPackets()
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, wireRoom) // where it is refused, less room is left
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)
	if err == nil { // only now: nothing that the filter does not want is in the queue
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL)})
	}
	if err != nil {
		return nil, errors.Join(ErrNoWatch, err, unix.Close(fd))
	}
	f := os.NewFile(uintptr(fd), "wire")
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stop()
		arrivals(f, tell)
	}()
	return func() { <-done }, nil
}

func bigEndian(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// arrivals reads packets until the file is closed.
func arrivals(f *os.File, tell func(Arrival)) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	b := make([]byte, wireBytes)
	for {
		var n int
		var from unix.Sockaddr
		var failed error
		if raw.Read(func(fd uintptr) bool {
			if n, from, failed = unix.Recvfrom(int(fd), b, 0); !errors.Is(failed, unix.EAGAIN) {
				return true
			}
			if s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil && s.Drops > 0 {
				tell(Arrival{Lost: int(s.Drops), At: time.Now()})
			}
			return false
		}) != nil {
			return
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if failed != nil || !ok || link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if a, ok := parsePacket(b[:n]); ok {
			a.At = time.Now()
			tell(a)
		}
	}
}

const (
	wireBytes  = 128     // of a packet: enough for its addresses
	wireRoom   = 4 << 20 // bytes of packets that wait
	minHeader4 = 20
	header6    = 40
	endsBytes  = 4 // of TCP and UDP: the two ports
)

// parsePacket reads what the filter lets through.
func parsePacket(b []byte) (Arrival, bool) {
	var a Arrival
	var from, to netip.Addr
	var protocol byte
	switch {
	case len(b) >= minHeader4 && b[0]>>4 == 4:
		from, to, protocol = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		b = b[min(len(b), int(b[0]&0xf)*4):]
	case len(b) >= header6 && b[0]>>4 == 6:
		from, to, protocol = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		b = b[header6:]
	}
	if len(b) < endsBytes {
		return a, false
	}
	a.Protocol = map[byte]ports.Protocol{unix.IPPROTO_TCP: ports.TCP, unix.IPPROTO_UDP: ports.UDP}[protocol]
	a.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b))
	a.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))
	return a, a.Protocol != ""
}

// firstPackets is a filter for the kernel: TCP with SYN and without ACK, and UDP, over IPv4 and IPv6. Of a packet in
// fragments it takes the first.
func firstPackets() []unix.SockFilter {
	const (
		ldh, ldb, ldbX = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, unix.BPF_LD | unix.BPF_B | unix.BPF_IND
		jeq, jset      = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		and, ret       = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, unix.BPF_RET | unix.BPF_K
		ethertype      = 0xfffff000 // where the kernel tells the protocol of the layer below
		syn, synAck    = 0x02, 0x12
		offset         = 0x1fff
	)
	return []unix.SockFilter{
		0:  {Code: ldh, K: ethertype},
		1:  {Code: jeq, K: unix.ETH_P_IP, Jt: 0, Jf: 8},
		2:  {Code: ldh, K: 6},
		3:  {Code: jset, K: offset, Jt: 14, Jf: 0},
		4:  {Code: ldb, K: 9},
		5:  {Code: jeq, K: unix.IPPROTO_UDP, Jt: 11, Jf: 0},
		6:  {Code: jeq, K: unix.IPPROTO_TCP, Jt: 0, Jf: 11},
		7:  {Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},
		8:  {Code: ldbX, K: 13},
		9:  {Code: unix.BPF_JMP | unix.BPF_JA, K: 5},
		10: {Code: jeq, K: unix.ETH_P_IPV6, Jt: 0, Jf: 7},
		11: {Code: ldb, K: 6},
		12: {Code: jeq, K: unix.IPPROTO_UDP, Jt: 4, Jf: 0},
		13: {Code: jeq, K: unix.IPPROTO_TCP, Jt: 0, Jf: 4},
		14: {Code: ldb, K: header6 + 13},
		15: {Code: and, K: synAck},
		16: {Code: jeq, K: syn, Jt: 0, Jf: 1},
		17: {Code: ret, K: wireBytes},
		18: {Code: ret, K: 0},
	}
}
