//go:build linux

package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// An agent that a server's dial has enrolled goes over to serving links, and does so after each restart, whether it is
// started with --enrol again or not. It dials nobody.
func TestEnrolled(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWaiter(t, s)
	w.cut.Lock() // it fails whatever it dials
	defer w.cut.Unlock()
	address, code := w.waits()
	if err := s.grant(s.dials(address, code), code); err != nil {
		t.Fatal(err)
	}
	address = soon(t, w.listens, "the agent serves links")
	s.dialsLinks(address)
	if peer := s.linked(1).Peer(); peer != agentOf(enrolledAs) {
		t.Errorf("got identity %s, want %s", peer, agentOf(enrolledAs))
	}
	// The answer to the grant may have been lost: all of it may come again.
	if err := s.grant(s.dials(address, code), code); err != nil {
		t.Errorf("the same enrolment again: %v", err)
	}
	other := s.offer(code)
	other.Name = "south"
	wantAnswer(t, s.dials(address, code).call(wire.PathEnrolOffer, other, nil), http.StatusConflict, "north", "already")
	waits := w.config
	for i, again := range []func(*Config){
		func(c *Config) { waits(c); c.Enrol = false },
		waits,
	} {
		mustEnd(t, w.host)
		w.config = again
		w.start()
		s.linked(2 + i)
		wantAnswer(t, s.dials(soon(t, w.listens, "the agent serves links"), code).call(wire.PathEnrolOffer, s.offer(code), nil), http.StatusForbidden, "does not wait")
	}
	select {
	case text := <-w.codes:
		t.Errorf("a node showed the code %.20s…", text)
	default:
	}
}

// Wherever an enrolment breaks, it can be repeated: with the same code, and after a restart with the new one.
func TestEnrolmentThatBroke(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWaiter(t, s)
	address, first := w.waits()
	if err := s.dials(address, first).call(wire.PathEnrolOffer, s.offer(first), nil); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, w.host) // it waits, and is stopped: no error
	for _, file := range []string{certificateFile, memberFile} {
		if _, err := os.Stat(filepath.Join(w.data, file)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there before anything was granted (%v)", file, err)
		}
	}
	address, second := w.waits()
	if second.Key != first.Key || second.Secret == first.Secret {
		t.Errorf("after a restart the code is for the key %s, want %s and another secret", second.Key, first.Key)
	}
	wantAnswer(t, s.dials(address, first).call(wire.PathEnrolOffer, s.offer(first), nil), http.StatusForbidden, "not right", "last code")
	if err := s.grant(s.dials(address, second), second); err != nil {
		t.Fatal(err)
	}
	w.serves()
}

