package keeper

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Config is what a keeper is started with.
type Config struct {
	Data    string       // the agent's data folder; the keeper lives in keeper/ below it
	Log     *slog.Logger // nil: nothing is logged
	Version string       // of the program, told to the agent
	// Allow is the path of the agent's allow file: who may run as whom. It is read where the agent runs as root.
	Allow string
	// MaxOutput is the limit of one attempt's output in bytes, where the order gives none. 0: 64 MiB.
	MaxOutput int64
	// Ports leases ports for the orders that want some. nil: such orders are refused.
	Ports Leaser
	// Launcher is the command of this program that ends in executor.Launch; it begins with the program. Without it no
	// socket can be handed to an attempt.
	Launcher []string
	// MinFree is how many bytes must be free for a new start. 0: 4 MiB.
	MinFree int64
}

// DefaultMaxOutput is the limit of one attempt's output in bytes where neither the order nor Config gives one.
const DefaultMaxOutput = 64 << 20

// DefaultMinFree is how many bytes must be free under the data folder for a new start, where Config gives none.
const DefaultMinFree = 4 << 20

// Hello is what a keeper tells of itself when an agent connects.
type Hello struct {
	Version     string `json:"version"`
	PID         int    `json:"pid"`
	Epoch       int64  `json:"epoch"`   // the highest that the journal has seen
	Highest     int64  `json:"highest"` // the highest sequence of that epoch
	Mark        int64  `json:"mark"`
	Containment string `json:"containment"` // cgroup or session
	Running     int    `json:"running"`
	BootID      string `json:"boot_id"`
	Damaged     string `json:"damaged,omitempty"` // what was found wrong with the journal; empty: nothing
}

// Size says how long an attempt's spool is.
type Size struct {
	Attempt wire.Attempt `json:"attempt"`
	Bytes   int64        `json:"bytes"`
}

// Option changes how Connect connects.
type Option func(*options)

type options struct {
	after *Client
	wait  time.Duration
}

// After hands the descriptors that an earlier client of the same agent holds on to the new one, and through it to
// the keeper: this is how a new keeper takes over the running attempts of one that died. The old client is closed.
func After(old *Client) Option { return func(o *options) { o.after = old } }

// Wait lets Connect go on trying for so long where no keeper answers yet. Default: one try.
func Wait(d time.Duration) Option { return func(o *options) { o.wait = d } }

// Leaser gives attempts the ports that they want for as long as they run. Its methods may be called at once.
type Leaser interface {
	// Lease takes all ports of an order, or none: it fills in their numbers and returns their sockets, bound, which are
	// the caller's. What is not to be had is a refusal; one that is not final may be tried again.
	Lease(ctx context.Context, o *wire.Order) ([]Socket, *wire.Refusal)
	// Own says which process has an attempt's ports from now on.
	Own(a wire.Attempt, pid int)
	// Release gives an attempt's ports back. Of an attempt without any it does nothing.
	Release(a wire.Attempt)
}

// Socket is one bound socket of a lease.
type Socket struct {
	Name string // of the port, or of its pair
	File *os.File
}
