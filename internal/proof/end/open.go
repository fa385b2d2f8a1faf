package end

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// keepArrivals is how many attempts at one row are kept: of all hosts that dial it in one wave.
const keepArrivals = 4096

// Open takes rows for a session, or says who has them. What it takes is given back when the session ends, and at the
// latest after the time that the request says.
func (e *End) Open(ctx context.Context, in wire.ProveOpen) (wire.ProveOpened, error) {
	p, err := e.planned(in.PlanHash)
	if err != nil {
		return wire.ProveOpened{}, err
	}
	if len(in.Rows) > wire.MaxProveRows {
		return wire.ProveOpened{}, fault.Newf(fault.Invalid, "%d rows, at most %d", len(in.Rows), wire.MaxProveRows)
	}
	code, err := twoends.ParseCode(in.Code)
	if err != nil {
		return wire.ProveOpened{}, err
	}
	s, err := e.session(in.Session, true, in.For)
	if err != nil {
		return wire.ProveOpened{}, err
	}
	out := wire.ProveOpened{Rows: make([]wire.ProveHeld, len(in.Rows))}
	for _, closed := range []bool{false, true} {
		var at []int
		var claims []ports.Claim
		for i, r := range in.Rows {
			if r.Closed != closed {
				continue
			}
			if held, ok := s.known(r); ok {
				out.Rows[i] = held
				continue
			}
			cl, err := e.mayListen(p, r)
			if err != nil {
				out.Rows[i] = wire.ProveHeld{Who: wire.NobodyListens, Detail: err.Error()}
				continue
			}
			at, claims = append(at, i), append(claims, cl)
		}
		if len(claims) == 0 {
			continue
		}
		rows := wanted{plan: p, claims: claims, bind: bind(p, closed)}
		var ends []taken
		if in.Quiet {
			ends = s.takeQuiet(ctx, rows)
		} else if ends, err = s.take(ctx, rows, code); err != nil {
			return wire.ProveOpened{}, err
		}
		for i, held := range s.held(ctx, p, claims, ends) {
			out.Rows[at[i]] = held
			s.note(in.Rows[at[i]], held)
		}
	}
	return out, nil
}

// known returns what was said of a row before: the answer may have been lost with the link.
func (s *session) known(r wire.ProveRow) (wire.ProveHeld, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.rows[r]
	return held, ok
}

func (s *session) note(r wire.ProveRow, held wire.ProveHeld) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[r] = held
}

// bind is where rows are taken. A row that must be closed is taken on the addresses that others can reach: its own
// service may have loopback.
func bind(p Plan, closed bool) []string {
	if len(p.Bind) > 0 || !closed {
		return p.Bind
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var outward []string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			outward = append(outward, prefix.Addr().String())
		}
	}
	return outward
}

// taken is one row after an attempt to take it.
type taken struct {
	probe, node bool
	why         string
}

// wanted are rows that are to be taken, each with one number.
type wanted struct {
	plan   Plan
	claims []ports.Claim
	bind   []string
}

// take opens rows until the session ends.
func (s *session) take(ctx context.Context, w wanted, code twoends.Code) ([]taken, error) {
	cfg := s.end.cfg
	l, err := twoends.Listen(ctx, twoends.ListenOptions{
		Host: w.plan.Host, Sockets: w.plan.sockets(w.claims), Rows: w.claims, Bind: w.bind, Code: code, Own: cfg.Own, Keep: keepArrivals,
		Rand: cfg.Rand, Now: cfg.Now, Observe: cfg.Observe,
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.done.Go(func() { _ = l.Run(s.ctx) }) // it has no error of its own
	all := make([]taken, len(w.claims))
	for i, one := range l.Ends() {
		all[i] = taken{probe: one.Open, why: one.Error}
	}
	return all, nil
}

// takeQuiet opens TCP rows on which this node itself answers.
func (s *session) takeQuiet(ctx context.Context, w wanted) []taken {
	bind := w.bind
	if len(bind) == 0 {
		bind = []string{""}
	}
	sockets := w.plan.sockets(w.claims)
	all := make([]taken, len(w.claims))
	for i, cl := range w.claims {
		for _, address := range bind {
			l, err := sockets.Listen(ctx, cl.Service, address)
			if err != nil {
				all[i].why = err.Error()
				break
			}
			all[i].node = true
			context.AfterFunc(s.ctx, func() { _ = l.Close() })
			s.done.Go(func() { s.answer(l) })
		}
	}
	return all
}

// held says who listens on each row.
func (s *session) held(ctx context.Context, p Plan, claims []ports.Claim, ends []taken) []wire.ProveHeld {
	var obs *probe.Observation
	all := make([]wire.ProveHeld, len(claims))
	for i, cl := range claims {
		switch {
		case ends[i].probe:
			all[i].Who = wire.ProbeListens
			continue
		case ends[i].node:
			all[i].Who = wire.NodeListens
			continue
		}
		if obs == nil {
			seen, err := s.end.cfg.Observe(ctx)
			if err != nil {
				seen = probe.Observation{}
			}
			obs = &seen
		}
		all[i] = whoHas(*obs, cl, s.end.cfg.Own, address(p.Bind), ends[i].why)
	}
	return all
}

// address is the one that is dialled, where there is only one.
func address(bind []string) netip.Addr {
	if len(bind) != 1 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(bind[0])
	return a
}

func whoHas(obs probe.Observation, cl ports.Claim, own probe.Own, at netip.Addr, why string) wire.ProveHeld {
	v := obs.Destination(cl.Protocol, at, cl.Port, own)
	switch {
	case v.Listener == probe.Listening && v.Ours && cl.TLS && cl.Protocol == ports.TCP:
		return wire.ProveHeld{Who: wire.NodeListens}
	case v.Listener == probe.Listening && v.Ours:
		return wire.ProveHeld{Who: wire.PlainListens}
	case slices.Contains([]probe.ListenerState{probe.Listening, probe.OnlyBound}, v.Listener):
		h := wire.ProveHeld{Who: wire.ForeignListens, Detail: "somebody else has it"}
		if v.Owner != nil {
			h.Detail = v.Owner.String() + " has it"
		}
		return h
	}
	return wire.ProveHeld{Who: wire.NobodyListens, Detail: why}
}
