// Package jobports answers: how does an attempt get the ports that its job asks for?
//
// The agent, which knows the port plan, writes the pool into the order (Request); the keeper, which lives as long as the
// attempt, leases from it through a Leaser. The lease belongs to the keeper until the job is executed, then to the
// job's process, and is released before the end is told.
package jobports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/keeper"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// asked is what an agent writes of a pool for its keeper.
type asked struct {
	Pool     ports.ResolvedPool `json:"pool"`
	Plan     string             `json:"plan"`
	Hash     string             `json:"hash"`
	Instance int                `json:"instance"`
	Static   []ports.Claim      `json:"static,omitempty"` // rows with a number of their own inside the pool
}

// Request writes a pool of a compiled plan for a Leaser. The error says which pools the plan has.
func Request(c ports.Compiled, pool string) (json.RawMessage, error) {
	r, err := ledger.For(c, pool)
	if err != nil {
		return nil, err
	}
	a := asked{Pool: r.Pool, Plan: r.Plan, Hash: r.Hash, Instance: r.Instance}
	for _, cl := range r.Static {
		if !cl.Pool && cl.Pair == "" && within(r.Pool, cl) {
			a.Static = append(a.Static, cl)
		}
	}
	return json.Marshal(a)
}

func within(p ports.ResolvedPool, cl ports.Claim) bool {
	last := max(cl.Port, cl.Last)
	for _, r := range p.Ranges {
		if cl.Port <= r.Last && last >= r.First {
			return true
		}
	}
	return false
}

// Leaser leases from the host's ledger. It implements keeper.Leaser.
type Leaser struct {
	open func() (*ledger.Ledger, error)
	log  *slog.Logger

	mu     sync.Mutex
	ledger *ledger.Ledger // nil: nobody has asked for ports yet
	given  map[wire.Attempt][]ledger.Lease
}

// New returns a Leaser on the ledger in a folder, which is opened when the first attempt asks for ports.
func New(dir string, log *slog.Logger) *Leaser {
	return &Leaser{
		open: func() (*ledger.Ledger, error) { return ledger.Open(dir, ledger.Options{}) },
		log:  log, given: map[wire.Attempt][]ledger.Lease{},
	}
}

// book returns the ledger.
func (l *Leaser) book() (*ledger.Ledger, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ledger != nil {
		return l.ledger, nil
	}
	opened, err := l.open()
	l.ledger = opened
	return opened, err
}

// Lease implements keeper.Leaser: all ports of an order, or none.
func (l *Leaser) Lease(ctx context.Context, o *wire.Order) ([]keeper.Socket, *wire.Refusal) {
	refuse := func(final bool, err error) ([]keeper.Socket, *wire.Refusal) {
		return nil, &wire.Refusal{Attempt: o.Attempt, Final: final, Reason: "ports", Detail: err.Error()}
	}
	book, err := l.book()
	if err != nil {
		return refuse(false, err)
	}
	requests := make([]ledger.Request, len(o.Ports))
	for i, p := range o.Ports {
		if requests[i], err = request(o, p); err != nil {
			return refuse(true, err)
		}
	}
	grants, err := book.LeaseAll(ctx, requests)
	if err != nil {
		return refuse(final(err), err)
	}
	o.Ports = append([]wire.PortWish(nil), o.Ports...)
	var sockets []keeper.Socket
	leases := make([]ledger.Lease, len(grants))
	for i, g := range grants {
		p := &o.Ports[i]
		p.Port, p.PairPort = uint16(g.Lease.Port), uint16(g.Lease.Pair)
		p.Lease = carried(g)
		leases[i] = g.Lease
		for _, s := range g.Sockets {
			name := p.Name
			if s.Pair {
				name = p.Pair
			}
			sockets = append(sockets, keeper.Socket{Name: name, File: s.File})
		}
	}
	l.mu.Lock()
	l.given[o.Attempt] = leases
	l.mu.Unlock()
	return sockets, nil
}

// carried is the entry of the environment from which a repair knows a lease again.
func carried(g ledger.Grant) string {
	for _, entry := range g.Environment() {
		if strings.HasPrefix(entry, "REEVE_LEASE_") {
			return entry
		}
	}
	return ""
}

