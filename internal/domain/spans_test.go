package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// spans returns those of a net: in force, and ended.
func (s *site) spans(net string) (open, ended []occurrence.Span) {
	s.t.Helper()
	all, err := s.store.Spans(s.t.Context(), store.SpanQuery{Net: net})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, span := range all {
		if span.Until.IsZero() {
			open = append(open, span)
		} else {
			ended = append(ended, span)
		}
	}
	return open, ended
}

func (s *site) stored(text string) api.ApplyResult {
	s.t.Helper()
	result, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte(text), false)
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

func netWith(schedules string) string {
	return "net: a/b\nschedules:\n" + schedules + "jobs: [{name: x, command: [\"true\"]}]\n"
}

// With a net its schedules come into force, in the same commit; what stays as it is keeps its span.
func TestApplyOpensAndEndsSpans(t *testing.T) {
	t.Parallel()
	s := open(t)
	const nightly, hourly = "  - {name: nightly, cron: \"0 3 * * *\", zone: Europe/Berlin}\n", "  - {name: hourly, cron: \"0 * * * *\"}\n"

	got := s.stored(netWith(nightly + hourly)).Nets[0]
	if len(got.Occurrences) != 2 || got.Occurrences[0].Change != "added" || got.Occurrences[0].Added < 390 || got.Occurrences[0].Added > 400 || got.Occurrences[0].Cause != "net" {
		t.Errorf("got %+v", got.Occurrences)
	}
	inForce, ended := s.spans("a/b")
	if len(inForce) != 2 || len(ended) != 0 {
		t.Fatalf("got %+v and %+v", inForce, ended)
	}
	for _, span := range inForce {
		if span.Version != 1 || span.TZData == "" || span.Rule.Name != span.Schedule || time.Since(span.Since) > time.Minute {
			t.Errorf("got %+v", span)
		}
	}

	if got := s.stored(netWith(nightly + hourly)).Nets[0]; got.Change != "unchanged" || len(got.Occurrences) != 0 {
		t.Errorf("applied again: got %+v", got)
	}
	got = s.stored(netWith("  - {name: nightly, cron: \"0 4 * * *\", zone: Europe/Berlin}\n" + hourly)).Nets[0]
	if len(got.Occurrences) != 1 || got.Occurrences[0].Change != "changed" || got.Occurrences[0].Added < 390 || got.Occurrences[0].Removed < 390 || got.Occurrences[0].Same != 0 {
		t.Errorf("another hour: got %+v", got.Occurrences)
	}
	inForce, ended = s.spans("a/b")
	if len(inForce) != 2 || len(ended) != 1 || ended[0].Schedule != "nightly" || ended[0].Until.Before(ended[0].Since) {
		t.Errorf("another hour: got %+v and %+v", inForce, ended)
	}
	got = s.stored(netWith(hourly)).Nets[0]
	if inForce, ended = s.spans("a/b"); len(inForce) != 1 || len(ended) != 2 || len(got.Occurrences) != 1 || got.Occurrences[0].Change != "removed" {
		t.Errorf("a schedule went: got %+v, %+v, %+v", got.Occurrences, inForce, ended)
	}
}

func TestDryRunOpensNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	result, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte(netWith("  - {name: nightly, cron: \"0 3 * * *\"}\n")), true)
	if err != nil || len(result.Nets[0].Occurrences) != 1 || result.Nets[0].Occurrences[0].Added == 0 {
		t.Fatalf("got %+v, %v", result, err)
	}
	if inForce, ended := s.spans("a/b"); len(inForce)+len(ended) != 0 {
		t.Errorf("got %+v and %+v", inForce, ended)
	}
}

const workDays = "calendar: work/days\nweek: [mon, tue, wed, thu, fri]\n"

