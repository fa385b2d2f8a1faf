package domain

import (
	"github.com/reeve-scheduler/reeve/internal/api"
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
