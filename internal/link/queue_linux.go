package link

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const unsent = 128 << 10

// keepShortQueue bounds what the kernel holds that is not on its way yet. Without it, output fills a queue of
// megabytes that a heartbeat has to wait behind on a slow path. Where it cannot be set, the link works without.
func keepShortQueue(conn net.Conn) {
	if inner, ok := conn.(*guardedConn); ok {
		conn = inner.Conn
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	})
}
