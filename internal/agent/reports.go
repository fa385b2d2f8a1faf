package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The bounds of sending reports.
const (
	maxPosts   = 2       // requests in flight: while one is committed, the next gathers
	fewReports = 4       // in flight: the next goes at once
	fullPost   = 16      // reports: they go beside however many in flight
	maxUploads = 4       // artifacts in flight
	maxPending = 8192    // reports held here; the rest waits at the keeper's client
	maxBatch   = 1024    // reports in one request
	batchBytes = 4 << 20 // bytes of one request, about
)

// reporter brings the keeper's reports to a server. A report stays in the keeper's journal until the server has
// committed it, so all here may be forgotten at any instant and is then told again by the keeper.
//
// There is no timer on the way of a report: while fewer than maxPosts requests are in flight what has come goes at
// once, else it gathers and goes with the next. Where much is told it gathers also beside one in flight, until it is
// enough for a request: each costs more than what it carries. Reports may overtake each other; each stands for itself.
type reporter struct {
	up     *uplink
	in     chan []wire.Report
	ack    func(ids []int64)               // tells the keeper that a server has committed them
	acked  func(r wire.Report)             // told before the keeper is: what the report says of output is then known
	amend  func(r wire.Report) wire.Report // adds what the keeper does not know
	upload func(ctx context.Context, c *http.Client, r wire.Report) (wire.Report, error)
	limit  time.Duration // how long one request may take
	log    *slog.Logger

	pending map[int64]*pendingReport
	ready   []int64              // to be posted, in order
	waiting []int64              // artifacts to be uploaded first
	later   map[int64]time.Time  // refused, or not acknowledged by an answer: when to try again
	slow    func() (stop func()) // begins to wait for an answer, and dials on where it takes long
	ways    map[*way]*leaving    // by which requests are under way
	posts   int
	telling int // reports in these
	uploads int
	results chan func() // what a finished request changes; run by the loop alone
	pause   backoff
	until   time.Time // nothing is sent before: something broke
	unsent  atomic.Int64
}

type pendingReport struct {
	report wire.Report
	stored bool // its artifacts are at the server
	alone  bool // the request that it was in was refused: the next one carries nothing else
	pause  backoff
}

func newReporter(up *uplink, log *slog.Logger) *reporter {
	return &reporter{
		up: up, in: make(chan []wire.Report), limit: 30 * time.Second, log: log,
		pending: map[int64]*pendingReport{}, later: map[int64]time.Time{}, results: make(chan func(), maxPosts+maxUploads),
		pause: backoff{first: 100 * time.Millisecond, most: 5 * time.Second},
		ways:  map[*way]*leaving{}, slow: func() func() { return func() {} },
	}
}

// leaving ends what goes by one way.
type leaving struct {
	ctx    context.Context //nolint:containedctx // of all requests by one way
	cancel context.CancelFunc
}

// Run sends until ctx ends.
func (r *reporter) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	defer func() { r.leave(&way{}) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		way, changed := r.up.now()
		r.leave(way)
		if way != nil {
			now := time.Now()
			next := r.due(now)
			if now.Before(r.until) {
				next = r.until
			} else {
				r.send(ctx, &group, way)
			}
			if !next.IsZero() {
				timer.Reset(next.Sub(now))
			}
		}
		in := r.in
		if len(r.pending) >= maxPending {
			in = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case batch := <-in:
			r.take(batch)
		case apply := <-r.results:
			apply()
		case <-changed:
			r.until = time.Time{}
			r.pause.reset()
			for id := range r.later {
				r.later[id] = time.Time{}
			}
		case <-timer.C:
		}
		r.unsent.Store(int64(len(r.pending)))
	}
}

// take adds what the keeper told. It tells all that is not acknowledged again when it is connected again.
func (r *reporter) take(batch []wire.Report) {
	for _, one := range batch {
		if _, known := r.pending[one.ID]; known {
			continue
		}
		one = r.amend(one)
		r.pending[one.ID] = &pendingReport{
			report: one, stored: len(one.Artifacts) == 0,
			pause: backoff{first: 500 * time.Millisecond, most: time.Minute},
		}
		r.queue(one.ID)
	}
}

// queue puts a report where its next step is done.
func (r *reporter) queue(id int64) {
	if r.pending[id].stored {
		r.ready = append(r.ready, id)
	} else {
		r.waiting = append(r.waiting, id)
	}
}

