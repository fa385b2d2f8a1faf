package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// seenEvery is how often it is stored that an agent was heard of.
const seenEvery = time.Minute

// Handler serves the routes that agents call on their links. Whoever calls is the link's peer: no request says
// for which agent it speaks.
func (f *Fleet) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathHello, withPeer(f, f.hello))
	mux.HandleFunc("POST "+wire.PathHeartbeat, withPeer(f, f.heartbeat))
	mux.HandleFunc("POST "+wire.PathReports, withPeer(f, f.reports))
	mux.HandleFunc("POST "+wire.PathOutput, withPeer(f, f.output))
	mux.HandleFunc("POST "+wire.PathOutputHave, withPeer(f, f.outputHave))
	mux.HandleFunc("POST "+wire.PathLinkRenew, withPeer(f, f.renew))
	mux.HandleFunc("PUT "+wire.PathArtifacts+"{sum}", f.putArtifact)
	mux.HandleFunc("GET "+wire.PathArtifacts+"{sum}", f.getArtifact)
	return mux
}

// withPeer decodes a bounded JSON body, calls f for the peer of the link, and encodes the answer.
func withPeer[In, Out any](f *Fleet, serve func(context.Context, string, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok := f.peer(r.Context())
		if !ok {
			http.Error(w, "not an agent of this domain", http.StatusForbidden)
			return
		}
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxMessage)).Decode(&in); err != nil {
			http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		out, err := serve(r.Context(), id, in)
		if err != nil {
			f.refuse(w, id, r.URL.Path, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			f.cfg.Log.Debug("answering an agent", slog.Any("agent", id), slog.Any("path", r.URL.Path), slog.Any("error", err))
		}
	}
}

// peer returns the id of the agent on the other end.
func (f *Fleet) peer(ctx context.Context) (string, bool) {
	who, ok := link.PeerOf(ctx)
	if !ok || who.Role != "agent" {
		return "", false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok = f.agents[who.ID]
	return who.ID, ok
}

func (f *Fleet) refuse(w http.ResponseWriter, id, path string, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.Disk:
		status = http.StatusInsufficientStorage
	case fault.Busy, fault.Unreachable:
		status = http.StatusServiceUnavailable
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Invalid:
		status = http.StatusUnprocessableEntity
	case fault.Forbidden, fault.Unauthenticated:
		status = http.StatusForbidden
	case fault.Conflict:
		status = http.StatusConflict
	case fault.Internal, fault.Finding, fault.Unknown, fault.Interrupted:
	}
	f.cfg.Log.Warn("refusing an agent's request", slog.Any("agent", id), slog.Any("path", path), slog.Any("error", err))
	http.Error(w, err.Error(), status)
}

func (f *Fleet) hello(ctx context.Context, id string, h wire.Hello) (wire.Welcome, error) {
	epoch, mark, err := f.cfg.Registry.Mark(ctx, id)
	if err != nil {
		return wire.Welcome{}, fmt.Errorf("reading the mark: %w", err)
	}
	if h.Epoch > epoch {
		return wire.Welcome{}, fault.New(fault.Conflict, fmt.Sprintf("the agent has obeyed a server in epoch %d, and this one is in epoch %d: it was restored from an older backup", h.Epoch, epoch),
			fmt.Sprintf("restore again with --epoch-above %d", h.Epoch))
	}
	if err := f.cfg.Registry.Linked(ctx, id, dialledFrom(ctx), h); err != nil {
		return wire.Welcome{}, fmt.Errorf("storing what the agent said: %w", err)
	}
	now := f.cfg.Now()
	f.mu.Lock()
	if a, ok := f.agents[id]; ok {
		a.status.View = bounded(h.View)
		a.status.Version, a.status.PlanHash, a.status.Differs = bounded(h.Version), bounded(h.PlanHash), sentences(h.Differs)
		a.status.Slots = min(max(h.Slots, 0), maxSlots)
		if a.status.PlanHash == "" { // it was started without a plan of its own, and takes what it is given
			a.status.PlanHash = f.cfg.Welcome.PlanHash
		}
		a.status.Skew = h.Now.Sub(now)
		a.epoch, a.mark = epoch, mark
		a.heard(now)
	}
	f.mu.Unlock()
	f.cfg.Desk().Kick() // it may have slots that nobody knew of
	w := f.cfg.Welcome
	w.Epoch, w.Now, w.View = epoch, now, f.welcomeView(id, h.View)
	for _, why := range sentences(h.Differs) {
		f.cfg.Log.Warn("an agent was started with another port plan", slog.String("agent", id), slog.String("row", why))
	}
	return w, nil
}

