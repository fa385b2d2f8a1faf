package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	whyMany    = 5              // occurrences of one answer that are explained
	whyNearest = 36 * time.Hour // how far away the nearest one may be that is explained where nothing was due
	stateNone  = "not due"
)

// WhyNet implements api.Occurrences: what became of what was due at an instant, or next to it, and the smallest set of facts that would
// change it.
func (s *Service) WhyNet(ctx context.Context, q api.WhyQuery) (api.Why, error) {
	net := q.Net
	if _, err := s.may(ctx, access.View, folderOf(net)); err != nil {
		return api.Why{}, err
	}
	if _, err := s.cfg.Store.Net(ctx, net, 0); errors.Is(err, store.ErrNotFound) {
		return api.Why{}, fault.New(fault.NotFound, "there is no net "+net, "see `reeve net list`")
	} else if err != nil {
		return api.Why{}, storeFault(err)
	}
	x := &netExplainer{s: s, net: net, at: q.At.UTC().Truncate(time.Microsecond), now: s.cfg.Now().UTC()}
	if q.At.IsZero() {
		x.at, q.Minute = x.now.Truncate(time.Minute), true
	}
	x.within(time.Second)
	if q.Minute {
		x.within(time.Minute)
	}
	if err := x.explain(ctx); err != nil {
		return api.Why{}, err
	}
	return api.Why{Subject: net + " at " + stamp(x.at), State: strings.Join(x.states, ", "), Facts: boundedFacts(x.facts)}, nil
}

// within takes the second or the minute of the instant for what was asked about.
func (x *netExplainer) within(d time.Duration) {
	x.from = x.at.Truncate(d)
	x.to = x.from.Add(d)
}

// netExplainer gathers facts about what was due of a net at an instant.
type netExplainer struct {
	s        *Service
	net      string
	at, now  time.Time
	from, to time.Time // what counts as due then
	rules    []spanRule
	states   []string
	facts    []api.Fact
}

// spanRule is a rule that was in force at the instant, or is now.
type spanRule struct {
	span occurrence.Span
	rule *calendar.Rule
}

func (r *spanRule) covers(due time.Time) bool {
	return !due.Before(r.span.Since) && (r.span.Until.IsZero() || due.Before(r.span.Until))
}

// seen is an occurrence that is explained: a record, or one that is to come.
type seen struct {
	key  occurrence.Key
	due  time.Time
	rec  *occurrence.Record
	soon *coming
	by   *spanRule // nil: no rule has it, or it cannot be made any more
}

func (x *netExplainer) add(reason string, since time.Time, text, fix string) {
	x.facts = append(x.facts, api.Fact{Reason: reason, Text: text, Since: optTime(since), Fix: fix})
}

func (x *netExplainer) state(s string) {
	if !slices.Contains(x.states, s) {
		x.states = append(x.states, s)
	}
}

func (x *netExplainer) explain(ctx context.Context) error {
	if err := x.readRules(ctx); err != nil {
		return err
	}
	found, err := x.found(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 && x.from.Second() == 0 && x.to.Sub(x.from) < time.Minute { // who writes :00 may mean the minute
		x.within(time.Minute)
		if found, err = x.found(ctx); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return x.nothing(ctx)
	}
	for i := range found {
		if i == whyMany {
			x.add(found[i].reason(), time.Time{}, fmt.Sprintf("and %d more", len(found)-i), "reeve occurrence list "+x.net+" --since "+stamp(x.from)+" --until "+stamp(x.to))
			break
		}
		if err := x.one(ctx, &found[i]); err != nil {
			return err
		}
	}
	return nil
}

func (o *seen) reason() string {
	if o.rec != nil {
		return string(o.rec.Reason)
	}
	return string(o.soon.reason)
}

// readRules reads the rules that were in force at the instant; of a schedule that was not, the one that is in force now.
func (x *netExplainer) readRules(ctx context.Context) error {
	then, err := x.s.cfg.Store.Spans(ctx, store.SpanQuery{Net: x.net, Since: x.at, Until: x.at.Add(time.Microsecond)})
	if err != nil {
		return storeFault(err)
	}
	open, err := x.s.cfg.Store.Spans(ctx, store.SpanQuery{Net: x.net, Open: true})
	if err != nil {
		return storeFault(err)
	}
	known := map[string]bool{}
	for _, span := range slices.Concat(then, open) {
		if known[span.Schedule] {
			continue
		}
		if rule, ok := x.s.ruleOfSpan(ctx, span.ID, occurrence.Key{Net: x.net, Schedule: span.Schedule}); ok {
			known[span.Schedule] = true
			x.rules = append(x.rules, spanRule{span, rule})
		}
	}
	return nil
}

// found returns what was or is due at the instant: by its due, or by its nominal instant.
func (x *netExplainer) found(ctx context.Context) ([]seen, error) {
	byKey := map[occurrence.Key]*spanRule{}
	for i := range x.rules {
		r := &x.rules[i]
		for o := range r.rule.Between(x.from.Add(-time.Microsecond), x.to.Add(-time.Microsecond)) {
			if r.covers(o.Due) {
				byKey[x.key(r, o.Nominal)] = r
			}
		}
		if o, ok := r.rule.At(x.from); ok && r.covers(o.Due) {
			byKey[x.key(r, o.Nominal)] = r
		}
	}
	records, err := x.s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{Net: x.net, Since: x.from, Until: x.to, Limit: mostOccurrences})
	if err != nil {
		return nil, storeFault(err)
	}
	for i := range records {
		if _, known := byKey[records[i].Key]; !known {
			byKey[records[i].Key] = x.ruleNamed(records[i].Schedule)
		}
	}
	overrides, err := x.s.cfg.Store.Overrides(ctx, x.net, []occurrence.OverrideState{occurrence.OverrideActive, occurrence.OverrideUsed}, 0)
	if err != nil {
		return nil, storeFault(err)
	}
	for i := range overrides {
		o := &overrides[i]
		if o.Kind == occurrence.OverrideMove && x.in(o.To) || o.Kind == occurrence.OverrideAdd && x.in(o.Nominal) {
			byKey[o.Key] = x.ruleNamed(o.Schedule)
		}
	}
	var out []seen
	for key, r := range byKey {
		o, ok, err := x.look(ctx, key, r)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b seen) int {
		return cmp.Or(a.due.Compare(b.due), strings.Compare(a.key.Schedule, b.key.Schedule), a.key.Nominal.Compare(b.key.Nominal))
	})
	return out, nil
}

