package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
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
}

// Diagnose asks the kernel about the sockets of this network namespace. It needs no privileges; a kernel without
// socket diagnostics gives an error.
func Diagnose() (Diag, error) {
	d := Diag{V6Only: map[uint64]bool{}}
	for _, ask := range []struct {
		family, protocol uint8
		states           uint32
	}{
		{syscall.AF_INET6, syscall.IPPROTO_TCP, 1<<stateListen | 1<<stateBoundIdle},
		{syscall.AF_INET, syscall.IPPROTO_TCP, 1 << stateBoundIdle},
		{syscall.AF_INET6, syscall.IPPROTO_UDP, 1 << stateClose},
	} {
		request := make([]byte, requestLen)
		request[0], request[1] = ask.family, ask.protocol
		binary.NativeEndian.PutUint32(request[4:], ask.states)
		err := dump(request, func(m []byte) { d.add(m, ask.protocol) })
		if errors.Is(err, syscall.ENOENT) && ask.family == syscall.AF_INET6 {
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
	if protocol == syscall.IPPROTO_TCP && m[1] == stateClose && o.Inode != 0 {
		d.Bound = append(d.Bound, o)
	}
}

// dump sends one request to the socket diagnostics, and hands on each answer.
func dump(request []byte, each func([]byte)) error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { _ = syscall.Close(fd) }()
	message := make([]byte, syscall.NLMSG_HDRLEN, syscall.NLMSG_HDRLEN+len(request))
	binary.NativeEndian.PutUint32(message, uint32(cap(message)))
	binary.NativeEndian.PutUint16(message[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(message[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	if err := syscall.Sendto(fd, append(message, request...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	answer := make([]byte, 1<<16)
	for {
		n, _, err := syscall.Recvfrom(fd, answer, 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		messages, err := syscall.ParseNetlinkMessage(answer[:n])
		if err != nil {
			return os.NewSyscallError("netlink", err)
		}
		for _, m := range messages {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return nil
			case syscall.NLMSG_ERROR:
				if len(m.Data) >= 4 {
					if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno > 0 {
						return syscall.Errno(errno)
					}
				}
				return errors.New("the kernel refused without a reason")
			default:
				each(m.Data)
			}
		}
	}
}
