package storetest

import (
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// testHours: records are counted by hour and decision, and those are late whose run ended after its time or is over it.
func testHours(t *testing.T, s store.Store) {
	over := newRun("over", "a/n", 1)
	over.Ended, over.Status = at(90), run.Succeeded
	open := newRun("open", "a/n", 1)
	good := newRun("good", "a/n", 1)
	good.Ended, good.Status = at(60), run.Succeeded
	commit(t, s, batch(write(over), write(open), write(good)))
	released := func(schedule string, minute int, id string, mustEnd time.Time) occurrence.Record {
		r := record("a/n", schedule, minute)
		r.Run, r.MustEnd = id, mustEnd
		return r
	}
	commit(t, s, decide(
		released("s", 0, "over", at(60)), released("s", 59, "open", at(100)), released("s", 60, "good", at(60)), released("s", 61, "over", time.Time{}),
		released("pruned", 62, "gone", at(1)), missed(record("a/n", "s", 119), occurrence.ServerDown), released("s", 180, "over", at(60)),
	))
	q := store.OccurrenceQuery{Folder: "a", Since: at(0), Until: at(120)}
	hours := func(now time.Time) []store.Hourly {
		t.Helper()
		return must[[]store.Hourly](t)(s.Hours(t.Context(), q, now))
	}
	same(t, "before the open one is over its time", hours(at(99)), []store.Hourly{
		{Hour: 0, Decision: occurrence.Released, Count: 2, Late: 1},
		{Hour: 1, Decision: occurrence.Missed, Count: 1},
		{Hour: 1, Decision: occurrence.Released, Count: 3},
	})
	same(t, "after it", hours(at(101))[0].Late, int64(2))
	q.Late = at(101)
	late := occurrences(t, s, q)
	if len(late) != 2 || late[0].Run != "over" || late[1].Run != "open" {
		t.Errorf("late: got %+v, want the runs over and open", late)
	}
	same(t, "of another net", len(must[[]store.Hourly](t)(s.Hours(t.Context(), store.OccurrenceQuery{Net: "b", Since: at(0)}, at(0)))), 0)
}
