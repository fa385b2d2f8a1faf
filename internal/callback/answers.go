package callback

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Answers call command line tools back: a tool that waits for a run listens on a port of the plan's pool, and the server
// opens one connection to it and tells what happens, until the run has ended.
type Answers struct {
	// Dial opens a connection to a tool, by the plan's row.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// TLS is for one dial: the tool is known by the fingerprint of its certificate.
	TLS func(fingerprint string) *tls.Config
	// Beat is how often a tool hears that the server is still there; 0: every 10 s.
	Beat time.Duration
	Log  *slog.Logger

	mu     sync.Mutex
	calls  map[*context.CancelFunc]bool
	closed bool
	work   sync.WaitGroup
}

// Target is a tool that waits.
type Target struct {
	Address     string // HOST:PORT
	Token       string
	Fingerprint string
}

const (
	maxAnswers = 1000             // tools that are called back at one time
	reachTime  = 5 * time.Second  // until a tool has been reached
	sayTime    = 10 * time.Second // until a tool has taken a line
)

// Call dials a tool, in the background. tell is then called with a function that says one thing to the tool, until it
// returns; its context ends when the tool is gone. It is refused where too many are called already.
func (a *Answers) Call(to Target, tell func(ctx context.Context, say func(run any) error) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return fault.New(fault.Busy, "this server is stopping", "ask again when it is back")
	case len(a.calls) >= maxAnswers:
		return fault.New(fault.Busy, fmt.Sprintf("%d commands are called back already", len(a.calls)), "wait without a callback")
	}
	ctx, cancel := context.WithCancel(context.Background())
	key := &cancel
	if a.calls == nil {
		a.calls = map[*context.CancelFunc]bool{}
	}
	a.calls[key] = true
	a.work.Go(func() {
		defer func() {
			cancel()
			a.mu.Lock()
			delete(a.calls, key)
			a.mu.Unlock()
		}()
		if err := a.call(ctx, to, tell); err != nil && ctx.Err() == nil {
			a.Log.Info("calling a command back does not work; it asks for itself", slog.String("address", to.Address), slog.Any("error", err))
		}
	})
	return nil
}

// Close ends all calls, and waits for them.
func (a *Answers) Close() {
	a.mu.Lock()
	a.closed = true
	for cancel := range a.calls {
		(*cancel)()
	}
	a.mu.Unlock()
	a.work.Wait()
}

// call opens the connection and tells what there is to tell.
func (a *Answers) call(ctx context.Context, to Target, tell func(ctx context.Context, say func(run any) error) error) error {
	conn, err := a.reach(ctx, to)
	if err != nil {
		return err
	}
	body, lines := io.Pipe()
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, MaxConnsPerHost: 1, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://tool"+wire.PathCallbackRun, body)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	req.Header.Set("Authorization", "Reeve "+to.Token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	answered := make(chan error, 1)
	go func() {
		resp, err := transport.RoundTrip(req)
		if err == nil {
			err = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = errors.Join(err, fmt.Errorf("the command answers %s", resp.Status))
			}
		}
		gone(err)
		answered <- err
	}()
	w := &writer{to: lines, conn: conn}
	err = w.during(a.beat(), func() error { return tell(ctx, func(run any) error { return w.run(run) }) })
	_ = lines.CloseWithError(err) // nil: all is said
	return errors.Join(err, <-answered)
}

// reach connects to a tool, which shows by its certificate that it is the one that asked.
func (a *Answers) reach(ctx context.Context, to Target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	raw, err := a.Dial(ctx, to.Address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, a.TLS(to.Fingerprint))
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

func (a *Answers) beat() time.Duration {
	if a.Beat > 0 {
		return a.Beat
	}
	return 10 * time.Second
}

// writer writes lines to a tool, each within a time.
type writer struct {
	mu   sync.Mutex
	to   io.Writer
	conn net.Conn
}

func (w *writer) run(run any) error {
	text, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("writing a run: %w", err)
	}
	return w.line(wire.RunNews{Run: text})
}

func (w *writer) line(news wire.RunNews) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.SetWriteDeadline(time.Now().Add(sayTime)); err != nil {
		return err
	}
	return json.NewEncoder(w.to).Encode(news)
}

// during says now and then that the server is still there, as long as f runs.
func (w *writer) during(every time.Duration, f func() error) error {
	stop := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if w.line(wire.RunNews{}) != nil {
					return // whoever tells learns it too
				}
			}
		}
	})
	err := f()
	close(stop)
	beats.Wait()
	return err
}
