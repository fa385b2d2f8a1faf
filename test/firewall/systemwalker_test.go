//go:build linux

package firewall_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// Behind the openings of Systemwalker Operation Manager: agents in two zones dial 9352, and a client in a third uses
// every row that the page gives it, each with its door. The numbers beside each of them are closed, and those that the
// page keeps for the server itself.
func TestSystemwalkerPlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "systemwalker", inventory: strings.Replace(threeZones, "roles: [client]", "roles: [client, desk]", 1)})
	l.serve("hq")
	north := l.join("north")
	l.join("south")
	l.exercise("desk", l.server.known("mpahso"), "north", "south")
	var numbers []ports.Port
	doors := []string{"jmsrv", "jmnet", "jmcal", "jobsch", "mpaclmgr", "jmevt1", "jmact1", "jmact2", "mpahso"}
	for _, service := range doors {
		l.wantDoor("desk", service)
		numbers = append(numbers, l.port(service))
	}
	for _, service := range []string{"mpnjsosv", "mpojeed1httpo", "mpojeed1httpso"} {
		l.wantDoorAt("hq", service, fmt.Sprintf("127.0.0.1:%d", l.port(service)))
	}
	l.wantProgram("desk", "jmnet")
	l.reconnect(north)
	l.linked("south", true)
	l.judgeAll(map[string]string{
		"jmnet.4/tcp":      oneServer,
		"jobsch.2/tcp":     oneServer,
		"jobsch.3/tcp":     oneServer,
		"jmact3.1/tcp":     noDesk,
		"mpnjsocl.1/tcp":   noDeskCommands,
		"mpnjsc.1/tcp":     noDeskCommands,
		"mpnjsc-udp.1/udp": noDeskCommands,
	})
	l.wantBound()
	l.wantOthersClosed("desk", numbers...)
	// The agents have one row to the server, and none of the client's.
	for _, n := range numbers {
		if n != l.port("jmnet") {
			l.hosts["north"].wantClosed(l.server.at(l.port("jmnet")), true, l.server.at(n))
		}
	}
	l.wantOnlyMissing("desk", doors...)
	l.linked("north", true)
	l.linked("south", true)
	l.judge()
}

// noDesk and noDeskCommands are why nothing is dialled on the client's side.
const (
	noDesk         = "no desk agent runs here, but in TestDeskAgent"
	noDeskCommands = "task link commands and power are not built yet"
)

// wantOnlyMissing takes the rule for each of these rows away in turn: that row is closed to the host then, and the next
// one answers as before.
func (l *laboratory) wantOnlyMissing(name string, services ...string) {
	l.t.Helper()
	for i, service := range services {
		var left []hole
		for _, h := range l.holes {
			if h.flow != service+".1/tcp" {
				left = append(left, h)
			}
		}
		l.router.nft(l.rules(left))
		next := services[(i+1)%len(services)]
		l.hosts[name].wantClosed(l.server.at(l.port(next)), true, l.server.at(l.port(service)))
		l.wantDoor(name, next)
	}
	l.close()
}
