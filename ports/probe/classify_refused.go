package probe

import (
	"fmt"
	"net/netip"

	"github.com/reeve-scheduler/reeve/ports"
)

// refused: five causes give the one error, and only what stands beside it tells them apart.
func (c *classifier) refused() {
	icmp := c.near.ICMP
	switch {
	case icmp != nil && c.own(icmp) && !c.loopback():
		c.is(Blocked, LocalEgressBlocked, "this host's own rules reject it: "+icmpName(icmp))
	case icmp != nil && icmp.Address != c.near.Remote.Addr():
		c.rejected(icmp)
	case icmp != nil && c.near.Protocol == ports.TCP:
		c.rejected(icmp) // a closed TCP port answers with a reset, never with ICMP
	case c.near.Egress == EgressBlocked && !c.loopback():
		c.is(Blocked, LocalEgressBlocked, "this host's own rules reset it: the answer came before the first hop")
	case c.far == nil:
		c.refusedOneEnd()
	default:
		c.refusedBothEnds()
	}
}

// loopback reports whether the dial never leaves this host: then its own address is also the far end's.
func (c *classifier) loopback() bool {
	return c.near.Remote.Addr().IsLoopback() || c.near.Remote.Addr() == c.near.Local.Addr()
}

func (c *classifier) refusedOneEnd() {
	if c.near.Protocol == ports.UDP {
		c.open(Broken, fmt.Sprintf("%s refuses it: nobody listens there, or the host's own rules say so", c.near.Remote.Addr()), NoListener, RejectedBy)
		return
	}
	c.open(Broken, "it is refused, and this end cannot see by whom", c.unlessLeft(NoListener, BoundNotListening, RejectedBy, ResetOnPath)...)
}

// unlessLeft adds the dialling host's own rules to what is possible, where packets were not seen to leave it.
func (c *classifier) unlessLeft(possible ...Reason) []Reason {
	if c.near.Egress == EgressLeft || c.loopback() {
		return possible
	}
	return append(possible, LocalEgressBlocked)
}

func (c *classifier) refusedBothEnds() {
	far := c.far
	if far.Arrived == SawNothing {
		c.open(Blocked, "it is refused, and the host has not seen it", c.unlessLeft(ResetOnPath)...)
		return
	}
	switch far.Listener {
	case Nobody, ListensBeside:
		c.is(Broken, NoListener, "nobody listens there")
		if far.Listener == ListensBeside {
			c.p.Text = fmt.Sprintf("nobody listens on that address: the listener is on %s", far.Bound)
		}
		c.theHostsOwn()
	case OnlyBound:
		c.is(Broken, BoundNotListening, "the port is taken by a program that does not listen")
		if far.Owner != nil {
			c.p.Text = "the port is taken by " + far.Owner.String() + ", which does not listen"
		}
		c.theHostsOwn()
	case Listening:
		switch {
		case far.Backlog.Full():
			c.full()
		case far.Arrived == Saw:
			c.is(Blocked, RejectedBy, "it reaches the host, somebody listens there, and the host's own rules reject it")
		default:
			c.open(Blocked, "it is refused, although somebody listens there", c.unlessLeft(ResetOnPath, RejectedBy)...)
		}
	case ListenerUnseen, "":
		c.refusedOneEnd()
	}
}

// theHostsOwn notes what must hold where the host refuses for a good reason, and was not seen to.
func (c *classifier) theHostsOwn() {
	if c.far.Arrived != Saw {
		c.assume("the refusal is the host's own, and not one of a box on the way")
	}
}

// icmpAbsent reports whether a message says that a host is not there.
func icmpAbsent(i *ICMP) bool {
	return is4(i.Address) && i.Type == 3 && i.Code == 1 || !is4(i.Address) && i.Type == 1 && i.Code == 3
}

// icmpUsedUp reports whether a message says that a packet has died of age.
func icmpUsedUp(i *ICMP) bool {
	return is4(i.Address) && i.Type == 11 || !is4(i.Address) && i.Type == 3
}

func is4(a netip.Addr) bool { return a.Unmap().Is4() }
