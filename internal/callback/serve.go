package callback

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	maxProof = 4 << 10 // bytes of the first request
	maxWrong = 3       // proofs of the right agent with a wrong token, after which its port is closed
)

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(r *http.Request) net.Conn {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	return c
}

// handler answers on a port: first the proof, then what the attempt has to say.
func (dr *door) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathCallback, dr.prove)
	mux.HandleFunc("POST "+wire.PathCallbackBeat, answer(dr, wire.MaxMessage, dr.beat))
	mux.HandleFunc("POST "+wire.PathReports, answer(dr, wire.MaxMessage, dr.reports))
	mux.HandleFunc("POST "+wire.PathOutput, answer(dr, wire.MaxMessage, dr.output))
	mux.HandleFunc("POST "+wire.PathOutputHave, answer(dr, wire.MaxMessage, dr.outputHave))
	mux.HandleFunc("PUT "+wire.PathArtifacts+"{sum}", dr.putArtifact)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if dr.of(r) == nil && r.URL.Path != wire.PathCallback {
			dr.refuse(w, r, "the first request has to prove the attempt")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// of returns the call that a request's connection has proved to be; nil: nothing yet.
func (dr *door) of(r *http.Request) *call {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	return dr.proved[connOf(r)]
}

// refuse answers a stranger, and ends its connection. What it learns is the same whatever was wrong.
func (dr *door) refuse(w http.ResponseWriter, r *http.Request, why string) {
	dr.desk.cfg.Log.Warn("refusing who came to a callback port", slog.Int("port", int(dr.lease.Port)), slog.String("from", r.RemoteAddr), slog.String("why", why))
	w.Header().Set("Connection", "close")
	http.Error(w, "not awaited here", http.StatusForbidden)
}

// prove is the first request: it names the attempt and its token.
func (dr *door) prove(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(dr.desk.cfg.Times.Handshake)); err != nil {
		dr.refuse(w, r, err.Error())
		return
	}
	var proof wire.CallbackProof
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxProof)).Decode(&proof); err != nil {
		dr.refuse(w, r, "its first request cannot be read: "+err.Error())
		return
	}
	who, err := dr.who(r)
	if err != nil {
		dr.refuse(w, r, err.Error())
		return
	}
	c, err := dr.desk.proven(dr, connOf(r), who, proof)
	if err != nil {
		dr.refuse(w, r, err.Error())
		return
	}
	times := dr.desk.cfg.Times
	welcome := wire.CallbackWelcome{Heartbeat: times.Heartbeat, Timeout: times.Timeout}
	have, err := dr.desk.cfg.Office().OutputHave(r.Context(), c.agent, []wire.Attempt{c.attempt})
	if err == nil && len(have.Have) == 1 {
		welcome.Have = have.Have[0].Have
	}
	dr.desk.cfg.Office().Heard(c.agent)
	reply(w, welcome)
}

// who returns the node that shows its certificate, if it is one of the domain now.
func (dr *door) who(r *http.Request) (identity.Identity, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return identity.Identity{}, errors.New("it shows no certificate")
	}
	leaf := r.TLS.PeerCertificates[0]
	id, err := identity.FromCertificate(leaf)
	if err != nil {
		return identity.Identity{}, err
	}
	return id, dr.desk.cfg.Allowed(id, leaf)
}

// proven takes in a proof. The token is good once.
func (d *Desk) proven(dr *door, conn net.Conn, who identity.Identity, proof wire.CallbackProof) (*call, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := dr.calls[proof.Attempt]
	if c == nil {
		// One of another attempt, or of one that is over: on a port of its own it counts against the agent that says so.
		d.wrongs(dr, who.ID)
		return nil, fmt.Errorf("%s proves an attempt that is not awaited there", who)
	}
	right := subtle.ConstantTimeCompare([]byte(c.token), []byte(proof.Token)) == 1
	switch {
	case c.agent != who.ID:
		return nil, fmt.Errorf("%s is not the agent of the attempt", who)
	case c.state != Awaited:
		return nil, fmt.Errorf("the attempt of %s is here already", who)
	case !right:
		d.wrongs(dr, who.ID)
		return nil, fmt.Errorf("%s has a wrong token", who)
	case !dr.accept(conn, c):
		return nil, errors.New("its connection has ended")
	}
	c.state, c.since, c.conn, c.token = Connected, time.Now(), conn, ""
	return c, nil
}

