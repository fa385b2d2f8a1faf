package builtin_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// page reads a vendor's page as it was transcribed, apart from the plan: one map a line, by the headings.
func page(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "pages", name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, line := range lines[1:] {
		m := map[string]string{}
		for i, cell := range line {
			m[lines[0][i]] = cell
		}
		out = append(out, m)
	}
	return out
}

// rows compiles a plan with all switches on.
func rows(t *testing.T, v variant) []ports.Row {
	t.Helper()
	c, found := v.compile(t)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c.Rows()
}

// TestPageSystemwalker compares the plan's table with the transcription of the page, cell by cell and in its order;
// rows that are ours stand behind those of the page. It has row F07's case: 1952 over tcp and udp.
func TestPageSystemwalker(t *testing.T) {
	t.Parallel()
	notes := map[string]string{
		"":  "",
		"1": "not used if connected to a UNIX server",
		"2": "if the System Power Control function is used",
		"3": "not used if the function is not",
		"5": "",
	}
	all := rows(t, variant{plan: "systemwalker", openings: every(true)})
	lines := page(t, "systemwalker")
	if len(lines) != 35 {
		t.Fatalf("the transcription has %d lines, want 35: SW-3 to SW-37", len(lines))
	}
	for i, line := range lines {
		r := all[i]
		port := r.Port + "/" + r.Protocol
		if strings.HasPrefix(r.Port, "app:") {
			port = r.Port
		}
		got := map[string]string{
			"number": r.Origin, "function": r.Function, "service": r.Service, "port": port,
			"windows": r.ServicesWindows, "unix": r.ServicesUnix, "source": r.Source, "destination": r.Destination,
			"purpose": r.Purpose, "notes": line["notes"],
		}
		if diff := cmp.Diff(line, got); diff != "" {
			t.Errorf("%s (-page +plan): %s", line["number"], diff)
		}
		if note := notes[line["notes"]]; !strings.Contains(r.Condition, note) {
			t.Errorf("%s: condition %q, want %q", line["number"], r.Condition, note)
		}
	}
	for _, r := range all[len(lines):] {
		if r.Origin != "ours" {
			t.Errorf("a row of the page behind those of the page: %v", r)
		}
	}
}

// TestPageJobscheduler looks for each of the page's sentences in the plan's notes, word by word, and for the page's
// own count of ports.
func TestPageJobscheduler(t *testing.T) {
	t.Parallel()
	p, err := builtin.Load("jobscheduler")
	if err != nil {
		t.Fatal(err)
	}
	lines := page(t, "jobscheduler")
	if len(lines) != 17 || len(p.Notes) != 17 {
		t.Fatalf("%d lines and %d notes, want 17: JS-1 to JS-17", len(lines), len(p.Notes))
	}
	for i, line := range lines {
		want := line["step"]
		if line["who"] != "" {
			want = line["who"] + ": " + want
		}
		n := p.Notes[i]
		if n.Origin != line["number"] || n.Text != want || n.Reading == "" {
			t.Errorf("got %+v, want %s: %s, with a reading", n, line["number"], want)
		}
	}
	c, _ := variant{plan: "jobscheduler"}.compile(t)
	port, _ := c.Service("jobscheduler")
	if port.Port != 4455 || port.Origin != "JS-1" {
		t.Errorf("got %+v", port)
	}
	pool := c.Pools[0]
	if len(c.Pools) != 1 || len(pool.Ranges) != 1 || pool.Ranges[0] != (ports.Range{First: 59870, Last: 59999}) || !pool.Down || pool.Size != 130 || pool.Hold.Min.Seconds() != 120 {
		t.Errorf("got %+v", pool)
	}
}

// TestPageArcserve compares the rows of the page, with what they do and what they are needed for, with the plan's.
func TestPageArcserve(t *testing.T) {
	t.Parallel()
	p, err := builtin.Load("arcserve")
	if err != nil {
		t.Fatal(err)
	}
	all := rows(t, variant{plan: "arcserve"})
	lines := page(t, "arcserve")
	if len(lines) != 14 {
		t.Fatalf("the transcription has %d lines, want 14: AR-2 to AR-15", len(lines))
	}
	for _, line := range lines {
		service, said := "", ""
		for _, r := range all {
			if r.Origin == line["number"] {
				service, said = r.Function, r.Note
				if r.Source != "not stated" || r.Destination != "not stated" || r.Purpose != "" {
					t.Errorf("%s: the page states no ends: %+v", r.Origin, r)
				}
			}
		}
		for _, n := range p.Notes {
			if n.Origin == line["number"] {
				said += "\n" + n.Text
			}
		}
		if service != "" && service != line["service"] {
			t.Errorf("%s is %q, want %q", line["number"], service, line["service"])
		}
		if service == "" && !strings.Contains(said, line["service"]) {
			t.Errorf("%s: %q does not name %s", line["number"], said, line["service"])
		}
		needed := map[string]string{
			"yes–": "; needed for GUI communication", "yesyes": "; needed for GUI communication and for backup server communication",
			"nono": "; needed neither for GUI nor for backup server communication",
		}[line["gui"]+line["backup"]]
		for _, want := range []string{line["what"], line["how"], needed} {
			if !strings.Contains(said, want) {
				t.Errorf("%s says %q, want %q in it", line["number"], said, want)
			}
		}
	}
}

