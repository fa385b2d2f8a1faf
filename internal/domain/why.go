package domain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// maxFacts bounds an answer; what is left out is counted in a last fact.
const maxFacts = 20

// Why implements api.Service: the smallest set of facts that would change what waits, or that made it end so.
func (s *Service) Why(ctx context.Context, id, job string) (api.Why, error) {
	st, _, err := s.state(ctx, id, access.View)
	if err != nil {
		return api.Why{}, err
	}
	def, err := s.cfg.Engine.Definition(ctx, st.Net, st.Version)
	if err != nil {
		return api.Why{}, storeFault(err)
	}
	x := &explainer{s: s, st: st, def: def, seen: map[int]bool{}}
	if job != "" {
		i, ok := def.Job(job)
		if !ok {
			return api.Why{}, fault.New(fault.NotFound, fmt.Sprintf("run %s has no job %q", id, job), "see `reeve run show "+id+"`")
		}
		x.job(i)
		return api.Why{Subject: id + "/" + job, State: string(st.Jobs[i].Status), Facts: x.bounded()}, nil
	}
	x.run()
	return api.Why{Subject: id, State: string(st.Status), Facts: x.bounded()}, nil
}

// explainer gathers facts about one run. Each job is explained once.
type explainer struct {
	s     *Service
	st    run.State
	def   *run.Definition
	seen  map[int]bool
	facts []api.Fact
}

func (x *explainer) bounded() []api.Fact {
	if len(x.facts) <= maxFacts {
		return append([]api.Fact{}, x.facts...)
	}
	rest := len(x.facts) - maxFacts
	return append(slices.Clone(x.facts[:maxFacts]), api.Fact{Reason: x.facts[maxFacts].Reason, Text: fmt.Sprintf("and %d more", rest)})
}

func (x *explainer) add(job string, reason run.Reason, since time.Time, text, fix string) {
	x.facts = append(x.facts, api.Fact{Job: job, Reason: string(reason), Text: text, Since: optTime(since), Fix: fix})
}

// run explains the jobs that keep the run from ending, or that made it end as it did.
func (x *explainer) run() {
	if !x.st.Status.Ended() {
		for i := range x.st.Jobs {
			if !x.st.Jobs[i].Status.Ended() || x.st.Jobs[i].Status == run.Lost {
				x.job(i)
			}
		}
		return
	}
	want := map[run.Status]bool{x.st.Status: true}
	for i := range x.st.Jobs {
		if want[x.st.Jobs[i].Status] && x.st.Status != run.Succeeded {
			x.job(i)
		}
	}
	if x.st.Status == run.Succeeded {
		x.add("", "", x.st.Ended, "every job that had to run ended well", "")
	}
}

// job explains one job; where it waits for others, those that can be acted upon.
func (x *explainer) job(i int) {
	if x.seen[i] {
		return
	}
	x.seen[i] = true
	j := &x.st.Jobs[i]
	switch j.Status {
	case run.Waiting:
		x.waiting(i, j)
	case run.Ready:
		x.ready(i, j)
	case run.Held:
		x.add(j.Name, run.ReasonHeld, j.Since, fmt.Sprintf("the run is held by %s", x.st.HeldBy), "reeve run release "+x.st.ID)
	case run.Dispatched, run.Running:
		x.active(i, j)
	case run.Lost:
		x.unknown(j)
	case run.Failed, run.Warning:
		x.failed(j)
	case run.Cancelled:
		x.add(j.Name, j.Reason, j.Since, orText(j.Detail, "it was cancelled"), "")
	case run.Skipped:
		x.skipped(i, j)
	case run.Succeeded:
		x.add(j.Name, j.Reason, j.Since, fmt.Sprintf("it succeeded%s", decided(j)), "")
	}
}

func (x *explainer) waiting(i int, j *run.Job) {
	if j.Reason == run.ReasonRetry {
		last := j.Attempts[len(j.Attempts)-1]
		x.add(j.Name, run.ReasonRetry, j.Since,
			fmt.Sprintf("attempt %d failed (%s); attempt %d is due at %s", last.N, ending(&last), last.N+1, j.Due.UTC().Format(time.RFC3339)), "")
		if !j.Due.After(x.s.cfg.Now()) {
			x.disk(j.Name, j.Due)
		}
		return
	}
	for _, p := range x.def.Predecessors(i) {
		if st := x.st.Jobs[p].Status; !st.Ended() || st == run.Lost {
			x.job(p)
		}
	}
}

