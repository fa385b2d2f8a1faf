package domain_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// row writes a row of a list in few words: a range with its ends and its count.
func row(o api.Occurrence) string {
	if o.Kind != "range" {
		return brief(o)
	}
	return fmt.Sprintf("%s to %s: %d %s %s %s", o.Nominal.Format("02T15:04"), o.Last.Format("02T15:04"), o.Count, o.Schedule, o.Decision, *o.Reason)
}

// paged returns all rows of a list, by pages, and fails where one is there twice.
func (s *timeSite) paged(q api.OccurrenceQuery) []api.Occurrence {
	s.t.Helper()
	var all []api.Occurrence
	seen := map[string]bool{}
	for {
		page, err := s.service.ListOccurrences(s.admin(), q)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range page.Occurrences {
			key := o.Net + " " + o.Kind + " " + o.Schedule + " " + o.Nominal.String() + " " + *o.Reason
			if seen[key] {
				s.t.Errorf("twice: %s", key)
			}
			seen[key] = true
			if n := len(all); n > 0 && o.Due.Before(all[n-1].Due) {
				s.t.Errorf("%s comes after %s, want it before", row(o), row(all[n-1]))
			}
			all = append(all, o)
		}
		if page.Next == nil {
			return all
		}
		if len(page.Occurrences) != q.Limit {
			s.t.Fatalf("a page of %d rows that is not the last, want %d", len(page.Occurrences), q.Limit)
		}
		q.After = *page.Next
	}
}

