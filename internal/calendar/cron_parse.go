package calendar

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// cronField is one field of an expression.
type cronField struct {
	name     string
	min, max int
	names    []string // from min on
	can      string   // what it can be, for people
}

const (
	fieldSecond = iota
	fieldMinute
	fieldHour
	fieldDom
	fieldMonth
	fieldDow
)

func cronFields() [6]cronField {
	return [6]cronField{
		{name: "second", max: 59, can: "0 to 59"},
		{name: "minute", max: 59, can: "0 to 59"},
		{name: "hour", max: 23, can: "0 to 23"},
		{name: "day of the month", min: 1, max: 31, can: "1 to 31, L, L-3, LW, 15W or ?"},
		{
			name: "month", min: 1, max: 12, can: "1 to 12 or JAN to DEC",
			names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"},
		},
		{
			name: "day of the week", max: 7, can: "0 to 7 (0 and 7 are Sunday), SUN to SAT, 5L, 5#3 or ?",
			names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"},
		},
	}
}

// maxCron is longer than any expression that lists every number of every field.
const maxCron = 1000

// macro returns the expression that a word stands for.
func macro(word string) (string, bool) {
	switch word {
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@hourly":
		return "0 * * * *", true
	}
	return "", false
}

// parseCron reads an expression; seed spreads what H leaves open. Each mistake is one sentence.
func parseCron(text, seed string) (cron, []string) {
	if len(text) > maxCron {
		return cron{}, []string{fmt.Sprintf("the expression is longer than %d characters", maxCron)}
	}
	fields := strings.Fields(text)
	if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
		meaning, ok := macro(strings.ToLower(fields[0]))
		if !ok || len(fields) > 1 {
			return cron{}, []string{unknownMacro(fields[0])}
		}
		fields = strings.Fields(meaning)
	}
	switch len(fields) {
	case 5:
		fields = append([]string{"0"}, fields...)
	case 6:
	case 7:
		return cron{}, []string{fmt.Sprintf("%q has seven fields: years are not taken; write six, and the years as `from` and `until`", text)}
	default:
		return cron{}, []string{fmt.Sprintf("%q has %s; write five: minute, hour, day of the month, month, day of the week (or six, with the second first)", text, plural(len(fields), "field"))}
	}
	p := cronParser{seed: seed}
	for i, f := range cronFields() {
		p.index, p.field = i, f
		p.read(strings.ToUpper(fields[i]))
	}
	return p.cron, p.mistakes
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func unknownMacro(word string) string {
	switch strings.ToLower(word) {
	case "@reboot":
		return "@reboot is not a time: a net cannot be due when a machine starts, because the machine that starts does not decide; start it from that machine's own boot, with `reeve run start NET`"
	case "@every":
		return "@every is not taken: write `every: 90s` in the place of `cron`"
	}
	return fmt.Sprintf("%q is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly", word)
}

type cronParser struct {
	cron     cron
	seed     string
	index    int
	field    cronField
	mistakes []string
}

func (p *cronParser) fail(part, why string) {
	p.mistakes = append(p.mistakes, fmt.Sprintf("the %s is %q: %s", p.field.name, part, why))
}

