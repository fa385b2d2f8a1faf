//go:build linux

package firewall_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// arcserveSite has agents in two zones, and a client of every kind in a third.
const arcserveSite = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, plant: {networks: [10.4.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [primary], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
  south: {roles: [agent], zone: plant, advertise: [10.4.0.1]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// arcserveOpen is what the vendor's page leaves to the site: the range to reconnect, and the numbers that PortsConfig.cfg
// fixes for what registers with the port mapper.
const arcserveOpen = `services:
  - {id: cadiscovd, port: 7101}
  - {id: caservd, port: 7102}
  - {id: caauthd, port: 7103}
  - {id: ldbserver, port: 7104}
  - {id: lqserver, port: 7105}
  - {id: mediasvr, port: 7106}
pools:
  - {id: reconnect, range: 7200-7209}
`

// Behind the openings of Arcserve Backup: agents in two zones join at 7099 and are dialled on 6050, and a client in a
// third uses the management service and what the port mapper names, each with its door. Where 6050 is closed, agents come
// back on the range for reconnecting; commands that wait are called back.
func TestArcservePlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "arcserve", inventory: arcserveSite, extends: arcserveOpen})
	l.serve("hq")
	north := l.join("north")
	l.join("south")
	l.exercise("desk", l.server.known("casmgmtsvc"), "north", "south")
	doors := []string{"casmgmtsvc", "cadiscovd", "caservd", "caauthd", "ldbserver", "lqserver", "mediasvr"}
	for _, service := range doors {
		l.wantDoor("desk", service)
	}
	l.wantDoor("north", "cadiscovd")
	for _, name := range []string{"desk", "north"} {
		l.wantMapped(name, doors[1:]...)
	}
	l.wantProgram("desk", "casmgmtsvc")
	desk := l.hosts["desk"]
	for _, pool := range []string{"callback", "client-callback"} {
		desk.must("run", "start", "lab/hello", "--wait", "--plan", l.plan, "--advertise", desk.address.String(), "--ledger", filepath.Join(desk.home, "ledger"), "--pool", pool)
	}
	l.reconnect(north)

	// What the server cannot dial any more, dials it, at the number that the server has leased for it.
	j := l.again(north)
	l.without("univagent.1/tcp")
	l.endsWithin(j, 30*time.Second)
	l.linked("north", true)
	l.linked("south", true)
	l.heal()
	l.judgeAll(map[string]string{
		"portmapper.3/tcp": oneServer,
		"caauthd.2/tcp":    oneServer,
		"casmgmtsvc.4/tcp": oneServer,
		"casmgmtsvc.5/tcp": oneServer,
	})
	l.wantBound()
}

// wantMapped wants the port mapper to say to a host where these rows are, as rpcinfo asks it.
func (l *laboratory) wantMapped(name string, services ...string) {
	l.t.Helper()
	if toolPath("rpcinfo") == "" {
		l.t.Skip("needs rpcinfo: scripts/setup installs it")
	}
	out := l.hosts[name].tool("", "rpcinfo", "-p", l.server.address.String())
	for _, service := range services {
		if !strings.Contains(out, fmt.Sprintf("   %d\n", l.port(service))) {
			l.t.Errorf("on %s the port mapper says %q, want %d for %s in it", name, out, l.port(service), service)
		}
	}
}
