package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// rest is the API's handler with the routes that let nodes in.
func (s *Server) rest() (*api.Handler, error) {
	join := answered(func(ctx context.Context, from string, in wire.JoinRequest) (wire.Certificate, error) {
		answer, err := s.registry.Join(ctx, in, from)
		if err != nil {
			return answer, err
		}
		if v, err := s.view(answer.NodeID); err == nil { // else it comes with the welcome
			answer.View = &v
		}
		return answer, nil
	})
	renew := answered(func(ctx context.Context, _ string, in wire.RenewRequest) (wire.Certificate, error) {
		return s.registry.Recover(ctx, in)
	})
	return api.New(s.service, s.gate, api.Options{
		Log: s.env.Log, Metrics: s.service.Metrics, NetSchema: jobfile.Schema(), CalendarSchema: jobfile.CalendarSchema(), Extra: []api.Extra{api.JoinRoute(join), api.RenewRoute(renew)},
	})
}

const maxJoin = 64 << 10

// answered serves one JSON call that needs no login. Its errors are problems as the API's are.
func answered[In, Out any](do func(context.Context, string, In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJoin))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			api.WriteProblem(w, fault.Wrap(fault.Invalid, "reading the request", err))
			return
		}
		out, err := do(r.Context(), r.RemoteAddr, in)
		if err != nil {
			api.WriteProblem(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // who asked has gone: it will ask again
	})
}
