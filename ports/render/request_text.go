package render

import (
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// renderRequest writes the change request for people: one table for each pair of zones.
func renderRequest(in Input) ([]byte, error) {
	w, c, err := in.open()
	if err != nil {
		return nil, err
	}
	rules, err := Rules(in)
	if err != nil {
		return nil, err
	}
	p := paper{title: w.request.title, meta: append(in.head(w), [2]string{w.request.summary, w.count(rules)})}
	heads := []string{
		w.request.change, w.request.source, w.request.destination, w.columns["port"], w.columns["protocol"], w.request.reason,
		w.columns["condition"], w.request.owner, w.request.expires, w.plan, w.request.flow,
	}
	groups := grouped(rules, in.Site.Inventory.Zones != nil)
	for _, g := range groups {
		var rows [][]string
		for _, r := range g.rules {
			rows = append(rows, w.ruleCells(r, c))
		}
		p.table(g.title(w), nil, heads, rows)
	}
	if len(rules) == 0 {
		p.sheets = append(p.sheets, sheet{lead: []string{w.request.nothing}})
	}
	if open := unnumbered(c); len(open) > 0 {
		p.sheets = append(p.sheets, sheet{title: w.request.withoutTitle, lead: []string{w.request.without}, list: open})
	}
	return p.markdown(), nil
}

// unnumbered lists the flows for which nothing can be asked yet, because no number of theirs is known.
func unnumbered(c ports.Compiled) []entry {
	var list []entry
	for _, f := range c.Flows {
		cl, _ := c.Service(f.Service)
		if f.Port == 0 && f.Status == ports.Works && cl.Application == "" && cl.Scope != ports.SameHost {
			list = append(list, entry{f.ID + ":", fmt.Sprintf("%s → %s: %s", roleTitle(c, f.From), roleTitle(c, f.To), remark(f.Purpose, cl.Note, f.Note))})
		}
	}
	return list
}

// ruleCells are a line's, in the words of a language.
func (w words) ruleCells(r Rule, c ports.Compiled) []string {
	numbers := r.numbers()
	if numbers == unassigned {
		numbers = w.notAssigned
	}
	if r.Parity != "" {
		numbers += " " + w.parity(r.Parity)
	}
	return []string{
		w.change(r.Change), roleTitle(c, r.From) + ": " + or(ends(r.Sources), w.request.anywhere), roleTitle(c, r.To) + ": " + or(ends(r.Destinations), w.request.unknown),
		numbers, string(r.Protocol), r.Purpose, r.Condition, or(r.Owner, w.request.nobody), or(r.Expires, w.request.unlimited),
		r.Plan + " " + shortHash(r.Hash), r.Flow,
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// shortHash is the part of a hash by which people know it.
func shortHash(hash string) string { return hash[:min(12, len(hash))] }

func (w words) change(c Change) string {
	switch c {
	case Removed:
		return w.request.removed
	case Unchanged:
		return w.request.unchanged
	case Added:
	}
	return w.request.added
}

func (w words) count(rules []Rule) string {
	n := map[Change]int{}
	for _, r := range rules {
		n[r.Change]++
	}
	return fmt.Sprintf("%s %d, %s %d, %s %d", w.request.added, n[Added], w.request.removed, n[Removed], w.request.unchanged, n[Unchanged])
}

// ruleGroup is what one firewall, or one pair of zones, is asked for.
type ruleGroup struct {
	firewalls, from, to string
	zoned               bool
	rules               []Rule
}

// grouped puts the lines of one firewall and pair of zones together, in the order in which they first come.
func grouped(rules []Rule, zoned bool) []ruleGroup {
	var groups []ruleGroup
	at := map[[3]string]int{}
	for _, r := range rules {
		key := [3]string{strings.Join(r.Firewalls, ", "), r.FromZone, r.ToZone}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, ruleGroup{firewalls: key[0], from: key[1], to: key[2], zoned: zoned || key[1]+key[2] != ""})
		}
		groups[i].rules = append(groups[i].rules, r)
	}
	return groups
}

func (g ruleGroup) title(w words) string {
	zone := func(name string) string {
		if name == "" {
			return w.request.noZone
		}
		return fmt.Sprintf(w.request.zone, name)
	}
	switch {
	case !g.zoned:
		return w.request.noZones
	case g.from == g.to && g.from != "":
		return fmt.Sprintf(w.request.within, zone(g.from))
	}
	title := fmt.Sprintf(w.request.between, zone(g.from), zone(g.to))
	if g.firewalls != "" {
		title = w.request.firewall + " " + g.firewalls + ": " + title
	}
	return title
}
