package callback_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

var rounds = flag.Int("rounds", 25, "how often each fault is repeated; the campaign (make fault) takes 1000")

// office books what came, by attempt.
type office struct {
	mu      sync.Mutex
	reports map[wire.Attempt][]wire.Report
	output  map[wire.Attempt][]byte
	from    map[string]int // words by agent
}

func newOffice() *office {
	return &office{reports: map[wire.Attempt][]wire.Report{}, output: map[wire.Attempt][]byte{}, from: map[string]int{}}
}

func (o *office) Reports(_ context.Context, agentID string, in wire.Reports) (wire.ReportsReply, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from[agentID]++
	var reply wire.ReportsReply
	for _, r := range in.Reports {
		o.reports[r.Attempt] = append(o.reports[r.Attempt], r)
		reply.Acked = append(reply.Acked, r.ID)
	}
	return reply, nil
}

func (o *office) Output(_ context.Context, agentID string, in wire.OutputChunks) (wire.OutputReply, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from[agentID]++
	var reply wire.OutputReply
	for _, c := range in.Chunks {
		have := o.output[c.Attempt]
		if c.Offset <= int64(len(have)) {
			o.output[c.Attempt] = append(have[:c.Offset:c.Offset], c.Data...)
		}
		reply.Have = append(reply.Have, wire.OutputOffset{Attempt: c.Attempt, Have: int64(len(o.output[c.Attempt]))})
	}
	return reply, nil
}

func (o *office) OutputHave(_ context.Context, _ string, in []wire.Attempt) (wire.OutputReply, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var reply wire.OutputReply
	for _, a := range in {
		reply.Have = append(reply.Have, wire.OutputOffset{Attempt: a, Have: int64(len(o.output[a]))})
	}
	return reply, nil
}

func (o *office) PutArtifact(_ context.Context, _ string, body io.Reader) (bool, error) {
	_, err := io.Copy(io.Discard, body)
	return true, err
}

func (o *office) Heard(string) {}

// of returns what came of an attempt.
func (o *office) of(a wire.Attempt) ([]wire.Report, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]wire.Report(nil), o.reports[a]...), string(o.output[a])
}

func (o *office) heard(agentID string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.from[agentID]
}

// site is a desk with a real ledger, on real sockets, and a domain with agents.
type site struct {
	t         testing.TB
	authority *identity.Authority
	server    *identity.Credentials
	compiled  ports.Compiled
	book      *ledger.Ledger
	dir       string // of the ledger
	first, n  int
	office    *office
	desk      *callback.Desk
	freed     chan struct{}
	ordered   sync.Map // attempts that are ordered and not confirmed
	stop      func()
	killed    *atomic.Bool // the desk that is open writes nothing to the ledger any more
	revoked   atomic.Pointer[string]
	dead      atomic.Bool // the owners of callback leases are gone
}

type setup struct {
	ports    int
	hold     time.Duration
	fallback string
	times    callback.Times
}

