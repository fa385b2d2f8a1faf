package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// at is a minute of the tests' day.
func at(minute int) time.Time {
	return day().Truncate(time.Hour).Add(time.Duration(minute) * time.Minute)
}

func newSpan(net, schedule string) occurrence.Span {
	rule := calendar.DefaultSchedule()
	rule.Name, rule.Cron, rule.Zone = schedule, "*/5 * * * *", "Europe/Berlin"
	rule.Blackouts = []calendar.Blackout{{From: "22:00", Until: "23:00", Text: "backup"}}
	return occurrence.Span{
		Net: net, Schedule: schedule, Version: 3, Since: at(0), Rule: rule, Calendars: map[string]int{"holidays/de": 2}, TZData: "2025c",
	}
}

// record is a new one that was released, with something in every field.
func record(net, schedule string, minute int) occurrence.Record {
	return occurrence.Record{
		Key: occurrence.Key{Net: net, Schedule: schedule, Nominal: at(minute)}, Due: at(minute), Moved: calendar.ReasonJitter,
		Decision: occurrence.Released, Reason: occurrence.Due, Detail: "at its time", Decided: at(minute).Add(time.Second), By: "ann", Version: 3,
		Zone: "Europe/Berlin", TZData: "2025c", Run: fmt.Sprintf("run%d", minute), MustEnd: at(minute + 60),
	}
}

func pending(r occurrence.Record, why occurrence.Reason) occurrence.Record {
	r.Decision, r.Reason, r.Run, r.Decided, r.Detail = occurrence.Pending, why, "", time.Time{}, ""
	return r
}

func missed(r occurrence.Record, why occurrence.Reason) occurrence.Record {
	r.Decision, r.Reason, r.Run = occurrence.Missed, why, ""
	return r
}

func decide(records ...occurrence.Record) store.Batch {
	b := store.Batch{Epoch: 1}
	for _, r := range records {
		b.Occurrences = append(b.Occurrences, store.OccurrenceWrite{Record: r})
	}
	return b
}

func refuse(t *testing.T, s store.Store, b store.Batch, noun, id string) {
	t.Helper()
	_, err := s.Commit(t.Context(), b)
	wantConflict(t, err, noun, id)
}

func occurrences(t *testing.T, s store.Store, q store.OccurrenceQuery) []occurrence.Record {
	t.Helper()
	return must[[]occurrence.Record](t)(s.Occurrences(t.Context(), q))
}

// openSpan opens one and returns it as stored.
func openSpan(t *testing.T, s store.Store, span occurrence.Span) occurrence.Span {
	t.Helper()
	return commit(t, s, store.Batch{Epoch: 1, Spans: []store.SpanWrite{{Span: span}}}).Spans[0]
}

