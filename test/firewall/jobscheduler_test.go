//go:build linux

package firewall_test

import (
	"fmt"
	"testing"
)

// jobschedulerSite has agents in two zones. The client is on the server's host: the plan opens nothing towards the server
// but callbacks.
const jobschedulerSite = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, plant: {networks: [10.4.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
  south: {roles: [agent], zone: plant, advertise: [10.4.0.1]}
`

// Behind the openings of SOS JobScheduler the server dials agents in two zones on 4455, enrols and links them there, and
// attempts call it back on 59999 and lower. Nothing but that is tried.
func TestJobschedulerPlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "jobscheduler", inventory: jobschedulerSite})
	l.serve("hq")
	north := l.enrol("north")
	l.enrol("south")
	here := fmt.Sprintf("127.0.0.1:%d", l.port("jobscheduler"))
	l.exercise("hq", here, "north", "south")
	l.wantDoorAt("hq", "jobscheduler", here)
	l.reconnect(north)
	l.linked("south", true)
	l.judgeAll(map[string]string{
		"jobscheduler.2/tcp": "orders between servers: TestJobschedulerOrder",
		"jobscheduler.3/tcp": "the server's own host has it, on loopback",
		"callback.2/tcp":     "orders between servers: TestJobschedulerOrder",
	})
	l.wantBound()
}
