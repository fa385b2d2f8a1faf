// Package domain answers what people and programs ask: it implements the API's Service over the store, the
// engine and the fleet, and is the one place where it is decided whether a subject may.
package domain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// Config is what a Service is built with.
type Config struct {
	Store  store.Store
	Engine *engine.Engine
	Fleet  *fleet.Fleet
	Hub    *Hub
	Now    func() time.Time
	Rand   io.Reader // cryptographic
	Log    *slog.Logger

	// Address completes HOST with the port of the plan's link row; HOST:PORT stays as it is.
	Address func(hostPort string) string
	// RowAddress completes HOST with the port of a row of the plan; of HOST:PORT a row but the main one takes the host.
	RowAddress func(service, hostPort string) string
	// Password hashes a password.
	Password func(ctx context.Context, password string) (string, error)
	// Backup writes a backup as a tar stream.
	Backup func(ctx context.Context, w io.Writer) error
	// NodesChanged is called after the set of nodes, their labels or their drain has changed.
	NodesChanged func(ctx context.Context) error
	// CalendarsChanged is called after calendars were applied, and does not block. The field may be nil.
	CalendarsChanged func()
	// Book is what there is and where, as it is now.
	Book func(ctx context.Context) *directory.Book
	// Discover looks for nodes by broadcast and in subnets.
	Discover func(ctx context.Context, subnets []netip.Prefix) ([]discovery.Found, error)
	// Verifier proves the plan's openings.
	Verifier *Verifier
	// LinkPaths are the ways by which a node's link can come up. nil: none is known.
	LinkPaths func(n store.Node) []api.LinkPath
	// Changer changes the ports.
	Changer Changer
	// DropNode ends the links of a node.
	DropNode func(id, reason string)
	// Enroller makes nodes of agents that wait for a server's dial.
	Enroller *Enroller

	Name        string // of the domain
	Version     string
	Started     time.Time
	Zones       *calendar.Zones // the time zone database; nil: the one that is built in
	Plan        ports.Compiled
	Ports       PortPlan
	Addresses   []string // advertised, HOST:PORT
	Fingerprint string
	ServerID    string // this server's node id
	Warnings    func() []string
	Expiry      func(nodeID string) time.Time // when the certificate in use runs out; zero: not known
	// Answer calls a command back; see callback.Answers. The field may be nil: the plan has no callbacks for clients.
	Answer func(to api.CallBack, tell func(ctx context.Context, say func(run any) error) error) error
	// Callback is the port on which an attempt's words are awaited; nil where it has none. The field may be nil.
	Callback func(a wire.Attempt) *api.Callback
}

// Service implements api.Service.
type Service struct {
	cfg      Config
	ids      *RunIDs
	applying sync.Mutex // one text of definitions after the other
	sweeps   sweeps
	ahead    ahead
	wants    wants
}

var _ api.Service = (*Service)(nil)

// New builds a Service.
func New(cfg Config) *Service {
	if cfg.Zones == nil {
		cfg.Zones = calendar.Builtin()
	}
	return &Service{cfg: cfg, ids: NewRunIDs(cfg.Now, cfg.Rand)}
}

// may returns the subject of ctx if it has p in folder.
func (s *Service) may(ctx context.Context, p access.Permission, folder string) (access.Subject, error) {
	who := api.SubjectOf(ctx)
	if who.Name == "" {
		return who, fault.New(fault.Unauthenticated, "nobody is logged in", "log in, or show a token")
	}
	if !who.May(p, folder) {
		where := ""
		if folder != "" {
			where = " in " + folder
		}
		return who, fault.New(fault.Forbidden, fmt.Sprintf("%s lacks the permission %s%s", who.Name, p, where), "ask an administrator of the domain")
	}
	return who, nil
}

// folderOf is the folder of a net: all but the last part of its name.
func folderOf(net string) string {
	if i := strings.LastIndexByte(net, '/'); i >= 0 {
		return net[:i]
	}
	return net
}

func (s *Service) audit(who access.Subject, action, object, detail string) store.AuditRecord {
	return store.AuditRecord{At: s.cfg.Now(), By: who.Name, From: who.Address, Action: action, Object: object, Detail: detail}
}

// commit stores a batch in the engine's epoch, with kinds that the doors understand.
func (s *Service) commit(ctx context.Context, b store.Batch) error {
	b.Epoch = s.cfg.Engine.Epoch()
	_, err := s.cfg.Store.Commit(ctx, b)
	return storeFault(err)
}

// storeFault gives an error of the store the kind that the doors understand.
func storeFault(err error) error {
	var conflict *store.Conflict
	switch {
	case err == nil:
		return nil
	case errors.As(err, &conflict):
		return fault.New(fault.Conflict, err.Error(), "look at it again and repeat")
	case errors.Is(err, store.ErrDisk):
		return fault.New(fault.Disk, "no room on the server's disk", "make room; the server goes on by itself")
	case errors.Is(err, store.ErrNotFound):
		return fault.New(fault.NotFound, err.Error(), "")
	}
	return fault.Wrap(fault.Internal, "storing", err)
}

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// secret returns 160 bits of chance as text, and a short id.
func (s *Service) secret() (id, secret string, err error) {
	b := make([]byte, 28)
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return "", "", fmt.Errorf("reading chance: %w", err)
	}
	return hex.EncodeToString(b[:8]), hex.EncodeToString(b[8:]), nil
}

func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func optTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func reason(r run.Reason) *string { return opt(string(r)) }
