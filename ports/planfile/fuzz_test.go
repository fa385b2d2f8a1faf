package planfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

func addSamples(f *testing.F) {
	f.Helper()
	f.Add("plan: site\nextends: base\nservices:\n  - {id: main, port: 19352}\n")
	f.Add(baseText)
	f.Add(wholeText)
	f.Add(wholeInventory)
	for _, pattern := range []string{"testdata/broken/*.yaml", "../builtin/*.yaml", "../../examples/plans/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data))
		}
	}
}

// Whatever the text is: no panic; mistakes have places within the text; what is a plan can be written and read again,
// and compiled.
func FuzzParse(f *testing.F) {
	addSamples(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := planfile.Parse("f", []byte(text), base)
		if err != nil {
			checkMistakes(t, text, err)
			return
		}
		checkWritten(t, p)
		ports.Compile(p, ports.Inventory{}, 0)
	})
}

// The same of inventories.
func FuzzParseInventory(f *testing.F) {
	addSamples(f)
	plan, err := base("base")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := planfile.ParseInventory("f", []byte(text))
		if err != nil {
			checkMistakes(t, text, err)
			return
		}
		written := planfile.FormatInventory(inv)
		back, err := planfile.ParseInventory("f", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(inv, back, noPlaces()); diff != "" {
			t.Fatalf("%s\n%s", diff, written)
		}
		ports.Compile(plan, inv, 0)
	})
}

func checkMistakes(t *testing.T, text string, err error) {
	t.Helper()
	var mistakes planfile.Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) == 0 {
		t.Fatalf("the error is %T: %v", err, err)
	}
	if slices.ContainsFunc(mistakes, func(m planfile.Mistake) bool {
		return m.Message == "" || m.Line < 0 || m.Column < 0 || m.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+2
	}) {
		t.Fatalf("places: %v", mistakes)
	}
}
