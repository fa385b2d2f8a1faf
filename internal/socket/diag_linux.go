package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// The parts of linux/sock_diag.h and linux/inet_diag.h that a dump needs.
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	requestLen       = 56
	messageLen       = 72
	attrV6Only       = 11
	stateClose       = 7
	stateListen      = 10
	stateBoundIdle   = 13 // of a request, since Linux 6.8: bound by TCP, neither listening nor connected; the answer says close
)

// Diag is what only the kernel's socket diagnostics tell, and the tables of /proc do not.
type Diag struct {
	V6Only map[uint64]bool // by inode, of sockets of IPv6: whether they leave IPv4 alone
	Bound  []Observed      // TCP sockets that have a port without listening on it: nobody else can bind it
	Limit  map[uint64]int  // by inode, of TCP listeners: when more connections than this wait, the next are dropped
}

// Diagnose asks the kernel about the sockets of this network namespace. It needs no privileges; a kernel without
// socket diagnostics gives an error.
func Diagnose() (Diag, error) {
	d := Diag{V6Only: map[uint64]bool{}, Limit: map[uint64]int{}}
	for _, of := range []struct {
		family, protocol uint8
		states           uint32
	}{
		{syscall.AF_INET6, syscall.IPPROTO_TCP, 1<<stateListen | 1<<stateBoundIdle},
		{syscall.AF_INET, syscall.IPPROTO_TCP, 1<<stateListen | 1<<stateBoundIdle},
		{syscall.AF_INET6, syscall.IPPROTO_UDP, 1 << stateClose},
	} {
		request := make([]byte, requestLen)
		request[0], request[1] = of.family, of.protocol
		binary.NativeEndian.PutUint32(request[4:], of.states)
		err := ask(netlinkSockDiag, sockDiagByFamily, syscall.NLM_F_DUMP, request, func(m []byte) { d.add(m, of.protocol) })
		if errors.Is(err, syscall.ENOENT) && of.family == syscall.AF_INET6 {
			continue // no IPv6 in this kernel, and so no socket of it
		}
		if err != nil {
			return Diag{}, fmt.Errorf("asking the kernel about its sockets: %w", err)
		}
	}
	return d, nil
}

// add takes one socket of a dump: struct inet_diag_msg with its attributes.
func (d *Diag) add(m []byte, protocol uint8) {
	if len(m) < messageLen {
		return
	}
	o := Observed{Protocol: "tcp", State: StateBound, UID: binary.NativeEndian.Uint32(m[64:]), Inode: uint64(binary.NativeEndian.Uint32(m[68:]))}
	addr := netip.AddrFrom4([4]byte(m[8:12]))
	if m[0] == syscall.AF_INET6 {
		addr = netip.AddrFrom16([16]byte(m[8:24])).Unmap()
	}
	o.Local = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(m[4:]))
	for rest := m[messageLen:]; len(rest) >= 4; {
		size, kind := int(binary.NativeEndian.Uint16(rest)), binary.NativeEndian.Uint16(rest[2:])
		if size < 4 || size > len(rest) {
			break
		}
		if kind == attrV6Only && size > 4 {
			d.V6Only[o.Inode] = rest[4] != 0
		}
		rest = rest[min(len(rest), (size+3)&^3):]
	}
	if protocol == syscall.IPPROTO_TCP && m[1] == stateListen {
		d.Limit[o.Inode] = int(binary.NativeEndian.Uint32(m[60:]))
	}
	if protocol == syscall.IPPROTO_TCP && m[1] == stateClose && o.Inode != 0 {
		d.Bound = append(d.Bound, o)
	}
}