func (x *netExplainer) in(t time.Time) bool { return !t.Before(x.from) && t.Before(x.to) }

func (x *netExplainer) key(r *spanRule, nominal time.Time) occurrence.Key {
	return occurrence.Key{Net: x.net, Schedule: r.span.Schedule, Nominal: nominal.UTC()}
}

func (x *netExplainer) ruleNamed(schedule string) *spanRule {
	for i := range x.rules {
		if x.rules[i].span.Schedule == schedule {
			return &x.rules[i]
		}
	}
	return nil
}

// look reads what is known of an occurrence; false: nothing is, because it was before its schedule, or is pruned.
func (x *netExplainer) look(ctx context.Context, key occurrence.Key, r *spanRule) (seen, bool, error) {
	rec, ok, err := x.s.recordOf(ctx, key)
	if err != nil {
		return seen{}, false, err
	}
	if ok && (rec.Decision != occurrence.Pending || rec.Reason != occurrence.NotYet) {
		moves, err := x.s.movesOf(ctx, &rec)
		if err != nil {
			return seen{}, false, err
		}
		due := rec.Due
		if to := moves[utcKey(key)]; !to.IsZero() {
			due = to.UTC()
		}
		return seen{key: key, due: due, rec: &rec, by: r}, true, nil
	}
	if ok {
		people, err := x.s.peoples(ctx, &window{net: key.Net, schedule: key.Schedule})
		if err != nil {
			return seen{}, false, err
		}
		soon := people.ofRecord(&rec)
		x.s.undecided(&soon)
		return seen{key: key, due: soon.due, soon: &soon, by: r}, true, nil
	}
	soon, ok, err := x.s.comingOf(ctx, key)
	if err != nil || !ok {
		return seen{}, false, err
	}
	return seen{key: key, due: soon.due, soon: &soon, by: r}, true, nil
}

// whyRun appends the facts about a run.
func (x *netExplainer) whyRun(ctx context.Context, id string) {
	st, ok := x.s.cfg.Engine.OpenRun(id)
	if !ok {
		var err error
		if st, err = x.s.cfg.Store.Run(ctx, id); err != nil {
			return // pruned
		}
	}
	def, err := x.s.cfg.Engine.Definition(ctx, st.Net, st.Version)
	if err != nil {
		return
	}
	of := &explainer{s: x.s, st: st, def: def, seen: map[int]bool{}}
	of.run()
	x.facts = append(x.facts, of.facts...)
}

// runText says how a run is, as the end of a sentence.
func (x *netExplainer) runText(ctx context.Context, id string) string {
	st, ok := x.s.cfg.Engine.OpenRun(id)
	if !ok {
		var err error
		if st, err = x.s.cfg.Store.Run(ctx, id); err != nil {
			return "run " + id
		}
	}
	if st.Status == run.Lost {
		return "run " + id + ", whose end is unknown"
	}
	return "run " + id + ", which is " + string(st.Status)
}

func boundedFacts(facts []api.Fact) []api.Fact {
	if len(facts) <= maxFacts {
		return append([]api.Fact{}, facts...)
	}
	return append(slices.Clone(facts[:maxFacts]), api.Fact{Reason: facts[maxFacts].Reason, Text: fmt.Sprintf("and %d more", len(facts)-maxFacts)})
}
