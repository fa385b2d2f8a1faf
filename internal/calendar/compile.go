package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Compiler makes rules of schedules, and keeps what they share: zones, parsed expressions, resolved calendars. It is not safe
// for use by several goroutines at once; its rules are.
type Compiler struct {
	database  *Zones
	lookup    Lookup
	zones     map[string]*zone
	timelines map[timelineKey]*timeline
	parsed    map[string]*cron // by text, without those with H
	crons     map[cron]*cron
	rrules    map[rrule]*rrule
	days      map[string]*Days
	words     map[string]string
}

type timelineKey struct {
	zone *zone
	gap  Gap
	fold Fold
}

// NewCompiler builds a compiler over a time zone database and the calendars that schedules may name.
func NewCompiler(zones *Zones, lookup Lookup) *Compiler {
	return &Compiler{
		database: zones, lookup: lookup,
		zones: map[string]*zone{}, timelines: map[timelineKey]*timeline{}, parsed: map[string]*cron{}, crons: map[cron]*cron{}, rrules: map[rrule]*rrule{},
		days: map[string]*Days{}, words: map[string]string{},
	}
}

// Compile makes the rule of a schedule of a net; the names of both spread what is to be spread (H, jitter). Everything that is
// wrong with it is returned at once: also that it is never due (within 40 years), and that its calendar leaves no day.
func (c *Compiler) Compile(net string, s Schedule) (*Rule, []Problem) {
	k := &compiling{Compiler: c, net: net, schedule: s}
	return k.rule()
}

// compiling is the making of one rule.
type compiling struct {
	*Compiler
	net      string
	schedule Schedule
	zone     *zone
	from     *moment
	working  []nthDay
	problems []Problem
}

func (k *compiling) fail(field, form string, args ...any) {
	k.problems = append(k.problems, Problem{Field: field, Message: fmt.Sprintf(form, args...)})
}

func (k *compiling) rule() (*Rule, []Problem) {
	s := &k.schedule
	k.checkWords()
	k.findZone()
	r := &Rule{first: earliest, last: latest}
	if s.From != "" {
		if m, err := parseMoment(s.From); err != nil {
			k.fail("from", "%v", err)
		} else {
			k.from = &m
		}
	}
	var until *moment
	if s.Until != "" {
		if m, err := parseMoment(s.Until); err != nil {
			k.fail("until", "%v", err)
		} else {
			until = &m
		}
	}
	if k.zone == nil { // what the times mean cannot be said; what is wrong with the rest can
		k.zone = &zone{loc: time.UTC, segments: []segment{{}}}
	}
	if k.from != nil {
		r.first = k.from.at(k.zone)
	}
	if until != nil {
		r.last = until.at(k.zone)
		if r.last <= r.first {
			k.fail("until", "nothing is left: until %s is not after from %s", s.Until, s.From)
		}
	}
	r.zone = k.zone
	k.calendar(r)
	k.blackouts(r)
	k.ofKind(r)
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	r.schedule = k.shared(*s)
	r.timeline = k.timeline(s.Gap, s.Fold)
	k.checkDue(r)
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	return r, nil
}

// checkWords checks the fields that have a closed list of words, and the amounts.
func (k *compiling) checkWords() {
	s := &k.schedule
	word(k, "dst_gap", s.Gap, GapNextValid, GapSkip, GapShift)
	word(k, "dst_overlap", s.Fold, FoldFirst, FoldLast, FoldBoth)
	word(k, "on_collision", s.OnCollision, CollisionOne, CollisionBoth)
	word(k, "catchup", s.Catchup, CatchupNone, CatchupLast, CatchupAll)
	word(k, "overlap", s.Overlap, OverlapAllow, OverlapSkip, OverlapQueue, OverlapReplace)
	for _, d := range []struct {
		field  string
		amount time.Duration
	}{{"start_within", s.StartWithin}, {"must_end", s.MustEnd}, {"jitter", s.Jitter}} {
		if d.amount < 0 {
			k.fail(d.field, "%s is below zero: %s", d.field, brief(d.amount))
		}
	}
}

// brief writes 24h and not 24h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func word[T ~string](k *compiling, field string, got T, words ...T) {
	if slices.Contains(words, got) {
		return
	}
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	k.fail(field, "%q is not one of %s", string(got), strings.Join(list, ", "))
}

func (k *compiling) findZone() {
	name := k.schedule.Zone
	if k.zone = k.zones[name]; k.zone != nil {
		return
	}
	loc, ok := k.database.Location(name)
	if !ok {
		fix := "write a name of the time zone database, as Europe/Berlin or UTC"
		if names := k.database.Nearest(name); len(names) > 0 {
			fix = "did you mean " + strings.Join(names, ", ") + "?"
		}
		k.fail("zone", "there is no time zone %q in tzdata %s; %s", name, k.database.Version(), fix)
		return
	}
	k.zone = newZone(loc)
	k.zones[strings.Clone(name)] = k.zone
}

