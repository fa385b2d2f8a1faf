package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// views keeps what agents have of the port plan and of calendars: each heartbeat asks whether an agent has the right one.
type views struct {
	mu     sync.Mutex
	change *change // the views are of the time of
	copies *copied // and of these calendars
	made   map[string]madeView
	texts  map[string]json.RawMessage // the compiled plan by host, of those that have numbers of their own; "" is all others'
}

// madeView is a node's view, and all that it was made of beside the plan.
type madeView struct {
	rev  int64 // of the node
	port ports.Port
	view wire.View
}

// view is the port plan as an agent has it: with its own numbers, with where this server is, and with who dials; and the
// calendars. Its plan and its calendars are shared, and must not be changed.
func (s *Server) view(id string) (wire.View, error) {
	n, ok := s.registry.Node(id)
	if !ok {
		return wire.View{}, fault.New(fault.NotFound, "there is no node "+id, "")
	}
	port := s.reconnects.port(id)
	s.views.mu.Lock()
	defer s.views.mu.Unlock()
	if c, copies := s.change.Load(), s.copies.now.Load(); s.views.made == nil || s.views.change != c || s.views.copies != copies {
		if s.views.made == nil || s.views.change != c {
			s.views.texts = map[string]json.RawMessage{}
		}
		s.views.change, s.views.copies, s.views.made = c, copies, map[string]madeView{}
	}
	if m, ok := s.views.made[id]; ok && m.rev == n.Rev && m.port == port {
		return m.view, nil
	}
	v, err := s.makeView(n)
	if err == nil {
		s.views.made[id] = madeView{n.Rev, port, v}
	}
	return v, err
}

// makeView makes a node's view. The caller holds the lock of the views.
func (s *Server) makeView(n store.Node) (wire.View, error) {
	site, key := s.plans()[0].site, ""
	if h, ok := site.Host(n.Name); ok && len(h.Services) > 0 {
		key = n.Name
	}
	plan := site.For(n.Name)
	text, ok := s.views.texts[key]
	if !ok {
		var err error
		if text, err = json.Marshal(plan); err != nil {
			return wire.View{}, fmt.Errorf("writing the compiled plan: %w", err)
		}
		s.views.texts[key] = text
	}
	v := wire.View{Hash: plan.Hash, Plan: text, Enrol: []wire.Route{}}
	for _, p := range s.plans() {
		for _, path := range s.pathsIn(p, "enrol", n) {
			if !path.ServerDials {
				v.Enrol = append(v.Enrol, wire.Route{Row: path.Flow.Service, Addresses: s.advertised(p, path.Flow.Service)})
			}
		}
	}
	v.Dial, v.Listen = s.routes(n)
	s.relayRoutes(&v, n, plan)
	all, err := json.Marshal(v)
	if err != nil {
		return wire.View{}, fmt.Errorf("writing a view: %w", err)
	}
	if c := s.views.copies; c != nil && c.hash != "" { // their texts are large, and the same for all agents
		v.Calendars = c.list
		all = append(all, c.hash...)
	}
	sum := sha256.Sum256(all)
	v.ID = hex.EncodeToString(sum[:])
	return v, nil
}
