package calendar

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	maxRRule = 2000
	maxCount = 10_000
)

// rruleParser reads the text of a rule. Each mistake is one sentence.
type rruleParser struct {
	rule     rrule
	given    map[string]bool
	count    int64
	until    string
	mistakes []string
}

func (p *rruleParser) fail(form string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf(form, args...))
}

// parseRRule reads a rule without DTSTART, which is start. Count is 0 where the rule has none; until is as it is written.
func parseRRule(text string, start int64) *rruleParser {
	p := &rruleParser{rule: rrule{interval: 1, start: start, until: latest, wkst: 1}, given: map[string]bool{}}
	if len(text) > maxRRule {
		p.fail("the rule is longer than %d characters", maxRRule)
		return p
	}
	text = strings.TrimSuffix(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:"), ";")
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case !ok || value == "":
			p.fail("%q is not NAME=VALUE, as in FREQ=MONTHLY;BYDAY=1MO", part)
		case p.given[name]:
			p.fail("%s stands there twice", name)
		default:
			p.given[name] = true
			p.part(name, value)
		}
	}
	if !p.given["FREQ"] {
		p.fail("FREQ is missing: YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY or SECONDLY")
	}
	if p.given["COUNT"] && p.given["UNTIL"] {
		p.fail("COUNT and UNTIL do not stand in one rule (RFC 5545)")
	}
	if len(p.mistakes) == 0 {
		p.check()
	}
	if len(p.mistakes) == 0 {
		p.fill()
	}
	return p
}

func (p *rruleParser) part(name, value string) {
	r := &p.rule
	switch name {
	case "FREQ":
		for i, f := range []string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"} {
			if value == f {
				r.freq = frequency(i)
				return
			}
		}
		p.fail("FREQ is %q: it can be YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY or SECONDLY", value)
	case "INTERVAL":
		r.interval = p.amount(name, value, 1_000_000)
	case "COUNT":
		p.count = p.amount(name, value, maxCount)
	case "UNTIL":
		p.until = value
	case "WKST":
		r.wkst = p.weekday(name, value)
	case "BYMONTH":
		p.numbers(name, value, 12, false, func(n int) { r.month |= 1 << n })
	case "BYMONTHDAY":
		p.numbers(name, value, 31, true, func(n int) { put32(&r.monthDay, &r.monthEnd, n) })
	case "BYYEARDAY":
		p.numbers(name, value, 366, true, func(n int) { putLong(&r.yearDay, &r.yearEnd, n) })
	case "BYWEEKNO":
		p.numbers(name, value, 53, true, func(n int) { put64(&r.week, &r.weekEnd, n) })
	case "BYSETPOS":
		p.numbers(name, value, 366, true, func(n int) { putLong(&r.pos, &r.posEnd, n) })
	case "BYHOUR":
		p.numbers(name, value, 23, false, func(n int) { r.times.hour |= 1 << n })
	case "BYMINUTE":
		p.numbers(name, value, 59, false, func(n int) { r.times.minute |= 1 << n })
	case "BYSECOND":
		p.numbers(name, value, 59, false, func(n int) { r.times.second |= 1 << n })
	case "BYDAY":
		p.days(value)
	case "DTSTART":
		p.fail("DTSTART does not stand in the rule: it is `from` of the schedule")
	default:
		p.fail("%q is not a part of a rule (RFC 5545, 3.3.10)", name)
	}
}

func put32(from, end *uint32, n int) {
	if n > 0 {
		*from |= 1 << n
	} else {
		*end |= 1 << -n
	}
}

func put64(from, end *uint64, n int) {
	if n > 0 {
		*from |= 1 << n
	} else {
		*end |= 1 << -n
	}
}

func putLong(from, end *[6]uint64, n int) {
	if n > 0 {
		from[n>>6] |= 1 << (n & 63)
	} else {
		end[-n>>6] |= 1 << (-n & 63)
	}
}

func (p *rruleParser) amount(name, value string, most int64) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 || n > most {
		p.fail("%s is %q: it is a whole number from 1 to %d", name, value, most)
		return 1
	}
	return n
}

// numbers reads a list; signed ones count from the end where they are below zero, and are never zero.
func (p *rruleParser) numbers(name, value string, most int, signed bool, put func(int)) {
	least := 0
	if name == "BYMONTH" {
		least = 1
	}
	for text := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(text)
		switch {
		case signed && (err != nil || n == 0 || n > most || n < -most):
			p.fail("%s has %q: it can be 1 to %d, or -1 to -%d from the end", name, text, most, most)
		case !signed && (err != nil || n < least || n > most):
			p.fail("%s has %q: it can be %d to %d", name, text, least, most)
		default:
			put(n)
		}
	}
}

func (p *rruleParser) weekday(name, text string) int {
	for i, d := range []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"} {
		if text == d {
			return i
		}
	}
	p.fail("%s has %q: it can be MO, TU, WE, TH, FR, SA and SU", name, text)
	return 0
}

