package domain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// What is looked at of the past, at most.
const (
	pastAttempts = 60               // of a job
	pastFew      = 8                // of a job of a net that did not run lately
	pastJobs     = 400_000          // of runs, for one forecast
	pastTime     = 10 * time.Second // then the nets that are left are taken as they are known
	pastFresh    = 30 * time.Minute // for how long a net's history is not read again
	pastDecided  = 1000             // examples of how unknown ends were decided
)

// pasts keeps what was read of nets, so that a forecast after a forecast need not read it again: of those nets that the last one had, and
// no more of each than a forecast looks at.
type pasts struct {
	mu   sync.Mutex
	defs map[netAt][]forecast.Job // nets that were made from one mould share theirs
	took map[string]netPast
}

type netAt struct {
	net     string
	version int
}

type netPast struct {
	read time.Time
	jobs []jobPast
}

type jobPast struct {
	name string
	took forecast.Durations
	bad  *store.JobPast // nil: all ended well
}

// learn reads the jobs of versions of nets, on two processors: of fifty thousand nets it is most of what the first forecast takes. Those that do
// not exist any more are left out.
func (p *pasts) learn(ctx context.Context, st store.Nets, versions []netAt) error {
	versions = slices.DeleteFunc(versions, func(at netAt) bool { _, known := p.defs[at]; return known })
	slices.SortFunc(versions, func(a, b netAt) int { return cmp.Or(strings.Compare(a.net, b.net), cmp.Compare(a.version, b.version)) })
	versions = slices.Compact(versions)
	shared := map[string][]forecast.Job{} // by what they say
	for _, jobs := range p.defs {
		if text, err := json.Marshal(jobs); err == nil && len(versions) > 0 {
			shared[string(text)] = jobs
		}
	}
	var mu sync.Mutex // of both maps
	one := func(at netAt) error {
		text, err := jobsText(ctx, st, at)
		if text == nil || err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		jobs, ok := shared[string(text)]
		if !ok { // made of a text of its own: what was parsed would keep all of the net's
			if err := json.Unmarshal(text, &jobs); err != nil {
				return fmt.Errorf("reading stored net %s version %d: %w", at.net, at.version, err)
			}
			shared[string(text)] = jobs
		}
		p.defs[at] = jobs
		return nil
	}
	var next atomic.Int64
	errs := make([]error, 2)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(versions) && errs[i] == nil; n = int(next.Add(1)) - 1 {
				if errs[i] = one(versions[n]); ctx.Err() != nil {
					errs[i] = context.Cause(ctx)
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// jobsText is what a forecast looks at of a stored net's jobs, in JSON; nil: there is no such version.
func jobsText(ctx context.Context, st store.Nets, at netAt) ([]byte, error) {
	v, err := st.Net(ctx, at.net, at.version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	nets, err := jobfile.Parse(at.net, []byte(v.Text))
	if err != nil || len(nets) != 1 {
		return nil, fmt.Errorf("reading stored net %s version %d: %w", at.net, at.version, errors.Join(err))
	}
	return json.Marshal(forecast.Jobs(&nets[0]))
}

// end forgets what the forecast did not ask for.
func (p *pasts) end(w *forecast.World, versions []netAt) {
	defs := make(map[netAt][]forecast.Job, len(versions))
	for _, at := range versions {
		if jobs, ok := p.defs[at]; ok {
			defs[at] = jobs
		}
	}
	p.defs = defs
	asked := make(map[string]bool, len(w.Nets))
	for i := range w.Nets {
		asked[w.Nets[i].Name] = true
	}
	for net := range p.took {
		if !asked[net] {
			delete(p.took, net)
		}
	}
}

// read reads how the jobs of nets went lately, of those of which nothing fresh is known. Where that is too much, the newest runs of all nets are
// read together, and of nets that are not among them a few runs each, those that were never read first. It returns how many nets are left
// of which nothing fresh is known, and whether it was too much.
func (p *pasts) read(ctx context.Context, st store.Archive, nets []forecast.Net, now time.Time) (left int, much bool, err error) {
	var stale []string
	jobs := 0
	for i := range nets {
		if known, ok := p.took[nets[i].Name]; !ok || now.Sub(known.read).Abs() >= pastFresh {
			stale = append(stale, nets[i].Name)
			jobs += len(nets[i].Jobs)
		}
	}
	begun := time.Now() // the real clock: it bounds what this costs
	limit := pastAttempts
	if much = jobs*pastAttempts > pastJobs; much {
		limit = pastFew
		recent, err := st.Recent(ctx, pastJobs, pastAttempts)
		if err != nil {
			return 0, much, err
		}
		stale = slices.DeleteFunc(stale, func(net string) bool {
			past, ok := recent[net]
			if ok {
				p.keep(net, now, past)
			}
			return ok
		})
		slices.SortStableFunc(stale, func(a, b string) int { return p.took[a].read.Compare(p.took[b].read) })
	}
	for i, net := range stale {
		if err := ctx.Err(); err != nil {
			return 0, much, context.Cause(ctx)
		}
		if time.Since(begun) >= pastTime {
			return len(stale) - i, much, nil
		}
		past, err := st.Past(ctx, net, limit)
		if err != nil {
			return 0, much, err
		}
		p.keep(net, now, past)
	}
	return 0, much, nil
}

// keep keeps what was read of a net. What is known of a job already stays where less was read now.
func (p *pasts) keep(net string, now time.Time, past map[string]store.JobPast) {
	known := p.took[net]
	out := netPast{read: now, jobs: make([]jobPast, 0, len(past))}
	for name, j := range past {
		one := jobPast{name: name, took: forecast.Seen(j.Took...)}
		if j.Failed+j.Unknown > 0 {
			bad := j
			bad.Took = nil
			one.bad = &bad
		}
		if i := slices.IndexFunc(known.jobs, func(o jobPast) bool { return o.name == name }); i >= 0 && len(one.took) < pastFew && len(known.jobs[i].took) > len(one.took) {
			one = known.jobs[i]
		}
		out.jobs = append(out.jobs, one)
	}
	p.took[net] = out
}

// history is how the jobs of a net went, as a forecast has it, and how people decided its unknown ends.
func (p *pasts) history(net string, jobs []forecast.Job) (map[string]forecast.History, []forecast.Decision) {
	var decided []forecast.Decision
	known := p.took[net].jobs
	out := make(map[string]forecast.History, len(known))
	for i := range known {
		one := &known[i]
		h := forecast.History{Took: one.took}
		at := slices.IndexFunc(jobs, func(j forecast.Job) bool { return j.Name == one.name })
		if at < 0 {
			continue // of an older version
		}
		if bad := one.bad; bad != nil {
			all := float64(len(one.took) + bad.Failed + bad.Unknown)
			h.Failed, h.Unknown = float64(bad.Failed)/all, float64(bad.Unknown)/all
			h.Final = final(bad, jobs[at].Retry)
			if jobs[at].OnUnknown == jobnet.UnknownHold {
				for _, d := range bad.Decided {
					decided = append(decided, forecast.Decision{After: d.After, As: d.As})
				}
			}
		}
		out[one.name] = h
	}
	return out, decided
}

// final is which part of the attempts that failed a job's rule would not try again, however often it may.
func final(bad *store.JobPast, rule jobnet.Retry) float64 {
	if bad.Failed == 0 {
		return 0
	}
	again := bad.Failed - bad.RunAs
	if len(rule.Codes) > 0 {
		again = 0
		for code, n := range bad.Codes {
			if slices.Contains(rule.Codes, code) {
				again += n
			}
		}
	}
	return 1 - float64(again)/float64(bad.Failed)
}
