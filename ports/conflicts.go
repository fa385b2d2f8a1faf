package ports

import (
	"fmt"
	"slices"
	"strings"
)

// checkKnown reports numbers that other programs are known to use.
func (c *compiler) checkKnown() {
	k := &knownNumbers{c: c, table: KnownPorts(), blocks: map[string]*block{}}
	for i := range c.rows {
		if r := &c.rows[i]; r.Binds && r.Status != Foreign {
			k.row(r)
		}
	}
	for _, b := range k.order {
		c.report(OtherBlock, Note, c.plan.At, fmt.Sprintf("%s (%s) meets %s", b.Range, b.Name, b.rows()),
			"where that product stands on the same host, choose another instance or range")
	}
}

// knownNumbers collects what the plan takes of others.
type knownNumbers struct {
	c      *compiler
	table  []Known
	blocks map[string]*block // by name
	order  []*block
}

// block is a product's block of numbers, and the rows that have numbers in it, by where: in which instance.
type block struct {
	Known
	where []string
	ids   map[string][]string
}

func (b *block) rows() string {
	parts := make([]string, 0, len(b.where))
	for _, where := range b.where {
		parts = append(parts, some(b.ids[where])+where)
	}
	return strings.Join(parts, "; ")
}

func (k *knownNumbers) row(r *row) {
	var popular []string
	seen := map[string]bool{}
	for n, spans := range r.numbers {
		for _, s := range spans {
			for _, known := range k.c.meets(r, s, k.table) {
				where := k.c.inInstance(r, n)
				if known.Kind == OfFamily {
					k.meets(r, known, where)
					continue
				}
				if text := fmt.Sprintf("%s%s (%s)", known.Range, where, known.Name); !seen[text] && known.Kind == Popular {
					seen[text] = true
					popular = append(popular, text)
				}
			}
		}
	}
	k.c.reportKnown(r, popular)
	k.c.checkRegistered(r, k.table)
}

// meets notes that a row has numbers of a block.
func (k *knownNumbers) meets(r *row, known Known, where string) {
	b, ok := k.blocks[known.Name]
	if !ok {
		// What a claim meets is cut to the claim; the block is named whole.
		full := k.table[slices.IndexFunc(k.table, func(x Known) bool { return x.Name == known.Name })]
		b = &block{Known: full, ids: map[string][]string{}}
		k.blocks[known.Name] = b
		k.order = append(k.order, b)
	}
	if b.ids[where] == nil {
		b.where = append(b.where, where)
	}
	if !contains(b.ids[where], r.ID) {
		b.ids[where] = append(b.ids[where], r.ID)
	}
}

// inInstance says to which instance the numbers of a row belong, where they are not the same in all.
func (c *compiler) inInstance(r *row, n int) string {
	if !r.varies {
		return ""
	}
	return fmt.Sprintf(" in instance %d", c.instances[n])
}

// meets returns what a span of the row takes of others. The port mapper's number is its own.
func (c *compiler) meets(r *row, s span, table []Known) []Known {
	if s.First == 0 || s.off || r.RPC.Role != "" {
		return nil
	}
	var found []Known
	for _, proto := range r.Protocols {
		found = append(found, Claim{Name: s.name, Protocol: proto, Port: s.First, Last: s.Last, Parity: s.parity}.Meets(table)...)
	}
	return found
}

// reportKnown reports the popular numbers of a row: of a fixed range that there is a risk in it, of others that the
// number is taken.
func (c *compiler) reportKnown(r *row, popular []string) {
	if len(popular) == 0 {
		return
	}
	if r.pool != nil && !r.varies {
		c.report(PopularInRange, Warning, r.At, fmt.Sprintf("%s: its range has numbers that other products use: %s", r.what(), some(popular)),
			"leave them out of the range where such a product stands on the same host")
		return
	}
	c.report(PopularNumber, Warning, r.At, fmt.Sprintf("%s claims numbers that other products use: %s", r.what(), some(popular)),
		"do not run it beside such a product on one host, or choose another instance or number")
}

// checkRegistered reports numbers of a service that stand in public tables: under its own name, or another's.
func (c *compiler) checkRegistered(r *row, table []Known) {
	if r.pool != nil {
		c.registeredRange(r, table)
		return
	}
	s := r.numbers[0][0]
	for _, k := range table {
		if k.Kind != Registered || s.First == 0 || s.First < k.First || s.First > k.Last {
			continue
		}
		if strings.EqualFold(k.Name, s.name) {
			c.report(PublicNumber, Note, r.At, fmt.Sprintf("%s: %d stands in public tables under this very name", r.what(), s.First), "other products keep clear of it")
		} else {
			c.report(PublicNumber, Note, r.At, fmt.Sprintf("%s: %d stands in public tables as %s", r.what(), s.First, k.Name), "make sure that no such program stands on the same host")
		}
		return
	}
}

// registeredRange reports a fixed range with a number of the tables that is rarely met.
func (c *compiler) registeredRange(r *row, table []Known) {
	if r.varies {
		return
	}
	var found []string
	for _, s := range r.numbers[0] {
		for _, k := range c.meets(r, s, table) {
			if text := fmt.Sprintf("%s (%s)", k.Range, k.Name); k.Kind == Registered && !contains(found, text) {
				found = append(found, text)
			}
		}
	}
	if len(found) > 0 {
		c.report(PopularInRange, Warning, r.At, fmt.Sprintf("%s: its range has numbers that stand in public tables: %s", r.what(), some(found)),
			"leave them out of the range where such a product stands on the same host")
	}
}
