package jobnet

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// runnable finds by trying every combination of ends which jobs can start at all.
func runnable(n *Net) []bool {
	const good, failed, skipped = 0, 1, 2
	can := make([]bool, len(n.Jobs))
	before := links(n)
	order, _ := topological(before)
	ends := make([]int, len(n.Jobs))
	var try func(k int)
	try = func(k int) {
		if k == len(order) {
			return
		}
		i := order[k]
		allGood, oneFailed := true, false
		for _, p := range before[i] {
			allGood = allGood && ends[p] == good
			oneFailed = oneFailed || ends[p] == failed
		}
		met := map[When]bool{WhenSuccess: allGood, WhenFailure: oneFailed, WhenAlways: true}[n.Jobs[i].When]
		if !met {
			ends[i] = skipped
			try(k + 1)
			return
		}
		can[i] = true
		for _, end := range []int{good, failed} {
			ends[i] = end
			try(k + 1)
		}
	}
	try(0)
	return can
}

func TestNeedsKnownCases(t *testing.T) {
	t.Parallel()
	after := func(s ...string) []string { return s }
	for name, c := range map[string]struct {
		jobs []Job
		want []int
	}{
		"handler":             {[]Job{{Name: "a"}, {Name: "b", After: after("a"), When: WhenFailure}}, nil},
		"handler and success": {[]Job{{Name: "a"}, {Name: "b", After: after("a"), When: WhenFailure}, {Name: "c", After: after("a", "b")}}, []int{2}},
		"either handler": {
			[]Job{{Name: "a"}, {Name: "z"}, {Name: "b", After: after("a", "z"), When: WhenFailure}, {Name: "c", After: after("a", "b")}},
			nil,
		},
		"all good, and the handler too": {
			[]Job{{Name: "a"}, {Name: "z"}, {Name: "b", After: after("a", "z"), When: WhenFailure}, {Name: "c", After: after("a", "z", "b")}},
			[]int{3},
		},
		"only the first is told": {
			[]Job{{Name: "a"}, {Name: "b", After: after("a"), When: WhenFailure}, {Name: "c", After: after("a", "b")}, {Name: "d", After: after("c")}},
			[]int{2},
		},
		"failure of what cannot run": {[]Job{
			{Name: "a"},
			{Name: "b", After: after("a"), When: WhenFailure},
			{Name: "c", After: after("a", "b")},
			{Name: "d", After: after("c"), When: WhenFailure},
			{Name: "e", After: after("c"), When: WhenAlways},
		}, []int{2}},
	} {
		n := net(c.jobs...)
		if diff := cmp.Diff(c.want, needs(n, links(n)).never); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A job that is refused can really never start: compared with every combination of ends of small random nets.
func TestNeedsIsNeverWrong(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var jobs []Job
		for i := range rapid.IntRange(1, 7).Draw(t, "jobs") {
			j := Job{Name: fmt.Sprintf("j%d", i), When: WhenSuccess}
			for p := range i {
				if rapid.Bool().Draw(t, "after") {
					j.After = append(j.After, fmt.Sprintf("j%d", p))
				}
			}
			if len(j.After) > 0 {
				j.When = rapid.SampledFrom([]When{WhenSuccess, WhenFailure, WhenAlways}).Draw(t, "when")
			}
			jobs = append(jobs, j)
		}
		n := net(jobs...)
		can := runnable(n)
		never := needs(n, links(n)).never
		for _, i := range never {
			if can[i] {
				t.Fatalf("%s is refused, but can start: %+v", n.Jobs[i].Name, jobs)
			}
		}
		if first := slices.Index(can, false); first >= 0 && len(never) == 0 {
			t.Logf("not found: %s", n.Jobs[first].Name)
		}
	})
}
