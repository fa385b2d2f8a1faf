package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

func testRuns(t *testing.T, s store.Store) {
	_, err := s.Run(t.Context(), "r1")
	wantNotFound(t, "no run", err)

	code := 3
	want := newRun("r1", "census/packages", 3)
	want.Params = map[string]string{"top": "20", "ümlaut": "a\nb\x00c"}
	want.Nominal = day().Add(-time.Hour)
	want.Reason = run.ReasonPredecessors
	want.RerunOf = "r0"
	want.Jobs[1].Attempts = []run.Attempt{{
		N: 1, Agent: "north", AgentID: "id1", Status: run.Failed, Reason: run.ReasonExit, Ordered: day(), Started: day(), Ended: day(),
		ExitCode: &code, Outputs: map[string]string{"x": "y"}, Artifacts: []run.Artifact{{Name: "f", Size: 9, SHA256: "ab"}},
		Output: 11, Lost: 2, Leftover: 1, CPU: time.Second, MaxRSS: 1 << 30,
	}}
	commit(t, s, batch(store.RunWrite{State: want})) // Changed of a new run does not matter
	want.Rev = 1
	same(t, "a new run", read(t, s, "r1"), want)

	// Only what Changed names is stored.
	want.Status, want.Reason, want.Started, want.HeldBy, want.Cancel = run.Running, "", day().Add(time.Second), "bob", "eve"
	want.Jobs[0].Status = run.Running
	want.Jobs[2].Detail = strings.Repeat("long ", 30_000)
	unsaid := want
	unsaid.Jobs = append([]run.Job(nil), want.Jobs...)
	unsaid.Jobs[1] = run.Job{Name: "not stored"}
	commit(t, s, batch(store.RunWrite{State: unsaid, Changed: []int{2, 0}}))
	want.Rev = 2
	same(t, "a changed run", read(t, s, "r1"), want)

	commit(t, s, batch(store.RunWrite{State: want}))
	want.Rev = 3
	same(t, "nothing changed but the revision", read(t, s, "r1"), want)

	// A run without jobs, and several runs in one batch.
	commit(t, s, batch(write(newRun("r2", "n", 0)), write(newRun("r0", "n", 1))))
	lost := read(t, s, "r2")
	commit(t, s, batch(write(end(lost, run.Lost, day()))))
	gone := read(t, s, "r1")
	commit(t, s, batch(write(end(gone, run.Succeeded, day()))))
	var ids []string
	for _, one := range must[[]run.State](t)(s.OpenRuns(t.Context())) {
		ids = append(ids, fmt.Sprintf("%s:%s:%d", one.ID, one.Status, len(one.Jobs)))
	}
	same(t, "open runs, unknown ones among them", ids, []string{"r0:waiting:1", "r2:unknown:0"})

	// An unknown run may be decided, and be open again before its end.
	again := read(t, s, "r2")
	again.Status, again.Ended = run.Running, time.Time{}
	commit(t, s, batch(write(again)))
	same(t, "reopened", read(t, s, "r2").Ended, time.Time{})
}

func testRunGuards(t *testing.T, s store.Store) {
	commit(t, s, batch(write(newRun("r", "n", 2))))
	_, err := s.Commit(t.Context(), batch(write(newRun("r", "n", 2))))
	wantConflict(t, err, "run", "r")
	for _, rev := range []int64{2, 99, -1} {
		stale := newRun("r", "n", 2)
		stale.Rev, stale.By = rev, "mallory"
		_, err := s.Commit(t.Context(), batch(write(stale)))
		wantConflict(t, err, "run", "r")
	}
	none := newRun("none", "n", 1)
	none.Rev = 1
	_, err = s.Commit(t.Context(), batch(write(none)))
	wantConflict(t, err, "run", "none")

	first, late := read(t, s, "r"), read(t, s, "r")
	commit(t, s, batch(write(first)))
	_, err = s.Commit(t.Context(), batch(write(late)))
	wantConflict(t, err, "run", "r")

	for _, at := range []int{-1, 2, 1 << 30} {
		if _, err := s.Commit(t.Context(), batch(store.RunWrite{State: read(t, s, "r"), Changed: []int{at}})); err == nil {
			t.Errorf("changed job %d of 2 was accepted", at)
		}
	}
	same(t, "revision after all refusals", read(t, s, "r").Rev, int64(2))
}

