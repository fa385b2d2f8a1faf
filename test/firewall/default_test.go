//go:build linux

package firewall_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// Behind the default plan one port carries everything: an agent joins by a token and runs a job, a person and a program
// in a third zone steer it, and nothing but that port is tried at the router. The numbers beside it are closed, by the
// router and by the rules on the server's host. (promise R23, as far as agents dial)
func TestDefaultPlan(t *testing.T) {
	t.Parallel()
	l := build(t, topology{builtin.Default, twoZones})
	l.serve("hq")
	north := l.join("north")
	l.logIn("desk", "reeve").runHello("north")
	l.wantProgram("desk", "reeve")
	l.linked("north", true)
	if north.ended() {
		t.Error("the agent has ended")
	}
	l.judge("reeve.1/tcp", "reeve.2/tcp")
	l.wantOthersClosed("north", l.port("reeve"))
	l.judge()
}

// Two agents in two zones, a person in a third. The agents' zones cannot reach each other, nor the person's.
func TestDefaultPlanInThreeZones(t *testing.T) {
	t.Parallel()
	l := build(t, topology{builtin.Default, threeZones})
	l.serve("hq")
	l.join("north")
	l.join("south")
	l.logIn("desk", "reeve").runHello("north", "south")
	l.judge("reeve.1/tcp", "reeve.2/tcp")
	port := l.port("reeve")
	for _, name := range []string{"south", "desk"} {
		l.hosts[name].listen(port)
		l.hosts["north"].wantClosed(l.server.at(port), true, l.hosts[name].at(port))
	}
	l.judge()
}

// While the firewall drops all between agent and server, connections that stand among them and in one direction or
// both, the server notices it within the link's time-out, the job goes on, and its end arrives when the path is open
// again. (promises R5 and R23: half-open links are noticed, nothing is lost)
func TestBlockedPath(t *testing.T) {
	t.Parallel()
	l := build(t, topology{builtin.Default, twoZones})
	l.serve("hq")
	north := l.join("north")
	for i, w := range []way{bothWays, toHost, fromHost} {
		folder := filepath.Join(north.home, fmt.Sprint("round", i))
		begun, gate, ended := filepath.Join(folder, "begun"), filepath.Join(folder, "gate"), filepath.Join(folder, "ended")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(l.server.home, "blocked.yaml")
		text := fmt.Sprintf("net: lab/blocked\njobs:\n  - name: long\n    agent: {name: north}\n    script: |\n      #!/bin/sh\n      touch %s\n      until test -e %s; do sleep 0.05; done\n      echo over\n      touch %s\n", begun, gate, ended)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.server.must("net", "apply", file)
		run, err := l.server.api.StartRun(t.Context(), api.StartRun{Net: "lab/blocked"})
		if err != nil {
			t.Fatal(err)
		}
		exists(t, begun)

		l.block(north.host, w)
		blocked := time.Now()
		l.linked("north", false)
		if took := time.Since(blocked); took > 10*time.Second {
			t.Errorf("blocked %s: it took %s to notice that the path is dead, want at most the time-out of 3 s (and what a loaded machine adds)", w, took)
		} else {
			t.Logf("blocked %s: noticed after %s", w, took.Round(time.Millisecond))
		}
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		exists(t, ended)
		if r, err := l.server.api.Run(t.Context(), run.ID); err != nil || r.State != "running" {
			t.Errorf("blocked %s: the run is %q (%v) while the server cannot know of the job's end", w, r.State, err)
		}
		l.unblock()
		opened := time.Now()
		l.wantSucceeded(run.ID)
		t.Logf("blocked %s: the end was there %s after the path", w, time.Since(opened).Round(time.Millisecond))
		l.linked("north", true)
		if out := l.server.must("run", "logs", run.ID); out == "" {
			t.Errorf("blocked %s: the output is lost", w)
		}
	}
	l.judge("reeve.2/tcp")
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
