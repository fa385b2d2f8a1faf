package occurrence_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// week is a calendar with working days from Monday to Friday and a free one among them.
func week(name string) (*calendar.Definition, bool) {
	return &calendar.Definition{
		Name: name, Week: []time.Weekday{1, 2, 3, 4, 5}, Free: []calendar.Date{{Date: "2026-03-04"}},
	}, true
}

// TestGapIsWhatEachWouldBe compares the plan of an outage with what Decide says of each occurrence that the rule has in it, one by one.
func TestGapIsWhatEachWouldBe(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	ranged := 0
	for i := range 200 {
		s := calendar.DefaultSchedule()
		s.Name, s.Cron = "s", pick("* * * * *", "*/10 * * * *", "7 * * * *", "30 2 * * *")
		s.Zone = pick("UTC", "Europe/Berlin", "America/New_York")
		s.Catchup = calendar.Catchup(pick("none", "last", "all"))
		s.Overlap = calendar.Overlap(pick("allow", "replace"))
		if rng.IntN(2) == 0 {
			s.Calendar, s.Shift = "de", pick("skip", "run", "after", "before")
		}
		if rng.IntN(3) == 0 {
			s.Blackouts = []calendar.Blackout{{From: "22:00", Until: "03:30"}}
		}
		if rng.IntN(2) == 0 {
			s.StartWithin = time.Duration(rng.Int64N(int64(30*time.Hour))) + time.Second
		}
		rule, problems := calendar.NewCompiler(calendar.Builtin(), week).Compile("a/b", s)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		since := begin.Add(time.Duration(rng.Int64N(int64(60 * 24 * time.Hour))))
		until := since.Add(time.Duration(rng.Int64N(int64(5 * 24 * time.Hour))))
		g := occurrence.Gap{Rule: rule, Since: since, Until: until, Now: until.Add(time.Second)}
		g.Outage = occurrence.Outage{From: since, Until: until, Cause: occurrence.ServerDown, Text: "down"}
		if rng.IntN(2) == 0 {
			g.Pause = &occurrence.Pause{By: "ann", Since: since.Add(time.Duration(rng.Int64N(int64(5 * 24 * time.Hour))))}
			if rng.IntN(2) == 0 {
				g.Pause.Until = g.Pause.Since.Add(time.Duration(rng.Int64N(int64(3 * 24 * time.Hour))))
			}
		}
		var all []calendar.Occurrence
		for o := range rule.Between(since, until) {
			all = append(all, o)
		}
		if len(all) > 0 && rng.IntN(2) == 0 {
			g.Known = append(g.Known, all[rng.IntN(len(all))])
		}
		want, got := map[string]int64{}, map[string]int64{}
		later := int64(0)
		for k := len(all) - 1; k >= 0; k-- {
			if len(g.Known) > 0 && all[k].Nominal.Equal(g.Known[0].Nominal) {
				continue
			}
			want[say(&g, all[k], later, &s)]++
			if all[k].Suppressed == "" && !paused(g.Pause, all[k].Due) {
				later++
			}
		}
		ranges, singles := g.Plan()
		for _, r := range ranges {
			got[fmt.Sprintf("%s %s", r.Decision, r.Reason)] += r.Count
			ranged++
			if r.First.After(r.Last) || r.Count < 1 {
				t.Errorf("case %d: %s", i, r)
			}
		}
		for k, o := range singles {
			got[say(&g, o.Occurrence, o.Later, &s)]++
			if k > 0 && o.Due.Before(singles[k-1].Due) {
				t.Errorf("case %d: the singles are not by due", i)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("case %d: %+v\n%s to %s, pause %+v\n(-one by one +planned):\n%s", i, s, since, until, g.Pause, diff)
		}
	}
	if ranged < 100 {
		t.Errorf("only %d ranges: the test tests little", ranged)
	}
}

// say is what Decide says of an occurrence of a gap.
func say(g *occurrence.Gap, o calendar.Occurrence, later int64, s *calendar.Schedule) string {
	v := occurrence.Decide(occurrence.Situation{
		Key: occurrence.Key{Net: "a/b", Schedule: s.Name, Nominal: o.Nominal}, Occurrence: o, Schedule: s, Now: g.Now, Outage: &g.Outage, Later: later,
		Pause: g.Pause, Agent: true,
	})
	return fmt.Sprintf("%s %s", v.Decision, v.Reason)
}

func paused(p *occurrence.Pause, due time.Time) bool {
	return p != nil && !due.Before(p.Since) && (p.Until.IsZero() || due.Before(p.Until))
}
