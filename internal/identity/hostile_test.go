package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// shake does a handshake over loopback and returns what each end says. The client then waits for a byte of the
// server, as a link's dialler does, because it learns only then whether its certificate was accepted.
func shake(t *testing.T, server, client *tls.Config) (atServer, atClient error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		raw, err := listener.Accept()
		if err != nil {
			result <- err
			return
		}
		conn := tls.Server(raw, server)
		err = conn.HandshakeContext(ctx)
		if err == nil {
			_, err = conn.Write([]byte{1})
		}
		result <- err
		_ = conn.Close()
	}()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, client)
	atClient = conn.HandshakeContext(ctx)
	if atClient == nil {
		_, atClient = io.ReadFull(conn, make([]byte, 1))
	}
	_ = conn.Close()
	return <-result, atClient
}

// rogue is a party that shows whatever certificate it likes, and accepts everybody.
func rogue(certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{
		NextProtos:           []string{ALPN},
		InsecureSkipVerify:   true,
		ClientAuth:           tls.RequestClientCert,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil },
		ClientSessionCache:   tls.NewLRUClientSessionCache(4),
	}
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	return config
}

// stage is a domain with a server and an agent, and a forge for certificates that its authority would never write.
type stage struct {
	t         *testing.T
	authority *Authority
	server    *Credentials
	agent     *Credentials
}

