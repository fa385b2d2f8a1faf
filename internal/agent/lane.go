package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// What a lane waits for. What it cannot say in time is said over the link.
const (
	lanePatience = 5 * time.Second  // until the port has been reached and the attempt proved
	laneReport   = 5 * time.Second  // until a report is acknowledged
	laneOutput   = 10 * time.Second // until output is
	lanePause    = 100 * time.Millisecond
)

// lane is the callback of one attempt: one connection, and what goes over it.
type lane struct {
	of      *lanes
	attempt wire.Attempt
	to      wire.Callback
	wake    chan struct{}
	stop    chan struct{}

	pending []wire.Report // guarded by lanes.mu

	// of run alone
	client *http.Client
	gone   <-chan struct{} // closed when the connection is
	beat   time.Duration
	limit  time.Duration // of a sign of life
	last   time.Time     // when the server last answered
	ended  bool          // the attempt's last word is acknowledged
	next   time.Time     // when output may be sent again
}

// errStopped says that the lane was not needed any more, or another has taken its place.
var errStopped = errors.New("it is not needed any more")

// errHungUp says that the one connection of a lane has ended.
var errHungUp = errors.New("the connection of the callback has ended")

// push adds a report. The lock of the lanes is held.
func (n *lane) push(r wire.Report) {
	if !slices.ContainsFunc(n.pending, func(p wire.Report) bool { return p.ID == r.ID }) {
		n.pending = append(n.pending, n.of.amend(r))
	}
	n.signal()
}

func (n *lane) signal() {
	select {
	case n.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run says what the attempt has to say, and hands back what it could not.
func (n *lane) run(ctx context.Context) {
	err := n.talk(ctx)
	n.of.output.unclaim(n.attempt, n.wake)
	left := n.of.over(n)
	if err != nil && !errors.Is(err, errStopped) && ctx.Err() == nil {
		n.of.log.Warn("callback does not work; the attempt's words go over the link", slog.Any("attempt", n.attempt), slog.Any("to", n.to), slog.Any("error", err))
	}
	n.of.pass(ctx, left)
}

// talk returns nil when all is said.
func (n *lane) talk(ctx context.Context) error {
	hang, welcome, err := n.connect(ctx)
	if err != nil {
		return err
	}
	defer hang()
	n.beat, n.limit, n.last = welcome.Heartbeat, welcome.Timeout, time.Now()
	if n.beat <= 0 {
		n.beat = defaultHeartbeat
	}
	if n.limit <= n.beat {
		n.limit = max(defaultTimeout, 3*n.beat)
	}
	n.of.output.claim(n.attempt, n.wake, welcome.Have)
	for {
		busy, err := n.step(ctx)
		if err != nil {
			return err
		}
		if busy {
			continue
		}
		if n.ended && !n.of.output.owes(n.attempt) {
			return nil
		}
		if err := n.rest(ctx); err != nil {
			return err
		}
	}
}

// step says one thing, the most urgent, and reports whether there was any.
func (n *lane) step(ctx context.Context) (bool, error) {
	if r, ok := n.first(); ok {
		return true, n.report(ctx, r)
	}
	now := time.Now()
	if n.ended || !now.Before(n.next) {
		if p, ok := n.of.output.piece(n.attempt); ok {
			return true, n.send(ctx, p)
		}
	}
	if now.Sub(n.last) >= n.beat {
		return true, n.call(ctx, n.limit, wire.PathCallbackBeat, wire.CallbackBeat{Now: now.UTC()}, &wire.CallbackBeat{})
	}
	return false, nil
}

// first returns the oldest report that has not been sent.
func (n *lane) first() (wire.Report, bool) {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if len(n.pending) == 0 {
		return wire.Report{}, false
	}
	return n.pending[0], true
}

// report sends one report, with its artifacts before it.
func (n *lane) report(ctx context.Context, r wire.Report) error {
	id := r.ID
	if len(r.Artifacts) > 0 {
		var err error
		if r, err = n.of.upload(ctx, n.client, r); err != nil {
			return err
		}
	}
	var reply wire.ReportsReply
	if err := n.call(ctx, laneReport, wire.PathReports, wire.Reports{Reports: []wire.Report{r}}, &reply); err != nil {
		return err
	}
	if !slices.Contains(reply.Acked, id) {
		return errors.New("the server did not take a report")
	}
	n.of.mu.Lock()
	n.pending = slices.DeleteFunc(n.pending, func(p wire.Report) bool { return p.ID == id })
	n.of.mu.Unlock()
	n.of.acked(r)
	n.of.ack([]int64{id})
	n.ended = n.ended || r.Kind != wire.Started
	return nil
}

// send sends a piece of output.
func (n *lane) send(ctx context.Context, p piece) error {
	chunks, lost := n.of.output.read([]piece{p})
	for a, err := range lost {
		n.of.output.lose(a, err)
	}
	if len(chunks) == 0 {
		return nil
	}
	began := time.Now()
	var reply wire.OutputReply
	if err := n.call(ctx, laneOutput, wire.PathOutput, wire.OutputChunks{Chunks: chunks}, &reply); err != nil {
		return err
	}
	if !n.of.output.sent([]piece{p}, reply) && !p.taken(reply) {
		return errors.New("the server took no output")
	}
	if p.size < wire.MaxChunk {
		n.next = began.Add(outputPace) // many small pieces go together
	}
	return nil
}

// taken reports whether the server has a piece, or wants no more of its attempt: also where it came over the link, by a request that was under way
// when the lane took over.
func (p *piece) taken(reply wire.OutputReply) bool {
	return slices.ContainsFunc(reply.Have, func(h wire.OutputOffset) bool {
		return h.Attempt == p.attempt && (h.Have < 0 || h.Have >= p.offset+int64(p.size))
	})
}

func (n *lane) call(ctx context.Context, limit time.Duration, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := post(ctx, n.client, peerBase+path, in, out); err != nil {
		return err
	}
	n.last = time.Now()
	return nil
}

// rest waits until there may be something to say.
func (n *lane) rest(ctx context.Context) error {
	wait := time.Until(n.last.Add(n.beat))
	if n.of.output.owes(n.attempt) {
		wait = min(wait, time.Until(n.next))
	}
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.stop:
		return errStopped
	case <-n.gone:
		return errHungUp
	case <-n.wake:
	case <-timer.C:
	}
	return nil
}

// connect reaches the port and proves the attempt. A port is tried for a while: strangers may have pushed the first try out.
func (n *lane) connect(ctx context.Context) (hang func(), w wire.CallbackWelcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, lanePatience)
	defer cancel()
	pause := backoff{first: lanePause, most: time.Second}
	for {
		for _, address := range n.to.Addresses {
			if hang, w, err = n.reach(ctx, address); err == nil || refused(err) {
				return hang, w, err
			}
		}
		timer := time.NewTimer(pause.wait())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, w, errors.Join(err, context.Cause(ctx))
		case <-n.stop:
			timer.Stop()
			return nil, w, errStopped
		case <-timer.C:
		}
	}
}

