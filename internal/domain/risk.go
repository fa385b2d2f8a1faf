package domain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

const (
	riskHours = 12
	riskMost  = 168
	manyRisks = 1000
)

// AtRisk implements api.Occurrences. Of each schedule the next occurrence is told, once for each job that lacks something. Most nets lack nothing:
// only of the others it looks at what is due.
func (s *Service) AtRisk(ctx context.Context, hours int) ([]api.Risk, error) {
	_, folder, err := s.scope(ctx, access.View, "", "")
	if err != nil {
		return nil, err
	}
	if hours < 0 || hours > riskMost {
		return nil, fault.Newf(fault.Invalid, "hours is %d; from 1 to %d", hours, riskMost)
	}
	now := s.cfg.Now()
	w := &window{folder: folder, since: now, until: now.Add(time.Duration(cmp.Or(hours, riskHours)) * time.Hour)}
	people, err := s.peoples(ctx, w)
	if err != nil {
		return nil, err
	}
	schedules := s.cfg.Engine.InForce(folder)
	nets := make([]string, 0, len(schedules)+len(people.byHand))
	for i := range schedules {
		nets = append(nets, schedules[i].Net)
	}
	for i := range people.byHand {
		nets = append(nets, people.byHand[i].Net)
	}
	x := &risks{s: s, agents: s.cfg.Engine.Agents()}
	if x.closed, err = s.closedPaths(ctx); err != nil {
		return nil, err
	}
	lack := map[string][]wanted{} // by net
	var short []int               // the schedules of these nets
	if err := s.wants.each(ctx, s.cfg.Store, nets, func(at int, jobs []wanted) {
		if !slices.ContainsFunc(jobs, func(j wanted) bool { return x.of(j.wish) != nil }) {
			return
		}
		lack[nets[at]] = jobs
		if at < len(schedules) {
			short = append(short, at)
		}
	}); err != nil {
		return nil, storeFault(err)
	}
	for i, at := range slices.Sorted(slices.Values(short)) {
		schedules[i] = schedules[at]
	}
	schedules = schedules[:len(short)]
	if len(lack) == 0 {
		return []api.Risk{}, nil
	}
	soon, err := s.soonest(ctx, w, people, schedules, lack)
	if err != nil {
		return nil, err
	}
	out := []api.Risk{}
	for i := range soon {
		for _, r := range x.lacking(lack[soon[i].net]) {
			if len(out) == manyRisks {
				return out, nil
			}
			r.Net, r.Schedule, r.Due, r.Count = soon[i].net, soon[i].name, soon[i].due.UTC(), soon[i].count()
			out = append(out, r)
		}
	}
	return out, nil
}

// next is what a schedule has next in a window.
type next struct {
	scheduleKey
	due   time.Time
	count func() int64 // how many it has there
}