func (k *compiling) timeline(gap Gap, fold Fold) *timeline {
	key := timelineKey{k.zone, gap, fold}
	t := k.timelines[key]
	if t == nil {
		t = newTimeline(k.zone, gap, fold)
		k.timelines[key] = t
	}
	return t
}

// ofKind reads the one field that says when: cron, rrule, every or dates.
func (k *compiling) ofKind(r *Rule) {
	s := &k.schedule
	var kinds []string
	for _, kind := range []struct {
		name string
		set  bool
	}{{"cron", s.Cron != ""}, {"rrule", s.RRule != ""}, {"every", s.Every != 0}, {"dates", len(s.Dates) > 0}} {
		if kind.set {
			kinds = append(kinds, kind.name)
		}
	}
	switch {
	case len(kinds) == 0:
		k.fail("cron", "nothing says when it is due; write one of cron, rrule, every and dates")
		return
	case len(kinds) > 1:
		k.fail(kinds[1], "%s stand in one schedule, which has one of cron, rrule, every and dates; make a schedule of each", strings.Join(kinds, " and "))
		return
	}
	switch kinds[0] {
	case "cron":
		k.cron(r)
	case "rrule":
		k.rrule(r)
	case "every":
		k.every(r)
	case "dates":
		k.dates(r)
	}
	if len(k.working) > 0 && r.days != nil {
		r.nominals = onDays{all: r.nominals, days: k.working, rule: r}
	}
}

// calendar reads what depends on the days of a calendar.
func (k *compiling) calendar(r *Rule) {
	s := &k.schedule
	var err error
	if r.shift, err = parseShift(s.Shift); err != nil {
		k.fail("shift", "%v", err)
	}
	for i, text := range s.WorkingDays {
		d, err := parseNthDay(text)
		if err != nil {
			k.fail(fmt.Sprintf("working_days[%d]", i), "%v", err)
			continue
		}
		k.working = append(k.working, d)
	}
	if s.Calendar == "" {
		if len(s.WorkingDays) > 0 {
			k.fail("working_days", "they need a calendar, which says what a working day is")
		}
		return
	}
	if r.days = k.days[s.Calendar]; r.days != nil {
		return
	}
	lookup := k.lookup
	if lookup == nil {
		lookup = func(string) (*Definition, bool) { return nil, false }
	}
	days, problems := Resolve(s.Calendar, lookup)
	for _, p := range problems {
		k.fail("calendar", "%s", p.Message)
	}
	if len(problems) == 0 {
		r.days = days
		k.days[strings.Clone(s.Calendar)] = days
	}
}

// blackouts reads blackouts and jitter.
func (k *compiling) blackouts(r *Rule) {
	for i, b := range k.schedule.Blackouts {
		parsed, field, err := parseBlackout(b)
		if err != nil {
			k.fail(fmt.Sprintf("blackouts[%d].%s", i, field), "%v", err)
			continue
		}
		r.blackouts = append(r.blackouts, parsed)
	}
	r.jitter = k.schedule.Jitter
	if r.jitter > maxJitter {
		k.fail("jitter", "a jitter of %s is too long: it goes up to %s", brief(r.jitter), brief(maxJitter))
	}
	if r.jitter%time.Millisecond != 0 {
		k.fail("jitter", "a jitter of %s is not in whole milliseconds", r.jitter)
	}
	if r.jitter > 0 {
		r.seed = spread(k.net + "\x00" + k.schedule.Name)
	}
}

func (k *compiling) cron(r *Rule) {
	text := k.schedule.Cron
	c := k.parsed[text]
	if c == nil {
		parsed, mistakes := parseCron(text, k.net+"\x00"+k.schedule.Name)
		for _, m := range mistakes {
			k.fail("cron", "%s", m)
		}
		if len(mistakes) > 0 {
			return
		}
		if c = k.crons[parsed]; c == nil {
			c = &parsed
			k.crons[parsed] = c
		}
		if !parsed.hashed {
			k.parsed[strings.Clone(text)] = c
		}
	}
	gap, fold := k.schedule.Gap, k.schedule.Fold
	if c.everyHour {
		gap, fold = GapSkip, FoldBoth // each real instant whose wall time matches
	}
	r.nominals = zoned{c, k.timeline(gap, fold)}
}

