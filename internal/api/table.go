package api

import (
	"net/http"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// table is the list of all routes that this package handles.
func (h *Handler) table() []entry {
	return slices.Concat(h.loginRoutes(), h.runRoutes(), h.netRoutes(), h.nodeRoutes(), h.peopleRoutes(), h.domainRoutes(), h.planRoutes(), h.proofRoutes(), h.directoryRoutes(),
		h.scheduleRoutes(), h.occurrenceRoutes(), h.agendaRoutes(), h.forecastRoutes(), h.calendarRoutes())
}

// body is an answer with a body and nothing else of its own.
type body[T any] struct{ Body T }

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}

// nothing is an input or an answer without content.
type nothing struct{}

// JoinRoute and RenewRoute are the routes of joining, which who builds the server handles: entries for Options.Extra.
func JoinRoute(handler http.Handler) Extra { return joining(handler, nil)[0] }

// RenewRoute is the route by which a node renews a certificate that has run out.
func RenewRoute(handler http.Handler) Extra { return joining(nil, handler)[1] }

func joining(join, renew http.Handler) []Extra {
	open := func(path, id, summary string, handler http.Handler) Extra {
		if handler == nil {
			handler = http.NotFoundHandler()
		}
		return Extra{Route: post(path, id, summary).needs(access.Public, Nobody).behind("link"), Handler: handler}
	}
	return []Extra{
		open("/join", "join", "Join the domain as a node, proved by a one-time token.", join),
		open("/renew", "renew", "Renew a node's certificate, proved by its bound key.", renew),
	}
}
