package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// TestManualHasEverything looks for each reason, permission and field of a job in the manual.
func TestManualHasEverything(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "manual.md"))
	if err != nil {
		t.Fatal(err)
	}
	manual := string(text)
	for _, r := range run.Reasons() {
		if !regexp.MustCompile("(?m)^\\| .*`" + string(r.Reason) + "`").MatchString(manual) {
			t.Errorf("the manual has no line for the reason %s", r.Reason)
		}
	}
	for _, r := range probe.Reasons() {
		if !strings.Contains(manual, "\n| `"+string(r.Reason)+"` |") {
			t.Errorf("the manual has no line for the reason %s of a proof", r.Reason)
		}
	}
	for _, r := range occurrence.Reasons() {
		if !strings.Contains(manual, "\n| `"+string(r.Reason)+"` | "+string(r.Decision)+" |") {
			t.Errorf("the manual has no line for the reason %s of an occurrence that is %s", r.Reason, r.Decision)
		}
	}
	for _, v := range probe.Verdicts() {
		if !strings.Contains(manual, "\n| `"+string(v)+"` |") {
			t.Errorf("the manual has no line for the verdict %s", v)
		}
	}
	for _, p := range access.Permissions() {
		if !strings.Contains(manual, "`"+string(p)+"`") {
			t.Errorf("the manual does not name the permission %s", p)
		}
	}
	var schema struct {
		Properties struct {
			Jobs struct {
				Items struct {
					Properties map[string]any `json:"properties"`
				} `json:"items"`
			} `json:"jobs"`
			Schedules struct {
				Items struct {
					Properties map[string]any `json:"properties"`
				} `json:"items"`
			} `json:"schedules"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(jobfile.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	fields := schema.Properties.Jobs.Items.Properties
	if len(fields) < 10 {
		t.Fatalf("the schema has %d fields of a job", len(fields))
	}
	if len(schema.Properties.Schedules.Items.Properties) < 10 {
		t.Fatalf("the schema has %d fields of a schedule", len(schema.Properties.Schedules.Items.Properties))
	}
	for f := range schema.Properties.Schedules.Items.Properties {
		if !regexp.MustCompile("(?m)^\\| [^|]*`" + f + "`").MatchString(manual) {
			t.Errorf("the manual has no line for the field %s of a schedule", f)
		}
	}
	for f := range fields {
		if !regexp.MustCompile("(?m)^\\| [^|]*`" + f + "`").MatchString(manual) {
			t.Errorf("the manual has no line for the field %s of a job", f)
		}
	}
}

// TestCommandsInDocuments compares the commands that documents speak of with those that there are.
func TestCommandsInDocuments(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	known, nouns := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ reeve ([a-z]+)(?: ([a-z]+))?(?: ([a-z]+))?`).FindAllStringSubmatch(string(text), -1) {
		known[strings.TrimSpace(m[1]+" "+m[2])] = true
		known[m[1]] = true
		nouns[m[1]] = nouns[m[1]] || m[2] != ""
	}
	if len(known) < 30 {
		t.Fatalf("only %d commands found: %v", len(known), known)
	}
	command := regexp.MustCompile("(?m)(?:^ {4}|`|<\\()reeve (?:--\\w+ [^\\s`]+ )?([a-z]+)(?: ([a-z]+))?")
	for file, text := range pages(t) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			name := m[1]
			if nouns[name] && m[2] != "" {
				name += " " + m[2]
			}
			if !known[name] {
				t.Errorf("%s: there is no command reeve %s", file, name)
			}
		}
	}
}

// TestNetsInDocuments parses every definition that stands whole in a document.
func TestNetsInDocuments(t *testing.T) {
	t.Parallel()
	found := 0
	for file, text := range pages(t) {
		for _, block := range blocks(text) {
			if !strings.HasPrefix(block, "net: ") {
				continue
			}
			found++
			if _, err := jobfile.Parse(file, []byte(block)); err != nil {
				t.Errorf("a net in %s:\n%v", file, err)
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d nets found in the documents", found)
	}
}

// blocks are the indented parts of a document, without their indent. A blank line ends one, so that commands below a
// definition are not taken for it.
func blocks(text string) []string {
	var out []string
	var now strings.Builder
	for line := range strings.Lines(text + "\n\n") {
		if rest, ok := strings.CutPrefix(line, "    "); ok {
			now.WriteString(rest)
			continue
		}
		if now.Len() > 0 {
			out = append(out, now.String())
			now.Reset()
		}
	}
	return out
}

// TestPlansInDocuments reads plans and allow files that stand in documents.
func TestPlansInDocuments(t *testing.T) {
	t.Parallel()
	found := 0
	for file, text := range pages(t) {
		for _, block := range blocks(text) {
			var err error
			switch {
			case strings.HasPrefix(block, "plan: "):
				_, err = planfile.Parse(file, []byte(block), builtin.Load)
			case strings.HasPrefix(block, "inventory: "):
				_, err = planfile.ParseInventory(file, []byte(block))
			case strings.HasPrefix(block, "allow:"):
				_, err = executor.ParseAllow([]byte(block))
			default:
				continue
			}
			found++
			if err != nil {
				t.Errorf("in %s:\n%v", file, err)
			}
		}
	}
	if found < 2 {
		t.Errorf("only %d plans and allow files found in the documents", found)
	}
}