// TestPageArcserveCases compares the two cases of the management service: what stands for what is printed, and that
// nothing is opened for the misprints (F86).
func TestPageArcserveCases(t *testing.T) {
	t.Parallel()
	for ssl, want := range [][]string{
		{"AR-16 7099 inactive", "AR-17 2099 works", "AR-18 20000-20100 works", "AR-18 7199 works"},
		{"AR-16 7099 works", "AR-17 2099 inactive", "AR-18 20000-20100 works", "AR-18 7199 works"},
	} {
		v := variant{plan: "arcserve", vars: map[string]int{"usessl": ssl}}
		var got []string
		for _, r := range rows(t, v) {
			if slices.Contains([]string{"AR-16", "AR-17", "AR-18", "AR-19"}, r.Origin) {
				got = append(got, r.Origin+" "+r.Port+" "+r.Status)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("usessl %d: %s", ssl, diff)
		}
		c, _ := v.compile(t)
		for _, cl := range c.Claims {
			if cl.Name == "casmgmtsvc" && !cl.Pool && cl.TLS != (cl.Port == 7099) {
				t.Errorf("%+v", cl)
			}
			for _, port := range []ports.Port{1999, 10000, 19999} {
				if cl.Port <= port && port <= cl.Range().Last {
					t.Errorf("%d of a misprint is in %s", port, cl.Service)
				}
			}
		}
	}
	p, err := builtin.Load("arcserve")
	if err != nil {
		t.Fatal(err)
	}
	printed := ""
	for _, n := range p.Notes {
		if n.Origin == "AR-19" {
			printed += n.Text + n.Reading
		}
	}
	for _, want := range []string{"[10000|1999]", "[20000-20100|10000|19999]", `[20000-20100|20000\19999]`, "10000-19999"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the notes of AR-19 do not have %s", want)
		}
	}
}

// TestPageACS compares the daemons and the table of offsets with the plan, in every instance, and the ports of
// containers, debuggers and supervisors with what the page says of them: nothing but its own numbers (F83), and the debuggers' among them (F65).
func TestPageACS(t *testing.T) {
	t.Parallel()
	lines := page(t, "acs")
	if len(lines) != 22 {
		t.Fatalf("the transcription has %d lines, want 10 daemons and 12 services", len(lines))
	}
	for i := range 10 {
		all := rows(t, variant{plan: "acs", instance: i})
		for _, line := range lines {
			port := line["port"]
			if line["number"] == "AC-3" {
				port = offset(t, port, 3000+100*i)
			}
			if !slices.ContainsFunc(all, func(r ports.Row) bool {
				return r.Origin == line["number"] && r.Service == line["name"] && r.Port == port && r.Was == line["was"] && r.Source == "not stated"
			}) {
				t.Errorf("instance %d has no row %s %s on %s", i, line["number"], line["name"], port)
			}
		}
		base := 3000 + 100*i
		containers, debug := "4000-4999", "4001-4999"
		if i > 0 {
			containers, debug = fmt.Sprintf("%d-%d", base+50, base+72), fmt.Sprintf("%d-%d", base+51, base+73)
		}
		for origin, want := range map[string]string{"AC-7": containers, "AC-8": debug, "AC-9": offset(t, "75-99", base), "AC-14": "10162"} {
			got := ""
			for _, r := range all {
				if r.Origin == origin {
					got += r.Port
				}
			}
			if got != want {
				t.Errorf("instance %d: %s is %s, want %s", i, origin, got, want)
			}
		}
	}
}

// offset adds a base to a number or to both ends of a range.
func offset(t *testing.T, text string, base int) string {
	t.Helper()
	ends := strings.Split(text, "-")
	for i, e := range ends {
		n, err := strconv.Atoi(e)
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = strconv.Itoa(base + n)
	}
	return strings.Join(ends, "-")
}

// TestNoStatementIsMissing looks for each statement of the four pages in a row or a note.
func TestNoStatementIsMissing(t *testing.T) {
	t.Parallel()
	for plan, last := range map[string]int{"systemwalker": 37, "jobscheduler": 17, "arcserve": 19, "acs": 14} {
		p, err := builtin.Load(plan)
		if err != nil {
			t.Fatal(err)
		}
		prefix := map[string]string{"systemwalker": "SW", "jobscheduler": "JS", "arcserve": "AR", "acs": "AC"}[plan]
		seen := map[string]bool{}
		for _, r := range rows(t, variant{plan: plan}) {
			seen[r.Origin] = true
		}
		for _, n := range p.Notes {
			seen[n.Origin] = true
		}
		delete(seen, "ours")
		for n := 1; n <= last; n++ {
			id := fmt.Sprintf("%s-%d", prefix, n)
			if !seen[id] {
				t.Errorf("%s stands nowhere", id)
			}
			delete(seen, id)
		}
		for id := range seen {
			t.Errorf("%s has the origin %q, which no page has", plan, id)
		}
	}
}
