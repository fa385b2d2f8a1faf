package engine_test

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// atOnce has people do several things in one turn, and returns what each was told.
func (w *world) atOnce(acts ...func(ctx context.Context) error) []error {
	w.t.Helper()
	answers := make([]chan error, len(acts))
	for i, act := range acts {
		answers[i] = make(chan error, 1)
		go func() { answers[i] <- act(w.t.Context()) }()
		for w.Waiting() < i+1 {
			runtime.Gosched()
		}
	}
	for w.Waiting() > 0 {
		w.settle()
	}
	errs := make([]error, len(acts))
	for i := range acts {
		errs[i] = <-answers[i]
	}
	return errs
}

// TestRecoveredAtOnce: what several people do to the same missed occurrence, or to the same range, in one turn, is done once and one after the other.
func TestRecoveredAtOnce(t *testing.T) {
	t.Parallel()
	release := func(w *world, k occurrence.Key) func(context.Context) error {
		return func(ctx context.Context) error { _, err := w.ReleaseOccurrence(ctx, k, ann); return err }
	}
	dismiss := func(w *world, of engine.Dismissal) func(context.Context) error {
		return func(ctx context.Context) error { _, err := w.Dismiss(ctx, of, ann); return err }
	}
	w, s := site(t)
	w.down(10 * time.Minute)
	errs := w.atOnce(release(w, at("s", "12:04:00")), release(w, at("s", "12:04:00")), release(w, at("s", "12:05:00")))
	if errs[0] != nil || !fault.Is(errs[1], fault.Conflict) || errs[2] != nil {
		t.Errorf("the same record twice, and another: %v", errs)
	}
	w.conserved("a/b", s)
	w.down(2 * time.Hour)
	errs = w.atOnce(release(w, at("s", "13:04:00")), release(w, at("s", "13:05:00")), release(w, at("s", "13:04:00")),
		dismiss(w, engine.Dismissal{Key: at("s", "13:06:00")}), dismiss(w, engine.Dismissal{Net: "a/b"}), release(w, at("s", "13:07:00")))
	if errs[0] != nil || errs[1] != nil || !fault.Is(errs[2], fault.Conflict) || errs[3] != nil || errs[4] != nil || errs[5] != nil {
		t.Errorf("of one range: %v", errs)
	}
	w.conserved("a/b", s)
}

// missed returns what was missed of a schedule and nobody has dealt with, by due: its records, and what its rule has in its ranges.
func (w *world) missed(net string, s calendar.Schedule) []occurrence.Key {
	w.t.Helper()
	rule, problems := calendar.NewCompiler(w.zones, nil).Compile(net, s)
	if len(problems) > 0 {
		w.t.Fatal(problems)
	}
	own, due := map[int64]bool{}, map[occurrence.Key]time.Time{}
	for _, r := range w.records(net, s.Name) {
		own[r.Nominal.UnixMicro()] = true
		if r.Decision == occurrence.Missed && r.RecoveredBy == "" && r.Dismissed.IsZero() {
			due[r.Key] = r.Due
		}
	}
	for _, r := range w.ranges(net, s.Name) {
		for o := range rule.Between(r.First.Add(-s.Jitter-time.Second), r.Last.Add(s.Jitter)) {
			if r.Decision == occurrence.Missed && r.Dismissed.IsZero() && r.Has(o) && !own[o.Nominal.UnixMicro()] {
				due[occurrence.Key{Net: net, Schedule: s.Name, Nominal: o.Nominal}] = o.Due
			}
		}
	}
	keys := slices.Collect(maps.Keys(due))
	slices.SortFunc(keys, func(a, b occurrence.Key) int {
		return cmp.Or(due[a].Compare(due[b]), a.Nominal.Compare(b.Nominal))
	})
	return keys
}

func (w *world) releaseMissed(keys []occurrence.Key) []engine.Recovered {
	w.t.Helper()
	var got []engine.Recovered
	w.do(func(ctx context.Context) (err error) {
		got, err = w.ReleaseMissed(ctx, keys, ann, func(k occurrence.Key) store.AuditRecord {
			return store.AuditRecord{At: w.wall, By: "ann", Action: "occurrence.release", Object: k.Nominal.Format(time.RFC3339)}
		})
		return err
	})
	return got
}

