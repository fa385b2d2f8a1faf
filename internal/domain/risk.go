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

// AtRisk implements api.Occurrences. Of each schedule the next occurrence is told, once for each job that lacks something.
func (s *Service) AtRisk(ctx context.Context, hours int) ([]api.Risk, error) {
	_, folder, err := s.scope(ctx, access.View, "", "")
	if err != nil {
		return nil, err
	}
	if hours < 0 || hours > riskMost {
		return nil, fault.Newf(fault.Invalid, "hours is %d; from 1 to %d", hours, riskMost)
	}
	now := s.cfg.Now()
	soon, err := s.coming(ctx, &window{folder: folder, since: now, until: now.Add(time.Duration(cmp.Or(hours, riskHours)) * time.Hour)})
	if err != nil {
		return nil, err
	}
	x := &risks{s: s, agents: s.cfg.Engine.Agents(), known: map[string][]api.Risk{}, places: map[string]api.Risk{}}
	if x.closed, err = s.closedPaths(ctx); err != nil {
		return nil, err
	}
	out := []api.Risk{}
	counts := map[scheduleKey]int64{}
	for i := range soon {
		c := &soon[i]
		if c.decision != occurrence.Pending || c.reason == occurrence.HeldBack {
			continue
		}
		k := scheduleKey{c.Net, c.Schedule}
		if counts[k]++; counts[k] == 1 {
			for _, r := range x.of(ctx, c.Net) {
				if len(out) < manyRisks {
					r.Net, r.Schedule, r.Due = c.Net, c.Schedule, c.due.UTC()
					out = append(out, r)
				}
			}
		}
	}
	for i := range out {
		out[i].Count = counts[scheduleKey{out[i].Net, out[i].Schedule}]
	}
	return out, nil
}

// risks finds what jobs lack. Each net is looked at once, and so is each choice of agents.
type risks struct {
	s      *Service
	agents []run.Candidate
	closed map[string][]store.Proof // by address
	known  map[string][]api.Risk    // by net
	places map[string]api.Risk      // by what a job wants of its agent; without text: it has one
}

// of returns what the jobs of a net lack, a job at a time.
func (x *risks) of(ctx context.Context, net string) []api.Risk {
	if found, ok := x.known[net]; ok {
		return found
	}
	var found []api.Risk
	if def, err := x.s.cfg.Engine.Definition(ctx, net, 0); err == nil {
		for i := range def.Net.Jobs {
			j := &def.Net.Jobs[i]
			if r := x.place(j.Agent); r.Text != "" {
				r.Job = j.Name
				found = append(found, r)
			}
			for _, want := range j.Needs {
				if r, ok := x.destination(j.Agent, want); ok {
					r.Job = j.Name
					found = append(found, r)
				}
			}
		}
	}
	x.known[net] = found
	return found
}

// place says what a job lacks of agents: one that fits, is linked, takes jobs and has room. Slots that are taken now are no risk.
func (x *risks) place(want jobnet.Agent) api.Risk {
	key := run.Selector(want) + fmt.Sprint(want.Names, want.Name)
	if r, ok := x.places[key]; ok {
		return r
	}
	free := slices.Clone(x.agents)
	for i := range free {
		free[i].Running, free[i].Slots, free[i].Callback = 0, max(free[i].Slots, 1), ""
	}
	var r api.Risk
	if at, reason, text := run.Place(want, free, run.Moment{Now: x.s.cfg.Now()}); at < 0 {
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
	x.places[key] = r
	return r
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

// destination says that what a job needs was found closed from every agent that fits it.
func (x *risks) destination(of jobnet.Agent, want jobnet.Destination) (api.Risk, bool) {
	address, _, _ := strings.Cut(string(want), "/")
	bad := map[string]store.Proof{}
	for _, p := range x.closed[address] {
		bad[p.From] = p
	}
	if len(bad) == 0 {
		return api.Risk{}, false
	}
	var last store.Proof
	for i := range x.agents {
		if ok, _ := run.Linked(of, x.agents[i:i+1]); !ok {
			continue
		}
		p, found := bad[x.agents[i].Name]
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
