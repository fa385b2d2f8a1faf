package proof

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Run makes the proofs that are asked for. progress is told how many of how many are done; it must not block. Where ctx
// ends, the proofs that were made until then come with its error.
func (p *Prover) Run(ctx context.Context, ask Ask, progress func(done, total int)) (Report, error) {
	site, err := p.Site(ctx)
	if err != nil {
		return Report{}, err
	}
	if ask.Idle {
		return p.idle(ctx, site, ask, progress)
	}
	trials, err := Plan(site, ask)
	if err != nil {
		return Report{}, err
	}
	return p.Try(ctx, site, trials, progress)
}

// Try makes the proofs of trials, in their order.
func (p *Prover) Try(ctx context.Context, site Site, trials []Trial, progress func(done, total int)) (Report, error) {
	out := Report{Proofs: make([]probe.Proof, 0, len(trials))}
	done := 0
	for _, w := range slices.Collect(slices.Chunk(trials, wave)) {
		r := &round{Prover: p, site: site, tries: make([]try, len(w)), total: len(trials), done: &done, progress: progress}
		for i, t := range w {
			r.tries[i].Trial = t
		}
		if err := r.run(ctx); err != nil {
			return out, err
		}
		for i := range r.tries {
			t := &r.tries[i]
			out.Proofs = append(out.Proofs, t.proof)
			if t.proof.Verdict == probe.Unproven && site.Ours(t.From) && site.Ours(t.To) {
				out.Unknown++
			}
		}
	}
	return out, nil
}

// try is one trial on its way to a proof.
type try struct {
	Trial
	held  wire.ProveHeld // who listens at the far end; zero: nobody was asked
	deaf  string         // why the far end was not asked
	near  *probe.SourceView
	nonce string
	mute  string // why there is no near view
	far   *probe.DestinationView
	proof probe.Proof
}

func (t *try) row() wire.ProveRow {
	return wire.ProveRow{Service: t.Service, Protocol: string(t.Protocol), Number: int(t.Number), Closed: t.Expect == probe.Closed}
}

// round is one wave: what is opened in it is closed at its end.
type round struct {
	*Prover
	site    Site
	tries   []try
	session string
	code    string
	quiet   bool          // silences are measured
	keep    time.Duration // that a far end keeps rows open; 0: openFor

	mu       sync.Mutex
	total    int
	done     *int
	progress func(done, total int)
}

func (r *round) run(ctx context.Context) error {
	var err error
	if r.code, err = r.Code(); err != nil {
		return err
	}
	if r.session, err = r.Code(); err != nil {
		return err
	}
	r.tell(r.untried())
	far, near := r.by(func(t *try) string { return t.To }), r.by(func(t *try) string { return t.From })
	defer r.close(ctx, far)
	for _, step := range []struct {
		ends map[string][]*try
		do   func(context.Context, End, string, []*try)
	}{{far, r.open}, {near, r.dial}, {far, r.saw}} {
		r.each(ctx, step.ends, step.do)
		if err := context.Cause(ctx); err != nil {
			return fault.Wrap(fault.Interrupted, "proving the openings", err)
		}
	}
	for i := range r.tries {
		r.decide(&r.tries[i])
	}
	return nil
}

// by sorts the tries that somebody can make to their ends.
func (r *round) by(end func(*try) string) map[string][]*try {
	all := map[string][]*try{}
	for i := range r.tries {
		if t := &r.tries[i]; t.Untried == "" {
			all[end(t)] = append(all[end(t)], t)
		}
	}
	return all
}

// untried counts the tries that nobody can make.
func (r *round) untried() int {
	n := 0
	for _, t := range r.tries {
		if t.Untried != "" {
			n++
		}
	}
	return n
}

// each does a step at every end, many at one time.
func (r *round) each(ctx context.Context, ends map[string][]*try, do func(context.Context, End, string, []*try)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for host, tries := range ends {
		end, why := r.site.End(host)
		group.Go(func() error {
			do(ctx, end, why, tries)
			return nil
		})
	}
	_ = group.Wait() // steps leave what went wrong with the tries
}

// open asks a far end to listen on the rows that are dialled there, each once.
func (r *round) open(ctx context.Context, end End, why string, tries []*try) {
	if why != "" {
		for _, t := range tries {
			t.deaf = why
		}
		return
	}
	rows := map[wire.ProveRow][]*try{}
	var order []wire.ProveRow
	for _, t := range tries {
		if rows[t.row()] == nil {
			order = append(order, t.row())
		}
		rows[t.row()] = append(rows[t.row()], t)
	}
	for some := range slices.Chunk(order, wire.MaxProveRows) {
		got, err := end.Open(ctx, wire.ProveOpen{Session: r.session, PlanHash: r.site.Compiled.Hash, Code: r.code, For: cmp.Or(r.keep, openFor), Quiet: r.quiet, Rows: some})
		if err == nil && len(got.Rows) != len(some) {
			err = fault.Newf(fault.Unknown, "it answered for %d of %d rows", len(got.Rows), len(some))
		}
		for i, row := range some {
			for _, t := range rows[row] {
				if err != nil {
					t.deaf = err.Error()
					continue
				}
				t.held = got.Rows[i]
			}
		}
	}
}

