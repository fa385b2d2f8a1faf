package server

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// blames says why dials of this server are in vain, as closer looks at their paths found.
type blames struct {
	mu    sync.Mutex
	found map[link.Target]blame
}

type blame struct {
	text string
	at   time.Time // when it was looked at last
}

const (
	blameEvery = time.Minute // for a path that stays dead
	blameTime  = 20 * time.Second
	blamesMost = 1024
)

// look looks at the paths of a dialler that are in vain, where nobody has for a while.
func (s *Server) look(ctx context.Context, st link.State) {
	for _, t := range st.Targets {
		if t.Err == nil || t.Since.IsZero() || !s.blames.due(t.Target, s.env.Now()) {
			continue
		}
		flow, ok := s.linkFlow(t.Row)
		if !ok {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, blameTime)
		text, err := probe.Blame(ctx, s.sockets, flow, t.Address, s.env.Now())
		cancel()
		if err != nil {
			s.env.Log.Debug("looking at a path", slog.String("to", t.Target.String()), slog.Any("error", err))
		}
		s.blames.say(t.Target, text)
	}
}

// linkFlow is the flow by which this server dials links at a row.
func (s *Server) linkFlow(row string) (ports.ResolvedFlow, bool) {
	for _, f := range s.env.Plan.Dials("link", ports.Server, ports.Agent) {
		if f.Service == row {
			return f, true
		}
	}
	return ports.ResolvedFlow{}, false
}

// due reports whether a path should be looked at now, and books that it is.
func (b *blames) due(t link.Target, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.found[t].at) < blameEvery {
		return false
	}
	if b.found == nil || len(b.found) >= blamesMost {
		b.found = map[link.Target]blame{}
	}
	b.found[t] = blame{text: b.found[t].text, at: now}
	return true
}

func (b *blames) say(t link.Target, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found[t] = blame{text: text, at: b.found[t].at}
}

func (b *blames) of(t link.Target) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.found[t].text
}

// linkPaths are the ways by which a node's link can come up, in the order in which they are dialled, and what is known of
// each.
func (s *Server) linkPaths(n store.Node) []api.LinkPath {
	st, all := s.fleet.Status(n.ID), []api.LinkPath{}
	own, _ := s.dials.state(n.ID)
	for _, p := range s.nodePaths("link", n) {
		one := api.LinkPath{Row: p.Flow.Service, Turn: p.Turn, Dials: "agent", Port: int(p.Flow.Port), State: "unknown"}
		if p.ServerDials {
			one.Dials = "server"
			one.Address = orNil(strings.Join(s.whereIs(n, p.Flow.Service), ", "))
		} else {
			one.Address = orNil(strings.Join(s.ownAddresses(p.Flow.Service), ", "))
		}
		s.say(&one, p, st, own)
		all = append(all, one)
	}
	return all
}

// say adds what is known of a path.
func (s *Server) say(one *api.LinkPath, p ports.Path, st fleet.Status, own link.State) {
	if st.Linked && st.Row == p.Flow.Service && st.Dialled == p.ServerDials {
		one.State, one.Since = "up", instant(st.Since)
		return
	}
	if st.Linked {
		one.State = "resting"
	}
	if p.ServerDials {
		for _, t := range own.Targets {
			if t.Row == p.Flow.Service && t.Err != nil && !t.Since.IsZero() {
				one.State, one.Since, one.Rounds, one.Next = "in vain", instant(t.Since), t.Rounds, instant(t.Next)
				one.Why = orNil(cmp.Or(s.blames.of(t.Target), t.Err.Error()))
			}
		}
		return
	}
	for _, d := range st.Dials {
		if d.Row == p.Flow.Service {
			one.State, one.Since, one.Rounds, one.Why = "in vain", instant(d.Since), d.Rounds, orNil(d.Why)
		}
	}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
