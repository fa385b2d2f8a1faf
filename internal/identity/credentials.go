package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const maxRoots = 8 // authorities that a node trusts at once: two while one replaces the other

// Credentials are what a node shows and trusts: its key and certificate, and its domain's authorities. They are not
// changed once made; renewal makes new ones.
type Credentials struct {
	Identity Identity
	Leaf     *x509.Certificate
	Roots    []*x509.Certificate

	key  *ecdsa.PrivateKey
	pool *x509.CertPool // of Roots: one for all connections
}

// ParseCredentials reads the answer of an authority (PEM: the node's certificate, then the authorities to trust) and
// refuses it where the certificate is not for key, or is not signed by one of these authorities.
func ParseCredentials(chain []byte, key *ecdsa.PrivateKey) (*Credentials, error) {
	if len(chain) > maxFile {
		return nil, fault.Newf(fault.Invalid, "reading certificate: %d bytes, at most %d", len(chain), maxFile)
	}
	certs, err := decodeCertificates(chain)
	if err != nil {
		return nil, err
	}
	if len(certs) < 2 || len(certs) > 1+maxRoots {
		return nil, fault.Newf(fault.Invalid, "reading certificate: %d certificates, expected the node's and 1 to %d authorities", len(certs), maxRoots)
	}
	c := &Credentials{Leaf: certs[0], Roots: certs[1:], key: key, pool: x509.NewCertPool()}
	for _, root := range c.Roots {
		c.pool.AddCert(root)
	}
	if c.Identity, err = FromCertificate(c.Leaf); err != nil {
		return nil, fmt.Errorf("reading certificate: %w", err)
	}
	if !key.PublicKey.Equal(c.Leaf.PublicKey) {
		return nil, fault.New(fault.Invalid, "reading certificate: it is for another key", "join the node again")
	}
	signed := false
	for _, root := range c.Roots {
		if !root.IsCA {
			return nil, fault.New(fault.Invalid, "reading certificate: an authority's certificate is not marked as one", "")
		}
		signed = signed || c.Leaf.CheckSignatureFrom(root) == nil
	}
	if !signed {
		return nil, fault.New(fault.Invalid, "reading certificate: none of its authorities has signed it", "")
	}
	return c, nil
}

// LoadCredentials reads what SaveCredentials wrote. Where there is nothing yet, the error is of kind NotFound: the
// node has to join. Whether the certificate is still valid is for the caller to look at.
func LoadCredentials(path string, key *ecdsa.PrivateKey) (*Credentials, error) {
	chain, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &fault.Error{Kind: fault.NotFound, Msg: "loading certificate", Fix: "join the node with a token", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("loading certificate: %w", err)
	}
	c, err := ParseCredentials(chain, key)
	if err != nil {
		return nil, fmt.Errorf("loading certificate %s: %w", path, err)
	}
	return c, nil
}

// SaveCredentials writes certificate and authorities to path (mode 0600, synced): whole, or not at all.
func SaveCredentials(path string, c *Credentials) error {
	if err := replace(path, c.PEM()); err != nil {
		return fmt.Errorf("saving certificate: %w", err)
	}
	return nil
}

// PEM returns the node's certificate, followed by the authorities. The key is not in it.
func (c *Credentials) PEM() []byte {
	text := encodeCertificate(c.Leaf.Raw)
	for _, root := range c.Roots {
		text = append(text, encodeCertificate(root.Raw)...)
	}
	return text
}

// tlsCertificate is what the node sends in a handshake. The authorities go with it, so that one that knows only a
// fingerprint (joining, login) can follow the chain to it.
func (c *Credentials) tlsCertificate() *tls.Certificate {
	chain := make([][]byte, 0, 1+len(c.Roots))
	chain = append(chain, c.Leaf.Raw)
	for _, root := range c.Roots {
		chain = append(chain, root.Raw)
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: c.key, Leaf: c.Leaf}
}

func decodeCertificates(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, fault.New(fault.Invalid, "reading certificate: there is something else in the file", "")
			}
			return certs, nil
		}
		if block.Type != pemCertificate || len(certs) > maxRoots {
			return nil, fault.Newf(fault.Invalid, "reading certificate: unexpected %q", clip(block.Type))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "reading certificate", err)
		}
		certs = append(certs, cert)
		text = rest
	}
}
