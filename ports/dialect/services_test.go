package dialect

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

const odd = "# a services file\r\n" +
	"JMSRV\t9367/tcp\t\t# authentication\r\n" +
	"jmnet 9352/tcp JMNET network-jobs\n" +
	"\r\n" +
	"mpnjsc 1952/tcp\nmpnjsc 1952/udp\n" +
	"\t jobsch_win   9297/TCP#tight\n" +
	"sctp-only 5/sctp\n" +
	"lonely\n" +
	"reversed tcp/9\n" +
	"zero 0/tcp\n" +
	"high 65536/tcp\n" +
	"octal 080/tcp\n" +
	"wide １/tcp\n" +
	"minus -1/tcp\n" +
	"noprotocol 9/\n" +
	"strange 9/t*p\n" +
	"jmsrv 9999/tcp\n" +
	"jmnet 9352/tcp\n" +
	"last 7/tcp"

// A services file with everything that such files have: what it says, what is wrong with it, and every byte again.
// F59: numbers that are none.
func TestServices(t *testing.T) {
	t.Parallel()
	s, found := ParseServices("services", []byte(odd))
	if got := s.Bytes(); string(got) != odd {
		t.Errorf("comes back as\n%q, want\n%q", got, odd)
	}
	says(
		t, found,
		[]string{"services:9:1: ", "lonely has no number", "write NAME NUMBER/PROTOCOL"},
		[]string{"services:10:10: ", `"tcp" is no port number`},
		[]string{"services:11:6: ", "port 0"},
		[]string{"services:12:6: ", "above 65535"},
		[]string{"services:13:7: ", "leading zero", "write 80"},
		[]string{"services:14:6: ", "is no port number"},
		[]string{"services:15:7: ", "is no port number"},
		[]string{"services:16:12: ", "is no NUMBER/PROTOCOL"},
		[]string{"services:17:11: ", "is no protocol"},
		[]string{"services:18:1: ", "warning", "jmsrv has the number 9999/tcp here and 9367/tcp in line 2"},
		[]string{"services:19:1: ", "warning", "in line 3 already"},
		[]string{"services:20:11: ", "warning", "does not end"},
	)
	want := []ServicesEntry{
		{Name: "JMSRV", Port: 9367, Protocol: "tcp", Comment: "authentication", Line: 2},
		{Name: "jmnet", Port: 9352, Protocol: "tcp", Aliases: []string{"JMNET", "network-jobs"}, Line: 3},
		{Name: "mpnjsc", Port: 1952, Protocol: "tcp", Line: 5},
		{Name: "mpnjsc", Port: 1952, Protocol: "udp", Line: 6},
		{Name: "jobsch_win", Port: 9297, Protocol: "tcp", Comment: "tight", Line: 7},
		{Name: "sctp-only", Port: 5, Protocol: "sctp", Line: 8},
		{Name: "jmsrv", Port: 9999, Protocol: "tcp", Line: 18},
		{Name: "jmnet", Port: 9352, Protocol: "tcp", Line: 19},
		{Name: "last", Port: 7, Protocol: "tcp", Line: 20},
	}
	if diff := cmp.Diff(want, s.Entries()); diff != "" {
		t.Error(diff)
	}
	// Names are compared without case, aliases are names, and the first line counts.
	for name, line := range map[string]int{"jmsrv": 2, "JmNeT": 3, "NETWORK-JOBS": 3} {
		if e, ok := s.Number(name, ports.TCP); !ok || e.Line != line {
			t.Errorf("%s: got line %d, %v; want %d", name, e.Line, ok, line)
		}
	}
	if e, ok := s.Name(1952, ports.UDP); !ok || e.Line != 6 {
		t.Errorf("1952/udp: got %+v", e)
	}
	if _, ok := s.Number("sctp-only", ports.TCP); ok {
		t.Error("a name of another transport was found")
	}
}

// This machine's own file comes back byte for byte.
func TestOwnServices(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("/etc/services")
	if err != nil {
		t.Skip(err)
	}
	s, _ := ParseServices("/etc/services", text)
	if !bytes.Equal(s.Bytes(), text) {
		t.Error("it comes back changed")
	}
	if e, ok := s.Number("SSH", ports.TCP); !ok || e.Port != 22 {
		t.Errorf("ssh: got %+v, %v", e, ok)
	}
}

// A byte order mark, as Windows writes it, is no part of the first name.
func TestServicesMark(t *testing.T) {
	t.Parallel()
	text := "\ufeffjmnet 9352/tcp\r\nx y\r\n"
	s, found := ParseServices("f", []byte(text))
	if e, ok := s.Number("jmnet", ports.TCP); !ok || e.Name != "jmnet" || string(s.Bytes()) != text {
		t.Errorf("got %+v, %q", e, s.Bytes())
	}
	says(t, found, []string{"f:2:3: "})
}

// What is too large is cut at a line and reported; findings are bounded.
func TestServicesBounds(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x\n", maxSize)
	s, found := ParseServices("f", []byte(text))
	if len(s.Bytes()) > maxSize || len(found) != maxFindings+1 {
		t.Errorf("kept %d bytes, %d findings", len(s.Bytes()), len(found))
	}
	if last := found[len(found)-1]; !strings.Contains(last.Message, "more findings") {
		t.Errorf("got %v", last)
	}
}