func testOccurrences(t *testing.T, s store.Store) {
	first := record("a", "s", 5)
	commit(t, s, decide(first))
	first.Rev = 1
	same(t, "as stored", occurrences(t, s, store.OccurrenceQuery{Net: "a", Schedule: "s", Nominal: at(5)}), []occurrence.Record{first})
	refuse(t, s, decide(record("a", "s", 5)), "occurrence", store.OccurrenceID(first.Key))
	other := record("a", "s", 5)
	other.Due = at(7) // the key is net, schedule and nominal, whenever it is due
	refuse(t, s, decide(other), "occurrence", store.OccurrenceID(first.Key))

	// What is decided is never decided again, and a missed one only gets what a person does to it.
	again := first
	again.Decision, again.Reason = occurrence.Cancelled, occurrence.ByPerson
	refuse(t, s, decide(again), "occurrence", store.OccurrenceID(first.Key))
	recovered := first
	recovered.RecoveredBy = "r9"
	refuse(t, s, store.Batch{Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: recovered, Recovered: true}}}, "occurrence", store.OccurrenceID(first.Key))

	wait := pending(record("a", "s", 10), occurrence.Queued)
	commit(t, s, decide(wait))
	stale := wait
	stale.Rev = 2
	refuse(t, s, decide(stale), "occurrence", store.OccurrenceID(wait.Key))
	done := record("a", "s", 10)
	done.Rev, done.Due, done.Reason = 1, at(11), occurrence.Waited
	commit(t, s, decide(done))
	refuse(t, s, decide(done), "occurrence", store.OccurrenceID(wait.Key))
	done.Rev = 2
	same(t, "after it waited", occurrences(t, s, store.OccurrenceQuery{Since: at(11)}), []occurrence.Record{done})

	lost := missed(record("a", "s", 15), occurrence.ServerDown)
	commit(t, s, decide(lost))
	act := lost
	act.Rev, act.RecoveredBy, act.Detail, act.Decision = 1, "r7", "not written", occurrence.Cancelled
	commit(t, s, store.Batch{Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: act, Recovered: true}}})
	refuse(t, s, store.Batch{Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: act, Recovered: true}}}, "occurrence", store.OccurrenceID(act.Key))
	lost.Rev, lost.RecoveredBy = 2, "r7"
	same(t, "recovered", occurrences(t, s, store.OccurrenceQuery{Decisions: []occurrence.Decision{occurrence.Missed}}), []occurrence.Record{lost})
	lost.Dismissed, lost.DismissedBy = at(30), "bob"
	commit(t, s, store.Batch{Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: lost, Recovered: true}}})
	lost.Rev = 3
	same(t, "dismissed", occurrences(t, s, store.OccurrenceQuery{Nominal: at(15)}), []occurrence.Record{lost})

	same(t, "totals", must[[]store.Total](t)(s.Totals(t.Context())), []store.Total{
		{Decision: occurrence.Missed, Reason: occurrence.ServerDown, Count: 1, Last: lost.Decided},
		{Decision: occurrence.Released, Reason: occurrence.Due, Count: 1, Last: first.Decided},
		{Decision: occurrence.Released, Reason: occurrence.Waited, Count: 1, Last: done.Decided},
	})
}

func testSpans(t *testing.T, s store.Store) {
	ctx := t.Context()
	spans := func(q store.SpanQuery) []occurrence.Span {
		t.Helper()
		return must[[]occurrence.Span](t)(s.Spans(ctx, q))
	}
	one := openSpan(t, s, newSpan("a/x", "s"))
	want := newSpan("a/x", "s")
	want.ID = one.ID
	same(t, "receipt", one, want)
	same(t, "as stored", spans(store.SpanQuery{}), []occurrence.Span{want})
	refuse(t, s, store.Batch{Epoch: 1, Spans: []store.SpanWrite{{Span: newSpan("a/x", "s")}}}, "span", "a/x s")

	// Records lean on it until it ends, and in the batch that ends it.
	in, out := record("a/x", "s", 4), record("a/x", "s", 10)
	in.Span, out.Span = one.ID, one.ID
	ended := one
	ended.Until = at(10)
	next := newSpan("a/x", "s")
	next.Since, next.Version, next.Calendars, next.Rule.Blackouts = at(10), 4, nil, nil
	late := record("a/x", "s", 7)
	late.Span = one.ID
	moved := pending(record("a/x", "s", 10), occurrence.Queued)
	moved.Span = -1
	b := decide(late, moved)
	b.Spans = []store.SpanWrite{{Span: next}, {Span: ended}} // the order does not matter
	got := commit(t, s, b).Spans
	next.ID = got[0].ID
	same(t, "receipt of a change", got, []occurrence.Span{next, ended})
	refuse(t, s, decide(out), "span", "a/x s")
	commit(t, s, decide(in)) // it was due before the end
	same(t, "of the new span", occurrences(t, s, store.OccurrenceQuery{Since: at(10)})[0].Span, next.ID)
	refuse(t, s, store.Batch{Epoch: 1, Spans: []store.SpanWrite{{Span: ended}}}, "span", "a/x s")
	unknown := record("a/x", "s", 3)
	unknown.Span = 99
	refuse(t, s, decide(unknown), "span", "a/x s")
	unknown.Span = -1
	if _, err := s.Commit(ctx, decide(unknown)); err == nil {
		t.Error("a record of a new span that the batch does not have was accepted")
	}

	other := openSpan(t, s, newSpan("b", "s"))
	same(t, "all, by net", spans(store.SpanQuery{}), []occurrence.Span{ended, next, other})
	same(t, "open", spans(store.SpanQuery{Open: true}), []occurrence.Span{next, other})
	same(t, "of a net", spans(store.SpanQuery{Net: "b"}), []occurrence.Span{other})
	same(t, "below a folder", spans(store.SpanQuery{Folder: "a", Schedule: "s", Open: true}), []occurrence.Span{next})
	same(t, "of another schedule", len(spans(store.SpanQuery{Schedule: "t"})), 0)
	same(t, "in force since", spans(store.SpanQuery{Net: "a/x", Since: at(10)}), []occurrence.Span{next})
	same(t, "in force before", spans(store.SpanQuery{Net: "a/x", Until: at(10)}), []occurrence.Span{ended})
	same(t, "opened since", spans(store.SpanQuery{After: one.ID}), []occurrence.Span{next, other})
	same(t, "by id", spans(store.SpanQuery{IDs: []int64{other.ID, one.ID, 77}}), []occurrence.Span{ended, other})
	same(t, "a page", spans(store.SpanQuery{Limit: 2}), []occurrence.Span{ended, next})
	beyond := store.SpanCursor{Net: ended.Net, Schedule: ended.Schedule, Since: ended.Since, ID: ended.ID}
	same(t, "the next page", spans(store.SpanQuery{Beyond: beyond, Limit: 2}), []occurrence.Span{next, other})
	same(t, "of those that are open", spans(store.SpanQuery{Beyond: beyond, Open: true, Folder: "a"}), []occurrence.Span{next})
	same(t, "by no id", len(spans(store.SpanQuery{IDs: []int64{}})), 0)
}