func testRunKeys(t *testing.T, s store.Store) {
	_, err := s.RunByKey(t.Context(), "once")
	wantNotFound(t, "key", err)
	keyed := write(newRun("r1", "n", 1))
	keyed.Key = "once"
	commit(t, s, batch(keyed))
	same(t, "run by key", must[string](t)(s.RunByKey(t.Context(), "once")), "r1")
	twice := write(newRun("r2", "n", 1))
	twice.Key = "once"
	_, err = s.Commit(t.Context(), batch(twice))
	wantConflict(t, err, "run key", "once")
	_, err = s.Run(t.Context(), "r2")
	wantNotFound(t, "run with a used key", err)
	// No key is no key, however often.
	commit(t, s, batch(write(newRun("r3", "n", 1)), write(newRun("r4", "n", 1))))
	_, err = s.RunByKey(t.Context(), "")
	wantNotFound(t, "empty key", err)
}

func testOrders(t *testing.T, s store.Store) {
	ctx := t.Context()
	mark := func(agent string, epoch, want int64) {
		t.Helper()
		if got := must[int64](t)(s.Mark(ctx, agent, epoch)); got != want {
			t.Errorf("mark of %s in epoch %d: got %d, want %d", agent, epoch, got, want)
		}
	}
	mark("a", 1, 0)
	order := func(agent string, seq int64, job string, cancel bool) store.Order {
		return store.Order{AgentID: agent, Epoch: 1, Seq: seq, Run: "r", Job: job, N: 1, Cancel: cancel}
	}
	start := func(job, agent string) run.Effect { return run.StartAttempt{Job: job, N: 1, AgentID: agent} }
	got := commit(t, s, batch(write(newRun("r", "n", 4), start("job0", "a"), start("job1", "b"), start("job2", "a"), start("job3", "a"))))
	same(t, "receipt", got.Orders, []store.Order{order("a", 1, "job0", false), order("b", 1, "job1", false), order("a", 2, "job2", false), order("a", 3, "job3", false)})
	same(t, "orders of a", must[[]store.Order](t)(s.Orders(ctx, "a")), []store.Order{order("a", 1, "job0", false), order("a", 2, "job2", false), order("a", 3, "job3", false)})
	mark("a", 1, 0)
	mark("a", 2, 0)

	step := func(effects ...run.Effect) store.Receipt {
		t.Helper()
		return commit(t, s, batch(store.RunWrite{State: read(t, s, "r"), Effects: effects}))
	}
	got = step(run.CloseAttempt{Job: "job2", N: 1, AgentID: "a"}, run.CancelAttempt{Job: "job0", N: 1, AgentID: "a"})
	same(t, "receipt of a cancel", got.Orders, []store.Order{order("a", 1, "job0", true)})
	same(t, "orders", must[[]store.Order](t)(s.Orders(ctx, "")), []store.Order{order("a", 1, "job0", true), order("a", 3, "job3", false), order("b", 1, "job1", false)})
	mark("a", 1, 0)
	step(run.CloseAttempt{Job: "job0", N: 1, AgentID: "a"})
	mark("a", 1, 2)
	step(run.CloseAttempt{Job: "job3", N: 1, AgentID: "a"})
	mark("a", 1, 3)
	mark("b", 1, 0)

	// Everything may come twice.
	got = step(run.CloseAttempt{Job: "job3", N: 1, AgentID: "a"}, run.CancelAttempt{Job: "job3", N: 1, AgentID: "a"})
	same(t, "receipt of a cancel of what is closed", got.Orders, []store.Order{{AgentID: "a", Run: "r", Job: "job3", N: 1, Cancel: true}})
	// The count goes on where it was, also when none is open.
	got = step(run.StartAttempt{Job: "job0", N: 2, AgentID: "a"})
	same(t, "sequence", got.Orders[0].Seq, int64(4))
	mark("a", 1, 3)

	// An attempt has one order at most.
	if _, err := s.Commit(ctx, batch(store.RunWrite{State: read(t, s, "r"), Effects: []run.Effect{run.StartAttempt{Job: "job0", N: 2, AgentID: "b"}}})); err == nil {
		t.Error("a second order for an open attempt was accepted")
	}
	mark("b", 1, 0)
}

