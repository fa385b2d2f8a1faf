//go:build !linux

package socket

import (
	"errors"
	"net/netip"

	"github.com/reeve-scheduler/reeve/ports"
)

// Observe returns the sockets of a process; it is only built for Linux.
func Observe(int) ([]Observed, error) {
	return nil, errors.New("observing the sockets of a process is only built for Linux")
}

// holdersOf cannot say who has a port.
func holdersOf(netip.Addr, ports.Port) ([]Holder, string) {
	return nil, "finding the owner of a port is only built for Linux"
}
