package fleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	viewTime  = 10 * time.Second // for one agent to take over a view
	viewsOnce = 16               // agents at once
)

// welcomeView is what an agent is given with its welcome: its view, where it has another one.
func (f *Fleet) welcomeView(id, has string) *wire.View {
	if f.cfg.View == nil {
		return nil
	}
	v, err := f.cfg.View(id)
	if err != nil {
		f.cfg.Log.Error("making an agent's view of the port plan", slog.String("agent", id), slog.Any("error", err))
		return nil
	}
	if v.ID == has {
		return nil
	}
	return &v
}

// Views gives every linked agent its view of the port plan, and returns when each has it or cannot be told now: it is
// given it with its next welcome.
func (f *Fleet) Views(ctx context.Context) {
	var all sync.WaitGroup
	turns := make(chan struct{}, viewsOnce)
	for id, l := range f.links() {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			f.giveView(ctx, id, l)
		})
	}
	all.Wait()
}

func (f *Fleet) links() map[string]*link.Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]*link.Link{}
	for id, a := range f.agents {
		if a.link != nil {
			all[id] = a.link
		}
	}
	return all
}

func (f *Fleet) giveView(ctx context.Context, id string, l *link.Link) {
	v := f.welcomeView(id, "")
	if v == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, viewTime)
	defer cancel()
	var reply wire.ViewReply
	if err := post(ctx, l, wire.PathView, v, &reply); err != nil {
		f.cfg.Log.Warn("an agent does not take over its view of the port plan", slog.String("agent", l.Peer().Name), slog.Any("error", err))
		return
	}
	refused := sentences(reply.Refused)
	f.mu.Lock()
	if a, ok := f.agents[id]; ok {
		a.status.Refused, a.status.View = refused, bounded(reply.ID)
	}
	f.mu.Unlock()
	for _, why := range refused {
		f.cfg.Log.Warn("an agent cannot listen as its view of the port plan says", slog.String("agent", l.Peer().Name), slog.String("reason", why))
	}
	f.cfg.Changed(id)
}

// repair gives an agent its view where it has another one: two that were on their way at once may have come in the wrong
// order.
func (f *Fleet) repair(ctx context.Context, id, has string) {
	if has == "" {
		return // it takes none
	}
	v := f.welcomeView(id, has)
	l := f.links()[id]
	if v == nil || l == nil {
		return
	}
	go f.giveView(context.WithoutCancel(ctx), id, l)
}