// A change of a calendar changes the schedules of nets that are not in the file, by new spans; and where one would be left without
// a day, nothing is stored.
func TestCalendarsChangeSchedulesOfOtherNets(t *testing.T) {
	t.Parallel()
	s := open(t)
	net := netWith("  - {name: daily, cron: \"0 6 * * *\", calendar: work/days}\n")
	s.stored(net + "---\n" + workDays) // a net may lean on what stands below it
	inForce, _ := s.spans("a/b")
	if len(inForce) != 1 || inForce[0].Calendars["work/days"] != 1 {
		t.Fatalf("got %+v", inForce)
	}
	got := s.stored(workDays + "free: [12-24, 12-25]\n")
	if len(got.Nets) != 0 || len(got.Calendars) != 1 || got.Calendars[0].Version != 2 || len(got.Calendars[0].Occurrences) != 1 {
		t.Fatalf("got %+v", got)
	}
	d := got.Calendars[0].Occurrences[0]
	if d.Net != "a/b" || d.Schedule != "daily" || d.Cause != "calendar" || d.Added != 0 || d.Removed < 1 || d.Removed > 4 || len(d.Examples) != int(d.Removed) ||
		d.Examples[0].Reason == nil || *d.Examples[0].Reason != "calendar" {
		t.Errorf("got %+v", d)
	}
	inForce, ended := s.spans("a/b")
	if len(inForce) != 1 || len(ended) != 1 || inForce[0].Calendars["work/days"] != 2 || ended[0].Calendars["work/days"] != 1 || inForce[0].Version != 1 {
		t.Errorf("got %+v and %+v", inForce, ended)
	}

	_, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte("calendar: work/days\nweek: [sat]\nfree_on: [saturdays]\nsets: [{name: saturdays, difference: [workdays]}, {name: workdays, dates: [2026-11-23]}]\n"), false)
	if err == nil || !strings.Contains(err.Error(), "daily") && !strings.Contains(err.Error(), "no working day") {
		t.Errorf("a calendar without days was taken, or not for its schedule: %v", err)
	}
	if v, err := s.store.Calendar(t.Context(), "work/days", 0); err != nil || v.Version != 2 {
		t.Errorf("got version %d, %v", v.Version, err)
	}
}

