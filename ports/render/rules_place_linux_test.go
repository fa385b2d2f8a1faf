package render

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// labSite is a plan on two hosts: all roles of servers inside, all others outside, as one address of each family.
func labSite(t *testing.T, plan ports.Plan, instance int, insideKinds ...ports.RoleKind) ports.Site {
	t.Helper()
	in := ports.Host{Name: "in", Bind: []string{inside[0].String(), inside[1].String()}}
	out := ports.Host{Name: "out", Bind: []string{outside[0].String(), outside[1].String()}}
	for _, r := range plan.Roles {
		if slices.Contains(insideKinds, r.Is) {
			in.Roles = append(in.Roles, r.ID)
		}
		if !slices.Contains(insideKinds, r.Is) || r.Is == ports.Server {
			out.Roles = append(out.Roles, r.ID)
		}
	}
	return compiled(t, plan, ports.Inventory{Name: "lab", Hosts: []ports.Host{in, out}}, instance)
}

// labProbes asks for three numbers inside each opening and the two next to it (F73), from the planned address and from
// another, of both families; and for numbers that are the host's own.
func labProbes(in Input) []probe {
	open := map[string]bool{}
	for _, r := range planned(in) {
		for n := r.first; n <= r.last; n++ {
			open[fmt.Sprintf("%s %d", r.protocol, n)] = true
		}
	}
	asked := map[string]bool{}
	var probes []probe
	ask := func(protocol string, n int, why string) {
		key := fmt.Sprintf("%s %d", protocol, n)
		if n < 1 || n > 65535 || asked[key] {
			return
		}
		asked[key] = true
		for i := range inside {
			probes = append(probes,
				probe{protocol, n, outside[i], inside[i], open[key], why},
				probe{protocol, n, planless[i], inside[i], false, why + ", from a stranger"})
		}
	}
	ins, _ := in.Site.Openings(in.Host)
	for _, o := range ins {
		first, last := int(o.First), int(o.Last)
		for _, protocol := range []string{"tcp", "udp"} {
			for _, n := range []int{first, (first + last) / 2, last} {
				ask(protocol, n, o.Flow)
			}
			ask(protocol, first-1, "before "+o.Flow)
			ask(protocol, last+1, "after "+o.Flow)
		}
	}
	for _, cl := range in.Site.Closed(in.Host) {
		ask(string(cl.Protocol), int(cl.Port), cl.Service+" is the host's own")
	}
	for _, cl := range in.Site.Compiled.Claims {
		ask(string(cl.Protocol), int(cl.Port), cl.Service+", a row of the plan")
	}
	ask("tcp", 22, "what the plan does not have")
	return probes
}

func portsOf(probes []probe) []int {
	var out []int
	for _, p := range probes {
		out = append(out, p.port)
	}
	return out
}

// labTool is a firewall that can be loaded in the laboratory.
type labTool struct {
	target      string
	tools       []string
	load, check []string // followed by the file, and for a script by what is in more
	more        string
	list        func(p *place) string
	others      string // commands that lay rules of others, as a script
}

func labTools() []labTool {
	return []labTool{
		{
			target: "nftables", tools: []string{"nft"}, load: []string{"nft", "-f"}, check: []string{"nft", "-c", "-f"},
			list:   func(p *place) string { return p.run("nft list ruleset") },
			others: "nft add table ip others\nnft 'add chain ip others c { type filter hook input priority filter; }'\nnft add rule ip others c tcp dport 1 drop\n",
		},
		{
			target: "iptables", tools: []string{"iptables", "ip6tables"}, load: []string{"sh"}, check: []string{"sh"}, more: "check",
			list: func(p *place) string {
				return counters.ReplaceAllString(p.run("iptables-save")+p.run("ip6tables-save"), "")
			},
			others: "for t in iptables ip6tables; do $t -N others; $t -A others -p tcp --dport 1 -j DROP; $t -A INPUT -j others; done\n",
		},
	}
}

