package jobnet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	// c ← a, b;  d ← c;  e stands alone;  f ← a, d;  g ← b
	n := net(Job{Name: "f", After: []string{"a", "d"}}, Job{Name: "a"}, Job{Name: "b"}, Job{Name: "c", After: []string{"a", "b"}},
		Job{Name: "d", After: []string{"c"}}, Job{Name: "e"}, Job{Name: "g", After: []string{"b"}})
	if diff := cmp.Diff([]int{1, 2, 3, 4}, Ancestors(n, "f")); diff != "" {
		t.Errorf("ancestors of f: %s", diff)
	}
	if got := Ancestors(n, "a"); got != nil {
		t.Errorf("ancestors of a: got %v, want none", got)
	}
	if got := Ancestors(n, "nobody"); got != nil {
		t.Errorf("ancestors of nobody: got %v, want none", got)
	}
	if diff := cmp.Diff([][]int{nil, {0, 3}, {3, 6}, {4}, {0}, nil, nil}, Successors(n)); diff != "" {
		t.Errorf("successors: %s", diff)
	}
	if diff := cmp.Diff([][]int{{1, 2, 5}, {3, 6}, {4}, {0}}, Levels(n)); diff != "" {
		t.Errorf("levels: %s", diff)
	}
}

func TestLevelsLeavesCyclesOut(t *testing.T) {
	t.Parallel()
	n := net(Job{Name: "a"}, Job{Name: "b", After: []string{"c"}}, Job{Name: "c", After: []string{"b"}})
	if diff := cmp.Diff([][]int{{0}}, Levels(n)); diff != "" {
		t.Error(diff)
	}
}
