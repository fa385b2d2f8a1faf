package twoends

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Path is one flow to one host.
type Path struct {
	Flow   ports.ResolvedFlow // with the number that the host has
	To     string             // the host's name
	Dial   string             // HOST or HOST:PORT
	Expect probe.Expect
}

// DialOptions say what the dialling end does.
type DialOptions struct {
	From     string // this host's name
	Sockets  *socket.Net
	Paths    []Path
	Code     *Code           // nil: whoever answers is taken at their word, and the proof says so
	Patience time.Duration   // for silence; 0: as probe.Dial has it
	Plain    map[string]bool // flows that are dialled without TLS, whatever the plan says

	Rand io.Reader
	Now  func() time.Time

	want string // of the listening end; empty: its report
}

const (
	dialsAtOnce  = 16
	answerTime   = 5 * time.Second // for all that is said over one connection
	reportsAfter = 3               // connections over which a last report is asked for
)

// attempt is one path that was dialled.
type attempt struct {
	path  Path
	at    time.Time // when it was over
	near  probe.SourceView
	heard *sealed // what the listening end said
}

// Dial tries all paths, and makes a proof of each. What the listening end says over any of them, which knows the code, is
// about all of them: a path that is closed is explained over one that is open. The error is about what may be dialled at
// all, and that the context ended.
func Dial(ctx context.Context, o DialOptions) ([]probe.Proof, error) {
	all, err := o.each(ctx)
	if err != nil {
		return nil, err
	}
	reports := o.last(ctx, all)
	proofs := make([]probe.Proof, len(all))
	for i, a := range all {
		proofs[i] = o.proof(a, nil)
	}
	for i, a := range all { // only now: what one path says of this host's address helps with the others
		if view := far(reports, a, knownAs(proofs, a.path.To)); view != nil {
			proofs[i] = o.proof(a, view)
		}
	}
	return proofs, nil
}

// Near tries all paths, and returns what this end saw of each: for who asks the listening ends in another way.
func Near(ctx context.Context, o DialOptions) ([]probe.SourceView, error) {
	o.want = wantBinding
	all, err := o.each(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]probe.SourceView, len(all))
	for i, a := range all {
		views[i] = a.near
	}
	return views, nil
}

// each dials every path, several at one time.
func (o DialOptions) each(ctx context.Context) ([]attempt, error) {
	all := make([]attempt, len(o.Paths))
	errs := make([]error, len(o.Paths))
	room := make(chan struct{}, dialsAtOnce)
	var open sync.WaitGroup
	var alone sync.Mutex
	for i, p := range o.Paths {
		open.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			all[i], errs[i] = o.one(ctx, p, &alone)
		})
	}
	open.Wait()
	return all, errors.Join(errs...)
}

func (o DialOptions) proof(a attempt, far *probe.DestinationView) probe.Proof {
	return probe.Classify(probe.Subject{
		Flow: a.path.Flow.ID, From: o.From, To: a.path.To, Expect: a.path.Expect, PlanHash: o.Sockets.Plan().Hash, At: a.at,
	}, a.near, far)
}

// one dials one path, and asks who answers.
func (o DialOptions) one(ctx context.Context, p Path, alone sync.Locker) (attempt, error) {
	a := attempt{path: p}
	number, err := nonce(o.Rand)
	if err != nil {
		return a, err
	}
	q := question{flow: p.Flow.ID, nonce: number, mac: noMAC}
	d := probe.Dial{Flow: p.Flow, Host: p.Dial, Patience: o.Patience, Alone: alone}
	if p.Flow.Protocol == ports.UDP {
		if o.Code != nil {
			q.mac = o.Code.mac(purposeDialler, q.flow, q.nonce)
		}
		line := q.line() + " "
		d.Say = []byte(line + strings.Repeat("x", max(0, datagram-len(line))))
	}
	near, c, err := probe.Look(ctx, o.Sockets, d)
	a.near, a.at = near, o.Now().UTC()
	if err != nil || near.Outcome != probe.Connected {
		return a, err
	}
	if p.Flow.Protocol == ports.UDP {
		o.heard(&a.near, q, string(c.Heard))
		return a, nil
	}
	defer c.Close()
	o.talk(ctx, &a, q, c.Conn)
	return a, nil
}

// heard judges a datagram that came back.
func (o DialOptions) heard(near *probe.SourceView, q question, text string) {
	reply, ok := parseAnswer(text)
	if !ok {
		near.Answer = o.unlike(probe.SpeaksOther)
		return
	}
	near.Answer = reply.held(q, o.Code)
	if near.Answer != probe.Stranger {
		near.Seen, near.Reached = reply.seen, reply.reached
	}
}

