package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// testPages asks for pages by folder, decisions and time in every combination, forwards and backwards, and compares them with a plain list.
func testPages(t *testing.T, s store.Store) {
	var all []occurrence.Record
	b := store.Batch{Epoch: 1}
	for i := range 900 {
		folder := "f"
		if i%3 == 0 {
			folder = fmt.Sprint("f/g", i%2)
		}
		r := record(fmt.Sprintf("%s/net%03d", folder, i*7%(5+i/2)), fmt.Sprint("s", i%2), i/4) // f has more nets than are asked for one by one, f/g0 few
		switch i % 11 {
		case 1, 2:
			r = missed(r, occurrence.LateStart)
		case 3:
			r.Decision, r.Reason, r.Run = occurrence.Suppressed, occurrence.Calendar, ""
		case 4:
			r.Decision, r.Reason, r.Run = occurrence.Cancelled, occurrence.ByPerson, ""
		case 5:
			r = pending(r, occurrence.HeldBack)
		}
		if slices.ContainsFunc(all, func(o occurrence.Record) bool { return o.Key == r.Key }) {
			continue
		}
		all = append(all, r)
		b.Occurrences = append(b.Occurrences, store.OccurrenceWrite{Record: r})
	}
	commit(t, s, b)
	keys := func(list []occurrence.Record) (out []string) {
		for i := range list {
			out = append(out, store.OccurrenceID(list[i].Key))
		}
		return out
	}
	for _, folder := range []string{"", "f", "f/g0", "f/g1", "none"} {
		for _, decisions := range [][]occurrence.Decision{
			nil,
			{occurrence.Missed},
			{occurrence.Cancelled},
			{occurrence.Missed, occurrence.Suppressed, occurrence.Missed},
			{occurrence.Pending, occurrence.Cancelled},
			{occurrence.Released},
			{occurrence.Released, occurrence.Missed},
			{occurrence.Pending},
		} {
			for _, within := range []bool{false, true} {
				q := store.OccurrenceQuery{Folder: folder, Decisions: decisions, Limit: 17}
				if within {
					q.Since, q.Until = at(20), at(150)
				}
				want := slices.DeleteFunc(slices.Clone(all), func(r occurrence.Record) bool {
					return folder != "" && !strings.HasPrefix(r.Net, folder+"/") || len(decisions) > 0 && !slices.Contains(decisions, r.Decision) ||
						within && (r.Due.Before(q.Since) || !r.Due.Before(q.Until))
				})
				slices.SortFunc(want, func(a, b occurrence.Record) int {
					return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.Net, b.Net), strings.Compare(a.Schedule, b.Schedule), a.Nominal.Compare(b.Nominal))
				})
				for _, q.Newest = range []bool{false, true} {
					var got []occurrence.Record
					for q.After = (store.OccurrenceCursor{}); ; {
						page := occurrences(t, s, q)
						got = append(got, page...)
						if len(page) < q.Limit {
							break
						}
						last := page[len(page)-1]
						q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
					}
					same(t, fmt.Sprintf("folder %q, %v, within %v, newest %v", folder, decisions, within, q.Newest), keys(got), keys(want))
					slices.Reverse(want)
				}
			}
		}
	}
}
