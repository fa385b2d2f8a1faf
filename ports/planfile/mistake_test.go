package planfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// Each file below testdata/broken stands beside the mistakes that it must give. UPDATE=1 writes them anew. Ranges that
// other parsers let through are in ranges.yaml (F59, F86).
func TestBroken(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 19 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = planfile.Parse(filepath.Base(file), data, base)
		if strings.HasPrefix(filepath.Base(file), "inventory") {
			_, err = planfile.ParseInventory(filepath.Base(file), data)
		}
		var mistakes planfile.Mistakes
		if !errors.As(err, &mistakes) {
			t.Errorf("%s: got %v", file, err)
			continue
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, _ := os.ReadFile(golden)
		if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// What would cost the reader its time, its memory or its stack is refused or bounded. Without the bounds this test does
// not end.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"too large":      "plan: a\n" + strings.Repeat("#", 4<<20),
		"too many marks": "plan: a\nroles: [" + strings.Repeat(",", 1<<21),
		"brackets":       "plan: a\nroles: " + strings.Repeat("[", 1<<17),
		"braces":         "plan: a\nroles: " + strings.Repeat("{a: ", 1<<17),
		"dashes":         "plan: a\nservices:\n" + strings.Repeat("- ", 1<<17),
		"empty entries":  "plan: a\nservices:\n" + strings.Repeat("-\n", 1<<17),
		"empty values":   "plan: a\nroles:\n" + strings.Repeat(" a:\n", 1<<17),
		"unknown fields": "plan: a\n" + numbered(1<<17, "a%d: 1\n"),
		"unknown words":  "plan: a\nservices:\n" + numbered(1<<16, "- {id: a%d, scope: extrenal}\n"),
		"one word often": "plan: a\nservices: [{id: a, door: [" + strings.Repeat("api, ", 1<<17) + "]}]\n",
		"many ranges":    "plan: a\npools: [{id: a, range: [" + numbered(60_000, "%d, ") + "]}]\n",
		"documents":      strings.Repeat("---\nplan: a\n", 100_000),
		"question marks": strings.Repeat("? ", 1<<17),
		"tags":           "plan: " + strings.Repeat("!a ", 1<<17),
		"quotes":         "plan: " + strings.Repeat(`"a" `, 1<<17),
		"aliases":        "plan: a\na: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
		"not UTF-8":      "plan: a\xff\n",
		"NUL":            "plan: a\x00\n",
		"long formula":   "plan: a\nservices: [{id: a, port: " + strings.Repeat("(", 900) + "}]\n",
		"long test":      "plan: a\nconditions: {a: {text: a, when: " + strings.Repeat("a && ", 1<<17) + "}}\n",
	} {
		_, err := planfile.Parse("f", []byte(text), base)
		var mistakes planfile.Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) > 100 || len(err.Error()) > 64<<10 {
			t.Errorf("%s: got %.200v", name, err)
		}
	}
}

func numbered(n int, form string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i+1)
	}
	return b.String()
}

func manyHosts(n int) string {
	return "inventory: large\nhosts:\n" + numbered(n, "  h%d: {roles: [server], zone: core, bind: [10.0.0.1], advertise: [h.example.com]}\n")
}

// Ten thousand hosts are an inventory, and one that is twice as large still is.
func TestManyHosts(t *testing.T) {
	t.Parallel()
	inv, err := planfile.ParseInventory("f", []byte(manyHosts(20_000)))
	if err != nil || len(inv.Hosts) != 20_000 || inv.Hosts[19_999].At.Line != 20_002 {
		t.Errorf("%d hosts, %v", len(inv.Hosts), err)
	}
}

// BenchmarkParseInventory reads ten thousand hosts.
func BenchmarkParseInventory(b *testing.B) {
	text := []byte(manyHosts(10_000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := planfile.ParseInventory("f", text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRanges reads a thousand pools of ten ranges each. A range is read once, here; whoever uses it has two numbers
// (F63).
func BenchmarkRanges(b *testing.B) {
	text := []byte("plan: a\npools:\n" + numbered(1000, "  - {id: p%d, range: [4000-4999, 5100-5199, 5300, 5400, 6000-6999, 7000-7999, 8000-8999, 9100, 9200, 9300-9399]}\n"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := planfile.Parse("f", text, base); err != nil {
			b.Fatal(err)
		}
	}
}
