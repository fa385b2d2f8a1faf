package identity

import (
	"crypto/tls"
	"testing"
)

// A listener that takes proofs goes on to take links and browsers as before, and lets nobody prove without a
// certificate of the domain.
func TestProvableListener(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	server, agent := endpoint(s.server, RoleAgent), endpoint(s.agent, RoleServer)
	config := server.Provable(server.ServerConfig())
	stranger := endpoint(newStage(t).agent, RoleServer)
	for name, c := range map[string]struct {
		server, client *tls.Config
		taken          bool
	}{
		"a node's proof":                {config, agent.ProofConfig(), true},
		"a link":                        {config, agent.ClientConfig(), true},
		"a browser":                     {config, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}, true},
		"no certificate":                {config, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ProofALPN}}, false},
		"another domain":                {config, stranger.ProofConfig(), false},
		"a role that is not expected":   {config, endpoint(s.server, RoleServer).ProofConfig(), false},
		"a listener without":            {server.ServerConfig(), agent.ProofConfig(), false},
		"for browsers only, and proofs": {server.Provable(server.WebOnlyConfig()), agent.ProofConfig(), true},
		"for browsers only, and a link": {server.Provable(server.WebOnlyConfig()), agent.ClientConfig(), false},
	} {
		_, err := shake(t, c.server, c.client)
		if (err == nil) != c.taken {
			t.Errorf("%s: %v, want taken %t", name, err, c.taken)
		}
	}
}
