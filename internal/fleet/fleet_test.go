package fleet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// desk stands for the engine, and for what keeps nodes and output: it notes what it is told.
type desk struct {
	mu          sync.Mutex
	outstanding []run.Command
	open        int
	refuse      error // of the next reports
	told        chan run.Report
	lost        chan run.Reason
	epoch       int64
	hellos      []wire.Hello
}

func (d *desk) Report(_ context.Context, _ string, reports []run.Report) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	errs := make([]error, len(reports))
	for i, r := range reports {
		if errs[i] = d.refuse; d.refuse == nil {
			d.told <- r
		}
	}
	return errs
}

func (d *desk) Outstanding(context.Context, string) ([]run.Command, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.outstanding, nil
}

func (d *desk) Lose(_ context.Context, _ string, reason run.Reason, _ string, _ time.Time) error {
	d.lost <- reason
	return nil
}

func (d *desk) Open(string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

func (d *desk) Kick() {}

func (d *desk) Linked(_ context.Context, _, _ string, h wire.Hello) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hellos = append(d.hellos, h)
	return nil
}

func (d *desk) Seen(context.Context, string, time.Time) error { return nil }

func (d *desk) Renew(context.Context, string, wire.RenewRequest) (wire.Certificate, error) {
	return wire.Certificate{}, fault.New(fault.Forbidden, "not now", "")
}

func (d *desk) Mark(context.Context, string) (int64, int64, error) { return d.epoch, 7, nil }

func (d *desk) AppendOutput(_ context.Context, _ string, chunks []wire.OutputChunk) ([]int64, error) {
	have := make([]int64, len(chunks))
	for i, c := range chunks {
		have[i] = c.Offset + int64(len(c.Data))
	}
	return have, nil
}

func (d *desk) OutputSizes(_ context.Context, attempts []wire.Attempt) ([]int64, error) {
	return make([]int64, len(attempts)), nil
}

func (d *desk) PutArtifact(_ context.Context, _ string, body io.Reader) (bool, error) {
	_, err := io.Copy(io.Discard, body)
	return true, err
}

func (d *desk) OpenArtifact(context.Context, string) (io.ReadCloser, int64, error) {
	return nil, 0, fault.New(fault.NotFound, "the server does not have this artifact", "")
}

// harbour is a fleet behind a real listener, with a clock of its own.
type harbour struct {
	*fleet.Fleet
	t         *testing.T
	desk      *desk
	authority *identity.Authority
	address   string
	net       *socket.Net
	changed   chan string

	mu    sync.Mutex
	ahead time.Duration
}

func (h *harbour) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

func (h *harbour) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

func open(t *testing.T) *harbour {
	t.Helper()
	return openWith(t, nil)
}

