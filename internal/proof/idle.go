package proof

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// Silence is how long a silent connection survives on the path between two hosts.
type Silence struct {
	Flow      string        `json:"flow"`
	From      string        `json:"from"`
	To        string        `json:"to"`
	Address   string        `json:"address"`
	Survived  time.Duration `json:"survived"`   // the longest silence after which the connection still worked; 0: none did
	Died      time.Duration `json:"died"`       // the shortest after which it did not; 0: all survived
	KeepAlive time.Duration `json:"keep_alive"` // what is below it: see KeepAlive
	Text      string        `json:"text"`       // one sentence
	At        time.Time     `json:"at"`
	Unproven  string        `json:"unproven"` // why nothing was measured; empty: it was
}

const (
	defaultSilence = 60 * time.Second
	leastSilence   = time.Second
	mostSilence    = 12 * time.Minute // below the bound of what stays open
	openMargin     = time.Minute      // for what comes before and after
)

// silences are those that middleboxes are known for, and steps between them.
func silences(longest time.Duration) []time.Duration {
	known := []time.Duration{
		time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second, 12 * time.Second, 20 * time.Second, 28 * time.Second, 40 * time.Second,
		55 * time.Second, 80 * time.Second, 110 * time.Second, 150 * time.Second, 210 * time.Second, 235 * time.Second, 290 * time.Second, 345 * time.Second, 590 * time.Second,
	}
	some := slices.DeleteFunc(known, func(d time.Duration) bool { return d >= longest })
	return append(some, longest)
}

// KeepAlive is how often something must be said on a path where a connection survived one silence and died after
// another: well within its limit, so that one sign of life may be lost. 0: any will do.
func KeepAlive(survived, died time.Duration) time.Duration { return Limit(survived, died) / 3 }

// Limit is how long a connection may be silent where it survived one silence and died after another; 0: nothing forgets
// it, as far as was tried.
func Limit(survived, died time.Duration) time.Duration {
	switch {
	case died == 0:
		return 0
	case survived == 0:
		return died / 2
	}
	return survived
}

// idle measures each path of the links of a site once: between every two hosts, the first flow that carries a link.
func (p *Prover) idle(ctx context.Context, site Site, ask Ask, progress func(done, total int)) (Report, error) {
	longest := cmp.Or(ask.For, defaultSilence)
	if longest < leastSilence || longest > mostSilence {
		return Report{}, fault.Newf(fault.Invalid, "for: %v, expected %v to %v", longest, leastSilence, mostSilence)
	}
	trials, err := Plan(site, Ask{From: ask.From, To: ask.To, Flow: ask.Flow})
	if err != nil {
		return Report{}, err
	}
	trials = p.quiet(site, trials, ask.Flow != "")
	done := 0
	r := &round{Prover: p, site: site, tries: make([]try, len(trials)), quiet: true, keep: longest + openMargin, total: len(trials), done: &done, progress: progress}
	out := Report{Idle: make([]Silence, len(trials))}
	for i, t := range trials {
		r.tries[i].Trial = t
	}
	if r.code, err = p.Code(); err != nil {
		return Report{}, err
	}
	if r.session, err = p.Code(); err != nil {
		return Report{}, err
	}
	r.tell(r.untried())
	far := r.by(func(t *try) string { return t.To })
	defer r.close(ctx, far)
	r.each(ctx, far, r.open)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range r.tries {
		group.Go(func() error {
			out.Idle[i] = r.measure(ctx, &r.tries[i], longest)
			if r.tries[i].Untried == "" {
				r.tell(1)
			}
			return nil
		})
	}
	_ = group.Wait() // what went wrong stands with the silence
	if err := context.Cause(ctx); err != nil {
		return out, fault.Wrap(fault.Interrupted, "measuring silences", err)
	}
	return out, nil
}

// quiet keeps one TCP trial for each pair of hosts: of the flow that carries their link, else of the first.
func (p *Prover) quiet(site Site, trials []Trial, named bool) []Trial {
	links := map[string]bool{}
	for _, f := range site.Compiled.Carrying("link") {
		links[f.ID] = true
	}
	var all []Trial
	seen := map[[2]string]bool{}
	for _, wanted := range []bool{true, false} {
		for _, t := range trials {
			ends := [2]string{t.From, t.To}
			if t.Protocol != ports.TCP || seen[ends] || links[t.Flow] != wanted || !named && !wanted {
				continue
			}
			seen[ends] = true
			all = append(all, t)
		}
	}
	return all
}

func (r *round) measure(ctx context.Context, t *try, longest time.Duration) Silence {
	s := Silence{Flow: t.Flow, From: t.From, To: t.To, Address: t.Address, At: r.Now().UTC().Truncate(time.Millisecond)}
	end, why := r.site.End(t.From)
	s.Unproven = cmp.Or(t.Untried, t.deaf, why)
	if s.Unproven != "" {
		return s
	}
	in := wire.ProveIdle{Session: r.session, PlanHash: r.site.Compiled.Hash, Code: r.code, Silences: silences(longest)}
	in.Try = wire.ProveTry{ProveRow: t.row(), Flow: t.Flow, Address: t.Address, Who: t.held.Who, Node: r.site.Node(t.To)}
	got, err := end.Idle(ctx, in)
	switch {
	case err != nil:
		s.Unproven = err.Error()
	case got.Refused != "":
		s.Unproven = got.Refused
	case len(got.Ends) != len(in.Silences):
		s.Unproven = "it did not answer for every silence"
	default:
		s.read(in.Silences, got.Ends)
	}
	return s
}

// read finds the two silences between which the limit lies. A connection that survives a longer silence than another
// that died was lost for another reason: the limit is sought above it.
func (s *Silence) read(silences []time.Duration, ends []wire.ProveQuiet) {
	opened := false
	for i, e := range ends {
		opened = opened || e.Opened
		if e.Alive {
			s.Survived = max(s.Survived, silences[i])
		}
	}
	for i, e := range ends {
		if e.Opened && !e.Alive && silences[i] > s.Survived && (s.Died == 0 || silences[i] < s.Died) {
			s.Died = silences[i]
		}
	}
	if !opened {
		s.Unproven = "no connection was made"
		if len(ends) > 0 && ends[0].Text != "" {
			s.Unproven += ": " + ends[0].Text
		}
		return
	}
	*s = s.Said()
}

// Said returns the silence with what follows from its two times, and a sentence for a person.
func (s Silence) Said() Silence {
	s.KeepAlive = KeepAlive(s.Survived, s.Died)
	switch {
	case s.Died == 0:
		s.Text = "a connection survives a silence of " + s.Survived.String() + ", the longest that was tried"
	case s.Survived == 0:
		s.Text = "a connection is lost after a silence of " + s.Died.String() + ", the shortest that was tried"
	default:
		s.Text = "a connection survives a silence of " + s.Survived.String() + " and is lost after " + s.Died.String() + ": a sign of life is needed every " + s.KeepAlive.String()
	}
	return s
}
