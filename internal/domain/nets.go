package domain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
)

// ApplyNets implements api.Service. All nets and calendars of the files are stored in one commit, or none, and with them what they
// change of the schedules in force.
func (s *Service) ApplyNets(ctx context.Context, name string, text []byte, dryRun bool, more ...api.File) (api.ApplyResult, error) {
	s.applying.Lock() // what leans on a calendar is read before the calendar is committed
	defer s.applying.Unlock()
	p, err := s.readDefinitions(ctx, append([]api.File{{Name: name, Text: text}}, more...))
	if err != nil {
		return api.ApplyResult{}, err
	}
	a := &application{definitions: p, r: p.rescheduling(s.cfg.Store, DiffMonths)}
	a.result = api.ApplyResult{DryRun: dryRun, Nets: make([]api.Applied, 0, len(p.docs.Nets)), Calendars: make([]api.Applied, 0, len(p.docs.Calendars))}
	for i := range p.docs.Calendars {
		one, version, audit, err := s.applyCalendar(ctx, &p.docs.Calendars[i])
		if err != nil {
			return api.ApplyResult{}, err
		}
		one.Occurrences = []api.ScheduleDiff{}
		a.result.Calendars = append(a.result.Calendars, one)
		if version != nil {
			a.batch.Calendars, a.batch.Audit = append(a.batch.Calendars, *version), append(a.batch.Audit, audit)
		}
	}
	for i := range p.docs.Nets {
		if err := s.applyNet(ctx, a, &p.docs.Nets[i]); err != nil {
			return api.ApplyResult{}, err
		}
	}
	others, err := s.others(ctx, p, a.r)
	if err != nil {
		return api.ApplyResult{}, err
	}
	for i := range a.result.Calendars {
		c := &a.result.Calendars[i]
		c.Occurrences, c.Uncompared = append(c.Occurrences, others[c.Name].Diffs...), others[c.Name].Uncompared
		for k := range c.Occurrences { // what people did of nets that are not to be seen is not to be seen, either
			if d := &c.Occurrences[k]; !api.SubjectOf(ctx).May(access.View, folderOf(d.Net)) {
				d.Overrides = []api.Override{}
			}
		}
	}
	a.batch.Spans = a.r.Writes
	if dryRun || len(a.batch.Nets)+len(a.batch.Calendars)+len(a.batch.Spans) == 0 {
		return a.result, nil
	}
	if why := s.cfg.Engine.Disk(); why != "" {
		return api.ApplyResult{}, fault.New(fault.Disk, why, "make room; the server goes on by itself")
	}
	if err := s.commit(ctx, a.batch); err != nil {
		return api.ApplyResult{}, err
	}
	return a.result, s.applied(ctx, a)
}

// application is what one request stores, while it is worked out.
type application struct {
	*definitions
	r      *Rescheduling
	batch  store.Batch
	result api.ApplyResult
}

// applied tells those who must know of a commit.
func (s *Service) applied(ctx context.Context, a *application) error {
	nets := maps.Clone(a.r.Nets)
	if nets == nil {
		nets = map[string]bool{}
	}
	for _, v := range a.batch.Nets {
		nets[v.Name] = true
		s.wants.forget(v.Name)
	}
	for _, v := range a.batch.Calendars {
		s.cfg.Hub.Publish(api.Change{Kind: "calendar", ID: v.Name})
	}
	if len(a.batch.Calendars) > 0 && s.cfg.CalendarsChanged != nil {
		s.cfg.CalendarsChanged()
	}
	names := slices.Sorted(maps.Keys(nets))
	for _, name := range names {
		s.cfg.Hub.Publish(api.Change{Kind: "net", ID: name, Net: name})
	}
	// It is stored: whoever goes away now must not keep the engine from hearing of it.
	if err := s.cfg.Engine.Rescheduled(context.WithoutCancel(ctx), names); err != nil {
		return fault.Wrap(fault.KindOf(err), "the definitions are stored; putting their schedules into force", err)
	}
	return nil
}

