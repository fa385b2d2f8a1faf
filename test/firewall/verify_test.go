//go:build linux

package firewall_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// verified is what `reeve ports verify -o json` prints.
type verified struct {
	api.Verification
	Proofs []api.Proof `json:"proofs"`
}

// verify runs the command on the server's host, and returns what it printed and its exit code.
func (l *laboratory) verify(args ...string) (verified, int) {
	l.t.Helper()
	out, errs, code := l.server.run(append([]string{"ports", "verify", "-o", "json"}, args...)...)
	var v verified
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		l.t.Fatalf("ports verify %v: exit code %d, %v\n%s%s", args, code, err, out, errs)
	}
	return v, code
}

// about returns the proofs of a flow between two hosts.
func (v verified) about(flow, from, to string) []api.Proof {
	return slices.DeleteFunc(slices.Clone(v.Proofs), func(p api.Proof) bool { return p.Flow != flow || p.From != from || p.To != to })
}

// nodes returns the proofs between nodes of Reeve: all but those to third parties and from who has no agent.
func (v verified) nodes() []api.Proof {
	return slices.DeleteFunc(slices.Clone(v.Proofs), nobodys)
}

// nobodys reports whether a proof is of a path with an end at which no node of Reeve is.
func nobodys(p api.Proof) bool {
	return strings.HasPrefix(p.Text, "third party") || strings.HasPrefix(p.Text, "no agent") || strings.Contains(p.Text, "no node of Reeve runs on")
}

// Behind a firewall that is rendered from the plan every flow between nodes is proved from both ends, nothing but the plan's
// rows is tried for it, and what was opened for it is closed again. (promise P8)
func TestVerifyOpenings(t *testing.T) {
	t.Parallel()
	for _, plan := range builtin.Names() {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			l := build(t, topology{plan: plan, inventory: threeZones})
			l.serve("hq")
			bring := l.join
			if len(l.site.Compiled.Dials("enrol", ports.Agent, ports.Server)) == 0 {
				bring = l.enrol
			}
			bring("north")
			bring("south")
			v, code := l.verify()
			if code != 0 || v.Bad != 0 || v.Unknown != 0 || len(v.nodes()) < 2 {
				t.Errorf("exit code %d, %d bad, %d unknown, %d proofs between nodes", code, v.Bad, v.Unknown, len(v.nodes()))
			}
			for _, p := range v.nodes() {
				if p.Verdict != "proven" && p.Verdict != "assumed" {
					t.Errorf("%s %s>%s at %s: %s %s: %s", p.Flow, p.From, p.To, p.Address, p.Verdict, p.Reason, p.Text)
				}
				if p.PlanHash != l.site.Compiled.Hash {
					t.Errorf("%s: hash %s", p.Flow, p.PlanHash)
				}
			}
			for _, p := range v.Proofs {
				if nobodys(p) != (p.Verdict == "unproven") {
					t.Errorf("%s %s>%s: %s: %s", p.Flow, p.From, p.To, p.Verdict, p.Text)
				}
			}
			t.Logf("%s: %v", plan, v.Counts)
			l.judge()
			l.wantBound()
		})
	}
}

// pathBlock is a way in which the path from north to hq is taken away, and what must be found.
type pathBlock struct {
	name            string
	where           func(l *laboratory) *place
	hook, rule      string // rule: %s is north, hq and the number
	verdict, reason string
	says            string
}

