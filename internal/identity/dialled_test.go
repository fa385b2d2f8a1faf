package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// bare is a node that no authority has signed yet, and what it is known by.
func bare(t *testing.T) (listens *tls.Config, keyHash string) {
	t.Helper()
	key := newKey(t)
	certificate, err := SelfSigned(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if keyHash, err = KeyHash(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	nobody := Endpoint{Own: func() (*Credentials, error) { return nil, errors.New("not enrolled") }}
	return nobody.DialledConfig(certificate), keyHash
}

func keyConfig(t *testing.T, own *Credentials, keyHash string) *tls.Config {
	t.Helper()
	config, err := endpoint(own).KeyConfig(keyHash)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// A node is dialled by its key: before it has a certificate, with a good one, and with one that has run out.
func TestNodesAreKnownByTheirKey(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	listens, keyHash := bare(t)
	if atNode, atServer := shake(t, listens, keyConfig(t, s.server, keyHash)); atNode != nil || atServer != nil {
		t.Errorf("a node without a certificate: %v at the node, %v at the server", atNode, atServer)
	}
	hash, err := KeyHash(&s.agent.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	later := func(e Endpoint) Endpoint {
		e.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
		return e
	}
	for what, agent := range map[string]Endpoint{"good": endpoint(s.agent, RoleServer), "run out": later(endpoint(s.agent, RoleServer))} {
		if atNode, atServer := shake(t, agent.DialledConfig(nil), keyConfig(t, s.server, hash)); atNode != nil || atServer != nil {
			t.Errorf("a certificate that is %s: %v at the node, %v at the server", what, atNode, atServer)
		}
	}
	// What has run out is told from all else that may be wrong.
	_, err = shake(t, endpoint(s.agent, RoleServer).DialledConfig(nil), later(endpoint(s.server, RoleAgent)).ClientConfig())
	if !Expired(err) {
		t.Errorf("a link to a node whose certificate has run out: %v, want one that is Expired", err)
	}
	if _, err := shake(t, listens, endpoint(s.server, RoleAgent).ClientConfig()); err == nil || Expired(err) {
		t.Errorf("a link to a node without a certificate: %v, want a refusal that is not Expired", err)
	}
}

// Whoever stands where the node should be has another key, and is told nothing: no secret, no certificate.
func TestAnotherKeyIsToldNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, keyHash := bare(t)
	middle, _ := bare(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	seen := make(chan tls.ConnectionState, 1)
	heard := make(chan int, 1)
	go func() {
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		conn := tls.Server(raw, middle)
		_ = conn.HandshakeContext(t.Context())
		b, _ := io.ReadAll(conn)
		heard <- len(b)
		seen <- conn.ConnectionState()
		_ = conn.Close()
	}()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, keyConfig(t, s.server, keyHash))
	if err := conn.HandshakeContext(t.Context()); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another key: %v, want an error of kind forbidden", err)
	}
	_ = raw.Close()
	if n, state := <-heard, <-seen; n != 0 || len(state.PeerCertificates) != 0 {
		t.Errorf("the man in the middle was sent %d bytes and %d certificates", n, len(state.PeerCertificates))
	}
	for _, bad := range []string{"", "ab", keyHash[1:], keyHash + "00"} {
		if _, err := endpoint(s.server).KeyConfig(bad); err == nil {
			t.Errorf("%q was taken for a key's hash", bad)
		}
	}
}

// shown returns what a node learns of a dialler that shows a certificate.
func shown(t *testing.T, node *tls.Config, client *tls.Config) *tls.ConnectionState {
	t.Helper()
	var state tls.ConnectionState
	config := node.Clone()
	of := node.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		found, err := of(hello)
		if err != nil {
			return nil, err
		}
		found.VerifyConnection = func(s tls.ConnectionState) error {
			state = s
			return nil
		}
		return found, nil
	}
	if atNode, _ := shake(t, config, client); atNode != nil {
		return nil // it never gets to ask anything
	}
	return &state
}

// Of all certificates that somebody may show who dials a node, only that of a server of the domain counts.
func TestDialledBy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	listens, keyHash := bare(t)
	roots := s.server.Roots
	id, authority, err := DialledBy(shown(t, listens, keyConfig(t, s.server, keyHash)), "test", roots, time.Now())
	if err != nil || id != s.server.Identity || !authority.Equal(s.authority.cert) {
		t.Errorf("the domain's own server is %v, signed by %v: %v", id, authority, err)
	}
	refuses := func(what string, state *tls.ConnectionState, domain string, roots []*x509.Certificate) {
		if id, _, err := DialledBy(state, domain, roots, time.Now()); err == nil {
			t.Errorf("%s: taken for %s", what, id)
		}
	}
	silent := keyConfig(t, s.server, keyHash)
	silent.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
	alien := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "alien", time.Now())
	good := shown(t, listens, keyConfig(t, s.server, keyHash))
	refuses("no certificate", shown(t, listens, silent), "test", roots)
	refuses("no connection", nil, "test", roots)
	refuses("another domain's name", good, "alien", roots)
	refuses("another domain's authority", good, "test", []*x509.Certificate{alien.cert})
	refuses("no authority", good, "test", nil)
	for what, spoil := range spoils(t, s, serverID("hq1")) {
		client := keyConfig(t, s.server, keyHash)
		certificate := s.forge(RoleServer, spoil)
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
		refuses(what, shown(t, listens, client), "test", roots)
	}
}

// A node without a certificate takes no links, and speaks nothing older than TLS 1.3.
func TestBareNodesTakeNoLinks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	listens, _ := bare(t)
	for what, spoil := range map[string]func(*tls.Config){
		"a link":  func(*tls.Config) {},
		"TLS 1.2": func(c *tls.Config) { c.MaxVersion, c.NextProtos = tls.VersionTLS12, []string{dialledProtocol} },
	} {
		config := rogue(s.forge(RoleServer, nil))
		spoil(config)
		if atNode, _ := shake(t, listens, config); atNode == nil {
			t.Errorf("%s: the handshake succeeded", what)
		}
	}
}

func TestParseAuthorities(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if roots, err := ParseAuthorities(s.authority.Bundle()); err != nil || len(roots) != 1 || !roots[0].Equal(s.authority.cert) {
		t.Errorf("the authority's own bundle: %v, %v", roots, err)
	}
	many := []byte{}
	for range maxRoots + 1 {
		many = append(many, s.authority.Bundle()...)
	}
	for what, text := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "a node": s.server.PEM(), "too many": many, "too long": make([]byte, maxFile+1),
		"a trailer": append(s.authority.Bundle(), "x"...),
	} {
		if roots, err := ParseAuthorities(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %d authorities, %v; want an error of kind invalid", what, len(roots), err)
		}
	}
}
