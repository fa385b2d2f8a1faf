package domain

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// Registry knows the nodes of the domain: it lets them in, gives them certificates and remembers what they say.
type Registry struct {
	Store     store.Store
	Authority *identity.Authority
	Epoch     int64
	Now       func() time.Time
	Rand      io.Reader
	Log       *slog.Logger
	// Changed is called after a node joined, or came from elsewhere.
	Changed func(ctx context.Context) error

	mu      sync.RWMutex
	allowed map[string]store.Node // by id: who may have a link
	expiry  map[string]time.Time
}

var _ fleet.Registry = (*Registry)(nil)

// certificateLife is how long a certificate is valid (contract: 24 h, renewed at two thirds).
const certificateLife = 24 * time.Hour

const (
	maxHostFacts  = 64
	maxFactLength = 256
)

// Refresh reads which nodes there are and returns the agents among them.
func (r *Registry) Refresh(ctx context.Context) ([]fleet.Agent, error) {
	nodes, err := r.Store.ListNodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the nodes: %w", err)
	}
	allowed := make(map[string]store.Node, len(nodes))
	var agents []fleet.Agent
	for _, n := range nodes {
		allowed[n.ID] = n
		if n.Role == "agent" {
			agents = append(agents, fleet.Agent{ID: n.ID, Name: n.Name, Labels: maps.Clone(n.Labels), Desk: n.Plays() == ports.Desk, Drained: n.Drained != "", Slots: n.Slots})
		}
	}
	r.mu.Lock()
	r.allowed = allowed
	r.mu.Unlock()
	return agents, nil
}

// Node returns a node that is part of the domain now.
func (r *Registry) Node(id string) (store.Node, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, ok := r.allowed[id]
	return n, ok
}

// Allowed refuses who is not a node of the domain now; it is asked in every handshake.
func (r *Registry) Allowed(id identity.Identity, cert *x509.Certificate) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.allowed[id.ID]
	if !ok || n.Name != id.Name || n.Role != string(id.Role) {
		return fault.Newf(fault.Forbidden, "%s is not a node of this domain", id)
	}
	if key := sha256.Sum256(cert.RawSubjectPublicKeyInfo); hex.EncodeToString(key[:]) != n.KeyHash {
		return fault.Newf(fault.Forbidden, "the key of %s is not the one that the domain has bound to it", id)
	}
	if r.expiry == nil {
		r.expiry = map[string]time.Time{}
	}
	r.expiry[id.ID] = cert.NotAfter
	return nil
}

// Expiry returns when the certificate that a node showed last runs out; zero where it showed none since the server started.
func (r *Registry) Expiry(nodeID string) time.Time {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.expiry[nodeID]
}

// change writes a node under its guard.
func (r *Registry) change(ctx context.Context, id string, change func(*store.Node)) error {
	for try := 0; ; try++ {
		n, err := r.Store.Node(ctx, id)
		if err != nil {
			return fmt.Errorf("reading node %s: %w", id, err)
		}
		change(&n)
		_, err = r.Store.Commit(ctx, store.Batch{Epoch: r.Epoch, Nodes: []store.NodeWrite{{Node: n}}})
		var conflict *store.Conflict
		if errors.As(err, &conflict) && try < 10 {
			continue
		}
		return storeFault(err)
	}
}

// Linked implements fleet.Registry.
func (r *Registry) Linked(ctx context.Context, id, from string, h wire.Hello) error {
	facts := map[string]string{}
	for k, v := range h.Facts {
		if len(facts) < maxHostFacts && len(k) <= maxFactLength && len(v) <= maxFactLength {
			facts[k] = v
		}
	}
	moved := false
	err := r.change(ctx, id, func(n *store.Node) {
		n.Facts, n.Version, n.Slots, n.Seen = facts, clip(h.Version), min(max(h.Slots, 0), 100_000), r.Now()
		if moved = from != "" && from != n.Found; moved {
			n.Found = from
		}
	})
	if err != nil || !moved {
		return err
	}
	return r.Changed(ctx) // it is dialled there from now on
}

func clip(s string) string { return s[:min(len(s), maxFactLength)] }

// Seen implements fleet.Registry.
func (r *Registry) Seen(ctx context.Context, id string, at time.Time) error {
	return r.change(ctx, id, func(n *store.Node) { n.Seen = at })
}

// Mark implements fleet.Registry.
func (r *Registry) Mark(ctx context.Context, id string) (int64, int64, error) {
	mark, err := r.Store.Mark(ctx, id, r.Epoch)
	return r.Epoch, mark, err
}

// Renew implements fleet.Registry: over a link, in time.
func (r *Registry) Renew(ctx context.Context, id string, in wire.RenewRequest) (wire.Certificate, error) {
	return r.renew(ctx, id, in.CSR, false)
}

// Recover renews the certificate of a node that was away longer than it is valid: its bound key proves who asks. It is counted.
func (r *Registry) Recover(ctx context.Context, in wire.RenewRequest) (wire.Certificate, error) {
	return r.renew(ctx, in.NodeID, in.CSR, true)
}