func newStage(t *testing.T) *stage {
	t.Helper()
	a := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", time.Now())
	s := &stage{t: t, authority: a}
	key := newKey(t)
	chain, err := a.IssueServer(&key.PublicKey, serverID("hq1"), []string{"127.0.0.1", "localhost"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if s.server, err = ParseCredentials(chain, key); err != nil {
		t.Fatal(err)
	}
	key = newKey(t)
	if chain, err = a.Issue(request(t, &x509.CertificateRequest{}, key), agentID("north"), time.Hour, time.Now()); err != nil {
		t.Fatal(err)
	}
	if s.agent, err = ParseCredentials(chain, key); err != nil {
		t.Fatal(err)
	}
	return s
}

func endpoint(own *Credentials, expect ...Role) Endpoint {
	return Endpoint{Own: func() (*Credentials, error) { return own, nil }, Domain: "test", Expect: expect}
}

// forgery is a certificate before it is signed, with all that can be wrong about it.
type forgery struct {
	template *x509.Certificate
	key      crypto.Signer // of the certificate
	shown    crypto.Signer // that the handshake is signed with
	parent   *x509.Certificate
	signer   crypto.Signer
	chain    [][]byte // sent after the leaf
}

// forge starts from a certificate in which nothing is wrong, for the given role, and lets spoil change it.
func (s *stage) forge(role Role, spoil func(*forgery)) *tls.Certificate {
	s.t.Helper()
	id := agentID("north")
	if role == RoleServer {
		id = serverID("hq1")
	}
	uri, err := url.Parse(id.String())
	if err != nil {
		s.t.Fatal(err)
	}
	key := newKey(s.t)
	f := &forgery{
		template: &x509.Certificate{
			SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
			Subject:               pkix.Name{CommonName: id.Name},
			KeyUsage:              x509.KeyUsageDigitalSignature,
			ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
			BasicConstraintsValid: true,
			URIs:                  []*url.URL{uri},
		},
		key: key, shown: key, parent: s.authority.cert, signer: s.authority.key,
		chain: [][]byte{s.authority.cert.Raw},
	}
	if spoil != nil {
		spoil(f)
	}
	der, err := x509.CreateCertificate(rand.Reader, f.template, f.parent, f.key.Public(), f.signer)
	if err != nil {
		s.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, f.chain...), PrivateKey: f.shown}
}

// names replaces the alternative names by raw ones: tag and bytes.
func (f *forgery) names(names ...asn1.RawValue) {
	f.template.URIs = nil
	value, err := asn1.Marshal(names)
	if err != nil {
		panic(err)
	}
	f.template.ExtraExtensions = append(f.template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
}

func name(tag int, value string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(value)}
}

// use gives the forgery another key.
func (f *forgery) use(key crypto.Signer, err error) {
	if err != nil {
		panic(err)
	}
	f.key, f.shown = key, key
}

// by lets another authority sign.
func (f *forgery) by(parent *x509.Certificate, signer crypto.Signer, chain ...[]byte) {
	f.parent, f.signer, f.chain = parent, signer, chain
}

// between makes a certificate below the real authority with which the forgery is then signed.
func (f *forgery) between(s *stage, change func(*x509.Certificate)) {
	key := newKey(s.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{CommonName: "between"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, s.authority.cert, &key.PublicKey, s.authority.key)
	if err != nil {
		s.t.Fatal(err)
	}
	parent, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	f.by(parent, key, der, s.authority.cert.Raw)
}

// spoils lists what can be wrong with a certificate, whichever end shows it. uri is the identity it should have.
func spoils(t *testing.T, s *stage, id Identity) map[string]func(*forgery) {
	uri := id.String()
	twin := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", time.Now()) // same names, another key
	alien := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "alien", time.Now())
	otherRole := map[Role]Role{RoleAgent: RoleServer, RoleServer: RoleAgent}[id.Role]
	all := map[string]func(*forgery){
		"another authority of the same name": func(f *forgery) { f.by(twin.cert, twin.key, twin.cert.Raw) },
		"another authority, ours in the chain": func(f *forgery) {
			f.by(twin.cert, twin.key, s.authority.cert.Raw)
		},
		"another domain's authority": func(f *forgery) { f.by(alien.cert, alien.key, alien.cert.Raw) },
		"self-signed":                func(f *forgery) { f.by(f.template, f.key) },
		"the other role": func(f *forgery) {
			f.names(name(tagURI, strings.Replace(uri, "/"+string(id.Role)+"/", "/"+string(otherRole)+"/", 1)))
		},
		"another domain":      func(f *forgery) { f.names(name(tagURI, strings.Replace(uri, "//test/", "//alien/", 1))) },
		"two URIs":            func(f *forgery) { f.names(name(tagURI, uri), name(tagURI, uri)) },
		"two URIs, one alien": func(f *forgery) { f.names(name(tagURI, "https://example.com/"), name(tagURI, uri)) },
		"no alternative name": func(f *forgery) { f.template.URIs = nil },
		"only a DNS name": func(f *forgery) {
			f.template.URIs = nil
			f.template.DNSNames = []string{"hq1"}
		},
		"an e-mail address":     func(f *forgery) { f.names(name(tagURI, uri), name(1, "root@example.com")) },
		"a registered id":       func(f *forgery) { f.names(name(tagURI, uri), name(8, "\x2a\x03")) },
		"64 KiB of names":       func(f *forgery) { f.names(name(tagURI, uri+strings.Repeat("a", 64<<10))) },
		"4,000 names":           func(f *forgery) { f.names(manyNames(uri)...) },
		"only for clients":      func(f *forgery) { f.template.ExtKeyUsage = f.template.ExtKeyUsage[:1] },
		"only for servers":      func(f *forgery) { f.template.ExtKeyUsage = f.template.ExtKeyUsage[1:] },
		"for signing code":      func(f *forgery) { f.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} },
		"for any use":           func(f *forgery) { f.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} },
		"for no stated use":     func(f *forgery) { f.template.ExtKeyUsage = nil },
		"for one use too many":  func(f *forgery) { f.template.ExtKeyUsage = append(f.template.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) },
		"for an unknown use":    func(f *forgery) { f.template.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} },
		"an authority as leaf":  func(f *forgery) { f.template.IsCA = true },
		"signs certificates":    func(f *forgery) { f.template.KeyUsage |= x509.KeyUsageCertSign },
		"no basic constraints":  func(f *forgery) { f.template.BasicConstraintsValid = false },
		"expired":               func(f *forgery) { f.template.NotAfter = time.Now().Add(-time.Second) },
		"not yet valid":         func(f *forgery) { f.template.NotBefore = time.Now().Add(time.Minute) },
		"signed with SHA-1":     func(f *forgery) { f.template.SignatureAlgorithm = x509.ECDSAWithSHA1 },
		"signed with SHA-512":   func(f *forgery) { f.template.SignatureAlgorithm = x509.ECDSAWithSHA512 },
		"an RSA key, 1024 bits": func(f *forgery) { f.use(rsa.GenerateKey(rand.Reader, 1024)) },
		"an RSA key, 2048 bits": func(f *forgery) { f.use(rsa.GenerateKey(rand.Reader, 2048)) },
		"a P-224 key":           func(f *forgery) { f.use(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)) },
		"a P-384 key":           func(f *forgery) { f.use(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) },
		"an Ed25519 key":        func(f *forgery) { _, key, err := ed25519.GenerateKey(rand.Reader); f.use(key, err) },
		"another's certificate": func(f *forgery) { f.shown = newKey(t) },
		"a path too long":       func(f *forgery) { f.between(s, func(*x509.Certificate) {}) },
		"signed by an agent": func(f *forgery) {
			f.between(s, func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = x509.KeyUsageDigitalSignature })
		},
		"a name constraint": func(f *forgery) {
			f.between(s, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"alien"} })
		},
		"signed by a real agent": func(f *forgery) { f.by(s.agent.Leaf, s.agent.key, s.agent.Leaf.Raw, s.authority.cert.Raw) },
		"an unknown extension": func(f *forgery) {
			f.template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		},
		"two lists of names": func(f *forgery) { f.names(name(tagURI, uri)); f.names(name(tagURI, uri)) },
		"a trailer": func(f *forgery) {
			f.names(name(tagURI, uri))
			f.template.ExtraExtensions[0].Value = append(f.template.ExtraExtensions[0].Value, 0)
		},
	}
	if id.Role == RoleAgent {
		all["an agent with a host name"] = func(f *forgery) { f.template.DNSNames = []string{"hq1"} }
		all["an agent with an address"] = func(f *forgery) { f.template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }
	}
	for what, bad := range badURIs() {
		all["URI: "+what] = func(f *forgery) { f.names(name(tagURI, bad)) }
	}
	return all
}

