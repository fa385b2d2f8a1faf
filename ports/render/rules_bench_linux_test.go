package render

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// manyClaims is a site with 10,000 claims, none beside another, for one host.
func manyClaims(t testing.TB) Input {
	t.Helper()
	p := ports.Plan{Name: "many", Roles: []ports.Role{{ID: "agent", Is: ports.Agent}, {ID: "server", Is: ports.Server}}}
	for i := range 10_000 {
		p.Services = append(p.Services, ports.Service{
			ID: fmt.Sprintf("s%d", i), Name: fmt.Sprintf("s%d", i), Function: "f", Port: ports.Formula(strconv.Itoa(2000 + 3*i)), Protocols: []ports.Protocol{ports.TCP},
			Binds: true, Scope: ports.External, Status: ports.Works, Flows: []ports.Flow{{From: "agent", To: "server", Purpose: "data"}},
		})
	}
	inv := ports.Inventory{Hosts: []ports.Host{{Name: "in", Roles: []string{"server"}, Bind: []string{"10.66.0.1"}}, {Name: "out", Roles: []string{"agent"}, Networks: []string{"10.66.0.0/24"}}}}
	c, found := ports.Compile(p, inv, 0)
	if ports.HasErrors(found) {
		t.Fatal(found[0])
	}
	return Input{Site: ports.Site{Compiled: c, Inventory: inv}, Host: "in"}
}

// TestNftablesManyClaims: 10,000 claims are one set of 10,000 entries, which the kernel takes.
func TestNftablesManyClaims(t *testing.T) {
	t.Parallel()
	began := time.Now()
	in := manyClaims(t)
	compiled := time.Since(began)
	began = time.Now()
	text, _ := rendered(t, "nftables", in)
	renderedIn := time.Since(began)
	if got := regexp.MustCompile(`(?m)^\tset `).FindAllString(text, -1); len(got) != 1 {
		t.Errorf("%d sets, want 1", len(got))
	}
	if n := strings.Count(text, " . tcp . 10.66.0.0/24"); n != 10_000 {
		t.Errorf("%d entries, want 10000", n)
	}
	p := newPlace(t, "nft")
	began = time.Now()
	p.load(text, "nft", "-f")
	loaded := time.Since(began)
	t.Logf("compiled in %s, rendered in %s, loaded in %s", compiled, renderedIn, loaded)
	if n := strings.Count(p.run("nft list ruleset"), "data"); n != 10_000 {
		t.Errorf("the kernel has %d entries, want 10000", n)
	}
}

// BenchmarkNftables renders 10,000 claims and loads them: the figure is for both, and must stay under a second.
func BenchmarkNftables(b *testing.B) {
	in := manyClaims(b)
	for b.Loop() {
		if _, err := nftables(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/10000-claims")
}

// TestNftablesManyHosts: many networks have a set of their own, so that each stands there once.
func TestNftablesManyHosts(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	inv := ports.Inventory{Hosts: []ports.Host{{Name: "in", Roles: []string{"server"}, Bind: []string{"10.66.0.1"}}}}
	for i := range 5000 {
		inv.Hosts = append(inv.Hosts, ports.Host{Name: fmt.Sprintf("a%d", i), Roles: []string{"agent", "client"}, Bind: []string{fmt.Sprintf("10.%d.%d.1", i/250, i%250)}})
	}
	in := Input{Site: compiled(t, plan, inv, 0), Host: "in"}
	text, _ := rendered(t, "nftables", in)
	if open, _ := readNft(t, text); len(open) < 5000 {
		t.Errorf("%d entries", len(open))
	}
	if n := strings.Count(text, "10.3.7.1"); n > 3 {
		t.Errorf("a host stands there %d times", n)
	}
	p := newPlace(t, "nft")
	path := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("nft -f " + path)
}
