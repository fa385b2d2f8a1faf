package docs_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// trap is one story of what broke in another port allocator.
type trap struct {
	Row      string
	Story    string
	Source   string
	Asks     string   // the test that the story asks for
	Shown    []string // tests, besides those that name the row: TestName, or FOLDER.TestName
	Later    string   // the issue that shows it
	Platform string   // what would be needed to show it
	Remark   string
}

const (
	trapRows   = 86
	properties = 12
)

// TestReferenceTraps compares docs/traps.md with the stories and with the tests that name them: each row has a test that
// exists, or says what it waits for.
func TestReferenceTraps(t *testing.T) {
	t.Parallel()
	var traps []trap
	read(t, "traps.yaml", &traps)
	if len(traps) != trapRows {
		t.Fatalf("testdata/traps.yaml has %d rows, want %d", len(traps), trapRows)
	}
	tests := mentionsInTests(t)
	named := tests.rows
	var b bytes.Buffer
	b.WriteString("# Traps\n\n" + generated +
		"What broke in other port allocators, where it was reported, the test that the story asks for, and the test of Reeve\n" +
		"that shows it. A test names its rows in a comment, so that a reader of the test finds the story. `k8s#N` is\n" +
		"github.com/kubernetes/kubernetes/issues/N, `nomad#N` hashicorp/nomad, `moby#N` moby/moby, `agones#N` agones-dev/agones,\n" +
		"`ray#N` ray-project/ray.\n\n| row | story | source | asks for | shown by |\n| --- | --- | --- | --- | --- |\n")
	var missing []string
	for i, x := range traps {
		if want := fmt.Sprintf("F%02d", i+1); x.Row != want || x.Story == "" || x.Asks == "" || x.Source == "" {
			t.Errorf("row %d is %+v, want %s with story, source and what it asks for", i+1, x, want)
		}
		for _, name := range x.Shown {
			found := tests.named(name)
			if len(found) == 0 {
				t.Errorf("%s: there is no test %s", x.Row, name)
			}
			for _, printed := range found {
				named[x.Row] = with(named[x.Row], printed)
			}
		}
		cell := shownBy(named[x.Row], x.Later, platform(x.Platform), x.Remark)
		if cell == "" {
			missing = append(missing, x.Row)
			cell = "missing"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", x.Row, bar(x.Story), bar(x.Source), bar(x.Asks), cell)
	}
	if len(missing) > 0 {
		t.Errorf("no test shows %s: name the row in the comment of the test that does", strings.Join(missing, " "))
	}
	b.WriteString("\n## Properties\n\nWhat must hold whatever happens, with the tests that try to break it.\n\n| property | says | shown by |\n| --- | --- | --- |\n")
	for i, says := range promised() {
		id := fmt.Sprintf("P%d", i+1)
		cell := shownBy(named[id])
		if cell == "" {
			t.Errorf("no test shows the property %s", id)
			cell = "missing"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", id, says, cell)
	}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		var n int
		if _, err := fmt.Sscanf(id[1:], "%d", &n); err != nil || n < 1 || id[0] == 'F' && n > trapRows || id[0] == 'P' && n > properties {
			t.Errorf("%s is named by %v, and is no row", id, named[id])
		}
	}
	compare(t, filepath.Join(root, "docs", "traps.md"), b.Bytes())
}

func shownBy(tests []string, others ...string) string {
	var parts []string
	if len(tests) > 0 {
		parts = append(parts, strings.Join(slices.Sorted(slices.Values(tests)), ", "))
	}
	for _, o := range others {
		if o != "" {
			parts = append(parts, o)
		}
	}
	return strings.Join(parts, "; ")
}

func platform(needs string) string {
	if needs == "" {
		return ""
	}
	return "not here: it takes " + needs
}

// promised are the properties P1 to P12.
func promised() [properties]string {
	return [properties]string{
		"no two live leases have keys that meet",
		"no port is granted before its hold is over",
		"the same sticky key has the same port, or an error that names the holder",
		"both ports of a pair are granted, or neither",
		"compiling is a pure function: same input, same bytes",
		"the table of sizes is that of Erlang B to 1e-9, and that of a simulation within three standard deviations",
		"what is rendered says what the plan says, for every target",
		"every verdict has a reason and evidence; nothing is green without a proof from both ends, or an assumption that is named",
		"after a kill at any moment the leases rebuilt from what is observed are the old ones, or suspect",
		"a grant takes less than a millisecond with 100,000 live leases, the sync aside",
		"no start of 6,400 fails for its port",
		"taking out removes what was put in, and nothing else",
	}
}
