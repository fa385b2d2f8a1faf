package jobnet

import (
	"slices"
	"time"
)

// CriticalPath returns how long a run takes at least by the estimates of its jobs, when everything goes well and nothing waits
// for an agent, and the positions of the jobs that decide it, first to last. Jobs that wait for a failure do not run then, and
// no retry is certain, so no delay of one counts. A job without an estimate counts as no time.
func CriticalPath(n *Net) (time.Duration, []int) {
	before := links(n)
	order, _ := topological(before)
	ends := make([]time.Duration, len(n.Jobs))
	from := make([]int, len(n.Jobs))
	skipped := make([]bool, len(n.Jobs))
	last := -1
	for _, i := range order {
		from[i] = -1
		job := &n.Jobs[i]
		skipped[i] = job.When == WhenFailure
		for _, p := range before[i] {
			skipped[i] = skipped[i] || job.When == WhenSuccess && skipped[p]
			if ends[p] > ends[i] {
				ends[i], from[i] = ends[p], p
			}
		}
		if !skipped[i] {
			ends[i] += max(0, job.Estimate)
		}
		if last < 0 || ends[i] > ends[last] {
			last = i
		}
	}
	if last < 0 || ends[last] == 0 {
		return 0, nil
	}
	var chain []int
	for i := last; i >= 0; i = from[i] {
		if !skipped[i] && n.Jobs[i].Estimate > 0 {
			chain = append(chain, i)
		}
	}
	slices.Reverse(chain)
	return ends[last], chain
}
