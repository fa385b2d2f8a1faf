package ledger

import (
	"errors"
	"net/netip"
	"os"
	"runtime"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Observation is what a host shows of its sockets in one network namespace.
type Observation struct {
	Netns     uint64
	Listeners []Listener
	Leases    []Carried // that processes carry in their environment: see Grant.Environment
}

// Listener is a socket that keeps others from its number.
type Listener struct {
	Protocol ports.Protocol
	Local    netip.AddrPort
	V6Only   bool
	PID      int    // of the first process that has it; 0: cannot be seen
	Program  string // empty: cannot be seen
	All      []int  // every process that has it
}

// Observe looks at this host. What other users' processes have open, only root sees fully.
func Observe() (Observation, error) {
	if runtime.GOOS != "linux" {
		return Observation{}, errors.New("observing a host is only built for Linux")
	}
	diag, err := socket.Diagnose()
	if err != nil {
		diag = socket.Diag{} // then an IPv6 socket on all addresses counts as one of IPv4 too
	}
	all, _, err := socket.Host(os.DirFS("/"), diag)
	if err != nil {
		return Observation{}, err
	}
	obs := Observation{Netns: networkSpace()}
	for _, o := range all {
		if o.Remote.Port() != 0 || o.State != socket.StateListening && o.State != socket.StateBound {
			continue
		}
		l := Listener{Protocol: ports.Protocol(o.Protocol), Local: o.Local, V6Only: o.V6Only}
		for _, owner := range o.Owners {
			if l.PID == 0 {
				l.PID, l.Program = owner.PID, owner.Program
			}
			l.All = append(l.All, owner.PID)
		}
		obs.Listeners = append(obs.Listeners, l)
	}
	obs.Leases = carried(obs.Listeners)
	return obs, nil
}

// address returns where the listener meets others, as leases write it.
func (l Listener) address() netip.Addr {
	if l.Local.Addr() == netip.IPv6Unspecified() && !l.V6Only {
		return netip.Addr{}
	}
	return l.Local.Addr()
}

// has returns the listener that has one of a lease's numbers; nil if none has.
func (o *Observation) has(l *Lease) *Listener {
	if l.Netns != 0 && o.Netns != 0 && l.Netns != o.Netns {
		return nil
	}
	for i := range o.Listeners {
		x := &o.Listeners[i]
		port := ports.Port(x.Local.Port())
		if (port == l.Port || l.Pair != 0 && port == l.Pair) && contains(l.Protocol, x.Protocol) && meets(l.Address, x.address()) {
			return x
		}
	}
	return nil
}

func contains(all []ports.Protocol, p ports.Protocol) bool {
	for _, x := range all {
		if x == p {
			return true
		}
	}
	return false
}
