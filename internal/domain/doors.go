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

// ports is the port table in use.
func (s *Service) ports() []api.PortRow {
	rows := s.cfg.Plan.Rows()
	out := make([]api.PortRow, len(rows))
	for i, r := range rows {
		out[i] = api.PortRow{
			ID: r.ID, Function: r.Function, Service: r.Service, Port: r.Port, Protocol: r.Protocol, Scope: r.Scope,
			Source: r.Source, Destination: r.Destination, Purpose: r.Purpose, Door: r.Door, Status: r.Status,
		}
	}
	return out
}
