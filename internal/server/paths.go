package server

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
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
			s.env.Log.Debug("looking at a path", slog.String("to", t.String()), slog.Any("error", err))
		}
		s.blames.say(t.Target, text)
	}
}

// linkFlow is the flow by which this server dials links at a row.
func (s *Server) linkFlow(row string) (ports.ResolvedFlow, bool) {
	for _, kind := range []ports.RoleKind{ports.Agent, ports.Desk} {
		for _, f := range s.env.Plan.Dials("link", ports.Server, kind) {
			if f.Service == row {
				return f, true
			}
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
	ways := s.ways(n)
	up := slices.IndexFunc(ways, func(w way) bool { return st.Linked && w.carries(st) })
	for i, w := range ways {
		one := api.LinkPath{Row: w.path.Flow.Service, Turn: i + 1, Dials: "agent", Port: int(w.port), State: "unknown", Address: orNil(strings.Join(w.addresses, ", "))}
		if w.path.ServerDials {
			one.Dials = "server"
		}
		switch {
		case i == up:
			one.State, one.Since = "up", instant(st.Since)
		case st.Linked && up >= 0 && i > up:
			one.State = "resting"
		case w.path.ServerDials:
			s.sayOwn(&one, w, own)
		default:
			sayTheirs(&one, w, st)
		}
		all = append(all, one)
	}
	return all
}

// carries reports whether a node's link came up by the way.
func (w way) carries(st fleet.Status) bool {
	if w.path.Flow.Service != st.Row || w.path.ServerDials != st.Dialled {
		return false
	}
	if st.Dialled {
		return w.turn == st.Turn
	}
	return st.Port == 0 || int(w.port) == st.Port
}

// sayOwn adds what this server's dials by a way came to.
func (s *Server) sayOwn(one *api.LinkPath, w way, own link.State) {
	for _, t := range own.Targets {
		if t.Row == w.path.Flow.Service && t.Turn == w.turn && t.Err != nil && !t.Since.IsZero() {
			one.State, one.Since, one.Rounds, one.Next = "in vain", instant(t.Since), t.Rounds, instant(t.Next)
			one.Why = orNil(cmp.Or(s.blames.of(t.Target), t.Err.Error()))
		}
	}
}

// sayTheirs adds what the node said of its dials by a way.
func sayTheirs(one *api.LinkPath, w way, st fleet.Status) {
	for _, d := range st.Dials {
		if d.Row == w.path.Flow.Service && slices.Contains(w.addresses, d.Address) {
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
