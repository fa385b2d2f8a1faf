package render

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

var roffEscape = regexp.MustCompile(`\\(\(..|.)`)

// unroff takes the escapes of roff away.
func unroff(s string) string {
	return roffEscape.ReplaceAllStringFunc(s, func(e string) string {
		return map[string]string{`\e`: `\`, `\-`: "-", `\(aq`: "'", `\(ga`: "`", `\(ha`: "^", `\(ti`: "~", `\(dq`: `"`, `\&`: "", `\(->`: "→"}[e]
	})
}

// readMan reads the rows of a manual page back.
func readMan(t rapid.TB, w words, text string) []ports.Row {
	t.Helper()
	var rows []ports.Row
	scope := ports.Scope("")
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if title, ok := strings.CutPrefix(lines[i], ".SH "); ok {
			scope = ""
			for _, s := range scopes() {
				if unroff(strings.Trim(title, `"`)) == plain(w.section(s)) {
					scope = s
				}
			}
		}
		if lines[i] != ".TP" || scope == "" {
			continue
		}
		name, rest, _ := strings.Cut(strings.TrimPrefix(lines[i+1], `\fB`), `\fR `)
		at := strings.LastIndex(rest, "/")
		v := map[string]string{"service": unroff(name), "port": unroff(rest[:at]), "protocol": unroff(rest[at+1:])}
		source, rest, _ := strings.Cut(lines[i+2], ` \(-> `)
		destination, purpose, _ := strings.Cut(rest, ": ")
		v["source"], v["destination"], v["purpose"] = unroff(source), unroff(destination), unroff(purpose)
		for i += 3; i+1 < len(lines) && lines[i] == ".br"; i += 2 {
			head, value, _ := strings.Cut(lines[i+1], ": ")
			for column, word := range w.columns {
				if word == unroff(head) {
					v[column] = unroff(value)
				}
			}
		}
		i--
		var heads, cells []string
		for column, value := range v {
			heads, cells = append(heads, w.columns[column]), append(cells, value)
		}
		rows = append(rows, rowReader{w, map[string]string{v["condition"]: v["condition"], v["note"]: v["note"]}}.row(t, scope, heads, cells))
	}
	return rows
}

// checkMan reads the manual page back and compares it with the plan. P7.
func checkMan(t rapid.TB, in Input) {
	t.Helper()
	w, err := wordsOf(in.Locale)
	if err != nil {
		t.Fatal(err)
	}
	text, err := renderMan(in)
	if err != nil {
		t.Fatal(err)
	}
	want := wantRows(in.Site.Compiled)
	for i := range want {
		r := &want[i]
		for _, field := range []*string{&r.Function, &r.Service, &r.Port, &r.Source, &r.Destination, &r.Purpose, &r.Condition, &r.Note} {
			*field = plain(*field) // a line has no line breaks
		}
	}
	if diff := cmp.Diff(want, readMan(t, w, string(text))); diff != "" {
		t.Errorf("the manual page is not the plan (-plan +page):\n%s", diff)
	}
}

func TestManReadsBack(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		for _, in.Locale = range []string{"en", "de", "ja"} {
			checkMan(t, in)
		}
	})
}

func TestManOfAnyPlanReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { checkMan(rt, anyInput(rt)) })
}

// TestManForGroff gives the pages to the real formatter, which complains of nothing.
func TestManForGroff(t *testing.T) {
	t.Parallel()
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff here")
	}
	for _, name := range []string{"systemwalker", "acs"} {
		for _, lang := range []string{"en", "de", "ja"} {
			text, err := renderMan(Input{Site: compiled(t, builtinPlan(t, name), ports.Inventory{}, 0), Locale: lang})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), groff, "-man", "-Kutf8", "-Tutf8", "-ww")
			cmd.Stdin = strings.NewReader(string(text))
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil || said.Len() > 0 {
				t.Errorf("groff on %s in %s: %v\n%s", name, lang, err, said.String())
			}
			if !strings.Contains(string(out), "REEVE-PORTS-") {
				t.Errorf("groff printed %q", out)
			}
		}
	}
}