// openWith opens a fleet whose attempts call back, unless calls is nil.
func openWith(t *testing.T, calls fleet.Callbacks) *harbour {
	t.Helper()
	d := &desk{told: make(chan run.Report, 1000), lost: make(chan run.Reason, 10), epoch: 3}
	h := &harbour{t: t, desk: d, changed: make(chan string, 1000)}
	var err error
	if h.authority, err = identity.OpenAuthority(filepath.Join(t.TempDir(), "ca"), "test", time.Now(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	h.Fleet = fleet.New(fleet.Config{
		Desk: func() fleet.Desk { return d }, Shelf: d, Registry: d, Callbacks: calls, Welcome: wire.Welcome{Version: "v", Tenure: time.Minute},
		Now: h.now, Log: log, Changed: func(id string) { h.changed <- id },
	})
	own := h.credentials(identity.RoleServer, "hq1", "")
	h.net = sockettest.Net(t)
	listener, address := sockettest.Listen(t, h.net)
	h.address = address
	server := &link.Server{
		Listener: listener, TLS: identity.Endpoint{Own: func() (*identity.Credentials, error) { return own, nil }, Domain: "test", Expect: []identity.Role{identity.RoleAgent}}.ServerConfig(),
		OnLink: func(ctx context.Context, l *link.Link) { h.Serve(ctx, l) }, Options: link.Options{Handler: h.Handler(), Links: link.NewLinks(), Log: log},
	}
	h.run(server.Run)
	h.run(h.Run)
	return h
}

// run runs f until the test ends.
func (h *harbour) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("it ended with %v", err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

func (h *harbour) credentials(role identity.Role, name, node string) *identity.Credentials {
	h.t.Helper()
	key, err := identity.OpenKey(filepath.Join(h.t.TempDir(), "key"))
	if err != nil {
		h.t.Fatal(err)
	}
	if node == "" {
		if node, err = identity.NewNodeID(rand.Reader); err != nil {
			h.t.Fatal(err)
		}
	}
	id := identity.Identity{Domain: "test", Role: role, Name: name, ID: node}
	var chain []byte
	if role == identity.RoleServer {
		chain, err = h.authority.IssueServer(&key.PublicKey, id, []string{"127.0.0.1"}, time.Hour, time.Now())
	} else {
		var der []byte
		var csr *x509.CertificateRequest
		if der, err = identity.NewRequest(key); err == nil {
			if csr, err = identity.ParseRequest(der); err == nil {
				chain, err = h.authority.Issue(csr, id, time.Hour, time.Now())
			}
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := identity.ParseCredentials(chain, key)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// agent is a fake agent on the other end of a real link.
type agent struct {
	t        *testing.T
	id       string
	link     *link.Link
	commands chan wire.Commands
	refuse   chan wire.Refusal // what it refuses of the next commands
	stop     func()
}

// node makes an agent known to the fleet, with its credentials.
func (h *harbour) node(name string) (*identity.Credentials, fleet.Agent) {
	own := h.credentials(identity.RoleAgent, name, "")
	return own, fleet.Agent{ID: own.Identity.ID, Name: name, Slots: 2}
}

// dial links an agent.
func (h *harbour) dial(own *identity.Credentials) *agent {
	h.t.Helper()
	a := &agent{t: h.t, id: own.Identity.ID, commands: make(chan wire.Commands, 100), refuse: make(chan wire.Refusal, 10)}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in wire.Commands
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			h.t.Error(err)
		}
		var reply wire.CommandsReply
		select {
		case refused := <-a.refuse:
			reply.Refused = append(reply.Refused, refused)
		default:
		}
		a.commands <- in
		_ = json.NewEncoder(w).Encode(reply)
	})
	links := make(chan *link.Link, 1)
	var linked atomic.Bool
	dialer := &link.Dialer{
		Targets: func() []link.Target {
			if linked.Load() { // it dials once: a test that wants another link says so
				return nil
			}
			return []link.Target{{Row: sockettest.Service, Address: h.address}}
		},
		Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
			return h.net.Dial(ctx, to.Row, to.Address)
		},
		TLS:     identity.Endpoint{Own: func() (*identity.Credentials, error) { return own, nil }, Domain: "test", Expect: []identity.Role{identity.RoleServer}}.ClientConfig,
		Options: link.Options{Handler: handler, Log: slog.New(slog.DiscardHandler)},
	}
	a.stop = h.run(func(ctx context.Context) error {
		return dialer.Run(ctx, func(ctx context.Context, l *link.Link) {
			linked.Store(true)
			links <- l
			<-ctx.Done()
		})
	})
	select {
	case a.link = <-links:
	case <-time.After(20 * time.Second):
		h.t.Fatal("no link")
	}
	return a
}

// post calls the fleet over the link and returns the status.
func (a *agent) post(path string, in, out any) int {
	a.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		a.t.Fatal(err)
	}
	resp, err := a.link.Client().Post("http://peer"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			a.t.Fatal(err)
		}
	}
	return resp.StatusCode
}

