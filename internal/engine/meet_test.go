package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// TestTwoEngines: two servers over one store decide each occurrence once between them.
func TestTwoEngines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	var all []calendar.Schedule
	for i := range 30 {
		all = append(all, cron(fmt.Sprintf("s%02d", i), "*/10 * * * * *", overlap(calendar.OverlapQueue)))
	}
	w.define("a/b", all...)
	w.open()
	other := &world{t: t, store: w.store, agents: &agents{sent: make(chan run.Command, 1000)}, wall: w.wall, zones: w.zones, ids: 50_000_000}
	other.open()
	for i := range 12 {
		first, second := w, other
		if i%2 == 1 {
			first, second = other, w
		}
		first.pass(10 * time.Second)
		second.pass(10 * time.Second)
	}
	w.conserved("a/b", all...)
	if got := len(w.records("a/b", "s07")); got != 12 {
		t.Errorf("%d occurrences, want 12", got)
	}
}

// TestDueAgainByANewerRule: an instant that was decided is not decided again where a newer rule has it at a later due.
func TestDueAgainByANewerRule(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.pass(2 * time.Minute)
	late := s
	late.Jitter = 50 * time.Minute
	w.define("a/b", late)
	w.pass(3 * time.Hour)
	seen := map[time.Time]int{}
	for _, r := range w.records("a/b", "s") {
		seen[r.Nominal]++
	}
	for _, nominal := range []time.Time{day0.Add(time.Minute), day0.Add(2 * time.Minute), day0.Add(100 * time.Minute)} {
		if seen[nominal] != 1 {
			t.Errorf("%s was decided %d times", nominal, seen[nominal])
		}
	}
	w.down(20 * time.Hour)
	if got := w.Decided(); got.Before(w.wall.Add(-time.Minute)) {
		t.Errorf("decided until %s", got)
	}
}

// TestARunWithoutItsRecord: where the store has the run of an occurrence and not its record, the record names that run, and no second is made.
func TestARunWithoutItsRecord(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	key := at("s", "12:01:00")
	def, err := w.Definition(t.Context(), "a/b", 0)
	if err != nil {
		t.Fatal(err)
	}
	st, err := run.New(def, run.Request{ID: "x1", Schedule: "s", Nominal: key.Nominal, By: "schedule"}, w.wall)
	if err != nil {
		t.Fatal(err)
	}
	b := store.Batch{Epoch: 1, Runs: []store.RunWrite{{State: st, Changed: []int{0}, Key: "occurrence " + store.OccurrenceID(key)}}}
	if _, err := w.store.Store.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	if got := w.records("a/b", "s"); len(got) != 1 || got[0].Run != "x1" || got[0].Decision != occurrence.Released {
		t.Errorf("got %+v", got)
	}
	w.conserved("a/b", s)
}
