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

// definitions caches parsed versions of nets, the newest of each among them: those that were asked for lately, in two generations. It is safe
// for use by several goroutines at once.
type definitions struct {
	mu      sync.Mutex
	cfg     Config
	young   map[netVersion]kept
	old     map[netVersion]kept // what was not asked for since the last turnover
	size    int                 // of the young ones, in bytes, about
	newest  map[string]int      // version, until renew
	renewed int                 // how often renew was called: what was read before is not the newest for sure
}

type netVersion struct {
	net     string
	version int
}

// kept is a definition with what it takes of memory, in bytes, about.
type kept struct {
	*run.Definition
	cost int
}

// A generation is bounded in bytes. What a definition takes was measured: nets of one job and of three take 14 times their text, and a little.
const (
	generationBytes = 24 << 20
	definitionBytes = 128
	textTimes       = 14
)

// errDefinition says that a stored definition cannot be read: not by another try either.
var errDefinition = errors.New("the stored definition cannot be read")

func (c *definitions) init(cfg Config) {
	c.cfg = cfg
	c.young = map[netVersion]kept{}
	c.newest = map[string]int{}
}

// of returns a version of a net (0: the newest), ready for Step.
func (c *definitions) of(ctx context.Context, net string, version int) (*run.Definition, error) {
	c.mu.Lock()
	at := version
	if version == 0 {
		at = c.newest[net]
	}
	def := c.known(netVersion{net, at})
	renewed := c.renewed
	c.mu.Unlock()
	if def != nil {
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
		if c.renewed == renewed {
			c.newest[def.Net.Name] = v.Version
		}
	}
	return def, err
}

// known returns a definition that is kept, among the young from now on; nil: it is not.
func (c *definitions) known(key netVersion) *run.Definition {
	if k, ok := c.young[key]; ok {
		return k.Definition
	}
	k, ok := c.old[key]
	if !ok {
		return nil
	}
	delete(c.old, key)
	c.keep(key, k)
	return k.Definition
}

func (c *definitions) keep(key netVersion, k kept) {
	if c.size+k.cost > generationBytes {
		c.turnOver()
	}
	c.young[key] = k
	c.size += k.cost
}

// turnOver lets go of what was not asked for since the last time. The open runs hold theirs; the others are read again.
func (c *definitions) turnOver() {
	for key := range c.old {
		if c.newest[key.net] == key.version {
			delete(c.newest, key.net)
		}
	}
	c.old, c.young, c.size = c.young, map[netVersion]kept{}, 0
}

// parsed reads a definition. The lock is not held meanwhile: what is read ahead must not hold up what is needed now.
func (c *definitions) parsed(v store.NetVersion) (*run.Definition, error) {
	key := netVersion{v.Name, v.Version}
	c.mu.Lock()
	def := c.known(key)
	c.mu.Unlock()
	if def != nil {
		return def, nil
	}
	net, err := c.cfg.Define(v)
	if err != nil {
		return nil, fmt.Errorf("reading stored net %s version %d: %w: %w", v.Name, v.Version, errDefinition, err)
	}
	def = run.Define(net, v.Version)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, kept{def, definitionBytes + textTimes*len(v.Text)})
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

// readAhead is how long before it is due a net's definition is read: ten thousand at one second would hold it up by a second.
const readAhead = time.Minute

// turnOverEach is after how many looks ahead definitions that nobody asks for grow old.
const turnOverEach = 16

// warm reads the definitions of what is due soon until ctx ends.
func (e *Engine) warm(ctx context.Context) {
	ticker := time.NewTicker(readAhead / 4)
	defer ticker.Stop()
	for look := 1; ; look++ {
		for _, net := range e.times.dueSoon(e.cfg.Now().Add(readAhead)) {
			if ctx.Err() != nil {
				return
			}
			_, _ = e.defs.of(ctx, net, 0) // who needs it says what is wrong
		}
		if look%turnOverEach == 0 {
			e.defs.mu.Lock()
			e.defs.turnOver()
			e.defs.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// dueSoonMost bounds how many definitions are read ahead.
const dueSoonMost = 10_000

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
