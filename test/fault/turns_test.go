//go:build linux

package fault_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// Agents take turns over every death of the server, also right after it has taken an order: order, dispatch and turn are one
// commit, so none is repeated and none is left out.
func TestTurnsOverKills(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	names := []string{"north", "south", "west"}
	for _, name := range names {
		e.agent(name, 4)
	}
	e.apply("net: fault/turns\njobs:\n  - {name: a, command: [\"true\"], agent: {names: [north, south, west], select: next}}\n")
	var ids []string
	for round := range 8 {
		ids = append(ids, e.begin("fault/turns", ""))
		if round%2 == 0 {
			e.settled(ids[round], 60*time.Second)
		}
		e.server.end(t, syscall.SIGKILL)
		e.serve()
		for _, name := range names { // else the turn of one that is not there yet goes to another
			e.linked(name)
		}
		e.settled(ids[round], 60*time.Second)
	}
	var got []string
	for _, id := range ids {
		r := e.show(id)
		if r.State != "succeeded" || len(r.Jobs[0].Attempts) != 1 {
			t.Fatalf("run %s is %s after %d attempts\n%s", id, r.State, len(r.Jobs[0].Attempts), e.logs())
		}
		got = append(got, r.Jobs[0].Attempts[0].Agent)
	}
	want := strings.Repeat("north south west ", 3)
	if all := strings.Join(got, " "); !strings.HasPrefix(want, all) {
		t.Errorf("the turns were %s", all)
	}
}
