package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// agentCalls is how an agent opens the connection of a callback: only to numbers of the pool on which its plan lets agents
// call servers back. It is nil where the plan has none.
func agentCalls(c ports.Compiled, kind ports.RoleKind, sockets *socket.Net) func(ctx context.Context, address string) (net.Conn, error) {
	for _, f := range c.Dials("callback", kind, ports.Server) {
		for _, p := range c.Pools {
			if p.ID == f.Service && p.Status != ports.Inactive {
				return callsTo(p, sockets)
			}
		}
	}
	return nil
}

func callsTo(p ports.ResolvedPool, sockets *socket.Net) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "reading the address of a callback", err)
		}
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || !slices.ContainsFunc(p.Ranges, func(r ports.Range) bool { return ports.Port(n) >= r.First && ports.Port(n) <= r.Last }) {
			return nil, fault.New(fault.Forbidden, fmt.Sprintf("the server awaits a callback at %s, and the port plan has no such number in its pool %s", address, p.ID),
				"give server and agent the same plan")
		}
		return sockets.Dial(ctx, p.ID, address)
	}
}
