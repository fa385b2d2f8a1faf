package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	pemKey         = "PRIVATE KEY"
	pemCertificate = "CERTIFICATE"
	maxRequest     = 8 << 10
)

// OpenKey loads a node's key from path, or makes it there (mode 0600, synced) where it is missing. The key is made on
// the node that uses it and is never sent.
func OpenKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making key: %w", err)
	}
	text, err := encodeKey(made)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, text); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster: its key is the node's
			return loadKey(path)
		}
		return nil, fmt.Errorf("saving key: %w", err)
	}
	return made, nil
}

// NewRequest returns a certificate request (DER) that carries the public key and proves that its owner has the private
// one. It says nothing else: name and role are the authority's to give.
func NewRequest(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{SignatureAlgorithm: x509.ECDSAWithSHA256}, key)
	if err != nil {
		return nil, fmt.Errorf("making certificate request: %w", err)
	}
	return der, nil
}

// ParseRequest reads a certificate request (DER) of at most 8 KiB. Issue checks it.
func ParseRequest(der []byte) (*x509.CertificateRequest, error) {
	if len(der) > maxRequest {
		return nil, fault.Newf(fault.Invalid, "reading certificate request: %d bytes, at most %d", len(der), maxRequest)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading certificate request", err)
	}
	return csr, nil
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("loading key: %w", err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemKey || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fault.Newf(fault.Invalid, "loading key: %s does not hold one private key", path)
	}
	key, err := decodeKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("loading key %s: %w", path, err)
	}
	return key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

func decodeKey(der []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading key", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fault.New(fault.Invalid, "reading key: it is not an ECDSA P-256 key", "")
	}
	return key, nil
}
