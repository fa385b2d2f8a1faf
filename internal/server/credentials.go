package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// certificateLife is how long a server's certificate is valid; it renews at two thirds.
const certificateLife = 24 * time.Hour

// credentials are this server's own, renewed in time.
type credentials struct {
	server *Server
	id     identity.Identity
	key    *ecdsa.PrivateKey
	now    atomic.Pointer[identity.Credentials]
}

// openCredentials finds or makes this server's node and issues its first certificate.
func (s *Server) openCredentials(ctx context.Context, epoch int64) (*credentials, error) {
	key, err := identity.OpenKey(filepath.Join(s.cfg.Data, "node.key"))
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("reading the server's own key: %w", err)
	}
	sum := sha256.Sum256(spki)
	n, err := s.ownNode(ctx, epoch, hex.EncodeToString(sum[:]))
	if err != nil {
		return nil, err
	}
	c := &credentials{server: s, key: key, id: identity.Identity{Domain: s.authority.Domain(), Role: "server", Name: n.Name, ID: n.ID}}
	return c, c.issue()
}

// ownNode returns the node that is this server, made at the first start.
func (s *Server) ownNode(ctx context.Context, epoch int64, keyHash string) (store.Node, error) {
	nodes, err := s.store.ListNodes(ctx)
	if err != nil {
		return store.Node{}, fmt.Errorf("reading the nodes: %w", err)
	}
	taken := map[string]bool{}
	for _, n := range nodes {
		if n.Role == "server" && n.KeyHash == keyHash {
			return n, nil
		}
		taken[n.Name] = true
	}
	name := s.name()
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d", strings.TrimRight(name, "-0123456789"), i)
	}
	id, err := identity.NewNodeID(s.env.Rand)
	if err != nil {
		return store.Node{}, err
	}
	n := store.Node{ID: id, Name: name, Role: "server", KeyHash: keyHash, Joined: s.env.Now(), Version: s.env.Version}
	_, err = s.store.Commit(ctx, store.Batch{Epoch: epoch, Nodes: []store.NodeWrite{{Node: n}}})
	if err != nil {
		return store.Node{}, fmt.Errorf("storing this server's node: %w", err)
	}
	return n, nil
}

// name is what this server would be called among the domain's nodes, and is called in the inventory.
func (s *Server) name() string {
	if s.cfg.Name != "" {
		return s.cfg.Name
	}
	return hostName()
}

// hostName is the host's name as a node's name; "server" where it does not make one.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return "server"
	}
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	if identity.CheckName(host) != nil {
		return "server"
	}
	return host
}

func (c *credentials) current() (*identity.Credentials, error) {
	if now := c.now.Load(); now != nil {
		return now, nil
	}
	return nil, errors.New("this server has no certificate yet")
}

func (c *credentials) issue() error {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	for _, a := range c.server.addresses {
		if h, _, err := net.SplitHostPort(a); err == nil {
			hosts = append(hosts, h)
		}
	}
	if h, err := os.Hostname(); err == nil {
		hosts = append(hosts, h)
	}
	chain, err := c.server.authority.IssueServer(&c.key.PublicKey, c.id, unique(hosts), certificateLife, c.server.env.Now())
	if err != nil {
		return fmt.Errorf("issuing this server's certificate: %w", err)
	}
	fresh, err := identity.ParseCredentials(chain, c.key)
	if err != nil {
		return err
	}
	c.now.Store(fresh)
	return nil
}

func unique(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if n != "" && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// run renews the certificate at two thirds of its life until ctx ends. It looks every minute: clocks step.
func (c *credentials) run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if c.server.env.Now().Before(identity.RenewAt(c.now.Load().Leaf)) {
			continue
		}
		if err := c.issue(); err != nil {
			c.server.env.Log.Error("renewing this server's certificate", slog.Any("error", err))
		}
	}
}
