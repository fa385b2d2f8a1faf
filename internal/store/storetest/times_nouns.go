package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// newRange is one of an occurrence a minute that was missed.
func newRange(net, schedule string, first, last int) occurrence.Range {
	return occurrence.Range{
		Net: net, Schedule: schedule, First: at(first), Last: at(last), Count: int64(last - first + 1), Decision: occurrence.Missed,
		Reason: occurrence.ServerDown, Detail: "the server was down", Decided: at(last + 1), Zone: "UTC", TZData: "2025c",
	}
}

func testRanges(t *testing.T, s store.Store) {
	ctx := t.Context()
	ranges := func(q store.OccurrenceQuery) []occurrence.Range {
		t.Helper()
		return must[[]occurrence.Range](t)(s.Ranges(ctx, q))
	}
	put := func(writes ...store.RangeWrite) []int64 {
		t.Helper()
		return commit(t, s, store.Batch{Epoch: 1, Ranges: writes}).Ranges
	}
	one, two, three := newRange("a/x", "s", 0, 9), newRange("a/x", "t", 5, 20), newRange("b", "s", 5, 30)
	three.Decision, three.Reason = occurrence.Suppressed, occurrence.Paused
	ids := put(store.RangeWrite{Range: three}, store.RangeWrite{Range: one}, store.RangeWrite{Range: two})
	three.ID, one.ID, two.ID = ids[0], ids[1], ids[2]
	one.Rev, two.Rev, three.Rev = 1, 1, 1
	same(t, "all", ranges(store.OccurrenceQuery{}), []occurrence.Range{one, two, three})
	same(t, "some", ranges(store.OccurrenceQuery{Limit: 2}), []occurrence.Range{one, two})
	same(t, "of a net", ranges(store.OccurrenceQuery{Net: "a/x"}), []occurrence.Range{one, two})
	same(t, "of a schedule", ranges(store.OccurrenceQuery{Schedule: "s"}), []occurrence.Range{one, three})
	same(t, "below a folder", ranges(store.OccurrenceQuery{Folder: "a"}), []occurrence.Range{one, two})
	same(t, "that reach behind", ranges(store.OccurrenceQuery{Since: at(9)}), []occurrence.Range{one, two, three})
	same(t, "that reach far behind", ranges(store.OccurrenceQuery{Since: at(10), Net: "a/x"}), []occurrence.Range{two})
	same(t, "that begin before", ranges(store.OccurrenceQuery{Until: at(5)}), []occurrence.Range{one})
	same(t, "that lie in between", ranges(store.OccurrenceQuery{Since: at(25), Until: at(26)}), []occurrence.Range{three})
	same(t, "suppressed", ranges(store.OccurrenceQuery{Decisions: []occurrence.Decision{occurrence.Suppressed, occurrence.Cancelled}}), []occurrence.Range{three})
	same(t, "undismissed", ranges(store.OccurrenceQuery{Undismissed: true, Since: at(10)}), []occurrence.Range{two})

	two.Dismissed, two.DismissedBy = at(40), "ann"
	change := two
	change.Count = 7777 // it is not written
	same(t, "id of a change", put(store.RangeWrite{Range: change}), []int64{two.ID})
	refuse(t, s, store.Batch{Epoch: 1, Ranges: []store.RangeWrite{{Range: two}}}, "range", fmt.Sprint(two.ID))
	two.Rev = 2
	same(t, "dismissed", ranges(store.OccurrenceQuery{Schedule: "t"}), []occurrence.Range{two})
	same(t, "undismissed after that", ranges(store.OccurrenceQuery{Undismissed: true}), []occurrence.Range{one})

	// Split around one that is released: the counts stay whole.
	released := missed(record("a/x", "s", 4), occurrence.ServerDown)
	released.RecoveredBy = "r1"
	b := decide(released)
	left, right := newRange("a/x", "s", 0, 3), newRange("a/x", "s", 5, 9)
	b.Ranges = []store.RangeWrite{{Range: left}, {Range: one, Delete: true}, {Range: right}}
	got := commit(t, s, b).Ranges
	if len(got) != 3 || got[1] != one.ID || got[0] <= three.ID || got[2] <= got[0] {
		t.Errorf("ids of a split: got %v", got)
	}
	refuse(t, s, store.Batch{Epoch: 1, Ranges: []store.RangeWrite{{Range: one, Delete: true}}}, "range", fmt.Sprint(one.ID))
	same(t, "the parts", len(ranges(store.OccurrenceQuery{Schedule: "s", Net: "a/x"})), 2)
	same(t, "totals", must[[]store.Total](t)(s.Totals(ctx)), []store.Total{
		{Decision: occurrence.Missed, Reason: occurrence.ServerDown, Count: 26, Last: two.Decided},
		{Decision: occurrence.Suppressed, Reason: occurrence.Paused, Count: 26, Last: three.Decided},
	})
	testRangeGuard(t, s)
	testRangeTakes(t, s)
}