// TestRangesAreRows: what was decided together is one row of the list, in its place by time, cut to what is asked for.
func TestRangesAreRows(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "30 * * * *"`)
	s.scheduled("a/often", `name: minutes, cron: "* * * * *", blackouts: [{from: "07:00", until: "08:00"}]`)
	s.scheduled("b/c", `name: yearly, cron: "0 0 1 1 *"`)
	s.down()
	s.pass(4 * time.Hour)
	s.up()
	five, six, seven := instant(t, "2026-03-24T05:00:00Z"), instant(t, "2026-03-24T06:00:00Z"), instant(t, "2026-03-24T07:00:00Z")
	hours := func(h ...int) (list []string) {
		for _, h := range h {
			list = append(list, fmt.Sprintf("24T%02d:30 hourly missed server_down", h))
		}
		return list
	}
	missed, black := "24T05:01 to 24T09:00: 180 minutes missed server_down", "24T07:00 to 24T07:59: 60 minutes suppressed blackout"
	for name, c := range map[string]struct {
		q    api.OccurrenceQuery
		want []string
	}{
		"all":        {api.OccurrenceQuery{}, append(append([]string{missed}, hours(5, 6)...), append([]string{black}, hours(7, 8)...)...)},
		"of a net":   {api.OccurrenceQuery{Net: "a/often"}, []string{missed, black}},
		"missed":     {api.OccurrenceQuery{Net: "a/often", Decisions: []string{"missed"}}, []string{missed}},
		"suppressed": {api.OccurrenceQuery{Decisions: []string{"suppressed"}}, []string{black}},
		"released":   {api.OccurrenceQuery{Decisions: []string{"released"}}, nil},
		"an hour":    {api.OccurrenceQuery{Since: six, Until: seven}, append([]string{"24T06:00 to 24T06:59: 60 minutes missed server_down"}, hours(6)...)},
		"since six":  {api.OccurrenceQuery{Schedule: "minutes", Since: six}, []string{"24T06:00 to 24T09:00: 121 minutes missed server_down", black}},
		"until six":  {api.OccurrenceQuery{Schedule: "minutes", Until: six}, []string{"24T05:01 to 24T05:59: 59 minutes missed server_down"}},
		"calendar":   {api.OccurrenceQuery{Reasons: []string{"calendar"}}, nil},
		"blackout":   {api.OccurrenceQuery{Reasons: []string{"calendar", "blackout"}}, []string{black}},
		"down":       {api.OccurrenceQuery{Net: "a/b", Reasons: []string{"server_down"}}, hours(5, 6, 7, 8)},
		"in between": {api.OccurrenceQuery{Schedule: "minutes", Since: seven, Until: seven.Add(time.Hour)}, []string{black}},
		"before":     {api.OccurrenceQuery{Until: five}, nil},
		"folder":     {api.OccurrenceQuery{Folder: "b"}, nil},
	} {
		for _, limit := range []int{1, 2, 1000} {
			var got []string
			c.q.Limit = limit
			for _, o := range s.paged(c.q) {
				got = append(got, row(o))
			}
			want(t, fmt.Sprintf("%s, by pages of %d", name, limit), got, c.want...)
		}
	}
	o := s.paged(api.OccurrenceQuery{Net: "a/often", Limit: 1})[0]
	if o.Zone != "UTC" || o.TZData == "" || o.Decided == nil || o.Run != nil || !o.Due.Equal(o.Nominal) || o.Detail == nil {
		t.Errorf("got %+v, want all that is known of a range", o)
	}
	one := s.paged(api.OccurrenceQuery{Net: "a/b", Limit: 1})[0]
	if one.Kind != "occurrence" || one.Count != 1 || one.Last != nil {
		t.Errorf("got %+v, want an occurrence that counts for one", one)
	}
	if _, err := s.service.ActOnOccurrence(s.admin(), api.OccurrenceAct{Net: "a/often", Schedule: "minutes", Nominal: six, Verb: "dismiss"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range s.paged(api.OccurrenceQuery{Net: "a/often", Limit: 1}) {
		got = append(got, row(o))
	}
	want(t, "split by a person", got, "24T05:01 to 24T05:59: 59 minutes missed server_down", "24T06:00 minutes missed server_down",
		"24T06:01 to 24T09:00: 120 minutes missed server_down", black)
}

// TestPagesOfWhatIsToCome: a filter does not end a list before all that is to come was looked at.
func TestPagesOfWhatIsToCome(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *", blackouts: [{from: "07:00", until: "20:00"}]`)
	until := instant(t, "2026-03-25T00:00:00Z")
	for name, q := range map[string]api.OccurrenceQuery{
		"decision": {Decisions: []string{"suppressed"}}, "reason": {Reasons: []string{"blackout"}}, "pending": {Decisions: []string{"pending"}, Reasons: []string{"not_due"}},
	} {
		q.Planned, q.Until, q.Limit = true, until, 2
		if got, want := len(s.paged(q)), map[bool]int{true: 5, false: 13}[name == "pending"]; got != want {
			t.Errorf("by %s: got %d, want %d", name, got, want)
		}
	}
	if _, err := s.service.ListOccurrences(s.admin(), api.OccurrenceQuery{Reasons: []string{"moon"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
}

// TestRecordsBeforeTheirTimeAreWhatTheyWillBe: what counts from the end of a run, or was added by hand, has a record before it is due: filters and
// counts know it by what will become of it, as its row says.
func TestRecordsBeforeTheirTimeAreWhatTheyWillBe(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: e, every: 1h, every_by: end`)
	s.pass(time.Minute)
	runs, err := s.service.ListRuns(s.admin(), api.RunQuery{Net: "a/b"})
	if err != nil || len(runs) != 1 {
		t.Fatalf("got %+v, %v, want a run", runs, err)
	}
	s.end(runs[0].ID)
	s.settle()
	at := instant(t, "2026-03-24T12:00:00Z")
	s.override(api.CreateOverride{Kind: "add", Nominal: &at})
	if _, err := s.service.PauseSchedule(s.admin(), "a/b", "e", api.Pause{Reason: "disk change"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    api.OccurrenceQuery
		want int
	}{
		"all": {api.OccurrenceQuery{}, 3}, "suppressed": {api.OccurrenceQuery{Decisions: []string{"suppressed"}}, 1}, "pending": {api.OccurrenceQuery{Decisions: []string{"pending"}}, 1},
		"paused": {api.OccurrenceQuery{Reasons: []string{"paused"}}, 1}, "not due": {api.OccurrenceQuery{Reasons: []string{"not_due"}}, 1}, "released": {api.OccurrenceQuery{Decisions: []string{"released"}}, 1},
	} {
		c.q.Limit = 1
		got := s.paged(c.q)
		if len(got) != c.want {
			t.Errorf("%s: got %+v, want %d", name, got, c.want)
		}
		for _, o := range got {
			if len(c.q.Decisions) > 0 && o.Decision != c.q.Decisions[0] || len(c.q.Reasons) > 0 && *o.Reason != c.q.Reasons[0] || (o.Decided == nil) != (o.Decision != "released") {
				t.Errorf("%s: got %+v", name, o)
			}
		}
	}
	page := s.agenda(api.AgendaQuery{})
	rows, err := s.items(page, api.AgendaQuery{Limit: 1})
	if want := (api.AgendaCounts{Expected: 3, Released: 1, Suppressed: 1, Pending: 1}); err != nil || page.Counts != want || rows != want {
		t.Errorf("the day counts %+v, its rows are %+v, %v, want %+v", page.Counts, rows, err, want)
	}
	for state, want := range map[string]int{"suppressed": 1, "pending": 1} {
		if got := s.agenda(api.AgendaQuery{State: state}); len(got.Items) != want || got.Items[0].Decision != state {
			t.Errorf("%s: got %+v", state, got.Items)
		}
	}
}

// TestDaysWithRangesAgree: of days that ranges reach into or over, the sum, the list and the agenda say the same, whatever the rule: also
// where people decided some of them before, and where a day is not over.
func TestDaysWithRangesAgree(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply(free)
	rules := map[string]string{
		"often":  `cron: "*/5 * * * *"`,
		"black":  `cron: "*/5 * * * *", blackouts: [{from: "08:00", until: "20:00"}]`,
		"spread": `cron: "*/5 * * * *", jitter: 17m`,
		"skip":   `cron: "*/10 * * * *", calendar: work/days, shift: skip`,
		"after":  `cron: "*/10 * * * *", calendar: work/days, shift: after`,
		"both":   `cron: "*/10 * * * *", calendar: work/days, shift: after, on_collision: both`,
		"last":   `cron: "*/5 * * * *", catchup: last`,
		"paused": `cron: "*/5 * * * *"`,
		"older":  `cron: "*/5 * * * *"`,
	}
	for name, rule := range rules {
		s.scheduled("a/"+name, "name: s, "+rule)
	}
	until := instant(t, "2026-03-25T02:30:00Z")
	if _, err := s.service.PauseSchedule(s.admin(), "a/paused", "s", api.Pause{Reason: "disk change", Until: &until}); err != nil {
		t.Fatal(err)
	}
	for _, nominal := range []string{"2026-03-24T05:10:00Z", "2026-03-24T12:00:00Z", "2026-03-24T23:50:00Z", "2026-03-25T00:00:00Z", "2026-03-26T03:30:00Z"} {
		for _, name := range []string{"often", "spread", "last"} {
			act := api.OccurrenceAct{Net: "a/" + name, Schedule: "s", Nominal: instant(t, nominal), Verb: "cancel"}
			if _, err := s.service.ActOnOccurrence(s.admin(), act); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.down()
	s.pass(46 * time.Hour) // to 03:00 of the 26th
	s.up()
	s.scheduled("a/older", `name: s, cron: "*/7 * * * *"`) // the ranges are of a span that is over
	s.passTo("2026-03-26T03:10:00Z")
	ranges := 0
	for name := range rules {
		for _, day := range []string{"2026-03-24", "2026-03-25", "2026-03-26"} {
			net := "a/" + name
			sums, err := s.service.Balance(s.admin(), api.BalanceQuery{Day: day, Net: net})
			if err != nil || len(sums) != 1 || !sums[0].Holds {
				t.Fatalf("%s %s: got %+v, %v, want a sum that holds", net, day, sums, err)
			}
			page := s.agenda(api.AgendaQuery{Day: day, Net: net, Limit: 1000})
			items, err := s.items(page, api.AgendaQuery{Day: day, Net: net, Limit: 3})
			if err != nil {
				t.Fatalf("%s %s: %v", net, day, err)
			}
			if page.Counts != items {
				t.Errorf("%s %s: the agenda counts %+v, and its rows are %+v", net, day, page.Counts, items)
			}
			var listed, decided api.AgendaCounts
			for _, o := range s.paged(api.OccurrenceQuery{Net: net, Since: page.Begin, Until: page.End, Planned: true, Limit: 5}) {
				if o.Kind == "range" {
					ranges++
				}
				if (o.Decided == nil) != (o.Decision == "pending" || o.Due.After(s.now())) && o.Decision != "cancelled" {
					t.Errorf("%s %s: got %+v, want an instant of each that is decided, and none of others", net, day, o)
				}
				count(&listed, o.Decision, o.Count)
				if o.Decided == nil {
					o.Decision = "pending" // what will be suppressed is pending in the sum
				}
				count(&decided, o.Decision, o.Count)
			}
			if listed != page.Counts {
				t.Errorf("%s %s: the list has %+v, the agenda %+v", net, day, listed, page.Counts)
			}
			sum := sums[0]
			if want := (api.AgendaCounts{Expected: sum.Expected, Released: sum.Released, Missed: sum.Missed, Suppressed: sum.Suppressed, Cancelled: sum.Cancelled, Pending: sum.Pending}); decided != want {
				t.Errorf("%s %s: the list has %+v, the sum %+v", net, day, decided, want)
			}
			var due, trouble int64
			for _, h := range page.Hours {
				due, trouble = due+h.Due, trouble+h.Trouble
			}
			if n := page.Counts; due != n.Released+n.Missed+n.Pending || trouble != n.Missed {
				t.Errorf("%s %s: the hours have %d due and %d missed, the day %+v", net, day, due, trouble, n)
			}
		}
	}
	if ranges < 2*len(rules) {
		t.Errorf("%d ranges were seen: the test shows little", ranges)
	}
}

// items counts the rows of an agenda, page by page.
func (s *timeSite) items(page api.AgendaPage, q api.AgendaQuery) (n api.AgendaCounts, err error) {
	s.t.Helper()
	for at := s.agenda(q); ; at = s.agenda(q) {
		for _, o := range at.Items {
			if o.Due.Before(page.Begin) || !o.Due.Before(page.End) {
				return n, fmt.Errorf("%s is not due between %v and %v", row(o), page.Begin, page.End)
			}
			count(&n, o.Decision, o.Count)
		}
		if at.Next == nil {
			return n, nil
		}
		q.After = *at.Next
	}
}

func count(n *api.AgendaCounts, decision string, by int64) {
	n.Expected += by
	*map[string]*int64{"released": &n.Released, "missed": &n.Missed, "suppressed": &n.Suppressed, "cancelled": &n.Cancelled, "pending": &n.Pending}[decision] += by
}
