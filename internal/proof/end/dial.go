package end

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// dialsAtOnce bounds the dials of one request.
const dialsAtOnce = 16

// Dial tries rows of other hosts and tells what came of each.
func (e *End) Dial(ctx context.Context, in wire.ProveDial) (wire.ProveDialled, error) {
	p, err := e.planned(in.PlanHash)
	if err != nil {
		return wire.ProveDialled{}, err
	}
	if len(in.Tries) > wire.MaxProveTries {
		return wire.ProveDialled{}, fault.Newf(fault.Invalid, "%d dials, at most %d", len(in.Tries), wire.MaxProveTries)
	}
	code, err := twoends.ParseCode(in.Code)
	if err != nil {
		return wire.ProveDialled{}, err
	}
	d := &dialler{end: e, in: in, code: code, out: make([]wire.ProveView, len(in.Tries)), claims: make([]ports.Claim, len(in.Tries))}
	var all []ports.Claim
	for i, t := range in.Tries {
		cl, err := e.mayDial(p, t)
		if err != nil {
			d.out[i].Refused = err.Error()
			continue
		}
		d.claims[i] = cl
		all = append(all, cl)
	}
	d.sockets = p.sockets(all)
	d.probes(ctx)
	d.others(ctx)
	return wire.ProveDialled{Views: d.out}, context.Cause(ctx)
}

// dialler is one request for dials.
type dialler struct {
	end     *End
	in      wire.ProveDial
	code    twoends.Code
	sockets *socket.Net
	claims  []ports.Claim
	out     []wire.ProveView
}

func (d *dialler) flow(i int) ports.ResolvedFlow {
	cl := d.claims[i]
	f := ports.ResolvedFlow{ID: d.in.Tries[i].Flow, Service: cl.Service, Status: ports.Works, Protocol: cl.Protocol, Port: cl.Port, TLS: cl.TLS}
	return f
}

// probes dials where a probe listens for the session.
func (d *dialler) probes(ctx context.Context) {
	var at []int
	var paths []twoends.Path
	for i, t := range d.in.Tries {
		if d.out[i].Refused == "" && t.Who == wire.ProbeListens {
			at = append(at, i)
			paths = append(paths, twoends.Path{Flow: d.flow(i), To: t.Node, Dial: t.Address})
		}
	}
	if len(paths) == 0 {
		return
	}
	views, err := twoends.Near(ctx, twoends.DialOptions{
		Sockets: d.sockets, Paths: paths, Code: &d.code, Patience: d.in.Patience, Rand: d.end.cfg.Rand, Now: d.end.cfg.Now,
	})
	for k, i := range at {
		if err != nil {
			d.out[i].Refused = err.Error()
			continue
		}
		d.out[i].View = written(views[k])
	}
}

// others dials where somebody else listens, or nobody: each is looked at, and only a node is spoken to.
func (d *dialler) others(ctx context.Context) {
	room := make(chan struct{}, dialsAtOnce)
	var open sync.WaitGroup
	for i, t := range d.in.Tries {
		if d.out[i].Refused != "" || t.Who == wire.ProbeListens {
			continue
		}
		open.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			v, nonce, err := d.look(ctx, i)
			if err != nil {
				d.out[i].Refused = err.Error()
				return
			}
			d.out[i] = wire.ProveView{Nonce: nonce, View: written(v)}
		})
	}
	open.Wait()
}

func (d *dialler) look(ctx context.Context, i int) (probe.SourceView, string, error) {
	t := d.in.Tries[i]
	say := probe.Dial{Flow: d.flow(i), Host: t.Address, Patience: d.in.Patience}
	if t.Protocol == string(ports.UDP) {
		say.Say = []byte("\n") // a datagram that asks for nothing
	}
	v, c, err := probe.Look(ctx, d.sockets, say)
	if c.Conn != nil {
		defer c.Close()
	}
	if err != nil || c.Conn == nil || t.Who != wire.NodeListens {
		return v, "", err
	}
	talk, err := d.end.hail(ctx, c.Conn, d.in.Session, t.Node, d.end.cfg.Rand)
	if err != nil {
		v.Answer, v.Text = answerOf(err), err.Error()
		return v, "", nil
	}
	v.Answer, v.Seen, v.Reached = probe.Proved, talk.seen, talk.reached
	return v, talk.nonce, nil
}

// answerOf says who does not answer as a node does.
func answerOf(err error) probe.Answer {
	var plain tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &plain):
		return probe.SpeaksPlain
	case fault.Is(err, fault.Forbidden), errors.Is(err, errNode):
		return probe.Stranger
	case errors.As(err, &alert), errors.Is(err, errOther):
		return probe.SpeaksOther
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return probe.Mute
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed):
		return probe.Hangup
	}
	return probe.Hangup
}