// applyNet compares a net with its newest version, and adds what is to be stored.
func (s *Service) applyNet(ctx context.Context, a *application, n *jobnet.Net) error {
	who, err := s.mayDefine(ctx, n)
	if err != nil {
		return err
	}
	text := jobfile.Format(*n)
	old, err := s.cfg.Store.Net(ctx, n.Name, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return storeFault(err)
	}
	out := api.Applied{Name: n.Name, Version: old.Version, Change: "unchanged", Occurrences: []api.ScheduleDiff{}}
	if old.Version == 0 || old.Text != string(text) {
		out.Change = "changed"
		if old.Version == 0 {
			out.Change = "created"
		}
		out.Version, out.Diff = old.Version+1, jobfile.Diff([]byte(old.Text), text)
		a.batch.Nets = append(a.batch.Nets, store.NetVersion{
			Name: n.Name, Version: out.Version, Hash: hashed(string(text)), Text: string(text), Applied: a.now, By: who.Name,
		})
		a.batch.Audit = append(a.batch.Audit, s.audit(who, "net.apply", n.Name, fmt.Sprintf("version %d", out.Version)))
	}
	changed, err := a.r.Net(ctx, n, out.Version)
	if err != nil {
		return storeFault(err)
	}
	out.Occurrences, out.Uncompared = append(out.Occurrences, changed.Diffs...), changed.Uncompared
	a.result.Nets = append(a.result.Nets, out)
	return nil
}

// mayDefine asks for every right that a definition needs: to define, to define commands, to run as somebody.
func (s *Service) mayDefine(ctx context.Context, n *jobnet.Net) (access.Subject, error) {
	folder := folderOf(n.Name)
	who, err := s.may(ctx, access.Define, folder)
	if err != nil {
		return who, err
	}
	for i := range n.Jobs {
		if len(n.Jobs[i].Command) > 0 || n.Jobs[i].Script != "" {
			if _, err := s.may(ctx, access.DefineCommand, folder); err != nil {
				return who, err
			}
		}
		if n.Jobs[i].RunAs != "" {
			if _, err := s.may(ctx, access.GrantRunAs, folder); err != nil {
				return who, err
			}
		}
	}
	return who, nil
}

// ListNets implements api.Service.
func (s *Service) ListNets(ctx context.Context, folder string) ([]api.NetSummary, error) {
	who, err := s.may(ctx, access.View, folder)
	if err != nil {
		return nil, err
	}
	if folder == "" {
		folder = who.Folder
	}
	versions, err := s.cfg.Store.ListNets(ctx, folder)
	if err != nil {
		return nil, storeFault(err)
	}
	out := make([]api.NetSummary, 0, len(versions))
	for _, v := range versions {
		def, err := s.cfg.Engine.Definition(ctx, v.Name, v.Version)
		if err != nil {
			return nil, storeFault(err)
		}
		sum := api.NetSummary{
			Name: v.Name, Version: v.Version, Description: def.Net.Description, Jobs: len(def.Net.Jobs), Applied: v.Applied.UTC(), By: v.By,
		}
		last, err := s.cfg.Store.ListRuns(ctx, store.RunQuery{Net: v.Name, Limit: 1})
		if err != nil {
			return nil, storeFault(err)
		}
		if len(last) > 0 {
			shown := showSummary(last[0])
			sum.LastRun = &shown
		}
		out = append(out, sum)
	}
	return out, nil
}