// Nothing that somebody sends who has the code, but not what belongs to it, makes the agent a node of anything; and
// whatever came before, the right server enrols it then.
func TestHostileEnrolment(t *testing.T) {
	t.Parallel()
	s, foreign := newServer(t), newServer(t)
	w := newWaiter(t, s)
	waits := w.config
	w.config = func(c *Config) { waits(c); c.Name = "north" }
	address, code := w.waits()
	d := s.dials(address, code)
	var csr wire.CertificateRequest
	if err := d.call(wire.PathEnrolOffer, s.offer(code), &csr); err != nil {
		t.Fatal(err)
	}
	offered := func(change func(*wire.EnrolOffer)) wire.EnrolOffer {
		o := s.offer(code)
		change(&o)
		return o
	}
	granted := func(change func(*wire.EnrolGrant)) wire.EnrolGrant {
		g := wire.EnrolGrant{EnrolOffer: s.offer(code), NodeID: enrolledAs, Certificate: s.sign(csr.CSR, agentOf(enrolledAs), time.Hour)}
		change(&g)
		return g
	}
	stranger, agents := d, d
	stranger.own, agents.own = nil, s.agent("south")
	alien := foreign.dials(address, code)
	others := otherRequest(t)
	for what, c := range map[string]struct {
		by   dialler
		path string
		in   any
		code int
	}{
		"another domain, when the code was used": {alien, wire.PathEnrolOffer, foreign.offer(code), 409},
		"another domain, ours in words":          {alien, wire.PathEnrolOffer, s.offer(code), 403},
		"nobody":                                 {stranger, wire.PathEnrolOffer, s.offer(code), 403},
		"an agent":                               {agents, wire.PathEnrolOffer, s.offer(code), 403},
		"another name":                           {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Name = "south" }), 409},
		"a name that is none":                    {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Name = "../north" }), 422},
		"another domain's name":                  {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Domain = "alien" }), 403},
		"no authority":                           {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Authority = "" }), 422},
		"a node as authority":                    {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Authority = string(s.own.PEM()) }), 422},
		"no secret":                              {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Secret = "" }), 403},
		"the hash as secret":                     {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Secret = identity.HashSecret(code.Secret) }), 403},
		"an array as secret":                     {d, wire.PathEnrolOffer, map[string]any{"secret": []string{code.Secret}}, 422},
		"a number":                               {d, wire.PathEnrolOffer, 7, 422},
		"nothing":                                {d, wire.PathEnrolOffer, nil, 403},
		"too much":                               {d, wire.PathEnrolOffer, offered(func(o *wire.EnrolOffer) { o.Authority = strings.Repeat("A", 1<<20) }), 422},
		"deep":                                   {d, wire.PathEnrolOffer, json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000)), 422},
		"grant: no secret":                       {d, wire.PathEnrolGrant, granted(func(g *wire.EnrolGrant) { g.Secret = "" }), 403},
		"grant: nobody":                          {stranger, wire.PathEnrolGrant, granted(func(*wire.EnrolGrant) {}), 403},
		"grant: another domain":                  {alien, wire.PathEnrolGrant, granted(func(*wire.EnrolGrant) {}), 403},
		"grant: no certificate":                  {d, wire.PathEnrolGrant, granted(func(g *wire.EnrolGrant) { g.Certificate = "" }), 422},
		"grant: for another key":                 {d, wire.PathEnrolGrant, granted(func(g *wire.EnrolGrant) { g.Certificate = s.sign(others, agentOf(enrolledAs), time.Hour) }), 422},
		"grant: another node id":                 {d, wire.PathEnrolGrant, granted(func(g *wire.EnrolGrant) { g.NodeID = "agent9000002" }), 403},
		"grant: signed by another authority": {d, wire.PathEnrolGrant, granted(func(g *wire.EnrolGrant) {
			g.Certificate = foreign.sign(csr.CSR, agentOf(enrolledAs), time.Hour)
		}), 422},
		"a certificate for who never joined": {d, wire.PathRecover, wire.RecoverAsk{NodeID: enrolledAs}, 403},
		"a route of links":                   {d, wire.PathCommands, struct{}{}, 404},
		"a route of the API":                 {d, "/api/v1/runs", struct{}{}, 404},
	} {
		err := c.by.call(c.path, c.in, nil)
		var a *answer
		if !errors.As(err, &a) || a.code != c.code {
			t.Errorf("%s: %v, want an answer of status %d", what, err, c.code)
		} else if strings.Contains(a.detail+a.fix, code.Secret) {
			t.Errorf("%s: the answer tells the secret", what)
		}
	}
	if _, err := os.Stat(filepath.Join(w.data, certificateFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the agent has a certificate (%v)", err)
	}
	if err := s.grant(d, code); err != nil {
		t.Fatalf("the right server, after all that: %v", err)
	}
	w.serves()
}

// Of two domains that show the same code at once, a hundred times each, one gets the agent and the other nothing.
func TestACodeIsForOneDomain(t *testing.T) {
	t.Parallel()
	s, foreign := newServer(t), newServer(t)
	w := newWaiter(t, s)
	address, code := w.waits()
	var all sync.WaitGroup
	var ours, theirs atomic.Int64
	for i := range 200 {
		by, count := s, &ours
		if i%2 == 1 {
			by, count = foreign, &theirs
		}
		all.Go(func() {
			err := by.dials(address, code).call(wire.PathEnrolOffer, by.offer(code), nil)
			if err == nil {
				count.Add(1)
			} else {
				wantAnswer(t, err, http.StatusConflict, "another domain")
			}
		})
	}
	all.Wait()
	if a, b := ours.Load(), theirs.Load(); a+b != 100 || a*b != 0 {
		t.Errorf("one domain was answered %d times and the other %d times, want 100 and 0", a, b)
	}
}

