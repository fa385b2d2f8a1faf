package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// An agent is called by its name over the link that it has; a call that meets no link waits for the next one, and who is
// not of the domain is not found.
func TestCall(t *testing.T) {
	t.Parallel()
	h := open(t)
	own, known := h.node("north")
	h.Update([]fleet.Agent{known})
	var reply wire.CommandsReply
	if err := h.Call(t.Context(), "south", wire.PathCommands, wire.Commands{}, &reply); !fault.Is(err, fault.NotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if h.Agents()["north"] {
		t.Error("north is linked before it has come")
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := h.Call(short, "north", wire.PathCommands, wire.Commands{}, &reply); err == nil {
		t.Error("an agent without a link has answered")
	}
	called := make(chan error, 1)
	go func() { called <- h.Call(t.Context(), "north", wire.PathCommands, wire.Commands{Mark: 9}, &reply) }()
	a := h.dial(own)
	if err := <-called; err != nil {
		t.Fatal(err)
	}
	if got := <-a.commands; got.Mark != 9 {
		t.Errorf("the agent was asked %+v", got)
	}
	if !h.Agents()["north"] {
		t.Error("north is linked, and not said to be")
	}
}
