package ports

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

const (
	maxComparisons = 10_000_000 // of claims on hosts: about a second of work on the worst plan
	maxOverlaps    = 1000       // that are reported; who has more has one cause for many
)

// overlaps looks for claims that meet on one host: the same transport, numbers in common, and addresses of which one
// is the other or contains it.
type overlaps struct {
	c         *compiler
	instances []int
	items     [][]taken // of each row
	left      int       // comparisons
	reported  map[[3]int]bool
}

// taken is one claim of a row in one instance.
type taken struct {
	protocol Protocol
	span     span
	instance int // an index; -1: the same in every instance
	place    int
}

// place is a row on a host, and where it listens there.
type place struct {
	row       int
	host      string // empty: a host that no inventory names
	addresses []netip.Addr
	loopback  []netip.Addr // of second numbers that other hosts must not reach
	port      Port         // this host's own; 0: the plan's
}

// checkOverlaps reports claims that meet on one host: within any instance as errors, between two instances, which
// may run on one host too, and with a neighbour as warnings. One pair of rows is reported once of each.
func (c *compiler) checkOverlaps(out Compiled) {
	o := &overlaps{c: c, instances: c.instances, left: maxComparisons, reported: map[[3]int]bool{}}
	for i := range c.rows {
		o.items = append(o.items, c.rows[i].taken())
	}
	for _, places := range c.stacks(out) {
		o.sweep(places)
		if o.left <= 0 || len(o.reported) >= maxOverlaps {
			c.report(TooLarge, Error, c.plan.At, "the plan has too many claims of the same numbers: not all of them were compared",
				"remove the overlaps that are reported, then compile again")
			break
		}
	}
	o.formerNumbers()
}

// taken returns what the row claims in each instance. What a condition switches off claims nothing; alternates that
// are not selected do, because the site may select them.
func (r *row) taken() []taken {
	var all []taken
	for n, spans := range r.numbers {
		if !r.varies {
			n = -1
		}
		for _, s := range spans {
			if s.First == 0 || s.off || !r.Binds && r.Status != Foreign {
				continue
			}
			for _, proto := range r.Protocols {
				all = append(all, taken{protocol: proto, span: s, instance: n})
			}
		}
	}
	return all
}

// sweep compares the claims of the rows on one host, from the lowest number to the highest.
func (o *overlaps) sweep(places []place) {
	var all []taken
	for i, p := range places {
		for _, it := range o.items[p.row] {
			if it.place = i; p.port != 0 {
				if it.instance > 0 {
					continue // the host's own number is the same in every instance
				}
				it.span.Range, it.instance = Range{p.port, p.port}, -1
			}
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b taken) int {
		return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.span.First, b.span.First), cmp.Compare(a.place, b.place),
			cmp.Compare(a.instance, b.instance), cmp.Compare(a.span.Last, b.span.Last))
	})
	var open []taken // those that reach up to the number at hand
	for _, it := range all {
		o.left -= len(open) // what is passed over costs work too
		open = slices.DeleteFunc(open, func(other taken) bool {
			return other.protocol != it.protocol || other.span.Last < it.span.First
		})
		for _, other := range open {
			if o.left--; o.left <= 0 || len(o.reported) >= maxOverlaps {
				return
			}
			if o.meet(places, other, it) {
				o.report(places, other, it)
			}
		}
		open = append(open, it)
	}
}

// meet reports whether two claims of one host, whose intervals have numbers in common, cannot both be held.
func (o *overlaps) meet(places []place, a, b taken) bool {
	if a.place == b.place && (a.instance == b.instance || a.instance < 0 || b.instance < 0) {
		return false // ranges and alternates of one row
	}
	if commonNumbers(a.span, b.span) == (Range{}) {
		return false
	}
	p, q := places[a.place], places[b.place]
	for _, x := range o.addresses(p, a.span) {
		for _, y := range o.addresses(q, b.span) {
			if Meet(x, y, false) {
				return true
			}
		}
	}
	return false
}

func (o *overlaps) addresses(p place, s span) []netip.Addr {
	if pool := o.c.rows[p.row].pool; s.pair && !pool.Pair.Open {
		return p.loopback
	}
	return p.addresses
}

