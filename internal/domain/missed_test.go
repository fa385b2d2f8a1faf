package domain_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// missedIn returns what was missed as text, by pages of so many, and checks that every page says the same count.
func (s *timeSite) missedIn(q api.OccurrenceQuery, limit int) (rows []string, count int64) {
	s.t.Helper()
	for q.Limit = limit; ; {
		page, err := s.service.Missed(s.admin(), q)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(page.Missed) > limit {
			s.t.Fatalf("a page of %d has %d", limit, len(page.Missed))
		}
		for _, m := range page.Missed {
			rows = append(rows, fmt.Sprintf("%s %s %s %s %d %s", m.Net, m.Schedule, m.First.Format("02T15:04:05"), m.Last.Format("02T15:04:05"), m.Count, m.Reason))
			count += m.Count
		}
		if page.Next == nil {
			if count != page.Count && q.After == "" {
				s.t.Errorf("%d are listed, %d are said to be", count, page.Count)
			}
			return rows, page.Count
		}
		q.After = *page.Next
	}
}

// twoOutages is a site after one of 90 seconds and one of four hours: of some schedules each left records, of others ranges, of one both.
func twoOutages(t *testing.T) *timeSite {
	t.Helper()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *"`, `name: tens, cron: "*/10 * * * * *"`)
	s.scheduled("a/often", `name: minutes, cron: "* * * * *", jitter: 5m`)
	s.scheduled("b/x", `name: minutes, cron: "* * * * *", catchup: last`)
	s.passTo("2026-03-24T05:10:00Z")
	s.down()
	s.pass(90 * time.Second)
	s.up()
	s.passTo("2026-03-24T05:30:00Z")
	s.down()
	s.pass(4*time.Hour + time.Second)
	s.up()
	return s
}

