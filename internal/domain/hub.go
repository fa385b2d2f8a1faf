package domain

import (
	"context"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

// Hub tells watchers what has changed. A slow watcher loses no news: what it has not taken yet is merged.
type Hub struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
}

type watcher struct {
	run     string // only this run; "" all
	mu      sync.Mutex
	pending []api.Change
	output  bool
	signal  chan struct{}
}

// NewHub builds a hub.
func NewHub() *Hub { return &Hub{watchers: map[*watcher]bool{}} }

// Publish tells every watcher that it concerns. It never blocks.
func (h *Hub) Publish(c api.Change) {
	h.each(func(w *watcher) {
		if w.run == "" || c.Kind == "run" && c.ID == w.run {
			w.add(c)
		}
	})
}

// Output tells those who follow a run that there is more output.
func (h *Hub) Output(run string) {
	h.each(func(w *watcher) {
		if w.run == run {
			w.mu.Lock()
			w.output = true
			w.mu.Unlock()
			w.ring()
		}
	})
}

func (h *Hub) each(f func(*watcher)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		f(w)
	}
}

func (w *watcher) ring() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// add merges a change with an earlier one of the same thing.
func (w *watcher) add(c api.Change) {
	w.mu.Lock()
	for i := range w.pending {
		if w.pending[i].Kind == c.Kind && w.pending[i].ID == c.ID {
			known := map[string]bool{}
			for _, j := range w.pending[i].Jobs {
				known[j] = true
			}
			for _, j := range c.Jobs {
				if !known[j] {
					w.pending[i].Jobs = append(w.pending[i].Jobs, j)
				}
			}
			w.pending[i].State = c.State
			w.mu.Unlock()
			return
		}
	}
	c.Jobs = append([]string(nil), c.Jobs...)
	w.pending = append(w.pending, c)
	w.mu.Unlock()
	w.ring()
}

func (w *watcher) take() []api.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.pending
	w.pending, w.output = nil, false
	return taken
}

// watch registers a watcher until stop is called.
func (h *Hub) watch(run string) (w *watcher, stop func()) {
	w = &watcher{run: run, signal: make(chan struct{}, 1)}
	h.mu.Lock()
	h.watchers[w] = true
	h.mu.Unlock()
	return w, func() {
		h.mu.Lock()
		delete(h.watchers, w)
		h.mu.Unlock()
	}
}

// Watch implements api.Service. The first change is told at once, for what is watched itself: who reads at each change
// misses none, because what is read then is as new as the watch.
func (s *Service) Watch(ctx context.Context, id string, emit func(api.Change) error) error {
	who, err := s.may(ctx, access.View, "")
	if err != nil {
		return err
	}
	w, stop := s.cfg.Hub.watch(id)
	defer stop()
	first := api.Change{Kind: "domain", ID: s.cfg.Name}
	if id != "" {
		st, _, err := s.state(ctx, id, access.View)
		if err != nil {
			return err
		}
		first = api.Change{Kind: "run", ID: id, Net: st.Net, State: string(st.Status)}
	}
	if err := emit(first); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.signal:
		}
		for _, c := range w.take() {
			if c.Net != "" && !who.May(access.View, folderOf(c.Net)) || c.Kind == "calendar" && s.mayCalendar(ctx, c.ID) != nil {
				continue
			}
			if err := emit(c); err != nil {
				return err
			}
		}
	}
}
