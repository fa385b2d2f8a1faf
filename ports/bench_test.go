package ports_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// large is a plan of 200 roles with three services and a pool each, in ten instances, and 10,000 hosts of which each
// plays three roles and has an address of its own.
func large() (ports.Plan, ports.Inventory) {
	const roles, hosts = 200, 10_000
	p := ports.Plan{Name: "large", Instance: "i", Vars: []ports.Var{{Name: "i", Max: 9}}}
	tcp := []ports.Protocol{ports.TCP}
	role := func(n int) string { return fmt.Sprintf("role-%d", n%roles) }
	for n := range roles {
		p.Roles = append(p.Roles, ports.Role{ID: role(n), Is: []ports.RoleKind{ports.Server, ports.Agent, ports.Client}[n%3]})
		for k := range 3 {
			p.Services = append(p.Services, ports.Service{
				ID: fmt.Sprintf("service-%d-%d", n, k), Name: fmt.Sprintf("service-%d-%d", n, k), Protocols: tcp, Binds: true,
				Port:  ports.Formula(fmt.Sprintf("%d + i*1000", 10000+n*3+k)),
				Flows: []ports.Flow{{From: role(n + 1), To: role(n), Carries: []string{"link"}}, {From: role(n + 7), To: role(n)}},
			})
		}
		first := ports.Port(30000 + n*100)
		p.Pools = append(p.Pools, ports.Pool{
			Service: ports.Service{ID: fmt.Sprintf("pool-%d", n), Protocols: tcp, Binds: true, RunsOn: []string{role(n)}},
			Span:    ports.Span{Ranges: []ports.Range{{First: first, Last: first + 99}}}, Parity: ports.Even,
			Pair: ports.Pair{ID: "debug", Delta: 1, Optional: true},
		})
	}
	inv := ports.Inventory{Name: "large"}
	for n := range 20 {
		inv.Zones = append(inv.Zones, ports.Zone{Name: fmt.Sprintf("zone-%d", n)})
	}
	for n := range hosts {
		address := fmt.Sprintf("10.%d.%d.%d", n/250/250, n/250%250, n%250+1)
		inv.Hosts = append(inv.Hosts, ports.Host{
			Name: fmt.Sprintf("host-%d", n), Roles: []string{role(n), role(n*7 + 3), role(n*13 + 5)}, Zone: inv.Zones[n%20].Name,
			Bind: []string{address}, Advertise: []string{address},
		})
	}
	return p, inv
}

// BenchmarkCompileLarge compiles and checks 200 roles on 10,000 hosts. The figure is under 1 s and 200 MB.
func BenchmarkCompileLarge(b *testing.B) {
	p, inv := large()
	b.ReportAllocs()
	for b.Loop() {
		if _, found := ports.Compile(p, inv, 0); ports.HasErrors(found) {
			b.Fatal(found[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/plan")
}

// The memory that one compilation asks for in all, freed or not, is an upper bound of what it holds at one time.
func TestCompileLarge(t *testing.T) { // not parallel: it counts what the process allocates
	p, inv := large()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, found := ports.Compile(p, inv, 0)
	runtime.ReadMemStats(&after)
	for _, d := range found {
		if d.Severity == ports.Error {
			t.Fatal(d)
		}
	}
	if len(c.Claims) != 200*(3+2) {
		t.Errorf("%d claims", len(c.Claims))
	}
	const limit = 200 << 20
	if got := after.TotalAlloc - before.TotalAlloc; got > limit {
		t.Errorf("compiling asked for %d MB, more than %d", got>>20, limit>>20)
	}
	// One host's openings are found without looking at every pair of hosts.
	in, out := (ports.Site{Compiled: c, Inventory: inv}).Openings("host-17")
	if len(in) == 0 || len(out) == 0 {
		t.Errorf("host-17 has %d and %d openings", len(in), len(out))
	}
}