// TestMissedTogether: what a schedule missed in an outage is one row, stored as records or as a range, with exact counts; by pages of any size the rows
// are the same, and one by one they are as many.
func TestMissedTogether(t *testing.T) {
	t.Parallel()
	s := twoOutages(t)
	all, count := s.missedIn(api.OccurrenceQuery{}, 1000)
	for _, row := range []string{
		"a/b tens 24T05:10:10 24T05:11:20 8 server_down", "a/b tens 24T05:30:10 24T09:30:00 1440 server_down",
		"a/b hourly 24T06:00:00 24T09:00:00 4 server_down", "b/x minutes 24T05:31:00 24T09:29:00 239 catchup_limit",
	} {
		if !slices.Contains(all, row) {
			t.Errorf("%q is not among %q", row, all)
		}
	}
	each, _ := s.missedIn(api.OccurrenceQuery{Each: true}, 1000)
	if int64(len(each)) != count || len(slices.Compact(slices.Sorted(slices.Values(each)))) != len(each) {
		t.Errorf("one by one they are %d, want %d", len(each), count)
	}
	for _, limit := range []int{1, 2, 3, 7} {
		if paged, _ := s.missedIn(api.OccurrenceQuery{}, limit); !slices.Equal(paged, all) {
			t.Errorf("by pages of %d: got %q, want %q", limit, paged, all)
		}
	}
	for _, limit := range []int{100, 333} {
		if paged, _ := s.missedIn(api.OccurrenceQuery{Each: true}, limit); !slices.Equal(paged, each) {
			t.Errorf("one by one by pages of %d: %d, want %d in the same order", limit, len(paged), len(each))
		}
	}
	for _, q := range []api.OccurrenceQuery{
		{Net: "a/b"},
		{Folder: "b"},
		{Net: "a/often", Schedule: "minutes"},
		{Since: instant(t, "2026-03-24T06:00:00Z")},
		{Since: instant(t, "2026-03-24T05:10:30Z"), Until: instant(t, "2026-03-24T07:00:05Z")},
		{Net: "a/often", Since: instant(t, "2026-03-24T06:00:00Z"), Until: instant(t, "2026-03-24T07:00:05Z")},
	} {
		_, count := s.missedIn(q, 100)
		q.Each = true
		if each, _ := s.missedIn(q, 300); int64(len(each)) != count || count == 0 {
			t.Errorf("%+v: one by one they are %d, together %d", q, len(each), count)
		}
	}
	// Of one in the middle somebody takes care: the row has one less.
	if _, err := s.service.ActOnOccurrence(s.admin(), api.OccurrenceAct{Net: "a/b", Schedule: "tens", Nominal: instant(t, "2026-03-24T07:00:00Z"), Verb: "dismiss"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.missedIn(api.OccurrenceQuery{Net: "a/b", Schedule: "tens"}, 10); !slices.Equal(got, []string{
		"a/b tens 24T05:10:10 24T05:11:20 8 server_down", "a/b tens 24T05:30:10 24T09:30:00 1439 server_down",
	}) {
		t.Errorf("without one of them: got %q", got)
	}
}

// TestReleaseMissed: all that a query finds is released, oldest first, each as a run of its own; what is left is exact, and a second call finds nothing.
func TestReleaseMissed(t *testing.T) {
	t.Parallel()
	s := twoOutages(t)
	_, err := s.service.ReleaseMissed(s.admin(), api.OccurrenceQuery{Net: "a/b"})
	if !fault.Is(err, fault.Conflict) {
		t.Fatalf("1452 at once: got %v, want a conflict", err)
	}
	want(t, "what the refusal says", []string{err.Error()},
		"1452 missed occurrences match, and at most 1000 are released at once: nothing was released; narrow it by net, folder, schedule, since or until, or take the oldest by limit 1000")
	if _, count := s.missedIn(api.OccurrenceQuery{Net: "a/b"}, 10); count != 1452 {
		t.Errorf("after the refusal there are %d", count)
	}
	if _, err := s.service.ReleaseMissed(s.admin(), api.OccurrenceQuery{Net: "a/b", Schedule: "hourly", Expect: 5}); !fault.Is(err, fault.Conflict) {
		t.Errorf("another count than expected: got %v", err)
	}
	each, _ := s.missedIn(api.OccurrenceQuery{Net: "a/b", Each: true}, 1000)
	got, err := s.service.ReleaseMissed(s.admin(), api.OccurrenceQuery{Net: "a/b", Limit: 20, Reason: "needed"})
	if err != nil || got.Released != 20 || got.Left != 1432 || len(got.Refused) != 0 {
		t.Fatalf("got %+v, %v, want 20 of 1452", got, err)
	}
	for i, r := range got.Runs {
		if row := fmt.Sprintf("%s %s %s %[3]s 1 server_down", r.Net, r.Schedule, r.Nominal.Format("02T15:04:05")); row != each[i] {
			t.Errorf("the %d. is %s, want %s", i, row, each[i])
		}
		if o, err := s.service.Occurrence(s.admin(), r.Net, r.Schedule, r.Nominal); err != nil || o.Decision != "missed" || o.RecoveredBy == nil || *o.RecoveredBy != r.Run {
			t.Errorf("it is %+v, %v", o, err)
		}
	}
	if left, _ := s.missedIn(api.OccurrenceQuery{Net: "a/b", Each: true}, 1000); !slices.Equal(left, each[20:]) {
		t.Errorf("%d are left, want all behind the 20", len(left))
	}
	until := instant(t, "2026-03-24T06:00:05Z")
	part := api.OccurrenceQuery{Net: "a/often", Since: instant(t, "2026-03-24T05:40:00Z"), Until: until}
	_, before := s.missedIn(api.OccurrenceQuery{Net: "a/often"}, 10)
	_, part.Expect = s.missedIn(part, 10)
	if got, err := s.service.ReleaseMissed(s.admin(), part); err != nil || got.Released != part.Expect || got.Released == 0 {
		t.Errorf("of a range: got %d, %v, want %d", got.Released, err, part.Expect)
	}
	released := part.Expect
	if _, after := s.missedIn(api.OccurrenceQuery{Net: "a/often"}, 10); after != before-part.Expect {
		t.Errorf("%d are left of %d without %d", after, before, part.Expect)
	}
	part.Expect = 0
	if got, err := s.service.ReleaseMissed(s.admin(), part); err != nil || got.Released != 0 || got.Left != 0 || got.Runs == nil || got.Refused == nil {
		t.Errorf("once more: got %+v, %v", got, err)
	}
	sums, err := s.service.Balance(s.admin(), api.BalanceQuery{Day: "2026-03-24"})
	if err != nil || len(sums) != 4 {
		t.Fatal(sums, err)
	}
	for _, b := range sums {
		if !b.Holds {
			t.Errorf("the sum does not hold: %+v", b)
		}
	}
	audit, err := s.store.ListAudit(t.Context(), 0, 1000)
	n := int64(0)
	for _, a := range audit {
		if a.Action == "occurrence.release" {
			n++
		}
	}
	if err != nil || n != 20+released {
		t.Errorf("the audit trail has %d, %v, want one for each of %d", n, err, 20+released)
	}
	for name, bad := range map[string]api.OccurrenceQuery{"limit": {Limit: 1001}, "after": {After: "x"}, "each": {Each: true}} {
		if _, err := s.service.ReleaseMissed(s.admin(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

// TestReleaseMissedThatNobodyCanTellApart: a range whose rule was made with a time zone database that is gone is listed as a whole and told by key; the
// others are released.
func TestReleaseMissedThatNobodyCanTellApart(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *"`)
	s.passTo("2026-03-24T05:30:00Z")
	s.down()
	s.pass(2 * time.Hour)
	rule := calendar.DefaultSchedule()
	rule.Name, rule.Cron = "old", "* * * * *"
	first := instant(t, "2026-03-20T00:00:00Z")
	commit := func(b store.Batch) {
		t.Helper()
		b.Epoch = s.engine.Epoch()
		if _, err := s.store.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	commit(store.Batch{Spans: []store.SpanWrite{{Span: occurrence.Span{Net: "a/b", Schedule: "old", Version: 1, Since: first, Rule: rule, TZData: "1999a"}}}})
	spans, err := s.store.Spans(t.Context(), store.SpanQuery{Net: "a/b", Schedule: "old"})
	if err != nil || len(spans) != 1 {
		t.Fatal(spans, err)
	}
	spans[0].Until = first.Add(2 * time.Hour)
	commit(store.Batch{Spans: []store.SpanWrite{{Span: spans[0]}}})
	s.up() // it fell due in the outage
	rows := []string{"a/b old 20T00:00:00 20T01:59:00 120 server_down", "a/b hourly 24T06:00:00 24T06:00:00 1 server_down", "a/b hourly 24T07:00:00 24T07:00:00 1 server_down"}
	for _, limit := range []int{1, 2, 100} {
		got, _ := s.missedIn(api.OccurrenceQuery{Each: true, Until: s.now()}, limit)
		got = slices.DeleteFunc(got, func(row string) bool { return !slices.Contains(rows, row) })
		if !slices.Equal(got, rows) {
			t.Errorf("one by one by pages of %d: %q", limit, got)
		}
	}
	got, err := s.service.ReleaseMissed(s.admin(), api.OccurrenceQuery{Schedule: "old"})
	if err != nil || got.Released != 0 || len(got.Refused) != 1 || got.Refused[0].Count != 120 || got.Refused[0].Schedule != "old" || got.Refused[0].Why == "" {
		t.Errorf("of it alone: %+v, %v", got, err)
	}
	got, err = s.service.ReleaseMissed(s.admin(), api.OccurrenceQuery{Net: "a/b", Until: instant(t, "2026-03-24T07:30:00Z"), Since: first, Limit: 2})
	if err != nil || got.Released != 2 || got.Left != 0 || len(got.Refused) != 1 {
		t.Errorf("with others: %+v, %v", got, err)
	}
}
