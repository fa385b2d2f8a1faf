package occurrence_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

var update = flag.Bool("update", false, "write what is got as what is wanted")

// TestTranscripts plays testdata/*.txt: situations, one a line beginning with >, each followed by the verdict. Run with -update to write the
// verdicts anew, and read the difference.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(string(text)) {
				switch line = strings.TrimRight(line, "\n"); {
				case strings.HasPrefix(line, "> "):
					fmt.Fprintf(&got, "%s\n%s\n", line, verdict(occurrence.Decide(situation(t, line[2:]))))
				case line == "" || strings.HasPrefix(line, "#"):
					fmt.Fprintln(&got, line)
				}
			}
			if *update {
				if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got.String()); diff != "" {
				t.Errorf("transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}

func verdict(v occurrence.Verdict) string {
	text := fmt.Sprintf("%s(%s) %s", v.Decision, v.Reason, v.Detail)
	if v.By != "" {
		text += " by=" + v.By
	}
	if !v.Again.IsZero() {
		text += " again=" + v.Again.Format("15:04:05")
	}
	if v.Cancel {
		text += " cancel"
	}
	return text
}

// situation reads a line of name=value. Times are of one day; due and now are 12:00 where they are not said.
func situation(t *testing.T, line string) occurrence.Situation {
	t.Helper()
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	clock := func(text string) time.Time {
		d, err := time.ParseDuration(strings.NewReplacer(":", "h").Replace(text) + "m")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return day.Add(d)
	}
	schedule := calendar.DefaultSchedule()
	s := occurrence.Situation{
		Key: occurrence.Key{Net: "a/b", Schedule: "s", Nominal: clock("12:00")}, Schedule: &schedule, Now: clock("12:00"), Agent: true,
		Occurrence: calendar.Occurrence{Nominal: clock("12:00"), Due: clock("12:00")},
	}
	between := func(value string) (since, until time.Time) {
		a, b, _ := strings.Cut(value, "-")
		if since = clock(a); b != "" {
			until = clock(b)
		}
		return since, until
	}
	override := func(kind occurrence.OverrideKind) *occurrence.Override {
		s.Overrides = append(s.Overrides, occurrence.Override{Kind: kind, By: "ann", Reason: "closing"})
		return &s.Overrides[len(s.Overrides)-1]
	}
	for _, word := range strings.Fields(line) {
		name, value, _ := strings.Cut(word, "=")
		number, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "due":
			s.Occurrence.Due = clock(value)
		case "now":
			s.Now = clock(value)
		case "own":
			s.Occurrence.Suppressed, schedule.Calendar = calendar.Reason(value), "de"
		case "within":
			schedule.StartWithin = time.Duration(number) * time.Minute
		case "catchup":
			schedule.Catchup = calendar.Catchup(value)
		case "overlap":
			schedule.Overlap = calendar.Overlap(value)
		case "down", "jump", "heldback":
			from, until := between(value)
			cause := map[string]occurrence.Reason{"down": occurrence.ServerDown, "jump": occurrence.ClockJump, "heldback": occurrence.Held}[name]
			s.Outage = &occurrence.Outage{From: from, Until: until, Cause: cause, Text: "it was so"}
		case "later":
			s.Later = number
		case "paused":
			since, until := between(value)
			s.Pause = &occurrence.Pause{By: "ann", Reason: "closing", Since: since, Until: until}
		case "skip", "hold":
			o := override(occurrence.OverrideKind(name))
			if value != "" {
				o.Expires = clock(value)
			}
		case "holdfrom":
			override(occurrence.OverrideHold).From = clock(value)
		case "move":
			override(occurrence.OverrideMove).To = clock(value)
		case "added":
			s.Key.Schedule = occurrence.Manual
			override(occurrence.OverrideAdd)
		case "held":
			s.Held = "maintenance"
		case "disk":
			s.Disk = "no room"
		case "open":
			s.Open = strings.Split(value, ",")
		case "noagent":
			s.Agent, s.AgentText = false, "job a: not linked: one"
		case "since":
			s.Since = clock(value)
		case "waits":
			s.Waits = occurrence.Reason(value)
		case "queued":
			s.Queued = int(number)
		case "newer":
			s.Newer = true
		default:
			t.Fatalf("no such word: %s", word)
		}
	}
	return s
}

// TestReasonsAreClosed compares the list with the constants of occurrence.go: each is there once, with the decision of its group.
func TestReasonsAreClosed(t *testing.T) {
	t.Parallel()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "occurrence.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	decisions := map[string]bool{}
	for _, r := range occurrence.Reasons() {
		decisions[string(r.Decision)] = true
	}
	var want, got []string
	group, comments := "", map[int]string{}
	for _, c := range file.Comments {
		comments[set.Position(c.Pos()).Line] = strings.TrimSpace(c.Text())
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Reason" {
			if above := comments[set.Position(v.Pos()).Line-1]; decisions[above] {
				group = above
			}
			want = append(want, group+" "+strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	for _, r := range occurrence.Reasons() {
		got = append(got, string(r.Decision)+" "+string(r.Reason))
		if occurrence.DecisionOf(r.Reason) != r.Decision {
			t.Errorf("%s belongs to two decisions", r.Reason)
		}
	}
	if len(want) == 0 {
		t.Fatal("occurrence.go has no constants of type Reason")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Reasons differs from the constants (-constants +Reasons):\n%s", diff)
	}
	if got := occurrence.DecisionOf("whim"); got != "" {
		t.Errorf("a whim is a reason of %s", got)
	}
}
