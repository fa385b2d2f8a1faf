package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// statement is one numbered statement of a vendor's page, with what the plan does not say of it.
type statement struct {
	No    string
	Plan  string
	Says  string   // in short
	Rows  []string // ids, where the origin leads to no row
	Shown []string // tests
	Later string   // what another issue shows; nothing
	ran   bool     // Reeve ran behind it in the laboratory
}

// laboratory returns the tests in which Reeve runs behind a plan's openings.
func laboratory(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "test", "firewall", "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// vendors are the four pages with the prefix and the count of their statements.
func vendors() []vendor {
	return []vendor{
		{"systemwalker", "SW", 37, "Systemwalker Operation Manager V17: list of port numbers"},
		{"jobscheduler", "JS", 17, "SOS JobScheduler 1.x: remote jobs and orders through a firewall"},
		{"arcserve", "AR", 19, "Arcserve Backup: communication ports of primary and member servers"},
		{"acs", "AC", 14, "ALMA Common Software: ACS_INSTANCE and ports"},
	}
}

type vendor struct {
	plan, prefix string
	count        int
	title        string
}

// TestReferenceConformance compares docs/conformance.md with the plans: every statement of the four pages has its line,
// and every test that a line names exists.
func TestReferenceConformance(t *testing.T) {
	t.Parallel()
	var all []statement
	read(t, "conformance.yaml", &all)
	_, tests := goFiles(t)
	ran := laboratory(t)
	var b bytes.Buffer
	b.WriteString("# What the plans say of the four pages\n\n" + generated +
		"Each numbered statement of the pages that list the ports of the four systems, with the row of the built-in plan that\n" +
		"it stands in, or the note. Rows are compiled, listed, checked against a host, leased from, and rendered as rules and\n" +
		"documents. Where it says so, a test runs Reeve behind the openings of the whole plan, in network namespaces with a firewall\n" +
		"between them, and nothing else is tried ([test/firewall](../test/firewall)); what is still to come says so, too.\n\n" +
		"- **works**: a row that Reeve uses; **inactive**: a row that a switch, a value or a number of the site brings to life;\n" +
		"- **reserved**: held, so that nothing else takes it, and nothing listens; **foreign**: a neighbour's;\n" +
		"- **note**: a statement that is no row, in the plan's `notes`.\n")
	for _, v := range vendors() {
		plan, err := builtin.Load(v.plan)
		if err != nil {
			t.Fatal(err)
		}
		compiled, _ := ports.Compile(plan, ports.Inventory{}, 0)
		fmt.Fprintf(&b, "\n## %s\n\nPlan `%s`.\n\n| no. | statement | reading | row | door | status | shown by |\n| --- | --- | --- | --- | --- | --- | --- |\n", v.title, v.plan)
		for n := 1; n <= v.count; n++ {
			no := fmt.Sprintf("%s-%d", v.prefix, n)
			i := slices.IndexFunc(all, func(s statement) bool { return s.No == no })
			if i < 0 {
				t.Fatalf("testdata/conformance.yaml has no %s", no)
			}
			s := all[i]
			all = slices.Delete(all, i, i+1)
			if s.Plan != v.plan || s.Says == "" || len(s.Shown) == 0 {
				t.Errorf("%s: incomplete: %+v", no, s)
			}
			for _, name := range s.Shown {
				if !strings.Contains(tests, "func "+name+"(") {
					t.Errorf("%s: there is no test %s", no, name)
				}
			}
			s.ran = slices.ContainsFunc(s.Shown, func(name string) bool { return strings.Contains(ran, "func "+name+"(") })
			s.line(t, &b, plan, compiled)
		}
	}
	for _, s := range all {
		t.Errorf("testdata/conformance.yaml has %s, which no page has, or twice", s.No)
	}
	compare(t, filepath.Join(root, "docs", "conformance.md"), b.Bytes())
}

// line writes the statement's line: everything but its short form, the tests and what is to come is the plan's.
func (s statement) line(t *testing.T, b *bytes.Buffer, plan ports.Plan, c ports.Compiled) {
	t.Helper()
	var readings, rows, doors, status []string
	for _, n := range plan.Notes {
		if n.Origin == s.No {
			readings = with(readings, n.Reading)
		}
	}
	own := slices.ContainsFunc(c.Rows(), func(r ports.Row) bool { return r.Origin == s.No })
	claimed := map[string]bool{} // rows of which each flow has an origin of its own
	for _, cl := range c.Claims {
		if cl.Origin == s.No && !own {
			claimed[cl.Service+" "+cl.Range().String()] = true
		}
	}
	found := 0
	for _, r := range c.Rows() {
		if r.Origin != s.No && !slices.Contains(s.Rows, r.ID) && !claimed[r.ID+" "+r.Port] {
			continue
		}
		found++
		port := r.Port
		if port == "" {
			port = "no number"
		}
		rows = with(rows, "`"+r.ID+"` "+port+"/"+r.Protocol)
		if r.Door != "" {
			doors = with(doors, r.Door)
		}
		status = with(status, r.Status)
	}
	if len(s.Rows) > 0 && found == 0 {
		t.Errorf("%s: the plan has none of the rows %v", s.No, s.Rows)
	}
	if found == 0 {
		status = []string{"note"}
		if len(readings) == 0 {
			t.Errorf("%s stands in no row, and in no note with a reading", s.No)
		}
	}
	cell := strings.Join(status, ", ")
	if s.ran {
		cell += "; Reeve runs behind it"
	}
	switch {
	case s.Later == "" && !s.ran && slices.Contains(status, "works"):
		cell += "; nothing of Reeve uses it yet"
	case s.Later != "" && s.Later != "nothing":
		cell += "; " + s.Later
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | `%s` |\n", s.No, bar(s.Says), bar(strings.Join(readings, "; ")),
		strings.Join(rows, ", "), strings.Join(doors, " "), cell, strings.Join(s.Shown, "`, `"))
}

// with adds a text to a list that lacks it.
func with(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// bar keeps what a text has of Markdown from being taken for it.
func bar(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "[", `\[`, "<", `\<`, "$", `\$`).Replace(strings.ReplaceAll(s, `\`, `\\`))
}

// read reads a file of testdata. A field that it does not know is an error.
func read(t *testing.T, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, to, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
