package end_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/internal/proof/end"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// estate is some nodes of one machine, each with an address of its own, that use a plan with each other.
type estate struct {
	site  ports.Site
	ends  map[string]*end.End
	first ports.Port
}

// open makes nodes named n1, n2 … with the addresses 127.0.99.1 and on. The plan has a row between all of them over TCP
// and UDP, one for the host itself and one that is reserved, in a row of numbers of this test.
func open(t testing.TB, nodes int) *estate {
	t.Helper()
	e := &estate{ends: map[string]*end.End{}, first: ports.Port(sockettest.Block(t, 8))}
	tcp, udp := []ports.Protocol{ports.TCP}, []ports.Protocol{ports.UDP}
	number := func(n ports.Port) ports.Formula { return ports.Formula(fmt.Sprint(e.first + n)) }
	among := []ports.Flow{{From: "worker", To: "worker", Purpose: "work"}}
	plan := ports.Plan{Name: "among", Roles: []ports.Role{{ID: "worker", Is: ports.Agent}, {ID: "mail", Is: ports.Unmanaged}}, Services: []ports.Service{
		{ID: "talk", Port: number(1), Protocols: tcp, Binds: true, Flows: among},
		{ID: "words", Port: number(2), Protocols: udp, Binds: true, Flows: among},
		{ID: "safe", Port: number(3), Protocols: tcp, TLS: true, Binds: true, Flows: among},
		{ID: "inside", Port: number(4), Protocols: tcp, Binds: true, Scope: ports.SameHost, RunsOn: []string{"worker"}},
		{ID: "kept", Port: number(5), Protocols: tcp, Binds: true, Status: ports.Reserved, RunsOn: []string{"worker"}},
		{ID: "smtp", Port: "25", Protocols: tcp, Flows: []ports.Flow{{From: "worker", To: "mail"}}},
	}}
	for i := range nodes {
		e.site.Inventory.Hosts = append(e.site.Inventory.Hosts, ports.Host{Name: fmt.Sprintf("n%d", i+1), Roles: []string{"agent"}, Bind: []string{fmt.Sprintf("127.0.99.%d", i+1)}, Advertise: []string{fmt.Sprintf("127.0.99.%d", i+1)}})
	}
	c, found := ports.Compile(plan, e.site.Inventory, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	e.site.Compiled = c
	obs := observer()
	for _, h := range e.site.Inventory.Hosts {
		one := end.New(end.Config{
			Role: ports.Agent, Dialling: func() *tls.Config { return &tls.Config{} }, Listening: func() *tls.Config { return &tls.Config{} },
			Own: probe.Own{PIDs: []int{os.Getpid()}}, Observe: obs, Rand: rand.Reader, Now: time.Now,
		})
		one.Use(end.Plan{Host: h.Name, Compiled: c, Bind: h.Bind})
		t.Cleanup(one.Stop)
		e.ends[h.Name] = one
	}
	return e
}

// observer looks at the host's sockets, once for all that ask at the same time.
func observer() func(context.Context) (probe.Observation, error) {
	return func(ctx context.Context) (probe.Observation, error) { return probe.Observe(ctx, probe.Options{}) }
}

func (e *estate) prover() *proof.Prover {
	return &proof.Prover{
		Now: time.Now,
		Site: func(context.Context) (proof.Site, error) {
			return proof.Site{
				Site: e.site,
				Node: func(host string) string {
					if _, ok := e.ends[host]; ok {
						return host
					}
					return ""
				},
				End: func(host string) (proof.End, string) {
					if one, ok := e.ends[host]; ok {
						return one, ""
					}
					return nil, host + " is not linked"
				},
			}, nil
		},
		Code: func() (string, error) {
			c, err := twoends.MintCode(rand.Reader)
			return c.Text(), err
		},
	}
}

// All flows between nodes are proved from both ends, over TCP, TLS and UDP with a nonce; what nobody can ask is listed and
// not green. (trap F78)
func TestAmongNodes(t *testing.T) {
	t.Parallel()
	e := open(t, 3)
	report, err := e.prover().Run(t.Context(), proof.Ask{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	proven, mail := 0, 0
	for _, p := range report.Proofs {
		switch {
		case strings.HasPrefix(p.Flow, "smtp"):
			mail++
			if p.Verdict != probe.Unproven || !strings.Contains(p.Text, "third party") {
				t.Errorf("mail: %+v", p)
			}
		case p.Verdict == probe.Proven && p.Reason == probe.OK && p.Basis == probe.BothEnds:
			proven++
		default:
			t.Errorf("%s %s>%s: %s %s: %s", p.Flow, p.From, p.To, p.Verdict, p.Reason, p.Text)
		}
	}
	if proven != 3*2*3 || mail != 3 {
		t.Errorf("%d proven and %d of mail, want 18 and 3", proven, mail)
	}
	if report.Bad() != 0 {
		t.Errorf("%d are bad", report.Bad())
	}
}

// Without a firewall nothing is filtered: each number that must be closed is found open, because somebody listens there
// for the proof.
func TestNothingFilters(t *testing.T) {
	t.Parallel()
	e := open(t, 2)
	report, err := e.prover().Run(t.Context(), proof.Ask{Negative: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, p := range report.Proofs {
		seen[p.Flow]++
		if p.Protocol == ports.TCP && (p.Verdict != probe.Exposed || p.Reason != probe.UnexpectedlyOpen) {
			t.Errorf("%s %s at %s: %s %s: %s", p.Flow, p.To, p.Address, p.Verdict, p.Reason, p.Text)
		}
	}
	if seen["inside/tcp"] != 2 || seen["kept/tcp"] != 2 || seen["talk/tcp"] == 0 {
		t.Errorf("tried: %v", seen)
	}
}

// A node does nothing that its own plan does not have, whoever asks.
func TestOnlyThePlan(t *testing.T) {
	t.Parallel()
	e := open(t, 2)
	code, _ := e.prover().Code()
	hash, one, ctx := e.site.Compiled.Hash, e.ends["n1"], t.Context()
	row := func(service string, n int, closed bool) wire.ProveRow {
		return wire.ProveRow{Service: service, Protocol: "tcp", Number: n, Closed: closed}
	}
	talk := int(e.first) + 1
	opened, err := one.Open(ctx, wire.ProveOpen{Session: "s", PlanHash: hash, Code: code, For: time.Minute, Rows: []wire.ProveRow{
		row("talk", talk, false), row("talk", talk+1000, false), row("nothing", talk, false), row("inside", int(e.first)+4, false), row("talk", talk-1, false), row("smtp", 25, false), row("talk", 0, true),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{wire.ProbeListens, wire.NobodyListens, wire.NobodyListens, wire.ProbeListens, wire.NobodyListens, wire.NobodyListens, wire.NobodyListens} {
		if opened.Rows[i].Who != want {
			t.Errorf("row %d: %+v, want %s", i, opened.Rows[i], want)
		}
	}
	try := func(service, address string, n int, closed bool) wire.ProveTry {
		return wire.ProveTry{ProveRow: row(service, n, closed), Address: address, Flow: "f"}
	}
	at := func(n int) string { return fmt.Sprintf("127.0.99.2:%d", n) }
	dialled, err := one.Dial(ctx, wire.ProveDial{Session: "s", PlanHash: hash, Code: code, Patience: time.Second, Tries: []wire.ProveTry{
		try("talk", at(talk), talk, false), try("talk", at(22), talk, false), try("talk", at(talk+1), talk, false), try("inside", at(int(e.first)+4), int(e.first)+4, false),
		try("talk", at(talk-1), talk-1, true), try("talk", at(talk-2), talk-2, true), try("talk", "nonsense", talk, false),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, refused := range []bool{false, true, true, false, false, true, true} {
		if got := dialled.Views[i].Refused != ""; got != refused {
			t.Errorf("dial %d: refused %t (%s), want %t", i, got, dialled.Views[i].Refused, refused)
		}
	}
	for name, in := range map[string]wire.ProveOpen{
		"another plan": {Session: "x", PlanHash: "other", Code: code, For: time.Minute},
		"too long":     {Session: "x", PlanHash: hash, Code: code, For: time.Hour},
		"no code":      {Session: "x", PlanHash: hash, For: time.Minute},
		"no session":   {PlanHash: hash, Code: code, For: time.Minute},
		"too much":     {Session: "x", PlanHash: hash, Code: code, For: time.Minute, Rows: make([]wire.ProveRow, wire.MaxProveRows+1)},
	} {
		if _, err := one.Open(ctx, in); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := one.Saw(ctx, wire.ProveSaw{Session: "nobody's"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a session that is not open: %v", err)
	}
}

// What was opened is closed with its session, and by itself should the server vanish.
func TestLetsGo(t *testing.T) {
	t.Parallel()
	e := open(t, 2)
	code, _ := e.prover().Code()
	talk := int(e.first) + 1
	rows := []wire.ProveRow{{Service: "talk", Protocol: "tcp", Number: talk}}
	ask := wire.ProveOpen{Session: "a", PlanHash: e.site.Compiled.Hash, Code: code, For: time.Minute, Rows: rows}
	who := func(session string, within time.Duration) string {
		t.Helper()
		ask.Session, ask.For = session, within
		got, err := e.ends["n1"].Open(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		return got.Rows[0].Who
	}
	if got := who("a", time.Minute); got != wire.ProbeListens {
		t.Fatalf("first: %s", got)
	}
	if got := who("b", time.Minute); got != wire.PlainListens {
		t.Errorf("while another proof has it: %s", got)
	}
	_ = e.ends["n1"].Close(t.Context(), wire.ProveClose{Session: "a"})
	if got := who("c", 100*time.Millisecond); got != wire.ProbeListens {
		t.Errorf("after it was closed: %s", got)
	}
	deadline := time.After(10 * time.Second)
	for {
		if _, err := e.ends["n1"].Saw(t.Context(), wire.ProveSaw{Session: "c"}); fault.Is(err, fault.NotFound) {
			break
		}
		select {
		case <-deadline:
			t.Fatal("it stays open past its time")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