func (p *cronParser) read(text string) {
	star := strings.HasPrefix(text, "*") || text == "?"
	switch p.index {
	case fieldHour:
		_, step, ok := strings.Cut(text, "*/")
		p.cron.everyHour = text == "*" || ok && strings.HasPrefix(text, "*/") && isNumber(step)
	case fieldDom:
		p.cron.domStar = star
	case fieldDow:
		p.cron.dowStar = star
	}
	for part := range strings.SplitSeq(text, ",") {
		p.part(part)
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// part reads one entry of a list: *, ?, H, N, N-M, each with /STEP, and the days with L, W and #.
func (p *cronParser) part(part string) {
	f := p.field
	if (p.index == fieldDom || p.index == fieldDow) && p.day(part) {
		return
	}
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		n, err := strconv.Atoi(stepText)
		switch {
		case err != nil || !isNumber(stepText) || n < 1:
			p.fail(part, "after / stands a whole number from 1 on")
			return
		case n > f.max-f.min+1:
			p.fail(part, fmt.Sprintf("a step of %d is longer than the whole field, which is %d to %d, so that it would only be its first value; `every` can have any length", n, f.min, f.max))
			return
		}
		step = n
	}
	lo, hi, ok := f.min, f.max, true
	if p.index == fieldDow {
		hi = 6
	}
	switch {
	case span == "*" || span == "?" && (p.index == fieldDom || p.index == fieldDow) && !stepped:
	case span == "H" || strings.HasPrefix(span, "H("):
		lo, hi, ok = p.hash(part, span, step, stepped)
	case strings.Contains(span, "~"):
		p.fail(part, "a random value is not taken: write H for one that is spread over schedules and stays, or H(0-29)")
		return
	default:
		lo, hi, ok = p.span(part, span, step, stepped)
	}
	if !ok {
		return
	}
	for n := lo; n <= hi; n += step {
		p.set(n)
	}
}

// span reads N or N-M; N/STEP is from N to the end of the field.
func (p *cronParser) span(part, span string, step int, stepped bool) (lo, hi int, ok bool) {
	first, last, isRange := strings.Cut(span, "-")
	if isRange {
		lo, hi, ok = p.ends(part, first, last)
		if ok && hi < lo {
			p.fail(part, "a range does not run over its end: write "+p.split(lo, hi, step, first, last))
		}
		return lo, hi, ok && hi >= lo
	}
	if lo, ok = p.number(part, first); !ok {
		return 0, 0, false
	}
	if stepped {
		return lo, p.top(), true
	}
	return lo, lo, true
}

// ends reads both ends of a range.
func (p *cronParser) ends(part, first, last string) (lo, hi int, ok bool) {
	if lo, ok = p.number(part, first); !ok {
		return 0, 0, false
	}
	if hi, ok = p.number(part, last); !ok {
		return 0, 0, false
	}
	if p.index == fieldDow && hi == 0 && lo > 0 {
		hi = 7 // a range may end on a Sunday, however that is written
	}
	return lo, hi, true
}

// split writes a range that runs over its end as the one or two ranges that it would be.
func (p *cronParser) split(lo, hi, step int, first, last string) string {
	piece := func(n, end int, from, to string) string {
		switch {
		case n+step > end:
			return from
		case step > 1:
			return fmt.Sprintf("%s-%s/%d", from, to, step)
		}
		return from + "-" + to
	}
	top := p.top()
	if lo > top { // 7 is a Sunday, with which the week begins
		return piece(0, hi, "0", last)
	}
	text := piece(lo, top, first, strconv.Itoa(top))
	lo += (top-lo)/step*step + step // the first one beyond the end
	lo -= top - p.field.min + 1
	switch {
	case lo > hi:
		return text
	case lo == hi:
		return text + "," + last
	}
	return text + "," + piece(lo, hi, strconv.Itoa(lo), last)
}

// top is the greatest number of the field that is no second name of another.
func (p *cronParser) top() int {
	if p.index == fieldDow {
		return 6
	}
	return p.field.max
}

func (p *cronParser) number(part, text string) (int, bool) {
	for i, name := range p.field.names {
		if text == name {
			return p.field.min + i, true
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || !isNumber(text) || n < p.field.min || n > p.field.max {
		p.fail(part, "it can be "+p.field.can)
		return 0, false
	}
	return n, true
}

func (p *cronParser) set(n int) {
	switch p.index {
	case fieldSecond:
		p.cron.second |= 1 << n
	case fieldMinute:
		p.cron.minute |= 1 << n
	case fieldHour:
		p.cron.hour |= 1 << n
	case fieldDom:
		p.cron.dom |= 1 << n
	case fieldMonth:
		p.cron.month |= 1 << n
	case fieldDow:
		p.cron.dow |= 1 << (n % 7)
	}
}

// hash reads H and H(N-M): one value of the range, or with a step the place where the steps begin, that differs from schedule
// to schedule and from field to field, and is always the same for one. Days of the month are spread over the first 28.
func (p *cronParser) hash(part, span string, step int, stepped bool) (lo, hi int, ok bool) {
	lo, hi = p.field.min, p.top()
	if p.index == fieldDom {
		hi = 28
	}
	if inner, found := strings.CutPrefix(span, "H("); found {
		inner, closed := strings.CutSuffix(inner, ")")
		if !closed || !strings.Contains(inner, "-") {
			p.fail(part, "a range for H is written H(0-29)")
			return 0, 0, false
		}
		first, last, _ := strings.Cut(inner, "-")
		if lo, hi, ok = p.ends(part, first, last); !ok {
			return 0, 0, false
		}
		if hi < lo { // two ranges would be two times
			p.fail(part, fmt.Sprintf("a range does not run over its end: write H(%s-%d) or H(%d-%s)", first, p.top(), p.field.min, last))
			return 0, 0, false
		}
	}
	p.cron.hashed = true
	h := spread(p.seed + "\x00" + p.field.name)
	if stepped {
		return lo + int(h%uint64(min(step, hi-lo+1))), hi, true
	}
	lo += int(h % uint64(hi-lo+1))
	return lo, lo, true
}

// spread is a number that looks drawn by lot and is always the same for one text.
func spread(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return mix(h.Sum64()) // the last letters have hardly reached the low bits
}

// mix spreads all bits over all bits (the end of MurmurHash3).
func mix(n uint64) uint64 {
	n = (n ^ n>>33) * 0xff51afd7ed558ccd
	n = (n ^ n>>33) * 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}

// day reads what only a field of days can be; false: it is none of that.
func (p *cronParser) day(part string) bool {
	if p.index == fieldDow {
		return p.weekday(part)
	}
	text, near := strings.CutSuffix(part, "W")
	before, fromLast := strings.CutPrefix(text, "L")
	switch {
	case fromLast:
		n := 0
		if before != "" {
			var err error
			n, err = strconv.Atoi(strings.TrimPrefix(before, "-"))
			if err != nil || before[0] != '-' || !isNumber(before[1:]) || n > 30 {
				p.fail(part, "L is the last day of the month, and L-3 three days before it, up to L-30")
				return true
			}
		}
		if near {
			p.cron.lastNear |= 1 << n
		} else {
			p.cron.last |= 1 << n
		}
		return true
	case near:
		if n, err := strconv.Atoi(text); err == nil && isNumber(text) && n >= 1 && n <= 31 {
			p.cron.near |= 1 << n
		} else {
			p.fail(part, "15W is the weekday nearest to the 15th, and LW the last weekday of the month")
		}
		return true
	}
	return false
}

func (p *cronParser) weekday(part string) bool {
	if text, nth, ok := strings.Cut(part, "#"); ok {
		n, err := strconv.Atoi(nth)
		if err != nil || !isNumber(nth) || n < 1 || n > 5 {
			p.fail(part, "5#3 is the third Friday; after # stands 1 to 5")
			return true
		}
		if d, ok := p.number(part, text); ok {
			p.cron.nth[n] |= 1 << (d % 7)
		}
		return true
	}
	if part == "L" {
		p.fail(part, "L needs a weekday here: 5L or FRIL is the last Friday of the month; for Saturday write 6")
		return true
	}
	if text, ok := strings.CutSuffix(part, "L"); ok {
		if d, ok := p.number(part, text); ok {
			p.cron.lastDow |= 1 << (d % 7)
		}
		return true
	}
	return false
}
