package identity

import (
	"crypto/tls"
	"slices"
)

// ProofALPN is offered by a node that proves a flow to another node's listener. What follows the handshake is neither a
// link nor HTTPS, so that a proof touches nothing that is going on.
const ProofALPN = "reeve-proof/1"

// Provable returns a listener's configuration that also takes proofs: by the same certificate, and only from nodes that
// show theirs.
func (e Endpoint) Provable(config *tls.Config) *tls.Config {
	taken, before := config.Clone(), config.GetConfigForClient
	taken.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, ProofALPN) {
			return e.proofConfig()
		}
		if before != nil {
			return before(hello)
		}
		return nil, nil //nolint:nilnil // how crypto/tls is told that the configuration stays
	}
	return taken
}

func (e Endpoint) proofConfig() (*tls.Config, error) {
	config, err := e.linkConfig()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{ProofALPN}
	return config, nil
}

// ProofConfig returns the configuration of one dial that proves a flow: the other end must be a node of the domain, of
// one of the roles that are expected.
func (e Endpoint) ProofConfig() *tls.Config {
	config := e.ClientConfig()
	config.NextProtos = []string{ProofALPN}
	return config
}
