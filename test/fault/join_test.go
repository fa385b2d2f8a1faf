//go:build linux

package fault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// refusedAgent starts an agent that must not get in, and returns the sentence with which it ends.
func (e *estate) refusedAgent(name string, args ...string) string {
	e.t.Helper()
	data := filepath.Join(e.t.TempDir(), name)
	args = append([]string{"agent", "--data", data, "--plan", e.plan, "--log-level", "error"}, args...)
	_, errs, code := command(e.t, nil, args...)
	if code == 0 {
		e.t.Errorf("reeve %s: exit code 0", strings.Join(args, " "))
	}
	if keeperPID(data) != 0 {
		e.t.Errorf("%s was refused, and left a keeper", name)
	}
	return oneSentence(e.t, errs)
}

// oneSentence returns what a program said in one line.
func oneSentence(t testing.TB, text string) string {
	t.Helper()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "reeve: ") {
		t.Errorf("got %q, want one sentence", text)
	}
	for _, bad := range []string{"panic", "goroutine ", "<nil>", "%!"} {
		if strings.Contains(text, bad) {
			t.Errorf("got %q, with %q in it", text, bad)
		}
	}
	return text
}

func wantAll(t testing.TB, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("got %q, want %q in it", got, p)
		}
	}
}

func (e *estate) token(args ...string) string {
	e.t.Helper()
	return lastLine(e.must(append([]string{"token", "create", "agent"}, args...)...))
}

// The joining of the contract: one use, a life, bound to a name and an authority; a token that is wrong, used,
// expired, revoked, of another domain or for another name lets nobody in, and each is told why.
func TestTokens(t *testing.T) {
	t.Parallel()
	e, other := newEstate(t, quick), newEstate(t, quick)
	g := e.newcomer("used", 8, filepath.Join(e.home, "used"))
	used := e.token("used")
	g.start("--join", used)
	e.linked("used")

	wantAll(t, e.refusedAgent("again", "--join", used), "the token was used already", "make a new one")
	wantAll(t, e.refusedAgent("empty", "--join", ""), "has not joined a domain")
	wantAll(t, e.refusedAgent("torn", "--join", used[:len(used)-3]), "reading token", "copy the whole last line")

	parsed, err := identity.ParseToken(e.token("wrong"))
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := identity.MintToken(rand.Reader, parsed)
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, e.refusedAgent("wrong", "--join", wrong.Text()), "the token is not one of this domain")
	wrong.ID = parsed.ID // a known token with another secret
	wantAll(t, e.refusedAgent("guessed", "--join", wrong.Text()), "the token is not one of this domain")

	expired := e.token("expired", "--ttl", "1ms")
	within(t, 10*time.Second, func() string {
		if list := e.must("token", "list"); !strings.Contains(list, " expired ") && strings.Count(list, "expired") < 2 {
			return "the token has not expired:\n" + list
		}
		return ""
	})
	wantAll(t, e.refusedAgent("expired", "--join", expired), "the token expired at")

	revoked := e.token("revoked")
	parsed, err = identity.ParseToken(revoked)
	if err != nil {
		t.Fatal(err)
	}
	e.must("token", "revoke", parsed.ID)
	wantAll(t, e.refusedAgent("revoked", "--join", revoked), "the token was revoked")

	foreign := other.token("foreign", "--address", fmt.Sprintf("127.0.0.1:%d", e.port))
	wantAll(t, e.refusedAgent("foreign", "--join", foreign), "authority")

	// An agent that says another name than its token's does not exist in the product: a forged request does.
	parsed, err = identity.ParseToken(e.token("named"))
	if err != nil {
		t.Fatal(err)
	}
	status, body := e.post(parsed.Fingerprint, wire.PathJoin, wire.JoinRequest{TokenID: parsed.ID, Secret: parsed.Secret, Name: "another", CSR: request(t)}, nil)
	if status != http.StatusForbidden {
		t.Errorf("joining under another name: status %d, %s", status, body)
	}
	wantAll(t, body, "the token is for named")
	g.end(t, syscall.SIGTERM)
	_, errs, code := command(t, nil, "agent", "--data", g.data, "--plan", e.plan, "--log-level", "error", "--join", e.token("someone"))
	if code == 0 {
		t.Error("a folder that belongs to one agent joined as another")
	}
	wantAll(t, oneSentence(t, errs), "this data folder belongs to", "the token is for someone")
	g.start()
	e.linked("used")

	if list := e.must("node", "list"); strings.Count(list, "agent") != 1 {
		t.Errorf("nodes after all of this, want one agent:\n%s", list)
	}
}

