package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ALPN is the protocol's name that a dialler of a link offers in its ClientHello. It shares a port with HTTPS by it.
const ALPN = "reeve/1"

// Endpoint says what one end of a connection shows, and whom it accepts at the other. Configurations that it makes
// are TLS 1.3, never resume a session, and look at everything anew in each handshake.
type Endpoint struct {
	// Own returns what this node shows. It is asked in every handshake, so that a renewal takes effect at once.
	Own func() (*Credentials, error)
	// Domain that both ends belong to.
	Domain string
	// Expect lists the roles that the other end may have.
	Expect []Role
	// Allowed refuses nodes that are revoked, removed or not awaited; nil refuses nobody. It is asked in each handshake;
	// links ask theirs again for each request.
	Allowed func(Identity, *x509.Certificate) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// ClassicOnly leaves the post-quantum key exchange away: its ClientHello does not fit one packet, and some
	// firewalls drop that.
	ClassicOnly bool
}

// ServerConfig returns the configuration of a listener that serves browsers and links on one port. A client
// certificate is asked for, and required, only where the ClientHello offers ALPN: browsers would show a dialog.
func (e Endpoint) ServerConfig() *tls.Config {
	config := e.base()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, ALPN) {
			return e.linkConfig()
		}
		return e.webConfig(), nil
	}
	return config
}

// ClientConfig returns the configuration of one dial of a link. Host names are not looked at: the identity is the name.
func (e Endpoint) ClientConfig() *tls.Config {
	config := e.base()
	config.NextProtos = []string{ALPN}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		own, err := e.Own()
		if err != nil {
			return nil, err
		}
		// Without the authority, which the other end has: it would be kept there for each of a thousand links.
		return &tls.Certificate{Certificate: [][]byte{own.Leaf.Raw}, PrivateKey: own.key, Leaf: own.Leaf}, nil
	}
	// The chain is verified in VerifyConnection, which always runs: the standard check needs a host name.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		return e.verify(state, x509.ExtKeyUsageServerAuth)
	}
	return config
}

// WebOnlyConfig returns the configuration of a listener for HTTPS on which no link is accepted.
func (e Endpoint) WebOnlyConfig() *tls.Config { return e.webConfig() }

func (e Endpoint) linkConfig() (*tls.Config, error) {
	own, err := e.Own()
	if err != nil {
		return nil, err
	}
	config := e.base()
	config.NextProtos = []string{ALPN}
	config.GetCertificate = e.serverCertificate
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = own.pool
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.VerifiedChains) == 0 {
			return refused("it was not verified")
		}
		return e.verify(state, x509.ExtKeyUsageClientAuth)
	}
	return config, nil
}

func (e Endpoint) webConfig() *tls.Config {
	config := e.base()
	config.NextProtos = []string{"h2", "http/1.1"}
	config.GetCertificate = e.serverCertificate
	return config
}

func (e Endpoint) base() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, Time: e.now}
	if e.ClassicOnly {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	return config
}

func (e Endpoint) serverCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return e.ownCertificate()
}

func (e Endpoint) ownCertificate() (*tls.Certificate, error) {
	own, err := e.Own()
	if err != nil {
		return nil, err
	}
	return own.tlsCertificate(), nil
}

// verify decides whether the other end is who it must be. The authority signs nodes itself: whatever else a peer sends
// as a chain is not looked at.
func (e Endpoint) verify(state tls.ConnectionState, usage x509.ExtKeyUsage) error {
	if state.DidResume || len(state.PeerCertificates) == 0 {
		return refused("none was shown")
	}
	own, err := e.Own()
	if err != nil {
		return err
	}
	leaf := state.PeerCertificates[0]
	_, err = leaf.Verify(x509.VerifyOptions{Roots: own.pool, CurrentTime: e.now(), KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return explain(err)
	}
	id, err := FromCertificate(leaf)
	if err != nil {
		return err
	}
	if id.Domain != e.Domain {
		return fault.Newf(fault.Forbidden, "refusing certificate: %s is of another domain than %s", id, e.Domain)
	}
	if !slices.Contains(e.Expect, id.Role) {
		return fault.Newf(fault.Forbidden, "refusing certificate: %s has the role %s", id, id.Role)
	}
	if e.Allowed == nil {
		return nil
	}
	if err := e.Allowed(id, leaf); err != nil {
		return fmt.Errorf("refusing %s: %w", id, err)
	}
	return nil
}

func (e Endpoint) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// explain turns what x509 found into what a person can do about it.
func explain(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return &fault.Error{
			Kind: fault.Forbidden, Msg: "refusing certificate", Err: err,
			Fix: "compare the clocks of both machines; an expired certificate is renewed by its node",
		}
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return &fault.Error{
			Kind: fault.Forbidden, Msg: "refusing certificate: another authority than the domain's has signed it", Err: err,
			Fix: "check the address, and that nothing on the way intercepts TLS",
		}
	}
	return fault.Wrap(fault.Forbidden, "refusing certificate", err)
}
