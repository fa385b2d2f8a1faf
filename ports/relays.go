package ports

import "slices"

// RelayPath is a row of the plan by which a relay carries the links of nodes of a zone.
type RelayPath struct {
	Flow       ResolvedFlow
	Turn       int    // its place in the order of dialling, from 1, behind those of Paths
	Relay      string // a host of the inventory
	RelayDials bool   // the relay dials the node; else the node dials the relay
}

// RelayPaths returns by which relays the agents of a zone have a conversation with servers, "link" or "enrol", in the
// order in which they are dialled: rows of the plan first, then the inventory's hosts.
func (s Site) RelayPaths(conversation, zone string) []RelayPath {
	dirs := newDirections(s)
	var all []RelayPath
	for _, f := range s.Compiled.Carrying(conversation) {
		dials := dirs.relays[f.From]
		if !dirs.byRelay(f) {
			continue
		}
		for _, h := range s.Inventory.Hosts {
			role, from, to := f.To, zone, h.Zone
			if dials {
				role, from, to = f.From, h.Zone, zone
			}
			if contains(h.Roles, role) && dirs.used(f, from, to) {
				all = append(all, RelayPath{Flow: f, Turn: len(all) + 1, Relay: h.Name, RelayDials: dials})
			}
		}
	}
	return all
}

// Relays returns the rows on which a host listens as a relay, for agents that dial it; none where it is no relay.
func (s Site) Relays(host string) []ResolvedFlow {
	h, ok := s.Host(host)
	if !ok {
		return nil
	}
	var all []ResolvedFlow
	for _, f := range s.Compiled.Carrying("link") {
		listed := slices.ContainsFunc(all, func(other ResolvedFlow) bool { return other.Service == f.Service })
		if contains(s.Compiled.Relays, f.To) && contains(h.Roles, f.To) && s.Compiled.Kinds[f.From] == Agent && !listed {
			all = append(all, f)
		}
	}
	return all
}

// byRelay reports whether a flow is one between an agent and a relay, for the agent's conversations with servers.
func (d directions) byRelay(f ResolvedFlow) bool {
	return d.relays[f.From] != d.relays[f.To] && d.kinds[f.From] == Agent && d.kinds[f.To] == Agent &&
		(contains(f.Carries, "link") || contains(f.Carries, "enrol"))
}

// findRelayed notes the zones whose agents reach servers by relays: dials pairs them with a zone in which one stands,
// and no server stands in them.
func (d directions) findRelayed(inv Inventory) {
	relay, server := map[string]bool{}, map[string]bool{}
	for _, h := range inv.Hosts {
		for _, role := range h.Roles {
			relay[h.Zone] = relay[h.Zone] || d.relays[role]
			server[h.Zone] = server[h.Zone] || d.kinds[role] == Server || RoleKind(role) == Server
		}
	}
	for _, dial := range inv.Dials {
		for _, ends := range [][2]string{{dial.From, dial.To}, {dial.To, dial.From}} {
			if relay[ends[1]] && ends[0] != ends[1] && !server[ends[0]] {
				d.relayed[ends[0]] = true
			}
		}
	}
}