func manyNames(uri string) []asn1.RawValue {
	names := []asn1.RawValue{name(tagURI, uri)}
	for range 4000 {
		names = append(names, name(tagDNS, "hq1.example.com"))
	}
	names = append(names, name(tagURI, "reeve://test/server/hq9/abcdefgh9999"))
	return names
}

// TestHostileCertificates shows every bad certificate to each end, in both directions of the dial: by an agent to a
// server and by a server to an agent.
func TestHostileCertificates(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, side := range []struct {
		peer Identity // who the rogue pretends to be
		own  *Credentials
	}{
		{agentID("north"), s.server},
		{serverID("hq1"), s.agent},
	} {
		guard := endpoint(side.own, side.peer.Role)
		try := func(t *testing.T, certificate *tls.Certificate) (accepting, dialling error) {
			accepting, _ = shake(t, guard.ServerConfig(), rogue(certificate))
			_, dialling = shake(t, rogue(certificate), guard.ClientConfig())
			return accepting, dialling
		}
		t.Run(string(side.peer.Role)+"/good", func(t *testing.T) {
			t.Parallel()
			if accepting, dialling := try(t, s.forge(side.peer.Role, nil)); accepting != nil || dialling != nil {
				t.Errorf("a certificate in which nothing is wrong: %v when accepting, %v when dialling", accepting, dialling)
			}
		})
		for what, spoil := range spoils(t, s, side.peer) {
			t.Run(string(side.peer.Role)+"/"+what, func(t *testing.T) {
				t.Parallel()
				accepting, dialling := try(t, s.forge(side.peer.Role, spoil))
				if accepting == nil {
					t.Error("the accepting end took it")
				}
				if dialling == nil {
					t.Error("the dialling end took it")
				}
			})
		}
	}
}

