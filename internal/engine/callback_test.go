package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// R24: a turn orders no more starts than have a callback port, as it orders no more than there are slots; the others are
// ready and say for what they wait.
func TestCallbackPortsAreCounted(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.agents.set(linked("north", 100), linked("south", 100))
	d.agents.mu.Lock()
	d.agents.callbacks = 1 + 3
	d.agents.mu.Unlock()
	d.start()
	var b strings.Builder
	b.WriteString("net: t/wide\njobs:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - {name: j-%d, command: [\"true\"]}\n", i)
	}
	d.net(b.String())
	id := d.begin("t/wide").ID
	for range 3 {
		d.command()
	}
	d.agents.mu.Lock()
	d.agents.exhausted = "all are in use"
	d.agents.mu.Unlock()
	d.Kick()
	if reason, text := d.Waits(d.selector(id)); reason != run.ReasonCallback || text != "all are in use" {
		t.Errorf("waits for %q: %q", reason, text)
	}
	count := map[run.Status]int{}
	for _, j := range d.stored(id).Jobs {
		count[j.Status]++
	}
	if count[run.Dispatched] != 3 || count[run.Ready] != 47 {
		t.Errorf("jobs by state: %v, want 3 dispatched and 47 ready", count)
	}
	d.agents.mu.Lock()
	d.agents.callbacks, d.agents.exhausted = 1+2, ""
	d.agents.mu.Unlock()
	d.Kick()
	for range 2 {
		d.command()
	}
	select {
	case c := <-d.agents.sent:
		t.Errorf("a start without a port was ordered, until then: %+v", c.Order.Job.Name)
	case <-time.After(50 * time.Millisecond):
	}
}
