package sqlite

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/store"
)

// TestAReaderHoldsNoCommitUp commits in the middle of a read: the read goes on in its own snapshot, and the commit does not wait for its end.
func TestAReaderHoldsNoCommitUp(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), Options{})
	check(t, err)
	defer func() { _ = s.Close() }()
	set := func(value string, rev int64) {
		t.Helper()
		_, err := s.Commit(t.Context(), store.Batch{Epoch: 1, Settings: []store.Setting{{Name: "a", Value: value, Rev: rev}, {Name: "b", Value: value, Rev: rev}}})
		check(t, err)
	}
	set("old", 0)
	var seen []string
	check(t, s.state.read(t.Context(), func(c *conn) error {
		return c.query(t.Context(), `SELECT value FROM settings WHERE name IN ('a', 'b') ORDER BY name`, func(r row) error {
			if seen = append(seen, r.str(0)); len(seen) == 1 {
				set("new", 1)
			}
			return nil
		})
	}))
	if len(seen) != 2 || seen[0] != "old" || seen[1] != "old" {
		t.Errorf("a read with a commit in its middle: got %q, want what there was when it began", seen)
	}
	if got, err := s.Setting(t.Context(), "b"); err != nil || got.Value != "new" {
		t.Errorf("afterwards: got %+v, %v", got, err)
	}
}
