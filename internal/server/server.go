// Package server answers: how is a server put together, started and stopped?
//
// It is one of the two places that know concrete types. Open binds, opens and migrates, so that what is wrong at a
// start is returned, not logged; Run keeps everything going and stops it in the reverse of the order in which it
// depends on each other: doors, links, engine, store.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/proof/end"
	"github.com/reeve-scheduler/reeve/internal/relay"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// Env is what a server is given of the world.
type Env struct {
	Plan    ports.Compiled
	Ports   domain.PortPlan // as Plan was written, and this host's leases
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	Rand    io.Reader // cryptographic
	// Reread reads the port plan with which this server is configured; nil: it cannot be changed while the server runs.
	// Settle keeps the plan that Reread returned last as the one by which this server works, or that it was not taken.
	Reread func() (ports.Compiled, domain.PortPlan, error)
	Settle func(taken bool) error
	// Begin is true where the plan with which this server is configured is another than that by which it works: its ports
	// are changed to it, once it runs.
	Begin bool
	// Secret shows the first administrator's password to a person; nil: it is written to a file.
	Secret func(user, password string)
}

// Server is a server that is open and may be run once.
type Server struct {
	cfg     Config
	env     Env
	started time.Time

	store     *sqlite.Store
	authority *identity.Authority
	own       *credentials
	registry  *domain.Registry
	enroller  *domain.Enroller
	hub       *domain.Hub
	fleet     *fleet.Fleet
	engine    *engine.Engine
	service   *domain.Service
	gate      *access.Gate
	dials     diallers
	host      func() (ports.Host, bool) // this server in the inventory
	views     views
	copies    copies
	blames    blames
	// reconnects are the ports on which agents come back after a failure.
	reconnects reconnects
	change     atomic.Pointer[change]
	changing   changing
	serversOf  func(entrance) []func(context.Context) error
	callbacks  *callback.Desk // nil: the plan has no callbacks
	answers    *callback.Answers
	book       *ledger.Ledger // of this host's leases; nil: this server leases nothing
	links      *link.Links
	relays     *relay.Gate  // nil: the plan has no relays
	api        *api.Handler // of every door: the listeners' and the local one
	main       string       // the row at which it is found
	entrances  []entrance
	sockets    *socket.Net
	end        *end.End // this server's part in proofs
	verifier   *domain.Verifier
	names      names
	local      net.Listener
	servers    []func(context.Context) error // one for each listener
	addresses  []string
	// zoneWarnings say what a new time zone database has moved since the last start.
	zoneWarnings []string
}

// Open opens the data folder, migrates, and binds. On an error everything that was opened is closed again.
func Open(ctx context.Context, cfg Config, env Env) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, env: env, started: env.Now(), hub: domain.NewHub(), links: link.NewLinks(), copies: copies{news: make(chan struct{}, 1)}}
	s.dials.server = s
	s.host = sync.OnceValues(func() (ports.Host, bool) { return s.hostIn(s.site()) })
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	if err := openFolder(s.cfg.Data); err != nil {
		return err
	}
	var err error
	if s.store, err = sqlite.Open(ctx, filepath.Join(s.cfg.Data, "store"), sqlite.Options{}); err != nil {
		return err
	}
	if s.authority, err = s.openAuthority(); err != nil {
		return err
	}
	epoch, err := s.store.Epoch(ctx)
	if err != nil {
		return fmt.Errorf("reading the epoch: %w", err)
	}
	if s.main, err = mainService(s.env.Plan); err != nil {
		return err
	}
	if err := s.leaseRows(ctx); err != nil {
		return err
	}
	s.sockets = socket.New(s.ownPlan(), socket.As(string(ports.Server)))
	if err := s.useProxy(s.sockets); err != nil {
		return err
	}
	s.entrances, err = s.listen(ctx, s.now())
	if err != nil {
		return err
	}
	s.addresses = s.advertised(s.now(), s.main)
	s.registry = &domain.Registry{
		Store: s.store, Authority: s.authority, Epoch: epoch, Now: s.env.Now, Rand: s.env.Rand, Log: s.env.Log, Changed: s.nodesChanged,
	}
	if s.own, err = s.openCredentials(ctx, epoch); err != nil {
		return err
	}
	if err := s.openZones(ctx, epoch); err != nil {
		return err
	}
	if err := s.openDeciders(ctx); err != nil {
		return err
	}
	if err := s.openPeople(ctx, epoch); err != nil {
		return err
	}
	if err := s.openReconnects(); err != nil {
		return err
	}
	if err := s.openNames(ctx); err != nil {
		return err
	}
	return s.openDoors()
}

