package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// twin is the slow obvious store of runs and orders: what a database must answer after the same commits.
type twin struct {
	runs   map[string]run.State
	keys   map[string]string
	orders []store.Order
	last   map[string]int64 // by agent
}

func (w *twin) commit(b store.Batch) (store.Receipt, error) {
	if b.Epoch != 1 {
		return store.Receipt{}, store.ErrEpoch
	}
	next := &twin{runs: maps.Clone(w.runs), keys: maps.Clone(w.keys), orders: slices.Clone(w.orders), last: maps.Clone(w.last)}
	var receipt store.Receipt
	for _, one := range b.Runs {
		if err := next.write(one, &receipt); err != nil {
			return store.Receipt{}, err
		}
	}
	*w = *next
	return receipt, nil
}

func (w *twin) write(one store.RunWrite, receipt *store.Receipt) error {
	s := one.State
	old, found := w.runs[s.ID]
	if found != (s.Rev != 0) || old.Rev != s.Rev {
		return &store.Conflict{Noun: "run", ID: s.ID}
	}
	if one.Key != "" && !found {
		if _, taken := w.keys[one.Key]; taken {
			return &store.Conflict{Noun: "run key", ID: one.Key}
		}
		w.keys[one.Key] = s.ID
	}
	jobs := slices.Clone(s.Jobs)
	if found {
		jobs = slices.Clone(old.Jobs)
		for _, i := range one.Changed {
			jobs[i] = s.Jobs[i]
		}
	}
	s.Jobs = jobs
	s.Rev++
	w.runs[s.ID] = s
	for _, e := range one.Effects {
		w.effect(s.ID, e, receipt)
	}
	return nil
}

func (w *twin) effect(id string, effect run.Effect, receipt *store.Receipt) {
	find := func(job string, n int) int {
		return slices.IndexFunc(w.orders, func(o store.Order) bool { return o.Run == id && o.Job == job && o.N == n })
	}
	switch e := effect.(type) {
	case run.StartAttempt:
		w.last[e.AgentID]++
		o := store.Order{AgentID: e.AgentID, Epoch: 1, Seq: w.last[e.AgentID], Run: id, Job: e.Job, N: e.N}
		w.orders = append(w.orders, o)
		receipt.Orders = append(receipt.Orders, o)
	case run.CancelAttempt:
		o := store.Order{AgentID: e.AgentID, Run: id, Job: e.Job, N: e.N, Cancel: true}
		if i := find(e.Job, e.N); i >= 0 {
			w.orders[i].Cancel = true
			o = w.orders[i]
		}
		receipt.Orders = append(receipt.Orders, o)
	case run.CloseAttempt:
		if i := find(e.Job, e.N); i >= 0 {
			w.orders = slices.Delete(w.orders, i, i+1)
		}
	}
}

func (w *twin) mark(agent string) int64 {
	mark := w.last[agent]
	for _, o := range w.orders {
		if o.AgentID == agent {
			mark = min(mark, o.Seq-1)
		}
	}
	return mark
}