// commonNumbers returns the smallest range of the numbers that both spans have.
func commonNumbers(a, b span) Range {
	rg := Range{max(a.First, b.First), min(a.Last, b.Last)}
	if rg.First > rg.Last || a.parity != "" && b.parity != "" && a.parity != b.parity {
		return Range{}
	}
	return cmp.Or(a.parity, b.parity).within(rg)
}

// report names two claims that meet.
func (o *overlaps) report(places []place, a, b taken) {
	if places[a.place].row > places[b.place].row || places[a.place].row == places[b.place].row && a.instance > b.instance {
		a, b = b, a
	}
	one, other := &o.c.rows[places[a.place].row], &o.c.rows[places[b.place].row]
	between := a.instance >= 0 && b.instance >= 0 && a.instance != b.instance
	foreign := truth(one.Status == Foreign) + truth(other.Status == Foreign)
	if foreign == 2 {
		return // between neighbours it is not ours to say
	}
	kind := truth(between)
	if foreign > 0 {
		kind = 2
	}
	key := [3]int{places[a.place].row, places[b.place].row, kind}
	if o.reported[key] {
		return
	}
	o.reported[key] = true
	numbers := commonNumbers(a.span, b.span).String() + "/" + string(a.protocol)
	switch {
	case foreign > 0:
		if one.Status == Foreign {
			one, other = other, one
		}
		o.c.report(NeighbourMeets, Warning, one.At, fmt.Sprintf("%s claims %s%s, which is a neighbour's: %s", one.what(), numbers, o.when(a, b), other.ID),
			"give one of them another number where both stand on one host")
	case between:
		o.c.report(InstancesMeet, Warning, other.At, fmt.Sprintf("%s of instance %d claims %s, which %s of instance %d claims too",
			other.what(), o.instances[b.instance], numbers, one.what(), o.instances[a.instance]), "do not run both instances on one host")
	default:
		o.c.report(Overlap, Error, other.At, o.both(places, a, b)+fmt.Sprintf(" both claim %s%s", numbers, o.when(a, b)), "give one of them another number")
	}
}

// both names two rows on one host, with the hosts where they are those of an inventory.
func (o *overlaps) both(places []place, a, b taken) string {
	p, q := places[a.place], places[b.place]
	one, other := o.c.rows[p.row].what(), o.c.rows[q.row].what()
	switch p.host {
	case "":
		return one + " and " + other
	case q.host:
		return "on host " + p.host + ", " + one + " and " + other
	}
	return one + " of host " + p.host + " and " + other + " of host " + q.host + ", which is the same machine,"
}

// when says in which instance two claims meet.
func (o *overlaps) when(a, b taken) string {
	switch n := max(a.instance, b.instance); {
	case n >= 0:
		return fmt.Sprintf(" in instance %d", o.instances[n])
	case len(o.instances) > 1:
		return " in every instance"
	}
	return ""
}

// formerNumbers reports numbers that a row had before and that another row has now: an old peer would reach that one.
func (o *overlaps) formerNumbers() {
	for i := range o.c.rows {
		r := &o.c.rows[i]
		for _, was := range r.former() {
			for j := range o.c.rows {
				if i == j || o.left <= 0 {
					continue
				}
				o.left -= len(o.items[j])
				k := slices.IndexFunc(o.items[j], func(it taken) bool {
					return contains(r.protocols(), string(it.protocol)) && commonNumbers(it.span, span{Range: Range{was, was}}) != Range{}
				})
				if k >= 0 {
					o.c.report(FormerNumber, Warning, r.At, fmt.Sprintf("%d, which %s had before, belongs to %s now%s", was, r.what(), o.c.rows[j].what(), o.when(o.items[j][k], o.items[j][k])),
						"make sure that nothing still uses the old number, before both versions meet on one host")
				}
			}
		}
	}
}

// former returns the numbers that the row had before.
func (r *row) former() []Port {
	var all []Port
	for _, text := range splitWords(r.Was) {
		if rg, err := ParseRange(text); err == nil && rg.First != 0 && rg.First == rg.Last {
			all = append(all, rg.First)
		}
	}
	return all
}

func (r *row) protocols() []string {
	all := make([]string, 0, len(r.Protocols))
	for _, p := range r.Protocols {
		all = append(all, string(p))
	}
	return all
}