func testThrough(t *testing.T, s store.Store) {
	ctx := t.Context()
	through := func(want time.Time) {
		t.Helper()
		same(t, "through", must[time.Time](t)(s.Through(ctx)), want)
	}
	through(time.Time{})
	commit(t, s, store.Batch{Epoch: 1, Through: at(10)})
	through(at(10))
	commit(t, s, store.Batch{Epoch: 1, Through: at(5)})
	commit(t, s, store.Batch{Epoch: 1})
	through(at(10))

	// A span that is applied on a clock that was put back begins after what was decided, and ends there too.
	after := at(10).Add(time.Microsecond)
	one := openSpan(t, s, newSpan("a", "s"))
	same(t, "since", one.Since, after)
	one.Until = at(2)
	got := commit(t, s, store.Batch{Epoch: 1, Spans: []store.SpanWrite{{Span: one}}}).Spans[0]
	same(t, "until", got.Until, after)
	same(t, "both as stored", must[[]occurrence.Span](t)(s.Spans(ctx, store.SpanQuery{})), []occurrence.Span{got})

	// Nobody may say that all is decided who has not seen what is to be decided.
	early, late := newSpan("b", "s"), newSpan("c", "s")
	early.Since, late.Since = at(20), at(60)
	seen := openSpan(t, s, early).ID
	openSpan(t, s, late)
	commit(t, s, store.Batch{Epoch: 1, Through: at(60), LastSpan: seen})
	refuse(t, s, store.Batch{Epoch: 1, Through: at(61), LastSpan: seen}, "span", "c s")
	through(at(60))
	commit(t, s, store.Batch{Epoch: 1, Through: at(61), LastSpan: seen + 1, Spans: []store.SpanWrite{{Span: newSpan("d", "s")}}})
	through(at(61))
	same(t, "opened behind the mark", must[[]occurrence.Span](t)(s.Spans(ctx, store.SpanQuery{Net: "d"}))[0].Since, at(61).Add(time.Microsecond))
}

