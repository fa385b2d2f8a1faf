package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// board is what the engine keeps in memory of the open runs: a cache of the store, written after commits only.
type board struct {
	mu    sync.RWMutex
	runs  map[string]*openRun
	open  map[string]map[attemptKey]bool // open orders by agent
	wakes map[string]time.Time           // runs that wait for time
	ready readyQueue                     // only the engine's goroutine touches it
}

type openRun struct {
	state run.State
	def   *run.Definition
}

type attemptKey struct {
	run, job string
	n        int
}

func (b *board) init() {
	b.runs = map[string]*openRun{}
	b.open = map[string]map[attemptKey]bool{}
	b.wakes = map[string]time.Time{}
	b.ready.known = map[readyJob]bool{}
}

func (b *board) get(id string) (run.State, *run.Definition, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, ok := b.runs[id]
	if !ok {
		return run.State{}, nil, false
	}
	return o.state, o.def, true
}

// put keeps a run as it was committed, or lets it go where it has ended.
func (b *board) put(s run.State, def *run.Definition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Status.Ended() {
		delete(b.runs, s.ID)
		delete(b.wakes, s.ID)
		return
	}
	b.runs[s.ID] = &openRun{s, def}
	if wake := run.NextWake(s); wake.IsZero() {
		delete(b.wakes, s.ID)
	} else {
		b.wakes[s.ID] = wake
	}
}

func (b *board) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, id)
}

// queueReady queues the ready jobs of a run: those at changed, or all where changed is nil.
func (b *board) queueReady(s run.State, changed []int) {
	if changed == nil {
		for i := range s.Jobs {
			changed = append(changed, i)
		}
	}
	for _, i := range changed {
		if s.Jobs[i].Status == run.Ready {
			b.ready.add(readyJob{s.ID, i})
		}
	}
}

// requeue takes back what a decision that was not committed took from the queue.
func (b *board) requeue(d *decision) {
	for _, id := range d.order {
		if before := d.drafts[id].before; before.ID != "" {
			b.queueReady(before, nil)
		}
	}
}

func (b *board) opened(agent string, k attemptKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[agent] == nil {
		b.open[agent] = map[attemptKey]bool{}
	}
	b.open[agent][k] = true
}

func (b *board) closed(agent string, k attemptKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open[agent], k)
}

func (b *board) isOpen(agent string, k attemptKey) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.open[agent][k]
}

func (b *board) running(agent string) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.open[agent])
}

// openAttempts returns how many attempts are open on all agents.
func (b *board) openAttempts() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := 0
	for _, open := range b.open {
		all += len(open)
	}
	return all
}

func (b *board) nextWake() time.Time {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var next time.Time
	for _, w := range b.wakes {
		if next.IsZero() || w.Before(next) {
			next = w
		}
	}
	return next
}

// due returns the runs that wait for an instant that has come, oldest first.
func (b *board) due(now time.Time) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var ids []string
	for id, w := range b.wakes {
		if !now.Before(w) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// readyQueue holds jobs that wait for an agent, oldest first, each once.
type readyQueue struct {
	jobs  []readyJob
	known map[readyJob]bool
	tail  int // where this turn's additions begin
}

type readyJob struct {
	run string
	job int
}

func (q *readyQueue) empty() bool { return len(q.jobs) == 0 }

func (q *readyQueue) add(j readyJob) {
	if !q.known[j] {
		q.known[j] = true
		q.jobs = append(q.jobs, j)
	}
}

// sortTail puts what was added since the last pass in the order of run and definition.
func (q *readyQueue) sortTail() {
	slices.SortFunc(q.jobs[q.tail:], func(a, b readyJob) int {
		if a.run != b.run {
			if a.run < b.run {
				return -1
			}
			return 1
		}
		return a.job - b.job
	})
}

// each calls f for each job and keeps those for which it returns true.
func (q *readyQueue) each(f func(readyJob) bool) {
	kept := q.jobs[:0]
	for _, j := range q.jobs {
		if f(j) {
			kept = append(kept, j)
		} else {
			delete(q.known, j)
		}
	}
	clear(q.jobs[len(kept):])
	q.jobs = kept
	q.tail = len(kept)
}

// definitions caches parsed versions of nets.
type definitions struct {
	mu    sync.Mutex
	cfg   Config
	known map[string]*run.Definition
}

const definitionsKept = 1000

func (c *definitions) init(cfg Config) {
	c.cfg = cfg
	c.known = map[string]*run.Definition{}
}

// of returns a version of a net (0: the newest), ready for Step.
func (c *definitions) of(ctx context.Context, net string, version int) (*run.Definition, error) {
	key := fmt.Sprintf("%s@%d", net, version)
	c.mu.Lock()
	def, ok := c.known[key]
	c.mu.Unlock()
	if ok && version != 0 {
		return def, nil
	}
	v, err := c.cfg.Store.Net(ctx, net, version)
	if err != nil {
		return nil, err
	}
	return c.parsed(v)
}

func (c *definitions) parsed(v store.NetVersion) (*run.Definition, error) {
	key := fmt.Sprintf("%s@%d", v.Name, v.Version)
	c.mu.Lock()
	defer c.mu.Unlock()
	if def, ok := c.known[key]; ok {
		return def, nil
	}
	net, err := c.cfg.Define(v)
	if err != nil {
		return nil, fmt.Errorf("reading stored net %s version %d: %w", v.Name, v.Version, err)
	}
	if len(c.known) >= definitionsKept {
		clear(c.known) // the open runs hold theirs; the others are read again
	}
	def := run.Define(net, v.Version)
	c.known[key] = def
	return def, nil
}
