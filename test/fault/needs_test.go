//go:build linux

package fault_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// A job waits for a destination that comes later. Meanwhile its agent, its keeper and its server die; it is started once,
// when what it needs is there, and never before.
func TestJobsWaitForWhatTheyNeed(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 4)
	database := net.JoinHostPort("127.0.0.1", strconv.Itoa(sockettest.Lease(t)))
	w := newWitness(t)
	e.apply(fmt.Sprintf(`net: fault/needs
jobs:
  - name: load
    needs: [%q, "localhost:9/udp"]
    env: {witness: %q}
    script: |
        #!/bin/sh
        echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"
`, database, w.file))
	id := e.begin("fault/needs", "")
	held := func(when string) {
		t.Helper()
		within(t, 30*time.Second, func() string {
			if j := e.show(id).Jobs[0]; j.State != "dispatched" || value(j.Reason) != "needs" || j.Attempts[0].Started != nil {
				return when + ": " + j.State + " " + value(j.Reason) + "\n" + e.logs()
			}
			return ""
		})
	}
	held("at first")
	if why := e.must("why", id); !strings.Contains(why, database+"/tcp is not there since 20") || !strings.Contains(why, "connection refused") {
		t.Errorf("why: %s", why)
	}
	if err := syscall.Kill(g.keeper(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	g.restart(syscall.SIGKILL)
	e.linked("north")
	held("after the agent's and its keeper's death")
	e.server.end(t, syscall.SIGKILL)
	e.serve()
	e.linked("north")
	held("after the server's death")

	l, err := net.Listen("tcp", database)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := e.settled(id, 60*time.Second)
	if r.State != "succeeded" || len(r.Jobs[0].Attempts) != 1 {
		t.Fatalf("run: %s after %d attempts\n%s", r.State, len(r.Jobs[0].Attempts), e.logs())
	}
	if _, starts, _ := w.read(); starts != 1 {
		t.Errorf("%d starts, want 1", starts)
	}
}

// The example runs as it stands, in a site whose server has another number.
func TestExampleOfNeeds(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	e.agent("north", 4)
	e.must("net", "apply", "../../examples/needs.yaml")
	id := e.begin("flows/needs", "")
	if l, err := net.Listen("tcp", "127.0.0.1:7373"); err == nil {
		defer l.Close() // else somebody has it, and is there as well
	}
	if r := e.settled(id, 60*time.Second); r.State != "succeeded" {
		t.Fatalf("run: %s\n%s", r.State, e.logs())
	}
}