func (x *explainer) ready(i int, j *run.Job) {
	want := x.def.Net.Jobs[i].Agent
	reason, text := x.s.cfg.Engine.Waits(want)
	fix := map[run.Reason]string{
		run.ReasonDomainHeld: "reeve domain release",
		run.ReasonNoAgent:    joinFix(want),
		run.ReasonDraining:   "reeve node undrain",
		run.ReasonCallback:   callbackFix,
		run.ReasonNotLinked:  "see the agent's log, and that it can reach the server's link port",
		run.ReasonDisk:       diskFix,
		run.ReasonAgentDisk:  agentDiskFix,
	}[reason]
	if reason == run.ReasonNotLinked {
		text = x.away(want)
	}
	x.add(j.Name, reason, j.Since, text, fix)
	if reason == run.ReasonDomainHeld { // to release it is not enough
		x.disk(j.Name, j.Since)
	}
}

// joinFix is how an agent comes to be that fits: a name is given when it joins, labels at any time.
func joinFix(want jobnet.Agent) string {
	names := want.Names
	if want.Name != "" {
		names = []string{want.Name}
	}
	if len(names) > 0 {
		return "reeve token create agent " + names[0]
	}
	label, join := "reeve node label NAME", "reeve token create agent NAME"
	for _, k := range slices.Sorted(maps.Keys(want.Labels)) {
		label += " " + k + "=" + want.Labels[k]
		join += " --label " + k + "=" + want.Labels[k]
	}
	if len(want.Labels) == 0 {
		return join
	}
	return label + ", or " + join
}

// agentDiskFix is what helps where agents have no room.
const agentDiskFix = "make room under the agent's data folder; it takes starts again by itself"

// disk says that the server has no room, where it has none.
func (x *explainer) disk(job string, since time.Time) {
	if why := x.s.cfg.Engine.Disk(); why != "" {
		x.add(job, run.ReasonDisk, since, why, diskFix)
	}
}

// away says of each agent that fits since when it is not linked, and how its last link ended.
func (x *explainer) away(want jobnet.Agent) string {
	var parts []string
	for _, c := range x.s.cfg.Fleet.Candidates() {
		if at, reason, _ := run.Place(want, []run.Candidate{c}, run.Moment{Now: x.s.cfg.Now()}); at >= 0 || reason != run.ReasonNotLinked {
			continue
		}
		parts = append(parts, x.absence(c.ID, c.Name))
	}
	return strings.Join(parts, "; ")
}

// absence is one sentence on an agent without a link.
func (x *explainer) absence(id, name string) string {
	st := x.s.cfg.Fleet.Status(id)
	text := fmt.Sprintf("agent %s is not linked; last heard of at %s", name, st.Heard.UTC().Format(time.RFC3339))
	if st.Closed != "" {
		text += " (" + st.Closed + ")"
	}
	for _, p := range x.s.pathsOf(id) {
		if said := vain(p); said != "" {
			text += "; " + said
		} else if p.Dials == "agent" && p.Address != nil {
			text += "; it dials " + *p.Address + " (" + p.Row + "), and nothing of that arrives"
		}
	}
	return text
}

// passedOver says which agents of the job's list come behind the others now, as the end of a sentence.
func (x *explainer) passedOver(i int) string {
	if text := x.s.cfg.Engine.PassedOver(x.def.Net.Jobs[i].Agent); text != "" {
		return "; " + text
	}
	return ""
}

