package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const nextNet = "net: t/next\njobs:\n  - {name: a, command: [x], agent: {names: [a, b, c], select: next}}\n"

// Agents of a list take turns: over runs and jobs, over a restart of the server, and where the commit of a turn failed.
func TestAgentsTakeTurns(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	d := openDesk(t, l, "r")
	three := []run.Candidate{linked("c", 9), linked("b", 9), linked("a", 9)}
	d.agents.set(three...)
	d.start()
	// Another net, and two jobs in one turn: the same list has the same turns. Another list has its own.
	d.net(nextNet + "---\nnet: t/two\njobs:\n" +
		"  - {name: b, command: [x], agent: {names: [a, b, c], select: next}}\n  - {name: c, command: [x], agent: {names: [a, b, c], select: next}}\n" +
		"---\nnet: t/other\njobs: [{name: d, command: [x], agent: {names: [c, b], select: next}}]\n")
	var got []string
	given := func(d *desk, net string, n int) {
		t.Helper()
		d.begin(net)
		for range n {
			got = append(got, d.command().AgentID[len("id-"):])
		}
	}
	given(d, "t/next", 1)
	given(d, "t/two", 2)
	given(d, "t/other", 1)
	given(d, "t/next", 1)
	d.stop()

	again := openDesk(t, l, "s")
	again.agents.set(three...)
	again.start()
	given(again, "t/next", 1)
	given(again, "t/other", 1)
	// Somebody else has written the turn meanwhile: it is read anew, and nothing is given twice.
	s, err := l.Setting(t.Context(), "turn of a b c")
	if err != nil || s.Value != "b" {
		t.Fatalf("got %+v (%v)", s, err)
	}
	s.Value = "c"
	if _, err := l.Store.Commit(t.Context(), store.Batch{Epoch: 1, Settings: []store.Setting{s}}); err != nil {
		t.Fatal(err)
	}
	given(again, "t/next", 1)
	if want := "[a b c c a b b a]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// One that failed a moment ago has its turn only where nobody else can take the job.
func TestAFailedAgentIsPassedOver(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	a, b := linked("a", 9), linked("b", 1)
	a.Failed, a.Failure = time.Now(), "its link ended: no route"
	d.agents.set(a, b)
	d.start()
	d.net("net: t/first\njobs:\n  - {name: a, command: [x], agent: {names: [a, b], skip: 1h}}\n")
	for i, want := range []string{"id-b", "id-a"} {
		d.begin("t/first")
		if c := d.command(); c.AgentID != want {
			t.Errorf("job %d goes to %s, want %s", i+1, c.AgentID, want)
		}
	}
}