// Whoever guesses is no longer listened to, and nobody else suffers from it.
func TestGuessesAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWaiter(t, s)
	address, code := w.waits()
	guess, err := identity.MintCode(rand.Reader, &s.agentKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	thief := s.dials(address, code)
	thief.from = "127.0.0.7"
	for i := range wrongEach + 3 {
		want := http.StatusForbidden
		if i >= wrongEach {
			want = http.StatusTooManyRequests
		}
		wantAnswer(t, thief.call(wire.PathEnrolOffer, s.offer(guess), nil), want)
	}
	wantAnswer(t, thief.call(wire.PathEnrolOffer, s.offer(code), nil), http.StatusTooManyRequests)
	if err := s.grant(s.dials(address, code), code); err != nil {
		t.Fatalf("the right server: %v", err)
	}
	w.serves()
}

// patient is an enroller without an agent around it, in a bubble of time.
func patient(t *testing.T) (e *enroller, codes chan string) {
	t.Helper()
	key, err := identity.OpenKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	codes = make(chan string, 16)
	return &enroller{
		member: &member{key: key}, now: time.Now, life: codeLife, log: Default().Log, enrolled: make(chan struct{}),
		show: func(text string) error {
			codes <- text
			return nil
		},
	}, codes
}

func secretOf(t *testing.T, text string) string {
	t.Helper()
	code, err := identity.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	return code.Secret
}

// A code is good for 15 minutes, and one follows the other; one to which too many guesses came ends, and the next comes
// after a pause.
func TestCodesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, codes := patient(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.wait(ctx) }()
		try := func(from, secret string) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.check(source(from), secret)
		}
		synctest.Wait()
		first := secretOf(t, <-codes)
		time.Sleep(codeLife - time.Second)
		if err := try("10.0.0.1:1", first); err != nil {
			t.Errorf("a second before its end: %v", err)
		}
		time.Sleep(2 * time.Second)
		second := secretOf(t, <-codes)
		if err := try("10.0.0.1:1", first); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after its end: %v, want that it has expired", err)
		}
		if err := try("10.0.0.1:1", second); err != nil {
			t.Errorf("the next code: %v", err)
		}
		for i := range wrongAll {
			if err := try(fmt.Sprintf("10.0.%d.1:1", i/wrongEach), "guess"); err == nil {
				t.Fatal("a guess was right")
			}
		}
		synctest.Wait()
		if err := try("10.9.0.1:1", second); err == nil {
			t.Error("a code was good after it was spoilt")
		}
		if len(codes) != 0 {
			t.Error("the next code came at once")
		}
		time.Sleep(10 * time.Second)
		third := secretOf(t, <-codes)
		if err := try("10.0.3.1:1", third); err != nil {
			t.Errorf("the code after that: %v", err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting ended with %v", err)
		}
	})
}

// The clock may be set, and the host may sleep: a code is not good for longer than it says.
func TestCodesFollowTheClock(t *testing.T) {
	t.Parallel()
	e, _ := patient(t)
	ahead := time.Duration(0)
	e.now = func() time.Time { return time.Now().Add(ahead) }
	_, text, err := e.renew()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.check(source("10.0.0.1:1"), secretOf(t, text)); err != nil {
		t.Error(err)
	}
	ahead = time.Hour
	if err := e.check(source("10.0.0.1:1"), secretOf(t, text)); err == nil || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("an hour later: %v, want that it expired", err)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"10.1.2.3:4": "10.1.2.3/32", "[::ffff:10.1.2.3]:4": "10.1.2.3/32", "[2001:db8:1:2:3:4:5:6]:7": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:7": "fe80::/64", "": "invalid Prefix", "hq1:7": "invalid Prefix",
	} {
		if got := source(remote).String(); got != want {
			t.Errorf("source(%q) = %s, want %s", remote, got, want)
		}
	}
}