// reach opens the one connection to an address, and says who calls.
func (n *lane) reach(ctx context.Context, address string) (func(), wire.CallbackWelcome, error) {
	var welcome wire.CallbackWelcome
	dial := n.of.call()
	if dial == nil {
		return nil, welcome, errStopped // another plan has come, without callbacks
	}
	raw, err := dial(ctx, address)
	if err != nil {
		return nil, welcome, err
	}
	secure := tls.Client(raw, n.of.tls())
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, welcome, errors.Join(err, raw.Close())
	}
	conn := &laneConn{Conn: secure, gone: make(chan struct{})}
	transport := &http.Transport{DialContext: conn.once, MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true}
	hang := func() {
		transport.CloseIdleConnections()
		_ = conn.Close() // all is said, or it broke
	}
	n.client, n.gone = &http.Client{Transport: transport, CheckRedirect: noRedirect}, conn.gone
	if err := n.call(ctx, lanePatience, wire.PathCallback, wire.CallbackProof{Attempt: n.attempt, Token: n.to.Token}, &welcome); err != nil {
		hang()
		return nil, welcome, err
	}
	return hang, welcome, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// laneConn is the one connection of a lane: it is dialled once, and tells when it has ended.
type laneConn struct {
	net.Conn
	taken  sync.Once
	closed sync.Once
	gone   chan struct{}
}

// once hands the connection to the HTTP client, which would dial another when it has ended.
func (c *laneConn) once(context.Context, string, string) (net.Conn, error) {
	err := errHungUp
	c.taken.Do(func() { err = nil })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (c *laneConn) Close() error {
	c.closed.Do(func() { close(c.gone) })
	return c.Conn.Close()
}
