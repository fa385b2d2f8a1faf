package ports_test

import (
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// exampleSite is a plan and an inventory as a program of another house would write them.
func exampleSite() (ports.Plan, ports.Inventory) {
	p := ports.Plan{
		Name: "example", Instance: "instance",
		Vars:  []ports.Var{{Name: "instance", Max: 9}},
		Roles: []ports.Role{{ID: "server", Is: ports.Server}, {ID: "agent", Is: ports.Agent}},
		Services: []ports.Service{{
			ID: "link", Name: "example", Port: "25000 + instance", Protocols: []ports.Protocol{ports.TCP}, Binds: true,
			Flows: []ports.Flow{{From: "agent", To: "server", Purpose: "the link", Carries: []string{"link"}}},
		}},
		Pools: []ports.Pool{{
			Service: ports.Service{
				ID: "callback", Protocols: []ports.Protocol{ports.TCP}, Binds: true,
				Flows: []ports.Flow{{From: "agent", To: "server", Purpose: "the end of a task"}},
			},
			Span: ports.Span{From: 29999}, Down: true, // as many as the capacity needs
			Hold: ports.Hold{Min: 120 * time.Second}, Capacity: ports.Capacity{Parallel: 10, Rate: 1},
		}},
	}
	inv := ports.Inventory{
		Name: "example",
		Hosts: []ports.Host{
			{Name: "hq", Roles: []string{"server"}, Advertise: []string{"hq.example.com"}},
			{Name: "far", Roles: []string{"agent"}, Advertise: []string{"10.2.0.5"}},
		},
	}
	return p, inv
}

func ExampleCompile() {
	plan, inventory := exampleSite()
	compiled, findings := ports.Compile(plan, inventory, 3)
	fmt.Println("usable:", !ports.HasErrors(findings))
	for _, claim := range compiled.Claims {
		fmt.Println(claim.Service, claim.Range(), claim.Protocol, claim.Status)
	}
	// Output:
	// usable: true
	// link 25003 tcp works
	// callback 29870-29999 tcp works
}

func ExampleCompile_findings() {
	plan, inventory := exampleSite()
	plan.Services = append(plan.Services, ports.Service{
		ID: "metrics", Port: "25007", Protocols: []ports.Protocol{ports.TCP}, Binds: true, RunsOn: []string{"server"},
	})
	_, findings := ports.Compile(plan, inventory, 0)
	for _, finding := range findings {
		fmt.Println(finding)
	}
	// Output:
	// PP120 error: on host hq, service link and service metrics both claim 25007/tcp in instance 7; give one of them another number
}

func ExampleCompiled_Rows() {
	plan, inventory := exampleSite()
	compiled, _ := ports.Compile(plan, inventory, 0)
	for _, row := range compiled.Rows() {
		fmt.Printf("%-8s %-11s %s %s -> %s: %s\n", row.ID, row.Port, row.Protocol, row.Source, row.Destination, row.Purpose)
	}
	// Output:
	// link     25000       tcp agent -> server: the link
	// callback 29870-29999 tcp agent -> server: the end of a task
}

func ExampleSite_Openings() {
	plan, inventory := exampleSite()
	compiled, _ := ports.Compile(plan, inventory, 0)
	in, _ := ports.Site{Compiled: compiled, Inventory: inventory}.Openings("hq")
	for _, o := range in {
		fmt.Printf("%s may connect to %s on %d-%d/%s\n", o.Sources[0].Address, o.Destinations[0].Address, o.First, o.Last, o.Protocol)
	}
	// Output:
	// 10.2.0.5 may connect to hq.example.com on 25000-25000/tcp
	// 10.2.0.5 may connect to hq.example.com on 29870-29999/tcp
}

func ExampleGuard() {
	holds, err := ports.Guard("ACS_INSTANCE > 0 && !openings.centric").Eval(map[string]int{"ACS_INSTANCE": 2, "openings.centric": 0})
	fmt.Println(holds, err)
	// Output: true <nil>
}

func ExampleFormula() {
	n, err := ports.Formula("3000 + ACS_INSTANCE*100 + offset").Eval(map[string]int{"ACS_INSTANCE": 2, "offset": 12})
	fmt.Println(n, err)
	// Output: 3212 <nil>
}