// Net implements api.Service.
func (s *Service) Net(ctx context.Context, name string, version int) (api.Net, error) {
	if _, err := s.may(ctx, access.View, folderOf(name)); err != nil {
		return api.Net{}, err
	}
	versions, err := s.cfg.Store.NetVersions(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return api.Net{}, fault.New(fault.NotFound, "there is no net "+name, "see `reeve net list`")
	} else if err != nil {
		return api.Net{}, storeFault(err)
	}
	sort.Slice(versions, func(i, j int) bool { return versions[i].Version > versions[j].Version })
	v := versions[0]
	if version != 0 {
		if v, err = s.cfg.Store.Net(ctx, name, version); errors.Is(err, store.ErrNotFound) {
			return api.Net{}, fault.Newf(fault.NotFound, "net %s has no version %d; the newest is %d", name, version, versions[0].Version)
		} else if err != nil {
			return api.Net{}, storeFault(err)
		}
	}
	def, err := s.cfg.Engine.Definition(ctx, name, v.Version)
	if err != nil {
		return api.Net{}, storeFault(err)
	}
	out := api.Net{
		Name: v.Name, Version: v.Version, Newest: versions[0].Version, Hash: v.Hash, Description: def.Net.Description,
		Params: orEmpty(def.Net.Params), Labels: orEmpty(def.Net.Labels), Text: v.Text, Applied: v.Applied.UTC(), By: v.By,
		Jobs: make([]api.NetJob, len(def.Net.Jobs)), Versions: make([]int, len(versions)),
	}
	for i := range versions {
		out.Versions[i] = versions[i].Version
	}
	for i := range def.Net.Jobs {
		j := &def.Net.Jobs[i]
		out.Jobs[i] = api.NetJob{
			Name: j.Name, After: append([]string{}, j.After...), When: string(j.When), Command: append([]string{}, j.Command...),
			Script: j.Script != "", Agent: j.Agent.Name, Labels: orEmpty(j.Agent.Labels), Agents: append([]string{}, j.Agent.Names...), Needs: make([]string, len(j.Needs)),
		}
		if len(j.Agent.Names) > 0 {
			out.Jobs[i].Select = string(j.Agent.Select)
		}
		for k, d := range j.Needs {
			out.Jobs[i].Needs[k] = string(d)
		}
	}
	return out, nil
}

// planned finds what jobs want of this server's port plan that it does not have, or not so: pools, and a way to look
// whether what they need is there.
func (s *Service) planned(n *jobnet.Net) (problems []jobnet.Problem) {
	pools := map[string]ports.ResolvedPool{}
	for _, p := range s.cfg.Plan.Pools {
		pools[p.ID] = p
	}
	add := func(i, k int, field, format string, args ...any) {
		problems = append(problems, jobnet.Problem{Path: fmt.Sprintf("jobs[%d].ports[%d].%s", i, k, field), Message: fmt.Sprintf(format, args...)})
	}
	_, reach := s.cfg.Plan.Outgoing(ports.Agent)
	for i := range n.Jobs {
		if len(n.Jobs[i].Needs) > 0 && !reach {
			problems = append(problems, jobnet.Problem{Path: fmt.Sprintf("jobs[%d].needs", i), Message: fmt.Sprintf(
				"the port plan %s has no row by which an agent connects to what definitions name: add a flow from it with carries: [out] to a service whose port is unassigned", s.cfg.Plan.Plan)})
		}
		for k, want := range n.Jobs[i].Ports {
			pool, ok := pools[want.Pool]
			switch {
			case !ok && len(pools) == 0:
				add(i, k, "pool", "the port plan %s has no pools: extend it with one, or start the server with another --plan", s.cfg.Plan.Plan)
			case !ok:
				add(i, k, "pool", "the port plan %s has no pool %q%s", s.cfg.Plan.Plan, want.Pool, jobnet.Suggest(want.Pool, maps.Keys(pools)))
			case len(pool.Ranges) == 0 || pool.Status != ports.Works:
				add(i, k, "pool", "the pool %s of the port plan %s has no numbers here (it is %s)", want.Pool, s.cfg.Plan.Plan, pool.Status)
			case want.Pair != "" && pool.Pair.ID == "":
				add(i, k, "pair", "the pool %s of the port plan %s gives single ports, without a pair", want.Pool, s.cfg.Plan.Plan)
			}
		}
	}
	return problems
}
