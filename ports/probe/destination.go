package probe

import (
	"net/netip"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// Destination is what the observation tells of one port as the end of a flow: whether somebody listens, who, and whether
// the queue is full. at is the address of this host that is dialled; the zero address is any that others can reach. What
// arrived is not in it.
func (o Observation) Destination(protocol ports.Protocol, at netip.Addr, port ports.Port, own Own) DestinationView {
	v := DestinationView{At: o.At, Listener: Nobody, Arrived: NotWatched, Accepted: NotWatched}
	if !o.Seen {
		v.Listener = ListenerUnseen
		return v
	}
	best := Socket{}
	for _, s := range o.Sockets {
		if s.Protocol != protocol || ports.Port(s.Local.Port()) != port || s.Remote.IsValid() {
			continue
		}
		if state := listenerState(s, at); nearer(state, v.Listener) {
			v.Listener, best = state, s
		}
	}
	if v.Listener == Nobody {
		return v
	}
	v.Bound, v.Owner = best.Local, o.holder(best)
	v.Ours = slices.ContainsFunc(best.Owners, func(w Process) bool {
		return slices.Contains(own.PIDs, w.PID) || w.Path != "" && slices.Contains(own.Programs, w.Path)
	})
	if best.Limit != nil && v.Listener == Listening {
		v.Backlog = &Backlog{Waiting: best.Waiting, Limit: *best.Limit}
	}
	return v
}

// listenerState says what a socket is to who dials an address.
func listenerState(s Socket, at netip.Addr) ListenerState {
	four, six := reaches(s.Local.Addr(), s.V6Only)
	meets := !s.Local.Addr().IsLoopback()
	if at.IsValid() && !at.IsUnspecified() {
		w4, w6 := reaches(at, true)
		meets = w4.touches(four) != apart || w6.touches(six) != apart
	}
	switch {
	case !s.Listens && meets:
		return OnlyBound
	case !s.Listens:
		return Nobody
	case !meets:
		return ListensBeside
	}
	return Listening
}

// nearer reports whether one state explains more than another.
func nearer(a, b ListenerState) bool {
	rank := []ListenerState{Nobody, ListensBeside, OnlyBound, Listening}
	return slices.Index(rank, a) > slices.Index(rank, b)
}
