package ports

import "fmt"

// checkNumbers reports numbers that are missing, outside their window, or not those that the page means.
func (c *compiler) checkNumbers(r *row) {
	outside, parity := false, false
	missing := ""
	for n, spans := range r.numbers {
		for _, s := range spans {
			if s.First == 0 {
				if missing == "" && !s.off && r.asleep() && r.Status == Works {
					missing = r.what() + " has no number" + c.inInstance(r, n)
				}
				continue
			}
			if window := r.window(c, s); !outside && window != (Range{}) && (s.First < window.First || s.Last > window.Last) {
				outside = true
				sev := Error
				if s.by != "" {
					sev = Warning // the site knows what it does
				}
				c.report(OutsideWindow, sev, r.At, fmt.Sprintf("%s: %s%s is outside the window %s", r.what(), s.Range, c.inInstance(r, n), window), "change the number, or the window")
			}
			if !parity && !s.pair && !s.parity.fits(s.First) && !s.parity.fits(s.Last) {
				parity = true
				c.printed(r, r.what(), s.Range, s.parity)
			}
		}
	}
	if missing != "" {
		c.report(NoNumber, Note, r.At, missing+": nothing listens for it until the site gives one", "give it one in a plan that extends this one")
	}
	if r.pool == nil {
		return
	}
	if p := r.pool.Pair.Printed; p != (Range{}) && r.pool.Pair.Parity != "" && !r.pool.Pair.Parity.fits(p.First) && !r.pool.Pair.Parity.fits(p.Last) {
		c.printed(r, "pair "+r.pool.Pair.ID+" of "+r.what(), p, r.pool.Pair.Parity)
	}
}

// printed reports a range whose printed ends are not of its parity.
func (c *compiler) printed(r *row, what string, rg Range, p Parity) {
	c.report(PrintedEnds, Warning, r.At, fmt.Sprintf("%s: the range is printed as %d to %d (%s), and both ends are not: read as %d to %d",
		what, rg.First, rg.Last, p, p.within(rg).First, p.within(rg).Last), "write the ends that are meant")
}

// window is where the page says that a number of the row lies.
func (r *row) window(c *compiler, s span) Range {
	if r.Window != (Range{}) {
		return r.Window
	}
	if s.family != "" {
		return c.families[s.family].Window
	}
	return Range{}
}

// checkOffsets reports which offsets of a family nothing uses, where its instances follow one another at a fixed
// distance.
func (c *compiler) checkOffsets() {
	instances := c.instances
	if len(instances) < 2 {
		return
	}
	for _, f := range c.plan.Families {
		used := map[int]bool{}
		for _, r := range c.plan.planRows() {
			r.offsets(f.ID, used)
		}
		one, err1 := f.Formula.Eval(with(c.at(instances[0]), 0))
		two, err2 := f.Formula.Eval(with(c.at(instances[1]), 0))
		const least, most = 2, 1000 // a table of offsets that people keep
		if step := two - one; err1 == nil && err2 == nil && len(used) > 0 && step >= least && step <= most {
			if free := gaps(used, step); free != "" {
				c.report(FreeOffsets, Note, f.At, fmt.Sprintf("family %s: the offsets %s of %d are not used", f.ID, free, step), "new services of the family have room there")
			}
		}
	}
}

// offsets marks the offsets of a family that the row uses. Second numbers that the page prints are the family's.
func (r *row) offsets(family string, used map[int]bool) {
	if r.Family == family {
		used[r.Offset] = true
	}
	mark := func(s Span) {
		if s.Family != family {
			return
		}
		for n := max(0, s.Offsets[0]); n <= min(s.Offsets[1], 1<<16); n++ {
			used[n] = true
			if r.pool.Pair.ID != "" {
				used[n+r.pool.Pair.Delta] = true
			}
		}
		for n := int(r.pool.Pair.Printed.First); n <= int(r.pool.Pair.Printed.Last) && n > 0; n++ {
			used[n] = true
		}
	}
	for _, s := range r.spans() {
		mark(s)
	}
}

// gaps writes what is not used below a limit: "8-10, 14-19".
func gaps(used map[int]bool, limit int) string {
	text := ""
	for n := 0; n < limit; n++ {
		first := n
		for n < limit && !used[n] {
			n++
		}
		if n == first {
			continue
		}
		part := fmt.Sprintf("%d", first)
		if n-1 > first {
			part = fmt.Sprintf("%d-%d", first, n-1)
		}
		if text != "" {
			text += ", "
		}
		text += part
	}
	return text
}
