//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/keeper"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// TestMain makes this program a keeper where it is started as one: the agents under test start it so.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "keeper" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := keeper.Run(ctx, keeper.Config{Data: os.Args[2], Version: "test", Allow: filepath.Join(filepath.Dir(os.Args[2]), allowFile)}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "agent" {
		os.Exit(agentProcess(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// agentProcess is an agent in a process of its own, which a test may kill.
func agentProcess(data, token string) int {
	cfg, err := testConfig(data)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg.Join = token
	var dialer net.Dialer
	cfg.Dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", address)
	}
	if err := Run(context.Background(), cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// testConfig is what all agents under test have in common.
func testConfig(data string) (Config, error) {
	exe, err := os.Executable()
	cfg := Default()
	cfg.Data, cfg.Slots, cfg.Version = data, 8, "test"
	cfg.Rows = Rows{Enrol: sockettest.Service, Dial: []string{sockettest.Service}}
	cfg.Keeper = Keeper{Exe: exe, Args: []string{"keeper", data}}
	cfg.Backoff = link.Backoff{Least: 10 * time.Millisecond, Most: 50 * time.Millisecond}
	return cfg, err
}

// allowFile stands beside the data folder: where the tests run as root, it lets jobs do so, too.
const allowFile = "allow.yaml"

// host is a data folder with the agent that runs on it, if any.
type host struct {
	t      testing.TB
	server *fakeServer
	data   string
	token  string
	config func(*Config) // what a test wants otherwise

	cut   sync.Mutex // held: nothing is dialled
	stop  context.CancelFunc
	ended chan error
}

// newHost makes a data folder with a token, and sees to it that nothing is left of its keeper.
func newHost(t testing.TB, s *fakeServer) *host {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(filepath.Join(filepath.Dir(data), allowFile), []byte("allow:\n- {user: root, nets: ['*']}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, server: s, data: data, token: s.token("north").Text()}
	t.Cleanup(func() {
		if err := h.end(); err != nil {
			t.Errorf("agent ended with: %v", err)
		}
		h.endKeeper()
	})
	return h
}

func (h *host) cfg() Config {
	h.t.Helper()
	cfg, err := testConfig(h.data)
	if err != nil {
		h.t.Fatal(err)
	}
	cfg.Join = h.token
	cfg.Dial = func(ctx context.Context, row, address string) (net.Conn, error) {
		h.cut.Lock()
		defer h.cut.Unlock()
		return h.server.net.Dial(ctx, row, address)
	}
	cfg.Log = slog.New(slog.NewTextHandler(testLog{h.t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if h.config != nil {
		h.config(&cfg)
	}
	return cfg
}

// start starts the agent.
func (h *host) start() {
	h.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.ended = stop, make(chan error, 1)
	cfg := h.cfg()
	go func() {
		err := Run(ctx, cfg)
		h.ended <- err
		h.server.change(func() {})
	}()
}

// end ends the agent as SIGTERM does, and returns its error.
func (h *host) end() error {
	if h.stop == nil {
		return nil
	}
	h.stop()
	h.stop = nil
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	select {
	case err := <-h.ended:
		return err
	case <-limit.C:
		h.t.Fatal("the agent did not end within 5 s")
		return nil
	}
}

// endKeeper kills the keeper, if there is one: it connects in the agent's place to learn which process it is.
func (h *host) endKeeper() {
	c, err := keeper.Connect(context.Background(), h.data)
	if err != nil {
		return // none answers
	}
	_ = syscall.Kill(c.Hello().PID, syscall.SIGKILL)
	<-c.Done()
	_ = c.Close()
}

// testLog writes to the test's log until the test is over.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Logf("%s", b)
	}
	return len(b), nil
}

// gate is a pipe in the file system: a job that reads it goes on when the test lets it.
func gate(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// release lets a job that reads the gate go on. It returns once the job has opened it.
func release(t testing.TB, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "go\n"); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// orders numbers what a test orders.
type orders struct {
	mu  sync.Mutex
	seq int64
}

// script orders a shell script as the first attempt of a run's only job.
func (o *orders) script(run, text string) wire.Order {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq++
	return wire.Order{
		Attempt: wire.Attempt{Run: run, Job: "job", N: 1}, Position: wire.Position{Epoch: 1, Seq: o.seq}, Net: "test",
		Script: "#!/bin/sh\n" + text, OK: []int{0}, Grace: time.Second, Fence: "1." + strconv.FormatInt(o.seq, 10),
	}
}

func exitCode(r wire.Report) string {
	if r.ExitCode == nil {
		return "none (" + r.Reason + " " + r.Detail + ")"
	}
	return strconv.Itoa(*r.ExitCode)
}

func mustEnd(t testing.TB, h *host) {
	t.Helper()
	if err := h.end(); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("agent ended with: %v", err)
	}
}

// keeperPIDs tells the pid of each keeper that the agent connects to. It reads the agent's log, because only the
// agent knows.
func keeperPIDs(log *slog.Logger, pids chan<- int) *slog.Logger {
	return slog.New(pidHandler{log.Handler(), pids})
}

type pidHandler struct {
	slog.Handler
	pids chan<- int
}

func (p pidHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "keeper answers" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "pid" {
				p.pids <- int(a.Value.Int64())
			}
			return true
		})
	}
	return p.Handler.Handle(ctx, r)
}
