package builtin_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// The promises of the default plan: one port that carries every door but discovery, one number an instance, agents
// that dial out first.
func TestDefault(t *testing.T) {
	t.Parallel()
	p, err := builtin.Load(builtin.Default)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[ports.Port]bool{}
	for i := range 10 {
		c, found := ports.Compile(p, ports.Inventory{}, i)
		if len(found) > 0 {
			t.Fatal(found)
		}
		binds := 0
		for _, cl := range c.Claims {
			if !cl.Binds {
				continue
			}
			binds++
			if seen[cl.Port] || !cl.TLS || cl.Protocol != ports.TCP {
				t.Errorf("instance %d: %+v", i, cl)
			}
			seen[cl.Port] = true
		}
		if binds != 1 {
			t.Errorf("instance %d binds %d ports", i, binds)
		}
		for _, door := range ports.Doors() {
			if got := len(c.Door(door)); got != 1 && door != "discovery" {
				t.Errorf("instance %d: door %s has %d claims", i, door, got)
			}
		}
		if links := c.Carrying("link"); len(links) != 2 || links[0].From != "agent" || links[0].To != "server" || links[1].When == "" {
			t.Errorf("instance %d: links %+v", i, links)
		}
	}
	if _, found := ports.Compile(p, ports.Inventory{}, 10); !ports.HasErrors(found) {
		t.Error("instance 10 compiles")
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	file := func(text string) func(string) (io.ReadCloser, error) {
		return func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	}
	missing := func(name string) (io.ReadCloser, error) {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	for _, name := range []string{"", builtin.Default} {
		if p, err := builtin.Resolve(name, missing); err != nil || p.Name != builtin.Default {
			t.Errorf("%q: got %q, %v", name, p.Name, err)
		}
	}
	p, err := builtin.Resolve("site.yaml", file("plan: site\nextends: default\nroles: {watch: {managed: false}}\n"))
	if err != nil || p.Name != "site" || p.Extends != builtin.Default || len(p.Services) == 0 {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := builtin.Resolve("defalt", missing); err == nil || !strings.Contains(err.Error(), "neither built in (acs, arcserve, default, jobscheduler, systemwalker) nor a file") {
		t.Errorf("got %v", err)
	}
	if _, err := builtin.Resolve("x", func(string) (io.ReadCloser, error) { return nil, fs.ErrPermission }); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	var mistakes planfile.Mistakes
	if _, err := builtin.Resolve("x", file("plan: x\nextends: nobody\n")); !errors.As(err, &mistakes) || !strings.Contains(err.Error(), "no such built-in plan") {
		t.Errorf("got %v", err)
	}
	if _, err := builtin.Resolve("x", file(strings.Repeat("#", 5<<20))); !errors.As(err, &mistakes) {
		t.Errorf("got %.100v", err)
	}
	if _, err := builtin.Load("nobody"); !errors.Is(err, builtin.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		if text, ok := builtin.Source(name + ".yaml"); !ok || !strings.Contains(string(text), "plan: "+name+"\n") {
			t.Errorf("%s: got %q, %v", name, text, ok)
		}
	}
	for _, name := range []string{"", "default", "nobody.yaml", ".yaml", "../builtin.go"} {
		if text, ok := builtin.Source(name); ok {
			t.Errorf("%s: got %q", name, text)
		}
	}
}

// extended is a site's plan over a built-in one.
func extended(t *testing.T, text string) ports.Plan {
	t.Helper()
	p, err := planfile.Parse("site.yaml", []byte(text), builtin.Load)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
