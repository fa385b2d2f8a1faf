//go:build linux

package agent

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// pair is a real server and a real agent that it dials, with a clock of the test's.
type pair struct {
	*waiter
	plan  ports.Compiled
	store string // the server's data folder
	ahead atomic.Int64
	api   *api.Client
	end   func() // of the server
}

func (p *pair) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

func newPair(t *testing.T) *pair {
	t.Helper()
	plan, err := builtin.Resolve(sockettest.PlanFile(t, sockettest.Lease(t)), func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		t.Fatal(err)
	}
	compiled, found := ports.Compile(plan, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	p := &pair{waiter: newWaiter(t, newServer(t)), plan: compiled, store: filepath.Join(t.TempDir(), "server")}
	waits := p.config
	p.config = func(c *Config) {
		waits(c)
		sockets := socket.New(compiled, socket.As("agent"))
		c.Now = p.now
		c.Listen = func(ctx context.Context, row string) ([]net.Listener, error) {
			l, err := sockets.Listen(ctx, row, "127.0.0.2")
			if err != nil {
				return nil, err
			}
			p.listens <- l.Addr().String()
			return []net.Listener{l}, nil
		}
	}
	if p.api, err = api.NewClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(p.store, "admin.sock"))
	}}}, "http://local", ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.end != nil {
			p.end()
		}
	})
	p.serve()
	return p
}

