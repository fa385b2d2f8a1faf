package probe

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Blame looks at a path by which a dial was in vain, from this end alone, and says in a sentence what it found: who
// refuses, or after which hop packets are dropped. It is empty where the path is open.
func Blame(ctx context.Context, sockets *socket.Net, flow ports.ResolvedFlow, address string, at time.Time) (string, error) {
	v, conn, err := Look(ctx, sockets, Dial{Flow: flow, Host: address})
	if conn.Conn != nil {
		_ = conn.Close() // nothing was said over it
	}
	if err != nil || v.Outcome == Connected {
		return "", err
	}
	return Classify(Subject{Flow: flow.ID, Expect: Open, PlanHash: sockets.Plan().Hash, At: at}, v, nil).Text, nil
}
