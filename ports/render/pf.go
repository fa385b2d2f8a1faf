package render

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// pf renders an anchor: what comes in is blocked, unless a later rule of this or another anchor passes it at once.
func pf(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	anchor := "reeve/" + strings.TrimPrefix(g.name, "reeve_")
	b.WriteString(g.stamp("#"))
	fmt.Fprintf(&b, "#\n# In pf.conf: anchor \"reeve/*\"; then: pfctl -a %s -f THIS\n", anchor)
	if in.Undo {
		b.WriteString("# Loaded instead, this file leaves the anchor without rules.\n")
		return []byte(b.String()), nil
	}
	if err := addresses("pf", g.ins, sources); err != nil {
		return nil, err
	}
	if err := addresses("pf", g.outgoing(), destinations); err != nil {
		return nil, err
	}
	b.WriteString(g.notice("#"))
	b.WriteString(g.gaps("#"))
	w := pfWriter{rules: &strings.Builder{}, tables: &strings.Builder{}}
	w.say("pass quick on lo0 all")
	w.say("block drop in all")
	for _, c := range bundles(cells(claimed(g.closed), sources, v4)) {
		w.say("block drop in quick proto %s to any port { %s }", c.protocol, spans(c.ranges, ":", ", "))
	}
	w.say("pass in quick inet proto icmp icmp-type { unreach, timex, paramprob, echoreq }")
	w.say("pass in quick inet6 proto icmp6 icmp6-type { unreach, toobig, timex, paramprob, echoreq, groupqry, routeradv, neighbrsol, neighbradv }")
	w.direction("in", g.ins, sources)
	if g.restricted() {
		w.say("block drop out all")
		w.say("pass out quick inet proto icmp icmp-type { unreach, timex, paramprob, echoreq }")
		w.say("pass out quick inet6 proto icmp6 icmp6-type { unreach, toobig, timex, paramprob, echoreq, grouprep, routersol, neighbrsol, neighbradv }")
		w.direction("out", g.outs, destinations)
	}
	b.WriteString("\n" + w.tables.String() + "\n" + w.rules.String())
	return []byte(b.String()), g.omitted.err("pf")
}

// pfWriter writes tables of networks and the rules that use them.
type pfWriter struct {
	tables, rules *strings.Builder
	n             int
}

func (w *pfWriter) say(format string, args ...any) { fmt.Fprintf(w.rules, format+"\n", args...) }

func (w *pfWriter) direction(way string, open []ports.Opening, peer side) {
	for _, f := range families() {
		inet := map[family]string{v4: "inet", v6: "inet6"}[f]
		for _, c := range bundles(cells(open, peer, f)) {
			for _, o := range c.flows {
				w.say("# %s", oneLine(why(o)))
			}
			from, to := w.table(c.peers), "any"
			if way == "out" {
				from, to = to, from
			}
			w.say("pass %s quick %s proto %s from %s to %s port { %s } keep state label \"%s\"", way, inet, c.protocol, from, to, spans(c.ranges, ":", ", "), cut(ascii(c.flows[0].Flow), 60))
		}
	}
}

// table names networks; a single one is its own name.
func (w *pfWriter) table(nets []netip.Prefix) string {
	if len(nets) == 1 {
		if nets[0].Bits() == 0 {
			return "any"
		}
		return nets[0].String()
	}
	w.n++
	words := make([]string, len(nets))
	for i, p := range nets {
		words[i] = p.String()
	}
	fmt.Fprintf(w.tables, "table <hosts%d> const { %s }\n", w.n, strings.Join(words, ", "))
	return fmt.Sprintf("<hosts%d>", w.n)
}
