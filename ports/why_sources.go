package ports

import (
	"fmt"
	"strconv"
)

// sources are the places that are asked for the number of a service: flag, environment, services file, plan. Only one
// of the first three can give it, the one that the row names.
func (w *reasoner) sources(r row) []Source {
	g, given := w.c.given[r.ID]
	out := []Source{}
	for _, by := range []OverrideBy{ByFlag, ByEnvironment, ByServicesFile} {
		s := Source{By: string(by)}
		switch {
		case r.Override.By != by:
			s.Text = "the row takes no number from there"
		case given:
			s.Key, s.Value, s.Taken, s.Text = r.Override.Key, strconv.Itoa(int(g.Port)), true, "it has one"
			if g.At.File != "" {
				s.Text = fmt.Sprintf("it has one: %s:%d", g.At.File, g.At.Line)
			}
		default:
			s.Key, s.Text = r.Override.Key, "it has none, or none that is allowed"
		}
		out = append(out, s)
	}
	plan := Source{By: "plan", Key: r.ID, Taken: !given, Text: "the row's own number"}
	if r.At.File != "" {
		plan.Text = fmt.Sprintf("the row's own number: %s:%d", r.At.File, r.At.Line)
	}
	if spans, bad := w.c.without(r.ID).resolve(&r, w.values); bad != nil {
		plan.Text = bad.message
	} else {
		for _, s := range spans {
			if s.status != Inactive || plan.Value == "" {
				plan.Value = s.String()
			}
		}
	}
	if plan.Value == "" && plan.Taken {
		plan.Text += ": none is assigned"
	}
	return append(out, plan)
}

// without is the compiler as it were if nothing overrode the row.
func (c *compiler) without(id string) *compiler {
	plain := *c
	plain.given = map[string]Given{}
	for other, g := range c.given {
		if other != id {
			plain.given[other] = g
		}
	}
	return &plain
}

// choices are the cases and alternates of a row; the first that holds is taken.
func (w *reasoner) choices(r row) []Choice {
	out := []Choice{}
	taken := false
	add := func(when Guard, f Formula, sp Span) {
		holds, err := when.Eval(w.values)
		holds = holds && err == nil
		ch := Choice{When: when, Ports: string(f), Holds: holds, Taken: holds && !taken}
		taken = taken || holds
		if !sp.zero() && r.pool != nil {
			if rs, bad := w.c.rangesOf(&r, span{parity: r.pool.Parity}, sp, w.values); bad == nil {
				ch.Ports = rangesText(rs)
			}
		}
		out = append(out, ch)
	}
	for _, k := range r.Cases {
		add(k.When, k.Port, k.Span)
	}
	taken = false
	for _, a := range r.Alternates {
		add(a.When, a.Port, a.Span)
	}
	return out
}

func rangesText(rs []Range) string {
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = r.String()
	}
	return list(names)
}

// conditions are the footnotes of the row and of its flows, with the state of the switches that they name.
func (w *reasoner) conditions(r row) []ConditionReason {
	out := []ConditionReason{}
	add := func(id, of string) {
		cond, ok := w.c.conds[id]
		if !ok {
			return
		}
		reason := ConditionReason{ID: id, Text: cond.Text, Of: of, When: cond.When, Holds: w.c.applies(id, w.values), State: map[string]int{}}
		for _, name := range cond.When.Names() {
			reason.State[name] = w.values[name]
		}
		out = append(out, reason)
	}
	add(r.When, "row")
	for n, f := range r.Flows {
		add(f.When, fmt.Sprintf("%s.%d", r.ID, n+1))
	}
	return out
}

// number explains a number: the rows that claim it, else why none does.
func (w *reasoner) number(e *Explanation, n Port, protocol Protocol) {
	near := []string{}
	rows := w.c.plan.planRows()
	for _, cl := range w.compiled.Claims {
		rg := cl.Range()
		if cl.Port == 0 || n < rg.First || n > rg.Last {
			continue
		}
		switch {
		case protocol != "" && cl.Protocol != protocol:
			near = append(near, fmt.Sprintf("%s claims %s/%s: the other transport is another port", cl.Service, rg, cl.Protocol))
		case !cl.Parity.fits(n):
			near = append(near, fmt.Sprintf("it lies within %s of %s, which uses the numbers that are %s", rg, cl.Service, cl.Parity))
		default:
			for _, r := range rows {
				if r.owns(cl) {
					w.add(e, r)
				}
			}
		}
	}
	w.elsewhere(e, func(cl Claim) bool {
		rg := cl.Range()
		return n >= rg.First && n <= rg.Last && cl.Parity.fits(n) && (protocol == "" || cl.Protocol == protocol)
	})
	if len(e.Rows) > 0 {
		return
	}
	e.Absent = append(e.Absent, near...)
	for _, r := range rows {
		if r.Was == strconv.Itoa(int(n)) {
			e.Absent = append(e.Absent, fmt.Sprintf("it is the number that %s had before", r.ID))
		}
		if r.Window != (Range{}) && n >= r.Window.First && n <= r.Window.Last {
			e.Absent = append(e.Absent, fmt.Sprintf("it lies within %s, which the page reserves for %s and others", r.Window, r.ID))
			break
		}
	}
	for _, f := range w.c.plan.Families {
		if n >= f.Window.First && n <= f.Window.Last && f.Window.First > 0 {
			e.Absent = append(e.Absent, w.offset(f, n))
		}
	}
	switch {
	case len(e.Instances) > 0:
		e.Absent = append(e.Absent, fmt.Sprintf("other instances claim it, instance %d does not", w.instance))
	case len(e.Absent) == 0:
		e.Absent = append(e.Absent, "no row, pool or window of the plan has it")
	}
}

// offset says at which offset of a family a number lies, as the formula has it for this instance.
func (w *reasoner) offset(f Family, n Port) string {
	v := with(w.values, 0)
	base, err := f.Formula.Eval(v)
	if err != nil {
		return fmt.Sprintf("it lies within the window %s of the family %s", f.Window, f.ID)
	}
	for offset := range 1 << 16 {
		v["offset"] = offset
		if got, err := f.Formula.Eval(v); err != nil || got == base && offset > 0 {
			break
		} else if got == int(n) {
			return fmt.Sprintf("it is offset %d of the family %s (%s), which no row has", offset, f.ID, f.Formula)
		}
	}
	return fmt.Sprintf("it lies within the window %s of the family %s, and is no number of this instance", f.Window, f.ID)
}

// elsewhere lists what other instances claim, of rows whose numbers are not the same in all of them.
func (w *reasoner) elsewhere(e *Explanation, wanted func(Claim) bool) {
	for i, instance := range w.c.plan.Instances() {
		for n := range w.c.rows {
			r := &w.c.rows[n]
			if instance == w.instance || !r.varies {
				continue
			}
			for _, s := range r.numbers[i] {
				for _, proto := range r.Protocols {
					cl := r.claim(s, proto)
					if cl.Port != 0 && cl.Binds && cl.Status != Inactive && cl.Status != Foreign && wanted(cl) {
						e.Instances = append(e.Instances, Elsewhere{Instance: instance, Service: cl.Service, Protocol: cl.Protocol, Ports: cl.Range().String()})
					}
				}
			}
		}
	}
}
