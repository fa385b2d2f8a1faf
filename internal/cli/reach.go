package cli

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// reachPatience is how long a destination that a job needs has to take a connection.
const reachPatience = 3 * time.Second

// agentReach is how an agent looks whether what a job needs is there. It is nil where the plan has no row by which agents
// connect to what definitions name.
func agentReach(c ports.Compiled, kind ports.RoleKind, sockets *socket.Net) func(ctx context.Context, address string) error {
	row, ok := c.Outgoing(kind)
	if !ok {
		return nil
	}
	return func(ctx context.Context, address string) error {
		return sockets.Reach(ctx, row, address, reachPatience)
	}
}
