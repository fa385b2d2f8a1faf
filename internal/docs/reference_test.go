package docs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/cli"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

var update = flag.Bool("update", false, "write the reference pages instead of comparing them")

const (
	root      = "../.."
	generated = "<!-- Written from the code by `make generate`; do not edit. -->\n\n"
)

// TestReference compares each page below docs/reference with what the code says now.
func TestReference(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(t *testing.T) []byte{
		"api.md":                apiPage,
		"openapi.json":          openAPI,
		"cli.md":                cliPage,
		"reasons.md":            reasonsPage,
		"net.schema.json":       func(*testing.T) []byte { return jobfile.Schema() },
		"calendar.schema.json":  func(*testing.T) []byte { return jobfile.CalendarSchema() },
		"plan.schema.json":      func(*testing.T) []byte { return planfile.Schema() },
		"inventory.schema.json": func(*testing.T) []byte { return planfile.InventorySchema() },
		"plan.md":               planPage,
		"ports.md":              portsPage,
		"config.md":             configPage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, filepath.Join(root, "docs", "reference", name), write(t))
		})
	}
}

// compare compares a page with what the code says now, or writes it.
func compare(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; `make generate` writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what the code says; `make generate` writes it anew (-code +page):\n%s", path, diff)
	}
}

// TestReferenceHasNoStrangers finds pages that nothing writes any more.
func TestReferenceHasNoStrangers(t *testing.T) {
	t.Parallel()
	known := map[string]bool{
		"api.md": true, "openapi.json": true, "cli.md": true, "reasons.md": true, "net.schema.json": true, "calendar.schema.json": true, "ports.md": true, "config.md": true,
		"plan.md": true, "plan.schema.json": true, "inventory.schema.json": true,
	}
	entries, err := os.ReadDir(filepath.Join(root, "docs", "reference"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("docs/reference/%s is written by no test", e.Name())
		}
	}
}

func apiPage(t *testing.T) []byte {
	t.Helper()
	routes, err := api.RouteTable()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# API\n\n" + generated)
	b.WriteString("Every request with the permission that it needs and what that is decided against; the whole of it, with all fields,\n" +
		"is [openapi.json](openapi.json), which a server also serves. Requests carry `Authorization: Bearer TOKEN`, or a session's\n" +
		"cookie. Errors are `application/problem+json`.\n\n## Permissions\n\n")
	for _, p := range access.Permissions() {
		fmt.Fprintf(&b, "- `%s`\n", p)
	}
	b.WriteString("\n## Requests\n\n")
	b.Write(routes)
	return b.Bytes()
}

func openAPI(t *testing.T) []byte {
	t.Helper()
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func cliPage(*testing.T) []byte {
	return append([]byte("# Command line\n\n"+generated), cli.Reference()...)
}

func planPage(*testing.T) []byte {
	return append([]byte("# Plan and inventory\n\n"+generated), planfile.Reference()...)
}

func reasonsPage(*testing.T) []byte {
	var b bytes.Buffer
	b.WriteString("# Reasons\n\n" + generated)
	b.WriteString("Every reason that `reeve why`, `reason` in the API and the console can give. The list is closed.\n")
	group := run.ReasonGroup("")
	for _, r := range run.Reasons() {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(&b, "\n## %s%s\n\n| reason | meaning |\n| --- | --- |\n", strings.ToUpper(string(group[:1])), group[1:])
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.Reason, r.Text)
	}
	decision := occurrence.Decision("")
	for _, r := range occurrence.Reasons() {
		if r.Decision != decision {
			decision = r.Decision
			fmt.Fprintf(&b, "\n## Why an occurrence is %s\n\n| reason | meaning |\n| --- | --- |\n", decision)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.Reason, r.Text)
	}
	b.WriteString("\n## Why nothing of a net was due\n\n| reason | meaning |\n| --- | --- |\n")
	for _, r := range domain.NothingDue() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r[0], r[1])
	}
	return b.Bytes()
}

// portsPage is the port table of each built-in plan. It names no host: the plans are compiled without an inventory.
func portsPage(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# Ports of the built-in plans\n\n" + generated +
		"As `reeve ports list --plan PLAN --instance N` prints them, here for instance 0. Where a row comes from is in\n" +
		"[conformance.md](../conformance.md); the whole of it is what `reeve ports list -o csv` prints.\n")
	for _, name := range append([]string{builtin.Default}, slices.DeleteFunc(builtin.Names(), func(n string) bool { return n == builtin.Default })...) {
		plan, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled, diagnostics := ports.Compile(plan, ports.Inventory{}, 0)
		for _, d := range diagnostics {
			if d.Severity == ports.Error {
				t.Fatal(d)
			}
		}
		fmt.Fprintf(&b, "\n## The plan `%s`\n\n%s.", plan.Name, upper(plan.Description))
		if plan.Instance != "" {
			fmt.Fprintf(&b, " `--instance` sets `%s`.", plan.Instance)
		}
		b.WriteString("\n\n| port | protocol | service | from | to | what for | doors | status | origin |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
		for _, r := range compiled.Rows() {
			purpose := r.Purpose
			if r.Condition != "" {
				purpose += " (" + r.Condition + ")"
			}
			name := r.Service
			if name == "" {
				name = r.Function
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Port, r.Protocol, bar(name), r.Source, r.Destination, bar(purpose), r.Door, r.Status, r.Origin)
		}
	}
	return b.Bytes()
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// configPage lists the fields of a server's configuration with their comments in the source and their defaults.
func configPage(t *testing.T) []byte {
	t.Helper()
	c := newFieldReader(t, filepath.Join(root, "internal", "server", "config.go"))
	var b bytes.Buffer
	b.WriteString("# Configuration of a server\n\n" + generated)
	b.WriteString("The fields of the file that `reeve server --config FILE` reads. A flag goes before the environment, that before the\n" +
		"file, that before the default. The complete file with its comments is [examples/config/server.yaml](../../examples/config/server.yaml).\n" +
		"An agent has no file: its flags, and the variables beside them, are in [cli.md](cli.md).\n\n")
	b.WriteString("| field | default | meaning |\n| --- | --- | --- |\n")
	c.write(&b, reflect.ValueOf(server.Default()), "")
	return b.Bytes()
}

// fieldReader knows the comment of each field of the structs in one file.
type fieldReader struct {
	comments map[string]string // by Type.Field
}

func newFieldReader(t *testing.T, path string) fieldReader {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	c := fieldReader{comments: map[string]string{}}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					c.comments[spec.Name.Name+"."+name.Name] = strings.TrimSpace(f.Comment.Text())
				}
			}
		}
		return true
	})
	return c
}

func (c fieldReader) write(b *bytes.Buffer, v reflect.Value, prefix string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("yaml")
		if name == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			c.write(b, v.Field(i), prefix+name+".")
			continue
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", prefix, name, shown(v.Field(i)), c.comments[v.Type().Name()+"."+f.Name])
	}
}

// shown is a default as the file has it.
func shown(v reflect.Value) string {
	if d, ok := v.Interface().(time.Duration); ok {
		return "`" + shortDuration(d) + "`"
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return err.Error()
	}
	if s := string(text); s != `""` && s != "null" {
		return "`" + strings.Trim(s, `"`) + "`"
	}
	return ""
}

// shortDuration leaves the zeros out that time.Duration prints: 720h, not 720h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