func written(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // plain values; what is missing is refused by who reads it
	}
	return text
}

// Saw tells what came of dials at rows that the session has.
func (e *End) Saw(ctx context.Context, in wire.ProveSaw) (wire.ProveSeen, error) {
	s, err := e.session(in.Session, false, 0)
	if err != nil {
		return wire.ProveSeen{}, err
	}
	if len(in.Tries) > wire.MaxProveTries {
		return wire.ProveSeen{}, fault.Newf(fault.Invalid, "%d dials, at most %d", len(in.Tries), wire.MaxProveTries)
	}
	s.mu.Lock()
	listeners := append([]*twoends.Listener(nil), s.listeners...)
	s.mu.Unlock()
	var reports []twoends.Report
	for _, l := range listeners {
		r, err := l.Report(ctx)
		if err != nil {
			return wire.ProveSeen{}, err
		}
		reports = append(reports, r)
	}
	out := wire.ProveSeen{Views: make([]wire.ProveView, len(in.Tries))}
	for i, t := range in.Tries {
		v := s.about(reports, t)
		if v == nil {
			out.Views[i].Refused = "the row was not opened for this proof"
			continue
		}
		out.Views[i].View = written(v)
	}
	return out, nil
}

// about returns what this end saw of one dial.
func (s *session) about(reports []twoends.Report, t wire.ProveAsk) *probe.DestinationView {
	near := probe.SourceView{Protocol: ports.Protocol(t.Protocol)}
	near.Local, _ = netip.ParseAddrPort(t.Local)
	near.Seen, _ = netip.ParseAddrPort(t.Seen)
	known, _ := netip.ParseAddr(t.Known)
	for _, r := range reports {
		v := r.About(key(t.ProveRow), near, known)
		if v == nil {
			continue
		}
		s.mu.Lock()
		c, ok := s.came[t.Nonce]
		s.mu.Unlock()
		if ok && t.Nonce != "" {
			v.Accepted, v.Nonce, v.Peer, v.TLS, v.Ours = probe.Saw, true, c.peer, "done", true
			if v.Arrived == probe.SawNothing {
				v.Arrived = probe.NotWatched // the connection was accepted: the wire was looked at in vain
			}
		}
		return v
	}
	return nil
}

// Idle opens a connection for each silence at the same time, and says which of them still work after theirs.
func (e *End) Idle(ctx context.Context, in wire.ProveIdle) (wire.ProveIdled, error) {
	p, err := e.planned(in.PlanHash)
	if err != nil {
		return wire.ProveIdled{}, err
	}
	if len(in.Silences) == 0 || len(in.Silences) > maxSilences {
		return wire.ProveIdled{}, fault.Newf(fault.Invalid, "%d silences, expected 1 to %d", len(in.Silences), maxSilences)
	}
	cl, err := e.mayDial(p, in.Try)
	if err != nil {
		return wire.ProveIdled{Refused: err.Error()}, nil
	}
	if in.Try.Who != wire.NodeListens {
		return wire.ProveIdled{Refused: "no node listens there that keeps a silent connection"}, nil
	}
	d := &dialler{end: e, in: wire.ProveDial{Session: in.Session, Tries: []wire.ProveTry{in.Try}}, claims: []ports.Claim{cl}, sockets: p.sockets([]ports.Claim{cl})}
	out := wire.ProveIdled{Ends: make([]wire.ProveQuiet, len(in.Silences))}
	var open sync.WaitGroup
	for i, silence := range in.Silences {
		open.Go(func() { out.Ends[i] = d.quiet(ctx, min(silence, wire.MaxProveFor)) })
	}
	open.Wait()
	return out, context.Cause(ctx)
}

const maxSilences = 64

// quiet is one connection that says nothing for a while.
func (d *dialler) quiet(ctx context.Context, silence time.Duration) wire.ProveQuiet {
	t := d.in.Tries[0]
	v, c, err := probe.Look(ctx, d.sockets, probe.Dial{Flow: d.flow(0), Host: t.Address})
	if err != nil || c.Conn == nil {
		return wire.ProveQuiet{Text: orText(err, v.Text)}
	}
	defer c.Close()
	talk, err := d.end.hail(ctx, c.Conn, d.in.Session, t.Node, d.end.cfg.Rand)
	if err != nil {
		return wire.ProveQuiet{Text: err.Error()}
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return wire.ProveQuiet{Opened: true, Text: "it was ended before its time"}
	case <-timer.C:
	}
	if err := talk.echo(); err != nil {
		return wire.ProveQuiet{Opened: true, Text: err.Error()}
	}
	return wire.ProveQuiet{Opened: true, Alive: true}
}

func orText(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}
