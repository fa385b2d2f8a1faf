package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/server"
)

// TestValidateTellsAllAtOnce spoils fields one by one, and then all of them together.
func TestValidateTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	wrong := map[string]func(*server.Config){
		"data":              func(c *server.Config) { c.Data = "" },
		"domain":            func(c *server.Config) { c.Domain = "No Domain" },
		"name":              func(c *server.Config) { c.Name = "no/name" },
		"bind":              func(c *server.Config) { c.Bind = []string{"host.example"} },
		"advertise":         func(c *server.Config) { c.Advertise = []string{"https://host"} },
		"link":              func(c *server.Config) { c.Link.Timeout = c.Link.Heartbeat },
		"retention.runs":    func(c *server.Config) { c.Retention.Runs.Count = -1 },
		"artifacts.limit":   func(c *server.Config) { c.Artifacts.Limit = 0 },
		"disk.reserve":      func(c *server.Config) { c.Disk.Reserve = 1 },
		"log.level":         func(c *server.Config) { c.Log.Level = "loud" },
		"log.format":        func(c *server.Config) { c.Log.Format = "xml" },
		"retention.output:": func(c *server.Config) { c.Retention.Output.Age = -1 },
	}
	all := server.Default()
	for field, spoil := range wrong {
		one := server.Default()
		one.Data = "/data"
		if err := one.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&one)
		if err := one.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is wrong, and Validate says %v", field, err)
		}
		spoil(&all)
	}
	err := all.Validate()
	for field := range wrong {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("all is wrong, and Validate does not speak of %s: %v", field, err)
		}
	}
}

// TestLoadTellsThePlace: a mistake in the file has its line and column; no text makes it panic.
func TestLoadTellsThePlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want string // of the error: its beginning behind the file's name; empty: it is good
	}{
		"empty":          {"", ""},
		"white space":    {"\n  \n", ""},
		"comment":        {"# nothing\n", ""},
		"good":           {"log:\n  level: debug\nbind: [127.0.0.1]\nlink: {heartbeat: 5s}\n", ""},
		"unknown field":  {"plan: default\nplam: x\n", ":2:1: "},
		"unknown deeper": {"log:\n  level: info\n  colour: red\n", ":3:3: "},
		"wrong type":     {"instance: many\n", ":1:11: "},
		"no duration":    {"link:\n  heartbeat: often\n", ":2:14: "},
		"not a map":      {"- a\n- b\n", ":1:"},
		"no YAML":        {"plan: [\n", ":1:"},
		"twice":          {"plan: a\nplan: b\n", ":2:1: "},
		"a tab":          {"log:\n\tlevel: info\n", ":2:"},
	} {
		file := filepath.Join(t.TempDir(), "server.yaml")
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := server.Default()
		err := server.Load(&c, file)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), file+test.want) || !fault.Is(err, fault.Invalid)):
			t.Errorf("%s: got %v, want %s%s…", name, err, file, test.want)
		}
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# a long story\n", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := server.Default()
	if err := server.Load(&c, big); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a big file: %v", err)
	}
	if err := server.Load(&c, filepath.Join(t.TempDir(), "none.yaml")); !fault.Is(err, fault.Invalid) {
		t.Errorf("no file: %v", err)
	}
}

// FuzzLoad: no configuration, however wrong, makes the reader panic, and what is loaded can be validated.
func FuzzLoad(f *testing.F) {
	f.Add("log: {level: debug}\nbind: [127.0.0.1]\n")
	f.Add("link:\n  heartbeat: 10s\n? - :\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "server.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := server.Default()
		if server.Load(&c, file) == nil {
			_ = c.Validate()
		}
	})
}