// serve starts the server.
func (p *pair) serve() {
	p.t.Helper()
	cfg := server.Default()
	cfg.Data, cfg.Bind = p.store, []string{"127.0.0.1"}
	s, err := server.Open(p.t.Context(), cfg, server.Env{
		Plan: p.plan, Ports: domain.PortPlan{}, Version: "test", Log: slog.New(slog.NewTextHandler(testLog{p.t}, nil)), Now: p.now, Rand: rand.Reader, Secret: func(string, string) {},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	p.end = func() {
		cancel()
		if err := soon(p.t, ended, "the server's end"); err != nil {
			p.t.Errorf("server: %v", err)
		}
		p.end = nil
	}
}

// linked waits until the server has a link to the agent, and returns what it knows of it.
func (p *pair) linked() api.Node {
	p.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		n, err := p.api.Node(p.t.Context(), "north")
		if err == nil && n.Linked {
			return n
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("not linked: %+v, %v", n, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (p *pair) enrol(name string, code identity.Code) error {
	_, err := p.api.EnrolNode(p.t.Context(), name, api.EnrolNode{Address: "127.0.0.2", Code: code.Text(), Labels: map[string]string{"site": "north"}})
	return err
}

// An agent that was away for longer than its certificate is valid, and that only servers can reach, is brought a new one.
// It is counted, and shown.
func TestCertificateRunsOutWhileOnlyServersDial(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	_, code := p.waits()
	if err := p.enrol("north", code); err != nil {
		t.Fatal(err)
	}
	before := p.linked()
	if before.Labels["site"] != "north" || before.Recovered != 0 {
		t.Errorf("got %+v, want the label and no recovery", before)
	}
	mustEnd(t, p.host)
	p.end()
	p.ahead.Store(int64(26 * time.Hour))
	p.serve()
	p.start()
	after := p.linked()
	if after.ID != before.ID || after.Recovered != 1 || after.Expires == nil || after.Expires.Before(p.now()) {
		t.Errorf("got %+v, want the same node, recovered once, with a certificate that is good", after)
	}
	if !strings.Contains(strings.Join(after.Notes, "\n"), "after it had run out") {
		t.Errorf("the notes are %q, want the recovery in them", after.Notes)
	}
}

// What the server refuses before it dials, and what it finds when it does.
func TestEnrolmentsThatAServerRefuses(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	_, code := p.waits()
	other, err := identity.MintCode(rand.Reader, &p.server.agentKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := identity.MintCode(rand.Reader, &p.server.agentKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Key = code.Key
	wants := func(what string, err error, kind fault.Kind, part string) {
		t.Helper()
		if !fault.Is(err, kind) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v (kind %d), want kind %d with %q", what, err, fault.KindOf(err), kind, part)
		}
		if err != nil && (strings.Contains(err.Error(), code.Secret) || strings.Contains(err.Error(), wrong.Secret)) {
			t.Errorf("%s: the message tells a secret: %v", what, err)
		}
	}
	at := func(address string) error {
		_, err := p.api.EnrolNode(t.Context(), "north", api.EnrolNode{Address: address, Code: code.Text()})
		return err
	}
	wants("another agent's code", p.enrol("north", other), fault.Forbidden, "fingerprint")
	wants("a code that is not right", p.enrol("north", wrong), fault.Forbidden, "last code")
	wants("a bad name", p.enrol("North", code), fault.Invalid, "name of a node")
	wants("nobody there", at("127.0.0.3"), fault.Unreachable, "nothing listens")
	wants("no address", at("127.0.0.2:0"), fault.Invalid, "HOST:PORT")
	wants("the server itself", at("127.0.0.1"), fault.Forbidden, "fingerprint")
	_, err = p.api.EnrolNode(t.Context(), "north", api.EnrolNode{Address: "127.0.0.2", Code: "reeve-enrol1.AAAA"})
	wants("no code", err, fault.Invalid, "last line")
	if nodes, err := p.api.ListNodes(t.Context()); err != nil || len(nodes) != 1 {
		t.Errorf("after all that there are %d nodes (%v), want the server alone", len(nodes), err)
	}
	if err := p.enrol("north", code); err != nil {
		t.Fatal(err)
	}
	first := p.linked()
	if err := p.enrol("north", code); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if again := p.linked(); again.ID != first.ID {
		t.Errorf("the same again made the node %s, want %s", again.ID, first.ID)
	}
	wants("the same agent under another name", p.enrol("south", code), fault.Conflict, "is the node north already")
	wants("another agent under the same name", p.enrol("north", other), fault.Conflict, "there is a node north already")
}

// cutter is a relay in front of an agent that breaks each connection after so many bytes of one direction.
type cutter struct {
	to       string
	up, down atomic.Int64 // bytes towards the agent and from it; -1: it never breaks
}

func (c *cutter) run(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.4:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.relay(t, near) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

func (c *cutter) relay(t *testing.T, near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	stop := context.AfterFunc(t.Context(), func() { _ = near.Close(); _ = far.Close() })
	defer stop()
	var both sync.WaitGroup
	pass := func(to, from net.Conn, limit int64) {
		if limit < 0 {
			_, _ = io.Copy(to, from)
		} else {
			_, _ = io.CopyN(to, from, limit)
		}
		_ = to.Close()
		_ = from.Close()
	}
	up, down := c.up.Load(), c.down.Load()
	both.Go(func() { pass(far, near, up) })
	both.Go(func() { pass(near, far, down) })
	both.Wait()
}

// An enrolment that breaks after any number of bytes, in either direction, leaves nothing that the next one does not
// repair: there is one node in the end, and it is the first.
func TestEnrolmentCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, towards := range []bool{true, false} {
		t.Run(map[bool]string{true: "towards the agent", false: "from the agent"}[towards], func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			address, code := p.waits()
			c := &cutter{to: address}
			at := c.run(t)
			node, broken, half := "", 0, 0
			for bytes := int64(0); ; bytes += 113 {
				c.up.Store(-1)
				c.down.Store(-1)
				if towards {
					c.up.Store(bytes)
				} else {
					c.down.Store(bytes)
				}
				n, err := p.api.EnrolNode(t.Context(), "north", api.EnrolNode{Address: at, Code: code.Text()})
				if known, kerr := p.api.Node(t.Context(), "north"); kerr == nil {
					if node == "" {
						node = known.ID
					}
					if known.ID != node {
						t.Fatalf("after %d bytes the node is %s, and was %s", bytes, known.ID, node)
					}
					half++
				}
				if err == nil {
					if n.ID != node {
						t.Errorf("the node is %s, want %s", n.ID, node)
					}
					break
				}
				broken++
				if !fault.Is(err, fault.Unreachable) {
					t.Errorf("after %d bytes: %v (kind %d), want kind unreachable", bytes, err, fault.KindOf(err))
				}
				if bytes > 1<<16 {
					t.Fatal("it never succeeds")
				}
			}
			t.Logf("%d broke, %d of them after the node was stored", broken, half-1)
			if broken < 20 || half < 2 {
				t.Errorf("%d broke, %d after the node was stored: this has shown nothing", broken, half-1)
			}
			c.up.Store(-1)
			c.down.Store(-1)
			p.linked()
		})
	}
}
