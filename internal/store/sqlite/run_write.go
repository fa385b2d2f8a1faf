package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// jobBits is how many bits of a job's key hold its position in its run.
const jobBits = 20

// preparedRun is a RunWrite with its JSON made: outside the transaction, on the caller's time.
type preparedRun struct {
	store.RunWrite
	params    any
	positions []int
	jobs      []string // of positions
	done      int
	open      bool
}

func prepareRuns(writes []store.RunWrite) ([]preparedRun, error) {
	out := make([]preparedRun, len(writes))
	for i, w := range writes {
		p, err := prepareRun(w)
		if err != nil {
			return nil, fmt.Errorf("committing run %s: %w", w.State.ID, err)
		}
		out[i] = p
	}
	return out, nil
}

func prepareRun(w store.RunWrite) (preparedRun, error) {
	s := w.State
	p := preparedRun{RunWrite: w, positions: w.Changed, open: !s.Status.Ended() || s.Status == run.Lost}
	if s.ID == "" || len(s.Jobs) >= 1<<jobBits {
		return p, fmt.Errorf("%w: a run needs an id and fewer than %d jobs", errBatch, 1<<jobBits)
	}
	var err error
	if p.params, err = jsonText(s.Params); err != nil {
		return p, err
	}
	if s.Rev == 0 {
		p.positions = make([]int, len(s.Jobs))
		for i := range p.positions {
			p.positions[i] = i
		}
	}
	p.jobs = make([]string, len(p.positions))
	for i, at := range p.positions {
		if at < 0 || at >= len(s.Jobs) {
			return p, fmt.Errorf("%w: changed job %d of %d", errBatch, at, len(s.Jobs))
		}
		b, err := json.Marshal(s.Jobs[at])
		if err != nil {
			return p, err
		}
		p.jobs[i] = string(b)
	}
	for i := range s.Jobs {
		if s.Jobs[i].Status.Ended() {
			p.done++
		}
	}
	return p, nil
}

// runWriter applies the runs of one batch.
type runWriter struct {
	c       *conn
	epoch   int64
	receipt *store.Receipt
	last    map[string]int64 // the last sequence allotted, by agent; stored once for the whole batch
}