func (a *agent) next() wire.Commands {
	a.t.Helper()
	select {
	case c := <-a.commands:
		return c
	case <-time.After(20 * time.Second):
		a.t.Fatal("no command came")
		return wire.Commands{}
	}
}

func command(agent string, seq int64) run.Command {
	job := &jobnet.Job{Name: "a", Command: []string{"true"}, Grace: time.Second}
	return run.Command{AgentID: agent, Epoch: 3, Seq: seq, Order: run.Order{Run: fmt.Sprint("r", seq), Net: "a/b", Job: job, N: 1, Argv: []string{"true"}}}
}

// until waits for the fleet to have an agent linked or not.
func (h *harbour) until(id string, linked bool) {
	h.t.Helper()
	deadline := time.After(20 * time.Second)
	for h.Status(id).Linked != linked {
		select {
		case <-h.changed:
		case <-deadline:
			h.t.Fatalf("agent %s: linked is not %v", id, linked)
		}
	}
}

// TestCommands: what is outstanding comes with the link, then what is sent, in order; cancels too.
func TestCommands(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	h.Send([]run.Command{command(known.ID, 1)}) // not linked: it is asked for when the agent comes
	h.desk.outstanding = []run.Command{command(known.ID, 1)}
	a := h.dial(own)
	got := a.next()
	if len(got.Orders) != 1 || got.Orders[0].Attempt != (wire.Attempt{Run: "r1", Job: "a", N: 1}) || got.Epoch != 3 || got.Orders[0].Fence != "3.1" {
		t.Errorf("outstanding: got %+v", got)
	}
	cancel := command(known.ID, 1)
	cancel.Cancel = true
	h.Send([]run.Command{command(known.ID, 2), cancel, command("somebody else", 9)})
	got = a.next()
	if len(got.Orders) != 1 || got.Orders[0].Position.Seq != 2 || len(got.Cancels) != 1 || got.Cancels[0].Attempt.Run != "r1" || got.Cancels[0].Grace != time.Second {
		t.Errorf("sent: got %+v", got)
	}
	var many []run.Command
	for i := range int64(600) {
		many = append(many, command(known.ID, 10+i))
	}
	h.Send(many)
	for seq := int64(10); seq < 610; {
		for _, o := range a.next().Orders {
			if o.Position.Seq != seq {
				t.Fatalf("got sequence %d, want %d", o.Position.Seq, seq)
			}
			seq++
		}
	}
}

// TestRefusals: what an agent refuses for good never started; what it refuses for now comes again.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	a := h.dial(own)
	h.until(known.ID, true)
	a.refuse <- wire.Refusal{Attempt: wire.Attempt{Run: "r1", Job: "a", N: 1}, Final: true, Reason: "run_as", Detail: "not allowed"}
	h.Send([]run.Command{command(known.ID, 1)})
	a.next()
	told := <-h.desk.told
	if in, ok := told.Input.(run.NeverStarted); !ok || told.Run != "r1" || in.Job != "a" || in.N != 1 || in.Reason != run.ReasonRunAs {
		t.Errorf("told: %+v", told)
	}
	a.refuse <- wire.Refusal{Attempt: wire.Attempt{Run: "r2", Job: "a", N: 1}, Reason: "ports", Detail: "the pool is full"}
	h.Send([]run.Command{command(known.ID, 2)})
	for range 2 {
		if got := a.next(); len(got.Orders) != 1 || got.Orders[0].Attempt.Run != "r2" {
			t.Errorf("got %+v, want r2", got)
		}
	}
	told = <-h.desk.told
	if in, ok := told.Input.(run.Deferred); !ok || told.Run != "r2" || in.Reason != run.ReasonPorts || in.Detail != "the pool is full" {
		t.Errorf("told: %+v", told)
	}
}