// request returns a certificate request of a key of its own.
func request(t *testing.T) string {
	t.Helper()
	key, err := identity.OpenKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	der, err := identity.NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemRequest(der)
}

// post makes an HTTPS call without a login, with a client certificate where one is given.
func (e *estate) post(fingerprint, path string, in any, cert *tls.Certificate) (int, string) {
	e.t.Helper()
	conf, err := identity.Pinned(fingerprint, time.Now)
	if err != nil {
		e.t.Fatal(err)
	}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	text, err := json.Marshal(in)
	if err != nil {
		e.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	method := http.MethodPost
	if in == nil {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, fmt.Sprintf("https://127.0.0.1:%d%s", e.port, path), bytes.NewReader(text))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// credentials reads what an agent shows.
func (g *guest) credentials() *identity.Credentials {
	g.e.t.Helper()
	key, err := identity.OpenKey(filepath.Join(g.data, "agent.key"))
	if err != nil {
		g.e.t.Fatal(err)
	}
	own, err := identity.LoadCredentials(filepath.Join(g.data, "agent.crt"), key)
	if err != nil {
		g.e.t.Fatal(err)
	}
	return own
}

// impostor dials a link to an estate with what another node shows, and calls use with it. It returns why there is no link.
func (e *estate) impostor(own *identity.Credentials, use func(context.Context, *link.Link)) error {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
	defer cancel()
	endpoint := identity.Endpoint{
		Own: func() (*identity.Credentials, error) { return own, nil }, Domain: own.Identity.Domain, Expect: []identity.Role{identity.RoleServer},
	}
	d := &link.Dialer{
		Targets: func() []link.Target { return []link.Target{{Address: fmt.Sprintf("127.0.0.1:%d", e.port)}} },
		Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", to.Address)
		},
		TLS:     endpoint.ClientConfig,
		Options: link.Options{Handler: http.NotFoundHandler()},
	}
	linked := false
	done := make(chan error, 1)
	go func() {
		done <- d.Run(ctx, func(ctx context.Context, l *link.Link) {
			linked = true
			use(ctx, l)
			cancel()
		})
	}()
	within(e.t, 15*time.Second, func() string {
		if s := d.State(); s.Err != nil || ctx.Err() != nil {
			return ""
		}
		return "neither linked nor refused"
	})
	err := d.State().Err
	cancel()
	if ended := <-done; ended != nil {
		e.t.Error(ended)
	}
	if linked {
		return nil
	}
	return err
}

// S4 and the checks of every message's rights: what an agent's certificate opens is what that agent may do, on links
// only; a certificate of another authority opens nothing.
func TestCertificates(t *testing.T) {
	t.Parallel()
	e, other := newEstate(t, quick), newEstate(t, quick)
	north, south, stranger := e.agent("north", 8), e.agent("south", 8), other.agent("north", 8)
	w := newWitness(t)
	e.apply("net: fault/one\njobs:\n" + w.job("wait", true, 0, 0, "    agent: {name: north}\n"))
	id := e.begin("fault/one", "")
	w.begun(1)
	south.end(t, syscall.SIGTERM)
	own := south.credentials()

	// On a link there are the routes of agents, and no others.
	err := e.impostor(own, func(ctx context.Context, l *link.Link) {
		for _, route := range []string{"GET /api/v1/runs", "POST /api/v1/runs", "GET /api/v1/domain", "GET /", "GET /login", "GET /api/v1/backup", "POST " + wire.PathCommands, "POST " + wire.PathJoin} {
			if status, body := call(ctx, t, l, route, []byte("{}")); status < 400 {
				t.Errorf("%s on an agent's link: status %d, %.100s", route, status, body)
			}
		}
		south.forge(ctx, t, l, id)
	})
	if err != nil {
		t.Errorf("the agent's own certificate: %v", err)
	}
	if r := e.show(id); r.Jobs[0].State != "running" {
		t.Errorf("job after forged reports: got %s, want running", r.Jobs[0].State)
	}

	// Over HTTPS an agent's certificate gives no right at all.
	cert := keyPair(t, south)
	for _, path := range []string{"/api/v1/runs", "/api/v1/domain", "/api/v1/nodes"} {
		if status, body := e.post(identity.Fingerprint(own.Roots[0]), path, nil, &cert); status != http.StatusUnauthorized {
			t.Errorf("GET %s with an agent's certificate: status %d, %.100s", path, status, body)
		}
	}

	// Another authority's certificate: the same names, and nobody.
	if err := e.impostor(stranger.credentials(), func(context.Context, *link.Link) {}); err == nil {
		t.Error("a certificate of another authority made a link")
	}
	if err := e.impostor(forged(t, stranger, own.Roots), func(context.Context, *link.Link) {}); err == nil {
		t.Error("a certificate of another authority made a link with a dialler that trusts the server")
	}

	// A node that was removed has no link any more, within 5 s, and gets none.
	south.start()
	e.linked("south")
	e.must("node", "remove", "south")
	if err := e.impostor(own, func(context.Context, *link.Link) {}); err == nil {
		t.Error("a removed agent made a link")
	}
	e.linked("north")
	if north.ended() {
		t.Error("north did not live through this")
	}
	if r := w.finish(e, id); r.State != "succeeded" {
		t.Errorf("run: got %s, want succeeded", r.State)
	}
	if out := e.must("run", "logs", id+"/wait"); out != "" {
		t.Errorf("output of the job: got %q, want none", out)
	}
}

// forge reports an end, and sends output, of an attempt that another agent runs.
func (g *guest) forge(ctx context.Context, t *testing.T, l *link.Link, id string) {
	t.Helper()
	code := 0
	attempt := wire.Attempt{Run: id, Job: "wait", N: 1}
	report, err := json.Marshal(wire.Reports{Reports: []wire.Report{{ID: 1, Attempt: attempt, Kind: wire.Ended, At: time.Now(), ExitCode: &code}}})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := call(ctx, t, l, "POST "+wire.PathReports, report); status < 400 {
		t.Errorf("a report on another agent's attempt: status %d, %s", status, body)
	}
	chunks, err := json.Marshal(wire.OutputChunks{Chunks: []wire.OutputChunk{{Attempt: attempt, Data: []byte("forged")}}})
	if err != nil {
		t.Fatal(err)
	}
	// -1 tells the sender to forget it: the server has not taken a byte.
	if status, body := call(ctx, t, l, "POST "+wire.PathOutput, chunks); status < 400 && !strings.Contains(body, `"have":-1`) {
		t.Errorf("output of another agent's attempt: status %d, %s", status, body)
	}
}

// call makes a call on a link: METHOD PATH.
func call(ctx context.Context, t *testing.T, l *link.Link, route string, body []byte) (int, string) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	req, err := http.NewRequestWithContext(ctx, method, "http://server"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := l.Client().Do(req)
	if err != nil {
		return 599, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func keyPair(t *testing.T, g *guest) tls.Certificate {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(filepath.Join(g.data, "agent.crt"), filepath.Join(g.data, "agent.key"))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// forged is what a stranger shows, with the roots of the domain that it attacks: it accepts the server.
func forged(t *testing.T, g *guest, roots []*x509.Certificate) *identity.Credentials {
	t.Helper()
	own := g.credentials()
	own.Roots = roots
	return own
}
