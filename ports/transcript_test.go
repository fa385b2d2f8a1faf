package ports_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// Each file of testdata/compile is a plan, an inventory and an instance, with all that comes out of them: a family with
// containers and debuggers (F33, F83, F84), a callback range in what systems give to outgoing connections (F32, also
// changed, F34), alternates and overrides, many mistakes at once. UPDATE=1 writes the answers anew.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/compile/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := range archive.Files {
				f := &archive.Files[i]
				question, ok := strings.CutPrefix(f.Name, "answer ")
				if !ok {
					continue
				}
				got := answer(t, archive, question)
				if os.Getenv("UPDATE") != "" {
					f.Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s: %s", question, diff)
				}
			}
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// answer is what one question about the files of a transcript gives: WORD [INSTANCE or HOST].
func answer(t *testing.T, archive *txtar.Archive, question string) string {
	t.Helper()
	word, arg, _ := strings.Cut(question, " ")
	instance, err := strconv.Atoi(arg)
	if err != nil {
		instance = 0
	}
	p, inv := documents(t, archive)
	c, found := ports.Compile(p, inv, instance)
	site := ports.Site{Compiled: c, Inventory: inv}
	var b strings.Builder
	switch word {
	case "rows":
		for _, r := range c.Rows() {
			fmt.Fprintln(&b, strings.Join([]string{r.ID, r.Service, r.Port, r.Protocol, r.Source, r.Destination, r.Purpose, r.Condition, r.Status, r.Note}, " | "))
		}
	case "findings":
		for _, d := range found {
			fmt.Fprintln(&b, d)
		}
	case "openings":
		in, out := site.Openings(arg)
		for _, l := range lines(in) {
			fmt.Fprintln(&b, "in", l)
		}
		for _, l := range lines(out) {
			fmt.Fprintln(&b, "out", l)
		}
	case "held", "closed":
		claims := site.Held(arg)
		if word == "closed" {
			claims = site.Closed(arg)
		}
		for _, cl := range claims {
			fmt.Fprintf(&b, "%s %s/%s %s\n", cl.Service, cl.Range(), cl.Protocol, cl.Parity)
		}
	case "json":
		text, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	default:
		t.Fatalf("no such question: %s", question)
	}
	return b.String()
}

// documents reads the plan and the inventory of a transcript. "overrides" are lines SERVICE PORT BY KEY.
func documents(t *testing.T, archive *txtar.Archive) (ports.Plan, ports.Inventory) {
	t.Helper()
	var p ports.Plan
	var inv ports.Inventory
	var err error
	for _, f := range archive.Files {
		switch f.Name {
		case "plan":
			p, err = planfile.Parse("plan", f.Data, builtin.Load)
		case "inventory":
			inv, err = planfile.ParseInventory("inventory", f.Data)
		case "overrides":
			for line := range strings.Lines(string(f.Data)) {
				fields := strings.Fields(line)
				n, err := strconv.ParseUint(fields[1], 10, 16)
				if err != nil {
					t.Fatal(err)
				}
				inv.Overrides = append(inv.Overrides, ports.Given{Service: fields[0], Port: ports.Port(n), By: ports.OverrideBy(fields[2]), Key: fields[3]})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p, inv
}