// rrule reads a rule of RFC 5545. Without `from`, it begins at midnight of 1970-01-01.
func (k *compiling) rrule(r *Rule) {
	var start int64
	if k.from != nil {
		start = k.from.wall(k.zone)
	}
	p := parseRRule(k.schedule.RRule, start)
	if len(p.mistakes) == 0 {
		p.end(k.zone)
	}
	if p.count > 0 && k.schedule.From == "" {
		p.fail("COUNT counts from `from` on, which is missing")
	}
	for _, m := range p.mistakes {
		k.fail("rrule", "%s", m)
	}
	if len(p.mistakes) > 0 {
		return
	}
	timeline := k.timeline(k.schedule.Gap, k.schedule.Fold)
	if p.count > 0 {
		r.nominals = zoned{p.rule.first(p.count), timeline}
		return
	}
	shared := k.rrules[p.rule]
	if shared == nil {
		shared = &p.rule
		k.rrules[p.rule] = shared
	}
	r.nominals = zoned{shared, timeline}
}

// every makes the grid. By end, it has its first place only.
func (k *compiling) every(r *Rule) {
	s := &k.schedule
	word(k, "every_by", s.EveryBy, EveryStart, EveryEnd)
	switch {
	case s.Every < time.Second:
		k.fail("every", "an every of %s is less than a second", s.Every)
		return
	case s.Every%time.Second != 0:
		k.fail("every", "an every of %s is not in whole seconds", s.Every)
		return
	case s.Every > 40*366*24*time.Hour:
		k.fail("every", "an every of %s is longer than 40 years", brief(s.Every))
		return
	}
	g := grid{step: int64(s.Every / time.Second)}
	if k.from != nil {
		g.origin = r.first
	} else {
		r.first = 0
	}
	if s.EveryBy == EveryEnd { // what follows is known when a run has ended; the first is not known either without From
		if g.step = 1 << 50; k.from == nil {
			g.origin = latest
		}
	}
	r.nominals = g
}

const maxDates = 10_000

func (k *compiling) dates(r *Rule) {
	if len(k.schedule.Dates) > maxDates {
		k.fail("dates", "%d dates stand there; at most %d can", len(k.schedule.Dates), maxDates)
		return
	}
	walls := make(list, 0, len(k.schedule.Dates))
	for i, text := range k.schedule.Dates {
		w, err := parseWall(text)
		if err != nil {
			k.fail(fmt.Sprintf("dates[%d]", i), "%v", err)
			continue
		}
		walls = append(walls, w)
	}
	slices.Sort(walls)
	r.nominals = zoned{slices.Compact(walls), k.timeline(k.schedule.Gap, k.schedule.Fold)}
}

// maxLate bounds how many occurrences can be late by jitter at one time: to find which one is next, all are looked at.
const maxLate = 10_000

// maxShifted bounds how many occurrences of a day meet those of other days: where clocks are changed, all are compared.
const maxShifted = 10_000

// year2000 is where the search for a first occurrence begins, where the schedule does not say so itself: what is wrong with a
// schedule must not depend on the day on which one asks.
const year2000 = 946684800

// checkDue refuses a schedule that is never due.
func (k *compiling) checkDue(r *Rule) {
	start := int64(year2000)
	switch {
	case k.from != nil || k.schedule.RRule != "":
		start = max(r.first, 0)
	case r.last <= start:
		start = r.last - horizon
	}
	end := min(r.last, start+horizon)
	field := "cron"
	switch {
	case k.schedule.RRule != "":
		field = "rrule"
	case k.schedule.EveryBy == EveryEnd && k.schedule.Every > 0:
		return
	case k.schedule.Every > 0:
		field, start, end = "every", r.first, r.last
	case len(k.schedule.Dates) > 0:
		field, start, end = "dates", r.first, r.last
	}
	first, ok := r.nominals.next(start, end)
	if !ok {
		k.fail(field, "it is never due: no time within 40 years is meant by it")
		return
	}
	if k.schedule.RRule != "" && k.from == nil && first < daySeconds {
		if _, ok := r.nominals.next(first+1, year2000+horizon); !ok {
			k.fail("rrule", "it is never due: its only time within 40 years is 1970-01-01, where it begins without from")
			return
		}
	}
	if r.shift.moves() && r.days != nil && r.nominals.count(first, first+daySeconds) > maxShifted {
		k.fail("shift", "it is due more than %d times a day, which is too often to be brought to other days: write skip or run", maxShifted)
	}
	if r.jitter > 0 && r.nominals.count(first, first+int64(r.jitter/time.Second)) > maxLate {
		k.fail("jitter", "more than %d occurrences fall within %s: make it shorter", maxLate, brief(r.jitter))
	}
}

// shared replaces words that many schedules have by one copy of each: there may be a hundred thousand.
func (k *compiling) shared(s Schedule) Schedule {
	for _, p := range []*string{
		&s.Cron, &s.RRule, (*string)(&s.EveryBy), &s.Zone, &s.Calendar, &s.Shift, (*string)(&s.OnCollision), (*string)(&s.Gap),
		(*string)(&s.Fold), (*string)(&s.Catchup), (*string)(&s.Overlap), &s.From, &s.Until,
	} {
		have, ok := k.words[*p]
		if !ok {
			have = strings.Clone(*p)
			k.words[have] = have
		}
		*p = have
	}
	return s
}
