package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// findable lets an agent be found where its plan has discovery: by the plan that it was started with, and from then on by
// the one that its servers give.
type findable struct {
	data, bind string
	log        *slog.Logger

	mu   sync.Mutex
	hash string
	stop func()
}

// tellAge is how old may be what strangers are told: they cost one reading of the data folder in this time.
const tellAge = 2 * time.Second

// use opens discovery by a plan. What keeps it from opening is logged and keeps nothing else from going on.
func (f *findable) use(ctx context.Context, c ports.Compiled) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.Hash == f.hash || ctx.Err() != nil {
		return
	}
	f.hash = c.Hash
	f.end()
	cfg := discovery.Config{
		Sockets: socket.New(c, socket.As(string(ports.Agent))), Roles: []string{string(ports.Agent)}, About: f.about(c), Rand: rand.Reader, Now: time.Now, Log: f.log,
	}
	if f.bind != "" {
		cfg.Bind = []string{f.bind}
	}
	post, err := discovery.Open(ctx, cfg)
	switch {
	case err != nil:
		f.log.Warn("this agent cannot be found by discovery", slog.Any("error", err))
	case post != nil:
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := post.Run(ctx); err != nil {
				f.log.Warn("this agent is no longer found by discovery", slog.Any("error", err))
			}
		}()
		f.stop = func() { cancel(); <-ended }
	}
}

// useView opens discovery by the plan of a view that was adopted.
func (f *findable) useView(ctx context.Context, v wire.View) {
	var c ports.Compiled
	if json.Unmarshal(v.Plan, &c) == nil {
		f.use(ctx, c)
	}
}

// end closes discovery. The caller holds the lock.
func (f *findable) end() {
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// close closes discovery for good.
func (f *findable) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
}

// about is what this agent tells strangers, with the port of the plan at which servers dial it.
func (f *findable) about(c ports.Compiled) func() discovery.About {
	port := 0
	for _, row := range awaitRows(c) {
		if cl, ok := c.Service(row); ok && port == 0 {
			port = int(cl.Port)
		}
	}
	var mu sync.Mutex
	var told agent.Told
	var read time.Time
	return func() discovery.About {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(read) >= tellAge {
			told, read = agent.Tell(f.data), now
		}
		return discovery.About{
			Name: told.Name, Role: string(ports.Agent), Version: version(), Domain: told.Domain, Fingerprint: told.Fingerprint, Joined: told.Joined, Port: port,
		}
	}
}
