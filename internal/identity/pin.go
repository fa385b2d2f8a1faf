package identity

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// FirstContact returns the configuration of an HTTPS client that does not know the domain yet: it shows no
// certificate, follows the server's chain to the authority that the server sends with it, and asks accept about that
// authority. Only then does the handshake end, so nothing is sent to a server that was not accepted.
func FirstContact(now func() time.Time, accept func(authority *x509.Certificate, server Identity) error) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		NextProtos:             []string{"http/1.1"}, // a transport with a dialler of its own speaks no h2 unless told to
		Time:                   now,
		// There is no authority yet that the standard check could start from; VerifyConnection always runs.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			authority, server, err := followChain(state, now())
			if err != nil {
				return err
			}
			return accept(authority, server)
		},
	}
}

// Pinned returns the configuration of an HTTPS client that knows its domain's authority by fingerprint: a joining
// agent, or a command line after its login.
func Pinned(fingerprint string, now func() time.Time) (*tls.Config, error) {
	if err := CheckFingerprint(fingerprint); err != nil {
		return nil, err
	}
	return FirstContact(now, func(authority *x509.Certificate, _ Identity) error {
		if subtle.ConstantTimeCompare([]byte(Fingerprint(authority)), []byte(fingerprint)) != 1 {
			return fault.New(fault.Forbidden, "refusing server: its authority has the fingerprint "+Fingerprint(authority)+", not "+fingerprint,
				"check the address, and that nothing on the way intercepts TLS; a domain that was set up anew needs a new token or login")
		}
		return nil
	}), nil
}

// followChain finds the authority among the certificates that the server sent, and verifies that it has signed the
// server's own.
func followChain(state tls.ConnectionState, now time.Time) (*x509.Certificate, Identity, error) {
	if state.DidResume || len(state.PeerCertificates) == 0 || len(state.PeerCertificates) > 1+maxRoots {
		return nil, Identity{}, refused("there are none, or too many")
	}
	leaf := state.PeerCertificates[0]
	for _, candidate := range state.PeerCertificates[1:] {
		if !candidate.IsCA || leaf.CheckSignatureFrom(candidate) != nil {
			continue
		}
		pool := x509.NewCertPool()
		pool.AddCert(candidate)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err != nil {
			return nil, Identity{}, explain(err)
		}
		id, err := FromCertificate(leaf)
		if err != nil {
			return nil, Identity{}, err
		}
		if id.Role != RoleServer {
			return nil, Identity{}, fault.Newf(fault.Forbidden, "refusing certificate: %s is not a server", id)
		}
		return candidate, id, nil
	}
	return nil, Identity{}, fault.New(fault.Forbidden, "refusing server: it does not show the authority that signed its certificate", "check that the address is that of a Reeve server")
}
