package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// dialledProtocol is what a server speaks with an agent before there can be a link: plain HTTP.
const dialledProtocol = "http/1.1"

// SelfSigned returns what a node shows as long as no authority has signed it. Only its key counts: a server that dials
// knows it by KeyHash.
func SelfSigned(key *ecdsa.PrivateKey, now time.Time) (*tls.Certificate, error) {
	serial, err := newSerial(rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "reeve node, not enrolled"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(maxLife),
		KeyUsage: x509.KeyUsageDigitalSignature, SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate of one's own: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// DialledConfig returns the configuration of a listener on which servers dial this node: for its link, and over HTTPS
// to enrol it or to bring it a certificate where its own has run out. Without credentials it shows bare, and takes no
// links. Over HTTPS it asks for a certificate and judges none: that is for who answers (DialledBy), because what is
// trusted depends on what is asked.
func (e Endpoint) DialledConfig(bare *tls.Certificate) *tls.Config {
	config := e.base()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, ALPN) {
			return e.linkConfig()
		}
		web := e.base()
		web.NextProtos = []string{dialledProtocol}
		web.ClientAuth = tls.RequestClientCert
		web.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			own, err := e.Own()
			if err != nil {
				return bare, nil //nolint:nilerr // not enrolled yet
			}
			return own.tlsCertificate(), nil
		}
		return web, nil
	}
	return config
}

// KeyConfig returns the configuration of one HTTPS dial to a node of which only the key is known, by its KeyHash. The
// handshake ends before anything is sent, this node's certificate included, where another key answers.
func (e Endpoint) KeyConfig(keyHash string) (*tls.Config, error) {
	if err := CheckFingerprint(keyHash); err != nil {
		return nil, err
	}
	config := e.base()
	config.NextProtos = []string{dialledProtocol}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return e.ownCertificate() }
	// No authority need have signed it, and it may have run out; VerifyConnection always runs.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if state.DidResume || len(state.PeerCertificates) == 0 {
			return refused("none was shown")
		}
		sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
		got := hex.EncodeToString(sum[:])
		if subtle.ConstantTimeCompare([]byte(got), []byte(keyHash)) != 1 {
			return fault.New(fault.Forbidden, "refusing node: the key that answers has the fingerprint "+got+", not "+keyHash,
				"check the address, and that nothing on the way intercepts TLS")
		}
		return nil
	}
	return config, nil
}

// DialledBy returns which server has dialled, by the certificate that it shows: one of the domain, signed by one of the
// authorities. It also returns that authority.
func DialledBy(state *tls.ConnectionState, domain string, roots []*x509.Certificate, now time.Time) (Identity, *x509.Certificate, error) {
	if state == nil || state.DidResume || len(state.PeerCertificates) == 0 {
		return Identity{}, nil, refused("none was shown")
	}
	leaf := state.PeerCertificates[0]
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return Identity{}, nil, explain(err)
	}
	id, err := FromCertificate(leaf)
	if err != nil {
		return Identity{}, nil, err
	}
	if id.Role != RoleServer || id.Domain != domain {
		return Identity{}, nil, fault.Newf(fault.Forbidden, "refusing certificate: %s is not a server of the domain %q", id, clip(domain))
	}
	chain := chains[0]
	return id, chain[len(chain)-1], nil
}

// ParseAuthorities reads the certificates of a domain's authorities (PEM), 1 to 8 of them.
func ParseAuthorities(text []byte) ([]*x509.Certificate, error) {
	if len(text) > maxFile {
		return nil, fault.Newf(fault.Invalid, "reading authorities: %d bytes, at most %d", len(text), maxFile)
	}
	certs, err := decodeCertificates(text)
	if err != nil {
		return nil, err
	}
	if len(certs) == 0 || len(certs) > maxRoots || slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return !c.IsCA }) {
		return nil, fault.Newf(fault.Invalid, "reading authorities: expected 1 to %d certificates of authorities", maxRoots)
	}
	return certs, nil
}

// Expired reports whether a handshake failed because the other end's certificate has run out.
func Expired(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}
