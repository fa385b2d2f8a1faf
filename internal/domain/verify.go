package domain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Verifier proves the plan's openings when somebody orders it, and from time to time by itself. One verification runs at
// a time: the ends listen on one row only once.
type Verifier struct {
	Prover *proof.Prover
	Store  store.Store
	Epoch  func() int64
	Now    func() time.Time
	Log    *slog.Logger
	// PerHour is how many paths are proved again in an hour without anybody's order; 0: none.
	PerHour int
	// Every is how often it is looked for what is due; 0: every minute.
	Every time.Duration
	// Changed is told when a verification began, went on or ended; it must not block.
	Changed func(id string)

	mu     sync.Mutex
	last   *verification
	orders chan *verification
	number int64

	silences []store.Silence // as measured last
}

// verification is one order and what came of it. It is guarded by the verifier's lock while it runs.
type verification struct {
	api.Verification
	ask    proof.Ask
	cancel context.CancelFunc
	ctx    context.Context //nolint:containedctx // it outlives the request, and ends where somebody cancels it
	proofs []api.Proof
}

const (
	reproveEvery = time.Minute
	commitProofs = 500 // in one transaction: it must not hold up what is urgent
)

// NewVerifier returns v, ready for orders.
func NewVerifier(v *Verifier) *Verifier {
	v.orders = make(chan *verification, 1)
	return v
}

// Run does what is ordered, and proves again what is due, until ctx ends.
func (v *Verifier) Run(ctx context.Context) error {
	tick := time.NewTicker(cmp.Or(v.Every, reproveEvery))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case one := <-v.orders:
			v.carryOut(ctx, one)
		case <-tick.C:
			if err := v.again(ctx); err != nil && ctx.Err() == nil {
				v.Log.Warn("proving openings again", slog.Any("error", err))
			}
		}
	}
}

// begin takes an order. Busy while another one is under way.
func (v *Verifier) begin(order api.VerifyOrder, by, hash string) (api.Verification, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last != nil && v.last.State == "running" {
		return api.Verification{}, fault.New(fault.Busy, "the verification "+v.last.ID+" of "+v.last.By+" is under way", "wait until it is over, or cancel it")
	}
	v.number++
	now := v.Now().UTC()
	one := &verification{
		Verification: api.Verification{
			ID: strconv.FormatInt(now.UnixMilli(), 36) + "-" + strconv.FormatInt(v.number, 10), State: "running", Started: now, By: by, PlanHash: hash, Order: order,
			Counts: map[string]int{}, Silences: []api.Silence{},
		},
		ask: proof.Ask{From: order.From, To: order.To, Flow: order.Flow, All: order.All, Negative: order.Negative, Idle: order.Idle, For: time.Duration(order.For * float64(time.Second))},
	}
	one.ctx, one.cancel = context.WithCancel(context.Background())
	v.last = one
	v.orders <- one // there is room: none is under way
	return one.Verification, nil
}

// find returns a verification as it is now.
func (v *Verifier) find(id string) (api.Verification, []api.Proof, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil || id != "last" && id != v.last.ID {
		return api.Verification{}, nil, fault.New(fault.NotFound, "there is no verification "+strconv.Quote(id), "the server remembers the last one; its proofs stay: `reeve ports verify --known`")
	}
	return v.last.Verification, v.last.proofs, nil
}

func (v *Verifier) stop(id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil || id != v.last.ID {
		return fault.New(fault.NotFound, "there is no verification "+strconv.Quote(id), "")
	}
	v.last.cancel()
	return nil
}

