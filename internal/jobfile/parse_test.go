package jobfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

var update = flag.Bool("update", false, "write the expected messages of testdata/broken anew")

func glob(t testing.TB, pattern string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < least {
		t.Fatalf("%s: got %d files, want at least %d", pattern, len(files), least)
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Each broken definition has the messages that its .txt shows: all of them, at their places, with excerpts.
func TestParseBroken(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/broken/*.yaml", 40) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			nets, err := Parse(filepath.Base(file), read(t, file))
			var mistakes fault.Mistakes
			if !errors.As(err, &mistakes) || nets != nil {
				t.Fatalf("got %v, %v, want mistakes and no nets", nets, err)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), got); diff != "" {
				t.Errorf("run with -update if this is right:\n%s", diff)
			}
		})
	}
}

// Good definitions are read, and their canonical form stands beside them.
func TestParseGood(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/good/*.yaml", 5) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			nets, err := Parse(filepath.Base(file), read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			var canonical []byte
			for i, n := range nets {
				if i > 0 {
					canonical = append(canonical, "---\n"...)
				}
				canonical = append(canonical, Format(n)...)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, canonical, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), string(canonical)); diff != "" {
				t.Errorf("run with -update if this is right:\n%s", diff)
			}
			again, err := Parse("again", canonical)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(nets, again); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseFillsDefaults(t *testing.T) {
	t.Parallel()
	nets, err := Parse("x", []byte("net: a/b\njobs: [{name: x, command: [/bin/true]}]"))
	if err != nil {
		t.Fatal(err)
	}
	want := jobnet.Defaults()
	want.Name, want.Command = "x", []string{"/bin/true"}
	if diff := cmp.Diff([]jobnet.Net{{Name: "a/b", Jobs: []jobnet.Job{want}}}, nets); diff != "" {
		t.Error(diff)
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	var deep strings.Builder
	for i := range 1500 {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, text := range map[string]string{
		"too large":    "net: a/b\n" + strings.Repeat("#", MaxFile),
		"deep":         "net: " + strings.Repeat("[", 1<<16),
		"deep dashes":  strings.Repeat("- ", 1<<16),
		"deep maps":    strings.Repeat("a: ", 1<<16),
		"deep indent":  deep.String(),
		"wide":         strings.Repeat("a: b\n", 1<<16),
		"wide flow":    "{" + strings.Repeat("a: b,", 1<<16) + "}",
		"many anchors": "a: " + strings.Repeat("&a ", 1<<14),
		"many bad":     "net: a/b\njobs:\n" + strings.Repeat("  - {x: y}\n", 1<<13),
	} {
		start := time.Now()
		_, err := Parse("x", []byte(text))
		var mistakes fault.Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) > maxMistakes {
			t.Errorf("%s: got %d mistakes, %v", name, len(mistakes), err != nil)
		}
		if took := time.Since(start); took > 20*time.Second { // quadratic time would take minutes
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func manyJobs(count int) []byte {
	var b bytes.Buffer
	b.WriteString("net: big/net\nparams: {top: \"20\"}\njobs:\n")
	for i := range count {
		fmt.Fprintf(&b, "  - name: job-%d\n    command: [/bin/echo, \"${params.top}\"]\n    timeout: 5m\n    retry: {max: 2, delay: 1s}\n", i)
		if i > 0 {
			fmt.Fprintf(&b, "    after: [job-%d]\n", i/2)
		}
	}
	return b.Bytes()
}

func TestParseManyJobs(t *testing.T) {
	t.Parallel()
	start := time.Now()
	nets, err := Parse("x", manyJobs(2000))
	if err != nil || len(nets) != 1 || len(nets[0].Jobs) != 2000 {
		t.Fatalf("got %d nets, %v", len(nets), err)
	}
	t.Logf("2000 jobs took %v", time.Since(start))
}

func BenchmarkParse2000Jobs(b *testing.B) {
	text := manyJobs(2000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse("x", text); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/broken/*.yaml", "testdata/good/*.yaml"} {
		for _, file := range glob(f, pattern, 1) {
			if text := read(f, file); len(text) < 4000 {
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		nets, err := Parse("fuzz", text)
		if err != nil {
			var mistakes fault.Mistakes
			if !errors.As(err, &mistakes) || len(mistakes) == 0 || nets != nil {
				t.Fatalf("got %v, %#v", nets, err)
			}
			for _, m := range mistakes {
				if m.Line < 1 || m.Column < 1 || m.Message == "" || strings.ContainsAny(m.Message, "\n\x1b") || m.Line > bytes.Count(text, []byte("\n"))+1 {
					t.Fatalf("got %+v", m)
				}
			}
			return
		}
		for _, n := range nets {
			if problems := jobnet.Check(&n); problems != nil {
				t.Fatalf("Parse let through: %v", problems)
			}
			again, err := Parse("again", Format(n))
			if err != nil || cmp.Diff([]jobnet.Net{n}, again) != "" {
				t.Fatalf("%v\n%s\n%s", err, cmp.Diff([]jobnet.Net{n}, again), Format(n))
			}
		}
	})
}
