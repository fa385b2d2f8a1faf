package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// definitions caches parsed versions of nets, the newest of each among them. It is safe for use by several goroutines at once.
type definitions struct {
	mu      sync.Mutex
	cfg     Config
	known   map[netVersion]*run.Definition
	newest  map[string]int // version, until renew
	renewed int            // how often renew was called: what was read before is not the newest for sure
	size    int            // of the texts, in bytes
}

type netVersion struct {
	net     string
	version int
}

// definitionsKept bounds the texts of the definitions that are kept, in bytes; a definition takes some five times as much as its text.
const definitionsKept = 8 << 20

// errDefinition says that a stored definition cannot be read: not by another try either.
var errDefinition = errors.New("the stored definition cannot be read")

func (c *definitions) init(cfg Config) {
	c.cfg = cfg
	c.known = map[netVersion]*run.Definition{}
	c.newest = map[string]int{}
}

// of returns a version of a net (0: the newest), ready for Step.
func (c *definitions) of(ctx context.Context, net string, version int) (*run.Definition, error) {
	c.mu.Lock()
	at := version
	if version == 0 {
		at = c.newest[net]
	}
	def, ok := c.known[netVersion{net, at}]
	renewed := c.renewed
	c.mu.Unlock()
	if ok && at != 0 {
		return def, nil
	}
	v, err := c.cfg.Store.Net(ctx, net, version)
	if err != nil {
		return nil, err
	}
	def, err = c.parsed(v)
	if err == nil && version == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.renewed == renewed && c.known[netVersion{net, v.Version}] != nil {
			c.newest[net] = v.Version
		}
	}
	return def, err
}

// parsed reads a definition. The lock is not held meanwhile: what is read ahead must not hold up what is needed now.
func (c *definitions) parsed(v store.NetVersion) (*run.Definition, error) {
	key := netVersion{v.Name, v.Version}
	c.mu.Lock()
	def, ok := c.known[key]
	c.mu.Unlock()
	if !ok {
		net, err := c.cfg.Define(v)
		if err != nil {
			return nil, fmt.Errorf("reading stored net %s version %d: %w: %w", v.Name, v.Version, errDefinition, err)
		}
		def = run.Define(net, v.Version)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size+len(v.Text) > definitionsKept {
		clear(c.known) // the open runs hold theirs; the others are read again
		clear(c.newest)
		c.size = 0
	}
	if !ok {
		c.known[key] = def
		c.size += len(v.Text)
	}
	return def, nil
}

// renew forgets which versions of nets are the newest.
func (c *definitions) renew(nets []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewed++
	for _, net := range nets {
		delete(c.newest, net)
	}
}

// has reports whether the newest version of a net is known.
func (c *definitions) has(net string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest[net] != 0
}

// readAhead is how long before it is due a net's definition is read: ten thousand at one second would hold it up by a second.
const readAhead = time.Minute

// warm reads the definitions of what is due soon until ctx ends.
func (e *Engine) warm(ctx context.Context) {
	ticker := time.NewTicker(readAhead / 4)
	defer ticker.Stop()
	for {
		for _, net := range e.times.dueSoon(e.cfg.Now().Add(readAhead)) {
			if ctx.Err() != nil {
				return
			}
			if !e.defs.has(net) {
				_, _ = e.defs.of(ctx, net, 0) // who needs it says what is wrong
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// dueSoonMost bounds how many definitions are read ahead.
const dueSoonMost = 20_000

// dueSoon returns the nets of what is due until an instant, by due.
func (t *times) dueSoon(until time.Time) []string {
	t.mu.RLock()
	var soon dues
	for _, en := range t.queue {
		if en.next <= until.UnixMicro() {
			soon = append(soon, &entry{net: en.net, name: en.name, next: en.next, span: en.span})
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(soon, func(a, b *entry) int { return int(a.next - b.next) })
	nets := make([]string, 0, min(len(soon), dueSoonMost))
	for _, en := range soon[:min(len(soon), dueSoonMost)] {
		nets = append(nets, en.net)
	}
	return nets
}
