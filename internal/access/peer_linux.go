package access

import (
	"math"
	"syscall"
)

// peerUID asks the kernel (SO_PEERCRED) who connected. The answer is the effective user at the time of connect and
// cannot be forged by the peer. Sockets of other families are refused first: for TCP the kernel answers as well, with
// a user that means nothing.
func peerUID(conn any) (uint32, bool) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var uid uint32
	var found bool
	err = raw.Control(func(fd uintptr) {
		family, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_DOMAIN)
		if err != nil || family != syscall.AF_UNIX {
			return
		}
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil || cred.Uid == math.MaxUint32 {
			return
		}
		uid, found = cred.Uid, true
	})
	return uid, err == nil && found
}
