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
		if !claim.Binds || claim.Status != ports.Works {
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
			for _, address := range s.cfg.Addresses {
				out[at].URLs = append(out[at].URLs, scheme+"://"+address)
			}
		}
	}
	return out
}