// TestReleaseMissed: after an outage with singles and one with a range, many are released at once: each is a run of its own in the order of due, stays
// missed and names it; what is left is counted exactly, and nothing is released twice.
func TestReleaseMissed(t *testing.T) {
	t.Parallel()
	spread := func(s *calendar.Schedule) { s.Jitter = 3 * time.Minute }
	for name, options := range map[string][]func(*calendar.Schedule){"plain": nil, "with jitter": {spread}} {
		w, s := site(t, options...)
		w.down(10 * time.Minute)
		w.pass(4 * time.Minute)
		w.down(5 * time.Hour)
		if len(w.ranges("a/b", "s")) == 0 {
			t.Fatalf("%s: there is no range", name)
		}
		all := w.missed("a/b", s)
		for _, some := range [][]occurrence.Key{all[:15], {all[40], all[43], all[42], all[90]}, all[200:], all} {
			before := map[occurrence.Key]bool{}
			for _, k := range w.missed("a/b", s) {
				before[k] = true
			}
			want := slices.DeleteFunc(slices.Clone(some), func(k occurrence.Key) bool { return !before[k] })
			got := w.releaseMissed(some)
			runs, records := []string{}, map[occurrence.Key]occurrence.Record{}
			for _, r := range w.records("a/b", "s") {
				records[r.Key] = r
			}
			for i, one := range got {
				if one.Err != nil || i >= len(want) || one.Key != want[i] {
					t.Fatalf("%s: the %d. of %d is %+v, want %v", name, i, len(some), one, want[min(i, len(want)-1)])
				}
				runs = append(runs, one.Run)
				if r := records[one.Key]; r.Decision != occurrence.Missed || r.RecoveredBy != one.Run || r.Run != "" {
					t.Fatalf("%s: got %+v, want it missed and recovered by %s", name, r, one.Run)
				}
				if st, err := w.store.Run(t.Context(), one.Run); err != nil || !st.Nominal.Equal(one.Nominal) || st.By != "ann" {
					t.Fatalf("%s: its run is %+v, %v", name, st, err)
				}
			}
			if len(got) != len(want) || !slices.IsSorted(runs) || len(slices.Compact(runs)) != len(want) {
				t.Errorf("%s: %d runs %v, want %d in the order of due", name, len(got), runs, len(want))
			}
			left := w.missed("a/b", s)
			if len(left) != len(before)-len(want) {
				t.Errorf("%s: %d are left, want %d", name, len(left), len(before)-len(want))
			}
			w.conserved("a/b", s)
			w.exact("a/b", s)
		}
		if left, got := w.missed("a/b", s), w.releaseMissed(all); len(left)+len(got) > 0 {
			t.Errorf("%s: once more: %v; left %v", name, got, left)
		}
		w.down(time.Second)
		w.conserved("a/b", s)
		if audit, err := w.store.ListAudit(t.Context(), 0, 1000); err != nil || len(audit) != len(all) {
			t.Errorf("%s: the audit trail has %d, %v, want %d", name, len(audit), err, len(all))
		}
	}
}

// exact checks that each range of a schedule has as many as its rule has between its ends without a record, and that its ends are of it.
func (w *world) exact(net string, s calendar.Schedule) {
	w.t.Helper()
	counts := map[int64]int64{}
	open := w.missed(net, s)
	for _, r := range w.ranges(net, s.Name) {
		for _, k := range open {
			if !k.Nominal.Before(r.First) && !k.Nominal.After(r.Last) {
				counts[r.ID]++
			}
		}
		ends := slices.ContainsFunc(open, func(k occurrence.Key) bool { return k.Nominal.Equal(r.First) }) && slices.ContainsFunc(open, func(k occurrence.Key) bool { return k.Nominal.Equal(r.Last) })
		if counts[r.ID] != r.Count || !ends {
			w.t.Errorf("%s: there are %d without a record; the ends are of it: %v", r, counts[r.ID], ends)
		}
	}
}

// TestReleaseMissedRefuses: what cannot be released is told by key and leaves the others; on a full disk nothing is.
func TestReleaseMissedRefuses(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.down(3 * time.Minute)
	got := w.releaseMissed([]occurrence.Key{at("s", "11:00:00"), at("s", "12:01:00"), {Net: "a/none", Schedule: "s", Nominal: day0}})
	var runs, refused int
	for _, one := range got {
		if one.Err == nil && one.Run != "" && one.Key == at("s", "12:01:00") {
			runs++
		} else if fault.Is(one.Err, fault.NotFound) {
			refused++
		}
	}
	if len(got) != 3 || runs != 1 || refused != 2 {
		t.Errorf("got %+v", got)
	}
	w.SetDisk("no room")
	err := w.try(func(ctx context.Context) error {
		_, err := w.ReleaseMissed(ctx, []occurrence.Key{at("s", "12:02:00")}, ann, func(occurrence.Key) store.AuditRecord { return store.AuditRecord{} })
		return err
	})
	if !fault.Is(err, fault.Disk) {
		t.Errorf("on a full disk: %v", err)
	}
	w.SetDisk("")
	w.conserved("a/b", s)
}