// days reads BYDAY: MO, 2MO, -1FR.
func (p *rruleParser) days(value string) {
	for text := range strings.SplitSeq(value, ",") {
		cut := max(0, len(text)-2)
		d := p.weekday("BYDAY", text[cut:])
		if cut == 0 {
			p.rule.dow |= 1 << d
			continue
		}
		n, err := strconv.Atoi(text[:cut])
		if err != nil || n == 0 || n > 53 || n < -53 {
			p.fail("BYDAY has %q: 2MO is the second Monday and -1FR the last Friday", text)
			continue
		}
		p.given["numbered"] = true
		if n > 5 || n < -5 {
			p.given["far"] = true
		}
		put64(&p.rule.nth[d], &p.rule.nthEnd[d], n)
	}
}

// check refuses what RFC 5545 does not allow together.
func (p *rruleParser) check() {
	f, has := p.rule.freq, p.given
	if has["numbered"] && f != yearly && f != monthly {
		p.fail("BYDAY has numbers, which are only for MONTHLY and YEARLY")
	}
	if has["numbered"] && has["BYWEEKNO"] {
		p.fail("BYDAY has numbers, which do not go with BYWEEKNO")
	}
	if has["far"] && (f == monthly || has["BYMONTH"]) {
		p.fail("BYDAY counts weekdays of a month here, which has five at most")
	}
	if has["BYWEEKNO"] && f != yearly {
		p.fail("BYWEEKNO is only for YEARLY")
	}
	if has["BYYEARDAY"] && (f == daily || f == weekly || f == monthly) {
		p.fail("BYYEARDAY is not for MONTHLY, WEEKLY and DAILY")
	}
	if has["BYMONTHDAY"] && f == weekly {
		p.fail("BYMONTHDAY is not for WEEKLY")
	}
	if has["BYSETPOS"] {
		others := false
		for name := range has {
			others = others || strings.HasPrefix(name, "BY") && name != "BYSETPOS"
		}
		if !others {
			p.fail("BYSETPOS needs another BY… beside it, of which it takes some")
		}
		if f > daily {
			p.fail("BYSETPOS is only for YEARLY, MONTHLY, WEEKLY and DAILY here")
		}
	}
}

// fill takes from DTSTART what the rule leaves open.
func (p *rruleParser) fill() {
	r, has := &p.rule, p.given
	day := floorDiv(r.start, daySeconds)
	_, month, dom := civil(day)
	if !has["BYWEEKNO"] && !has["BYYEARDAY"] && !has["BYMONTHDAY"] && !has["BYDAY"] {
		switch r.freq {
		case yearly:
			if !has["BYMONTH"] {
				r.month, has["BYMONTH"] = 1<<month, true
			}
			r.monthDay, has["BYMONTHDAY"] = 1<<dom, true
		case monthly:
			r.monthDay, has["BYMONTHDAY"] = 1<<dom, true
		case weekly:
			r.dow, has["BYDAY"] = 1<<weekday(day), true
		case daily, hourly, minutely, secondly:
		}
	}
	if !has["BYMONTH"] {
		r.month = allMonths
	}
	r.limits = limits{month: has["BYMONTH"], monthDay: has["BYMONTHDAY"], yearDay: has["BYYEARDAY"], week: has["BYWEEKNO"], dow: has["BYDAY"], pos: has["BYSETPOS"]}
	p.fillTimes(int(r.start - day*daySeconds))
}

func (p *rruleParser) fillTimes(t int) {
	r, has := &p.rule, p.given
	if !has["BYHOUR"] {
		r.times.hour = 1 << (t / 3600)
		if r.freq >= hourly {
			r.times.hour = uint32(mask(24))
		}
	}
	if !has["BYMINUTE"] {
		r.times.minute = 1 << (t / 60 % 60)
		if r.freq >= minutely {
			r.times.minute = mask(60)
		}
	}
	if !has["BYSECOND"] {
		r.times.second = 1 << (t % 60)
		if r.freq >= secondly {
			r.times.second = mask(60)
		}
	}
	if r.freq > daily && !r.meets() {
		p.fail("it is never due: from `from` on, the interval of %d only comes to times of the day that BYHOUR, BYMINUTE and BYSECOND leave out", r.interval)
	}
}

// meets reports whether the steps of a frequency below a day ever come to a time of the day that the rule has. Without that
// question the search for a next one could take long and find nothing.
func (r *rrule) meets() bool {
	unit := r.freq.unit()
	a, b := r.interval, daySeconds/unit
	for b != 0 {
		a, b = b, a%b
	}
	for t := floorDiv(r.start, unit) % a; t < daySeconds/unit; t += a {
		second := int(t * unit)
		if found, ok := r.times.time(second); ok && int64(found) < (t+1)*unit {
			return true
		}
	}
	return false
}

// end reads UNTIL: with Z an instant, without it a wall time, and of a date the whole day.
func (p *rruleParser) end(z *zone) {
	if p.until == "" {
		return
	}
	for _, form := range []string{"20060102T150405Z", "20060102T150405", "20060102"} {
		t, err := time.Parse(form, p.until)
		if err != nil {
			continue
		}
		if err := inRange(p.until, t); err != nil {
			p.fail("UNTIL is not in range: %v", err)
			return
		}
		switch p.rule.until = t.Unix(); len(p.until) {
		case 16:
			p.rule.until = z.wall(t.Unix())
		case 8:
			p.rule.until += daySeconds - 1
		}
		return
	}
	p.fail("UNTIL is %q: write 20261231T235959Z, 20261231T235959 (a wall time) or 20261231", p.until)
}
