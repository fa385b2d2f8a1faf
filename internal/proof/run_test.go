package proof

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// ends is a site's ends that play what a test tells them.
type ends struct {
	t    *testing.T
	site Site

	mu    sync.Mutex
	calls []string
	who   func(host string, r wire.ProveRow) wire.ProveHeld
	near  func(host string, t wire.ProveTry) wire.ProveView
	far   func(host string, a wire.ProveAsk) wire.ProveView
	fail  map[string]error // by host and step
	open  map[string]bool  // sessions, by host
}

type fakeEnd struct {
	*ends
	host string
}

func (e *ends) note(host, step string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, host+" "+step)
	return e.fail[host+" "+step]
}

func (f fakeEnd) Open(_ context.Context, in wire.ProveOpen) (wire.ProveOpened, error) {
	if err := f.note(f.host, "open"); err != nil {
		return wire.ProveOpened{}, err
	}
	f.mu.Lock()
	f.open[f.host] = true
	f.mu.Unlock()
	var out wire.ProveOpened
	for _, r := range in.Rows {
		out.Rows = append(out.Rows, f.who(f.host, r))
	}
	return out, nil
}

func (f fakeEnd) Dial(_ context.Context, in wire.ProveDial) (wire.ProveDialled, error) {
	if err := f.note(f.host, "dial"); err != nil {
		return wire.ProveDialled{}, err
	}
	var out wire.ProveDialled
	for _, t := range in.Tries {
		out.Views = append(out.Views, f.near(f.host, t))
	}
	return out, nil
}

func (f fakeEnd) Saw(_ context.Context, in wire.ProveSaw) (wire.ProveSeen, error) {
	if err := f.note(f.host, "saw"); err != nil {
		return wire.ProveSeen{}, err
	}
	var out wire.ProveSeen
	for _, a := range in.Tries {
		out.Views = append(out.Views, f.far(f.host, a))
	}
	return out, nil
}

func (f fakeEnd) Idle(context.Context, wire.ProveIdle) (wire.ProveIdled, error) {
	return wire.ProveIdled{}, f.note(f.host, "idle")
}

func (f fakeEnd) Close(context.Context, wire.ProveClose) error {
	f.mu.Lock()
	delete(f.open, f.host)
	f.mu.Unlock()
	return f.note(f.host, "close")
}

func view(v any) wire.ProveView {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values
	}
	return wire.ProveView{View: text}
}

var local = netip.MustParseAddrPort("10.1.0.6:40000")

// play makes ends at which everything works. north is a node, dmz1 one that is not linked, and hq1 the server.
func play(t *testing.T, plan string) *ends {
	t.Helper()
	e := &ends{t: t, fail: map[string]error{}, open: map[string]bool{}}
	e.site = Site{
		Site: site(t, plan),
		Node: func(host string) string {
			return map[string]string{"hq1": "hq1", "north": "north", "dmz1": "dmz1"}[host]
		},
		End: func(host string) (End, string) {
			if host == "dmz1" {
				return nil, "the agent dmz1 is not linked"
			}
			return fakeEnd{e, host}, ""
		},
	}
	e.who = func(string, wire.ProveRow) wire.ProveHeld { return wire.ProveHeld{Who: wire.ProbeListens} }
	e.near = func(_ string, t wire.ProveTry) wire.ProveView {
		return view(probe.SourceView{
			System: "linux", Protocol: ports.Protocol(t.Protocol), Address: t.Address, Local: local, Remote: netip.MustParseAddrPort(t.Address), Outcome: probe.Connected, Queue: true,
			Answer: probe.Proved, Seen: local,
		})
	}
	e.far = func(_ string, a wire.ProveAsk) wire.ProveView {
		return view(probe.DestinationView{Listener: probe.Listening, Ours: true, Arrived: probe.Saw, Accepted: probe.Saw, Nonce: true, Peer: local})
	}
	return e
}

func (e *ends) prover() *Prover {
	return &Prover{
		Site: func(context.Context) (Site, error) { return e.site, nil }, Now: day, Code: func() (string, error) { return "code", nil },
	}
}

