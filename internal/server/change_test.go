package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// planAt is the default plan with another number, and with a row for a proxy.
func planAt(t *testing.T, port int) ports.Compiled {
	t.Helper()
	file := sockettest.PlanFile(t, port)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, []byte("  - {id: web-proxy, port: 3128, protocol: [tcp], binds: false, flows: [{from: server, to: proxy, purpose: links, carries: [proxy]}]}\nroles: {proxy: {managed: false}}\n")...)
	plan, err := builtin.Resolve(file, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil })
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c
}

// startChangeable starts a server that is configured with another plan than that by which it works. How Run ends is what
// the channel gives.
func startChangeable(t *testing.T, next ports.Compiled, set func(*server.Config), settle func(taken bool)) (*server.Server, <-chan error) {
	t.Helper()
	cfg := server.Default()
	cfg.Data, cfg.Bind = filepath.Join(t.TempDir(), "data"), []string{"127.0.0.1"}
	set(&cfg)
	s, err := server.Open(t.Context(), cfg, server.Env{
		Plan: planAt(t, sockettest.Lease(t)), Version: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader, Secret: func(string, string) {},
		Reread: func() (ports.Compiled, domain.PortPlan, error) { return next, domain.PortPlan{}, nil },
		Settle: func(taken bool) error { settle(taken); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		ended <- s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-over })
	if _, err := (&running{data: cfg.Data}).local(t).Domain(t.Context()); err != nil { // once it answers, it runs
		t.Fatal(err)
	}
	return s, ended
}

// TestChangeIsMadeOnce: of many who commit a change one does it, and who opens the server again finds all ports free.
func TestChangeIsMadeOnce(t *testing.T) {
	t.Parallel()
	next := planAt(t, sockettest.Lease(t))
	var settled atomic.Int32
	s, ended := startChangeable(t, next, func(*server.Config) {}, func(bool) { settled.Add(1) })
	if err := s.BeginChange(t.Context(), "test", time.Minute); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.CommitChange(t.Context(), "test", true); err != nil && !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
			if err := s.CancelChange(t.Context(), "test"); !fault.Is(err, fault.Conflict) {
				t.Errorf("a change that was made is cancelled: %v", err)
			}
		})
	}
	all.Wait()
	if got := s.ShowChange(t.Context()); got.State != "committed" {
		t.Errorf("the change is %q after its end", got.State)
	}
	if settled.Load() != 1 {
		t.Errorf("%d ends were kept, want one", settled.Load())
	}
	select {
	case err := <-ended:
		if !errors.Is(err, server.ErrReplanned) {
			t.Errorf("the server ended: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not end")
	}
	l, err := socket.New(next).Listen(t.Context(), sockettest.Service, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

// TestNextPlanGoesByTheProxy: while ports change, nodes are dialled by the proxy as before.
func TestNextPlanGoesByTheProxy(t *testing.T) {
	t.Parallel()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := startChangeable(t, planAt(t, sockettest.Lease(t)), func(c *server.Config) {
		c.Proxy = server.Proxy{URL: "http://user@127.0.0.1:3128", PasswordFile: password}
	}, func(bool) {})
	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	if err := s.BeginChange(t.Context(), "test", time.Minute); err == nil || !strings.Contains(err.Error(), "proxy's password") {
		t.Errorf("a change of ports without the proxy's password: %v", err)
	}
}
