//go:build linux

package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// runFails starts an agent that must not start, and returns why.
func runFails(t *testing.T, h *host) error {
	t.Helper()
	h.start()
	select {
	case err := <-h.ended:
		h.stop()
		h.stop = nil
		if err == nil {
			t.Fatal("the agent ended without an error")
		}
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the agent started")
		return nil
	}
}

func TestJoinsOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	first := s.linked(1).Peer()
	if first.Name != "north" || first.Role != identity.RoleAgent {
		t.Errorf("got identity %s, want an agent named north", first)
	}
	mustEnd(t, h)
	// The token stays in the unit's file: it is no longer looked at.
	h.start()
	if again := s.linked(2).Peer(); again != first {
		t.Errorf("got identity %s after the restart, want %s", again, first)
	}
	mustEnd(t, h)
	// Nor is one needed, or the file that held it.
	h.config = func(c *Config) { c.Join, c.JoinFile = "", filepath.Join(h.data, "no", "such", "file") }
	h.start()
	s.linked(3)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joins != 1 {
		t.Errorf("joined %d times, want 1", s.joins)
	}
	for _, name := range []string{keyFile, certificateFile, memberFile, incarnationFile} {
		info, err := os.Stat(filepath.Join(h.data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v (%v), want 0600", name, info.Mode(), err)
		}
	}
}

func TestJoinMayBeRepeatedByTheSameKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	first := s.linked(1).Peer()
	mustEnd(t, h)
	// As if the answer had been lost: the key is there, the certificate is not.
	if err := os.Remove(filepath.Join(h.data, certificateFile)); err != nil {
		t.Fatal(err)
	}
	h.start()
	if again := s.linked(2).Peer(); again != first {
		t.Errorf("got identity %s, want %s", again, first)
	}
}

func TestUsedTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	s.linked(1)
	thief := newHost(t, s)
	thief.token = h.token
	err := runFails(t, thief)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "used already") || !strings.Contains(err.Error(), "reeve token create agent north") {
		t.Errorf("got %v (kind %d), want a conflict that says that the token was used and what to do", err, fault.KindOf(err))
	}
}

func TestTokensThatDoNotFit(t *testing.T) {
	t.Parallel()
	s, foreign := newServer(t), newServer(t)
	unknown, err := identity.MintToken(rand.Reader, identity.Token{
		Name: "north", Domain: testDomain, Addresses: []string{s.addr}, Fingerprint: s.authority.Fingerprint(),
	})
	if err != nil {
		t.Fatal(err)
	}
	intercepted := s.token("north")
	intercepted.Fingerprint = foreign.authority.Fingerprint()
	cases := []struct {
		name string
		set  func(*Config)
		kind fault.Kind
		want string
	}{
		{"unknown", func(c *Config) { c.Join = unknown.Text() }, fault.Forbidden, "not known"},
		{"another authority", func(c *Config) { c.Join = intercepted.Text() }, fault.Forbidden, "fingerprint"},
		{"damaged", func(c *Config) { c.Join = c.Join[:len(c.Join)-8] }, fault.Invalid, "damaged"},
		{"another name", func(c *Config) { c.Name = "south" }, fault.Invalid, "not for south"},
		{"none", func(c *Config) { c.Join = "" }, fault.Unauthenticated, "--join"},
		{"no file", func(c *Config) { c.Join, c.JoinFile = "", "/no/such/file" }, fault.Invalid, "no such file"},
		{"two", func(c *Config) { c.JoinFile = "/no/such/file" }, fault.Invalid, "two join tokens"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, s)
			h.config = c.set
			err := runFails(t, h)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v (kind %d), want kind %d with %q", err, fault.KindOf(err), c.kind, c.want)
			}
		})
	}
}

func TestTwoAgentsDoNotShareAFolder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	s.linked(1)
	second := &host{t: t, server: s, data: h.data, token: h.token}
	err := runFails(t, second)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("got %v, want a conflict that names the holder's pid", err)
	}
}

func TestCertificateRenewsOverTheLink(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.life = 1500 * time.Millisecond
	s.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == wire.PathLinkRenew {
			s.change(func() { s.life = time.Hour })
		}
		return false
	}
	h := newHost(t, s)
	h.start()
	s.linked(1)
	s.wait("renewal", func() bool { return s.renewals == 1 })
	// The link ends with the old certificate, and comes back with the new one.
	if l := s.linked(2); time.Until(l.Certificate().NotAfter) < time.Minute {
		t.Errorf("the certificate ends at %v", l.Certificate().NotAfter)
	}
}

func TestExpiredCertificateIsRenewedByTheBoundKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.life = time.Second
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == wire.PathLinkRenew {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	<-l.Done() // it has run out
	s.change(func() { s.life = time.Hour })
	again := s.linked(2)
	if again.Peer() != l.Peer() {
		t.Errorf("got identity %s, want %s", again.Peer(), l.Peer())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recovered == 0 {
		t.Error("the certificate was not renewed by the bound key")
	}
}

func TestNoServerAnswersAJoin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := h.cfg()
	l, err := s.net.Listen(ctx, "reeve", "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	token := s.token("north")
	token.Addresses = []string{dead}
	cfg.Join = token.Text()
	err = Run(ctx, cfg)
	if !fault.Is(err, fault.Unreachable) || errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want kind unreachable", err)
	}
}
