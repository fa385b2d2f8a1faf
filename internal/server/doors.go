package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/console"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// openPeople makes what answers people, and the first administrator.
func (s *Server) openPeople(ctx context.Context, epoch int64) error {
	hasher := access.NewHasher(s.env.Rand, 2)
	s.gate = access.NewGate(accounts{s.store, epoch}, access.Options{Random: s.env.Rand, Now: s.env.Now, Log: s.env.Log, Hasher: hasher})
	s.enroller = s.openEnroller()
	if err := s.openProofs(ctx); err != nil {
		return err
	}
	if err := s.loadCopies(ctx); err != nil {
		return err
	}
	s.service = domain.New(domain.Config{
		Verifier: s.verifier,
		Store:    s.store, Engine: s.engine, Fleet: s.fleet, Hub: s.hub, Now: s.env.Now, Rand: s.env.Rand, Log: s.env.Log,
		Address: func(h string) string { return s.sockets.Address(s.main, h) }, RowAddress: s.addressOf, Book: s.currentBook, Discover: s.discover, Password: hasher.Hash, Backup: s.backup,
		NodesChanged: s.nodesChanged, CalendarsChanged: s.copies.changed, LinkPaths: s.linkPaths, Changer: s, DropNode: func(id, reason string) { s.links.Drop(id, reason) }, Enroller: s.enroller,
		Name: s.authority.Domain(), Version: s.env.Version, Started: s.started, Plan: s.env.Plan, Ports: s.env.Ports, Addresses: s.addresses,
		Fingerprint: s.authority.Fingerprint(), ServerID: s.own.id.ID, Warnings: s.plainWarnings, Expiry: s.registry.Expiry, Callback: s.callbackOf, Answer: s.openAnswers(),
	})
	users, err := s.store.ListUsers(ctx)
	if err != nil {
		return fmt.Errorf("reading users: %w", err)
	}
	if len(users) > 0 {
		return nil
	}
	return s.firstAdministrator(ctx, hasher, epoch)
}

const firstUser = "admin"

// firstAdministrator makes a user with every permission. Its password is shown to a terminal, else left in a file
// that only the server's user can read.
func (s *Server) firstAdministrator(ctx context.Context, hasher *access.Hasher, epoch int64) error {
	password, err := access.NewSecret(s.env.Rand)
	if err != nil {
		return err
	}
	hash, err := hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // a hash takes 19 MiB, as much as all else that an idle server has
	var all []string
	for _, p := range access.Permissions() {
		all = append(all, string(p))
	}
	file := filepath.Join(s.cfg.Data, "admin-password")
	if s.env.Secret == nil {
		// Before the commit: a password that nobody can read would lock everybody out.
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			return fmt.Errorf("writing the first administrator's password: %w", err)
		}
	}
	now := s.env.Now()
	_, err = s.store.Commit(ctx, store.Batch{
		Epoch: epoch,
		Users: []store.UserWrite{{User: store.User{Name: firstUser, FullName: "First administrator", Password: hash, Permissions: all, Created: now, Changed: now}}},
		Audit: []store.AuditRecord{{At: now, By: "reeve", From: "local", Action: "user.create", Object: firstUser, Detail: "at the first start"}},
	})
	if err != nil {
		return fmt.Errorf("storing the first administrator: %w", err)
	}
	if s.env.Secret != nil {
		s.env.Secret(firstUser, password)
	} else {
		s.env.Log.Info("the first administrator's password is in a file; change it and remove the file", slog.Any("user", firstUser), slog.Any("file", file))
	}
	return nil
}

// openDoors puts the doors on the listeners, and opens the socket for local administration.
func (s *Server) openDoors() error {
	var err error
	if s.api, err = s.rest(); err != nil {
		return err
	}
	pages, err := s.web()
	if err != nil {
		return err
	}
	endpoint := identity.Endpoint{
		Own: s.own.current, Domain: s.authority.Domain(), Expect: []identity.Role{"agent", "server"}, Allowed: s.registry.Allowed, Now: s.env.Now,
	}
	tls := endpoint.ServerConfig()
	s.openRelays()
	s.serversOf = func(e entrance) (all []func(context.Context) error) {
		web, links := s.webOf(e, pages), slices.Contains(e.claim.Doors, "link")
		for _, l := range e.listeners {
			if !e.claim.TLS {
				all = append(all, func(ctx context.Context) error { return s.servePlain(ctx, l, web) })
				continue
			}
			one := &link.Server{Listener: l, Row: e.claim.Service, TLS: endpoint.WebOnlyConfig(), Web: web, Prove: s.end.Prove, Options: s.linkOptions()}
			if links {
				one.TLS, one.OnLink = tls, func(ctx context.Context, l *link.Link) { s.fleet.Serve(ctx, l) }
			}
			one.TLS = s.proofEndpoint().Provable(one.TLS)
			all = append(all, one.Run)
		}
		return all
	}
	for _, e := range s.entrances {
		if e.claim.Service == s.main {
			s.serveRelayed(tls, s.webOf(e, pages))
		}
		s.servers = append(s.servers, s.serversOf(e)...)
	}
	s.local, err = listenLocal(filepath.Join(s.cfg.Data, "admin.sock"))
	return err
}

// web is the handler of the console's pages.
func (s *Server) web() (http.Handler, error) {
	pages, err := console.New(console.Config{
		Service: s.service, Log: s.env.Log, Now: s.env.Now,
		Login: func(r *http.Request, name, password string) (*http.Cookie, error) {
			login, err := s.gate.Login(r, name, password)
			if err != nil {
				return nil, err
			}
			return access.Cookie(login.Secret), nil
		},
		Logout: func(r *http.Request) *http.Cookie {
			if err := s.gate.Logout(r); err != nil {
				s.env.Log.Warn("ending a session", slog.Any("error", err))
			}
			return access.NoCookie()
		},
	})
	if err != nil {
		return nil, err
	}
	return s.withSubject(pages), nil
}

// withSubject puts who asks into the context of a console's request; who is unknown is nobody.
func (s *Server) withSubject(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identify := s.gate.Authenticate
		if r.URL.Path == "/live" || r.Header.Get("Reeve-Live") != "" {
			identify = s.gate.Still // a page that keeps itself fresh is not a person who is there
		}
		who, err := identify(r)
		if err != nil && !fault.Is(err, fault.Unauthenticated) {
			s.env.Log.Warn("finding out who asks", slog.Any("error", err))
		}
		if err == nil {
			r = r.WithContext(api.WithSubject(r.Context(), who))
		}
		next.ServeHTTP(w, r)
	})
}

// serveLocal answers the API on the Unix socket in the data folder.
func (s *Server) serveLocal(ctx context.Context) error {
	rest, err := s.rest()
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:     rest,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return access.WithPeer(ctx, c) },
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	api.Limits(srv)
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			_ = srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(s.local); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving local administration: %w", err)
	}
	return nil
}
