//go:build linux

package firewall_test

import (
	"testing"
)

// Behind the default plan one port carries everything: an agent joins by a token and runs a job, a person in a third
// zone steers it, and nothing is tried at the router but that port.
func TestDefaultPlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{"default", twoZones})
	l.serve("hq")
	north := l.join("north")
	l.logIn("desk", "reeve").runHello("north")
	l.linked("north", true)
	if north.ended() {
		t.Error("the agent has ended")
	}
	l.wantUsed("reeve.1/tcp", "reeve.2/tcp")
}
