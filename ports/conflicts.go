package ports

import (
	"fmt"
	"slices"
	"strings"
)

// checkKnown reports numbers that other programs are known to use.
func (c *compiler) checkKnown() {
	table := KnownPorts()
	families := map[string][]string{} // rows that meet a block, by its name
	var order []Known
	for i := range c.rows {
		r := &c.rows[i]
		if !r.Binds || r.Status == Foreign {
			continue
		}
		var popular []string
		seen := map[string]bool{}
		for n, spans := range r.numbers {
			for _, s := range spans {
				for _, k := range c.meets(r, s, table) {
					where := ""
					if r.varies {
						where = fmt.Sprintf(" in instance %d", c.plan.Instances()[n])
					}
					if k.Kind == OfFamily {
						if families[k.Name] == nil {
							order = append(order, k)
						}
						if !contains(families[k.Name], r.ID+where) {
							families[k.Name] = append(families[k.Name], r.ID+where)
						}
						continue
					}
					if text := fmt.Sprintf("%s%s (%s)", k.Range, where, k.Name); !seen[text] && k.Kind == Popular {
						seen[text] = true
						popular = append(popular, text)
					}
				}
			}
		}
		c.reportKnown(r, popular)
		c.checkRegistered(r, table)
	}
	for _, k := range order {
		full := slices.IndexFunc(table, func(x Known) bool { return x.Name == k.Name })
		c.report(OtherBlock, Note, c.plan.At, fmt.Sprintf("%s (%s) meets %s", table[full].Range, k.Name, some(families[k.Name])),
			"where that product stands on the same host, choose another instance or range")
	}
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
