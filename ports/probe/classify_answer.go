package probe

import (
	"fmt"
	"net/netip"
)

// connected: somebody took the connection, or answered the datagram.
func (c *classifier) connected() {
	switch c.near.Answer {
	case Proved:
		c.p.Basis = BothEnds
		c.works()
	case Intercepted:
		c.p.Basis = BothEnds
		c.is(Broken, TLSIntercepted, "the host that is meant answers over a TLS session that is not this one's: something between opens it")
	case Claimed, Unasked:
		c.oneSided()
	case Stranger:
		c.stranger("who answers does not know the code: it is another one than the host that is meant")
	case SpeaksOther:
		if c.far != nil && c.far.Listener == Listening && c.far.Ours { // Reeve itself, and no probe
			c.oneSided()
			return
		}
		c.stranger("who answers speaks something else than the one that is meant")
	case SpeaksTLS, SpeaksPlain:
		c.wrongProtocol()
	case Hangup, Mute:
		c.noAnswer()
	}
}

// works: the one that is meant has answered.
func (c *classifier) works() {
	seen, reached := c.seenAs(), c.reachedAs()
	switch {
	case seen.IsValid() && c.near.Local.IsValid() && seen != c.near.Local:
		c.is(Proven, Translated, fmt.Sprintf("it works, and the listener sees %s where this host dialled from %s", seen, c.near.Local))
		c.p.Remedy = Translated.meaning().Remedy
	case reached.IsValid() && c.near.Remote.IsValid() && reached != c.near.Remote:
		c.is(Proven, Translated, fmt.Sprintf("it works, and %s was reached under %s", reached, c.near.Remote))
		c.p.Remedy = Translated.meaning().Remedy
	default:
		c.is(Proven, OK, "both ends have seen it")
	}
}

// oneSided: who answered could not be held to it.
func (c *classifier) oneSided() {
	switch {
	case c.far == nil:
		c.works()
		c.p.Verdict = Assumed
		if c.p.Reason == OK {
			c.p.Text = "somebody takes connections there"
		}
		c.assume("whoever answers at %s is the one that the plan means: this end alone was asked", c.near.Remote)
	case c.far.Nonce || c.far.Accepted == Saw && c.far.Peer == c.near.Local:
		c.works()
	case c.far.Listener == Listening && !c.far.Ours:
		c.stranger("who answers is not the one that the plan means")
	case c.far.Arrived == SawNothing, c.far.Accepted == SawNothing && c.far.Listener != ListenerUnseen:
		c.is(Broken, ForeignListener, "somebody took the connection, and the host that is meant has not seen it: the path leads elsewhere, or a box on the way answers for it")
	default:
		c.is(Assumed, OK, "somebody takes connections there")
		c.assume("the connection arrived at the listener of %s: that end did not see which one it was", c.p.To)
	}
}

// stranger names who answers in place of the one that is meant, as far as the other end knows.
func (c *classifier) stranger(text string) {
	if c.far != nil && c.far.Owner != nil && !c.far.Ours {
		text = "who listens there is " + c.far.Owner.String()
	}
	c.is(Broken, ForeignListener, text)
}

func (c *classifier) wrongProtocol() {
	if c.far != nil && c.far.Listener == Listening && !c.far.Ours {
		c.stranger("who listens there is not the one that the plan means")
		return
	}
	text := "this host speaks TLS, and who answers does not"
	if c.near.Answer == SpeaksTLS {
		text = "who answers speaks TLS, and this host does not"
	}
	if c.far == nil { // a stranger may speak it too
		c.open(Broken, text, WrongProtocol, ForeignListener)
		return
	}
	c.is(Broken, WrongProtocol, text)
}

// noAnswer: the connection was made, and nothing came over it. The system makes connections before a program accepts
// them, so that a full queue and a stranger look the same from here.
func (c *classifier) noAnswer() {
	hangup := c.near.Answer == Hangup
	text := "the connection is made, and nothing comes over it"
	if hangup {
		text = "the connection is made, and closed again without a word"
	}
	switch {
	case c.far == nil && hangup:
		c.open(Broken, text, ForeignListener, WrongProtocol, ResetOnPath)
	case c.far == nil:
		c.open(Broken, text, ForeignListener, WrongProtocol, BacklogFull, DroppedAfterHop)
	case c.far.Backlog.Full():
		c.full()
	case c.far.Listener == Listening && !c.far.Ours:
		c.stranger(text + ": who listens there is not the one that the plan means")
	case c.far.Arrived == SawNothing:
		c.is(Broken, ForeignListener, "somebody took the connection, and the host that is meant has not seen it: the path leads elsewhere, or a box on the way answers for it")
	case hangup && c.far.Ours:
		c.is(Blocked, ResetOnPath, text+", and the listener has not closed it")
	case c.far.Ours && c.far.Accepted == Saw:
		c.is(Blocked, DroppedAfterHop, text+": the listener has taken it, and what follows is dropped")
	default:
		c.open(Broken, text, ForeignListener, WrongProtocol, DroppedAfterHop)
	}
}

func (c *classifier) full() {
	c.is(Broken, BacklogFull, fmt.Sprintf("the listener accepts nothing: %d connections wait, and its queue ends at %d", c.far.Backlog.Waiting, c.far.Backlog.Limit+1))
}

// seenAs is the dialler's end as the listener saw it.
func (c *classifier) seenAs() netip.AddrPort {
	if c.near.Seen.IsValid() || c.far == nil {
		return c.near.Seen
	}
	return c.far.Peer
}

// reachedAs is the listener's end as it knows it itself.
func (c *classifier) reachedAs() netip.AddrPort { return c.near.Reached }
