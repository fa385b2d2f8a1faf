package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Classify says what two views of one dial prove: whether the flow is as the plan wants it, and why. It is pure; the
// same views give the same proof. far is nil where the destination said nothing. What several causes explain gets the
// reason Unknowable with all of them, and never one that is only likely.
func Classify(s Subject, near SourceView, far *DestinationView) Proof {
	c := &classifier{near: near, far: far}
	c.p = Proof{
		Flow: s.Flow, From: s.From, To: s.To, Protocol: near.Protocol, Address: near.Address, Expect: s.Expect, PlanHash: s.PlanHash, At: s.At,
		Possible: []Reason{}, Assumptions: []string{}, Basis: OneEnd,
	}
	if c.p.Expect == "" {
		c.p.Expect = Open
	}
	if far != nil {
		c.p.Basis = BothEnds
	}
	c.evidence()
	c.outcome()
	if c.p.Expect == Closed {
		c.closed()
	}
	if c.p.Good() && len(near.Also) > 0 {
		c.assume("what holds for %s holds for the other addresses of the name too: %s", near.Remote, joinAddresses(near.Also))
	}
	if c.p.Remedy == "" && !c.p.Good() {
		c.p.Remedy = c.p.Reason.meaning().Remedy
	}
	return c.p
}

// classifier is one classification in the making.
type classifier struct {
	near SourceView
	far  *DestinationView
	p    Proof
}

// A host that is not there is missed after three seconds: the neighbour table asks three times, a second apart. A box that
// rejects does so at once, or, because systems send few ICMP errors a second, when it is dialled again. The delay is the
// only difference, and one that is neither is no answer.
const (
	missed = 2500 * time.Millisecond
	atOnce = 500 * time.Millisecond
)

// absent reports whether the neighbour table has missed the host, and whether that is sure either way.
func (c *classifier) absent() (yes, sure bool) {
	took := c.near.Took
	if c.near.Again > 0 {
		took = c.near.Again
	}
	return took >= missed, took >= missed || took < atOnce
}

func (c *classifier) evidence() {
	e := Evidence{MS: float64(c.near.Took.Microseconds()) / 1000, ICMP: c.near.ICMP, Hop: c.hop(), Answer: c.near.Answer, Source: c.near, Destination: c.far}
	if c.near.Errno != "" {
		e.Errno = &c.near.Errno
	}
	if c.near.Local.IsValid() {
		e.Local = c.near.Local.String()
	}
	if seen := c.seenAs(); seen.IsValid() {
		e.Seen = seen.String()
	}
	c.p.Evidence = e
}

// outcome decides by what became of the dial, as if the path had to be open.
func (c *classifier) outcome() {
	switch c.near.Outcome {
	case Unresolved:
		c.is(Broken, NameUnresolved, "the name has no address: "+c.near.Text)
	case Itself:
		c.is(Broken, SelfConnect, "the connection came back to itself: nobody listens there")
	case NotPermitted:
		if c.near.ICMP != nil { // over IPv6 a box that prohibits looks like a right that this host lacks
			c.unreachable()
			return
		}
		c.is(Blocked, LocalEgressBlocked, "this host does not let it out: "+c.near.Text)
	case Connected:
		c.connected()
	case Refused:
		c.refused()
	case HostUnreachable, NetUnreachable:
		c.unreachable()
	case Silence:
		c.silent()
	case OtherError:
		if c.near.ICMP != nil {
			c.unreachable()
			return
		}
		c.is(Unproven, Unknowable, "the dial ended with an error that says nothing of the path: "+c.near.Text)
	default:
		c.is(Unproven, Unknowable, fmt.Sprintf("the dial has the outcome %q, which is not known here", c.near.Outcome))
	}
}

func (c *classifier) is(v Verdict, r Reason, text string) {
	c.p.Verdict, c.p.Reason, c.p.Text = v, r, text
}

// open is for what several reasons explain.
func (c *classifier) open(v Verdict, text string, possible ...Reason) {
	if len(possible) == 1 {
		c.is(v, possible[0], text)
		return
	}
	c.is(v, Unknowable, text)
	c.p.Possible = possible
}