func TestHostileHandshakes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	good := s.forge(RoleAgent, nil)
	for what, spoil := range map[string]func(*tls.Config){
		"no certificate":          func(c *tls.Config) { c.GetClientCertificate = nil },
		"TLS 1.2":                 func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"TLS 1.0":                 func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
		"no certificate, both":    func(c *tls.Config) { c.GetClientCertificate = nil; c.NextProtos = []string{"h2", ALPN, "http/1.1"} },
		"TLS 1.2 for browsers":    func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12; c.NextProtos = nil },
		"another protocol's name": func(c *tls.Config) { c.NextProtos = []string{"reeve/2"} },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			config := rogue(good)
			spoil(config)
			if accepting, _ := shake(t, endpoint(s.server, RoleAgent).ServerConfig(), config); accepting == nil {
				t.Error("the handshake succeeded")
			}
		})
	}
}

// Browsers are not asked for a certificate, and one who offers it has no identity by it.
func TestBrowsersAreNotAsked(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	client := rogue(nil)
	client.NextProtos = []string{"h2", "http/1.1"}
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t.Error("the server asked a browser for a certificate")
		return &tls.Certificate{}, nil
	}
	if accepting, dialling := shake(t, endpoint(s.server, RoleAgent).ServerConfig(), client); accepting != nil || dialling != nil {
		t.Errorf("a browser's handshake: %v and %v", accepting, dialling)
	}
}

// A revoked node finds no way in with a session that it saved: there are none, and each handshake asks anew.
func TestNoResumptionAndRevocation(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	revoked := false
	guard := endpoint(s.server, RoleAgent)
	guard.Allowed = func(id Identity, cert *x509.Certificate) error {
		if id != s.agent.Identity || !cert.Equal(s.agent.Leaf) {
			t.Errorf("Allowed was asked about %v", id)
		}
		if revoked {
			return errors.New("the node was removed")
		}
		return nil
	}
	server, client := guard.ServerConfig(), rogue(s.agent.tlsCertificate())
	resumed := 0
	client.VerifyConnection = func(state tls.ConnectionState) error {
		if state.DidResume {
			resumed++
		}
		return nil
	}
	for range 2 {
		if accepting, dialling := shake(t, server, client); accepting != nil || dialling != nil {
			t.Fatalf("before the revocation: %v and %v", accepting, dialling)
		}
	}
	revoked = true
	if accepting, _ := shake(t, server, client); accepting == nil || !strings.Contains(accepting.Error(), "the node was removed") {
		t.Errorf("after the revocation: %v, want it refused with the reason", accepting)
	}
	if resumed > 0 {
		t.Errorf("%d sessions were resumed, want none", resumed)
	}
}

// A renewed certificate and a changed authority take effect in the next handshake of the same configuration.
func TestRenewalTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	s, other := newStage(t), newStage(t)
	current := s.server
	guard := Endpoint{Own: func() (*Credentials, error) { return current, nil }, Domain: "test", Expect: []Role{RoleAgent}}
	server := guard.ServerConfig()
	client := endpoint(s.agent, RoleServer)
	if accepting, dialling := shake(t, server, client.ClientConfig()); accepting != nil || dialling != nil {
		t.Fatalf("before: %v and %v", accepting, dialling)
	}
	current = other.server // the authority was rotated out
	if _, dialling := shake(t, server, client.ClientConfig()); !fault.Is(dialling, fault.Forbidden) {
		t.Errorf("after the change the client says %v, want it refused", dialling)
	}
	if accepting, _ := shake(t, server, rogue(s.agent.tlsCertificate())); accepting == nil {
		t.Error("after the change the server took a certificate of the authority that is out")
	}
}

