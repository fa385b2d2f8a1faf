package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// view is the port plan as an agent has it: with its own numbers, with where this server is, and with who dials.
func (s *Server) view(id string) (wire.View, error) {
	n, ok := s.registry.Node(id)
	if !ok {
		return wire.View{}, fault.New(fault.NotFound, "there is no node "+id, "")
	}
	plan := s.site().For(n.Name)
	text, err := json.Marshal(plan)
	if err != nil {
		return wire.View{}, fmt.Errorf("writing the compiled plan: %w", err)
	}
	v := wire.View{Hash: plan.Hash, Plan: text, Enrol: []wire.Route{}, Dial: []wire.Route{}, Listen: []wire.Route{}}
	for _, p := range s.nodePaths("enrol", n) {
		if !p.ServerDials {
			v.Enrol = append(v.Enrol, wire.Route{Row: p.Flow.Service, Addresses: s.ownAddresses(p.Flow.Service)})
		}
	}
	for _, p := range s.nodePaths("link", n) {
		switch cl, _ := plan.Service(p.Flow.Service); {
		case cl.Port == 0 || cl.Last > cl.Port: // its number is leased first
		case p.ServerDials:
			v.Listen = append(v.Listen, wire.Route{Row: p.Flow.Service, Port: int(cl.Port), Turn: p.Turn})
		default:
			v.Dial = append(v.Dial, wire.Route{Row: p.Flow.Service, Turn: p.Turn, Addresses: s.ownAddresses(p.Flow.Service)})
		}
	}
	s.relayRoutes(&v, n, plan)
	if text, err = json.Marshal(v); err != nil {
		return wire.View{}, fmt.Errorf("writing a view: %w", err)
	}
	sum := sha256.Sum256(text)
	v.ID = hex.EncodeToString(sum[:])
	return v, nil
}

// dialledZone stands for the zone of a node that the inventory does not have, and that a server's dial has enrolled.
const dialledZone = "(enrolled by a server's dial)"

// nodePaths are the rows by which this server and a node have a conversation. Where nobody knows a node's zone, but a
// server's dial has enrolled it, that is how it is reached, and it dials only where the plan has no row for that.
func (s *Server) nodePaths(conversation string, n store.Node) []ports.Path {
	site, own, zone := s.site(), s.zone(), s.zoneOf(n)
	if zone == "" && len(n.Addresses) > 0 {
		zone = dialledZone
		site.Inventory.Dials = append(slices.Clip(site.Inventory.Dials), ports.Dial{From: own, To: zone})
	}
	return site.Paths(conversation, own, zone, ports.Agent)
}

// ownAddresses is where others find a row of this server: as it advertises itself, else as the inventory says.
func (s *Server) ownAddresses(row string) []string {
	if h, ok := s.host(); ok && len(s.cfg.Advertise) == 0 {
		if all := s.site().At(h.Name, row); len(all) > 0 {
			return all
		}
	}
	all := make([]string, len(s.addresses))
	for i, a := range s.addresses {
		all[i] = s.addressOf(row, a)
	}
	return all
}