// due puts back what has waited long enough, and returns when the next of the others will have (zero: none waits).
func (r *reporter) due(now time.Time) (next time.Time) {
	for id, at := range r.later {
		switch {
		case !now.Before(at):
			delete(r.later, id)
			r.queue(id)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return next
}

// send starts as many requests as may be in flight.
func (r *reporter) send(ctx context.Context, group *sync.WaitGroup, way *way) {
	for r.uploads < maxUploads && len(r.waiting) > 0 {
		id := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.uploads++
		report := r.pending[id].report
		group.Go(func() {
			report, err := r.upload(ctx, way.bulk, report)
			r.results <- func() { r.uploaded(id, report, err) }
		})
	}
	for len(r.ready) > 0 && r.mayPost() {
		ids, body, err := r.batch()
		if err != nil {
			r.log.Error("report cannot be encoded", slog.Any("error", err))
			return
		}
		r.posts++
		r.telling += len(ids)
		by := r.by(ctx, way)
		group.Go(func() {
			ctx, cancel := context.WithTimeout(by, r.limit)
			defer cancel()
			defer r.slow()()
			var reply wire.ReportsReply
			err := postBytes(ctx, way.calls, peerBase+wire.PathReports, body, &reply)
			r.results <- func() { r.posted(ids, reply, err) }
		})
	}
}

// mayPost reports whether what is ready may go now.
func (r *reporter) mayPost() bool {
	return r.posts == 0 || r.posts < maxPosts && (r.telling < fewReports || len(r.ready) >= fullPost)
}

// by is the context of requests by a way.
func (r *reporter) by(ctx context.Context, w *way) context.Context {
	if r.ways[w] == nil {
		ctx, cancel := context.WithCancel(ctx)
		r.ways[w] = &leaving{ctx, cancel}
	}
	return r.ways[w].ctx
}

// leave gives up the requests by all ways but one: a silent link may hold them until its time-out, and a report may be
// told twice.
func (r *reporter) leave(but *way) {
	for w, l := range r.ways {
		if w != but && but != nil {
			l.cancel()
			delete(r.ways, w)
		}
	}
}

// batch takes the next reports off the queue and writes their request.
func (r *reporter) batch() (ids []int64, body []byte, err error) {
	var b bytes.Buffer
	b.WriteString(`{"reports":[`)
	for len(r.ready) > 0 && len(ids) < maxBatch && b.Len() < batchBytes {
		id := r.ready[0]
		p := r.pending[id]
		if p.alone && len(ids) > 0 {
			break
		}
		text, err := json.Marshal(p.report)
		if err != nil {
			r.ready = append(ids, r.ready...)
			return nil, nil, err
		}
		if len(ids) > 0 {
			b.WriteByte(',')
		}
		b.Write(text)
		ids = append(ids, id)
		r.ready = r.ready[1:]
		if p.alone {
			break
		}
	}
	b.WriteString(`]}`)
	return ids, b.Bytes(), nil
}

// posted takes in what became of a request.
func (r *reporter) posted(ids []int64, reply wire.ReportsReply, err error) {
	r.posts--
	r.telling -= len(ids)
	now := time.Now()
	switch {
	case refused(err) && len(ids) > 1:
		// One report that the server cannot take must not hold up the others: each goes alone.
		for _, id := range ids {
			r.pending[id].alone = true
		}
		r.ready = append(r.ready, ids...)
		return
	case refused(err):
		p := r.pending[ids[0]]
		r.later[ids[0]] = now.Add(p.pause.wait())
		r.log.Error("server refuses a report; will try again", slog.Any("attempt", p.report.Attempt), slog.Any("error", err))
		return
	case err != nil:
		r.ready = slices.Concat(ids, r.ready)
		r.fail("sending reports", err)
		return
	}
	r.pause.reset()
	acked := make(map[int64]bool, len(reply.Acked))
	for _, id := range reply.Acked {
		acked[id] = true
	}
	done := make([]int64, 0, len(ids))
	for _, id := range ids {
		p := r.pending[id]
		if !acked[id] {
			r.later[id] = now.Add(p.pause.wait())
			continue
		}
		done = append(done, id)
		delete(r.pending, id)
		r.acked(p.report)
	}
	if len(done) > 0 {
		r.ack(done)
	}
}

// uploaded takes in that a report's artifacts are at the server, or why they are not.
func (r *reporter) uploaded(id int64, report wire.Report, err error) {
	r.uploads--
	p := r.pending[id]
	if err != nil {
		// Only this report waits: others may have no artifacts, or the server room for theirs.
		r.later[id] = time.Now().Add(p.pause.wait())
		r.complain("sending artifacts", err)
		return
	}
	p.report, p.stored = report, true
	p.pause.reset()
	r.queue(id)
}

// fail spaces the tries.
func (r *reporter) fail(doing string, err error) {
	r.until = time.Now().Add(r.pause.wait())
	r.complain(doing, err)
}

// complain logs what broke. A link that has gone is no news here: who holds the link says so.
func (r *reporter) complain(doing string, err error) {
	if way, _ := r.up.now(); way != nil {
		r.log.Warn("server did not take it; will try again", slog.String("doing", doing), slog.Any("error", err))
	}
}

// pendingCount returns how many reports no server has acknowledged.
func (r *reporter) pendingCount() int { return int(r.unsent.Load()) }