// The post-quantum hello is the default, and can be switched off where a firewall drops it.
func TestClassicOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for classic, want := range map[bool]tls.CurveID{false: tls.X25519MLKEM768, true: tls.X25519} {
		end := endpoint(s.agent, RoleServer)
		end.ClassicOnly = classic
		config := end.ClientConfig()
		var got tls.CurveID
		verify := config.VerifyConnection
		config.VerifyConnection = func(state tls.ConnectionState) error {
			got = state.CurveID
			return verify(state)
		}
		if accepting, dialling := shake(t, endpoint(s.server, RoleAgent).ServerConfig(), config); accepting != nil || dialling != nil {
			t.Errorf("classic %t: %v and %v", classic, accepting, dialling)
		}
		if got != want {
			t.Errorf("classic %t: the keys were exchanged with %v, want %v", classic, got, want)
		}
	}
}

func TestFirstContactAndPin(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	twin := newStage(t) // the same names, made by somebody else
	real, fake := endpoint(s.server, RoleAgent).ServerConfig(), endpoint(twin.server, RoleAgent).ServerConfig()

	pinned, err := Pinned(s.authority.Fingerprint(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, real, pinned); err != nil {
		t.Errorf("the pinned server: %v", err)
	}
	if _, err := shake(t, fake, pinned); err == nil || !strings.Contains(err.Error(), "intercepts") {
		t.Errorf("a server in the middle: %v, want it refused with what to do", err)
	}
	if _, err := Pinned("abc", time.Now); err == nil {
		t.Error("Pinned took a short fingerprint")
	}

	var seen string
	look := FirstContact(time.Now, func(authority *x509.Certificate, server Identity) error {
		seen = Fingerprint(authority) + " " + server.Name
		return errors.New("no")
	})
	if _, err := shake(t, real, look); err == nil || seen != s.authority.Fingerprint()+" hq1" {
		t.Errorf("first contact saw %q and ended with %v; want the real fingerprint, and the refusal", seen, err)
	}
}

func TestPinRefuses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pinned, err := Pinned(s.authority.Fingerprint(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	web := func(certificate *tls.Certificate) *tls.Config {
		config := rogue(certificate)
		config.NextProtos, config.ClientAuth = nil, tls.NoClientCert
		return config
	}
	if _, err := shake(t, web(s.forge(RoleServer, nil)), pinned); err != nil {
		t.Errorf("a server in which nothing is wrong: %v", err)
	}
	all := spoils(t, s, serverID("hq1"))
	delete(all, "another domain") // who knows only a fingerprint trusts whatever domain that authority signs
	all["an agent"] = func(f *forgery) { f.names(name(tagURI, agentID("north").String())) }
	all["the authority is not sent"] = func(f *forgery) { f.chain = nil }
	all["too many certificates"] = func(f *forgery) {
		for range maxRoots {
			f.chain = append(f.chain, s.authority.cert.Raw)
		}
	}
	for what, spoil := range all {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if _, err := shake(t, web(s.forge(RoleServer, spoil)), pinned); err == nil {
				t.Error("the joining end took it")
			}
		})
	}
}

func FuzzFromCertificate(f *testing.F) {
	a := openAuthority(f, filepath.Join(f.TempDir(), "ca"), "test", noon)
	key := newKey(f)
	chain, err := a.Issue(request(f, &x509.CertificateRequest{}, key), agentID("north"), AgentLife, noon)
	if err != nil {
		f.Fatal(err)
	}
	certs, err := decodeCertificates(chain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(certs[0].Raw)
	f.Add(certs[1].Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		id, err := FromCertificate(cert)
		if err != nil {
			return
		}
		if again, err := Parse(id.String()); err != nil || again != id || cert.IsCA || len(cert.URIs) != 1 {
			t.Errorf("accepted %+v, which does not hold up: %v", id, err)
		}
	})
}
