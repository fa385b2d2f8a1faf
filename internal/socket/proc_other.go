//go:build !linux

package socket

import (
	"errors"
	"io/fs"
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

// Diag is what the kernel's socket diagnostics tell.
type Diag struct {
	V6Only map[uint64]bool
	Bound  []Observed
	Limit  map[uint64]int
}

// Diagnose is only built for Linux.
func Diagnose() (Diag, error) {
	return Diag{}, errors.New("asking the kernel about its sockets is only built for Linux")
}

// Host returns the sockets of this host; it is only built for Linux.
func Host(fs.FS, Diag) ([]Owned, int, error) {
	return nil, 0, errors.New("seeing the sockets of this host is only built for Linux")
}
