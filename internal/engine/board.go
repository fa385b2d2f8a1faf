package engine

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// board is what the engine keeps in memory of the open runs: a cache of the store, written after commits only.
type board struct {
	mu    sync.RWMutex
	runs  map[string]*openRun
	open  map[string]map[attemptKey]bool // open orders by agent
	wakes map[string]time.Time           // runs that wait for time
	nets  map[string]map[string]bool     // the runs that have not ended, unknown ones too, by net
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
	b.nets = map[string]map[string]bool{}
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
	b.count(s)
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

// count keeps which runs of a net have not ended.
func (b *board) count(s run.State) {
	switch open := b.nets[s.Net]; {
	case stillOpen(s.Status) && open == nil:
		b.nets[s.Net] = map[string]bool{s.ID: true}
	case stillOpen(s.Status):
		open[s.ID] = true
	case len(open) == 1 && open[s.ID]:
		delete(b.nets, s.Net)
	default:
		delete(open, s.ID)
	}
}

// openOf returns the runs of a net that have not ended, unknown ones too, oldest first.
func (b *board) openOf(net string) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Sorted(maps.Keys(b.nets[net]))
}

func (b *board) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.runs[id]; o != nil {
		delete(b.nets[o.state.Net], id)
	}
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

// each calls f for each job until it wants no more, and keeps those of which it says that they stay, and what it was not
// asked about. It costs as much as it calls: thousands may wait.
func (q *readyQueue) each(f func(readyJob) (stay, more bool)) {
	kept, at := 0, 0
	for more := true; more && at < len(q.jobs); at++ {
		var stay bool
		j := q.jobs[at]
		if stay, more = f(j); stay {
			q.jobs[kept] = j
			kept++
		} else {
			delete(q.known, j)
		}
	}
	copy(q.jobs[at-kept:at], q.jobs[:kept])
	clear(q.jobs[:at-kept])
	q.jobs = q.jobs[at-kept:]
	q.tail = len(q.jobs)
}
