package jobfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	numbered := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintln(&b, i)
		}
		return b.String()
	}
	for name, c := range map[string]struct{ old, updated, want string }{
		"equal":   {"a\nb\n", "a\nb\n", ""},
		"empty":   {"", "", ""},
		"new":     {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"gone":    {"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		"changed": {"a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		"two hunks": {
			numbered(1, 20), strings.Replace(strings.Replace(numbered(1, 20), "2\n", "two\n", 1), "19\n", "", 1),
			"@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n@@ -16,5 +16,4 @@\n 16\n 17\n 18\n-19\n 20\n",
		},
		"near changes share a hunk": {
			numbered(1, 12), strings.Replace(strings.Replace(numbered(1, 12), "3\n", "", 1), "10\n", "", 1),
			"@@ -1,12 +1,10 @@\n 1\n 2\n-3\n 4\n 5\n 6\n 7\n 8\n 9\n-10\n 11\n 12\n",
		},
	} {
		if diff := cmp.Diff(c.want, Diff([]byte(c.old), []byte(c.updated))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The kept and the removed lines are the old text, the kept and the added ones the new one, and no shorter list
// of edits exists (compared with the table of longest common subsequences).
func TestCompareIsRightAndShortest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 12)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		var old, updated []string
		changes := 0
		for _, e := range compare(a, b) {
			if e.kind != '+' {
				old = append(old, e.line)
			}
			if e.kind != '-' {
				updated = append(updated, e.line)
			}
			if e.kind != ' ' {
				changes++
			}
		}
		if strings.Join(old, "") != strings.Join(a, "") || strings.Join(updated, "") != strings.Join(b, "") {
			t.Fatalf("got %v and %v, want %v and %v", old, updated, a, b)
		}
		table := make([][]int, len(a)+1)
		for i := range table {
			table[i] = make([]int, len(b)+1)
			for j := range table[i] {
				switch {
				case i == 0 || j == 0:
				case a[i-1] == b[j-1]:
					table[i][j] = table[i-1][j-1] + 1
				default:
					table[i][j] = max(table[i-1][j], table[i][j-1])
				}
			}
		}
		if want := len(a) + len(b) - 2*table[len(a)][len(b)]; changes != want {
			t.Fatalf("got %d changes, want %d", changes, want)
		}
	})
}

func TestDiffOfLargeTextsEnds(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&a, "a%d\n", i)
		fmt.Fprintf(&b, "b%d\n", i)
	}
	got := Diff([]byte(a.String()), []byte(b.String()))
	if n := strings.Count(got, "\n"); n != 100_001 {
		t.Errorf("got %d lines, want 100001", n)
	}
}
