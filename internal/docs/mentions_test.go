package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	rowName = regexp.MustCompile(`\b(F[0-9]{2}|P(?:[1-9]|1[0-2]))\b`)
	isTest  = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)`)
)

// testPackage is the tests of one folder: what each function names in its comments, and which functions it calls.
type testPackage struct {
	names map[string][]string
	calls map[string][]string
}

// mentions are the tests that name a row in a comment on them or in them. What a function that is no test names is
// named by the tests that call it.
type mentions struct {
	rows map[string][]string // tests by row, each as it is printed
	all  map[string][]string // every test as it is printed, by its name
}

func mentionsInTests(t *testing.T) mentions {
	t.Helper()
	packages := map[string]*testPackage{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir := filepath.Dir(path)
		if packages[dir] == nil {
			packages[dir] = &testPackage{names: map[string][]string{}, calls: map[string][]string{}}
		}
		return packages[dir].read(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	found := mentions{rows: map[string][]string{}, all: map[string][]string{}}
	for dir, p := range packages {
		pkg, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		for fn := range p.calls {
			if !isTest.MatchString(fn) {
				continue
			}
			printed := "`" + fn + "` (" + filepath.ToSlash(pkg) + ")"
			found.all[fn] = append(found.all[fn], printed)
			if pkg == filepath.Join("internal", "docs") {
				continue // these tests speak of all rows
			}
			for _, row := range p.reached(fn, map[string]bool{}) {
				found.rows[row] = with(found.rows[row], printed)
			}
		}
	}
	return found
}

// named returns the tests of a name, which may have their folder before it.
func (m mentions) named(name string) []string {
	dir, base := "", name
	if i := strings.LastIndex(name, "."); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	return slices.DeleteFunc(slices.Clone(m.all[base]), func(printed string) bool {
		return dir != "" && !strings.HasSuffix(printed, " ("+dir+")")
	})
}

func (p *testPackage) read(path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from := fn.Pos()
		if fn.Doc != nil {
			from = fn.Doc.Pos()
		}
		name := fn.Name.Name
		p.calls[name] = append(p.calls[name], "")
		for _, group := range file.Comments {
			if from <= group.Pos() && group.End() <= fn.End() {
				p.names[name] = append(p.names[name], rowName.FindAllString(group.Text(), -1)...)
			}
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id != fn.Name {
				p.calls[name] = append(p.calls[name], id.Name)
			}
			return true
		})
	}
	return nil
}

// reached returns the rows that a function and those that it calls name.
func (p *testPackage) reached(fn string, seen map[string]bool) []string {
	if seen[fn] {
		return nil
	}
	seen[fn] = true
	rows := p.names[fn]
	for _, called := range p.calls[fn] {
		if _, ok := p.calls[called]; ok && !isTest.MatchString(called) {
			rows = append(rows[:len(rows):len(rows)], p.reached(called, seen)...)
		}
	}
	return rows
}