// unlike is the answer of one who is no probe. Without a code none was asked for: it may be the service itself.
func (o DialOptions) unlike(a probe.Answer) probe.Answer {
	if o.Code == nil {
		return probe.Unasked
	}
	return a
}

// talk asks who answers over a connection, and for the report.
func (o DialOptions) talk(ctx context.Context, a *attempt, q question, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(answerTime))
	near := &a.near
	binding := ""
	if a.path.Flow.TLS && !o.Plain[a.path.Flow.ID] {
		// Who it is, the code says; a certificate would say it of a host that has one already.
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // see above
		if err := t.HandshakeContext(ctx); err != nil {
			near.Answer, near.Text = notTLS(err), err.Error()
			if near.Answer == probe.SpeaksOther {
				near.Answer = o.unlike(near.Answer)
			}
			return
		}
		binding = bound(t.ConnectionState())
		c = t
	}
	r := bufio.NewReader(c)
	reply, err := ask(c, r, q)
	if err != nil {
		near.Answer, near.Text = o.silentOr(r, err), err.Error()
		return
	}
	near.Answer = reply.held(q, o.Code)
	if near.Answer == probe.Stranger {
		return
	}
	near.Seen, near.Reached = reply.seen, reply.reached
	if near.Answer != probe.Proved {
		return
	}
	want := cmp.Or(o.want, wantReport)
	words := append(reply.words(q), want)
	if _, err := fmt.Fprintln(c, o.Code.mac(purposeDialler, words...), want); err != nil {
		return
	}
	got, err := readSealed(r, *o.Code, words...)
	if err != nil {
		near.Text = "the report of the other end did not come: " + err.Error()
		return
	}
	a.heard = &got
	if got.Binding != binding {
		near.Answer = probe.Intercepted
	}
}

// ask says the question and hears the answer.
func ask(c net.Conn, r *bufio.Reader, q question) (answer, error) {
	if _, err := fmt.Fprintln(c, q.line()); err != nil {
		return answer{}, err
	}
	line, err := readLine(r, maxLine)
	if err != nil {
		return answer{}, err
	}
	reply, ok := parseAnswer(line)
	if !ok {
		return answer{}, errOther
	}
	return reply, nil
}

// silentOr says who does not answer as a probe does.
func (o DialOptions) silentOr(r *bufio.Reader, err error) probe.Answer {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return o.unlike(probe.Mute)
	case !errors.Is(err, errOther):
		return o.unlike(probe.Hangup)
	}
	if first, err := r.Peek(2); err == nil && first[0] == tlsAlert && first[1] == tlsVersion {
		return probe.SpeaksTLS
	}
	return o.unlike(probe.SpeaksOther)
}

// notTLS says who does not take a TLS handshake.
func notTLS(err error) probe.Answer {
	var plain tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &plain):
		return probe.SpeaksPlain
	case errors.As(err, &alert):
		return probe.SpeaksOther
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return probe.Mute
	}
	return probe.Hangup
}

// last asks once more for the report of each host that has proved the code: now it has seen all that it will see.
func (o DialOptions) last(ctx context.Context, all []attempt) []Report {
	var reports []Report
	asked := map[string]int{}
	for _, a := range all {
		if a.heard == nil || asked[a.path.To] == -1 || asked[a.path.To] >= reportsAfter {
			continue
		}
		asked[a.path.To]++
		again, err := o.one(ctx, a.path, nil)
		if err != nil || again.heard == nil {
			continue
		}
		asked[a.path.To] = -1
		reports = append(reports, again.heard.Report.of(a.path.To))
	}
	return reports
}

// of names the host as this end does.
func (r Report) of(host string) Report {
	r.Host = host
	return r
}

// far is what the listening end says of an attempt.
func far(reports []Report, a attempt, as netip.Addr) *probe.DestinationView {
	for _, r := range reports {
		if r.Host == a.path.To {
			return r.About(a.path.Flow.Service, a.near, as)
		}
	}
	return nil
}

// knownAs is the address under which a host knows this one; the zero address where it has not said so.
func knownAs(proofs []probe.Proof, to string) netip.Addr {
	for _, p := range proofs {
		if near := p.Evidence.Source; p.To == to && near.Answer == probe.Proved && near.Seen.IsValid() {
			return near.Seen.Addr()
		}
	}
	return netip.Addr{}
}