// request reads what the agent wrote of a pool.
func request(o *wire.Order, p wire.PortWish) (ledger.Request, error) {
	var a asked
	if err := json.Unmarshal(p.Request, &a); err != nil {
		return ledger.Request{}, fault.Wrap(fault.Invalid, "reading the pool "+p.Pool+" of port "+p.Name, err)
	}
	return ledger.Request{
		Pool: a.Pool, Plan: a.Plan, Hash: a.Hash, Instance: a.Instance, Static: a.Static,
		Name: name(o, p), Owner: owner(o.Attempt, 0), Pair: p.Pair != "", PairName: p.Pair, Sticky: p.Sticky,
	}, nil
}

const maxName = 120 // the ledger takes a little more

// name is what a port of a job is called in the ledger: what a sticky number stays with from run to run.
func name(o *wire.Order, p wire.PortWish) string {
	whole := o.Net + "/" + o.Attempt.Job + "/" + p.Name
	if len(whole) <= maxName {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	return whole[:maxName-33] + "~" + hex.EncodeToString(sum[:16])
}

// owner is an attempt: this process until its own is known (pid 0).
func owner(a wire.Attempt, pid int) ledger.Owner {
	id := a.Run + "/" + a.Job
	o := ledger.Self("attempt", id)
	if pid > 0 {
		o = ledger.Process("attempt", id, pid)
	}
	o.Attempt = a.N
	return o
}

// final reports whether asking again will not help.
func final(err error) bool {
	var r *ledger.Refusal
	if !errors.As(err, &r) {
		return false
	}
	return slices.Contains([]ledger.Outcome{ledger.BadRequest, ledger.NoPool, ledger.OutsideRange, ledger.NotLocal, ledger.IsReserved, ledger.OtherHost}, r.Outcome)
}

// Own implements keeper.Leaser.
func (l *Leaser) Own(a wire.Attempt, pid int) {
	l.each(a, "giving a port to its process", func(ctx context.Context, book *ledger.Ledger, lease ledger.Lease) error {
		return book.Assign(ctx, lease.ID, lease.Fence, owner(a, pid))
	})
}

// Release implements keeper.Leaser.
func (l *Leaser) Release(a wire.Attempt) {
	l.each(a, "giving a port back", func(ctx context.Context, book *ledger.Ledger, lease ledger.Lease) error {
		return book.Release(ctx, lease.ID, lease.Fence, fmt.Sprintf("attempt %s/%s/%d has ended", a.Run, a.Job, a.N))
	})
	l.mu.Lock()
	delete(l.given, a)
	l.mu.Unlock()
}

// each does something with every lease of an attempt. What the ledger no longer has is as it should be.
func (l *Leaser) each(a wire.Attempt, doing string, do func(context.Context, *ledger.Ledger, ledger.Lease) error) {
	ctx := context.Background()
	book, err := l.book()
	if err != nil {
		l.log.Error("the ledger of leases is not reached", slog.String("doing", doing), slog.Any("attempt", a), slog.Any("cause", err))
		return
	}
	for _, lease := range l.of(ctx, book, a) {
		err := do(ctx, book, lease)
		var r *ledger.Refusal
		if err != nil && (!errors.As(err, &r) || r.Outcome != ledger.NoLease && r.Outcome != ledger.Fenced) {
			l.log.Error("a lease is left as it is", slog.String("doing", doing), slog.Any("attempt", a), slog.Any("port", lease.Port), slog.Any("cause", err))
		}
	}
}

// of returns the leases of an attempt; those that an earlier keeper took are found by their owner.
func (l *Leaser) of(ctx context.Context, book *ledger.Ledger, a wire.Attempt) []ledger.Lease {
	l.mu.Lock()
	given, ok := l.given[a]
	l.mu.Unlock()
	if ok {
		return given
	}
	all, err := book.Leases(ctx)
	if err != nil {
		l.log.Error("looking for an attempt's ports", slog.Any("attempt", a), slog.Any("cause", err))
	}
	var found []ledger.Lease
	for _, lease := range all {
		if o := lease.Owner; o.Kind == "attempt" && o.ID == a.Run+"/"+a.Job && o.Attempt == a.N {
			found = append(found, lease)
		}
	}
	return found
}
