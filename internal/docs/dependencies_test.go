package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	required = regexp.MustCompile(`(?m)^\s*(?:require )?([a-z0-9.-]+\.[a-z]+/\S+) v\S+`)
	toolLine = regexp.MustCompile(`(?m)^tool (\S+)$`)
	tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)$")
)

// TestDependencies compares docs/dependencies.md with the modules whose packages the code imports, and the tools.
// What go.mod calls indirect is not asked: imports are what counts.
func TestDependencies(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	modules := matches(t, "go.mod", required)
	tools := matches(t, filepath.Join("tools", "go.mod"), required)
	for path := range imported(t) { // by the program, its tests, and our own tools
		if m := moduleOf(path, modules); m != "" {
			want[m] = true
		} else if m := moduleOf(path, tools); m != "" {
			want[m] = true
		}
	}
	for _, path := range matches(t, filepath.Join("tools", "go.mod"), toolLine) {
		want[moduleOf(path, tools)] = true
	}
	if len(want) < 10 {
		t.Fatalf("only %d modules found: %v", len(want), want)
	}

	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		got[row[1]] = true
		cells := strings.Split(strings.Trim(strings.TrimSpace(row[2]), "|"), "|")
		if len(cells) != 3 {
			t.Errorf("%s: %d cells after the module, want why, instead of, how to leave", row[1], len(cells))
		}
		for _, c := range cells {
			if strings.TrimSpace(c) == "" {
				t.Errorf("%s has an empty cell", row[1])
			}
		}
	}
	for m := range want {
		if !got[m] {
			t.Errorf("docs/dependencies.md has no line for %s", m)
		}
	}
	for m := range got {
		if !want[m] {
			t.Errorf("docs/dependencies.md has a line for %s, which nothing imports", m)
		}
	}
}

func matches(t *testing.T, path string, pattern *regexp.Regexp) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		t.Fatalf("nothing found in %s", path)
	}
	return out
}

// moduleOf is the module that holds a package: the longest that is a prefix of its path.
func moduleOf(pkg string, modules []string) string {
	best := ""
	for _, m := range modules {
		if (pkg == m || strings.HasPrefix(pkg, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// imported is every package from outside that any file imports, tests included.
func imported(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			pkg := strings.Trim(spec.Path.Value, `"`)
			if first, _, _ := strings.Cut(pkg, "/"); strings.Contains(first, ".") && !strings.HasPrefix(pkg, "github.com/reeve-scheduler/reeve") {
				out[pkg] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
