package agent

import (
	"crypto/ecdsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The files of an agent's identity, in its data folder.
const (
	keyFile         = "agent.key"
	certificateFile = "agent.crt"
)

// member is this agent as part of its domain: its key, its certificate, and where servers are. Its methods may be
// called from many goroutines.
type member struct {
	folder *folder
	key    *ecdsa.PrivateKey

	mu          sync.Mutex
	credentials *identity.Credentials // nil: not joined yet
	known       known
}

// known is what the agent keeps of its domain beside its certificate.
type known struct {
	Addresses []string `json:"addresses"` // HOST:PORT of servers, in the order to try
	// Dialled says that a server's dial has enrolled this agent: it goes on to listen where servers dial it.
	Dialled bool `json:"dialled,omitempty"`
	// Desk says that it was enrolled as a desk agent.
	Desk bool `json:"desk,omitempty"`
}

// openMember loads what there is; the key is made where it is missing.
func openMember(f *folder) (*member, error) {
	key, err := identity.OpenKey(f.file(keyFile))
	if err != nil {
		return nil, fmt.Errorf("opening identity: %w", err)
	}
	m := &member{folder: f, key: key}
	text, err := os.ReadFile(f.file(memberFile))
	if err == nil {
		err = json.Unmarshal(text, &m.known)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: %w", f.file(memberFile), err)
	}
	m.credentials, err = identity.LoadCredentials(f.file(certificateFile), key)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("opening identity: %w", err)
	}
	return m, nil
}

// joined reports whether the agent has ever been given a certificate.
func (m *member) joined() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.credentials != nil
}

// own returns what the agent shows and trusts now.
func (m *member) own() (*identity.Credentials, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.credentials == nil {
		return nil, fault.New(fault.Unauthenticated, "this agent has not joined a domain", "start it with --join and a token")
	}
	return m.credentials, nil
}

// addresses returns where servers are.
func (m *member) addresses() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known.Addresses
}

// dialled reports whether a server's dial has enrolled the agent.
func (m *member) dialled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known.Dialled
}

// meet stores where servers are.
func (m *member) meet(addresses []string) error {
	m.mu.Lock()
	k := m.known
	m.mu.Unlock()
	k.Addresses = addresses
	return m.learn(k)
}

// enrolled stores that a server's dial enrols the agent, as a desk agent or not, and where it may dial servers itself.
func (m *member) enrolled(addresses []string, desk bool) error {
	return m.learn(known{Addresses: addresses, Dialled: true, Desk: desk})
}

// fits refuses to go on as another kind of agent than the one that was enrolled: servers dial it on other rows.
func (m *member) fits(desk bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.credentials == nil || m.known.Desk == desk:
		return nil
	case desk:
		return fault.New(fault.Conflict, "this agent was not enrolled as a desk agent", "start it without --desk, or with another data folder")
	}
	return fault.New(fault.Conflict, "this agent was enrolled as a desk agent", "start it with --desk, or with another data folder")
}

func (m *member) learn(k known) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return fmt.Errorf("storing addresses: %w", err)
	}
	if err := writeSynced(m.folder.file(memberFile), append(text, '\n')); err != nil {
		return fmt.Errorf("storing addresses: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = k
	return nil
}

// request returns a certificate request in PEM.
func (m *member) request() (string, error) {
	der, err := identity.NewRequest(m.key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// adopt checks a server's answer, stores it and uses it from now on.
func (m *member) adopt(answer wire.Certificate, want *identity.Identity) error {
	chain := strings.TrimSpace(answer.Certificate) + "\n" + strings.TrimSpace(answer.Authority) + "\n"
	fresh, err := identity.ParseCredentials([]byte(chain), m.key)
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if want != nil && fresh.Identity != *want {
		return fault.Newf(fault.Forbidden, "the server gave this agent the identity %s, not %s", fresh.Identity, *want)
	}
	if err := identity.SaveCredentials(m.folder.file(certificateFile), fresh); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.credentials = fresh
	return nil
}

// renewal returns when the certificate should be renewed and when it has run out.
func (m *member) renewal() (at, expires time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.credentials == nil {
		return time.Time{}, time.Time{}
	}
	return identity.RenewAt(m.credentials.Leaf), m.credentials.Leaf.NotAfter
}
