package domain_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// testVerifier proves the default plan between a server and an agent that a test plays.
func testVerifier(s *site) *domain.Verifier {
	s.t.Helper()
	p, err := builtin.Load(builtin.Default)
	if err != nil {
		s.t.Fatal(err)
	}
	inv := ports.Inventory{Hosts: []ports.Host{{Name: "hq1", Roles: []string{"server"}, Advertise: []string{"10.1.0.5"}}, {Name: "north", Roles: []string{"agent"}, Advertise: []string{"10.1.0.6"}}}}
	c, found := ports.Compile(p, inv, 0)
	if ports.HasErrors(found) {
		s.t.Fatal(found)
	}
	s.path = &playedPath{outcome: probe.Connected}
	return domain.NewVerifier(&domain.Verifier{
		Prover: &proof.Prover{
			Now: s.now, Code: func() (string, error) { return "code", nil },
			Site: func(context.Context) (proof.Site, error) {
				return proof.Site{
					Site: ports.Site{Compiled: c, Inventory: inv}, Node: func(host string) string { return map[string]string{"hq1": "hq1", "north": "north"}[host] },
					End: func(string) (proof.End, string) { return s.path, "" },
				}, nil
			},
		},
		Store: s.store, Epoch: func() int64 { return 1 }, Now: s.now, Log: slog.New(slog.DiscardHandler), PerHour: 120, Changed: func(string) {},
	})
}

// playedPath is both ends of a path.
type playedPath struct {
	mu      sync.Mutex
	outcome probe.Dialled
	wait    chan struct{} // nil: nothing is waited for
}

func (p *playedPath) Open(ctx context.Context, in wire.ProveOpen) (wire.ProveOpened, error) {
	if p.wait != nil {
		select {
		case <-p.wait:
		case <-ctx.Done():
		}
	}
	out := wire.ProveOpened{Rows: make([]wire.ProveHeld, len(in.Rows))}
	for i := range out.Rows {
		out.Rows[i].Who = wire.NodeListens
	}
	return out, nil
}

func (p *playedPath) Dial(_ context.Context, in wire.ProveDial) (wire.ProveDialled, error) {
	local := netip.MustParseAddrPort("10.1.0.6:40000")
	p.mu.Lock()
	defer p.mu.Unlock()
	var out wire.ProveDialled
	for _, t := range in.Tries {
		v := probe.SourceView{System: "linux", Protocol: "tcp", Address: t.Address, Remote: netip.MustParseAddrPort(t.Address), Local: local, Outcome: p.outcome, Queue: true}
		if v.Answer, v.Seen = probe.Proved, local; p.outcome != probe.Connected {
			v.Answer, v.Seen, v.Errno, v.ICMP = "", netip.AddrPort{}, "EHOSTUNREACH", &probe.ICMP{Type: 3, Code: 13, Address: netip.MustParseAddr("10.1.0.254")}
		}
		text, _ := json.Marshal(v)
		out.Views = append(out.Views, wire.ProveView{View: text})
	}
	return out, nil
}

func (p *playedPath) Saw(_ context.Context, in wire.ProveSaw) (wire.ProveSeen, error) {
	var out wire.ProveSeen
	for range in.Tries {
		text, _ := json.Marshal(probe.DestinationView{Listener: probe.Listening, Ours: true, Accepted: probe.Saw, Nonce: true})
		out.Views = append(out.Views, wire.ProveView{View: text})
	}
	return out, nil
}

func (p *playedPath) Idle(_ context.Context, in wire.ProveIdle) (wire.ProveIdled, error) {
	out := wire.ProveIdled{}
	for _, d := range in.Silences {
		out.Ends = append(out.Ends, wire.ProveQuiet{Opened: true, Alive: d < 3*time.Second})
	}
	return out, nil
}

// set changes what becomes of dials.
func (p *playedPath) set(outcome probe.Dialled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcome = outcome
}

func (p *playedPath) Close(context.Context, wire.ProveClose) error { return nil }

