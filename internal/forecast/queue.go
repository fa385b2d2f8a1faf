package forecast

// event is something that happens at an instant of the virtual clock.
type event struct {
	at   int64
	seq  int64 // events of one instant come in the order in which they were foreseen
	kind eventKind
	live int32  // the run; of a port the pool, of what waits the net
	gen  uint32 // of the run
	job  int32  // of a port that its name loses: the name
	n    int32  // of the attempt
	// since is when that name was given it last
	since int64
}

type eventKind uint8

const (
	eventEnd    eventKind = iota // an attempt ends
	eventRetry                   // a retry's delay has passed
	eventRested                  // a port of a pool may be leased again
	eventDue                     // an occurrence that nobody could foresee is due: of a schedule that counts from ends
	eventAgain                   // what waits in a net is looked at again: a start window closes
	eventForgot                  // a name loses its sticky port
	eventDecide                  // a person decides an unknown end
)

// events is a heap of events, the next first.
type events struct {
	heap []event
	seq  int64
}

func (q *events) before(a, b *event) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (q *events) push(e event) {
	q.seq++
	e.seq = q.seq
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !q.before(&q.heap[i], &q.heap[up]) {
			break
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

func (q *events) pop() event {
	top := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	i := 0
	for {
		next := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if q.before(&q.heap[c], &q.heap[next]) {
				next = c
			}
		}
		if next == i {
			return top
		}
		q.heap[i], q.heap[next] = q.heap[next], q.heap[i]
		i = next
	}
}

// readyJob waits for an agent.
type readyJob struct {
	order int64 // place in the queue over all classes
	run   int64 // number of the run: the older goes before
	live  int32
	gen   uint32
	job   int32
}

// line is a queue of the ready jobs of one class, oldest first. A job that is ready no more leaves it when it comes to its head.
type line struct {
	jobs    []readyJob
	head    int
	open    bool   // something has changed since its head was refused, or nothing was
	blocked waited // for what its head waited when it was refused last
	last    string // which agent of a list that takes turns was given a job last
}

func (l *line) reset() {
	*l = line{jobs: l.jobs[:0]}
}

func (l *line) empty() bool { return l.head == len(l.jobs) }

func (l *line) drop() {
	l.head++
	if l.head == len(l.jobs) {
		l.jobs, l.head = l.jobs[:0], 0
	} else if l.head > 1024 && 2*l.head > len(l.jobs) {
		n := copy(l.jobs, l.jobs[l.head:])
		l.jobs, l.head = l.jobs[:n], 0
	}
}
