package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// checkTables reads every form of the port table back and compares it with the plan. P7, F61, F68.
func checkTables(t rapid.TB, in Input) {
	t.Helper()
	w, err := wordsOf(in.Locale)
	if err != nil {
		t.Fatal(err)
	}
	text := func(f func(Input) ([]byte, error)) string {
		b, err := f(in)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := wantRows(in.Site.Compiled)
	for form, got := range map[string][]ports.Row{
		"markdown": readRows(t, w, readMarkdown(text(renderMarkdown))),
		"html":     readRows(t, w, readHTML(text(renderHTML))),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not the plan (-plan +document):\n%s", form, diff)
		}
	}
	var doc table
	if err := json.Unmarshal([]byte(text(renderJSON)), &doc); err != nil {
		t.Fatal(err)
	}
	if c := in.Site.Compiled; doc.Plan != c.Plan || doc.Instance != c.Instance || doc.Hash != c.Hash || !slices.Equal(doc.Rows, c.Rows()) {
		t.Errorf("json is not the plan: %s", cmp.Diff(c.Rows(), doc.Rows))
	}
	records, err := csv.NewReader(bytes.NewReader([]byte(text(renderCSV)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	wantRecords := [][]string{ports.Columns()}
	for _, r := range in.Site.Compiled.Rows() {
		wantRecords = append(wantRecords, r.Fields())
	}
	if diff := cmp.Diff(wantRecords, records); diff != "" {
		t.Errorf("csv is not the plan (-plan +document):\n%s", diff)
	}
}

func TestTablesReadBack(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		for _, in.Locale = range []string{"en", "de", "ja"} {
			checkTables(t, in)
		}
	})
}

func TestTablesOfAnyPlanReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { checkTables(rt, anyInput(rt)) })
}