// verified waits for the end of the last verification.
func (s *site) verified() api.Verification {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		v, err := s.service.Verification(s.admin(), "last")
		if err != nil {
			s.t.Fatal(err)
		}
		if v.State != "running" {
			return v
		}
		select {
		case <-deadline:
			s.t.Fatalf("it does not end: %+v", v)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *site) proves(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.verifier.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// One verification runs at a time; what it found is kept, joined with what was found before, and on the map.
func TestVerification(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin()
	if _, err := s.service.Verify(admin, api.VerifyOrder{From: "nobody"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a slip of the pen: %v", err)
	}
	first, err := s.service.Verify(admin, api.VerifyOrder{})
	if err != nil || first.State != "running" || first.By != "admin" {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := s.service.Verify(admin, api.VerifyOrder{}); !fault.Is(err, fault.Busy) {
		t.Errorf("a second one: %v", err)
	}
	s.proves(t)
	if v := s.verified(); v.ID != first.ID || v.State != "ended" || v.Bad != 0 || v.Unknown != 0 || v.Counts["proven"] != 1 || v.Done != v.Total || v.Ended == nil {
		t.Errorf("%+v", v)
	}
	made, err := s.service.ListProofs(admin, api.ProofQuery{Verification: first.ID})
	if err != nil || len(made) == 0 {
		t.Fatalf("%v, %v", made, err)
	}
	if rest, err := s.service.ListProofs(admin, api.ProofQuery{Verification: first.ID, Offset: len(made)}); err != nil || len(rest) != 0 {
		t.Errorf("beyond the last: %v, %v", rest, err)
	}
	s.advance(time.Hour)
	s.path.set(probe.HostUnreachable)
	if _, err := s.service.Verify(admin, api.VerifyOrder{Flow: "reeve.2/tcp"}); err != nil {
		t.Fatal(err)
	}
	if v := s.verified(); v.Bad != 1 || v.Counts["blocked"] != 1 {
		t.Errorf("%+v", v)
	}
	past, err := s.service.ProofHistory(admin, api.ProofQuery{Flow: "reeve.2/tcp"})
	if err != nil || len(past) != 2 || past[0].Verdict != "blocked" || past[1].Verdict != "proven" || past[0].Times != 1 {
		t.Errorf("history: %+v, %v", past, err)
	}
	m, err := s.service.ProofMap(admin)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, p := range m.Paths {
		seen[p.Flow+" "+p.From] = p.Verdict
	}
	if seen["reeve.2/tcp north"] != "blocked" || seen["name-resolution.1/udp hq1"] != "unproven" || len(m.Hosts) != 2 || m.Hosts[1].Node != "linked" {
		t.Errorf("the map: %v, %+v", seen, m.Hosts)
	}
	if _, err := s.service.Verification(admin, first.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the one before: %v", err)
	}
}

// Who cancels a verification does not wait for what its ends are waiting for.
func TestVerificationIsCancelled(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.path.wait = make(chan struct{})
	s.proves(t)
	v, err := s.service.Verify(s.admin(), api.VerifyOrder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.service.CancelVerification(s.admin(), v.ID); err != nil {
		t.Fatal(err)
	}
	if v := s.verified(); v.State != "cancelled" || v.Error == nil {
		t.Errorf("%+v", v)
	}
}

// A silence that was measured is known to who makes links, in both directions and to nobody else.
func TestMeasuredSilence(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.proves(t)
	if _, err := s.service.Verify(s.admin(), api.VerifyOrder{Idle: true, For: 4}); err != nil {
		t.Fatal(err)
	}
	if v := s.verified(); v.State != "ended" || len(v.Silences) != 1 || v.Silences[0].Survived != 2 || v.Silences[0].Died != 3 {
		t.Errorf("%+v", v)
	}
	for node, want := range map[string]time.Duration{"north": 2 * time.Second, "south": 0} {
		if got := s.verifier.Limit(node, "hq1"); got != want {
			t.Errorf("%s: %v, want %v", node, got, want)
		}
	}
	if got := s.verifier.Limit("hq1", "other", "north"); got != 2*time.Second {
		t.Errorf("the other way: %v", got)
	}
	all, err := s.service.ListSilences(s.admin())
	if err != nil || len(all) != 1 || all[0].KeepAlive <= 0 || all[0].Text == "" {
		t.Errorf("%+v, %v", all, err)
	}
}

// What is due is proved again without anybody's order, and a path that has broken is found.
func TestProvedAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.verifier.Every = 5 * time.Millisecond
	s.proves(t)
	last := func() string {
		all, err := s.service.ListProofs(s.admin(), api.ProofQuery{Flow: "reeve.2/tcp"})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			return ""
		}
		return all[0].Verdict
	}
	deadline := time.After(20 * time.Second)
	for _, want := range []string{"proven", "blocked"} {
		for last() != want {
			select {
			case <-deadline:
				t.Fatalf("it is %q, want %s", last(), want)
			case <-time.After(5 * time.Millisecond):
			}
		}
		s.path.set(probe.HostUnreachable)
	}
	if _, err := s.service.Verification(s.admin(), "last"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody has ordered one: %v", err)
	}
}

// An hour's budget is spread over its minutes, also where it is smaller than them.
func TestBudget(t *testing.T) {
	t.Parallel()
	for _, perHour := range []int{0, 1, 59, 60, 61, 1000} {
		at := time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)
		v := &domain.Verifier{PerHour: perHour, Now: func() time.Time { return at }}
		sum := 0
		for range 60 {
			sum += v.Share()
			at = at.Add(time.Minute)
		}
		if sum != perHour {
			t.Errorf("%d an hour: %d", perHour, sum)
		}
	}
}
