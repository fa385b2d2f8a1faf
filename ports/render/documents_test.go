package render

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// ferry is the site of testdata/documents/site.yaml.
func ferry(t *testing.T) ports.Site {
	t.Helper()
	const file = "testdata/documents/site.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := planfile.Parse(file, text, builtin.Load)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := planfile.ParseInventory(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, plan, inv, 1)
}

// TestGoldenDocuments compares one of each document with its file. The plan's hash stands as HASH in them: it changes
// with things that no reader of a document sees.
func TestGoldenDocuments(t *testing.T) {
	t.Parallel()
	ends := map[string]string{"markdown": ".md", "html": ".html", "csv": ".csv", "json": ".json", "man": ".7", "vendor": ".md", "sequence": ".svg", "zones": ".svg", "change-request": ".md", "change-request-csv": ".csv"}
	last := ferry(t).Compiled
	last.Flows = slices.DeleteFunc(slices.Clone(last.Flows), func(f ports.ResolvedFlow) bool { return f.Service == "bell" })
	for _, target := range documents() {
		for _, lang := range []string{"en", "de", "ja"} {
			if lang != "en" && !slices.Contains([]string{"markdown", "change-request", "sequence"}, target.Name) {
				continue
			}
			in := Input{Site: ferry(t), Locale: lang, Owner: "harbour", Expiry: "2027-12-31", Previous: &last}
			got, err := target.Render(in)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "documents/"+target.Name+"-"+lang+ends[target.Name], masked(got, in))
		}
	}
}

// TestGoldenVendor: a page's own form, in the language in which its readers know it. In English docs/ports has them all.
func TestGoldenVendor(t *testing.T) {
	t.Parallel()
	in := Input{Site: compiled(t, builtinPlan(t, "systemwalker"), ports.Inventory{}, 0), Locale: "ja"}
	got, err := renderVendor(in)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "documents/vendor-systemwalker-ja.md", masked(got, in))
}

func masked(text []byte, in Input) []byte {
	text = bytes.ReplaceAll(text, []byte(in.Site.Compiled.Hash), []byte("HASH"))
	return bytes.ReplaceAll(text, []byte(shortHash(in.Site.Compiled.Hash)), []byte(strings.Repeat("#", 12)))
}
