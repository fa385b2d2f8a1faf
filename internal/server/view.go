package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// view is the port plan as an agent has it: with its own numbers, with where this server is, and with who dials.
func (s *Server) view(id string) (wire.View, error) {
	n, ok := s.registry.Node(id)
	if !ok {
		return wire.View{}, fault.New(fault.NotFound, "there is no node "+id, "")
	}
	newest := s.plans()[0]
	plan := newest.site.For(n.Name)
	text, err := json.Marshal(plan)
	if err != nil {
		return wire.View{}, fmt.Errorf("writing the compiled plan: %w", err)
	}
	v := wire.View{Hash: plan.Hash, Plan: text, Enrol: []wire.Route{}}
	for _, p := range s.plans() {
		for _, path := range s.pathsIn(p.site, "enrol", n) {
			if !path.ServerDials {
				v.Enrol = append(v.Enrol, wire.Route{Row: path.Flow.Service, Addresses: s.advertised(p, path.Flow.Service)})
			}
		}
	}
	v.Dial, v.Listen = s.routes(n)
	s.relayRoutes(&v, n, plan)
	if text, err = json.Marshal(v); err != nil {
		return wire.View{}, fmt.Errorf("writing a view: %w", err)
	}
	sum := sha256.Sum256(text)
	v.ID = hex.EncodeToString(sum[:])
	return v, nil
}
