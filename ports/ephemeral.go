package ports

import (
	"fmt"
	"math"
	"strings"
)

// LinuxEphemeral is the range that Linux gives to outgoing connections unless it is told otherwise.
func LinuxEphemeral() Range { return Range{32768, 60999} }

// DynamicRange is the range that IANA leaves to outgoing connections (RFC 6335), and that Windows and macOS use.
func DynamicRange() Range { return Range{49152, math.MaxUint16} }

// Inside returns the claims in use or held that have numbers in a range, each cut to it: what an outgoing connection
// could take, where the range is a host's ephemeral one.
func (c Compiled) Inside(r Range) []Claim {
	var found []Claim
	for _, cl := range c.Claims {
		both := Range{max(r.First, cl.Port), min(r.Last, cl.Range().Last)}
		if !cl.holdsNumber() || both.First > both.Last {
			continue
		}
		if both = cl.Parity.within(both); both == (Range{}) {
			continue
		}
		cl.Port = both.First
		if cl.Last != 0 {
			cl.Last = both.Last
		}
		found = append(found, cl)
	}
	return found
}

// outgoing is a range for outgoing connections, and whose it is.
type outgoing struct {
	Range
	whose string
}

// checkEphemeral reports rows inside the range for outgoing connections of their hosts: as long as such a connection
// has the number, nothing can listen on it.
func (c *compiler) checkEphemeral() {
	for i := range c.rows {
		r := &c.rows[i]
		if !r.Binds || r.Status == Foreign {
			continue
		}
		ranges := c.outgoing(r)
		for n, spans := range r.numbers {
			if c.inEphemeral(r, n, spans, ranges) {
				break
			}
		}
	}
}

// inEphemeral reports the first number of a row in one instance that lies in an ephemeral range.
func (c *compiler) inEphemeral(r *row, n int, spans []span, ranges []outgoing) bool {
	for _, s := range spans {
		var whose []string
		both := Range{}
		for _, e := range ranges {
			if in := (Range{max(s.First, e.First), min(s.Last, e.Last)}); s.First != 0 && !s.off && in.First <= in.Last {
				whose = append(whose, fmt.Sprintf("%s (%s)", e.whose, e.Range))
				if both == (Range{}) {
					both = in
				}
				both = Range{min(both.First, in.First), max(both.Last, in.Last)}
			}
		}
		if len(whose) == 0 {
			continue
		}
		sev := Warning
		if c.plan.Policies.Ephemeral == Forbid {
			sev = Error
		}
		c.report(InEphemeral, sev, r.At, fmt.Sprintf("%s: %s%s lies in the range for outgoing connections of %s", r.what(), both, c.inInstance(r, n), strings.Join(whose, " and of ")),
			"reserve "+both.String()+" (ip_local_reserved_ports, excludedportrange), or move it below "+c.below(r, ranges))
		return true
	}
	return false
}

// below says where a row would be clear of all ranges.
func (c *compiler) below(r *row, ranges []outgoing) string {
	lowest := ranges[0].First
	for _, e := range ranges {
		lowest = min(lowest, e.First)
	}
	const example = 30_000 // below every default range, and above what most services use
	if r.pool != nil && r.pool.Down && lowest > example {
		return fmt.Sprintf("%d, such as from %d downwards", lowest, example-1)
	}
	return fmt.Sprintf("%d", lowest)
}

// outgoing returns the ranges of the hosts that run the row; where no host is known, those of all systems.
func (c *compiler) outgoing(r *row) []outgoing {
	var all []outgoing
	add := func(o outgoing) {
		for _, have := range all {
			if have.Range == o.Range {
				return
			}
		}
		all = append(all, o)
	}
	for _, role := range r.listeners() {
		for _, h := range c.players[role] {
			add(h.outgoing())
		}
	}
	if len(all) == 0 {
		return []outgoing{{LinuxEphemeral(), "Linux"}, {DynamicRange(), dynamicOwners}}
	}
	return all
}

const dynamicOwners = "IANA, Windows and macOS"

// outgoing is the host's range for outgoing connections.
func (h *Host) outgoing() outgoing {
	switch {
	case h.Ephemeral != Range{}:
		return outgoing{h.Ephemeral, "host " + h.Name}
	case h.OS == "windows" || h.OS == "darwin":
		return outgoing{DynamicRange(), dynamicOwners}
	}
	return outgoing{LinuxEphemeral(), "Linux"}
}