var counters = regexp.MustCompile(`(?m)^#.*\n| \[\d+:\d+\]$`)

// TestFirewallsInPlace loads the rules of every built-in plan into a host of its own and asks from outside: planned
// numbers pass, their neighbours do not, from planned addresses only, of both families and transports; before and after, all pass.
// F68, F72, F73, F74, P7, P12.
func TestFirewallsInPlace(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		plan := builtinPlan(t, name)
		for _, instance := range plan.Instances() {
			if instance > 0 && instance != 9 {
				continue // the first and the last
			}
			for side, kinds := range map[string][]ports.RoleKind{"servers": {ports.Server}, "others": {ports.Agent, ports.Desk, ports.Client}} {
				for _, tool := range labTools() {
					t.Run(fmt.Sprintf("%s/%d/%s/%s", name, instance, side, tool.target), func(t *testing.T) {
						t.Parallel()
						tool.inPlace(t, Input{Site: labSite(t, plan, instance, kinds...), Host: "in", Owner: "batch-platform", Expiry: "2027-01-01"})
					})
				}
			}
		}
	}
}

func (tool labTool) inPlace(t *testing.T, in Input) {
	t.Helper()
	inPlace, outPlace := wired(t, tool.tools...)
	probes := labProbes(in)
	e := inPlace.listen(portsOf(probes))
	outPlace.expect(e, all(probes))

	inPlace.load(tool.others, "sh", "-e")
	before := tool.list(inPlace)
	text, _ := rendered(t, tool.target, in)
	inPlace.load(text, append(tool.check, "FILE", tool.more)...)
	if diff := cmp.Diff(before, tool.list(inPlace)); diff != "" {
		t.Errorf("a check changed the rules (-before +after):\n%s", diff)
	}
	inPlace.load(text, tool.load...)
	once := tool.list(inPlace)
	inPlace.load(text, tool.load...)
	if diff := cmp.Diff(once, tool.list(inPlace)); diff != "" {
		t.Errorf("a second load changed the rules (-once +twice):\n%s", diff)
	}
	outPlace.expect(e, probes)
	inPlace.expect(e, ownProbes(in))

	in.Undo = true
	text, _ = rendered(t, tool.target, in)
	for range 2 { // and once more
		inPlace.load(text, tool.load...)
		if diff := cmp.Diff(before, tool.list(inPlace)); diff != "" {
			t.Errorf("something is left (-before +after):\n%s", diff)
		}
	}
	outPlace.expect(e, all(probes))
}

// all expects every probe to pass, as without rules: what is dropped with rules is then dropped by them.
func all(probes []probe) []probe {
	out := slices.Clone(probes)
	for i := range out {
		out[i].passes = true
	}
	return out
}

// ownProbes ask from the host itself: what is its own it may use.
func ownProbes(in Input) []probe {
	var probes []probe
	for _, cl := range in.Site.Closed(in.Host) {
		for _, a := range append(inside[:2:2], netip.MustParseAddr("127.0.0.1")) {
			probes = append(probes, probe{string(cl.Protocol), int(cl.Port), a, a, true, cl.Service + " from the host itself"})
		}
	}
	return probes
}

// TestFirewallsTogether: the rules of two instances on one host add up, and taking one back leaves the other.
func TestFirewallsTogether(t *testing.T) {
	t.Parallel()
	for _, tool := range labTools() {
		t.Run(tool.target, func(t *testing.T) {
			t.Parallel()
			tool.together(t, builtinPlan(t, "acs"))
		})
	}
}