func (e *ends) run(ask Ask) Report {
	e.t.Helper()
	report, err := e.prover().Run(e.t.Context(), ask, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	if len(e.open) != 0 {
		e.t.Errorf("left open: %v", e.open)
	}
	return report
}

// about returns the proofs between two hosts.
func about(r Report, flow, from, to string) []probe.Proof {
	return slices.DeleteFunc(slices.Clone(r.Proofs), func(p probe.Proof) bool { return p.Flow != flow || p.From != from || p.To != to })
}

func one(t *testing.T, r Report, flow, from, to string) probe.Proof {
	t.Helper()
	all := about(r, flow, from, to)
	if len(all) != 1 {
		t.Fatalf("%s %s>%s: %d proofs", flow, from, to, len(all))
	}
	return all[0]
}

// Each end is asked in its turn, in the flow's direction, and both views make the proof. Who is not linked, and who is no
// node, is never green.
func TestBothEnds(t *testing.T) {
	t.Parallel()
	e := play(t, "default")
	r := e.run(Ask{})
	if p := one(t, r, "reeve.2/tcp", "north", "hq1"); p.Verdict != probe.Proven || p.Basis != probe.BothEnds || p.Evidence.Destination == nil || p.PlanHash != e.site.Compiled.Hash || !p.At.Equal(day()) {
		t.Errorf("both ends: %+v", p)
	}
	if p := one(t, r, "reeve.2/tcp", "dmz1", "hq1"); p.Verdict != probe.Unproven || !strings.Contains(p.Text, "not linked") {
		t.Errorf("an agent that is not linked: %+v", p)
	}
	if p := one(t, r, "reeve.1/tcp", "client", "hq1"); p.Verdict != probe.Unproven || !strings.Contains(p.Text, "no agent") {
		t.Errorf("a client: %+v", p)
	}
	if p := one(t, r, "name-resolution.1/udp", "hq1", "name server"); p.Verdict != probe.Unproven || !strings.Contains(p.Text, "third party") {
		t.Errorf("a third party: %+v", p)
	}
	if r.Bad() != 0 || r.Unknown != 1 {
		t.Errorf("%d bad and %d unknown, want 0 and dmz1's", r.Bad(), r.Unknown)
	}
	if want := []string{"hq1 open", "north dial", "hq1 saw", "hq1 close"}; !slices.Equal(e.calls, want) {
		t.Errorf("asked %v, want %v", e.calls, want)
	}
}

// What one end alone saw is not taken for a proof, and it is said why the other was not asked. (traps F76, F82)
func TestOneEnd(t *testing.T) {
	t.Parallel()
	for step, verdict := range map[string]probe.Verdict{"hq1 open": probe.Unproven, "hq1 saw": probe.Unproven, "north dial": probe.Unproven} {
		e := play(t, "default")
		e.fail[step] = errors.New("the link broke")
		near := e.near
		if step != "north dial" { // without the other end's word nobody has proved who answers
			e.near = func(host string, t wire.ProveTry) wire.ProveView {
				var v probe.SourceView
				_ = json.Unmarshal(near(host, t).View, &v)
				v.Answer, v.Seen = probe.Unasked, netip.AddrPort{}
				return view(v)
			}
		}
		p := one(t, e.run(Ask{}), "reeve.2/tcp", "north", "hq1")
		if p.Verdict != verdict || !strings.Contains(p.Text, "the link broke") {
			t.Errorf("%s: %s %s: %s", step, p.Verdict, p.Reason, p.Text)
		}
	}
}

// Where no node is, somebody else listens, or does not just now: a refusal says nothing bad of the path, a box that
// rejects does. F78: a datagram that arrives at a service which does not answer it is neither good nor bad.
func TestOthersServices(t *testing.T) {
	t.Parallel()
	refused := probe.SourceView{System: "linux", Protocol: ports.TCP, Local: local, Remote: netip.MustParseAddrPort("10.1.0.5:25"), Outcome: probe.Refused, Errno: "ECONNREFUSED", Queue: true}
	rejected := refused
	rejected.Outcome, rejected.ICMP = probe.HostUnreachable, &probe.ICMP{Type: 3, Code: 13, Address: netip.MustParseAddr("10.1.0.254")}
	silent := refused
	silent.Outcome, silent.Errno, silent.Protocol, silent.Egress = probe.Silence, "", ports.UDP, probe.EgressLeft
	arrived := &probe.DestinationView{Listener: probe.Listening, Ours: true, Arrived: probe.Saw, Accepted: probe.NotWatched}
	lost := &probe.DestinationView{Listener: probe.Listening, Ours: true, Arrived: probe.SawNothing, Accepted: probe.NotWatched}
	for name, c := range map[string]struct {
		near    probe.SourceView
		far     *probe.DestinationView
		node    bool
		verdict probe.Verdict
	}{
		"refused by no node":          {refused, nil, false, probe.Unproven},
		"refused at a node":           {refused, nil, true, probe.Broken},
		"rejected on the way":         {rejected, nil, false, probe.Blocked},
		"a service that is silent":    {silent, arrived, true, probe.Unproven},
		"a datagram that is lost":     {silent, lost, true, probe.Blocked},
		"a path that must be closed":  {rejected, nil, false, probe.Proven},
		"a port that nobody looks at": {refused, nil, false, probe.Unproven},
	} {
		expect := probe.Open
		if strings.HasPrefix(name, "a p") {
			expect = probe.Closed
		}
		one := try{Trial: Trial{Protocol: c.near.Protocol, Expect: expect}, near: &c.near, far: c.far, held: wire.ProveHeld{Who: wire.PlainListens}}
		one.proof = probe.Classify(probe.Subject{Expect: expect}, c.near, c.far)
		one.honest(c.node)
		if one.proof.Verdict != c.verdict {
			t.Errorf("%s: %s %s: %s", name, one.proof.Verdict, one.proof.Reason, one.proof.Text)
		}
	}
}

// A node that refuses, because its own plan has no such row, is no proof of anything.
func TestRefused(t *testing.T) {
	t.Parallel()
	e := play(t, "default")
	e.near = func(string, wire.ProveTry) wire.ProveView {
		return wire.ProveView{Refused: "this node works by another port plan"}
	}
	if p := one(t, e.run(Ask{}), "reeve.2/tcp", "north", "hq1"); p.Verdict != probe.Unproven || !strings.Contains(p.Text, "another port plan") {
		t.Errorf("%+v", p)
	}
	e = play(t, "default")
	e.near = func(string, wire.ProveTry) wire.ProveView { return wire.ProveView{View: json.RawMessage(`"no view"`)} }
	if p := one(t, e.run(Ask{}), "reeve.2/tcp", "north", "hq1"); p.Verdict != probe.Unproven {
		t.Errorf("%+v", p)
	}
}

// A certificate of somebody else that comes back on a connection that arrived at the node that is meant: TLS is opened
// on the way.
func TestIntercepted(t *testing.T) {
	t.Parallel()
	e := play(t, "default")
	e.who = func(string, wire.ProveRow) wire.ProveHeld { return wire.ProveHeld{Who: wire.NodeListens} }
	near := e.near
	e.near = func(host string, t wire.ProveTry) wire.ProveView {
		var v probe.SourceView
		_ = json.Unmarshal(near(host, t).View, &v)
		v.Answer, v.Seen = probe.Stranger, netip.AddrPort{}
		return view(v)
	}
	e.far = func(string, wire.ProveAsk) wire.ProveView {
		return view(probe.DestinationView{Listener: probe.Listening, Ours: true, Arrived: probe.Saw, Accepted: probe.NotWatched})
	}
	if p := one(t, e.run(Ask{}), "reeve.2/tcp", "north", "hq1"); p.Reason != probe.TLSIntercepted || p.Verdict != probe.Broken {
		t.Errorf("%s %s: %s", p.Verdict, p.Reason, p.Text)
	}
}

// F74: a number that must be closed and answers is exposed, whatever rules say; one that a box rejects is proven closed.
func TestNegative(t *testing.T) {
	t.Parallel()
	e := play(t, "systemwalker")
	e.near = func(_ string, t wire.ProveTry) wire.ProveView {
		if !t.Closed {
			e.t.Errorf("a path that must be open is dialled: %+v", t)
		}
		v := probe.SourceView{System: "linux", Protocol: ports.Protocol(t.Protocol), Address: t.Address, Local: local, Remote: netip.MustParseAddrPort(t.Address), Queue: true}
		if t.Service == "jobsch" {
			v.Outcome, v.Answer, v.Seen = probe.Connected, probe.Proved, local
			return view(v)
		}
		v.Outcome, v.Errno, v.ICMP = probe.HostUnreachable, "EHOSTUNREACH", &probe.ICMP{Type: 3, Code: 13, Address: netip.MustParseAddr("10.1.0.254")}
		return view(v)
	}
	r := e.run(Ask{Negative: true, From: "north"})
	exposed, closed := 0, 0
	for _, p := range r.Proofs {
		switch {
		case p.Verdict == probe.Exposed && p.Reason == probe.UnexpectedlyOpen && strings.HasPrefix(p.Flow, "jobsch/"):
			exposed++
		case p.Verdict == probe.Proven && p.Reason == probe.NotReachable:
			closed++
		case p.To != "dmz1":
			t.Errorf("%s %s at %s: %s %s", p.Flow, p.To, p.Address, p.Verdict, p.Reason)
		}
	}
	if closed < 10 || r.Bad() != exposed {
		t.Errorf("%d closed, %d exposed of %d", closed, exposed, len(r.Proofs))
	}
}

// What is asked for is chosen by host, role and flow; a slip of the pen is an error and not an empty answer.
func TestAsk(t *testing.T) {
	t.Parallel()
	e := play(t, "systemwalker")
	all, err := Plan(e.site, Ask{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ask := range []Ask{{From: "north"}, {To: "north"}, {Flow: "jmnet"}, {Flow: "jmnet.1/tcp"}, {From: "hq1", To: "north", Flow: "jmnet"}} {
		some, err := Plan(e.site, ask)
		if err != nil || len(some) == 0 || len(some) >= len(all) {
			t.Errorf("%+v: %d of %d, %v", ask, len(some), len(all), err)
		}
		for _, one := range some {
			if ask.From != "" && one.From != ask.From || ask.To != "" && one.To != ask.To || ask.Flow != "" && one.Flow != ask.Flow && one.Service != ask.Flow {
				t.Errorf("%+v: got %+v", ask, one)
			}
		}
	}
	for _, ask := range []Ask{{From: "nobody"}, {To: "nobody"}, {Flow: "nothing"}} {
		if _, err := Plan(e.site, ask); !fault.Is(err, fault.NotFound) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
}

// Of a range both its ends are tried, and more where all is asked for; no number is outside.
func TestRanges(t *testing.T) {
	t.Parallel()
	e := play(t, "jobscheduler")
	count := func(all bool) (n int) {
		trials, err := Plan(e.site, Ask{All: all})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range trials {
			cl := slices.IndexFunc(e.site.Compiled.Claims, func(c ports.Claim) bool {
				return c.Service == one.Service && c.Protocol == one.Protocol && one.Number >= c.Range().First && one.Number <= c.Range().Last
			})
			if one.Untried == "" && cl < 0 {
				t.Errorf("%+v is outside its row", one)
			}
			if cl >= 0 && e.site.Compiled.Claims[cl].Pool && one.Untried == "" {
				n++
			}
		}
		return n
	}
	few, many := count(false), count(true)
	if few == 0 || few%2 != 0 || many <= few {
		t.Errorf("%d numbers of ranges, and %d of all", few, many)
	}
}

// Progress counts up to all paths. A context that ends leaves nothing open.
func TestProgressAndEnd(t *testing.T) {
	t.Parallel()
	e := play(t, "systemwalker")
	var mu sync.Mutex
	last, total := 0, 0
	r, err := e.prover().Run(t.Context(), Ask{}, func(done, of int) {
		mu.Lock()
		defer mu.Unlock()
		last, total = max(last, done), of
	})
	if err != nil || last != total || total != len(r.Proofs) {
		t.Errorf("%d of %d, %d proofs, %v", last, total, len(r.Proofs), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e.who = func(string, wire.ProveRow) wire.ProveHeld { cancel(); return wire.ProveHeld{Who: wire.ProbeListens} }
	if _, err := e.prover().Run(ctx, Ask{}, nil); !fault.Is(err, fault.Interrupted) {
		t.Errorf("interrupted: %v", err)
	}
	if len(e.open) != 0 {
		t.Errorf("left open: %v", e.open)
	}
}

// Silences have a bound, and are refused beyond it.
func TestIdleBounds(t *testing.T) {
	t.Parallel()
	e := play(t, "default")
	for _, d := range []time.Duration{time.Millisecond, time.Hour, -1} {
		if _, err := e.prover().Run(t.Context(), Ask{Idle: true, For: d}, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", d, err)
		}
	}
	r := e.run(Ask{Idle: true})
	if len(r.Idle) == 0 || slices.ContainsFunc(r.Idle, func(s Silence) bool { return s.Unproven == "" }) {
		t.Errorf("ends that measure nothing: %+v", r.Idle)
	}
}