// What a server does not know, no net may lean on; each mistake is told at its place.
func TestApplyChecksSchedules(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte(netWith("  - {name: a, cron: \"0 6 * * *\", calendar: work/none}\n  - {name: b, cron: \"0 6 30 2 *\"}\n  - {name: c, every: 1h, zone: Mars/Olympus}\n")), false)
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{"x.yaml:3:44: ", "work/none", "x.yaml:4:21: ", "never due", "x.yaml:5:32: ", "Mars/Olympus"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

// A comparison stores nothing, and tells of every schedule of the file.
func TestDiffSchedules(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stored(netWith("  - {name: a, cron: \"0 6 * * *\", zone: Europe/Berlin}\n  - {name: b, cron: \"0 7 * * *\"}\n  - {name: c, every: 1s}\n"))
	diffs, err := s.service.DiffSchedules(s.admin(), "x.yaml",
		[]byte(netWith("  - {name: a, cron: \"0 6 * * *\", zone: Europe/London}\n  - {name: b, cron: \"0 7 * * *\"}\n  - {name: c, every: 2s}\n  - {name: d, every: 1h, every_by: end}\n")), api.DiffQuery{Months: 6})
	if err != nil || len(diffs) != 4 {
		t.Fatalf("got %+v, %v", diffs, err)
	}
	if d := diffs[0]; d.Moved < 178 || d.Added+d.Removed+d.Same != 0 || d.Examples[0].Before == nil || d.Examples[0].After.Sub(*d.Examples[0].Before) != time.Hour {
		t.Errorf("another zone: got %+v", d)
	}
	if d := diffs[1]; d.Change != "unchanged" || d.Same < 178 || d.Added+d.Removed+d.Moved != 0 {
		t.Errorf("as it was: got %+v", d)
	}
	if d := diffs[2]; !d.Counted || d.Removed < 178*43200 || d.Added != 0 || len(d.Examples) != 1 || d.Examples[0].Count != d.Removed {
		t.Errorf("every second: got %+v", d)
	}
	if d := diffs[3]; d.Change != "added" || d.Note == nil {
		t.Errorf("by end: got %+v", d)
	}
	if inForce, ended := s.spans("a/b"); len(inForce) != 3 || len(ended) != 0 {
		t.Errorf("got %+v and %+v", inForce, ended)
	}
}

// A comparison is of the whole file: what stays as it is uses nothing of what one request compares, and what a request has not compared is named,
// so that the next one goes on there.
func TestDiffSchedulesIsOfTheWholeFile(t *testing.T) {
	t.Parallel()
	s := open(t)
	text := func(rule func(i int) string) []byte {
		var b strings.Builder
		for i := range 80 {
			fmt.Fprintf(&b, "---\nnet: many/n%02d\njobs: [{name: x, command: [\"true\"]}]\nschedules: [{name: s, cron: %q}]\n", i, rule(i))
		}
		return []byte(b.String())
	}
	hourly := func(int) string { return "0 * * * *" }
	s.stored(string(text(hourly)))
	diffs, err := s.service.DiffSchedules(s.admin(), "x.yaml", text(func(i int) string {
		if i == 79 {
			return "19 3 * * *"
		}
		return "0 * * * *"
	}), api.DiffQuery{})
	if err != nil || len(diffs) != 80 {
		t.Fatalf("got %d, %v", len(diffs), err)
	}
	for i, d := range diffs {
		if d.Uncompared || i < 79 && (d.Change != "unchanged" || d.Same < 9400) || i == 79 && (d.Change != "changed" || d.Removed < 9400) {
			t.Errorf("got %+v", d)
		}
	}

	seen, requests := map[string]bool{}, 0
	for after := ""; len(seen) < 80 && requests < 80; requests++ {
		diffs, err := s.service.DiffSchedules(s.admin(), "x.yaml", text(func(int) string { return "1 * * * *" }), api.DiffQuery{After: after})
		if err != nil || len(seen)+len(diffs) != 80 {
			t.Fatalf("after %q: got %d beside %d, %v", after, len(diffs), len(seen), err)
		}
		for _, d := range diffs {
			if d.Uncompared {
				if d.Added+d.Removed+d.Moved+d.Same != 0 || d.Change != "changed" || d.Note == nil {
					t.Errorf("not compared: got %+v", d)
				}
				continue
			}
			if d.Removed < 9400 || d.Added < 9400 || seen[d.Net] {
				t.Errorf("got %+v, seen %v", d, seen[d.Net])
			}
			seen[d.Net], after = true, d.Net+"/"+d.Schedule
		}
	}
	if len(seen) != 80 || requests < 2 {
		t.Errorf("got %d in %d requests", len(seen), requests)
	}
	if _, err := s.service.DiffSchedules(s.admin(), "x.yaml", text(hourly), api.DiffQuery{After: "many/none/s"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("after a schedule that there is not: got %v", err)
	}
}

// A schedule that has nothing more to come is applied, and it is said.
func TestNothingMoreToCome(t *testing.T) {
	t.Parallel()
	s := open(t)
	got := s.stored(netWith("  - {name: past, dates: [2020-01-01]}\n  - {name: over, cron: \"0 6 * * *\", until: 2020-01-01}\n  - {name: far, dates: [\"2055-01-01\"]}\n")).Nets[0].Occurrences
	if len(got) != 3 {
		t.Fatalf("got %+v", got)
	}
	for i, want := range []bool{true, true, false} {
		if d := got[i]; d.Added != 0 || (d.Note != nil) != want || want && !strings.HasPrefix(*d.Note, "nothing is due any more") {
			t.Errorf("%s: got %+v", d.Schedule, d)
		}
	}
}

// Very many schedules are applied all the same, and those that were not compared are counted.
func TestComparisonsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	text := func(hour int) string {
		var b strings.Builder
		for net := range 5 {
			fmt.Fprintf(&b, "---\nnet: many/n%d\njobs: [{name: x, command: [\"true\"]}]\nschedules:\n", net)
			for i := range 200 {
				fmt.Fprintf(&b, "  - {name: s%d, cron: \"0 %d * * *\"}\n", i, hour)
			}
		}
		return b.String()
	}
	s.stored(text(6))
	compared, uncompared := 0, 0
	for _, n := range s.stored(text(7)).Nets {
		compared, uncompared = compared+len(n.Occurrences), uncompared+n.Uncompared
	}
	if compared < 100 || uncompared < 100 || compared+uncompared != 1000 {
		t.Errorf("got %d compared and %d not", compared, uncompared)
	}
	diffs, err := s.service.DiffSchedules(s.admin(), "x.yaml", []byte(text(8)), api.DiffQuery{Months: 13})
	silent := 0
	for i := range diffs {
		if d := &diffs[i]; d.Change != "changed" || d.Added+d.Removed+d.Moved == 0 && d.Note == nil {
			silent++
		}
	}
	if err != nil || len(diffs) != 1000 || silent > 0 {
		t.Errorf("got %d differences, %v, want one of each of 1000; %d do not say that they were not compared", len(diffs), err, silent)
	}
	if inForce, ended := s.spans("many/n4"); len(inForce) != 200 || len(ended) != 200 {
		t.Errorf("got %d and %d spans", len(inForce), len(ended))
	}
}
