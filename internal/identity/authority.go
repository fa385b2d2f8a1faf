package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	// AgentLife is how long an agent's certificate is valid.
	AgentLife = 24 * time.Hour

	authorityLife = 10 * 365 * 24 * time.Hour
	backdate      = time.Minute // so that a node whose clock is a little behind can use its certificate at once
	maxLife       = 90 * 24 * time.Hour
	authorityFile = "authority.pem" // key and certificate in one file: it is there whole, or not at all
)

// Authority signs the certificates of one domain. It may be called from many goroutines.
type Authority struct {
	domain string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	rand   io.Reader
}

// OpenAuthority loads the domain's authority from dir, or makes it there at the first start. An empty domain means the
// one that is there, which must then exist. It refuses a folder or file that others may read, another domain's
// authority, and a clock outside of the authority's life. Serial numbers are drawn from rand.
func OpenAuthority(dir, domain string, now time.Time, rand io.Reader) (*Authority, error) {
	if domain != "" {
		if err := CheckDomain(domain); err != nil {
			return nil, err
		}
	}
	if err := privateDir(dir); err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	path := filepath.Join(dir, authorityFile)
	a, err := loadAuthority(path, rand)
	if errors.Is(err, fs.ErrNotExist) && domain != "" {
		if err := makeAuthority(path, domain, now, rand); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("making authority: %w", err)
		}
		a, err = loadAuthority(path, rand)
	}
	if err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	if domain != "" && a.domain != domain {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("opening authority: %s belongs to the domain %q, not %q", dir, a.domain, domain),
			"use the folder of the domain that you want, or leave the domain's name away")
	}
	if err := checkClock(a.cert, now); err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	return a, nil
}

// Domain returns the name of the domain.
func (a *Authority) Domain() string { return a.domain }

// Fingerprint returns the SHA-256 of the authority's certificate in lower-case hex: what tokens carry and people compare.
func (a *Authority) Fingerprint() string { return Fingerprint(a.cert) }

// Certificate returns the authority's certificate. It must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Bundle returns the certificates that a node of the domain trusts, as PEM.
func (a *Authority) Bundle() []byte { return encodeCertificate(a.cert.Raw) }

// Issue signs a certificate for an agent and returns it as PEM, followed by the authority's. Of the request only the
// public key counts, once the request's signature has shown that the sender has the private one: whatever else it asks
// for is not read.
func (a *Authority) Issue(csr *x509.CertificateRequest, id Identity, ttl time.Duration, now time.Time) ([]byte, error) {
	if id.Role != RoleAgent {
		return nil, fault.Newf(fault.Forbidden, "issuing certificate: the role %q cannot be asked for", id.Role)
	}
	pub, err := nodeKey(csr.PublicKey) // before the signature: a strange key may be slow to check
	if err != nil {
		return nil, fmt.Errorf("issuing certificate: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fault.Wrap(fault.Forbidden, "issuing certificate: checking the request's signature", err)
	}
	return a.sign(pub, id, nil, life{now, ttl})
}

// IssueServer signs a certificate for a server's public key and returns it as PEM, followed by the authority's. The
// hosts (names or addresses) are for browsers and other clients that look at them; nodes ignore them.
func (a *Authority) IssueServer(key crypto.PublicKey, id Identity, hosts []string, ttl time.Duration, now time.Time) ([]byte, error) {
	if id.Role != RoleServer {
		return nil, fault.Newf(fault.Invalid, "issuing server certificate: the role is %q", id.Role)
	}
	pub, err := nodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("issuing server certificate: %w", err)
	}
	return a.sign(pub, id, hosts, life{now, ttl})
}

type life struct {
	now time.Time
	ttl time.Duration
}

func (a *Authority) sign(pub *ecdsa.PublicKey, id Identity, hosts []string, l life) ([]byte, error) {
	if err := id.Validate(); err != nil {
		return nil, fmt.Errorf("issuing certificate: %w", err)
	}
	if id.Domain != a.domain {
		return nil, fault.Newf(fault.Forbidden, "issuing certificate: domain %q is not %q", id.Domain, a.domain)
	}
	if l.ttl <= 0 || l.ttl > maxLife {
		return nil, fault.Newf(fault.Invalid, "issuing certificate: a life of %v, expected up to %v", l.ttl, maxLife)
	}
	if pub.Equal(&a.key.PublicKey) {
		return nil, refused("its key is the authority's own")
	}
	if err := checkClock(a.cert, l.now); err != nil {
		return nil, fmt.Errorf("issuing certificate: %w", err)
	}
	serial, err := newSerial(a.rand)
	if err != nil {
		return nil, err
	}
	uri, err := url.Parse(id.String())
	if err != nil {
		return nil, fmt.Errorf("issuing certificate: %w", err)
	}
	end := l.now.Add(l.ttl)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: id.Name},
		NotBefore:             l.now.Add(-backdate),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{uri},
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
	}
	if err := addHosts(template, hosts); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(a.rand, template, a.cert, pub, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	return append(encodeCertificate(der), a.Bundle()...), nil
}

func addHosts(template *x509.Certificate, hosts []string) error {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		name := strings.ToLower(host)
		if err := checkLabels("host name", name, 253); err != nil {
			return fmt.Errorf("issuing server certificate: %w", err)
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	return nil
}

func makeAuthority(path, domain string, now time.Time, rand io.Reader) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return err
	}
	serial, err := newSerial(rand)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Reeve authority of " + domain, Organization: []string{domain}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs nodes, never another authority
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
	}
	der, err := x509.CreateCertificate(rand, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	text, err := encodeKey(key)
	if err != nil {
		return err
	}
	return writeNew(path, append(text, encodeCertificate(der)...))
}

func loadAuthority(path string, rand io.Reader) (*Authority, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	broken := fault.New(fault.Invalid, path+" does not hold a key and its authority's certificate", "restore it from a backup")
	keyBlock, rest := pem.Decode(text)
	if keyBlock == nil || keyBlock.Type != pemKey {
		return nil, broken
	}
	key, err := decodeKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	certs, err := decodeCertificates(rest)
	if err != nil || len(certs) != 1 {
		return nil, broken
	}
	cert := certs[0]
	if !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) || len(cert.Subject.Organization) != 1 {
		return nil, broken
	}
	domain := cert.Subject.Organization[0]
	if err := CheckDomain(domain); err != nil {
		return nil, broken
	}
	return &Authority{domain: domain, key: key, cert: cert, rand: rand}, nil
}

// checkClock says in one sentence that the clock is wrong, because every handshake would otherwise fail obscurely.
func checkClock(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return fault.New(fault.Invalid, fmt.Sprintf("the clock says %s, but the authority is valid from %s to %s",
			now.UTC().Format(time.RFC3339), cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339)),
			"set this machine's clock")
	}
	return nil
}

func newSerial(rand io.Reader) (*big.Int, error) {
	var raw [16]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return nil, fmt.Errorf("drawing serial number: %w", err)
	}
	raw[0] = raw[0]&0x7f | 0x40 // positive, and always of the same length
	return new(big.Int).SetBytes(raw[:]), nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
}