// Each kind of blockage is called by its name, with the box that does it where that can be known. The link that stands is
// not touched: it is how the agent is asked.
func TestVerifyNamesBlockages(t *testing.T) {
	t.Parallel()
	router := func(l *laboratory) *place { return l.router }
	hq := func(l *laboratory) *place { return l.hosts["hq"].place }
	north := func(l *laboratory) *place { return l.hosts["north"].place }
	l := build(t, topology{plan: builtin.Default, inventory: twoZones})
	l.serve("hq")
	l.join("north")
	const to = "ip saddr 10.2.0.1 ip daddr 10.1.0.1 tcp dport %d tcp flags & (syn|ack) == syn "
	const back = "ip saddr 10.1.0.1 ip daddr 10.2.0.1 tcp sport %d tcp flags & (syn|ack) == (syn|ack) "
	for _, b := range []pathBlock{
		{"dropped at the router", router, "forward", to + "drop", "blocked", "dropped_after_hop", gateway},
		{"prohibited by the router", router, "forward", to + "reject with icmpx admin-prohibited", "blocked", "rejected_by", gateway},
		{"port unreachable from the router", router, "forward", to + "reject with icmpx port-unreachable", "blocked", "rejected_by", gateway},
		{"reset by the router", router, "forward", to + "reject with tcp reset", "blocked", "reset_on_path", ""},
		{"the answer is dropped", router, "forward", back + "drop", "blocked", "dropped_after_hop", "it reaches the host"},
		{"dropped by the host itself", hq, "input", to + "drop", "blocked", "dropped_after_hop", "it reaches the host"},
		{"dropped by the dialler's own rules", north, "output", to + "drop", "blocked", "local_egress_blocked", ""},
		{"prohibited by the dialler's own rules", north, "output", to + "reject with icmpx admin-prohibited", "blocked", "local_egress_blocked", ""},
	} {
		b.where(l).nft(fmt.Sprintf("table inet block {\nchain path {\ntype filter hook %s priority filter - 10; policy accept;\n"+b.rule+"\n}\n}\n", b.hook, l.port("reeve")))
		v, code := l.verify("--from", "north", "--flow", "reeve.2/tcp")
		if all := v.about("reeve.2/tcp", "north", "hq"); len(all) != 1 || code != 1 || all[0].Verdict != b.verdict || all[0].Reason != b.reason || !strings.Contains(all[0].Text, b.says) {
			t.Errorf("%s: exit code %d, %+v; want %s %s", b.name, code, all, b.verdict, b.reason)
		} else {
			t.Logf("%s: %s %s: %s", b.name, all[0].Verdict, all[0].Reason, all[0].Text)
		}
		b.where(l).nft("delete table inet block\n")
	}
	if v, code := l.verify("--from", "north", "--flow", "reeve.2/tcp"); code != 0 || v.Counts["proven"] != 1 {
		t.Errorf("after all of them: exit code %d, %v", code, v.Counts)
	}
	history := l.server.must("ports", "verify", "--history", "--flow", "reeve.2/tcp", "-o", "json")
	var all []api.Proof
	if err := json.Unmarshal([]byte(history), &all); err != nil || len(all) < 4 || all[0].Verdict != "proven" {
		t.Errorf("the history: %v\n%s", err, history)
	}
	l.judge("reeve.2/tcp")
}

// What must be closed is proved closed although somebody listens behind it, so that closed means filtered; a hole in the
// router, which no rule of the plan has, is found. (trap F74, promise P8)
func TestVerifyClosed(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "systemwalker", inventory: threeZones})
	l.serve("hq")
	l.join("north")
	l.join("south")
	v, code := l.verify("--negative")
	if code != 0 || v.Bad != 0 || v.Counts["proven"] < 20 {
		t.Errorf("exit code %d, %v", code, v.Counts)
	}
	for _, p := range v.nodes() {
		if p.Verdict != "proven" || p.Reason != "not_reachable" || p.Expect != "closed" {
			t.Errorf("%s %s>%s at %s: %s %s: %s", p.Flow, p.From, p.To, p.Address, p.Verdict, p.Reason, p.Text)
		}
	}
	// Like a port that another program publishes: round the rules of the router and of the host.
	var hole api.Proof
	for _, p := range v.nodes() {
		if p.From == "north" && p.To == "hq" && p.Protocol == "tcp" {
			hole = p
			break
		}
	}
	_, number, _ := strings.Cut(hole.Address, ":")
	l.router.nft("insert rule inet router forward ip daddr 10.1.0.1 tcp dport " + number + " accept\n")
	l.router.nft("insert rule inet router forward ip saddr 10.1.0.1 tcp sport " + number + " accept\n")
	l.hosts["hq"].nft(fmt.Sprintf("insert rule inet reeve_%s input tcp dport %s meta mark set meta mark or 0x1000 accept\n", l.site.Compiled.Plan, number))
	v, code = l.verify("--negative", "--from", "north", "--to", "hq")
	if code != 1 || v.Bad != 1 {
		t.Errorf("with a hole at %s: exit code %d, %v", number, code, v.Counts)
	}
	for _, p := range v.nodes() {
		if open := p.Address == hole.Address && p.Protocol == "tcp"; open != (p.Verdict == "exposed") || open && p.Reason != "unexpectedly_open" {
			t.Errorf("%s at %s: %s %s: %s", p.Flow, p.Address, p.Verdict, p.Reason, p.Text)
		}
	}
	l.wantBound()
}

// A firewall that forgets silent connections after four seconds is measured: between three and five.
func TestVerifyIdle(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: twoZones + "middleboxes: [{name: gate, between: [core, dmz], idle: 4s}]\n"})
	l.serve("hq")
	l.join("north")
	v, code := l.verify("--idle", "--for", "8s")
	if code != 0 || len(v.Silences) != 1 {
		t.Fatalf("exit code %d, %+v", code, v)
	}
	if q := v.Silences[0]; q.Survived != 3 || q.Died != 5 || q.KeepAlive <= 0 || q.KeepAlive >= 3 || q.From != "north" || q.To != "hq" {
		t.Errorf("%+v, want that 3 s are survived and 5 s are not", q)
	}
	l.judge("reeve.2/tcp")
}
