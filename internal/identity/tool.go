package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Tool is a command line tool that a server calls back: it is no node, and has a key and a certificate of its own making
// for as long as the command runs. The server knows it by the certificate's fingerprint, which the tool told it.
type Tool struct {
	certificate tls.Certificate
	leaf        *x509.Certificate
}

// NewTool makes the key and the certificate of a command.
func NewTool(now time.Time) (*Tool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "reeve command"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &Tool{certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, leaf: leaf}, nil
}

// Fingerprint is by what the server knows the tool.
func (t *Tool) Fingerprint() string { return Fingerprint(t.leaf) }

// ListenConfig returns the configuration of the tool's listener: only servers whose certificate was signed by the authority
// with a fingerprint are let in.
func (t *Tool) ListenConfig(authority string, now func() time.Time) (*tls.Config, error) {
	if err := CheckFingerprint(authority); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, Time: now, NextProtos: []string{callbackProtocol},
		Certificates: []tls.Certificate{t.certificate},
		ClientAuth:   tls.RequireAnyClientCert, // verified below: the tool knows its authority by fingerprint alone
		VerifyConnection: func(state tls.ConnectionState) error {
			found, _, err := followChain(state, now())
			if err != nil {
				return err
			}
			if subtle.ConstantTimeCompare([]byte(Fingerprint(found)), []byte(authority)) != 1 {
				return fault.New(fault.Forbidden, "refusing server: it is of another authority than the one that is pinned", "")
			}
			return nil
		},
	}, nil
}

// ToolConfig returns the configuration of a server's dial of a tool, which must show the certificate with a fingerprint.
func (e Endpoint) ToolConfig(fingerprint string) *tls.Config {
	config := e.ClientConfig()
	// With the authority: the tool knows it by its fingerprint alone.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return e.ownCertificate() }
	config.NextProtos = []string{callbackProtocol}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if state.DidResume || len(state.PeerCertificates) == 0 {
			return refused("none was shown")
		}
		if subtle.ConstantTimeCompare([]byte(Fingerprint(state.PeerCertificates[0])), []byte(fingerprint)) != 1 {
			return refused("it is not the one of the command that asked to be called back")
		}
		return nil
	}
	return config
}