func entry(t *rapid.T) ServicesEntry {
	name := rapid.StringMatching(`[A-Za-z][A-Za-z0-9_-]{0,14}`)
	e := ServicesEntry{
		Name: name.Draw(t, "name"), Port: ports.Port(rapid.IntRange(1, 65535).Draw(t, "port")),
		Protocol: rapid.SampledFrom([]ports.Protocol{ports.TCP, ports.UDP}).Draw(t, "protocol"),
		Comment:  rapid.StringMatching(`([a-z]+( [a-z]+)*)?`).Draw(t, "comment"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "aliases") {
		e.Aliases = append(e.Aliases, name.Draw(t, "alias"))
	}
	return e
}

// What is written is read again: import(export(x)) == x.
func TestServicesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(entry), 0, 20).Draw(t, "entries")
		s, _ := ParseServices("f", NewServices(want).Bytes())
		got := s.Entries()
		for i := range got {
			got[i].Line = 0
		}
		if !slices.EqualFunc(got, want, func(a, b ServicesEntry) bool { return cmp.Equal(a, b) }) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// A file over a plan: other numbers, foreign names; the result is a plan, and exported and imported it says nothing new.
func TestServicesPart(t *testing.T) {
	t.Parallel()
	over := compiled(t, "systemwalker", 0)
	s, _ := ParseServices("f", []byte("JMNET 19352/tcp\njmcal 9368/tcp\nOracle.TNS 1521/tcp listener\nOracle.TNS 1521/udp\n9p 564/tcp\nx 5/sctp\n"))
	part, found := s.Part("f", over, false)
	says(t, found)
	_, site := applied(t, part, 0)
	if got := port(site.Compiled, "jmnet"); got != 19352 {
		t.Errorf("jmnet: got %d", got)
	}
	tns, ok := site.Compiled.Service("oracle-tns")
	if !ok || tns.Port != 1521 || tns.Status != ports.Foreign || tns.Name != "Oracle.TNS" || tns.Binds {
		t.Errorf("foreign row: %+v", tns)
	}
	if got := port(site.Compiled, "x-9p"); got != 564 {
		t.Errorf("a name that begins with a digit: %d", got)
	}
	if len(part.Plan[2].Value.([]any)) != 3 {
		t.Errorf("%s", part.YAML())
	}
	if only, _ := s.Part("f", over, true); len(only.Plan[2].Value.([]any)) != 1 {
		t.Errorf("known names alone: %s", only.YAML())
	}
	// import(export(p)) == p
	exported := ExportServices(site.Compiled)
	again, found := ParseServices("f", exported.Bytes())
	if ports.HasErrors(found) {
		t.Errorf("exported with findings: %v", lines(found))
	}
	if back, _ := again.Part("f", site.Compiled, false); !back.Empty() {
		t.Errorf("the exported file changes the plan:\n%s\n%s", back.YAML(), exported.Bytes())
	}
	if e, ok := again.Number("listener", ports.TCP); !ok || e.Port != 1521 {
		t.Errorf("the alias is lost: %s", exported.Bytes())
	}
	// Two numbers for a row of the plan are a contradiction, and two for any other name are not this plan's business.
	s, _ = ParseServices("f", []byte("jmnet 9352/tcp\ndicom 104/tcp\nJMNET 9353/tcp\ndicom 11112/tcp\n"))
	_, found = s.Part("f", over, true)
	says(t, found, []string{"f:3:1: ", "error", "the row jmnet has the number 9353/tcp here (JMNET) and 9352/tcp in line 1"})
}

// Every built-in plan, in every instance: what is exported, imported over the plan, changes nothing; and numbers that
// are changed in the exported file come back as just these changes.
func TestServicesOfBuiltInPlans(t *testing.T) {
	t.Parallel()
	plans := builtIn(t)
	rapid.Check(t, func(t *rapid.T) {
		over := rapid.SampledFrom(plans).Draw(t, "plan")
		s, _ := ParseServices("f", ExportServices(over).Bytes())
		if part, _ := s.Part("f", over, false); !part.Empty() {
			t.Fatalf("%s: %s", over.Plan, part.YAML())
		}
		entries := s.Entries()
		if len(entries) == 0 {
			return
		}
		i := rapid.IntRange(0, len(entries)-1).Draw(t, "changed")
		to := ports.Port(rapid.IntRange(20000, 30000).Draw(t, "to"))
		for j := range entries {
			if strings.EqualFold(entries[j].Name, entries[i].Name) {
				entries[j].Port = to
			}
		}
		part, _ := NewServices(entries).Part("f", over, false)
		cl, _ := newRows(over).find(entries[i].Name)
		want := []any{Document{{"id", cl.Service}, {"port", int(to)}}}
		if got := part.Plan[2].Value; !cmp.Equal(got, any(want)) {
			t.Fatalf("%s: got %s", over.Plan, part.YAML())
		}
	})
}

func FuzzServices(f *testing.F) {
	f.Add(odd)
	f.Add("a 1/tcp\r\n\r\n\rb 2/udp c d # e\n\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		s, found := ParseServices("f", []byte(text))
		if string(s.Bytes()) != text {
			t.Errorf("%q comes back as %q", text, s.Bytes())
		}
		for _, e := range s.Entries() {
			if e.Port == 0 || e.Name == "" || strings.ContainsAny(e.Name, " \t\r\n#") {
				t.Errorf("%q: %+v", text, e)
			}
		}
		if len(found) > maxFindings+1 {
			t.Errorf("%d findings", len(found))
		}
		over := ports.Compiled{Plan: "default", Claims: []ports.Claim{{Service: "reeve", Name: "b", Protocol: ports.TCP, Port: 9}}}
		part, _ := s.Part("f", over, false)
		readable(t, part, over)
	})
}