// dial asks a near end to dial.
func (r *round) dial(ctx context.Context, end End, why string, tries []*try) {
	for some := range slices.Chunk(tries, chunk) {
		in := wire.ProveDial{Session: r.session, PlanHash: r.site.Compiled.Hash, Code: r.code, Patience: r.Patience, Tries: make([]wire.ProveTry, len(some))}
		for i, t := range some {
			in.Tries[i] = wire.ProveTry{ProveRow: t.row(), Flow: t.Flow, Address: t.Address, Who: t.held.Who, Node: r.site.Node(t.To)}
		}
		var got wire.ProveDialled
		var err error
		if why == "" {
			got, err = end.Dial(ctx, in)
		}
		for i, t := range some {
			switch {
			case why != "":
				t.mute = why
			case err != nil:
				t.mute = err.Error()
			case i >= len(got.Views):
				t.mute = "it did not answer for this dial"
			case got.Views[i].Refused != "":
				t.mute = got.Views[i].Refused
			default:
				t.nonce = got.Views[i].Nonce
				t.near, t.mute = read[probe.SourceView](got.Views[i].View)
			}
		}
		r.tell(len(some))
	}
}

// read decodes a view, or says why it cannot be.
func read[T any](text json.RawMessage) (*T, string) {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Sprintf("what it saw cannot be read: %v", err)
	}
	return &v, ""
}

// saw asks a far end what came of the dials.
func (r *round) saw(ctx context.Context, end End, why string, tries []*try) {
	tries = slices.DeleteFunc(slices.Clone(tries), func(t *try) bool { return why != "" || t.deaf != "" || t.near == nil })
	known := map[string]string{} // under which address a near end came here
	for _, t := range tries {
		if t.near.Answer == probe.Proved && t.near.Seen.IsValid() {
			known[t.From] = t.near.Seen.Addr().String()
		}
	}
	for some := range slices.Chunk(tries, wire.MaxProveTries) {
		in := wire.ProveSaw{Session: r.session, Tries: make([]wire.ProveAsk, len(some))}
		for i, t := range some {
			in.Tries[i] = wire.ProveAsk{ProveRow: t.row(), Nonce: t.nonce, Known: known[t.From]}
			if t.near.Local.IsValid() {
				in.Tries[i].Local = t.near.Local.String()
			}
			if t.near.Seen.IsValid() {
				in.Tries[i].Seen = t.near.Seen.String()
			}
		}
		got, err := end.Saw(ctx, in)
		for i, t := range some {
			switch {
			case err != nil:
				t.deaf = err.Error()
			case i >= len(got.Views):
				t.deaf = "it did not answer for this dial"
			case got.Views[i].Refused != "":
				t.deaf = got.Views[i].Refused
			default:
				t.far, t.deaf = read[probe.DestinationView](got.Views[i].View)
			}
		}
	}
}

// close lets go at every far end, also where ctx has ended: what cannot be told lets go by itself.
func (r *round) close(ctx context.Context, far map[string][]*try) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	r.each(ctx, far, func(ctx context.Context, end End, why string, _ []*try) {
		if why == "" {
			_ = end.Close(ctx, wire.ProveClose{Session: r.session})
		}
	})
}

func (r *round) tell(n int) {
	r.mu.Lock()
	*r.done += n
	done := *r.done
	r.mu.Unlock()
	if r.progress != nil {
		r.progress(done, r.total)
	}
}

// decide makes the proof of a try.
func (r *round) decide(t *try) {
	s := probe.Subject{Flow: t.Flow, From: t.From, To: t.To, Expect: t.Expect, PlanHash: r.site.Compiled.Hash, At: r.Now().UTC().Truncate(time.Millisecond)}
	switch {
	case t.Untried != "":
		t.proof = nobody(s, t.Trial, t.Untried)
	case t.near == nil:
		t.proof = nobody(s, t.Trial, t.From+" could not be asked to dial: "+t.mute)
	default:
		if t.near.Answer == probe.Stranger && t.far != nil && t.held.Who == wire.NodeListens && t.far.Arrived == probe.Saw && t.far.Ours {
			t.near.Answer = probe.Intercepted // it came to the node that is meant, and another certificate came back
		}
		t.proof = probe.Classify(s, *t.near, t.far)
		t.honest(r.site.Ours(t.To))
	}
}

// unproven says that several reasons explain what was seen.
func (t *try) unproven(possible ...probe.Reason) {
	p := &t.proof
	p.Verdict, p.Reason, p.Possible, p.Assumptions, p.Remedy = probe.Unproven, probe.Unknowable, possible, []string{}, ""
}

// nobody is the proof of what nobody could try.
func nobody(s probe.Subject, t Trial, why string) probe.Proof {
	return probe.Proof{
		Flow: s.Flow, From: s.From, To: s.To, Protocol: t.Protocol, Address: t.Address, Expect: s.Expect, Verdict: probe.Unproven, Reason: probe.Unknowable,
		Possible: []probe.Reason{}, Basis: probe.OneEnd, Text: why, Assumptions: []string{}, PlanHash: s.PlanHash, At: s.At,
	}
}

// honest takes back what was only seen from one end, and says why the other was not asked. node says whether a node of
// Reeve is there at all.
func (t *try) honest(node bool) {
	p := &t.proof
	switch {
	case t.Expect != probe.Open:
	case t.far == nil && p.Good():
		t.unproven(probe.OK, probe.ForeignListener)
	case t.far == nil && !node && p.Verdict == probe.Broken && (p.Reason == probe.Unknowable || p.Reason == probe.NoListener || p.Reason == probe.HostAbsent):
		t.unproven(append(p.Possible, probe.OK)...) // another program listens there, and not always
	case t.Protocol == ports.UDP && t.held.Who == wire.PlainListens && t.near.Outcome == probe.Silence && t.far != nil && t.far.Arrived != probe.SawNothing:
		p.Text = "it arrives, as far as that was seen, and the service does not answer what it does not know"
		t.unproven(probe.OK, probe.DroppedAfterHop)
	}
	switch {
	case t.far == nil && t.deaf != "":
		p.Text += "; " + t.To + " could not be asked: " + t.deaf
	case t.held.Who == wire.NobodyListens && !p.Good():
		p.Text += "; and the node could not listen there for the proof: " + t.held.Detail
	}
}