// newSite makes a domain and a pool of ports of this test's own, and starts a desk.
func newSite(t testing.TB, s setup) *site {
	t.Helper()
	x := &site{t: t, first: sockettest.Block(t, s.ports), n: s.ports, office: newOffice(), dir: t.TempDir(), freed: make(chan struct{}, 1)}
	var err error
	if x.authority, err = identity.OpenAuthority(filepath.Join(t.TempDir(), "authority"), "site", time.Now(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	x.server = x.credentials("hq", identity.RoleServer)
	x.compiled = x.compile(s)
	x.open(s)
	return x
}

func (x *site) compile(s setup) ports.Compiled {
	c := sockettest.Plan(x.t)
	c.Pools = []ports.ResolvedPool{{
		ID: "callback", Protocol: []ports.Protocol{ports.TCP}, Ranges: []ports.Range{{First: ports.Port(x.first), Last: ports.Port(x.first + s.ports - 1)}},
		Down: true, Pick: ports.LRU, Hold: ports.Hold{Min: s.hold, Reasons: []string{ledger.HoldOperator}}, Fallback: s.fallback,
		Lease: ports.LeaseRule{TTL: 90 * time.Second, Nonce: 128}, Status: ports.Works, Size: s.ports,
	}}
	return c
}

// open starts a desk on the ledger of this site.
func (x *site) open(s setup) {
	x.t.Helper()
	var err error
	x.book, err = ledger.Open(x.dir, ledger.Options{NoSync: true, Alive: func(o ledger.Owner) ledger.Life {
		if o.Kind == "callback" && !x.dead.Load() {
			return ledger.Alive
		}
		return ledger.Dead
	}})
	if err != nil {
		x.t.Fatal(err)
	}
	request, err := ledger.For(x.compiled, "callback")
	if err != nil {
		x.t.Fatal(err)
	}
	request.Address = loopback
	allowed := func(id identity.Identity, _ *x509.Certificate) error {
		if gone := x.revoked.Load(); gone != nil && *gone == id.ID {
			return fault.Newf(fault.Forbidden, "%s was removed", id)
		}
		return nil
	}
	x.killed = &atomic.Bool{}
	x.desk, err = callback.Open(x.t.Context(), callback.Config{
		Book: mortal{x.book, x.killed}, Request: request, Allowed: allowed, Times: s.times, Log: slog.New(slog.DiscardHandler),
		Addresses: func(p ports.Port) []string { return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(int(p)))} },
		TLS: func(allowed func(identity.Identity, *x509.Certificate) error) *tls.Config {
			return identity.Endpoint{
				Own: func() (*identity.Credentials, error) { return x.server, nil }, Domain: "site", Expect: []identity.Role{identity.RoleAgent}, Allowed: allowed,
			}.CallbackConfig()
		},
		Office: func() callback.Office { return x.office },
		Ordered: func(a wire.Attempt) bool {
			_, ok := x.ordered.Load(a)
			return ok
		},
		Adopt: func(f *os.File) (callback.Listener, error) { return socket.Adopt(f) },
		Freed: func() {
			select {
			case x.freed <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.desk.Run(ctx) }()
	var once sync.Once
	x.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				x.t.Error(err)
			}
			x.book.Close()
		})
	}
	x.t.Cleanup(x.stop)
}

// credentials makes a node of the domain.
func (x *site) credentials(name string, role identity.Role) *identity.Credentials {
	x.t.Helper()
	key, err := identity.OpenKey(filepath.Join(x.t.TempDir(), name+".key"))
	if err != nil {
		x.t.Fatal(err)
	}
	id, err := identity.NewNodeID(rand.Reader)
	if err != nil {
		x.t.Fatal(err)
	}
	who := identity.Identity{Domain: "site", Role: role, Name: name, ID: id}
	chain, err := x.issue(key, who)
	if err != nil {
		x.t.Fatal(err)
	}
	c, err := identity.ParseCredentials(chain, key)
	if err != nil {
		x.t.Fatal(err)
	}
	return c
}

func (x *site) issue(key *ecdsa.PrivateKey, who identity.Identity) ([]byte, error) {
	if who.Role == identity.RoleServer {
		return x.authority.IssueServer(&key.PublicKey, who, []string{"127.0.0.1"}, time.Hour, time.Now())
	}
	der, err := identity.NewRequest(key)
	if err != nil {
		return nil, err
	}
	csr, err := identity.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	return x.authority.Issue(csr, who, time.Hour, time.Now())
}

func attempt(n int) wire.Attempt { return wire.Attempt{Run: fmt.Sprintf("r%06d", n), Job: "job", N: 1} }

// announce announces an attempt and returns where it is awaited.
func (x *site) announce(agent *identity.Credentials, a wire.Attempt) wire.Callback {
	x.t.Helper()
	to, err := x.desk.Announce(x.t.Context(), agent.Identity.ID, a)
	if err != nil {
		x.t.Fatal(err)
	}
	if len(to.Addresses) != 1 || len(to.Token) != 32 {
		x.t.Fatalf("announced %q with a token of %d digits", to.Addresses, len(to.Token))
	}
	_, text, _ := net.SplitHostPort(to.Addresses[0])
	if p, _ := strconv.Atoi(text); p < x.first || p >= x.first+x.n {
		x.t.Fatalf("port %s is not of the pool %d-%d", text, x.first, x.first+x.n-1)
	}
	return to
}