func testListing(t *testing.T, s store.Store) {
	nets := []string{"a", "a/x", "a/x/deep", "a0", "ab/x", "b"}
	states := []run.Status{run.Waiting, run.Running, run.Succeeded, run.Failed, run.Lost, run.Warning}
	var want []store.RunSummary
	for i := range 60 {
		one := newRun(fmt.Sprintf("r%03d", i), nets[i%len(nets)], 3)
		one.Created = day().Add(time.Duration(i) * time.Minute)
		one.Status = states[i/len(nets)%len(states)]
		one.Jobs[i%3].Status = run.Failed
		one.Params = map[string]string{"i": fmt.Sprint(i)}
		if one.Status.Ended() {
			one.Ended = one.Created.Add(time.Second)
		}
		commit(t, s, batch(write(one)))
		want = append([]store.RunSummary{{
			ID: one.ID, Net: one.Net, Version: 1, Status: one.Status, By: "ann", Params: one.Params, Created: one.Created, Ended: one.Ended, Jobs: 3, Done: 1,
		}}, want...)
	}
	below := func(net, folder string) bool { return folder == "" || strings.HasPrefix(net, folder+"/") }
	check := func(q store.RunQuery) {
		t.Helper()
		var expect []store.RunSummary
		for _, r := range want {
			in := len(q.States) == 0
			for _, st := range q.States {
				in = in || st == r.Status
			}
			if !in || q.Net != "" && q.Net != r.Net || !below(r.Net, q.Folder) || q.Before != "" && r.ID >= q.Before {
				continue
			}
			if !q.Since.IsZero() && r.Created.Before(q.Since) || !q.Until.IsZero() && !r.Created.Before(q.Until) {
				continue
			}
			expect = append(expect, r)
		}
		limit := q.Limit
		if limit == 0 {
			limit = 50
		}
		expect = expect[:min(limit, len(expect))]
		same(t, fmt.Sprintf("%+v", q), must[[]store.RunSummary](t)(s.ListRuns(t.Context(), q)), expect)
	}
	for _, folder := range []string{"", "a", "a/x", "none"} {
		for _, net := range []string{"", "a", "a/x", "none"} {
			for _, st := range [][]run.Status{nil, {run.Running}, {run.Failed, run.Waiting}, {run.Lost, run.Succeeded, run.Lost}, {run.Skipped}} {
				for _, limit := range []int{0, 1, 7, 1000} {
					q := store.RunQuery{Net: net, Folder: folder, States: st, Limit: limit}
					check(q)
					q.Before = "r040"
					check(q)
					q.Since, q.Until = day().Add(5*time.Minute), day().Add(30*time.Minute)
					check(q)
					q.Until, q.Before = time.Time{}, ""
					check(q)
				}
			}
		}
	}
	if got := must[[]store.RunSummary](t)(s.ListRuns(t.Context(), store.RunQuery{Limit: 1 << 40})); len(got) != 60 {
		t.Errorf("an enormous limit: got %d runs, want 60", len(got))
	}
}

func testPaging(t *testing.T, s store.Store) {
	const runs = 123
	for i := range runs {
		commit(t, s, batch(write(newRun(fmt.Sprintf("r%03d", i), "n", 1))))
	}
	var got []string
	for before := ""; ; {
		page := must[[]store.RunSummary](t)(s.ListRuns(t.Context(), store.RunQuery{Before: before, Limit: 10}))
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, r.ID)
		}
		before = page[len(page)-1].ID
		// What comes meanwhile is newer than the cursor and does not disturb it.
		commit(t, s, batch(write(newRun(fmt.Sprintf("z%03d", len(got)), "n", 1))))
	}
	if len(got) != runs || got[0] != "r122" || got[runs-1] != "r000" {
		t.Errorf("paging: got %d runs from %s to %s, want %d from r122 to r000", len(got), got[0], got[len(got)-1], runs)
	}
}

// testFolderOfMany: a folder with more nets than are searched one by one gives what it gives with few.
func testFolderOfMany(t *testing.T, s store.Store) {
	const nets = 300
	var b []store.RunWrite
	for i := range nets {
		r := newRun(fmt.Sprintf("%05d", i), fmt.Sprintf("many/n%d", i), 1)
		other := newRun(fmt.Sprintf("%05d", nets+i), fmt.Sprintf("other/n%d", i), 1)
		switch i % 3 {
		case 1:
			r, other = end(r, run.Failed, day()), end(other, run.Failed, day())
		case 2:
			r, other = end(r, run.Succeeded, day()), end(other, run.Succeeded, day())
		}
		b = append(b, write(r), write(other))
	}
	commit(t, s, batch(b...))
	for _, c := range []struct {
		states []run.Status
		want   int
	}{
		{nil, nets}, {[]run.Status{run.Waiting}, nets / 3}, {[]run.Status{run.Failed}, nets / 3}, {[]run.Status{run.Succeeded, run.Waiting}, 2 * nets / 3},
	} {
		list := must[[]store.RunSummary](t)(s.ListRuns(t.Context(), store.RunQuery{Folder: "many", States: c.states, Limit: 1000}))
		if len(list) != c.want {
			t.Errorf("%v: got %d runs, want %d", c.states, len(list), c.want)
		}
		for i := range list {
			if !strings.HasPrefix(list[i].Net, "many/") || i > 0 && list[i-1].ID <= list[i].ID {
				t.Errorf("%v: run %d is %s of %s", c.states, i, list[i].ID, list[i].Net)
			}
		}
	}
	one := must[[]store.RunSummary](t)(s.ListRuns(t.Context(), store.RunQuery{Folder: "many", Net: "many/n0", States: []run.Status{run.Waiting}}))
	if len(one) != 1 || one[0].Net != "many/n0" {
		t.Errorf("of one net: %+v", one)
	}
}