func (x *explainer) active(i int, j *run.Job) {
	last := j.Attempts[len(j.Attempts)-1]
	if !x.s.cfg.Fleet.Status(last.AgentID).Linked {
		x.add(j.Name, run.ReasonNotLinked, last.Ordered, fmt.Sprintf("attempt %d was given to %s: %s", last.N, last.Agent, x.absence(last.AgentID, last.Agent)), "")
		return
	}
	also := x.passedOver(i)
	if j.Status == run.Dispatched && j.Reason == run.ReasonCallback {
		x.add(j.Name, j.Reason, last.Ordered, fmt.Sprintf("attempt %d is to be ordered from %s: %s", last.N, last.Agent, j.Detail), callbackFix)
		return
	}
	if j.Status == run.Dispatched && j.Reason != run.ReasonDelivery {
		x.add(j.Name, j.Reason, last.Ordered, fmt.Sprintf("attempt %d is ordered, and agent %s cannot start it yet: %s%s", last.N, last.Agent, j.Detail, also),
			map[run.Reason]string{run.ReasonPorts: "reeve ports leases, on the agent's host", run.ReasonNeeds: "start what is not there, or open the way from the agent; it is tried again by itself", run.ReasonDisk: agentDiskFix}[j.Reason])
		return
	}
	if j.Status == run.Dispatched {
		x.add(j.Name, run.ReasonDelivery, last.Ordered, fmt.Sprintf("attempt %d is ordered; agent %s has not yet said that it started%s", last.N, last.Agent, also), "")
		return
	}
	x.add(j.Name, "", last.Started, fmt.Sprintf("attempt %d runs on %s (pid %d)%s", last.N, last.Agent, last.PID, also), "")
}

// callbackFix is what helps where callback ports are missing.
const callbackFix = "reeve ports leases, on the server's host, shows who has them; reeve ports size says how many the site needs"

func (x *explainer) unknown(j *run.Job) {
	last := j.Attempts[len(j.Attempts)-1]
	text := map[run.Reason]string{
		run.ReasonStart:      "the keeper ended between the order and the first proof of execution: it may have run",
		run.ReasonReboot:     "the host was restarted while it ran",
		run.ReasonKeeperDied: "the keeper died while it ran: that it ended is known, how is not",
		run.ReasonFenced:     "there was no word from the agent until the server's deadline: it may still run",
		run.ReasonRestored:   "it was ordered before the backup that this server was restored from: its agent may still tell",
		run.ReasonAgentGone:  "its agent was removed from the domain",
	}[j.Reason]
	x.add(j.Name, j.Reason, j.Since,
		fmt.Sprintf("the end of attempt %d on %s is unknown: %s", last.N, last.Agent, orText(text, j.Detail)), fmt.Sprintf("reeve run decide %s/%s --as succeeded|failed|rerun", x.st.ID, j.Name))
}

func (x *explainer) failed(j *run.Job) {
	if len(j.Attempts) == 0 || j.Decided != "" {
		x.add(j.Name, j.Reason, j.Since, fmt.Sprintf("%s%s", orText(j.Detail, string(j.Status)), decided(j)), "")
		return
	}
	last := &j.Attempts[len(j.Attempts)-1]
	x.add(j.Name, j.Reason, j.Since, fmt.Sprintf("attempt %d on %s: %s", last.N, last.Agent, ending(last)), fmt.Sprintf("reeve run logs %s/%s", x.st.ID, j.Name))
}

func (x *explainer) skipped(i int, j *run.Job) {
	var ends []string
	for _, p := range x.def.Predecessors(i) {
		ends = append(ends, fmt.Sprintf("%s %s", x.st.Jobs[p].Name, x.st.Jobs[p].Status))
	}
	x.add(j.Name, run.ReasonWhen, j.Since,
		fmt.Sprintf("it runs when: %s, and its predecessors ended: %s", x.def.Net.Jobs[i].When, strings.Join(ends, ", ")), "")
}

func decided(j *run.Job) string {
	if j.Decided == "" {
		return ""
	}
	return " (" + j.Decided + ")"
}

// ending says in a few words how an attempt ended.
func ending(a *run.Attempt) string {
	text := string(a.Reason)
	switch {
	case a.Reason == run.ReasonTimeout:
		text = "it took longer than its time-out"
	case a.Signal != "":
		text = "ended by " + a.Signal
	case a.ExitCode != nil:
		text = fmt.Sprintf("exit code %d", *a.ExitCode)
	}
	if a.Detail != "" {
		text += ": " + a.Detail
	}
	return text
}

func orText(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
