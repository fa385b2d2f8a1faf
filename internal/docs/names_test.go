package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inCode    = regexp.MustCompile("`([^`\n]+)`")
	testName  = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*$`)
	pathName  = regexp.MustCompile(`^(internal|ports|cmd|docs|examples|packaging|scripts|test|tools)(/[\w.-]+)+$`)
	qualified = regexp.MustCompile(`^([a-z]+)\.([A-Za-z]\w*)(?:\.(\w+))?$`)
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	anchorID  = regexp.MustCompile(`<a id="([^"]+)">`)
)

// pages are the documents that are written by hand.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if filepath.Base(f) == "benchmarks.md" { // written by make bench
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out[f] = string(text)
		}
	}
	if len(out) < 5 {
		t.Fatalf("only %d documents found", len(out))
	}
	return out
}

// TestNamesInDocuments finds names of tests, files and functions that documents speak of and that do not exist.
func TestNamesInDocuments(t *testing.T) {
	t.Parallel()
	sources, tests := goFiles(t)
	for file, text := range pages(t) {
		for _, m := range inCode.FindAllStringSubmatch(text, -1) {
			name := m[1]
			switch q := qualified.FindStringSubmatch(name); {
			case testName.MatchString(name):
				if !strings.Contains(tests, "func "+name+"(") {
					t.Errorf("%s: there is no test %s", file, name)
				}
			case pathName.MatchString(name):
				if _, err := os.Stat(filepath.Join(root, name)); err != nil {
					t.Errorf("%s: there is no %s", file, name)
				}
			case q != nil && sources[q[1]] != "":
				for _, part := range q[2:] {
					if part != "" && !declared(sources[q[1]], part) {
						t.Errorf("%s: %s: package %s declares no %s", file, name, q[1], part)
					}
				}
			}
		}
	}
}

// declared reports whether a package's source declares a function, method, type or value of that name.
func declared(source, name string) bool {
	return regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |var |const |\t)` + name + `\b`).MatchString(source)
}

// goFiles returns the source of each package by its last name, and all tests' source.
func goFiles(t *testing.T) (packages map[string]string, tests string) {
	t.Helper()
	all := map[string]*strings.Builder{}
	var testText strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") {
			testText.Write(text)
			return nil
		}
		name := filepath.Base(filepath.Dir(path))
		if all[name] == nil {
			all[name] = &strings.Builder{}
		}
		all[name].Write(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	packages = map[string]string{}
	for name, b := range all {
		packages[name] = b.String()
	}
	return packages, testText.String()
}

// TestLinks follows every link between documents, to the heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	for file, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := file
			if target != "" {
				path = filepath.Join(filepath.Dir(file), target)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Errorf("%s: link to %s: %v", file, m[1], err)
				continue
			}
			if anchor == "" || info.IsDir() {
				continue
			}
			there, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(there))[anchor] {
				t.Errorf("%s: link to %s: there is no such heading", file, m[1])
			}
		}
	}
}

// anchors are the headings of a document as links name them, and the ids that it sets itself.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(h[1]) {
			switch {
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				b.WriteRune(r)
			case r == ' ':
				b.WriteByte('-')
			}
		}
		out[b.String()] = true
	}
	for _, id := range anchorID.FindAllStringSubmatch(text, -1) {
		out[id[1]] = true
	}
	return out
}