func (w *twin) ordersOf(agent string) []store.Order {
	list := slices.DeleteFunc(slices.Clone(w.orders), func(o store.Order) bool { return o.AgentID != agent })
	slices.SortFunc(list, func(a, b store.Order) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

// chance makes the operations of the twin test.
type chance struct {
	*rand.Rand
	w    *twin
	next int
}

func (c *chance) status() run.Status {
	all := []run.Status{
		run.Waiting, run.Ready, run.Held, run.Dispatched, run.Running, run.Succeeded, run.Warning, run.Failed, run.Cancelled, run.Skipped, run.Lost,
	}
	return all[c.IntN(len(all))]
}

// write makes a write of a new or a stored run; one in ten is stale, and one in ten of the new has a used key.
func (c *chance) write() store.RunWrite {
	agent := []string{"a", "b", "c"}[c.IntN(3)]
	if len(c.w.runs) == 0 || c.IntN(4) == 0 {
		c.next++
		s := newRun(fmt.Sprintf("r%04d", c.next), fmt.Sprint("net/", c.IntN(4)), 1+c.IntN(5))
		s.Created = day().Add(time.Duration(c.next) * time.Second)
		one := store.RunWrite{State: s, Effects: []run.Effect{run.StartAttempt{Job: "job0", N: 1, AgentID: agent}}}
		if c.IntN(2) == 0 {
			one.Key = fmt.Sprint("k", c.IntN(c.next*2))
		}
		return one
	}
	known := slices.Sorted(maps.Keys(c.w.runs))
	s := c.w.runs[known[c.IntN(len(known))]]
	s.Jobs = slices.Clone(s.Jobs)
	if c.IntN(10) == 0 {
		s.Rev += int64(c.IntN(5) - 2)
	}
	s.Status, s.Reason = c.status(), run.Reason(fmt.Sprint("reason", c.IntN(3)))
	if s.Status.Ended() {
		s.Ended = day().Add(time.Duration(c.IntN(5000)) * time.Second)
	}
	one := store.RunWrite{}
	for i := range s.Jobs {
		if c.IntN(2) == 0 {
			continue
		}
		j := &s.Jobs[i]
		if c.IntN(8) == 0 {
			j.Detail = "not named as changed, so not stored"
			continue
		}
		one.Changed = append(one.Changed, i)
		j.Status = c.status()
		n := len(j.Attempts)
		switch c.IntN(3) {
		case 0:
			j.Attempts = append(slices.Clone(j.Attempts), run.Attempt{N: n + 1, AgentID: agent, Status: j.Status})
			one.Effects = append(one.Effects, run.StartAttempt{Job: j.Name, N: n + 2, AgentID: agent})
		case 1:
			one.Effects = append(one.Effects, run.CloseAttempt{Job: j.Name, N: n + 1, AgentID: agent})
		case 2:
			one.Effects = append(one.Effects, run.CancelAttempt{Job: j.Name, N: n + 1, AgentID: agent})
		}
	}
	one.State = s
	return one
}

// testTwin does 1,000 random operations to the store and to its twin, and compares.
func testTwin(t *testing.T, s store.Store) {
	w := &twin{runs: map[string]run.State{}, keys: map[string]string{}, last: map[string]int64{}}
	c := &chance{Rand: rand.New(rand.NewPCG(20260314, 1)), w: w}
	refused := 0
	for op := range 1000 {
		if op%5 == 4 {
			c.compareRandom(t, s)
			continue
		}
		b := store.Batch{Epoch: 1}
		if c.IntN(50) == 0 {
			b.Epoch = 2
		}
		touched := map[string]bool{}
		for range 1 + c.IntN(3) {
			if one := c.write(); !touched[one.State.ID] { // a state read once is written once
				touched[one.State.ID] = true
				b.Runs = append(b.Runs, one)
			}
		}
		want, wantErr := w.commit(b)
		got, err := s.Commit(t.Context(), b)
		compareErrors(t, op, err, wantErr)
		if wantErr != nil {
			refused++
		}
		same(t, fmt.Sprintf("receipt of operation %d", op), got, want)
		if t.Failed() {
			return
		}
	}
	if refused < 20 || len(w.runs) < 100 {
		t.Errorf("%d refusals and %d runs: the test shows little", refused, len(w.runs))
	}
	for id := range w.runs {
		same(t, "run "+id, read(t, s, id), w.runs[id])
	}
}

func compareErrors(t *testing.T, op int, got, want error) {
	t.Helper()
	var conflict *store.Conflict
	switch {
	case want == nil:
		if got != nil {
			t.Errorf("operation %d: got error %v, want none", op, got)
		}
	case errors.As(want, &conflict):
		wantConflict(t, got, conflict.Noun, conflict.ID)
	case !errors.Is(got, want):
		t.Errorf("operation %d: got error %v, want %v", op, got, want)
	}
}

// compareRandom asks both the same question.
func (c *chance) compareRandom(t *testing.T, s store.Store) {
	t.Helper()
	ctx, w := t.Context(), c.w
	ids := slices.Sorted(maps.Keys(w.runs))
	if len(ids) == 0 {
		return
	}
	switch agent := []string{"a", "b", "c"}[c.IntN(3)]; c.IntN(5) {
	case 0:
		id := ids[c.IntN(len(ids))]
		same(t, "run", read(t, s, id), w.runs[id])
	case 1:
		var want []run.State
		for _, id := range ids {
			if one := w.runs[id]; !one.Status.Ended() || one.Status == run.Lost {
				want = append(want, one)
			}
		}
		same(t, "open runs", must[[]run.State](t)(s.OpenRuns(ctx)), want)
	case 2:
		same(t, "orders of "+agent, must[[]store.Order](t)(s.Orders(ctx, agent)), w.ordersOf(agent))
		if got, want := must[int64](t)(s.Mark(ctx, agent, 1)), w.mark(agent); got != want {
			t.Errorf("mark of %s: got %d, want %d", agent, got, want)
		}
	case 3:
		key := fmt.Sprint("k", c.IntN(c.next*2))
		got, err := s.RunByKey(ctx, key)
		if want, ok := w.keys[key]; ok != (err == nil) || got != want {
			t.Errorf("run by key %s: got %q, error %v, want %q", key, got, err, want)
		}
	case 4:
		c.compareList(ctx, t, s, ids)
	}
}

func (c *chance) compareList(ctx context.Context, t *testing.T, s store.Store, ids []string) {
	t.Helper()
	q := store.RunQuery{Limit: 1 + c.IntN(30), Before: ids[c.IntN(len(ids))]}
	if c.IntN(2) == 0 {
		q.Net = fmt.Sprint("net/", c.IntN(4))
	}
	for range c.IntN(3) {
		q.States = append(q.States, c.status())
	}
	type brief struct {
		id         string
		status     run.Status
		jobs, done int
	}
	var want, got []brief
	for _, id := range slices.Backward(ids) {
		one := c.w.runs[id]
		if id >= q.Before || q.Net != "" && one.Net != q.Net || len(q.States) > 0 && !slices.Contains(q.States, one.Status) {
			continue
		}
		b := brief{id: id, status: one.Status, jobs: len(one.Jobs)}
		for _, j := range one.Jobs {
			if j.Status.Ended() {
				b.done++
			}
		}
		want = append(want, b)
	}
	for _, r := range must[[]store.RunSummary](t)(s.ListRuns(ctx, q)) {
		got = append(got, brief{r.ID, r.Status, r.Jobs, r.Done})
	}
	want = want[:min(len(want), q.Limit)]
	if !slices.Equal(got, want) {
		t.Errorf("list %+v: got %v, want %v", q, got, want)
	}
}