// line is a connection of an agent to a callback port.
type line struct {
	conn net.Conn
	http *http.Client
}

// call opens a connection with an agent's certificate and proves an attempt.
func (x *site) call(agent *identity.Credentials, address string, a wire.Attempt, token string) (*line, wire.CallbackWelcome, error) {
	l, err := x.dial(agent, address, func(c net.Conn) net.Conn { return c })
	if err != nil {
		return nil, wire.CallbackWelcome{}, err
	}
	var w wire.CallbackWelcome
	if err := l.post(wire.PathCallback, wire.CallbackProof{Attempt: a, Token: token}, &w); err != nil {
		l.conn.Close()
		return nil, w, err
	}
	return l, w, nil
}

// dial opens a connection with an agent's certificate.
func (x *site) dial(agent *identity.Credentials, address string, wrap func(net.Conn) net.Conn) (*line, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	raw, err := dialer.DialContext(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	config := identity.Endpoint{
		Own: func() (*identity.Credentials, error) { return agent, nil }, Domain: "site", Expect: []identity.Role{identity.RoleServer},
	}.CallConfig()
	conn := tls.Client(wrap(raw), config)
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := conn.Handshake(); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	var used atomic.Bool
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errors.New("the connection has ended")
		}
		return conn, nil
	}}
	return &line{conn: conn, http: &http.Client{Transport: transport, Timeout: 20 * time.Second}}, nil
}

var errRefused = errors.New("refused")

func (l *line) post(path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := l.http.Post("http://peer"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("%w: %s %s", errRefused, resp.Status, bytes.TrimSpace(text))
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// say reports the end of an attempt with its output.
func (l *line) say(a wire.Attempt, output string) error {
	var have wire.OutputReply
	if err := l.post(wire.PathOutput, wire.OutputChunks{Chunks: []wire.OutputChunk{{Attempt: a, Data: []byte(output)}}}, &have); err != nil {
		return err
	}
	code := 0
	var reply wire.ReportsReply
	return l.post(wire.PathReports, wire.Reports{Reports: []wire.Report{{ID: 1, Attempt: a, Kind: wire.Ended, At: time.Now(), ExitCode: &code, Output: int64(len(output))}}}, &reply)
}

// within polls until done returns "".
func within(t testing.TB, limit time.Duration, done func() string) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		why := done()
		if why == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("after %s: %s", limit, why)
		case <-tick.C:
		}
	}
}

// leased returns the leases of the pool that are neither held nor free.
func (x *site) leased() []ledger.Lease {
	x.t.Helper()
	all, err := x.book.Leases(context.Background())
	if err != nil {
		x.t.Fatal(err)
	}
	var live []ledger.Lease
	for _, l := range all {
		if l.State != ledger.Held && l.State != ledger.Free && l.State != ledger.Blocked {
			live = append(live, l)
		}
	}
	return live
}

// idle waits until every port has been given back.
func (x *site) idle() {
	x.t.Helper()
	within(x.t, 10*time.Second, func() string {
		if left := x.leased(); len(left) > 0 {
			return fmt.Sprintf("leases are left: %+v", left)
		}
		return ""
	})
}

// mortal is a ledger to which a server that was killed writes nothing any more.
type mortal struct {
	*ledger.Ledger
	killed *atomic.Bool
}

func (m mortal) Release(ctx context.Context, id string, fence uint64, reason string) error {
	if m.killed.Load() {
		return nil
	}
	return m.Ledger.Release(ctx, id, fence, reason)
}

func (m mortal) Forget(ctx context.Context, id string, fence uint64, reason string) error {
	if m.killed.Load() {
		return nil
	}
	return m.Ledger.Forget(ctx, id, fence, reason)
}

// abandon ends the desk as SIGKILL does: its sockets are closed, and the ledger is as it was.
func (x *site) abandon() {
	x.killed.Store(true)
	x.stop()
}
