package domain

import (
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/ports"
)

// doors says where each door is: on the advertised addresses of the listeners that the plan opens it on.
func (s *Service) doors() []api.Door {
	var out []api.Door
	known := map[string]int{}
	for _, claim := range s.cfg.Plan.Claims {
		if claim.Protocol != ports.TCP || !s.cfg.Plan.MayListen(string(ports.Server), claim.Service) || claim.Status != ports.Works {
			continue
		}
		if claim.Port == 0 && len(claim.RPC.Dynamic) > 0 || directory.Speaks(s.cfg.Plan, claim) != directory.HTTP {
			continue // it has no number yet, or a URL says nothing of it
		}
		scheme := "http"
		if claim.TLS {
			scheme = "https"
		}
		for _, door := range claim.Doors {
			at, ok := known[door]
			if !ok {
				at = len(out)
				known[door] = at
				out = append(out, api.Door{Door: door, URLs: []string{}})
			}
			hosts := s.cfg.Addresses
			if claim.Scope == ports.SameHost {
				hosts = []string{"127.0.0.1"}
			}
			for _, host := range hosts {
				out[at].URLs = append(out[at].URLs, scheme+"://"+s.cfg.RowAddress(claim.Service, host))
			}
		}
	}
	return out
}
