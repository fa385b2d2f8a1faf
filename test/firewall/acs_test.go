//go:build linux

package firewall_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// Behind the openings of the ALMA Common Software: container hosts in two zones join at the manager and are dialled on
// 2970, and a client in a third uses every service's row, each with its door.
func TestACSPlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "acs", inventory: threeZones})
	l.serve("hq")
	north := l.join("north")
	l.join("south")
	l.exercise("desk", l.server.known("manager"), "north", "south")
	doors := []string{"manager", "naming", "notify", "logging", "ifr", "logging-notify", "archive-notify", "alarm-notify", "acslog", "cdb", "alarm"}
	for _, service := range doors {
		l.wantDoor("desk", service)
	}
	l.wantDoor("north", "naming")
	l.wantProgram("desk", "manager")

	// What runs in a container is called by programs on the manager's host and on the client's.
	j := l.long(north, "    ports: [{name: http, pool: containers, socket: true}]\n")
	container := north.at(j.port())
	l.server.wantAnswer(container)
	l.hosts["desk"].wantAnswer(container)
	j.end()
	l.wantSucceeded(j.run)

	l.reconnect(north)
	l.linked("south", true)
	l.judgeAll(map[string]string{
		"manager.3/tcp":         oneServer,
		"services-daemon.1/tcp": "agents have no service controller yet",
		"extra-notify.1/tcp":    "no channel of events is granted a number of its own yet",
		"supervisors.1/tcp":     "no client watches over a number of its own yet",
	})
	l.wantBound()
}

// port is the number that the job was given.
func (j long) port() ports.Port {
	j.l.t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(read(j.l.t, j.begun)), 10, 16)
	if err != nil {
		j.l.t.Fatal(err)
	}
	return ports.Port(n)
}

// wantAnswer connects as a program on the host would, which is not a probe of ours.
func (h *host) wantAnswer(target netip.AddrPort) {
	h.t.Helper()
	c, err := h.dial(h.t.Context(), "tcp", target.String())
	if err != nil {
		h.t.Errorf("a program on %s: %v", h.name, err)
		return
	}
	_ = c.Close()
}
