package run_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// TestReasonsAreClosed compares the list with the constants of state.go and their comments, in order.
func TestReasonsAreClosed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "state.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Reason" {
			want = append(want, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)+": "+strings.TrimSpace(v.Comment.Text()))
		}
		return true
	})
	for _, r := range run.Reasons() {
		got = append(got, string(r.Reason)+": "+r.Text)
	}
	if len(want) == 0 {
		t.Fatal("state.go has no constants of type Reason")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Reasons differs from the constants (-constants +Reasons):\n%s", diff)
	}
}

func TestKnownReasons(t *testing.T) {
	t.Parallel()
	for r, want := range map[run.Reason]bool{"": true, run.ReasonExit: true, run.ReasonEpoch: true, "whim": false} {
		if got := r.Known(); got != want {
			t.Errorf("Reason(%q).Known() = %v, want %v", r, got, want)
		}
	}
}
