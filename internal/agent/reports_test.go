package agent

import "testing"

// TestReportsGatherWhereMuchIsTold asks when what is ready goes: at once beside a request of few, and beside one of many only
// when it fills a request itself.
func TestReportsGatherWhereMuchIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		posts, telling, ready int
		goes                  bool
	}{
		{0, 0, 1, true},
		{1, 1, 1, true},
		{1, fewReports - 1, 1, true},
		{1, fewReports, 1, false},
		{1, fewReports, fullPost - 1, false},
		{1, fewReports, fullPost, true},
		{1, maxBatch, fullPost, true},
		{2, 2, maxBatch, false},
	} {
		r := reporter{posts: c.posts, telling: c.telling, ready: make([]int64, c.ready)}
		if got := r.mayPost(); got != c.goes {
			t.Errorf("%d ready beside %d requests with %d: %v", c.ready, c.posts, c.telling, got)
		}
	}
}