// A thousand strangers hold on to the port in every way, and the right server enrols the agent all the same.
func TestStrangersDoNotHinderAnEnrolment(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWaiter(t, s)
	address, code := w.waits()
	var all sync.WaitGroup
	stop := make(chan struct{})
	begun := make(chan struct{}, 1000)
	for i := range 1000 {
		all.Go(func() {
			nd := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%10))}}
			raw, err := nd.DialContext(t.Context(), "tcp", address)
			begun <- struct{}{}
			if err != nil {
				return
			}
			defer raw.Close()
			conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
			switch i % 4 {
			case 0: // nothing at all
			case 1: // rubbish
				_, _ = raw.Write(bytes.Repeat([]byte{byte(i)}, 999))
			case 2: // a header that never ends
				_, _ = io.WriteString(conn, "POST "+wire.PathEnrolOffer+" HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			case 3: // a body that never comes
				_, _ = io.WriteString(conn, "POST "+wire.PathEnrolOffer+" HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
			}
			<-stop
		})
	}
	defer all.Wait()
	defer close(stop)
	for range 1000 {
		soon(t, begun, "the strangers are there")
	}
	if err := s.grant(s.dials(address, code), code); err != nil {
		t.Fatalf("enrolling among strangers: %v", err)
	}
	w.serves()
}

// An agent whose certificate has run out, and which only servers dial, takes a new one from a server of its own domain,
// and from nobody else.
func TestRecoveredByADial(t *testing.T) {
	t.Parallel()
	s, foreign := newServer(t), newServer(t)
	w := newWaiter(t, s)
	waits := w.config
	var ahead sync.Map
	w.config = func(c *Config) {
		waits(c)
		c.Now = func() time.Time {
			if d, ok := ahead.Load("by"); ok {
				return time.Now().Add(d.(time.Duration))
			}
			return time.Now()
		}
	}
	address, code := w.waits()
	s.life = 30 * time.Second
	if err := s.grant(s.dials(address, code), code); err != nil {
		t.Fatal(err)
	}
	w.serves()
	mustEnd(t, w.host)
	ahead.Store("by", time.Minute) // while it was away
	for len(w.listens) > 0 {
		<-w.listens
	}
	w.start()
	address = soon(t, w.listens, "the agent serves links")
	d := s.dials(address, code)
	ask := wire.RecoverAsk{NodeID: enrolledAs}
	stranger, agents, alien := d, d, d
	stranger.own, agents.own, alien.own = nil, s.agent("south"), foreign.own
	for what, by := range map[string]dialler{"nobody": stranger, "an agent": agents, "another domain's server": alien} {
		t.Log(what)
		wantAnswer(t, by.call(wire.PathRecover, ask, nil), http.StatusForbidden)
		wantAnswer(t, by.call(wire.PathRecoverGrant, wire.Certificate{NodeID: enrolledAs}, nil), http.StatusForbidden)
	}
	wantAnswer(t, d.call(wire.PathRecover, wire.RecoverAsk{NodeID: "agent9000002"}, nil), http.StatusConflict)
	var csr wire.CertificateRequest
	if err := d.call(wire.PathRecover, ask, &csr); err != nil {
		t.Fatal(err)
	}
	fresh := wire.Certificate{NodeID: enrolledAs, Certificate: s.sign(csr.CSR, agentOf(enrolledAs), time.Hour), Authority: string(s.authority.Bundle())}
	other := fresh
	other.Certificate = s.sign(csr.CSR, agentOf("agent9000002"), time.Hour)
	wantAnswer(t, d.call(wire.PathRecoverGrant, other, nil), http.StatusForbidden)
	if err := d.call(wire.PathRecoverGrant, fresh, nil); err != nil {
		t.Fatal(err)
	}
	if peer := s.linked(2).Peer(); peer != agentOf(enrolledAs) {
		t.Errorf("got identity %s, want %s", peer, agentOf(enrolledAs))
	}
}

func TestEnrolConfig(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for what, change := range map[string]func(*Config){
		"with a token":   func(c *Config) { c.Join = s.token("north").Text() },
		"with a file":    func(c *Config) { c.JoinFile = "/no/such/file" },
		"no row":         func(c *Config) { c.Rows.Await, c.Rows.Dial = nil, []string{sockettest.Service} },
		"nobody to show": func(c *Config) { c.Code = nil },
		"a desk agent without a row": func(c *Config) {
			c.Desk, c.Enrol, c.Rows.Await, c.Rows.Dial = true, false, nil, []string{sockettest.Service}
		},
		"a desk agent with a token": func(c *Config) { c.Desk, c.Enrol, c.Join = true, false, s.token("north").Text() },
		"nothing to listen":         func(c *Config) { c.Listen = nil },
	} {
		w := newWaiter(t, s)
		cfg := w.cfg()
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("--enrol %s: no error", what)
		}
	}
}
