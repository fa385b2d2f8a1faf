//go:build linux

package agent

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// waiter is a host whose agent waits to be enrolled by a server's dial.
type waiter struct {
	*host
	codes   chan string
	listens chan string // each address at which it has begun to listen
}

func newWaiter(t testing.TB, s *fakeServer) *waiter {
	t.Helper()
	sockets := sockettest.Net(t) // before the host: it looks for open sockets after the agent's end
	w := &waiter{host: newHost(t, s), codes: make(chan string, 16), listens: make(chan string, 16)}
	w.config = func(c *Config) {
		c.Join, c.Enrol = "", true
		c.Rows = Rows{Await: []string{sockettest.Service}}
		c.Code = func(text string) error {
			w.codes <- text
			return nil
		}
		c.Listen = func(ctx context.Context, row string) ([]net.Listener, error) {
			l, err := sockets.Listen(ctx, row, "127.0.0.1")
			if err != nil {
				return nil, err
			}
			w.listens <- l.Addr().String()
			return []net.Listener{l}, nil
		}
	}
	return w
}

// waits starts the agent and returns where it listens and the code that it shows.
func (w *waiter) waits() (address string, code identity.Code) {
	w.t.Helper()
	w.start()
	address = soon(w.t, w.listens, "the agent listens")
	code, err := identity.ParseCode(soon(w.t, w.codes, "the agent shows a code"))
	if err != nil {
		w.t.Fatal(err)
	}
	return address, code
}

// serves waits until the agent, which has just been enrolled, has a link.
func (w *waiter) serves() {
	w.t.Helper()
	w.server.dialsLinks(soon(w.t, w.listens, "the agent serves links"))
	w.server.linked(1)
}

func soon[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("never came: " + what)
		panic("unreachable")
	}
}

// dialler is a server that dials an agent over HTTPS.
type dialler struct {
	t       testing.TB
	own     *identity.Credentials // what it shows; nil: nothing
	key     string                // of the agent
	address string
	from    string // its own address; empty: any
}

// call asks one thing over a connection of its own.
func (d dialler) call(path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.send(path, bytes.NewReader(body), out)
}

func (d dialler) send(path string, body io.Reader, out any) error {
	client, err := d.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	text, err := io.ReadAll(body)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	return postBytes(ctx, client, "https://agent"+path, text, out)
}

func (d dialler) client() (*http.Client, error) {
	config, err := identity.Endpoint{Own: func() (*identity.Credentials, error) { return d.own, nil }, Domain: testDomain}.KeyConfig(d.key)
	if err != nil {
		return nil, err
	}
	if d.own == nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		nd := net.Dialer{Timeout: 10 * time.Second}
		if d.from != "" {
			nd.LocalAddr = &net.TCPAddr{IP: net.ParseIP(d.from)}
		}
		return nd.DialContext(ctx, "tcp", d.address)
	}}}, nil
}

// offer is what the server says first.
func (s *fakeServer) offer(code identity.Code) wire.EnrolOffer {
	return wire.EnrolOffer{Secret: code.Secret, Domain: testDomain, Name: "north", Authority: string(s.authority.Bundle()), Kind: s.kind}
}

// sign answers a certificate request.
func (s *fakeServer) sign(request string, id identity.Identity, life time.Duration) string {
	s.t.Helper()
	csr, err := parseRequest(request)
	if err != nil {
		s.t.Fatal(err)
	}
	chain, err := s.authority.Issue(csr, id, life, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(chain[:bytes.Index(chain, []byte("-----END CERTIFICATE-----\n"))]) + "-----END CERTIFICATE-----\n"
}

func agentOf(node string) identity.Identity {
	return identity.Identity{Domain: testDomain, Role: identity.RoleAgent, Name: "north", ID: node}
}

const enrolledAs = "agent9000001"

// grant does the whole of an enrolment.
func (s *fakeServer) grant(d dialler, code identity.Code) error {
	s.t.Helper()
	var answer wire.CertificateRequest
	if err := d.call(wire.PathEnrolOffer, s.offer(code), &answer); err != nil {
		return err
	}
	s.mu.Lock()
	life := s.life
	s.mu.Unlock()
	return d.call(wire.PathEnrolGrant, wire.EnrolGrant{EnrolOffer: s.offer(code), NodeID: enrolledAs, Certificate: s.sign(answer.CSR, agentOf(enrolledAs), life)}, nil)
}

func (s *fakeServer) dials(address string, code identity.Code) dialler {
	return dialler{t: s.t, own: s.own, key: code.Key, address: address}
}

// dialsLinks keeps a link to the agent, until the test ends.
func (s *fakeServer) dialsLinks(address string) {
	endpoint := identity.Endpoint{Own: func() (*identity.Credentials, error) { return s.own, nil }, Domain: testDomain, Expect: []identity.Role{identity.RoleAgent}}
	d := &link.Dialer{
		Targets: func() []link.Target { return []link.Target{{Address: address}} },
		Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", to.Address)
		},
		TLS: endpoint.ClientConfig, Options: link.Options{Handler: s.handler()}, Backoff: link.Backoff{Least: 10 * time.Millisecond, Most: 50 * time.Millisecond},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- d.Run(ctx, func(ctx context.Context, l *link.Link) {
			s.change(func() { s.links = append(s.links, l) })
			<-ctx.Done()
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("dialling: %v", err)
		}
	})
}

func wantAnswer(t testing.TB, err error, code int, parts ...string) {
	t.Helper()
	var a *answer
	if !errors.As(err, &a) || a.code != code {
		t.Errorf("got %v, want an answer of status %d", err, code)
		return
	}
	for _, p := range parts {
		if !strings.Contains(a.detail+"; "+a.fix, p) {
			t.Errorf("got %q, %q, want %q in it", a.detail, a.fix, p)
		}
	}
}

// agent is a node of the domain.
func (s *fakeServer) agent(name string) *identity.Credentials {
	s.t.Helper()
	key, err := identity.OpenKey(filepath.Join(s.t.TempDir(), "key"))
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := identity.NewRequest(key)
	if err != nil {
		s.t.Fatal(err)
	}
	csr, err := identity.ParseRequest(der)
	if err != nil {
		s.t.Fatal(err)
	}
	chain, err := s.authority.Issue(csr, identity.Identity{Domain: testDomain, Role: identity.RoleAgent, Name: name, ID: "agent8000001"}, time.Hour, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	own, err := identity.ParseCredentials(chain, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return own
}

// otherRequest is a certificate request by a key that is not the agent's.
func otherRequest(t testing.TB) string {
	t.Helper()
	key, err := identity.OpenKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	csr, err := (&member{key: key}).request()
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func parseRequest(text string) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return identity.ParseRequest(block.Bytes)
}

// agentKey is the key of nobody.
func (s *fakeServer) agentKey() *ecdsa.PrivateKey {
	s.t.Helper()
	key, err := identity.OpenKey(filepath.Join(s.t.TempDir(), "key"))
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}