// testRangeGuard counts again where a span has ended since a range was counted.
func testRangeGuard(t *testing.T, s store.Store) {
	t.Helper()
	span := openSpan(t, s, newSpan("g", "s"))
	r := newRange("g", "s", 0, 9)
	r.Span = span.ID
	b := store.Batch{Epoch: 1, Ranges: []store.RangeWrite{{Range: r}}}
	commit(t, s, b)
	span.Until = at(5)
	commit(t, s, store.Batch{Epoch: 1, Spans: []store.SpanWrite{{Span: span}}})
	refuse(t, s, b, "span", "g s")
	b.Ranges[0].Until = at(5)
	commit(t, s, b)
	b.Ranges[0].Until, b.Ranges[0].Range.Last = time.Time{}, at(4)
	commit(t, s, b)
	b.Ranges[0].Range.Span = 99
	refuse(t, s, b, "span", "g s")
}

// testRangeTakes: what a range of an earlier span reaches over is no new record, but where it is known to be free of it.
func testRangeTakes(t *testing.T, s store.Store) {
	t.Helper()
	older := openSpan(t, s, newSpan("k", "s"))
	r := newRange("k", "s", 0, 9)
	r.Span = older.ID
	commit(t, s, store.Batch{Epoch: 1, Ranges: []store.RangeWrite{{Range: r}}})
	own := missed(record("k", "s", 5), occurrence.ServerDown)
	own.Span = older.ID
	commit(t, s, decide(own))
	older.Until = at(10)
	commit(t, s, store.Batch{Epoch: 1, Spans: []store.SpanWrite{{Span: older}}})
	span := newSpan("k", "s")
	span.Since = at(10)
	span = openSpan(t, s, span)
	for minute, taken := range map[int]bool{0: true, 9: true, 10: false, -1: false} {
		rec := missed(record("k", "s", minute), occurrence.ServerDown)
		rec.Span, rec.Due = span.ID, at(12)
		b := decide(rec)
		if taken {
			refuse(t, s, b, "occurrence", store.OccurrenceID(rec.Key))
			b.Occurrences[0].Free = true
		}
		commit(t, s, b)
	}
}

