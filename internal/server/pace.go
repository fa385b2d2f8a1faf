package server

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// pace keeps a node's link alive where something on its path forgets silent connections: what the inventory says of
// middleboxes between its zone and this server's, and what was measured.
func (s *Server) pace(peer identity.Identity, _ string) link.Timing {
	usual := link.Timing{Heartbeat: s.cfg.Link.Heartbeat, Timeout: s.cfg.Link.Timeout}
	return usual.Below(s.idleLimit(peer.Name))
}

// idleLimit is how long a connection between a node and this server may be silent; 0: nothing is known to forget it.
func (s *Server) idleLimit(node string) time.Duration {
	h, _ := s.site().Host(node)
	own, least := s.zone(), s.measured(node)
	for _, b := range s.env.Ports.Inventory.Middleboxes {
		between := own != h.Zone && slices.Contains(b.Between, own) && slices.Contains(b.Between, h.Zone)
		if between && b.Idle > 0 && (least == 0 || b.Idle < least) {
			least = b.Idle
		}
	}
	return least
}