// carryOut runs one verification and stores what it found.
func (v *Verifier) carryOut(ctx context.Context, one *verification) {
	defer one.cancel()
	stop := context.AfterFunc(ctx, one.cancel)
	defer stop()
	report, err := v.Prover.Run(one.ctx, one.ask, func(done, total int) {
		v.mu.Lock()
		one.Done, one.Total = done, total
		v.mu.Unlock()
		v.Changed(one.ID)
	})
	if kept := v.keep(ctx, report); kept != nil && err == nil {
		err = kept
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	one.Ended = optTime(v.Now())
	one.State = "ended"
	if err != nil {
		one.State = "failed"
		if one.ctx.Err() != nil {
			one.State = "cancelled"
		}
		one.Error = opt(err.Error())
	}
	for _, p := range report.Proofs {
		one.Counts[string(p.Verdict)]++
		shown := showProof(p)
		shown.Since, shown.Times = p.At, 1
		one.proofs = append(one.proofs, shown)
	}
	one.Bad, one.Unknown = report.Bad(), report.Unknown
	for _, q := range report.Idle {
		one.Silences = append(one.Silences, showSilence(q))
	}
	v.Changed(one.ID)
}

// keep stores what a verification found, in pieces.
func (v *Verifier) keep(ctx context.Context, report proof.Report) error {
	ctx = context.WithoutCancel(ctx) // what is known is worth more than the moment
	for len(report.Proofs) > 0 {
		n := min(commitProofs, len(report.Proofs))
		b := store.Batch{Epoch: v.Epoch()}
		for _, p := range report.Proofs[:n] {
			data, err := json.Marshal(p)
			if err != nil {
				return fault.Wrap(fault.Internal, "writing a proof", err)
			}
			b.Proofs = append(b.Proofs, store.Proof{
				Flow: p.Flow, From: p.From, To: p.To, Protocol: string(p.Protocol), Address: p.Address, Expect: string(p.Expect), Verdict: string(p.Verdict),
				Reason: string(p.Reason), Text: p.Text, PlanHash: p.PlanHash, Last: p.At, Data: string(data),
			})
		}
		report.Proofs = report.Proofs[n:]
		if _, err := v.Store.Commit(ctx, b); err != nil {
			return storeFault(err)
		}
	}
	b := store.Batch{Epoch: v.Epoch()}
	for _, q := range report.Idle {
		if q.Unproven == "" {
			b.Silences = append(b.Silences, silence(q))
		}
	}
	if len(b.Silences) == 0 {
		return nil
	}
	if _, err := v.Store.Commit(ctx, b); err != nil {
		return storeFault(err)
	}
	return v.Learn(ctx)
}

// again proves the paths that are due, as many as a minute may have.
func (v *Verifier) again(ctx context.Context) error {
	n := v.Share()
	if n == 0 {
		return nil
	}
	site, err := v.Prover.Site(ctx)
	if err != nil {
		return err
	}
	trials, err := proof.Plan(site, proof.Ask{})
	if err != nil {
		return err
	}
	stored, err := v.Store.Proofs(ctx, store.ProofQuery{PlanHash: site.Compiled.Hash, Expect: string(probe.Open)})
	if err != nil {
		return err
	}
	known := make(map[proof.Path]proof.Known, len(stored))
	for _, p := range stored {
		known[proof.Path{Flow: p.Flow, From: p.From, To: p.To, Address: p.Address, Expect: p.Expect}] = proof.Known{At: p.Last, Good: proof.Green(probe.Verdict(p.Verdict))}
	}
	due := proof.Due(site, trials, known, v.Now(), n)
	if len(due) == 0 {
		return nil
	}
	report, err := v.Prover.Try(ctx, site, due, nil)
	if kept := v.keep(ctx, report); err == nil {
		err = kept
	}
	for _, p := range report.Proofs {
		was, ok := known[proof.Path{Flow: p.Flow, From: p.From, To: p.To, Address: p.Address, Expect: string(p.Expect)}]
		if ok && was.Good && !p.Good() {
			v.Log.Warn("an opening does not work any more", slog.String("flow", p.Flow), slog.String("from", p.From), slog.String("to", p.To), slog.String("reason", string(p.Reason)), slog.String("text", p.Text))
		}
	}
	return errors.Join(err)
}

// Share is how many of an hour's proofs this minute has: also where an hour has fewer than minutes.
func (v *Verifier) Share() int {
	minutes := int64(time.Hour / reproveEvery)
	at := v.Now().Unix() / int64(reproveEvery/time.Second) % minutes
	per := int64(v.PerHour)
	return int((at+1)*per/minutes - at*per/minutes)
}
