package identity

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const goodURI = "reeve://test.example/agent/north-1/abcdefgh234567"

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := Parse(goodURI)
	want := Identity{Domain: "test.example", Role: RoleAgent, Name: "north-1", ID: "abcdefgh234567"}
	if err != nil || got != want {
		t.Errorf("Parse(%q) = %+v, %v; want %+v", goodURI, got, err, want)
	}
	if got.String() != goodURI {
		t.Errorf("String() = %q, want %q", got.String(), goodURI)
	}
}

func badURIs() map[string]string {
	return map[string]string{
		"empty":              "",
		"no parts":           "reeve://",
		"other scheme":       "spiffe://test/agent/north/abcdefgh",
		"upper-case scheme":  "REEVE://test/agent/north/abcdefgh",
		"upper-case domain":  "reeve://Test/agent/north/abcdefgh",
		"upper-case role":    "reeve://test/Agent/north/abcdefgh",
		"upper-case name":    "reeve://test/agent/North/abcdefgh",
		"upper-case id":      "reeve://test/agent/north/ABCDEFGH",
		"unknown role":       "reeve://test/admin/north/abcdefgh",
		"trailing dot":       "reeve://test./agent/north/abcdefgh",
		"leading dot":        "reeve://.test/agent/north/abcdefgh",
		"two dots":           "reeve://te..st/agent/north/abcdefgh",
		"name of dots":       "reeve://test/agent/../abcdefgh",
		"trailing slash":     "reeve://test/agent/north/abcdefgh/",
		"double slash":       "reeve://test//agent/north/abcdefgh",
		"part missing":       "reeve://test/agent/abcdefgh",
		"part too many":      "reeve://test/agent/north/south/abcdefgh",
		"escaped slash":      "reeve://test/agent/north%2fsouth/abcdefgh",
		"escaped letter":     "reeve://test/agent/%6eorth/abcdefgh",
		"escaped NUL":        "reeve://test/agent/north%00/abcdefgh",
		"NUL":                "reeve://test/agent/north\x00.evil/abcdefgh",
		"newline":            "reeve://test/agent/north\n/abcdefgh",
		"white space":        " reeve://test/agent/north/abcdefgh",
		"homoglyph":          "reeve://test/agent/n\u043erth/abcdefgh",
		"wildcard":           "reeve://test/agent/*/abcdefgh",
		"wildcard domain":    "reeve://*/agent/north/abcdefgh",
		"user":               "reeve://root@test/agent/north/abcdefgh",
		"port":               "reeve://test:7/agent/north/abcdefgh",
		"query":              "reeve://test/agent/north/abcdefgh?role=server",
		"fragment":           "reeve://test/agent/north/abcdefgh#server",
		"hyphen at the end":  "reeve://test/agent/north-/abcdefgh",
		"id too short":       "reeve://test/agent/north/abc",
		"id too long":        "reeve://test/agent/north/" + strings.Repeat("a", 41),
		"name too long":      "reeve://test/agent/" + strings.Repeat("a", 64) + "/abcdefgh",
		"domain too long":    "reeve://" + strings.Repeat("a.", 64) + "a/agent/north/abcdefgh",
		"64 KiB":             "reeve://test/agent/" + strings.Repeat("a", 64<<10) + "/abcdefgh",
		"backslash":          `reeve://test/agent\north/abcdefgh`,
		"invalid UTF-8":      "reeve://test/agent/nor\xffth/abcdefgh",
		"zero-width space":   "reeve://test/agent/north\u200b/abcdefgh",
		"full-width letters": "reeve://test/agent/\uff4eorth/abcdefgh",
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, uri := range badURIs() {
		got, err := Parse(uri)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: Parse = %+v, %v; want an error of kind invalid", name, got, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
}

func TestNodeIDsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id, err := NewNodeID(rand.Reader)
		if err != nil || checkNodeID(id) != nil || seen[id] {
			t.Fatalf("NewNodeID = %q, %v; want a new valid id", id, err)
		}
		seen[id] = true
	}
	if _, err := NewNodeID(strings.NewReader("short")); err == nil {
		t.Error("NewNodeID without chance succeeded, want an error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(goodURI)
	for _, uri := range badURIs() {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		id, err := Parse(uri)
		if err == nil && id.String() != uri {
			t.Errorf("Parse(%q) reads as %q: two spellings of one node", uri, id)
		}
	})
}
