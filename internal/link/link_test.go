package link_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// whoami answers with who calls, so that each end can be asked by the other.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	peer, ok := link.PeerOf(r.Context())
	if !ok {
		_, _ = fmt.Fprint(w, "stranger")
		return
	}
	_, _ = fmt.Fprint(w, peer)
})

func get(ctx context.Context, client *http.Client, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link.BaseURL+path, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// pair brings up a link and returns both ends.
type pair struct {
	domain           *domain
	server           *link.Server
	dialer           *link.Dialer
	atServer, atNode <-chan *link.Link
	address          string
}

func newPair(t testing.TB, prepare func(*pair)) *pair {
	t.Helper()
	d := newDomain(t)
	atServer := make(chan *link.Link, 16)
	p := &pair{
		domain: d,
		server: &link.Server{
			TLS:     end(d.server, identity.RoleAgent).ServerConfig(),
			Options: link.Options{Handler: whoami},
			OnLink:  func(_ context.Context, l *link.Link) { atServer <- l },
		},
		dialer:   &link.Dialer{TLS: end(d.agent, identity.RoleServer).ClientConfig, Options: link.Options{Handler: whoami}},
		atServer: atServer,
	}
	if prepare != nil {
		prepare(p)
	}
	p.address = serve(t, p.server)
	p.atNode = dial(t, p.dialer, p.address)
	return p
}

func TestBothEndsCallEachOther(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	near, far := receive(t, p.atNode), receive(t, p.atServer)

	if got, err := get(t.Context(), near.Client(), "/"); err != nil || got != p.domain.agent.Identity.String() {
		t.Errorf("the agent's call was answered %q, %v; want its own name", got, err)
	}
	if got, err := get(t.Context(), far.Client(), "/"); err != nil || got != p.domain.server.Identity.String() {
		t.Errorf("the server's call was answered %q, %v; want its own name", got, err)
	}
	if near.Peer() != p.domain.server.Identity || far.Peer() != p.domain.agent.Identity {
		t.Errorf("peers are %v and %v", near.Peer(), far.Peer())
	}
	if near.Err() != nil || far.Number() != 1 {
		t.Errorf("error %v, number %d; want nil and 1", near.Err(), far.Number())
	}
	if s := p.dialer.State(); !s.Linked || s.Address != p.address || s.Err != nil {
		t.Errorf("state is %+v, want linked to %s", s, p.address)
	}
}

// The server may be the one who dials: above the link, nothing is different.
func TestServerDialsAgent(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(p *pair) {
		p.server.TLS = end(p.domain.agent, identity.RoleServer).ServerConfig()
		p.dialer.TLS = end(p.domain.server, identity.RoleAgent).ClientConfig
	})
	near, far := receive(t, p.atNode), receive(t, p.atServer)
	if got, err := get(t.Context(), near.Client(), "/"); err != nil || got != p.domain.server.Identity.String() {
		t.Errorf("the server's call was answered %q, %v; want its own name", got, err)
	}
	if got, err := get(t.Context(), far.Client(), "/"); err != nil || got != p.domain.agent.Identity.String() {
		t.Errorf("the agent's call was answered %q, %v; want its own name", got, err)
	}
}

func TestOnePortServesBrowsersAndLinks(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(p *pair) {
		p.server.Web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, isPeer := link.PeerOf(r.Context())
			_, _ = fmt.Fprintf(w, "%s tls=%t peer=%t", r.Proto, r.TLS != nil && len(r.TLS.PeerCertificates) == 0, isPeer)
		})
	})
	receive(t, p.atNode)
	for _, test := range []struct {
		protocols []string
		want      string
	}{
		{nil, "HTTP/2.0 tls=true peer=false"},
		{[]string{"http/1.1"}, "HTTP/1.1 tls=true peer=false"},
	} {
		response, err := p.domain.webClient(t, test.protocols...).Get("https://" + p.address + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(body) != test.want {
			t.Errorf("with %v: got %q, %v; want %q", test.protocols, body, err, test.want)
		}
	}
}

func TestDropEndsLinkAndItComesBack(t *testing.T) {
	t.Parallel()
	links := link.NewLinks()
	p := newPair(t, func(p *pair) { p.server.Options.Links = links })
	near, far := receive(t, p.atNode), receive(t, p.atServer)
	if got := links.Drop(far.Peer().ID, "drained"); got != 1 {
		t.Errorf("Drop ended %d links, want 1", got)
	}
	receive(t, far.Done())
	receive(t, near.Done())
	if got := far.Err(); got == nil || !strings.Contains(got.Error(), "drained") {
		t.Errorf("the server's end says %v, want the reason", got)
	}
	if got := near.Err(); !fault.Is(got, fault.Unreachable) {
		t.Errorf("the agent's end says %v, want an error of kind unreachable", got)
	}
	receive(t, p.atNode)
	if again := receive(t, p.atServer); again.Number() != 2 {
		t.Errorf("the second link has number %d, want 2", again.Number())
	}
}

func TestRequestEndsWithItsLink(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan error, 1)
	p := newPair(t, func(p *pair) {
		p.server.Options.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			left <- context.Cause(r.Context())
		})
	})
	near := receive(t, p.atNode)
	far := receive(t, p.atServer)
	answered := make(chan error, 1)
	go func() {
		_, err := get(t.Context(), near.Client(), "/")
		answered <- err
	}()
	receive(t, entered)
	far.Close("revoked")
	if cause := receive(t, left); cause == nil || !strings.Contains(cause.Error(), "revoked") {
		t.Errorf("the handler's context ended with %v, want the reason", cause)
	}
	if err := receive(t, answered); err == nil {
		t.Error("the call succeeded, want an error")
	}
}

func TestLinkEndsWithPeersCertificate(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(p *pair) {
		short := p.domain.issueFor(identity.RoleAgent, "short", time.Now(), 2500*time.Millisecond)
		p.dialer.TLS = end(short, identity.RoleServer).ClientConfig
	})
	far := receive(t, p.atServer)
	receive(t, far.Done())
	if got := far.Err(); got == nil || !strings.Contains(got.Error(), "expired") {
		t.Errorf("the link ended with %v, want the expiry", got)
	}
}
