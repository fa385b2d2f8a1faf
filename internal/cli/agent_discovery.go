package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
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
	desk       bool
	log        *slog.Logger

	mu   sync.Mutex
	plan string // in use: its hash, and the port at which servers dial the agent
	stop func()
}

// tellAge is how old may be what strangers are told: they cost one reading of the data folder in this time.
const tellAge = 2 * time.Second

// use opens discovery by a plan. The agent says that servers dial it on the first of some rows. What keeps it from opening
// is logged and keeps nothing else from going on.
func (f *findable) use(ctx context.Context, c ports.Compiled, dialled []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	port := 0
	if len(dialled) > 0 {
		if cl, ok := c.Service(dialled[0]); ok {
			port = int(cl.Port)
		}
	}
	plan := fmt.Sprintf("%s %d", c.Hash, port)
	if plan == f.plan || ctx.Err() != nil {
		return
	}
	f.plan = plan
	f.end()
	kind := ports.Agent
	if f.desk {
		kind = ports.Desk
	}
	cfg := discovery.Config{
		Sockets: socket.New(c, socket.As(string(kind))), Roles: []string{string(kind)}, About: f.about(port), Rand: rand.Reader, Now: time.Now, Log: f.log,
	}
	if f.bind != "" {
		cfg.Bind = func(ports.Claim) []string { return []string{f.bind} }
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
	if json.Unmarshal(v.Plan, &c) != nil {
		return
	}
	var dialled []string
	for _, r := range v.Listen {
		dialled = append(dialled, r.Row)
	}
	f.use(ctx, c, dialled)
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

// about is what this agent tells strangers, with the port at which servers dial it; 0: it dials them.
func (f *findable) about(port int) func() discovery.About {
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