func (a *runWriter) run(ctx context.Context, w preparedRun) error {
	n, err := applyRunRow(ctx, a.c, w)
	if err != nil {
		return err
	}
	for i, at := range w.positions {
		key := n<<jobBits | int64(at)
		if w.State.Rev == 0 {
			_, err = a.c.exec(ctx, `INSERT INTO jobs (key, data) VALUES (?, ?)`, key, w.jobs[i])
		} else {
			_, err = a.c.exec(ctx, `UPDATE jobs SET data = ? WHERE key = ?`, w.jobs[i], key)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range w.Effects {
		if err := a.effect(ctx, store.Order{Epoch: a.epoch, Run: w.State.ID}, e); err != nil {
			return err
		}
	}
	return nil
}

// maxNumbers bounds how many runs' numbers are kept.
const maxNumbers = 1 << 14

// number returns the number of a run; 0: there is none. What is kept of a run that was undone since is harmless: whoever
// uses a number asks for the id as well.
func (c *conn) number(ctx context.Context, id string) (int64, error) {
	if n, ok := c.numbers[id]; ok {
		return n, nil
	}
	var n int64
	err := c.query(ctx, `SELECT n FROM runs WHERE id = ?`, func(r row) error { n = r.int(0); return nil }, id)
	return n, err
}

// keep remembers the number of an open run: until it ends it is asked for a few times more.
func (c *conn) keep(id string, n int64, open bool) {
	switch {
	case !open:
		delete(c.numbers, id)
		return
	case c.numbers == nil || len(c.numbers) >= maxNumbers:
		c.numbers = map[string]int64{}
	}
	c.numbers[id] = n
}

// applyRunRow stores the run without its jobs and returns its number. What a run is born with (net, version, params,
// schedule, nominal, created, by, rerun_of) is written once: no step changes it, and its indexes need no care after that.
func applyRunRow(ctx context.Context, c *conn, w preparedRun) (int64, error) {
	if w.State.Rev != 0 {
		n, err := changeRun(ctx, c, w)
		if err == nil {
			c.keep(w.State.ID, n, w.open)
		}
		return n, err
	}
	n, err := insertRun(ctx, c, w)
	if err == nil {
		c.keep(w.State.ID, n, w.open)
	}
	return n, err
}

// changeRun stores the run's next state. One that is open and stays so is written without the columns of the indexes that
// tell open ones from ended ones. RETURNING is not used: for each row it makes a table of its own.
func changeRun(ctx context.Context, c *conn, w preparedRun) (int64, error) {
	s := w.State
	n, err := c.number(ctx, s.ID)
	if err != nil {
		return 0, err
	}
	if n != 0 && w.open && s.Ended.IsZero() {
		rows, err := c.exec(ctx, `UPDATE runs SET rev = rev + 1, status = ?, reason = ?, started = ?, done = ?, held_by = ?, cancel = ?
			WHERE n = ? AND id = ? AND rev = ? AND open = 1 AND ended IS NULL`,
			string(s.Status), string(s.Reason), s.Started, w.done, s.HeldBy, s.Cancel, n, s.ID, s.Rev)
		if err != nil || rows == 1 {
			return n, err
		}
	}
	return n, guarded(ctx, c, store.Conflict{Noun: "run", ID: s.ID}, `UPDATE runs SET rev = rev + 1, status = ?, open = ?, reason = ?,
		started = ?, ended = ?, done = ?, held_by = ?, cancel = ? WHERE n = ? AND id = ? AND rev = ?`,
		string(s.Status), w.open, string(s.Reason), s.Started, s.Ended, w.done, s.HeldBy, s.Cancel, n, s.ID, s.Rev)
}

func insertRun(ctx context.Context, c *conn, w preparedRun) (int64, error) {
	s := w.State
	var key any
	if w.Key != "" {
		key = w.Key
	}
	n, rows, err := c.insert(ctx, `INSERT INTO runs (id, rev, net, version, status, open, reason, who, params, nominal,
		created, started, ended, jobs, done, held_by, cancel, rerun_of, key, schedule)
		VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		s.ID, s.Net, s.Version, string(s.Status), w.open, string(s.Reason), s.By, w.params, s.Nominal,
		s.Created, s.Started, s.Ended, len(s.Jobs), w.done, s.HeldBy, s.Cancel, s.RerunOf, key, s.Schedule)
	if err != nil || rows == 1 {
		return n, err
	}
	conflict := &store.Conflict{Noun: "run", ID: s.ID}
	err = c.query(ctx, `SELECT 1 FROM runs WHERE key = ?`, func(row) error {
		conflict = &store.Conflict{Noun: "run key", ID: w.Key}
		return nil
	}, key)
	if err != nil {
		return 0, err
	}
	return 0, conflict
}

// effect opens, marks or closes an order. A sequence is allotted inside the transaction, so that what is
// undone leaves no gap. o has the run and the epoch.
func (a *runWriter) effect(ctx context.Context, o store.Order, effect run.Effect) error {
	c, receipt := a.c, a.receipt
	switch e := effect.(type) {
	case run.StartAttempt:
		o.AgentID, o.Job, o.N = e.AgentID, e.Job, e.N
		var err error
		if o.Seq, err = a.next(ctx, o.AgentID); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `INSERT INTO orders (agent_id, epoch, seq, run, job, n, cancel) VALUES (?, ?, ?, ?, ?, ?, 0)`,
			o.AgentID, o.Epoch, o.Seq, o.Run, o.Job, o.N); err != nil {
			return fmt.Errorf("opening the order of %s/%s/%d: %w", o.Run, o.Job, o.N, err)
		}
		receipt.Orders = append(receipt.Orders, o)
	case run.CancelAttempt:
		// An order that is closed already keeps its place in the receipt, with sequence 0: there is nothing to cancel.
		o.AgentID, o.Job, o.N, o.Epoch, o.Cancel = e.AgentID, e.Job, e.N, 0, true
		err := c.query(ctx, `UPDATE orders SET cancel = 1 WHERE run = ? AND job = ? AND n = ? RETURNING agent_id, epoch, seq`,
			func(r row) error {
				o.AgentID, o.Epoch, o.Seq = r.str(0), r.int(1), r.int(2)
				return nil
			}, o.Run, o.Job, o.N)
		if err != nil {
			return err
		}
		receipt.Orders = append(receipt.Orders, o)
	case run.CloseAttempt:
		_, err := c.exec(ctx, `DELETE FROM orders WHERE run = ? AND job = ? AND n = ?`, o.Run, e.Job, e.N)
		return err
	default:
		return fmt.Errorf("%w: effect %T", errBatch, effect)
	}
	return nil
}

// next allots a sequence of an agent.
func (a *runWriter) next(ctx context.Context, agent string) (int64, error) {
	last, ok := a.last[agent]
	if !ok {
		err := a.c.query(ctx, `SELECT last FROM counters WHERE agent_id = ? AND epoch = ?`,
			func(r row) error { last = r.int(0); return nil }, agent, a.epoch)
		if err != nil {
			return 0, err
		}
	}
	a.last[agent] = last + 1
	return last + 1, nil
}

// finish stores how far the sequences are.
func (a *runWriter) finish(ctx context.Context) error {
	for agent, last := range a.last {
		_, err := a.c.exec(ctx, `INSERT INTO counters (agent_id, epoch, last) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last = excluded.last`,
			agent, a.epoch, last)
		if err != nil {
			return err
		}
	}
	return nil
}