// soonest returns what schedules of nets that lack something have next in a window, of what will be released as things are, by due.
func (s *Service) soonest(ctx context.Context, w *window, people *peoples, schedules []engine.Scheduled, lack map[string][]wanted) ([]next, error) {
	since, until := s.cfg.Engine.Decided(), w.until.Add(-time.Nanosecond)
	if from := w.since.Add(-time.Nanosecond); from.After(since) {
		since = from
	}
	waiting, known, touched, err := s.touched(ctx, w, people)
	if err != nil {
		return nil, err
	}
	var soon []next
	bound := until
	found := map[scheduleKey][]time.Time{}
	take := func(c *coming) {
		if c.decision == occurrence.Pending && c.reason != occurrence.HeldBack {
			k := scheduleKey{c.Net, c.Schedule}
			found[k] = append(found[k], c.due)
		}
	}
	for i := range schedules {
		sch := &schedules[i]
		key := scheduleKey{sch.Net, sch.Name}
		from := laterOf(since, sch.Since.Add(-time.Microsecond))
		_, paused := people.paused(sch.Net, sch.Name)
		if !paused && len(people.from[key]) == 0 && !touched[key] {
			// Each has a risk at least: what is behind as many as are told need not be found.
			if len(soon) >= 4*manyRisks {
				slices.SortFunc(soon, next.compare)
				soon = soon[:manyRisks]
				bound = soon[manyRisks-1].due
			}
			if first, ok := firstOf(sch.Rule, from, bound); ok {
				rule := sch.Rule
				soon = append(soon, next{key, first, func() int64 {
					n := rule.Count(from, until)
					return n.All - n.Suppressed()
				}})
			}
			continue
		}
		for o := range sch.Rule.Between(from, until) {
			c := people.apply(&engine.Upcoming{Net: sch.Net, Schedule: sch.Name, Span: sch.Span, Version: sch.Version, Occurrence: o})
			if !known[c.Key] && people.stays(&c, since, until) {
				take(&c)
			}
		}
	}
	for i := range waiting {
		if r := &waiting[i]; r.Reason == occurrence.NotYet && len(lack[r.Net]) > 0 {
			if c := people.ofRecord(r); c.due.After(since) && !c.due.After(until) {
				take(&c)
			}
		}
	}
	for _, c := range people.added(s, known, since, until) {
		if len(lack[c.Net]) > 0 {
			take(&c)
		}
	}
	for k, dues := range found {
		soon = append(soon, next{k, slices.MinFunc(dues, time.Time.Compare), func() int64 { return int64(len(dues)) }})
	}
	slices.SortFunc(soon, next.compare)
	return soon, nil
}

// touched returns what waits, the occurrences below a folder that have a record though they are to come, and the schedules of which people have touched
// one: these are looked at one by one, what has a record as its record says.
func (s *Service) touched(ctx context.Context, w *window, people *peoples) (waiting []occurrence.Record, known map[occurrence.Key]bool, touched map[scheduleKey]bool, err error) {
	stored, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{Folder: w.folder, Since: s.cfg.Engine.Decided().Add(time.Microsecond), Limit: comingLimit})
	if err != nil {
		return nil, nil, nil, storeFault(err)
	}
	waiting, err = s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{Folder: w.folder, Decisions: []occurrence.Decision{occurrence.Pending}, Limit: comingLimit})
	if err != nil {
		return nil, nil, nil, storeFault(err)
	}
	touched, known = map[scheduleKey]bool{}, make(map[occurrence.Key]bool, len(stored))
	for _, list := range [][]occurrence.Record{stored, waiting} {
		for i := range list {
			known[list[i].Key] = true
			touched[scheduleKey{list[i].Net, list[i].Schedule}] = true
		}
	}
	for k := range people.single {
		touched[scheduleKey{k.Net, k.Schedule}] = true
	}
	return waiting, known, touched, nil
}

func (a next) compare(b next) int {
	return cmp.Or(a.due.Compare(b.due), strings.Compare(a.net, b.net), strings.Compare(a.name, b.name))
}

// firstOf is when a rule has something due first that it does not suppress itself.
func firstOf(rule *calendar.Rule, since, until time.Time) (time.Time, bool) {
	for o := range rule.Between(since, until) {
		if o.Suppressed == "" {
			return o.Due, true
		}
	}
	return time.Time{}, false
}

// risks finds what jobs lack. Each way to want something is looked at once.
type risks struct {
	s      *Service
	agents []run.Candidate
	closed map[string][]store.Proof // by address
	known  [][]api.Risk             // by the number of the wish
	asked  []bool
}

// lacking returns what the jobs of a net lack, a job at a time.
func (x *risks) lacking(jobs []wanted) []api.Risk {
	var found []api.Risk
	for i := range jobs {
		for _, r := range x.of(jobs[i].wish) {
			r.Job = jobs[i].job
			found = append(found, r)
		}
	}
	return found
}

// of returns what is lacking of what is wanted.
func (x *risks) of(is *wish) []api.Risk {
	for len(x.asked) <= is.n {
		x.asked, x.known = append(x.asked, false), append(x.known, nil)
	}
	if x.asked[is.n] {
		return x.known[is.n]
	}
	var found []api.Risk
	if r := x.place(is.agent); r.Text != "" {
		found = append(found, r)
	}
	for _, want := range is.needs {
		if r, ok := x.destination(is.agent, want); ok {
			found = append(found, r)
		}
	}
	x.asked[is.n], x.known[is.n] = true, found
	return found
}

