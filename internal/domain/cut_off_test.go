package domain_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

// cutOff writes what differences say of overrides, each by its id: what it does and what becomes of it.
func cutOff(diffs []api.ScheduleDiff) map[string]string {
	out := map[string]string{}
	for i := range diffs {
		for _, o := range diffs[i].Overrides {
			out[o.ID] = diffs[i].Schedule + " " + o.Kind + " " + o.State
		}
	}
	return out
}

// TestApplySaysWhatItCutsOff: what people have changed of the agenda, and a definition does not have any more, is told before it is applied, and what
// comes back, too. What was said before is what becomes of each override.
func TestApplySaysWhatItCutsOff(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	const (
		even  = `name: d, cron: "0 */2 * * *"`
		odd   = `name: d, cron: "0 1-23/2 * * *"`
		other = `name: o, every: 15m, every_by: end`
	)
	text := func(schedules ...string) string {
		out := "net: a/b\nschedules:\n"
		for _, one := range schedules {
			out += "  - {" + one + "}\n"
		}
		return out + "jobs:\n  - {name: a, command: [\"true\"]}\n"
	}
	s.apply(text(even, other))
	hour := func(h int) *time.Time { return ptrTime(time.Date(2026, 3, 24, h, 0, 0, 0, time.UTC)) }
	names := map[string]string{
		s.override(api.CreateOverride{Kind: "hold", Schedule: "d", Nominal: hour(8)}).ID:                         "hold 8",
		s.override(api.CreateOverride{Kind: "skip", Schedule: "d", Nominal: hour(10)}).ID:                        "skip 10",
		s.override(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: hour(12), To: hour(13)}).ID:          "move 12",
		s.override(api.CreateOverride{Kind: "hold", Schedule: "d", Nominal: hour(14), Expires: hour(6)}).ID:      "brief 14",
		s.override(api.CreateOverride{Kind: "hold", Schedule: "d", From: ptrTime(hour(20).AddDate(0, 0, 1))}).ID: "all from 20",
		s.override(api.CreateOverride{Kind: "add", Nominal: hour(9)}).ID:                                         "add 9",
	}
	states := func() map[string]string {
		list, err := s.service.ListOverrides(s.admin(), "a/b", true)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, o := range list {
			out[o.ID] = o.State
		}
		return out
	}
	// change applies a text, and holds what was said of it before, in each way, against what comes.
	change := func(what, text string, said ...string) {
		t.Helper()
		before := states()
		dry, err := s.service.ApplyNets(s.admin(), "x.yaml", []byte(text), true)
		if err != nil {
			t.Fatal(err)
		}
		diffs, err := s.service.DiffSchedules(s.admin(), "x.yaml", []byte(text), api.DiffQuery{Months: 1})
		if err != nil {
			t.Fatal(err)
		}
		if after := states(); len(after) != len(before) || cmpStates(before, after) != "" {
			t.Errorf("%s: a dry run changes %s", what, cmpStates(before, after))
		}
		real := s.stored(text)
		for how, diffs := range map[string][]api.ScheduleDiff{"dry run": dry.Nets[0].Occurrences, "schedule diff": diffs, "apply": real.Nets[0].Occurrences} {
			var got []string
			for id, text := range cutOff(diffs) {
				got = append(got, names[id]+": "+text)
			}
			slices.Sort(got)
			want(t, what+", "+how, got, said...)
		}
		for id, now := range states() {
			if expect, told := cutOff(dry.Nets[0].Occurrences)[id]; told && !strings.HasSuffix(expect, " "+now) || !told && now != before[id] && now != "expired" {
				t.Errorf("%s: %s is %s, and was %s: it was said to be %q", what, names[id], now, before[id], expect)
			}
		}
	}
	change("odd hours", text(odd, other), "brief 14: d hold stale", "hold 8: d hold stale", "move 12: d move stale", "skip 10: d skip stale")
	change("the same again", text(odd, other))
	s.passTo("2026-03-24T06:30:00Z")
	change("rolled back", text(even, other), "hold 8: d hold active", "move 12: d move active", "skip 10: d skip active")
	change("no schedule", text(other), "all from 20: d hold stale", "hold 8: d hold stale", "move 12: d move stale", "skip 10: d skip stale")
	s.passTo("2026-03-24T08:10:00Z") // what was held is cancelled now, and does not come back
	change("there again", text(even, other), "all from 20: d hold active", "move 12: d move active", "skip 10: d skip active")
}

func cmpStates(a, b map[string]string) string {
	for id := range a {
		if a[id] != b[id] {
			return id + " from " + a[id] + " to " + b[id]
		}
	}
	return ""
}

// TestCutOffOfOthers: a calendar that cuts off what people changed of other nets says so, to who may see these nets; and where too many schedules change
// to be compared, it is said all the same.
func TestCutOffOfOthers(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply("calendar: work/days\nweek: [mon, tue, wed, thu, fri]\n")
	s.scheduled("a/b", `name: d, cron: "0 6 * * *", calendar: work/days`)
	six := instant(t, "2026-03-27T06:00:00Z")
	id := s.override(api.CreateOverride{Kind: "hold", Schedule: "d", Nominal: &six}).ID
	const change = "calendar: work/days\nweek: [mon, tue, wed, thu, fri]\nfree: [{date: 2026-03-27}]\n"
	told := func(ctx context.Context, text string) map[string]string {
		t.Helper()
		got, err := s.service.ApplyNets(ctx, "x.yaml", []byte(text), true)
		if err != nil || len(got.Calendars) != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
		return cutOff(got.Calendars[0].Occurrences)
	}
	stale := map[string]string{id: "d hold stale"}
	if got := told(s.admin(), change); !maps.Equal(got, stale) {
		t.Errorf("got %v, want %v", got, stale)
	}
	if got := told(s.as("work", access.View, access.Define), change); len(got) != 0 {
		t.Errorf("who may not see the net is told %v", got)
	}
	diffs, err := s.service.DiffSchedules(s.admin(), "x.yaml", []byte(change), api.DiffQuery{Months: 1})
	if got := cutOff(diffs); err != nil || !maps.Equal(got, stale) {
		t.Errorf("schedule diff: got %v, %v, want %v", got, err, stale)
	}
	many := change
	for net := range 11 {
		many += fmt.Sprintf("---\nnet: many/n%d\njobs: [{name: x, command: [\"true\"]}]\nschedules:\n", net)
		for i := range 200 {
			many += fmt.Sprintf("  - {name: s%d, cron: \"0 6 * * *\"}\n", i)
		}
	}
	if got := told(s.admin(), many); !maps.Equal(got, stale) {
		t.Errorf("of too many: got %v, want %v", got, stale)
	}
	s.stored(change)
	list, err := s.service.ListOverrides(s.admin(), "a/b", false)
	if err != nil || len(list) != 1 || list[0].State != "stale" {
		t.Errorf("got %+v, %v, want it stale", list, err)
	}
	back := told(s.admin(), "calendar: work/days\nweek: [mon, tue, wed, thu, fri]\n")
	if want := map[string]string{id: "d hold active"}; !maps.Equal(back, want) {
		t.Errorf("taken back: got %v, want %v", back, want)
	}
}