// wrongs counts a wrong proof of the agent that a port awaits: after a few it has lost its port, and speaks over the link.
// The lock is held.
func (d *Desk) wrongs(dr *door, agentID string) {
	if dr.shared {
		return
	}
	for _, c := range dr.calls {
		if c.agent != agentID {
			continue
		}
		if c.wrong++; c.wrong >= maxWrong && c.state == Awaited {
			d.cfg.Log.Warn("a callback port is closed after wrong proofs", slog.Any("attempt", c.attempt), slog.Int("port", int(dr.lease.Port)))
			d.over(c, "wrong proofs")
		}
	}
}

// answer decodes a request of the connection's attempt, and encodes the answer.
func answer[In, Out any](dr *door, limit int64, serve func(context.Context, *call, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, ok := dr.speaker(w, r)
		if !ok {
			return
		}
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(&in); err != nil {
			http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		out, err := serve(r.Context(), c, in)
		if err != nil {
			status := statusOf(err)
			dr.desk.cfg.Log.Warn("refusing a word of an attempt", slog.Any("attempt", c.attempt), slog.String("path", r.URL.Path), slog.Any("error", err))
			http.Error(w, err.Error(), status)
			return
		}
		reply(w, out)
	}
}

// speaker returns the attempt that speaks, gives its words time, and looks again whether its agent is still of the domain.
func (dr *door) speaker(w http.ResponseWriter, r *http.Request) (*call, bool) {
	c := dr.of(r)
	if c == nil {
		dr.refuse(w, r, "its connection has ended")
		return nil, false
	}
	if _, err := dr.who(r); err != nil {
		dr.refuse(w, r, err.Error())
		return nil, false
	}
	// Whoever stops in the middle of a word is as silent as who says none.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(dr.desk.cfg.Times.Timeout)); err != nil {
		dr.refuse(w, r, err.Error())
		return nil, false
	}
	dr.desk.cfg.Office().Heard(c.agent)
	return c, true
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// Whoever asked has gone where this fails: nobody is left to be told.
	_ = json.NewEncoder(w).Encode(v)
}

func statusOf(err error) int {
	switch fault.KindOf(err) {
	case fault.Disk:
		return http.StatusInsufficientStorage
	case fault.Busy, fault.Unreachable:
		return http.StatusServiceUnavailable
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Forbidden, fault.Unauthenticated:
		return http.StatusForbidden
	case fault.Conflict:
		return http.StatusConflict
	case fault.Internal, fault.Finding, fault.Unknown, fault.Interrupted:
	}
	return http.StatusInternalServerError
}

// own refuses words about another attempt than the connection's.
func own(c *call, a wire.Attempt) error {
	if a != c.attempt {
		return fault.Newf(fault.Forbidden, "this connection is of attempt %s/%s/%d, not of %s/%s/%d", c.attempt.Run, c.attempt.Job, c.attempt.N, a.Run, a.Job, a.N)
	}
	return nil
}

func (dr *door) beat(context.Context, *call, wire.CallbackBeat) (wire.CallbackBeat, error) {
	return wire.CallbackBeat{Now: time.Now().UTC()}, nil
}

func (dr *door) reports(ctx context.Context, c *call, in wire.Reports) (wire.ReportsReply, error) {
	for _, r := range in.Reports {
		if err := own(c, r.Attempt); err != nil {
			return wire.ReportsReply{}, err
		}
	}
	return dr.desk.cfg.Office().Reports(ctx, c.agent, in)
}

func (dr *door) output(ctx context.Context, c *call, in wire.OutputChunks) (wire.OutputReply, error) {
	for _, chunk := range in.Chunks {
		if err := own(c, chunk.Attempt); err != nil {
			return wire.OutputReply{}, err
		}
	}
	return dr.desk.cfg.Office().Output(ctx, c.agent, in)
}

func (dr *door) outputHave(ctx context.Context, c *call, in []wire.Attempt) (wire.OutputReply, error) {
	for _, a := range in {
		if err := own(c, a); err != nil {
			return wire.OutputReply{}, err
		}
	}
	return dr.desk.cfg.Office().OutputHave(ctx, c.agent, in)
}

func (dr *door) putArtifact(w http.ResponseWriter, r *http.Request) {
	c, ok := dr.speaker(w, r)
	if !ok {
		return
	}
	control := http.NewResponseController(w)
	body := &patient{r.Body, func() error { return control.SetReadDeadline(time.Now().Add(dr.desk.cfg.Times.Timeout)) }}
	fresh, err := dr.desk.cfg.Office().PutArtifact(r.Context(), r.PathValue("sum"), body)
	if err != nil {
		dr.desk.cfg.Log.Warn("refusing an artifact", slog.Any("attempt", c.attempt), slog.Any("error", err))
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	if fresh {
		w.WriteHeader(http.StatusNoContent)
	}
}