// place says what a job lacks of agents: one that fits, is linked, takes jobs and has room. Slots that are taken now are no risk.
func (x *risks) place(want jobnet.Agent) api.Risk {
	var r api.Risk
	if at, reason, text := run.Place(want, x.free(), run.Moment{Now: x.s.cfg.Now()}); at < 0 {
		r = api.Risk{Needs: neededAgent(want), Text: text, Fix: map[run.Reason]string{
			run.ReasonNoAgent: joinFix(want), run.ReasonDraining: "reeve node undrain", run.ReasonAgentDisk: agentDiskFix,
			run.ReasonNotLinked: "see the agent's log, and that it can reach the server's link port",
		}[reason]}
		if reason == run.ReasonNotLinked {
			if away := (&explainer{s: x.s}).away(want); away != "" {
				r.Text = away
			}
			if strings.Contains(r.Text, " in vain since ") {
				r.Needs, r.Fix = "a path to "+r.Needs, "open the path, or see reeve ports verify which hop ends it"
			}
		}
	}
	return r
}

// free are the agents with all their slots.
func (x *risks) free() []run.Candidate {
	free := slices.Clone(x.agents)
	for i := range free {
		free[i].Running, free[i].Slots, free[i].Callback = 0, max(free[i].Slots, 1), ""
	}
	return free
}

// neededAgent names what a job wants of its agent.
func neededAgent(want jobnet.Agent) string {
	switch {
	case want.Any():
		return "an agent"
	case want.Name != "":
		return "agent " + want.Name
	case len(want.Names) > 0:
		return "one of the agents " + strings.Join(want.Names, ", ")
	}
	return "an agent with " + run.Selector(want)
}

// closedPaths returns, by address, the paths that were found closed when they were proved last.
func (s *Service) closedPaths(ctx context.Context) (map[string][]store.Proof, error) {
	proofs, err := s.cfg.Store.Proofs(ctx, store.ProofQuery{Expect: string(probe.Open), PlanHash: s.cfg.Plan.Hash})
	if err != nil {
		return nil, storeFault(err)
	}
	closed := map[string][]store.Proof{}
	for _, p := range proofs {
		if p.Verdict == string(probe.Blocked) || p.Verdict == string(probe.Failed) {
			closed[p.Address] = append(closed[p.Address], p)
		}
	}
	return closed, nil
}

// destination says that what a job needs was found closed from every agent that may be given it. Of a list of which the first that can take it is
// given it that is only one: it would wait there, however well another reaches what it needs.
func (x *risks) destination(of jobnet.Agent, want jobnet.Destination) (api.Risk, bool) {
	address, _, _ := strings.Cut(string(want), "/")
	bad := map[string]store.Proof{}
	for _, p := range x.closed[address] {
		bad[p.From] = p
	}
	if len(bad) == 0 {
		return api.Risk{}, false
	}
	agents := x.agents
	if len(of.Names) > 0 && of.Select != jobnet.SelectNext {
		free := x.free()
		at, _, _ := run.Place(of, free, run.Moment{Now: x.s.cfg.Now()})
		if at < 0 {
			return api.Risk{}, false // that it has no agent is told already
		}
		agents = free[at : at+1]
	}
	var last store.Proof
	for i := range agents {
		if ok, _ := run.Linked(of, agents[i:i+1]); !ok {
			continue
		}
		p, found := bad[agents[i].Name]
		if !found {
			return api.Risk{}, false // another agent may reach it
		}
		last = p
	}
	if last.Address == "" {
		return api.Risk{}, false
	}
	return api.Risk{
		Needs: string(want), Text: fmt.Sprintf("%s was found %s from %s at %s: %s", want, last.Verdict, last.From, stamp(last.Last), last.Text),
		Fix: "start what is not there, or open the way, then reeve ports verify --from " + last.From,
	}, true
}
