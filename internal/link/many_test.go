package link_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// The environment of this test's own program where it plays the agents: the server's address, the folder of the
// authority, and how many there are.
const (
	childServer = "REEVE_TEST_LINK_SERVER"
	childFolder = "REEVE_TEST_LINK_AUTHORITY"
	childCount  = "REEVE_TEST_LINK_AGENTS"
)

// playAgents is what the other process does: as many agents as it is told, each with a link, from which it says hello,
// until its standard input ends. It prints a line when the agents have what they need, and begins at the next one that
// it reads.
func playAgents() error {
	count, err := strconv.Atoi(os.Getenv(childCount))
	if err != nil {
		return err
	}
	authority, err := identity.OpenAuthority(os.Getenv(childFolder), "test", time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "reeve-agents-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	own := make([]*identity.Credentials, count)
	for i := range own {
		if own[i], err = issueAgent(authority, filepath.Join(scratch, strconv.Itoa(i)), fmt.Sprint("agent-", i)); err != nil {
			return err
		}
	}
	in := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, credentials := range own {
		dialer := &link.Dialer{
			Targets: func() []link.Target { return []link.Target{{Address: os.Getenv(childServer)}} }, Dial: dialTCP,
			TLS: end(credentials, identity.RoleServer).ClientConfig, Backoff: link.Backoff{Chance: mathrand.Float64},
			Options: link.Options{Handler: whoami},
		}
		all.Go(func() {
			_ = dialer.Run(ctx, func(ctx context.Context, l *link.Link) {
				beat := time.NewTicker(10 * time.Second)
				defer beat.Stop()
				for path := "/hello"; ; path = "/heartbeat" {
					_, _ = get(ctx, l.Client(), path)
					select {
					case <-beat.C:
					case <-ctx.Done():
						return
					}
				}
			})
		})
	}
	_, _ = io.Copy(io.Discard, in)
	cancel()
	all.Wait()
	return nil
}

func issueAgent(authority *identity.Authority, keyFile, name string) (*identity.Credentials, error) {
	key, err := identity.OpenKey(keyFile)
	if err != nil {
		return nil, err
	}
	node, err := identity.NewNodeID(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := identity.NewRequest(key)
	if err != nil {
		return nil, err
	}
	csr, err := identity.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	id := identity.Identity{Domain: authority.Domain(), Role: identity.RoleAgent, Name: name, ID: node}
	chain, err := authority.Issue(csr, id, time.Hour, time.Now())
	if err != nil {
		return nil, err
	}
	return identity.ParseCredentials(chain, key)
}

// crowd is a process full of agents.
type crowd struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// gather starts the process; its agents dial once go is called.
func gather(b *testing.B, folder, address string, count int) *crowd {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), childServer+"="+address, childFolder+"="+folder, childCount+"="+strconv.Itoa(count))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	c := &crowd{cmd: cmd, in: in}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatal(errors.Join(err, cmd.Process.Kill()))
	}
	return c
}

func (c *crowd) begin(b *testing.B) {
	b.Helper()
	if _, err := io.WriteString(c.in, "go\n"); err != nil {
		b.Fatal(err)
	}
}

func (c *crowd) end(b *testing.B) {
	b.Helper()
	if err := errors.Join(c.in.Close(), c.cmd.Wait()); err != nil {
		b.Error(err)
	}
}

// meeting is a server for a crowd: it counts who is linked and has said hello.
type meeting struct {
	authority string // folder
	address   string
	up, hello atomic.Int64
	links     *link.Links
	refuse    atomic.Bool // connections are closed at once: nobody can come
}

func newMeeting(b *testing.B) *meeting {
	b.Helper()
	// What both processes have open: this one's own limit is enough for two thousand links.
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 4096 {
		b.Fatalf("at most %d files may be open, %v; want 4096", limit.Cur, err)
	}
	m := &meeting{authority: filepath.Join(b.TempDir(), "ca"), links: link.NewLinks()}
	authority, err := identity.OpenAuthority(m.authority, "test", time.Now(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	d := &domain{t: b, authority: authority}
	server := d.issue(identity.RoleServer, "hq1", time.Now())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hello" {
			m.hello.Add(1)
		}
		whoami(w, r)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	m.address = listener.Addr().String()
	run(b, (&link.Server{
		Listener: &doorman{Listener: listener, refuse: &m.refuse}, TLS: end(server, identity.RoleAgent).ServerConfig(),
		Options: link.Options{Handler: handler, Links: m.links},
		OnLink: func(ctx context.Context, _ *link.Link) {
			m.up.Add(1)
			<-ctx.Done()
			m.up.Add(-1)
		},
	}).Run)
	return m
}

// doorman closes what it accepts for as long as it is told.
type doorman struct {
	net.Listener
	refuse *atomic.Bool
}

func (d *doorman) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil || !d.refuse.Load() {
			return conn, err
		}
		_ = conn.Close()
	}
}

func (m *meeting) wait(b *testing.B, what *atomic.Int64, count int) {
	b.Helper()
	for begin := time.Now(); what.Load() < int64(count); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 2*time.Minute {
			b.Fatalf("%d of %d after 2 min", what.Load(), count)
		}
	}
}

// resident is what this process has in memory now, once it has given back what it does not use.
func resident(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("only Linux says what is resident")
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 64)
			if err != nil {
				b.Fatal(err)
			}
			return n * 1024
		}
	}
	b.Fatal("/proc/self/status has no VmRSS")
	return 0
}

// A thousand agents in another process, each with a link over which it has said hello and sends heartbeats: what the
// server has resident for each of them.
func BenchmarkThousandLinks(b *testing.B) {
	const count = 1000
	for b.Loop() {
		m := newMeeting(b)
		agents := gather(b, m.authority, m.address, count)
		before, routines := resident(b), runtime.NumGoroutine()
		agents.begin(b)
		m.wait(b, &m.hello, count)
		time.Sleep(25 * time.Second) // heartbeats come and go
		b.ReportMetric((resident(b)-before)/count, "B/link")
		b.ReportMetric(float64(runtime.NumGoroutine()-routines)/count, "goroutines/link")
		agents.end(b)
	}
}

// Two thousand agents lose their links at once, and find the server refusing for a while: until all are back.
func BenchmarkTwoThousandReconnect(b *testing.B) {
	const count = 2000
	for b.Loop() {
		m := newMeeting(b)
		agents := gather(b, m.authority, m.address, count)
		agents.begin(b)
		m.wait(b, &m.up, count)
		m.refuse.Store(true)
		for _, l := range m.links.All() {
			l.Close("the benchmark cuts it")
		}
		for m.up.Load() > 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		m.refuse.Store(false)
		begin := time.Now()
		m.wait(b, &m.up, count)
		b.ReportMetric(float64(time.Since(begin)), "converge-ns")
		agents.end(b)
	}
}