func (tool labTool) together(t *testing.T, plan ports.Plan) {
	t.Helper()
	var ins []Input
	for _, instance := range []int{1, 2} {
		ins = append(ins, Input{Site: labSite(t, plan, instance, ports.Server), Host: "in"})
	}
	inPlace, outPlace := wired(t, tool.tools...)
	both := append(labProbes(ins[0]), labProbes(ins[1])...)
	e := inPlace.listen(portsOf(both))
	for _, in := range ins {
		text, _ := rendered(t, tool.target, in)
		inPlace.load(text, tool.load...)
	}
	for i := range both {
		both[i].passes = both[i].passes || slices.ContainsFunc(both, func(p probe) bool {
			return p.passes && p.protocol == both[i].protocol && p.port == both[i].port && p.from == both[i].from
		})
	}
	outPlace.expect(e, both)
	ins[0].Undo = true
	text, _ := rendered(t, tool.target, ins[0])
	inPlace.load(text, tool.load...)
	outPlace.expect(e, labProbes(ins[1]))
	if got := tool.list(inPlace); strings.Contains(got, "reeve_acs_1") || !strings.Contains(got, "reeve_acs_2") {
		t.Errorf("the first is not gone, or the second is not there:\n%s", got)
	}
}

// TestFirewallsChange: rules that are loaded over those of an older plan are those that a host without them gets.
func TestFirewallsChange(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	wide := plan
	wide.Policies.Egress = "restricted"
	wide.Services = slices.Clone(plan.Services)
	for i := range 40 { // more than one rule of each transport
		wide.Services = append(wide.Services, ports.Service{
			ID: fmt.Sprintf("more%d", i), Function: "more", Port: ports.Formula(strconv.Itoa(15000 + 2*i)), Protocols: []ports.Protocol{ports.TCP},
			Binds: true, Scope: ports.External, Status: ports.Works, Flows: []ports.Flow{{From: "client", To: "server", Purpose: "more"}},
		})
	}
	old, now := Input{Site: compiled(t, wide, mixedHosts(plan), 0), Host: "hq1"}, Input{Site: compiled(t, plan, mixedHosts(plan), 0), Host: "hq1"}
	for _, tool := range labTools() {
		t.Run(tool.target, func(t *testing.T) {
			t.Parallel()
			p, fresh := newPlace(t, tool.tools...), newPlace(t)
			for _, in := range []Input{old, now} {
				text, _ := rendered(t, tool.target, in)
				p.load(text, tool.load...)
			}
			text, _ := rendered(t, tool.target, now)
			fresh.load(text, tool.load...)
			if diff := cmp.Diff(tool.list(fresh), tool.list(p)); diff != "" {
				t.Errorf("(-fresh +changed):\n%s", diff)
			}
		})
	}
}

// TestFirewallsRestricted: where the plan restricts outgoing connections, only planned ones leave the host.
func TestFirewallsRestricted(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	plan.Policies.Egress = "restricted"
	in := Input{Site: labSite(t, plan, 0, ports.Server), Host: "in"}
	for _, tool := range []string{"nftables", "iptables"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			inPlace, outPlace := wired(t, "nft", "iptables")
			text, _ := rendered(t, tool, in)
			inPlace.load(text, map[string][]string{"nftables": {"nft", "-f"}, "iptables": {"sh"}}[tool]...)
			open := map[string]bool{}
			for _, r := range planned(in) {
				for n := r.first; r.way == "out" && n <= r.last; n++ {
					open[fmt.Sprintf("%s %d", r.protocol, n)] = true
				}
			}
			_, outs := in.Site.Openings("in")
			var probes []probe
			seen := map[string]bool{}
			for _, o := range outs {
				for _, n := range []int{int(o.First), int(o.First) + 1, int(o.First) - 1} {
					key := fmt.Sprintf("%s %d", o.Protocol, n)
					if o.First == 0 || seen[key] || len(o.Destinations) == 0 {
						continue
					}
					seen[key] = true
					for i := range inside {
						probes = append(probes, probe{string(o.Protocol), n, inside[i], outside[i], open[key], o.Flow})
					}
				}
			}
			e := outPlace.listen(portsOf(probes))
			inPlace.expect(e, probes)
		})
	}
}
