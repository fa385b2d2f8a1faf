package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/render"
)

// TestReferencePortDocuments compares docs/ports with what is rendered from the built-in plans: the table with all
// columns, the table in the form of the plan's own page, and the drawing. It names no host. -update writes them.
func TestReferencePortDocuments(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(root, "docs", "ports")
	want := portDocuments(t)
	if *update {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range want {
		path := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; `make generate` writes it", err)
			continue
		}
		if diff := cmp.Diff(string(text), string(got)); diff != "" {
			t.Errorf("%s is not what the plan says; `make generate` writes it anew (-plan +page):\n%s", path, diff)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want[e.Name()] == nil {
			t.Errorf("docs/ports/%s is written by no test", e.Name())
		}
	}
}

func portDocuments(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	var index bytes.Buffer
	index.WriteString("# The built-in plans as documents\n\n" + generated +
		"What `reeve ports render` writes of each plan for instance 0, without an inventory.\n\n" +
		"| plan | all columns | in the form of its page | who connects to whom |\n| --- | --- | --- | --- |\n")
	for _, name := range builtin.Names() {
		plan, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled, _ := ports.Compile(plan, ports.Inventory{}, 0)
		files := map[string]string{"markdown": name + ".md", "sequence": name + ".svg", "vendor": name + "-page.md"}
		if name == builtin.Default {
			delete(files, "vendor") // it has no page of another system
		}
		for _, target := range render.Targets() {
			file := files[target.Name]
			if file == "" {
				continue
			}
			text, err := target.Render(render.Input{Site: ports.Site{Compiled: compiled}})
			if err != nil {
				t.Fatalf("rendering %s of %s: %v", target.Name, name, err)
			}
			if filepath.Ext(file) == ".md" {
				text = bytes.Replace(text, []byte("\n\n"), []byte("\n\n"+generated), 1)
			}
			out[file] = text
		}
		page := "–"
		if files["vendor"] != "" {
			page = fmt.Sprintf("[its page's columns](%s)", files["vendor"])
		}
		fmt.Fprintf(&index, "| `%s` | [table](%s) | %s | [drawing](%s) |\n", name, files["markdown"], page, files["sequence"])
	}
	out["README.md"] = index.Bytes()
	return out
}