func (r *Registry) renew(ctx context.Context, id, request string, late bool) (wire.Certificate, error) {
	n, err := r.Store.Node(ctx, id)
	if err != nil || !n.Removed.IsZero() {
		return wire.Certificate{}, fault.New(fault.Forbidden, "there is no such node in this domain", "it was removed: join it anew with a token")
	}
	csr, key, err := parseRequest(request)
	if err != nil {
		return wire.Certificate{}, err
	}
	if key != n.KeyHash {
		return wire.Certificate{}, fault.New(fault.Forbidden, "the key is not the one that the domain has bound to this node", "join it anew with a token")
	}
	err = r.change(ctx, id, func(n *store.Node) {
		if late {
			n.Recovered++
		} else {
			n.Renewals++
		}
	})
	if err != nil {
		return wire.Certificate{}, err
	}
	return r.issue(csr, n)
}

func parseRequest(text string) (*x509.CertificateRequest, string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "", fault.New(fault.Invalid, "the certificate request is not PEM", "")
	}
	csr, err := identity.ParseRequest(block.Bytes)
	if err != nil {
		return nil, "", err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, "", fault.Wrap(fault.Forbidden, "checking the certificate request's signature", err)
	}
	key := sha256.Sum256(csr.RawSubjectPublicKeyInfo)
	return csr, hex.EncodeToString(key[:]), nil
}

func (r *Registry) issue(csr *x509.CertificateRequest, n store.Node) (wire.Certificate, error) {
	id := identity.Identity{Domain: r.Authority.Domain(), Role: identity.Role(n.Role), Name: n.Name, ID: n.ID}
	chain, err := r.Authority.Issue(csr, id, certificateLife, r.Now())
	if err != nil {
		return wire.Certificate{}, err
	}
	return wire.Certificate{NodeID: n.ID, Certificate: string(chain), Authority: string(r.Authority.Bundle())}, nil
}

// Join lets a node in that shows a valid token. The same key may ask again within the token's life.
func (r *Registry) Join(ctx context.Context, in wire.JoinRequest, from string) (wire.Certificate, error) {
	csr, key, err := parseRequest(in.CSR)
	if err != nil {
		return wire.Certificate{}, err
	}
	for try := 0; ; try++ {
		n, err := r.join(ctx, in, key, from)
		if fault.Is(err, fault.Conflict) && try < 10 {
			continue // somebody used the token at the same moment: look again
		}
		if err != nil {
			return wire.Certificate{}, err
		}
		if err := r.Changed(ctx); err != nil {
			return wire.Certificate{}, err
		}
		return r.issue(csr, n)
	}
}

// hostOf is the host of HOST:PORT; empty for what is none.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}

func (r *Registry) join(ctx context.Context, in wire.JoinRequest, key, from string) (store.Node, error) {
	t, err := r.Store.Token(ctx, in.TokenID)
	if err != nil || t.Kind != "agent" || !identity.SecretMatches(t.Hash, in.Secret) {
		return store.Node{}, fault.New(fault.Forbidden, "the token is not one of this domain", "make one with `reeve token create agent NAME`")
	}
	now := r.Now()
	switch {
	case !t.Revoked.IsZero():
		return store.Node{}, fault.New(fault.Forbidden, "the token was revoked", "make a new one with `reeve token create agent "+t.Name+"`")
	case now.After(t.Expires):
		return store.Node{}, fault.New(fault.Forbidden, "the token expired at "+t.Expires.UTC().Format(time.RFC3339), "make a new one with `reeve token create agent "+t.Name+"`")
	case in.Name != "" && in.Name != t.Name:
		return store.Node{}, fault.New(fault.Forbidden, fmt.Sprintf("the token is for %s, not for %q", t.Name, in.Name), "")
	case !t.Used.IsZero() && t.UsedBy != key:
		return store.Node{}, fault.New(fault.Forbidden, "the token was used already, by another key", "make a new one with `reeve token create agent "+t.Name+"`")
	}
	current, err := r.Store.NodeByName(ctx, t.Name)
	if err == nil {
		if current.KeyHash == key {
			return current, nil // it asked before, and the answer was lost
		}
		return store.Node{}, fault.New(fault.Forbidden, "there is a node "+t.Name+" already", "remove it first with `reeve node remove "+t.Name+"`")
	} else if !errors.Is(err, store.ErrNotFound) {
		return store.Node{}, storeFault(err)
	}
	id, err := identity.NewNodeID(r.Rand)
	if err != nil {
		return store.Node{}, err
	}
	n := store.Node{ID: id, Name: t.Name, Role: "agent", Labels: maps.Clone(t.Labels), KeyHash: key, Joined: now, Found: hostOf(from)}
	t.Used, t.UsedBy = now, key
	_, err = r.Store.Commit(ctx, store.Batch{
		Epoch: r.Epoch, Nodes: []store.NodeWrite{{Node: n}}, Tokens: []store.TokenWrite{{Token: t}},
		Audit: []store.AuditRecord{{At: now, By: t.By, From: from, Action: "node.join", Object: t.Name, Detail: "token " + t.ID}},
	})
	return n, storeFault(err)
}
