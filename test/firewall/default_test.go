//go:build linux

package firewall_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// Behind the default plan one port carries everything: an agent joins by a token and runs a job, a person and a program
// in a third zone steer it, and nothing but that port is tried at the router. The numbers beside it are closed, by the
// router and by the rules on the server's host. (promise R23, as far as agents dial)
func TestDefaultPlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: twoZones})
	l.serve("hq")
	north := l.join("north")
	l.logIn("desk", "reeve").runHello("north")
	l.wantProgram("desk", "reeve")
	l.linked("north", true)
	if north.ended() {
		t.Error("the agent has ended")
	}
	l.judge("reeve.1/tcp", "reeve.2/tcp")
	l.wantBound()
	l.wantOthersClosed("north", l.port("reeve"))
	l.judge()
}

// Two agents in two zones, a person in a third. The agents' zones cannot reach each other, nor the person's.
func TestDefaultPlanInThreeZones(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: threeZones})
	l.serve("hq")
	north := l.join("north")
	l.join("south")
	l.exercise("desk", l.server.known("reeve"), "north", "south")
	l.reconnect(north)
	l.linked("south", true)
	l.judgeAll(map[string]string{"reeve.4/tcp": oneServer})
	port := l.port("reeve")
	for _, name := range []string{"south", "desk"} {
		l.hosts[name].listen(port)
		l.hosts["north"].wantClosed(l.server.at(port), true, l.hosts[name].at(port))
	}
	l.judge()
}

// The same plan where the zones let only the server dial one of the agents' zones: that agent waits for its enrolment
// there and is dialled, the other dials, and neither is tried the other way round.
func TestDefaultPlanServerDials(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: threeZones + "dials: [{from: core, to: dmz}]\n"})
	l.serve("hq")
	north := l.enrol("north")
	l.join("south")
	l.exercise("desk", l.server.known("reeve"), "north", "south")
	l.reconnect(north)
	l.linked("south", true)
	l.judgeAll(map[string]string{"reeve.4/tcp": oneServer})
	l.wantBound()
}