// dialledFrom is the host from which the peer of a request's link dialled it; empty: this end did.
func dialledFrom(ctx context.Context) string {
	l, ok := link.Of(ctx)
	if !ok || l.Dialled() {
		return ""
	}
	host, _, err := net.SplitHostPort(l.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// What an agent says is kept, logged and shown within these bounds.
const (
	maxSentences = 32
	maxSentence  = 512 // bytes
)

// bounded is a copy of what an agent said: what is cut off is not kept.
func bounded(text string) string {
	return strings.Clone(strings.ToValidUTF8(text[:min(len(text), maxSentence)], ""))
}

func sentences(said []string) []string {
	var all []string
	for _, text := range said[:min(len(said), maxSentences)] {
		all = append(all, bounded(text))
	}
	return all
}

func dialStates(said []wire.DialState) []wire.DialState {
	all := slices.Clone(said[:min(len(said), maxSentences)])
	for i, d := range all {
		all[i].Row, all[i].Address, all[i].Why = bounded(d.Row), bounded(d.Address), bounded(d.Why)
	}
	return all
}

// maxSlots bounds what an agent may claim.
const maxSlots = 100_000

// heard books that the agent is alive. The caller holds the lock.
func (a *agent) heard(now time.Time) {
	a.status.Heard = now
	a.fenced = false
}

func (f *Fleet) heartbeat(ctx context.Context, id string, h wire.Heartbeat) (wire.HeartbeatReply, error) {
	epoch, mark, err := f.cfg.Registry.Mark(ctx, id)
	if err != nil {
		return wire.HeartbeatReply{}, fmt.Errorf("reading the mark: %w", err)
	}
	now := f.cfg.Now()
	f.mu.Lock()
	a, ok := f.agents[id]
	store, changed := false, false
	if ok {
		a.heard(now)
		a.epoch, a.mark = epoch, mark
		slots := min(max(h.Slots, 0), maxSlots)
		disk := bounded(h.Disk)
		changed = a.status.Disk != disk || a.status.Slots != slots
		a.status.Disk, a.status.Slots = disk, slots
		a.status.Refused, a.status.Dials = sentences(h.Refused), dialStates(h.Dials)
		a.status.Skew, a.status.View = h.Now.Sub(now), bounded(h.View)
		if now.Sub(a.seen) >= seenEvery {
			store, a.seen = true, now
		}
	}
	f.mu.Unlock()
	if changed {
		f.cfg.Desk().Kick()
		f.cfg.Changed(id)
	}
	f.repair(ctx, id, h.View)
	if store {
		if err := f.cfg.Registry.Seen(ctx, id, now); err != nil {
			f.cfg.Log.Warn("storing that an agent was heard of", slog.Any("agent", id), slog.Any("error", err))
		}
	}
	return wire.HeartbeatReply{Epoch: epoch, Mark: mark, Now: now}, nil
}

func (f *Fleet) reports(ctx context.Context, id string, in wire.Reports) (wire.ReportsReply, error) {
	told := make([]run.Report, 0, len(in.Reports))
	for _, r := range in.Reports {
		input, err := translate(r)
		if err != nil {
			return wire.ReportsReply{}, err
		}
		told = append(told, run.Report{Run: r.Attempt.Run, Input: input})
	}
	errs := f.cfg.Desk().Report(ctx, id, told)
	reply := wire.ReportsReply{Acked: make([]int64, 0, len(told))}
	var failed error
	for i, err := range errs {
		if err == nil {
			reply.Acked = append(reply.Acked, in.Reports[i].ID)
			continue
		}
		failed = err
	}
	f.ended(in.Reports, reply.Acked)
	if len(reply.Acked) == 0 && failed != nil {
		return reply, failed
	}
	return reply, nil
}

func (f *Fleet) output(ctx context.Context, id string, in wire.OutputChunks) (wire.OutputReply, error) {
	for i := range in.Chunks {
		if len(in.Chunks[i].Data) > wire.MaxChunk || in.Chunks[i].Offset < 0 {
			return wire.OutputReply{}, fault.Newf(fault.Invalid, "chunk %d has %d bytes at offset %d; at most %d, from 0", i, len(in.Chunks[i].Data), in.Chunks[i].Offset, wire.MaxChunk)
		}
	}
	have, err := f.cfg.Shelf.AppendOutput(ctx, id, in.Chunks)
	if err != nil {
		return wire.OutputReply{}, err
	}
	reply := wire.OutputReply{Have: make([]wire.OutputOffset, len(have))}
	for i, n := range have {
		reply.Have[i] = wire.OutputOffset{Attempt: in.Chunks[i].Attempt, Have: n}
	}
	return reply, nil
}

func (f *Fleet) outputHave(ctx context.Context, _ string, in []wire.Attempt) (wire.OutputReply, error) {
	have, err := f.cfg.Shelf.OutputSizes(ctx, in)
	if err != nil {
		return wire.OutputReply{}, err
	}
	reply := wire.OutputReply{Have: make([]wire.OutputOffset, len(have))}
	for i, n := range have {
		reply.Have[i] = wire.OutputOffset{Attempt: in[i], Have: n}
	}
	return reply, nil
}

func (f *Fleet) renew(ctx context.Context, id string, in wire.RenewRequest) (wire.Certificate, error) {
	return f.cfg.Registry.Renew(ctx, id, in)
}

func (f *Fleet) putArtifact(w http.ResponseWriter, r *http.Request) {
	id, ok := f.peer(r.Context())
	if !ok {
		http.Error(w, "not an agent of this domain", http.StatusForbidden)
		return
	}
	fresh, err := f.cfg.Shelf.PutArtifact(r.Context(), r.PathValue("sum"), r.Body)
	if err != nil {
		f.refuse(w, id, r.URL.Path, err)
		return
	}
	if fresh {
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *Fleet) getArtifact(w http.ResponseWriter, r *http.Request) {
	id, ok := f.peer(r.Context())
	if !ok {
		http.Error(w, "not an agent of this domain", http.StatusForbidden)
		return
	}
	file, size, err := f.cfg.Shelf.OpenArtifact(r.Context(), r.PathValue("sum"))
	if err != nil {
		f.refuse(w, id, r.URL.Path, err)
		return
	}
	defer file.Close() // read only
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", fmt.Sprint(size))
	if _, err := io.Copy(w, file); err != nil && !errors.Is(err, context.Canceled) {
		f.cfg.Log.Debug("sending an artifact", slog.Any("agent", id), slog.Any("error", err))
	}
}
