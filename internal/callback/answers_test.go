package callback_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const boothToken = "0123456789abcdef0123456789abcdef"

// booth is a tool that listens, of a site's domain.
func (x *site) booth() (*callback.Booth, callback.Target) {
	x.t.Helper()
	tool, err := identity.NewTool(time.Now())
	if err != nil {
		x.t.Fatal(err)
	}
	trust, err := tool.ListenConfig(x.authority.Fingerprint(), time.Now)
	if err != nil {
		x.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	return &callback.Booth{Listener: l, TLS: trust, Token: boothToken}, callback.Target{Address: l.Addr().String(), Token: boothToken, Fingerprint: tool.Fingerprint()}
}

// answers is a server of a site's domain, or of another's with its own credentials.
func (x *site) answers(own *identity.Credentials, beat time.Duration) *callback.Answers {
	a := &callback.Answers{
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
		TLS: func(fingerprint string) *tls.Config {
			return identity.Endpoint{Own: func() (*identity.Credentials, error) { return own, nil }, Domain: "site"}.ToolConfig(fingerprint)
		},
		Beat: beat, Log: slog.New(slog.DiscardHandler),
	}
	x.t.Cleanup(a.Close)
	return a
}

type told struct{ N int }

// A tool that waits hears each thing in order, over times of silence, and the call ends when it has heard the last.
func TestToolIsCalled(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1})
	b, to := x.booth()
	b.Silence = 200 * time.Millisecond
	a := x.answers(x.server, 20*time.Millisecond)
	err := a.Call(to, func(ctx context.Context, say func(any) error) error {
		for n := range 3 {
			if err := say(told{n}); err != nil {
				return err
			}
		}
		select { // longer than the tool would bear without a beat
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
		return say(told{3})
	})
	if err != nil {
		t.Fatal(err)
	}
	heard := 0
	err = b.Listen(t.Context(), func(text json.RawMessage) (bool, error) {
		var n told
		if err := json.Unmarshal(text, &n); err != nil || n.N != heard {
			t.Errorf("heard %s, %v; want %d", text, err, heard)
		}
		heard++
		return n.N == 3, nil
	})
	if err != nil || heard != 4 {
		t.Errorf("heard %d, %v", heard, err)
	}
}

// A tool takes the call of its own domain's servers alone, with its token; who else comes costs nothing, and the true one
// still gets in. A server tells nothing to who does not show the tool's certificate.
func TestToolAndStrangers(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1})
	b, to := x.booth()
	ended := make(chan error, 1)
	go func() {
		ended <- b.Listen(t.Context(), func(text json.RawMessage) (bool, error) {
			if !strings.Contains(string(text), "42") {
				t.Errorf("heard %s", text)
			}
			return true, nil
		})
	}()
	agent := x.credentials("north", identity.RoleAgent)
	foreign := newSite(t, setup{ports: 1})
	forge := func(ctx context.Context, say func(any) error) error { return say("forged") }
	for name, call := range map[string]func() error{
		"an agent":       func() error { return x.answers(agent, 0).Call(to, forge) },
		"another domain": func() error { return x.answers(foreign.server, 0).Call(to, forge) },
		"another token": func() error {
			return x.answers(x.server, 0).Call(callback.Target{Address: to.Address, Token: strings.Repeat("0", 32), Fingerprint: to.Fingerprint}, forge)
		},
		"no certificate":   func() error { return shout(to.Address, boothToken) },
		"nothing, forever": func() error { return sit(t, to.Address) },
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Whoever listens there instead is not told: the certificate is not the tool's.
	other, elsewhere := x.booth()
	elsewhere.Fingerprint = to.Fingerprint
	other.Arrive = time.Second
	if err := x.answers(x.server, 0).Call(elsewhere, forge); err != nil {
		t.Error(err)
	}
	if err := other.Listen(t.Context(), func(text json.RawMessage) (bool, error) {
		t.Errorf("a stranger was told %s", text)
		return true, nil
	}); err == nil {
		t.Error("a stranger was called")
	}
	if err := x.answers(x.server, 0).Call(to, func(_ context.Context, say func(any) error) error { return say(told{42}) }); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the true one does not get in")
	}
}

func shout(address, token string) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	req, err := http.NewRequest(http.MethodPost, "https://"+address+wire.PathCallbackRun, strings.NewReader(`{"run":"forged"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Reeve "+token)
	resp, err := client.Do(req)
	if err == nil {
		resp.Body.Close()
		return errors.New("it is answered without a certificate")
	}
	return nil
}

func sit(t *testing.T, address string) error {
	c, err := net.Dial("tcp", address)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return err
}

// A call that breaks, goes silent or never comes ends the waiting with an error, so that the tool asks for itself.
func TestToolGivesUp(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1})
	nothing := func(json.RawMessage) (bool, error) { return false, nil }
	b, _ := x.booth()
	b.Arrive = 20 * time.Millisecond
	if err := b.Listen(t.Context(), nothing); err == nil || !strings.Contains(err.Error(), "did not call back") {
		t.Errorf("nobody came: %v", err)
	}
	b, to := x.booth()
	b.Silence = 50 * time.Millisecond
	if err := x.answers(x.server, time.Hour).Call(to, func(ctx context.Context, _ func(any) error) error { <-ctx.Done(); return ctx.Err() }); err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(t.Context(), nothing); err == nil {
		t.Error("silence is borne")
	}
	b, to = x.booth()
	if err := x.answers(x.server, 0).Call(to, func(_ context.Context, say func(any) error) error {
		return errors.Join(say(told{1}), io.ErrUnexpectedEOF)
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(t.Context(), nothing); err == nil {
		t.Error("a call that ended before the run is taken for its end")
	}
}
