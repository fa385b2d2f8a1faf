package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// watcher notes when the server's event stream told of the ends of runs: that is when a result is visible to a program.
type watcher struct {
	mu    sync.Mutex
	ended map[string]end
	asked map[string]chan end
	fail  error
	stop  context.CancelFunc
	gone  chan struct{}
}

type end struct {
	state string
	at    time.Time
}

// watch follows all changes of a site until close.
func (s *site) watch(ctx context.Context) *watcher {
	ctx, stop := context.WithCancel(ctx)
	w := &watcher{ended: map[string]end{}, asked: map[string]chan end{}, stop: stop, gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		err := s.client.Watch(ctx, "", w.take)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fail = errors.Join(errors.New("the stream of changes has ended"), err)
		for _, c := range w.asked {
			close(c)
		}
		clear(w.asked)
	}()
	return w
}

func (w *watcher) close() {
	w.stop()
	<-w.gone
}

func (w *watcher) take(c api.Change) error {
	switch c.State {
	case "succeeded", "warning", "failed", "cancelled", "unknown":
	default:
		return nil
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	e := end{c.State, now}
	if c, ok := w.asked[c.ID]; ok {
		c <- e
	}
	w.ended[c.ID] = e
	return nil
}

// await returns how a run ended and when that was told.
func (w *watcher) await(ctx context.Context, id string) (end, error) {
	w.mu.Lock()
	if e, ok := w.ended[id]; ok {
		w.mu.Unlock()
		return e, nil
	}
	if w.fail != nil {
		w.mu.Unlock()
		return end{}, w.fail
	}
	c := make(chan end, 1)
	w.asked[id] = c
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	select {
	case e, ok := <-c:
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.asked, id)
		if !ok {
			return end{}, w.fail
		}
		return e, nil
	case <-ctx.Done():
		return end{}, fmt.Errorf("run %s has not ended within a minute: %w", id, ctx.Err())
	}
}

// timed is one run from its order to its result.
type timed struct {
	id      string
	ordered time.Time // before the order was sent
	visible time.Time // when the event stream told its end
}

func (t timed) took() time.Duration { return t.visible.Sub(t.ordered) }

// once orders a run of net and waits for its result.
func (s *site) once(ctx context.Context, w *watcher, net string) (timed, error) {
	t := timed{ordered: time.Now()}
	r, err := s.client.StartRun(ctx, api.StartRun{Net: net})
	if err != nil {
		return t, fmt.Errorf("ordering a run of %s: %w", net, err)
	}
	t.id = r.ID
	e, err := w.await(ctx, r.ID)
	if err != nil {
		return t, err
	}
	t.visible = e.at
	if e.state != "succeeded" {
		return t, fmt.Errorf("run %s of %s is %s", r.ID, net, e.state)
	}
	return t, nil
}

// check reads a run back and counts its jobs: each must have succeeded with its first attempt.
func (s *site) check(ctx context.Context, id string) (int, error) {
	r, err := s.client.Run(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("reading run %s back: %w", id, err)
	}
	if r.State != "succeeded" {
		return 0, fmt.Errorf("run %s reads back as %s", id, r.State)
	}
	for _, j := range r.Jobs {
		if j.State != "succeeded" || len(j.Attempts) != 1 || j.Attempts[0].ExitCode == nil || *j.Attempts[0].ExitCode != 0 {
			return 0, fmt.Errorf("job %s of run %s reads back as %s with %d attempts", j.Name, id, j.State, len(j.Attempts))
		}
	}
	return len(r.Jobs), nil
}

// warm runs a few jobs until the stream tells of them: it is open then, and nothing is at its first time any more.
func (s *site) warm(ctx context.Context, w *watcher) error {
	heard := 0
	for range 100 {
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, err := s.once(once, w, "bench/one")
		cancel()
		switch {
		case err == nil:
			heard++
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		if heard == 20 {
			return nil
		}
	}
	return errors.New("the stream of changes tells of no run")
}
