package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// Change says what a line of a change request asks for.
type Change string

// What is asked for.
const (
	Added     Change = "add"
	Removed   Change = "remove"
	Unchanged Change = "keep"
)

// Rule is one line of a change request: an opening between two zones, with what a network team asks about it.
type Rule struct {
	Change    Change
	Firewalls []string // between the zones; empty where the inventory names none
	FromZone  string   // empty: not in a zone
	ToZone    string
	ports.Opening
	Owner   string
	Expires string
	Plan    string
	Hash    string
}

// Rules are the lines of a change request: what the openings need, and how that differs from what was asked for last.
// Input.Asked goes before Input.Previous. Without either, everything is new.
func Rules(in Input) ([]Rule, error) {
	if _, _, err := in.open(); err != nil {
		return nil, err
	}
	now := in.rules(in.Site)
	last := in.Asked
	if last == nil && in.Previous != nil {
		last = in.rules(ports.Site{Compiled: *in.Previous, Inventory: in.Site.Inventory})
	}
	known, kept := map[string]bool{}, map[string]bool{}
	for _, r := range last {
		if r.Change != Removed {
			known[r.key()] = true
		}
	}
	for i, r := range now {
		if kept[r.key()] = true; known[r.key()] {
			now[i].Change = Unchanged
		}
	}
	for _, r := range last {
		if r.Change != Removed && !kept[r.key()] {
			r.Change = Removed
			now = append(now, r)
		}
	}
	if in.Undo {
		now = undone(now)
	}
	return now, nil
}

// undone turns a request round: what was added is taken back, and what was removed is asked for again.
func undone(rules []Rule) []Rule {
	for i, r := range rules {
		switch r.Change {
		case Added:
			rules[i].Change = Removed
		case Removed:
			rules[i].Change = Added
		case Unchanged:
		}
	}
	return rules
}

// rules are the lines for a site's openings, each split by pairs of zones.
func (in Input) rules(site ports.Site) []Rule {
	owner := in.Owner
	if owner == "" {
		owner = site.Compiled.Owner
	}
	rules := []Rule{}
	for _, o := range in.openings(site) {
		for _, from := range byZone(o.Sources) {
			for _, to := range byZone(o.Destinations) {
				r := Rule{
					Change: Added, Opening: o, FromZone: from.zone, ToZone: to.zone, Owner: owner, Expires: in.Expiry,
					Plan: site.Compiled.Plan, Hash: site.Compiled.Hash, Firewalls: firewalls(site.Inventory, from.zone, to.zone),
				}
				r.Sources, r.Destinations = from.ends, to.ends
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// zoned are the ends of one zone.
type zoned struct {
	zone string
	ends []ports.Endpoint
}

// byZone groups ends by their zones, in the order in which they come. No end at all is one group: anywhere.
func byZone(ends []ports.Endpoint) []zoned {
	if len(ends) == 0 {
		return []zoned{{}}
	}
	var groups []zoned
	for _, e := range ends {
		i := slices.IndexFunc(groups, func(z zoned) bool { return z.zone == e.Zone })
		if i < 0 {
			groups = append(groups, zoned{zone: e.Zone})
			i = len(groups) - 1
		}
		groups[i].ends = append(groups[i].ends, e)
	}
	return groups
}

// firewalls are the names of what stands between two zones.
func firewalls(inv ports.Inventory, from, to string) []string {
	var names []string
	if from == "" || to == "" || from == to {
		return nil
	}
	for _, m := range inv.Middleboxes {
		if slices.Contains(m.Between, from) && slices.Contains(m.Between, to) {
			names = append(names, m.Name)
		}
	}
	return names
}

// key is what makes two lines the same rule for a firewall, whatever they are for.
func (r Rule) key() string {
	return strings.Join([]string{
		r.FromZone, r.ToZone, ends(r.Sources), ends(r.Destinations), r.From, r.To, string(r.Protocol), r.numbers(), string(r.Parity),
	}, "\x00")
}

// numbers prints what is opened: a port, a range, an application, or that there is no number yet. It is never empty: a
// rule without a port would open all of them.
func (r Rule) numbers() string {
	switch {
	case r.Application != "":
		return appPrefix + r.Application
	case r.First == 0:
		return unassigned
	}
	return interval(r.First, r.Last)
}

const (
	appPrefix  = "app:"
	unassigned = "not assigned"
)

// ends prints addresses with the hosts that have them: "10.1.0.5 (hq1); 10.1.0.6 (hq2)".
func ends(list []ports.Endpoint) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = fmt.Sprintf("%s (%s)", e.Address, e.Host)
	}
	return strings.Join(texts, "; ")
}