// TestReports: reports are acknowledged when they are taken care of, and only then.
func TestReports(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	a := h.dial(own)
	code := 3
	in := wire.Reports{Reports: []wire.Report{
		{ID: 1, Attempt: wire.Attempt{Run: "r", Job: "a", N: 1}, Kind: wire.Started, PID: 42},
		{ID: 2, Attempt: wire.Attempt{Run: "r", Job: "a", N: 1}, Kind: wire.Ended, ExitCode: &code},
	}}
	var reply wire.ReportsReply
	if status := a.post(wire.PathReports, in, &reply); status != http.StatusOK || fmt.Sprint(reply.Acked) != "[1 2]" {
		t.Errorf("status %d, acknowledged %v", status, reply.Acked)
	}
	if s, ok := (<-h.desk.told).Input.(run.Started); !ok || s.PID != 42 {
		t.Errorf("first: %+v", s)
	}
	if e, ok := (<-h.desk.told).Input.(run.Ended); !ok || *e.ExitCode != 3 {
		t.Errorf("second: %+v", e)
	}
	for want, err := range map[int]error{
		http.StatusInsufficientStorage: fault.New(fault.Disk, "full", ""),
		http.StatusServiceUnavailable:  fault.New(fault.Busy, "busy", ""),
		http.StatusForbidden:           fault.New(fault.Forbidden, "not yours", ""),
		http.StatusInternalServerError: errors.New("no idea"),
	} {
		h.desk.mu.Lock()
		h.desk.refuse = err
		h.desk.mu.Unlock()
		if status := a.post(wire.PathReports, in, nil); status != want {
			t.Errorf("%v: status %d, want %d", err, status, want)
		}
	}
	for name, body := range map[string]any{"kind": wire.Reports{Reports: []wire.Report{{Kind: "dancing"}}}, "form": "rubbish"} {
		if status := a.post(wire.PathReports, body, nil); status/100 != 4 {
			t.Errorf("wrong %s: status %d", name, status)
		}
	}
	big := wire.OutputChunks{Chunks: []wire.OutputChunk{{Data: make([]byte, wire.MaxChunk+1)}}}
	if status := a.post(wire.PathOutput, big, nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a chunk that is too big: status %d", status)
	}
	if status := a.post(wire.PathOutput, wire.OutputChunks{Chunks: []wire.OutputChunk{{Offset: -1}}}, nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a negative offset: status %d", status)
	}
}

// TestHello: an agent's words are bounded; one that has obeyed a later epoch is refused with what to do.
func TestHello(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	a := h.dial(own)
	var welcome wire.Welcome
	if status := a.post(wire.PathHello, wire.Hello{Version: "v1", Slots: 1 << 40, Now: h.now().Add(-time.Hour)}, &welcome); status != http.StatusOK || welcome.Epoch != 3 || welcome.Tenure != time.Minute {
		t.Errorf("status %d, welcome %+v", status, welcome)
	}
	if st := h.Status(a.id); st.Slots > 100_000 || st.Version != "v1" || st.Skew > -59*time.Minute {
		t.Errorf("status %+v", st)
	}
	if status := a.post(wire.PathHeartbeat, wire.Heartbeat{Slots: -5, Disk: "full", Now: h.now()}, nil); status != http.StatusOK {
		t.Errorf("heartbeat: status %d", status)
	}
	if c := h.Candidates(); len(c) != 1 || c[0].Disk != "full" || !c[0].Linked || c[0].Slots < 0 {
		t.Errorf("candidates %+v", c)
	}
	if status := a.post(wire.PathHello, wire.Hello{Epoch: 4}, nil); status != http.StatusConflict {
		t.Errorf("an agent of a later epoch: status %d, want 409", status)
	}
}