func testPauses(t *testing.T, s store.Store) {
	write := func(p occurrence.Pause, remove bool) error {
		_, err := s.Commit(t.Context(), store.Batch{Epoch: 1, Pauses: []store.PauseWrite{{Pause: p, Delete: remove}}})
		return err
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := occurrence.Pause{Net: "b", Schedule: "s", By: "ann", Reason: "month end", Since: at(0), Until: at(60)}
	ok(write(p, false))
	ok(write(occurrence.Pause{Net: "a", Schedule: "t", Since: at(1)}, false))
	wantConflict(t, write(p, false), "pause", "b s")
	p.Rev, p.Until = 1, time.Time{}
	ok(write(p, false))
	wantConflict(t, write(p, false), "pause", "b s")
	wantConflict(t, write(p, true), "pause", "b s")
	p.Rev = 2
	same(t, "pauses", must[[]occurrence.Pause](t)(s.Pauses(t.Context())), []occurrence.Pause{{Net: "a", Schedule: "t", Since: at(1), Rev: 1}, p})
	ok(write(p, true))
	wantConflict(t, write(p, true), "pause", "b s")
	same(t, "what is left", len(must[[]occurrence.Pause](t)(s.Pauses(t.Context()))), 1)
	p.Rev = 0
	ok(write(p, false))
}

func testOverrides(t *testing.T, s store.Store) {
	ctx := t.Context()
	all := []occurrence.Override{
		{
			Key: occurrence.Key{Net: "a", Schedule: occurrence.Manual, Nominal: at(1)}, Kind: occurrence.OverrideAdd, Params: map[string]string{"x": "y"},
			Reason: "late file", By: "ann", Created: at(0), State: occurrence.OverrideActive,
		},
		{Key: occurrence.Key{Net: "b", Schedule: "s", Nominal: at(2)}, Kind: occurrence.OverrideMove, To: at(9), Created: at(0), State: occurrence.OverrideActive},
		{Key: occurrence.Key{Net: "a", Schedule: "s"}, Kind: occurrence.OverrideHold, From: at(3), Expires: at(60), State: occurrence.OverrideActive},
	}
	b := store.Batch{Epoch: 1}
	for _, o := range all {
		b.Overrides = append(b.Overrides, store.OverrideWrite{Override: o})
	}
	ids := commit(t, s, b).Overrides
	for i := range all {
		all[i].ID, all[i].Rev = ids[i], 1
	}
	list := func(net string, limit int, states ...occurrence.OverrideState) []occurrence.Override {
		t.Helper()
		return must[[]occurrence.Override](t)(s.Overrides(ctx, net, states, limit))
	}
	same(t, "newest first", list("", 0), []occurrence.Override{all[2], all[1], all[0]})
	same(t, "of a net", list("a", 0), []occurrence.Override{all[2], all[0]})
	same(t, "the newest", list("", 1), all[2:])
	all[0].State, all[0].Ended = occurrence.OverrideUsed, at(2)
	change := store.Batch{Epoch: 1, Overrides: []store.OverrideWrite{{Override: all[0]}}}
	change.Overrides[0].Override.Reason = "not written"
	same(t, "id of a change", commit(t, s, change).Overrides, []int64{all[0].ID})
	refuse(t, s, change, "override", fmt.Sprint(all[0].ID))
	all[0].Rev = 2
	same(t, "used", list("", 0, occurrence.OverrideUsed, occurrence.OverrideStale), all[:1])
	same(t, "active", list("a", 0, occurrence.OverrideActive), all[2:])
}

func testCalendars(t *testing.T, s store.Store) {
	ctx := t.Context()
	versions := []store.CalendarVersion{
		{Name: "holidays/de", Version: 1, Hash: "h1", Text: "calendar: holidays/de\n", Applied: at(0), By: "ann"},
		{Name: "holidays/de", Version: 2, Hash: "h2", Text: "calendar: holidays/de\nweek: [mo]\n", Applied: at(1)},
		{Name: "bank", Version: 1, Hash: "h3", Text: "calendar: bank\n", Applied: at(2)},
	}
	commit(t, s, store.Batch{Epoch: 1, Calendars: versions})
	refuse(t, s, store.Batch{Epoch: 1, Calendars: versions[1:2]}, "calendar", "holidays/de")
	same(t, "newest", must[store.CalendarVersion](t)(s.Calendar(ctx, "holidays/de", 0)), versions[1])
	same(t, "first", must[store.CalendarVersion](t)(s.Calendar(ctx, "holidays/de", 1)), versions[0])
	wantNotFound(t, "third", second(s.Calendar(ctx, "holidays/de", 3)))
	wantNotFound(t, "unknown", second(s.Calendar(ctx, "holidays/fr", 0)))
	same(t, "list", must[[]store.CalendarVersion](t)(s.ListCalendars(ctx)), []store.CalendarVersion{versions[2], versions[1]})
	same(t, "versions", must[[]store.CalendarVersion](t)(s.CalendarVersions(ctx, "holidays/de")), []store.CalendarVersion{versions[1], versions[0]})
	wantNotFound(t, "versions of an unknown one", second(s.CalendarVersions(ctx, "fr")))
}

func testDurations(t *testing.T, s store.Store) {
	for i := range 30 {
		one := end(newRun(fmt.Sprintf("r%03d", i), fmt.Sprint("n", i%2), 2), run.Succeeded, at(i))
		took := func(status run.Status, seconds int) run.Attempt {
			return run.Attempt{Status: status, Started: at(i), Ended: at(i).Add(time.Duration(seconds) * time.Second)}
		}
		one.Jobs[0].Attempts = []run.Attempt{took(run.Failed, 999), took(run.Warning, 100+i), took(run.Succeeded, 200+i)}
		if i < 4 {
			one.Jobs[1].Attempts = []run.Attempt{took(run.Succeeded, i)}
		} else {
			one.Jobs[1].Attempts = []run.Attempt{took(run.Lost, 1), {Status: run.Running, Started: at(i)}}
		}
		commit(t, s, batch(write(one)))
	}
	durations := func(net string, limit int) map[string][]time.Duration {
		t.Helper()
		return must[map[string][]time.Duration](t)(s.Durations(t.Context(), net, limit))
	}
	const second = time.Second
	same(t, "newest first", durations("n0", 5), map[string][]time.Duration{
		"job0": {228 * second, 128 * second, 226 * second, 126 * second, 224 * second}, "job1": {2 * second, 0},
	})
	past := must[map[string]store.JobPast](t)(s.Past(t.Context(), "n0", 5))
	same(t, "with those that failed meanwhile", past["job0"], store.JobPast{Took: durations("n0", 5)["job0"], Failed: 3})
	same(t, "of another net", durations("n1", 1)["job0"], []time.Duration{229 * second})
	same(t, "of none", len(durations("n2", 5)), 0)
	same(t, "no limit is none", len(durations("n1", 0)), 0)
	same(t, "a job that has not ended well for long is looked for a while only", len(durations("n0", 1)["job1"]), 0)
	recent := func(jobs, limit int) map[string]map[string]store.JobPast {
		t.Helper()
		return must[map[string]map[string]store.JobPast](t)(s.Recent(t.Context(), jobs, limit))
	}
	same(t, "all nets at once", recent(1_000_000, 5)["n0"]["job0"], past["job0"])
	same(t, "of none", len(recent(0, 5))+len(recent(5, 0)), 0)
	same(t, "the newest first", recent(1, 1)["n1"]["job0"].Took, []time.Duration{229 * second})
}

// testEnds has attempts that ended in every way.
func testEnds(t *testing.T, s store.Store) {
	exit := func(code int) *int { return &code }
	one := newRun("r1", "n", 0)
	one.Jobs = []run.Job{
		{Name: "rerun", Status: run.Succeeded, Attempts: []run.Attempt{
			{Status: run.Lost, Started: at(0), Ended: at(10)}, {Status: run.Succeeded, Ordered: at(70), Started: at(71), Ended: at(80)},
		}},
		{Name: "decided", Status: run.Failed, Reason: run.ReasonDecided, Since: at(100), Attempts: []run.Attempt{{Status: run.Lost, Started: at(0), Ended: at(40)}}},
		{Name: "open", Status: run.Lost, Since: at(40), Attempts: []run.Attempt{{Status: run.Lost, Started: at(0), Ended: at(40)}}},
		{Name: "failed", Status: run.Failed, Attempts: []run.Attempt{
			{Status: run.Failed, ExitCode: exit(75)},
			{Status: run.Failed, ExitCode: exit(1)},
			{Status: run.Failed, ExitCode: exit(75)},
			{Status: run.Failed, Reason: run.ReasonTimeout},
			{Status: run.Failed, Reason: run.ReasonRunAs},
			{Status: run.Cancelled},
		}},
	}
	commit(t, s, batch(write(one)))
	past := must[map[string]store.JobPast](t)(s.Past(t.Context(), "n", 5))
	same(t, "unknown, then another attempt", past["rerun"], store.JobPast{Took: []time.Duration{at(80).Sub(at(71))}, Unknown: 1, Decided: []store.Decided{{After: time.Hour}}})
	same(t, "unknown, then decided", past["decided"], store.JobPast{Unknown: 1, Decided: []store.Decided{{After: time.Hour, As: run.Failed}}})
	same(t, "unknown still", past["open"], store.JobPast{Unknown: 1})
	same(t, "failed", past["failed"], store.JobPast{Failed: 5, Codes: map[int]int{1: 1, 75: 2}, RunAs: 1})
	same(t, "the same of all nets", must[map[string]map[string]store.JobPast](t)(s.Recent(t.Context(), 100, 5))["n"], past)
}

// testPruneOccurrences lets old ones go, but never silently what nobody has seen to.
func testPruneOccurrences(t *testing.T, s store.Store) {
	ctx := t.Context()
	prune := func(before time.Time, limit int) int {
		t.Helper()
		return must[int](t)(s.PruneOccurrences(ctx, before, limit))
	}
	old, empty, open := openSpan(t, s, newSpan("a", "old")), openSpan(t, s, newSpan("a", "empty")), openSpan(t, s, newSpan("a", "open"))
	var b store.Batch
	for i := range 20 {
		b = decide(record("a", "s", i), missed(record("a", "old", i), occurrence.LateStart), pending(record("a", "open", i), occurrence.HeldBack))
		b.Occurrences[1].Record.Span = old.ID
		commit(t, s, b)
	}
	seen := missed(record("a", "old", 3), occurrence.LateStart)
	seen.Rev, seen.Dismissed = 1, at(20)
	helped := missed(record("a", "old", 4), occurrence.LateStart)
	helped.Rev, helped.RecoveredBy = 1, "r1"
	commit(t, s, store.Batch{Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: seen, Recovered: true}, {Record: helped, Recovered: true}}})
	old.Until, empty.Until = at(19), at(19)
	gone := newRange("a", "s", 0, 9)
	gone.Decision, gone.Reason = occurrence.Suppressed, occurrence.Held
	commit(t, s, store.Batch{
		Epoch: 1, Spans: []store.SpanWrite{{Span: old}, {Span: empty}},
		Ranges: []store.RangeWrite{{Range: newRange("a", "s", 0, 9)}, {Range: gone}},
		Overrides: []store.OverrideWrite{
			{Override: occurrence.Override{State: occurrence.OverrideUsed, Ended: at(3)}},
			{Override: occurrence.Override{State: occurrence.OverrideStale, Ended: at(3)}},
			{Override: occurrence.Override{State: occurrence.OverrideActive}},
			{Override: occurrence.Override{State: occurrence.OverrideDropped, Ended: at(30)}},
		},
	})
	same(t, "no age", prune(time.Time{}, 100), 0)
	same(t, "no limit is none", prune(at(10), 0), 0)
	same(t, "at most", prune(at(10), 3), 3)
	same(t, "the rest", prune(at(10), 100), 9)
	same(t, "nothing", prune(at(10), 100), 0)
	same(t, "records", len(occurrences(t, s, store.OccurrenceQuery{Schedule: "s"})), 10)
	same(t, "pending", len(occurrences(t, s, store.OccurrenceQuery{Schedule: "open"})), 20)
	same(t, "missed", len(occurrences(t, s, store.OccurrenceQuery{Undismissed: true})), 18)
	same(t, "all of that schedule", len(occurrences(t, s, store.OccurrenceQuery{Schedule: "old"})), 18)
	same(t, "ranges", must[[]occurrence.Range](t)(s.Ranges(ctx, store.OccurrenceQuery{}))[0].Decision, occurrence.Missed)
	same(t, "overrides", len(must[[]occurrence.Override](t)(s.Overrides(ctx, "", nil, 0))), 3)
	same(t, "spans", len(must[[]occurrence.Span](t)(s.Spans(ctx, store.SpanQuery{}))), 3)
	prune(at(20), 100)
	spans := must[[]occurrence.Span](t)(s.Spans(ctx, store.SpanQuery{}))
	if len(spans) != 2 || spans[0].ID != old.ID && spans[1].ID != old.ID || spans[0].ID != open.ID && spans[1].ID != open.ID {
		t.Errorf("spans: got %v, want the one that is open, and that of what is missed", spans)
	}
	sum := int64(0)
	for _, one := range must[[]store.Total](t)(s.Totals(ctx)) {
		sum += one.Count
	}
	same(t, "decided in all", sum, int64(60))
}
