//go:build linux

package firewall_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/ports"
)

// directoryOpen is what a site adds to the vendor's page: the port mapper over UDP too, a range for what registers, names,
// and a number for discovery.
const directoryOpen = `services:
  - {id: portmapper, protocol: [tcp, udp]}
  - {id: caauthd, port: 7103}
  - {id: discovery, port: 7150}
  - {id: discovery-answers, port: 7151}
  - id: names
    function: Names
    name: domain
    port: 7153
    protocol: [udp, tcp]
    door: [directory]
    flows:
      - {from: client, to: primary, purpose: looking names up, carries: [directory]}
pools:
  - {id: rpc, range: 7110-7119}
  - {id: reconnect, range: 7200-7209}
`

// Behind the openings of Arcserve Backup, a client asks for names and ports by every way that its own tools have, and the
// server finds agents. Nothing else is used.
func TestDirectoryBehindArcserve(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"rpcinfo", "dig"} {
		if toolPath(tool) == "" {
			t.Skip("needs " + tool + ": scripts/setup installs it")
		}
	}
	inventory := strings.Replace(arcserveSite, "roles: [client]", "roles: [client, gui]", 1)
	l := build(t, topology{plan: "arcserve", inventory: inventory, extends: directoryOpen})
	l.serve("hq")
	l.join("north")
	l.join("south")

	l.wantRPC()
	l.wantNames()
	for address, name := range map[string]string{"10.2.0.1": "north", "10.4.0.1": "south"} {
		if f := l.found(address); f.Name != name || !f.Joined || f.Dial == nil || *f.Dial != address+":6050" {
			t.Errorf("at %s there is %+v, want %s, which has joined and is dialled on 6050", address, f, name)
		}
	}
	l.wantBound()
	l.judgeAnswers("portmapper.1/tcp", "portmapper.1/udp", "names.1/udp", "names.1/tcp", "discovery.1/tcp", "caauthd.1/tcp", "rpc.2/tcp", "univagent.1/tcp")
}

// wantRPC asks the port mapper in each way that rpcinfo has.
func (l *laboratory) wantRPC() {
	l.t.Helper()
	server, auth, lq := l.server.address.String(), "536870914", "536870916"
	rpcinfo := func(args ...string) string { return blanks(l.hosts["desk"].tool("", "rpcinfo", args...)) }
	for how, want := range map[string]string{
		rpcinfo("-p", server):            auth + " 1 tcp 7103",
		rpcinfo("-s", server):            auth + " 1 tcp,tcp6 - Caauthd",
		rpcinfo("-l", server, auth, "1"): auth + " 1 inet/tcp/cots_ord 10.1.0.1.27.191",
		rpcinfo("-m", server):            "PORTMAP (version 2) statistics",
		rpcinfo("-t", server, auth):      "program " + auth + " version 1 ready and waiting",
		rpcinfo("-t", server, lq):        "program " + lq + " version 1 ready and waiting",
		rpcinfo("-u", server, "100000"):  "program 100000 version 4 ready and waiting",
	} {
		if !strings.Contains(how, want) {
			l.t.Errorf("rpcinfo says\n%s\nwant %q in it", how, want)
		}
	}
}

// wantNames looks services up as a resolver does: over UDP, and then over TCP.
func (l *laboratory) wantNames() {
	l.t.Helper()
	name := ""
	nodes, err := l.server.api.ListNodes(l.t.Context())
	for i := range nodes {
		if nodes[i].Role == string(ports.Server) {
			name = nodes[i].Name + ".laboratory."
		}
	}
	if err != nil || name == "" {
		l.t.Fatalf("no server among %v: %v", nodes, err)
	}
	for _, how := range []string{"+tcp", "+notcp"} {
		out := blanks(l.hosts["desk"].tool("", "dig", "-p", "7153", "@"+l.server.address.String(), how, "SRV", "_caauthd._tcp.laboratory"))
		for _, want := range []string{"_caauthd._tcp.laboratory. 30 IN SRV 0 0 7103 " + name, name + " 30 IN A 10.1.0.1"} {
			if !strings.Contains(out, want) {
				l.t.Errorf("dig %s says\n%s\nwant %q in it", how, out, want)
			}
		}
	}
}

// found is the one node that is found at an address.
func (l *laboratory) found(address string) api.Discovered {
	l.t.Helper()
	var found []api.Discovered
	text := l.server.must("node", "discover", "--subnet", address+"/32", "-o", "json")
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		l.t.Fatal(err)
	}
	if len(found) != 1 || found[0].Address != address {
		l.t.Fatalf("found %s, want one node at %s", text, address)
	}
	return found[0]
}

// Behind the openings of SOS JobScheduler and one more, the server finds an agent that waits to be enrolled. It is no node
// for that; it becomes one by its code, and is found as one of the domain then.
func TestDiscoverThenEnrol(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "jobscheduler", inventory: jobschedulerSite, extends: `services:
  - id: discovery
    name: reeve-discover
    port: 4450
    protocol: [tcp]
    door: [discovery]
    flows: [{from: server, to: agent, purpose: finding nodes, carries: [discovery]}]
`})
	l.serve("hq")
	code := filepath.Join(l.hosts["north"].home, "code")
	l.agent("north", "--enrol", "--code-file", code)
	exists(t, code)
	f := l.found("10.2.0.1")
	if f.Joined || f.Domain != nil || f.Fingerprint == nil || f.Dial == nil || *f.Dial != "10.2.0.1:4455" {
		t.Fatalf("found %+v, want an agent of no domain, with its key's fingerprint, that waits at 10.2.0.1:4455", f)
	}
	if nodes, err := l.server.api.ListNodes(t.Context()); err != nil || len(nodes) != 1 {
		t.Errorf("%v, %v; want no node but the server: what is found joins by a code only", nodes, err)
	}
	text, err := os.ReadFile(code)
	if err != nil {
		t.Fatal(err)
	}
	if known, err := identity.ParseCode(strings.TrimSpace(string(text))); err != nil || known.Key != *f.Fingerprint {
		t.Errorf("it says the key %s, and its code %s: %v", *f.Fingerprint, known.Key, err)
	}
	l.server.must("node", "enrol", "north", *f.Dial, "--code-file", code)
	l.linked("north", true)
	within(t, 10*time.Second, func() string {
		if f := l.found("10.2.0.1"); f.Name != "north" || !f.Joined {
			return "it is still found as one that has not joined"
		}
		return ""
	})
	l.judge("discovery.1/tcp", "jobscheduler.1/tcp")
}

// judgeAnswers is judge where there are datagrams that are answered: an answer goes back the way that its question came.
func (l *laboratory) judgeAnswers(flows ...string) {
	l.t.Helper()
	used := map[string]bool{}
	for _, p := range l.record.packets() {
		planned := false
		for _, h := range l.holes {
			if h.lets(p) {
				planned, used[h.flow] = true, true
			}
			back := packet{protocol: p.protocol, from: p.to, to: p.from}
			planned = planned || p.protocol == ports.UDP && h.lets(back)
		}
		if !planned {
			l.t.Errorf("outside the plan: %s", p)
		}
	}
	for _, flow := range flows {
		if !used[flow] {
			l.t.Errorf("the opening for %s was not used", flow)
		}
	}
}

// blanks writes each row of blanks as one.
func blanks(text string) string { return strings.Join(strings.Fields(text), " ") }
