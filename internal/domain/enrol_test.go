package domain_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// stranger is what answers where an agent should wait. It has the agent's key, and says what the test wants.
type stranger struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	code    identity.Code
	address string

	mu    sync.Mutex
	says  map[string]http.HandlerFunc // by path; others are good answers
	asked []string
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	s := &stranger{t: t, key: newKey(t), says: map[string]http.HandlerFunc{}}
	var err error
	if s.code, err = identity.MintCode(rand.Reader, &s.key.PublicKey); err != nil {
		t.Fatal(err)
	}
	bare, err := identity.SelfSigned(s.key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	nobody := identity.Endpoint{Own: func() (*identity.Credentials, error) { return nil, errors.New("not enrolled") }}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		one := link.Server{Listener: l, TLS: nobody.DialledConfig(bare), Web: s, Options: link.Options{Log: slog.New(slog.DiscardHandler)}}
		ended <- one.Run(serving)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := identity.OpenKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (s *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.Path)
	says := s.says[r.URL.Path]
	s.mu.Unlock()
	switch {
	case says != nil:
		says(w, r)
	case r.URL.Path == wire.PathEnrolOffer || r.URL.Path == wire.PathRecover:
		_ = json.NewEncoder(w).Encode(wire.CertificateRequest{CSR: request(s.t, s.key)})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func request(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := identity.NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// enroller is one of a server of the site's domain.
func (s *site) enroller() *domain.Enroller {
	s.t.Helper()
	key := newKey(s.t)
	authority := s.people.Authority
	id := identity.Identity{Domain: authority.Domain(), Role: identity.RoleServer, Name: "hq1", ID: "server00001"}
	chain, err := authority.IssueServer(&key.PublicKey, id, nil, time.Hour, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	own, err := identity.ParseCredentials(chain, key)
	if err != nil {
		s.t.Fatal(err)
	}
	endpoint := identity.Endpoint{Own: func() (*identity.Credentials, error) { return own, nil }, Domain: authority.Domain()}
	return &domain.Enroller{Registry: s.people, TLS: endpoint.KeyConfig, Dial: func(ctx context.Context, _ ports.RoleKind, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}}
}

func (s *site) nodes() (names []string) {
	s.t.Helper()
	nodes, err := s.store.ListNodes(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// Whatever an agent answers, it comes to an error with one clean sentence, or to a node that is exactly what the person
// ordered.
func TestEnrollingHostileAgents(t *testing.T) {
	t.Parallel()
	d := open(t)
	e := d.enroller()
	order := func(s *stranger, name string) domain.Enrolment {
		return domain.Enrolment{Name: name, Address: s.address, Code: s.code, Labels: map[string]string{"site": "north"}, Audit: store.AuditRecord{At: time.Now(), By: "test", Action: "node.enrol", Object: name}}
	}
	other := newKey(t)
	for what, c := range map[string]struct {
		path string
		says http.HandlerFunc
		kind fault.Kind
		node bool // it is stored: the agent may have its certificate
	}{
		"a request for another key": {wire.PathEnrolOffer, func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(wire.CertificateRequest{CSR: request(t, other)})
		}, fault.Forbidden, false},
		"no request":        {wire.PathEnrolOffer, says(200, `{}`), fault.Invalid, false},
		"no JSON":           {wire.PathEnrolOffer, says(200, `<html>`), fault.Unreachable, false},
		"an endless answer": {wire.PathEnrolOffer, says(200, `{"csr":"`+strings.Repeat("A", 8<<20)), fault.Unreachable, false},
		"a large request":   {wire.PathEnrolOffer, says(200, `{"csr":"`+strings.Repeat("A", 32<<10)+`"}`), fault.Invalid, false},
		"another place": {wire.PathEnrolOffer, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://agent/elsewhere", http.StatusTemporaryRedirect)
		}, fault.Unreachable, false},
		"a refusal":                 {wire.PathEnrolOffer, says(403, `{"detail":"no \u001b[2Jwith a screen cleared\u0007","fix":"a\nb"}`), fault.Forbidden, false},
		"a conflict":                {wire.PathEnrolOffer, says(409, `{"detail":"used"}`), fault.Conflict, false},
		"that it is busy":           {wire.PathEnrolOffer, says(429, ``), fault.Busy, false},
		"its own trouble":           {wire.PathEnrolOffer, says(500, `{"detail":"the disk is full"}`), fault.Unreachable, false},
		"a refusal of the grant":    {wire.PathEnrolGrant, says(409, `{"detail":"no"}`), fault.Conflict, true},
		"nothing more":              {wire.PathEnrolGrant, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unreachable, true},
		"that its own disk is full": {wire.PathEnrolGrant, says(507, ``), fault.Unreachable, true},
	} {
		name := strings.ToLower(strings.ReplaceAll(what, " ", "-"))
		s := newStranger(t)
		s.says[c.path] = c.says
		before := len(d.nodes())
		_, err := e.Enrol(t.Context(), order(s, name))
		if !fault.Is(err, c.kind) {
			t.Errorf("%s: %v (kind %d), want kind %d", what, err, fault.KindOf(err), c.kind)
			continue
		}
		if text := err.Error(); strings.ContainsAny(text, "\x1b\x07\n") || len(text) > 2000 || strings.Contains(text, s.code.Secret) {
			t.Errorf("%s: the error is %q", what, text)
		}
		if stored := len(d.nodes()) > before; stored != c.node {
			t.Errorf("%s: a node is stored: %v, want %v", what, stored, c.node)
		}
		// The same agent, once it behaves: the same order gives the node that may have been stored.
		was, _ := d.store.NodeByName(t.Context(), name)
		delete(s.says, c.path)
		n, err := e.Enrol(t.Context(), order(s, name))
		if err != nil || n.Name != name || n.Role != "agent" || n.KeyHash != s.code.Key || n.Labels["site"] != "north" || len(n.Addresses) != 1 || n.Addresses[0] != s.address || was.ID != "" && was.ID != n.ID {
			t.Errorf("%s, and then as it should: %+v, %v", what, n, err)
		}
	}
}

// A desk agent is dialled on the rows of desk agents, told what it is enrolled as, and stored as that; it dials no server.
func TestEnrollingADeskAgent(t *testing.T) {
	t.Parallel()
	d := open(t)
	e := d.enroller()
	e.Addresses = func(string) []string { return []string{"hq1:7373"} }
	dial := e.Dial
	var dialled []ports.RoleKind
	e.Dial = func(ctx context.Context, kind ports.RoleKind, address string) (net.Conn, error) {
		dialled = append(dialled, kind)
		return dial(ctx, kind, address)
	}
	for _, desk := range []bool{true, false} {
		s := newStranger(t)
		grants := make(chan wire.EnrolGrant, 1)
		s.says[wire.PathEnrolGrant] = func(_ http.ResponseWriter, r *http.Request) {
			var in wire.EnrolGrant
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			grants <- in
		}
		want := domain.Enrolment{Name: "pc7", Address: s.address, Code: s.code, Desk: desk}
		kind, plays, addresses := wire.Desk, ports.Desk, 0
		if !desk {
			want.Name, kind, plays, addresses = "north", "", ports.Agent, 1
		}
		n, err := e.Enrol(t.Context(), want)
		if err != nil || n.Plays() != plays || n.Role != "agent" {
			t.Errorf("enrolled: %+v, %v; want it to play %s", n, err, plays)
		}
		if in := <-grants; in.Kind != kind || len(in.Addresses) != addresses {
			t.Errorf("it was told %q and %v, want %q and %d addresses of servers", in.Kind, in.Addresses, kind, addresses)
		}
		if last := dialled[len(dialled)-1]; last != plays {
			t.Errorf("it was dialled as %s, want %s", last, plays)
		}
		agents, err := d.people.Refresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range agents {
			if a.Name == want.Name && a.Desk != desk {
				t.Errorf("the fleet is told that it is a desk agent: %v, want %v", a.Desk, desk)
			}
		}
	}
}

// Two orders at once for one agent, or for one name, make one node.
func TestEnrolmentsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	e := d.enroller()
	s, twin := newStranger(t), newStranger(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	good := map[string]int{}
	for i := range 30 {
		name, agent := "north", s
		if i%3 == 1 {
			name = "south"
		}
		if i%3 == 2 {
			agent = twin
		}
		all.Go(func() {
			if _, err := e.Enrol(t.Context(), domain.Enrolment{Name: name, Address: agent.address, Code: agent.code}); err == nil {
				mu.Lock()
				good[name+" "+agent.code.Key]++
				mu.Unlock()
			} else if !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	keys, names := map[string]string{}, map[string]bool{}
	nodes, err := d.store.ListNodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if names[n.Name] || keys[n.KeyHash] != "" {
			t.Errorf("%s is there twice, or its key", n.Name)
		}
		names[n.Name], keys[n.KeyHash] = true, n.Name
		if good[n.Name+" "+n.KeyHash] == 0 {
			t.Errorf("%s is a node, and nobody was told so", n.Name)
		}
	}
	if len(good) != len(nodes) {
		t.Errorf("enrolled: %v, of which %d are nodes", good, len(nodes))
	}
}

// A renewal by a server's dial is for the node that is bound to the key, and counted once for each that was given.
func TestRecoveringHostileAgents(t *testing.T) {
	t.Parallel()
	d := open(t)
	e := d.enroller()
	s := newStranger(t)
	n, err := e.Enrol(t.Context(), domain.Enrolment{Name: "north", Address: s.address, Code: s.code})
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", s.address) }
	var got wire.Certificate
	s.says[wire.PathRecoverGrant] = func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusNoContent)
	}
	if err := e.Recover(t.Context(), n, dial); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(got.Certificate))
	if block == nil {
		t.Fatal("no certificate came")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := identity.FromCertificate(cert); err != nil || id.ID != n.ID || id.Name != "north" || !s.key.PublicKey.Equal(cert.PublicKey) {
		t.Errorf("the certificate is for %v (%v)", id, err)
	}
	s.says[wire.PathRecover] = func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(wire.CertificateRequest{CSR: request(t, newKey(t))})
	}
	if err := e.Recover(t.Context(), n, dial); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a request for another key: %v, want a refusal", err)
	}
	delete(s.says, wire.PathRecover)
	impostor := newStranger(t)
	there := func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", impostor.address)
	}
	if err := e.Recover(t.Context(), n, there); !fault.Is(err, fault.Forbidden) || len(impostor.asked) > 0 {
		t.Errorf("another key at its address: %v, and it was asked %v", err, impostor.asked)
	}
	if now, err := d.store.Node(t.Context(), n.ID); err != nil || now.Recovered != 1 {
		t.Errorf("recovered %d times (%v), want once", now.Recovered, err)
	}
	if _, err := d.service.ControlNode(d.admin(), "north", "remove"); err != nil {
		t.Fatal(err)
	}
	if err := e.Recover(t.Context(), n, dial); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a node that was removed: %v, want a refusal", err)
	}
}