func (c *classifier) assume(format string, args ...any) {
	c.p.Assumptions = append(c.p.Assumptions, fmt.Sprintf(format, args...))
}

// unreachable: the system says that there is no way.
func (c *classifier) unreachable() {
	late, sure := c.absent()
	icmp := c.near.ICMP
	switch {
	case icmp != nil && icmpUsedUp(icmp):
		c.is(Broken, NoRoute, fmt.Sprintf("the packets go round in circles until %s gives them up", icmp.Address))
	case icmp != nil && icmpAbsent(icmp) && !sure:
		c.open(Broken, fmt.Sprintf("%s says that the host is unreachable, too late for a rule and too soon for a host that is not there", icmp.Address), HostAbsent, RejectedBy, NoRoute)
	case icmp != nil && !c.own(icmp) && late && icmpAbsent(icmp):
		c.is(Broken, HostAbsent, fmt.Sprintf("%s has asked for the host in its own network, and nobody answered", icmp.Address))
	case icmp != nil && !c.own(icmp):
		c.rejected(icmp)
	case icmp != nil && !icmpAbsent(icmp), icmp != nil && !late:
		c.is(Blocked, LocalEgressBlocked, "this host's own rules reject it: "+icmpName(icmp))
	case late && c.near.Gateway.IsValid():
		c.is(Broken, NoRoute, fmt.Sprintf("the way leads by %s, and nobody answers to that address", c.near.Gateway))
	case late && c.near.Outcome == HostUnreachable && c.near.System == "linux":
		c.is(Broken, HostAbsent, "nobody in the network of this host answers to the address")
	case c.near.Queue || c.near.Outcome == NetUnreachable && c.near.System == "linux":
		c.is(Broken, NoRoute, "this host knows no way to the address: "+c.near.Text)
	default:
		c.open(Broken, "there is no way, and this system does not say who says so: "+c.near.Text, NoRoute, HostAbsent, RejectedBy, LocalEgressBlocked)
	}
}

// rejected: a box that is not the dialling host said no.
func (c *classifier) rejected(icmp *ICMP) {
	if icmp.Address == c.near.Remote.Addr() {
		c.is(Blocked, RejectedBy, "the host's own rules reject it: "+icmpName(icmp))
		return
	}
	c.is(Blocked, RejectedBy, fmt.Sprintf("%s rejects it: %s", icmp.Address, icmpName(icmp)))
}

// closed turns the answer round: the plan wants the path closed.
func (c *classifier) closed() {
	p := &c.p
	if c.near.Outcome == Connected { // whoever answered, or did not: the path let it through
		c.is(Exposed, UnexpectedlyOpen, "it must be closed, and it was reached: "+p.Text)
		p.Possible, p.Assumptions, p.Remedy = []Reason{}, []string{}, ""
		return
	}
	switch p.Reason {
	case RejectedBy, ResetOnPath, DroppedAfterHop, LocalEgressBlocked:
		c.is(Proven, NotReachable, "it is closed: "+p.Text)
	case NoListener, BoundNotListening, BacklogFull:
		if c.far != nil && c.far.Listener == ListensBeside {
			c.is(Proven, NotReachable, fmt.Sprintf("it is closed: it listens on %s alone", c.far.Bound))
			return
		}
		c.is(Unproven, p.Reason, "it is closed only because nobody takes connections there now: "+p.Text)
		p.Remedy = "ask again while somebody listens there: `reeve ports probe listen` does"
	case SelfConnect, NoRoute, HostAbsent, NameUnresolved:
		c.is(Unproven, p.Reason, "it was not reached, which proves nothing of its rules: "+p.Text)
	case Unknowable:
		p.Verdict = Unproven
		p.Text = "it was not reached, and it is not known what keeps it closed: " + p.Text
	case OK, Translated, ForeignListener, WrongProtocol, TLSIntercepted, UnexpectedlyOpen, NotReachable: // of a connection
	}
}

func joinAddresses(all []netip.AddrPort) string {
	parts := make([]string, len(all))
	for i, a := range all {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}

// own reports whether the dialling host itself sent the message.
func (c *classifier) own(i *ICMP) bool {
	return slices.Contains(c.near.Own, i.Address) || c.near.Local.IsValid() && i.Address == c.near.Local.Addr()
}
