//go:build linux

package firewall_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// waits starts an agent that waits to be enrolled, and returns the file with its code.
func (l *laboratory) waits(name string) (a *agent, code string) {
	l.t.Helper()
	code = filepath.Join(l.hosts[name].home, "code")
	a = l.agent(name, "--enrol", "--code-file", code)
	exists(l.t, code)
	return a, code
}

// refuses runs a command that must fail, with an exit code and with all these words in its one sentence.
func (h *host) refuses(code int, words []string, args ...string) {
	h.t.Helper()
	_, errs, got := h.run(args...)
	if got != code || strings.Count(errs, "\n") != 1 {
		h.t.Errorf("reeve %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, errs)
	}
	for _, w := range words {
		if !strings.Contains(errs, w) {
			h.t.Errorf("reeve %s: %q has no %q in it", strings.Join(args, " "), errs, w)
		}
	}
}

// Without the rule for the row the enrolment says which row and address were in vain, and stores nothing; with the rule
// back the same command succeeds. Where something on the way leads the dial to another agent, that one is told nothing.
func TestEnrolmentBehindAFirewall(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "jobscheduler", inventory: jobschedulerSite})
	l.serve("hq")
	_, code := l.waits("north")
	south, _ := l.waits("south")
	enrol := []string{"node", "enrol", "north", l.hosts["north"].address.String(), "--code-file", code}
	row := fmt.Sprintf("%s:%d", l.hosts["north"].address, l.port("jobscheduler"))

	var left []hole
	for _, h := range l.holes {
		if h.flow != "jobscheduler.1/tcp" {
			left = append(left, h)
		}
	}
	l.router.nft(l.rules(left))
	l.server.refuses(3, []string{"dialling jobscheduler at " + row}, enrol...)
	l.close()

	l.router.nft(fmt.Sprintf("table ip lead {\nchain prerouting {\ntype nat hook prerouting priority dstnat;\nip daddr %s tcp dport %d dnat to %s\n}\n}\n",
		l.hosts["north"].address, l.port("jobscheduler"), l.hosts["south"].address))
	l.server.refuses(4, []string{"fingerprint", "intercepts TLS"}, enrol...)
	l.router.nft("delete table ip lead\n")
	if text, err := os.ReadFile(south.log); err != nil || strings.Contains(string(text), "code that is not right") {
		t.Errorf("the other agent was shown a code (%v):\n%s", err, text)
	}
	if nodes := l.server.must("node", "list"); strings.Contains(nodes, "agent") {
		t.Errorf("there is a node of what was not enrolled:\n%s", nodes)
	}

	l.server.must(enrol...)
	l.linked("north", true)
	l.judge("jobscheduler.1/tcp")
}

// The server knows nothing of the zone of an agent that its dial has enrolled: it goes on to dial it, and the agent never
// tries the way back, which the firewall does not let it.
func TestEnrolledInAnUnknownZone(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: twoZones + "dials: [{from: core, to: dmz}]\n"})
	write(t, l.inventory(), "inventory: laboratory\nzones: {core: {networks: [10.1.0.0/24]}}\nhosts:\n  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}\n")
	l.serve("hq")
	north := l.enrol("north")
	l.logIn("desk", "reeve").runHello("north")
	l.reconnect(north)
	l.judge("reeve.3/tcp")
}
