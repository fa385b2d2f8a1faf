package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/keeper"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The budget of sending output. One request is in flight, so that output takes at most the room of one request
// from heartbeats and reports on the same connection; its size follows what the connection carries in a moment.
const (
	leastOutput = 16 << 10              // bytes of one request
	mostOutput  = 1 << 20               // bytes of one request
	outputPace  = 40 * time.Millisecond // between two requests that are not full: many small pieces go together
	slowOutput  = 500 * time.Millisecond
	fastOutput  = 100 * time.Millisecond
	maxAsked    = 4096 // attempts in one question
)

// outputSender brings the spools of attempts to a server. The server's answers say how far it has each one, and
// the next chunk begins there: after a cut, a restart of either side, or a store that was restored.
type outputSender struct {
	up    *uplink
	open  func(a wire.Attempt) (*os.File, error)
	limit time.Duration // how long one request may take
	log   *slog.Logger
	spools
	wake chan struct{} // something may be to be sent that was not before

	// of the loop alone
	busy    bool // a request is in flight
	results chan func()
	budget  int64
	pause   backoff
	until   time.Time // nothing is sent before
}

func newOutputSender(up *uplink, log *slog.Logger) *outputSender {
	return &outputSender{
		up: up, limit: time.Minute, log: log, spools: newSpools(), wake: make(chan struct{}, 1),
		results: make(chan func(), 1), budget: 256 << 10,
		pause: backoff{first: 200 * time.Millisecond, most: 10 * time.Second},
	}
}

// Run sends until ctx ends.
func (o *outputSender) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last *way
	for {
		way, changed := o.up.now()
		if way != nil && way != last {
			o.askAll()
			o.pause.reset()
			o.until = time.Time{}
		}
		last = way
		if way != nil && !o.busy && o.waiting() {
			if wait := time.Until(o.until); wait > 0 {
				timer.Reset(wait)
			} else {
				o.busy = true
				o.request(ctx, &group, way.bulk)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
		case apply := <-o.results:
			o.busy = false
			apply()
		case <-changed:
		case <-timer.C:
		}
	}
}

// signal wakes the loop.
func (o *outputSender) signal() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

// request starts the next request: a question first, else chunks.
func (o *outputSender) request(ctx context.Context, group *sync.WaitGroup, client *http.Client) {
	if asked, round := o.question(); len(asked) > 0 {
		group.Go(func() {
			var reply wire.OutputReply
			err := o.call(ctx, client, wire.PathOutputHave, asked, &reply)
			o.results <- func() {
				if err != nil {
					o.fail("asking how much output it has", err)
					return
				}
				o.answered(asked, round, reply)
			}
		})
		return
	}
	began := time.Now()
	pieces, full := o.plan(o.budget)
	group.Go(func() {
		chunks, lost := o.read(pieces)
		var reply wire.OutputReply
		var err error
		if len(chunks) > 0 {
			err = o.call(ctx, client, wire.PathOutput, wire.OutputChunks{Chunks: chunks}, &reply)
		}
		o.results <- func() {
			for a, err := range lost {
				o.lose(a, err)
			}
			moved := o.sent(pieces, reply)
			o.adapt(began, full, err)
			switch {
			case err != nil:
				o.fail("sending output", err)
			case moved:
				o.pause.reset()
			case len(chunks) > 0:
				// It answered, and took nothing (its disk may be full): do not send the same again at once.
				o.until = time.Now().Add(o.pause.wait())
			}
		}
	})
}

func (o *outputSender) call(ctx context.Context, client *http.Client, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	return post(ctx, client, peerBase+path, in, out)
}

// read reads the pieces from the spools. It names those that are not there, or shorter than the keeper said.
func (o *outputSender) read(pieces []piece) (chunks []wire.OutputChunk, lost map[wire.Attempt]error) {
	for _, p := range pieces {
		data := make([]byte, p.size)
		if err := o.readAt(p, data); err != nil {
			if lost == nil {
				lost = map[wire.Attempt]error{}
			}
			lost[p.attempt] = err
			continue
		}
		chunks = append(chunks, wire.OutputChunk{Attempt: p.attempt, Offset: p.offset, Data: data})
	}
	return chunks, lost
}

func (o *outputSender) readAt(p piece, data []byte) error {
	f, err := o.open(p.attempt)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(data, p.offset)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// lose gives up a spool that cannot be read.
func (o *outputSender) lose(a wire.Attempt, err error) {
	if have, was := o.drop(a, errors.Is(err, fs.ErrNotExist)); was {
		o.log.Error("output cannot be read; the rest of it is lost", slog.Any("attempt", a), slog.Int64("offset", have), slog.Any("error", err))
	}
}

// adapt follows what the connection carries: a request should take a moment, whatever else wants to pass.
func (o *outputSender) adapt(began time.Time, full bool, err error) {
	took := time.Since(began)
	switch {
	case took > slowOutput || err != nil:
		o.budget = max(o.budget/2, leastOutput)
	case full && took < fastOutput:
		o.budget = min(o.budget*2, mostOutput)
	}
	if !full {
		o.until = began.Add(outputPace)
	}
}

// fail spaces the tries.
func (o *outputSender) fail(doing string, err error) {
	o.until = time.Now().Add(o.pause.wait())
	if way, _ := o.up.now(); way != nil {
		o.log.Warn("server did not take it; will try again", slog.String("doing", doing), slog.Any("error", err))
	}
}

// grown takes in how long spools are.
func (o *outputSender) grown(sizes []keeper.Size) {
	for _, s := range sizes {
		o.grow(s.Attempt, s.Bytes)
	}
	o.signal()
}

// reported takes in that a server has committed a report.
func (o *outputSender) reported(r wire.Report) {
	if r.Kind == wire.Started {
		o.place(r.Attempt, r.Position)
		return
	}
	o.finish(r.Attempt, r.Position, r.Output)
	o.signal()
}