func testTimesAllOrNothing(t *testing.T, s store.Store) {
	ctx := t.Context()
	commit(t, s, decide(record("a", "s", 5)))
	b := decide(record("a", "s", 6), record("a", "s", 5))
	b.Calendars = []store.CalendarVersion{{Name: "c", Version: 1}}
	b.Spans = []store.SpanWrite{{Span: newSpan("a", "s")}}
	b.Ranges = []store.RangeWrite{{Range: newRange("a", "s", 0, 4)}}
	b.Pauses = []store.PauseWrite{{Pause: occurrence.Pause{Net: "a", Schedule: "s"}}}
	b.Overrides = []store.OverrideWrite{{Override: occurrence.Override{State: occurrence.OverrideActive}}}
	b.Runs = []store.RunWrite{write(newRun("r", "a", 1))}
	b.Through = at(10)
	refuse(t, s, b, "occurrence", store.OccurrenceID(record("a", "s", 5).Key))
	same(t, "records", len(occurrences(t, s, store.OccurrenceQuery{})), 1)
	same(t, "spans", len(must[[]occurrence.Span](t)(s.Spans(ctx, store.SpanQuery{}))), 0)
	same(t, "ranges", len(must[[]occurrence.Range](t)(s.Ranges(ctx, store.OccurrenceQuery{}))), 0)
	same(t, "pauses", len(must[[]occurrence.Pause](t)(s.Pauses(ctx))), 0)
	same(t, "overrides", len(must[[]occurrence.Override](t)(s.Overrides(ctx, "", nil, 0))), 0)
	same(t, "totals", len(must[[]store.Total](t)(s.Totals(ctx))), 1)
	same(t, "through", must[time.Time](t)(s.Through(ctx)), time.Time{})
	wantNotFound(t, "calendar", second(s.Calendar(ctx, "c", 0)))
	wantNotFound(t, "run", second(s.Run(ctx, "r")))

	b.Occurrences = b.Occurrences[:1]
	got := commit(t, s, b)
	same(t, "ids", []int{len(got.Spans), len(got.Ranges), len(got.Overrides)}, []int{1, 1, 1})
	read(t, s, "r")
}

// testRunsOfSchedules keeps whose occurrence a run is, and finds runs by it.
func testRunsOfSchedules(t *testing.T, s store.Store) {
	var want []store.RunSummary
	for i := range 40 {
		one := newRun(fmt.Sprintf("r%03d", i), fmt.Sprint("net", i%2), 1)
		if i%4 < 2 {
			one.Schedule, one.Nominal = "nightly", at(i)
		}
		if i%8 < 4 {
			one = end(one, run.Failed, at(i))
		}
		commit(t, s, batch(write(one)))
		one.Rev = 1
		same(t, "run", read(t, s, one.ID), one)
		if one.Schedule != "" && one.Net == "net1" {
			want = append([]store.RunSummary{{
				ID: one.ID, Net: one.Net, Version: 1, Status: one.Status, By: one.By, Schedule: one.Schedule, Nominal: one.Nominal, Created: one.Created,
				Ended: one.Ended, Jobs: 1, Done: map[bool]int{true: 1}[one.Status.Ended()],
			}}, want...)
		}
	}
	list := func(q store.RunQuery) []store.RunSummary {
		t.Helper()
		return must[[]store.RunSummary](t)(s.ListRuns(t.Context(), q))
	}
	same(t, "of a schedule", list(store.RunQuery{Net: "net1", Schedule: "nightly"}), want)
	same(t, "paged", list(store.RunQuery{Net: "net1", Schedule: "nightly", Before: want[2].ID, Limit: 3}), want[3:6])
	same(t, "of all nets", len(list(store.RunQuery{Schedule: "nightly"})), 20)
	same(t, "failed", len(list(store.RunQuery{Net: "net1", Schedule: "nightly", States: []run.Status{run.Failed}})), 5)
	same(t, "of another", len(list(store.RunQuery{Net: "net1", Schedule: "weekly"})), 0)
}