// TestLongWords: of what an agent says no more is kept than a person can read.
func TestLongWords(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	a := h.dial(own)
	long := strings.Repeat("x", 1<<20)
	many := slices.Repeat([]string{"word"}, 1000)
	hello := wire.Hello{Version: long, PlanHash: long, View: long, Differs: append([]string{long}, many...), Now: h.now()}
	if status := a.post(wire.PathHello, hello, nil); status != http.StatusOK {
		t.Errorf("hello: status %d", status)
	}
	beat := wire.Heartbeat{Disk: long, Refused: append([]string{long}, many...), View: long, Now: h.now(), Dials: slices.Repeat([]wire.DialState{{Row: long, Address: long, Why: long}}, 4)}
	if status := a.post(wire.PathHeartbeat, beat, nil); status != http.StatusOK {
		t.Errorf("heartbeat: status %d", status)
	}
	st := h.Status(a.id)
	size := len(st.Version) + len(st.PlanHash) + len(st.View) + len(st.Disk)
	for _, text := range slices.Concat(st.Differs, st.Refused) {
		size += len(text)
	}
	for _, d := range st.Dials {
		size += len(d.Row) + len(d.Address) + len(d.Why)
	}
	if most := 64 << 10; size > most || cap(st.Refused) > 100 || cap(st.Differs) > 100 {
		t.Errorf("%d bytes of an agent's words are kept, in lists of %d and %d", size, cap(st.Refused), cap(st.Differs))
	}
	if len(st.Refused) == 0 || len(st.Differs) == 0 || len(st.Dials) != 4 {
		t.Errorf("what it says first is not kept: %d, %d, %d", len(st.Refused), len(st.Differs), len(st.Dials))
	}
}

// TestStrangers: who is no agent of the domain has no link, and loses the one that there was.
func TestStrangers(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	a := h.dial(own) // its certificate is good, and the fleet does not know it
	<-a.link.Done()
	a.stop()
	h.Update([]fleet.Agent{known})
	b := h.dial(own)
	h.until(known.ID, true)
	h.Update(nil)
	<-b.link.Done()
	if len(h.Candidates()) != 0 {
		t.Errorf("candidates: %+v", h.Candidates())
	}
}

// TestNewerLink: a newer link of the same agent gets what is outstanding; the end of the older one changes nothing.
func TestNewerLink(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	first := h.dial(own)
	h.until(known.ID, true)
	h.desk.mu.Lock()
	h.desk.outstanding = []run.Command{command(known.ID, 5)}
	h.desk.mu.Unlock()
	second := h.dial(own)
	if got := second.next(); len(got.Orders) != 1 || got.Orders[0].Position.Seq != 5 {
		t.Errorf("on the newer link: got %+v", got)
	}
	first.stop()
	if !h.Status(known.ID).Linked {
		t.Error("the agent is not linked")
	}
	h.Send([]run.Command{command(known.ID, 6)})
	if got := second.next(); len(got.Orders) != 1 || got.Orders[0].Position.Seq != 6 {
		t.Errorf("after the older one's end: got %+v", got)
	}
	if c := h.Candidates(); !c[0].Failed.IsZero() {
		t.Errorf("the agent has not failed: %+v", c)
	}
}

// TestFence: an agent that is silent past its tenure, with something open, is given up once; not one that is linked.
func TestFence(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	h.desk.mu.Lock()
	h.desk.open = 1
	h.desk.mu.Unlock()
	a := h.dial(own)
	h.until(known.ID, true)
	h.advance(time.Hour)
	a.stop()
	h.until(known.ID, false)
	if len(h.desk.lost) > 0 {
		t.Error("a linked agent was given up")
	}
	if c := h.Candidates(); c[0].Failed.IsZero() || h.now().Sub(c[0].Failed) > time.Minute || !strings.HasPrefix(c[0].Failure, "its link ended: ") {
		t.Errorf("its link was lost just now: %+v", c)
	}
	h.advance(time.Minute + 9*time.Second)
	h.advance(5 * time.Second)
	if reason := <-h.desk.lost; reason != run.ReasonFenced {
		t.Errorf("given up for %q, want %q", reason, run.ReasonFenced)
	}
}
