//go:build linux

package firewall_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// Behind each plan every rule of the router (of a long plan some, but for make fault) is taken away in turn, with nothing else: `reeve ports verify` names that flow
// between nodes, a probe names it from a client's host, and both find all others as good as before; links and jobs that
// do not need it go on.
func TestRulesTakenAway(t *testing.T) {
	t.Parallel()
	for _, tp := range []topology{
		{plan: builtin.Default, inventory: threeZones},
		{plan: "systemwalker", inventory: threeZones},
		{plan: "jobscheduler", inventory: jobschedulerSite},
		{plan: "arcserve", inventory: arcserveSite, extends: arcserveOpen},
		{plan: "acs", inventory: threeZones},
	} {
		t.Run(tp.plan, func(t *testing.T) {
			t.Parallel()
			l := build(t, tp)
			l.serve("hq")
			l.member("north")
			l.member("south")
			good := l.proofs()
			taken := distinct(l.holes)
			step := 1
			if few := 5; *rounds < campaign {
				step = max(1, len(taken)/few)
			}
			for i := 0; i < len(taken); i += step {
				gone := taken[i]
				left := slices.DeleteFunc(slices.Clone(l.holes), gone.same)
				l.router.nft(l.rules(left))
				l.wantNamed(gone, good, left)
				l.linked("north", true)
				l.linked("south", true)
			}
			l.close()
			l.wantNamed(hole{}, good, l.holes)
			l.judge()
			t.Logf("%d of %d rules were taken away in turn", (len(taken)+step-1)/step, len(taken))
		})
	}
}

// same reports whether two holes let the same packets through, be it for several flows.
func (h hole) same(o hole) bool {
	h.flow = o.flow
	return h == o
}

// distinct are the openings but for those that let the same packets through as another one.
func distinct(holes []hole) []hole {
	var all []hole
	for _, h := range holes {
		if !slices.ContainsFunc(all, h.same) {
			all = append(all, h)
		}
	}
	return all
}

// proofs are what is known of every path now, from each host that can say it: the nodes by `ports verify`, a client's host
// by a probe of its own.
func (l *laboratory) proofs() map[string]api.Proof {
	l.t.Helper()
	all := map[string]api.Proof{}
	v, _ := l.verify()
	for _, p := range v.nodes() {
		if p.Verdict != "unproven" {
			all[fmt.Sprintf("%s %s>%s", p.Flow, p.From, p.Address)] = p
		}
	}
	for name, h := range l.hosts {
		if slices.ContainsFunc(l.holes, func(o hole) bool { return o.source == "desk" && o.to.Contains(h.address) }) {
			for _, p := range l.probeFrom("desk", name) {
				all[fmt.Sprintf("%s %s>%s", p.Flow, p.From, p.Address)] = p
			}
		}
	}
	return all
}

// probeFrom lets a host dial all that it may dial at another one.
func (l *laboratory) probeFrom(name, to string) []api.Proof {
	l.t.Helper()
	out, errs, code := l.hosts[name].run("ports", "probe", "dial", to, "--all", "--from", name, "--plan", l.plan, "--inventory", l.inventory(), "-o", "json")
	var all []api.Proof
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		l.t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	return all
}

// wantNamed wants every path that the rules which are left let through to be as good as before, and every other one to be
// called blocked; where only the dialling end is asked, silent behind the router.
func (l *laboratory) wantNamed(gone hole, good map[string]api.Proof, left []hole) {
	l.t.Helper()
	named := 0
	now := l.proofs()
	for key, before := range good {
		p, ok := now[key]
		at := netip.MustParseAddrPort(before.Address)
		from := netip.AddrPortFrom(l.hosts[before.From].address, 1)
		open := slices.ContainsFunc(left, func(h hole) bool {
			return h.lets(packet{protocol: ports.Protocol(before.Protocol), from: from, to: at})
		})
		switch {
		case !ok:
			l.t.Errorf("without %s nothing is said of %s", gone, key)
		case open && p.Verdict != before.Verdict:
			l.t.Errorf("without %s the path %s is %s (%s), want it as before: %s", gone, key, p.Verdict, p.Text, before.Verdict)
		case !open && p.Verdict != "blocked" && !strings.Contains(p.Text, "nothing came back after hop"):
			l.t.Errorf("without %s the path %s is %s (%s), want it blocked, or failed behind the router", gone, key, p.Verdict, p.Text)
		case !open:
			named++
		}
	}
	if gone.flow != "" && named == 0 {
		l.t.Errorf("without %s nothing is called blocked", gone)
	}
}