// firstDomain is the domain's name where nobody gives it one.
const firstDomain = "reeve"

// openAuthority opens the domain's authority, or makes it at the first start.
func (s *Server) openAuthority() (*identity.Authority, error) {
	folder, name := filepath.Join(s.cfg.Data, "authority"), s.cfg.Domain
	if name == "" {
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			name = firstDomain
		}
	}
	return identity.OpenAuthority(folder, name, s.env.Now(), s.env.Rand)
}

// openFolder makes the data folder, or refuses one that others can look into.
func openFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return folderFault("making the data folder "+path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return folderFault("looking at the data folder "+path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.Invalid, fmt.Sprintf("data folder %s is open to others (mode %04o)", path, info.Mode().Perm()), "chmod 700 "+path)
	}
	probe, err := os.CreateTemp(path, ".probe-*")
	if err != nil {
		return folderFault("writing to the data folder "+path, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// folderFault says what to do about a data folder that cannot be used.
func folderFault(doing string, err error) error {
	e := &fault.Error{Kind: fault.Invalid, Msg: doing, Err: err}
	switch {
	case errors.Is(err, os.ErrPermission):
		e.Kind, e.Fix = fault.Forbidden, "give it to the user that runs the server, or choose another with --data"
	case errors.Is(err, syscall.ENOSPC):
		e.Kind, e.Fix = fault.Disk, "make room on its disk"
	}
	return e
}

// openDeciders makes fleet and engine around each other, and what answers people.
func (s *Server) openDeciders(ctx context.Context) error {
	shelf := &domain.Shelf{
		Store: s.store, Engine: func() *engine.Engine { return s.engine }, Hub: s.hub,
		Folder: filepath.Join(s.cfg.Data, "artifacts"), Limit: s.cfg.Artifacts.Limit,
	}
	if err := os.MkdirAll(shelf.Folder, 0o700); err != nil {
		return fmt.Errorf("making the artifacts' folder: %w", err)
	}
	if err := s.openCallbacks(ctx); err != nil {
		return err
	}
	var calls fleet.Callbacks
	if s.callbacks != nil {
		calls = s.callbacks
	}
	s.fleet = fleet.New(fleet.Config{
		Callbacks: calls,
		Desk:      func() fleet.Desk { return s.engine }, Shelf: shelf, Registry: s.registry,
		Welcome: wire.Welcome{
			Version: s.env.Version, Heartbeat: s.cfg.Link.Heartbeat, Timeout: s.cfg.Link.Timeout, Tenure: s.cfg.Link.Tenure, PlanHash: s.env.Plan.Hash,
		},
		Now: s.env.Now, Log: s.env.Log,
		View: s.view,
		Slow: s.dials.urge,
		Changed: func(id string) {
			s.dials.changed(id)
			s.hub.Publish(api.Change{Kind: "node", ID: id})
		},
	})
	if err := s.openEngine(ctx); err != nil {
		return err
	}
	agents, err := s.registry.Refresh(ctx)
	if err != nil {
		return err
	}
	s.fleet.Update(agents)
	return nil
}

// define reads a stored version of a net.
func define(v store.NetVersion) (*jobnet.Net, error) {
	nets, err := jobfile.Parse(v.Name, []byte(v.Text))
	if err != nil {
		return nil, err
	}
	if len(nets) != 1 {
		return nil, fmt.Errorf("%d nets in one stored version", len(nets))
	}
	return &nets[0], nil
}

func (s *Server) nodesChanged(ctx context.Context) error {
	agents, err := s.registry.Refresh(ctx)
	if err != nil {
		return err
	}
	s.fleet.Update(agents)
	s.hub.Publish(api.Change{Kind: "node"})
	return errors.Join(s.reconnects.refresh(ctx), s.dials.refresh(ctx))
}

// Addresses returns where the server is found, HOST:PORT.
func (s *Server) Addresses() []string { return append([]string{}, s.addresses...) }

// Fingerprint returns the authority's fingerprint.
func (s *Server) Fingerprint() string { return s.authority.Fingerprint() }

// Run serves until ctx ends, then stops within seconds and returns nil. An error means that it could not go on.
func (s *Server) Run(ctx context.Context) error {
	defer func() {
		if err := s.close(); err != nil {
			s.env.Log.Error("closing", slog.Any("error", err))
		}
	}()
	deciding, stopDeciding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDeciding()
	decided := make(chan error, 1)
	go func() { decided <- s.engine.Run(deciding) }()

	g, ctx := errgroup.WithContext(ctx)
	s.openChange(ctx)
	for _, serve := range s.servers {
		g.Go(func() error { return serve(ctx) })
	}
	g.Go(func() error { return s.serveLocal(ctx) })
	g.Go(func() error { return s.fleet.Run(ctx) })
	g.Go(func() error { return s.dials.Run(ctx) })
	g.Go(func() error { return s.reconnects.Run(ctx) })
	g.Go(func() error { return s.changes(ctx) })
	if s.env.Begin {
		g.Go(func() error {
			if err := s.BeginChange(ctx, "reeve", firstChange); err != nil {
				s.env.Log.Error("the port plan with which this server is configured is not the one by which it works, and cannot be taken", slog.Any("error", err))
			}
			return nil
		})
	}
	if s.callbacks != nil {
		g.Go(func() error { return s.callbacks.Run(ctx) })
	}
	g.Go(func() error { return s.janitor(ctx) })
	g.Go(func() error { return s.giveCopies(ctx) })
	g.Go(func() error { return s.slim(ctx) })
	g.Go(func() error { return s.verifier.Run(ctx) })
	g.Go(func() error { return s.countUses(ctx) })
	g.Go(func() error { return s.watchDisk(ctx) })
	g.Go(func() error { return s.own.run(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.store.Fatal():
			return fmt.Errorf("the store cannot be trusted any more: %w", err)
		case err := <-decided:
			decided <- err
			return err
		}
	})
	s.env.Log.Info("server ready", slog.Any("domain", s.authority.Domain()), slog.Any("addresses", s.addresses), slog.Any("version", s.env.Version), slog.Any("plan", s.env.Plan.Plan), slog.Any("plan_hash", s.env.Plan.Hash), slog.Any("listens", s.doorsText()))
	if why := s.engine.Held(); why != "" {
		s.env.Log.Warn("the domain is held: nothing is started until `reeve domain release`", slog.Any("why", why))
	}
	err := g.Wait()
	s.endChanges()
	stopDeciding()
	// One sentence: what broke the engine broke the rest too, or was broken by it.
	if last := <-decided; err == nil {
		err = last
	}
	return err
}

// Close gives back what Open took. It is for a server that is not run: Run closes by itself.
func (s *Server) Close() error { return s.close() }

func (s *Server) close() error {
	var errs []error
	if s.end != nil {
		s.end.Stop()
	}
	for _, e := range s.entrances {
		for _, l := range e.listeners {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.local != nil {
		if err := s.local.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, s.closeNames())
	if s.answers != nil {
		s.answers.Close()
	}
	if s.callbacks != nil {
		s.callbacks.Close()
	}
	if s.book != nil {
		s.book.Close()
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
