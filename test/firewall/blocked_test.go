//go:build linux

package firewall_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// blockages are the ways in which a router takes a path away.
func blockages() []blockage {
	return []blockage{
		{name: "dropped both ways", to: true, from: true, verdict: "drop"},
		{name: "dropped towards the agent", to: true, verdict: "drop"},
		{name: "dropped from the agent", from: true, verdict: "drop"},
		{name: "reset", to: true, from: true, verdict: "reject with tcp reset"},
		{name: "prohibited", to: true, from: true, verdict: "reject with icmpx admin-prohibited"},
	}
}

// While the firewall blocks what goes between agent and server, connections that stand among it, the server notices it
// within the link's time-out, the job goes on, and its end arrives when the path is open again. (promises R5 and R23:
// half-open links are noticed, nothing is lost)
func TestBlockedPath(t *testing.T) {
	t.Parallel()
	for _, k := range blockages() {
		t.Run(strings.ReplaceAll(k.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			l := build(t, topology{plan: builtin.Default, inventory: twoZones})
			l.serve("hq")
			north := l.join("north")
			j := l.long(north)

			l.block(north.host, k)
			blocked := time.Now()
			l.linked("north", false)
			noticed := time.Since(blocked).Round(time.Millisecond)
			if limit := 10 * time.Second; noticed > limit {
				t.Errorf("it took %s to notice that the path is dead, want at most the time-out of 3 s, and what a loaded machine adds", noticed)
			}
			j.end()
			if r, err := l.server.api.Run(t.Context(), j.run); err != nil || r.State != "running" {
				t.Errorf("the run is %q (%v) while the server cannot know of the job's end", r.State, err)
			}
			l.unblock()
			opened := time.Now()
			l.wantSucceeded(j.run)
			t.Logf("noticed after %s; the end was there %s after the path", noticed, time.Since(opened).Round(time.Millisecond))
			l.linked("north", true)
			if out := l.server.must("run", "logs", j.run); !strings.Contains(out, "over") {
				t.Errorf("the output is %q, want the job's last word in it", out)
			}
			l.judge("reeve.2/tcp")
		})
	}
}

// A firewall that forgets a silent connection after four seconds, and then drops what belongs to it, takes no link away:
// its heartbeats are not silent.
func TestIdleLimit(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: twoZones + "middleboxes: [{name: gate, between: [core, dmz], idle: 4s}]\n"})
	l.serve("hq")
	north := l.join("north")
	j := l.long(north)
	before, _ := l.seen()

	// The job lasts until the router has forgotten a connection that is silent, to a listener that never closes it.
	hq := l.server.host
	number := l.port("reeve") + 1
	l.router.nft(fmt.Sprintf("insert rule inet router forward ip daddr %s tcp dport %d ct state new accept\n", hq.address, number))
	hq.nft(fmt.Sprintf("insert rule inet reeve_%s input tcp dport %d meta mark set meta mark or 0x1000 accept\n", l.site.Compiled.Plan, number))
	hq.listen(number)
	a := l.hosts["desk"].begin(hq.at(number))
	defer unix.Close(a.fd)
	within(t, 10*time.Second, func() string { return map[bool]string{false: "it does not open"}[a.answer() == "open"] })
	within(t, 20*time.Second, func() string {
		if strings.Contains(l.router.tracked(), fmt.Sprintf("dport=%d", number)) {
			return "the router still knows the silent connection"
		}
		return ""
	})

	j.end()
	l.wantSucceeded(j.run)
	after, _ := l.seen()
	if n := after["reeve.2/tcp"] - before["reeve.2/tcp"]; n != 0 {
		t.Errorf("the agent dialled %d times more, want its link to have outlived the firewall's patience", n)
	}
	l.judge("reeve.2/tcp")
}

// long is a job that runs until it is told to end.
type long struct {
	l                  *laboratory
	run                string
	begun, gate, ended string
}

// long starts one on an agent, with more fields if need be, and waits until it runs. The file begun holds the port that
// it was given.
func (l *laboratory) long(a *agent, fields ...string) long {
	l.t.Helper()
	j := long{l: l, begun: filepath.Join(a.home, "begun"), gate: filepath.Join(a.home, "gate"), ended: filepath.Join(a.home, "ended")}
	file := filepath.Join(l.server.home, "long.yaml")
	text := fmt.Sprintf(`net: lab/long
jobs:
  - name: long
    agent: {name: %s}
%s    script: |
      #!/bin/sh
      echo "$REEVE_PORT_HTTP" >%s
      until test -e %s; do sleep 0.05; done
      echo over
      touch %s
`, a.name, strings.Join(fields, ""), j.begun, j.gate, j.ended)
	write(l.t, file, text)
	l.server.must("net", "apply", file)
	r, err := l.server.api.StartRun(l.t.Context(), api.StartRun{Net: "lab/long"})
	if err != nil {
		l.t.Fatal(err)
	}
	j.run = r.ID
	exists(l.t, j.begun)
	return j
}

// end lets the job end, and waits until it has.
func (j long) end() {
	j.l.t.Helper()
	write(j.l.t, j.gate, "")
	exists(j.l.t, j.ended)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exists waits for a file.
func exists(t testing.TB, path string) {
	t.Helper()
	within(t, 20*time.Second, func() string {
		if _, err := os.Stat(path); err != nil {
			return err.Error()
		}
		return ""
	})
}
