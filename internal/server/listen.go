package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// entrance is a row of the plan on which this server listens, and the listeners that it has there.
type entrance struct {
	claim     ports.Claim
	listeners []net.Listener
}

// entrances returns the rows of the plan that open doors on a server, in the plan's order. A row to which no number is
// given opens nothing, but for the main one: a test lets the system choose its number.
func entrances(plan ports.Compiled, main string) []ports.Claim {
	var all []ports.Claim
	for _, cl := range plan.Claims {
		switch {
		case cl.Protocol != ports.TCP || cl.Pool || len(cl.Doors) == 0 || !plan.MayListen(string(ports.Server), cl.Service):
		case cl.Status != ports.Works || cl.Port == 0 && cl.Service != main:
		case directory.Speaks(plan, cl) != directory.HTTP:
		default:
			all = append(all, cl)
		}
	}
	return all
}

// mainService is the row at which nodes and people find a server where they know only its name: the one at which agents
// join, else the first that opens the API.
func mainService(plan ports.Compiled) (string, error) {
	for _, f := range plan.Dials("enrol", ports.Agent, ports.Server) {
		return f.Service, nil
	}
	for _, door := range []string{"api", "console"} {
		for _, cl := range plan.Door(door) {
			if cl.Status == ports.Works && plan.MayListen(string(ports.Server), cl.Service) {
				return cl.Service, nil
			}
		}
	}
	return "", fault.New(fault.Invalid, "the port plan "+plan.Plan+" has no row at which a server can be found", "give it a service with door: [api] and a flow to a role that is: server")
}

// mayBePlain refuses a row without TLS that others could reach, unless the site has said that it wants that.
func (s *Server) mayBePlain(cl ports.Claim, binds []string) error {
	if cl.TLS || s.cfg.AllowPlain {
		return nil
	}
	for _, bind := range binds {
		if a, err := netip.ParseAddr(bind); err != nil || !a.IsLoopback() {
			return fault.New(fault.Invalid, fmt.Sprintf("the row %s of the port plan %s is without TLS, and others could reach it", cl.Service, s.env.Plan.Plan),
				"choose the plan's alternate with TLS, bind loopback only, or say allow_plain: true in the configuration")
		}
	}
	return nil
}

// plainWarnings are what stands on every page: that something is offered without TLS to others, and what a new time zone database moved.
func (s *Server) plainWarnings() []string {
	all := slices.Clone(s.zoneWarnings)
	for _, e := range s.entrances {
		if !e.claim.TLS && e.reachable() {
			all = append(all, fmt.Sprintf("the row %s (port %d) is offered without TLS: passwords and output can be read on the way", e.claim.Service, e.claim.Port))
		}
	}
	return all
}

// reachable reports whether other hosts can reach an entrance.
func (e entrance) reachable() bool {
	return slices.ContainsFunc(e.listeners, func(l net.Listener) bool {
		a, ok := l.Addr().(*net.TCPAddr)
		return !ok || !a.IP.IsLoopback()
	})
}

// addressOf completes HOST with the port of a row; HOST:PORT is the main row's, and other rows take its host.
func (s *Server) addressOf(service, host string) string {
	if service != s.main {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return s.sockets.Address(service, host)
}

// webOf is the handler of one entrance: only what its doors open. The console is complete on its port, api opens the whole
// API, and every other door the part of the API that has its name.
func (s *Server) webOf(e entrance, pages http.Handler) http.Handler {
	rest := s.api.Door(e.claim.Doors...)
	if s.ownOnly(e.claim.Service) {
		return s.atHome(rest, pages, slices.Contains(e.claim.Doors, "console"))
	}
	if !slices.Contains(e.claim.Doors, "console") {
		return rest
	}
	return withPages(rest, pages)
}

// withPages is the API below its path, and the console elsewhere.
func withPages(rest, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/healthz" || r.URL.Path == "/metrics" {
			rest.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// ownOnly reports whether people and programs may use a row on the server's own host only: the plan has no flow for
// others that carries them there, though it has other flows.
func (s *Server) ownOnly(service string) bool {
	found := false
	for _, f := range s.env.Plan.Carrying("client") {
		if f.Service == service && s.env.Plan.Kinds[f.To] == ports.Server {
			if f.From != f.To {
				return false
			}
			found = true
		}
	}
	return found
}

// atHome serves this host's people and programs, and to others only what servers have to do with each other.
func (s *Server) atHome(rest, pages http.Handler, console bool) http.Handler {
	own, others := rest, s.api.Door("peers")
	if console {
		own = withPages(rest, pages)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && a.Addr().Unmap().IsLoopback() {
			own.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// servePlain serves an entrance without TLS until ctx ends.
func (s *Server) servePlain(ctx context.Context, l net.Listener, web http.Handler) error {
	srv := &http.Server{Handler: web, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }, ErrorLog: slog.NewLogLogger(s.env.Log.Handler(), slog.LevelWarn)}
	api.Limits(srv)
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			_ = srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving without TLS: %w", err)
	}
	return nil
}

// doorsText names the rows of the entrances and their doors, for the log.
func (s *Server) doorsText() string {
	parts := make([]string, len(s.entrances))
	for i, e := range s.entrances {
		parts[i] = fmt.Sprintf("%s:%d %s", e.claim.Service, e.claim.Port, strings.Join(e.claim.Doors, "+"))
	}
	return strings.Join(parts, ", ")
}
