package ports

import "fmt"

// checkSize reports a pool that has fewer numbers than it must carry, or only one.
func (c *compiler) checkSize(r *row, out Compiled) {
	at := -1
	for i, p := range out.Pools {
		if p.ID == r.ID {
			at = i
		}
	}
	if at < 0 || len(out.Pools[at].Ranges) == 0 || out.Pools[at].Status == Inactive {
		return
	}
	p := out.Pools[at]
	have := p.Size
	if p.Parity == "" && r.pool.pairs() {
		have /= 2 // both numbers of a pair are of the range
	}
	if have == 1 {
		c.report(SingleNumber, Note, r.At, r.what()+" has one number: one lease at a time", "give it more, if more than one is ever needed")
	}
	if r.pool.Capacity != (Capacity{}) {
		if need := Size(r.pool.Capacity, r.pool.Hold.Min, p.Parity, r.pool.pairs()); need.Ports > have {
			c.report(PoolTooSmall, Warning, r.At, fmt.Sprintf("%s has %d numbers and needs %d: %s", r.what(), have, need.Ports, need.Formula),
				"make it larger, lower what it must carry, or shorten its hold")
		}
	}
	if n, role := c.agentsOf(r); n > have {
		c.report(PoolTooSmall, Warning, r.At, fmt.Sprintf("%s has %d numbers, and %d hosts of the site play %s, which dials them", r.what(), have, n, role),
			"make it larger: one number for each host at least")
	}
}

// agentsOf returns how many hosts play the role of agents that dials the row, the largest such role.
func (c *compiler) agentsOf(r *row) (n int, role string) {
	for _, f := range r.Flows {
		if count := len(c.players[f.From]); c.roles[f.From].Is == Agent && count > n {
			n, role = count, f.From
		}
	}
	return n, role
}
