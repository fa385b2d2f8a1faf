package probe

import (
	"fmt"

	"github.com/reeve-scheduler/reeve/ports"
)

// silent: nothing came back.
func (c *classifier) silent() {
	switch {
	case c.near.Egress == EgressBlocked:
		c.is(Blocked, LocalEgressBlocked, "this host's own rules drop it: the system could not send it")
	case c.far == nil && c.near.Protocol == ports.UDP:
		c.open(Unproven, "nothing came back, as from a service that does not answer", c.unlessLeft(OK, DroppedAfterHop)...)
	case c.far == nil:
		c.open(Broken, "nothing came back"+c.where(), c.unlessLeft(c.retried(c.hasty(DroppedAfterHop, BacklogFull)...)...)...)
	case c.far.Arrived == Saw, c.far.Accepted == Saw:
		c.arrived()
	case c.far.Backlog.Full() && c.far.Arrived != SawNothing:
		c.full()
	default:
		c.open(Blocked, "it is dropped on the way"+c.where(), c.unlessLeft(c.hasty(DroppedAfterHop)...)...)
		c.unwatched()
	}
}

// hasty adds what a longer wait would have told from silence: that nobody answers to the address. A host that speaks for
// itself is there, unless the address that was dialled is not its own.
func (c *classifier) hasty(possible ...Reason) []Reason {
	if h := c.hop(); c.near.Took < missed && (c.far == nil || h == nil || h.Number == 0) && !c.loopback() {
		return append(possible, HostAbsent)
	}
	return possible
}

// retried adds what Windows makes look like silence: it dials a port that refuses several times before it says so (F77).
func (c *classifier) retried(possible ...Reason) []Reason {
	if c.near.System == "windows" {
		return append(possible, NoListener)
	}
	return possible
}

// arrived: the far end has seen it, and its answer has not come.
func (c *classifier) arrived() {
	far := c.far
	switch {
	case far.Backlog.Full():
		c.full()
	case far.Accepted == Saw:
		c.is(Blocked, DroppedAfterHop, "it arrives, and the answer is dropped on the way back")
	case c.near.Protocol == ports.UDP && far.Listener == Listening && !far.Ours:
		c.open(Unproven, "it arrives, and the service does not answer", OK, DroppedAfterHop, ForeignListener)
	case c.near.Protocol == ports.UDP && far.Listener == Nobody:
		c.is(Broken, NoListener, "it arrives, and nobody listens there")
	default:
		c.is(Blocked, DroppedAfterHop, "it reaches the host and not its listener: the host's own rules drop it, or the way back is closed")
	}
}

// unwatched notes what must hold where the far end does not look at the wire.
func (c *classifier) unwatched() {
	if c.far.Arrived == SawNothing {
		return
	}
	switch c.far.Listener {
	case Listening:
		c.assume("the listener would have taken it, had it come")
	case Nobody, OnlyBound, ListensBeside:
		c.assume("the host refuses what reaches it and nobody takes, as systems do")
		c.p.Text += "; and nobody listens there"
	case ListenerUnseen, "":
		c.open(c.p.Verdict, "nothing came back"+c.where(), c.unlessLeft(DroppedAfterHop, BacklogFull)...)
	}
}

// where says how far packets came.
func (c *classifier) where() string {
	h := c.hop()
	switch {
	case h == nil || h.Number == 0:
		return ""
	case h.Address == "":
		return fmt.Sprintf(" after hop %d", h.Number)
	}
	return fmt.Sprintf(" after hop %d (%s)", h.Number, h.Address)
}

// hop is the last one that answered a trace.
func (c *classifier) hop() *Hop {
	if len(c.near.Trace) == 0 {
		return nil
	}
	h := &Hop{}
	for _, step := range c.near.Trace {
		if step.Router.IsValid() && step.TTL > h.Number {
			h.Number, h.Address = step.TTL, step.Router.String()
		}
	}
	return h
}

// icmpName names an error message.
func icmpName(i *ICMP) string {
	names := map[[2]int]string{
		{3, 0}: "network unreachable", {3, 1}: "host unreachable", {3, 2}: "protocol unreachable", {3, 3}: "port unreachable",
		{3, 9}: "network prohibited", {3, 10}: "host prohibited", {3, 13}: "prohibited by an administrator", {11, 0}: "too many hops",
	}
	if !is4(i.Address) {
		names = map[[2]int]string{
			{1, 0}: "no route", {1, 1}: "prohibited by an administrator", {1, 3}: "host unreachable", {1, 4}: "port unreachable", {1, 5}: "source not allowed",
			{1, 6}: "route rejected", {3, 0}: "too many hops",
		}
	}
	text := fmt.Sprintf("ICMP %d/%d", i.Type, i.Code)
	if name := names[[2]int{i.Type, i.Code}]; name != "" {
		text += " " + name
	}
	return text
}
