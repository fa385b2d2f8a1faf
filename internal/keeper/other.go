//go:build !linux

package keeper

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

func unsupported() error {
	return fault.New(fault.Invalid, "jobs are run on Linux only", "run this agent on a Linux host")
}

// Run returns an error of kind Invalid: only Linux has what a keeper needs.
func Run(context.Context, Config) error { return unsupported() }

// Spawn returns an error of kind Invalid on this platform.
func Spawn(context.Context, string, []string, string) error { return unsupported() }

// Connect returns an error of kind Invalid on this platform.
func Connect(context.Context, string, ...Option) (*Client, error) { return nil, unsupported() }

// Client cannot be had on this platform.
type Client struct{ done chan struct{} }

// Hello returns nothing on this platform.
func (*Client) Hello() Hello { return Hello{} }

// Start returns an error of kind Invalid on this platform.
func (*Client) Start(context.Context, []wire.Order) ([]wire.Refusal, error) {
	return nil, unsupported()
}

// Cancel returns an error of kind Invalid on this platform.
func (*Client) Cancel(context.Context, []wire.Cancel) error { return unsupported() }

// Reports never yields on this platform.
func (*Client) Reports() <-chan []wire.Report { return nil }

// Sizes never yields on this platform.
func (*Client) Sizes() <-chan []Size { return nil }

// Ack returns an error of kind Invalid on this platform.
func (*Client) Ack([]int64) error { return unsupported() }

// Mark returns an error of kind Invalid on this platform.
func (*Client) Mark(int64, int64) error { return unsupported() }

// Renew returns an error of kind Invalid on this platform.
func (*Client) Renew(time.Duration) error { return unsupported() }

// Forget returns an error of kind Invalid on this platform.
func (*Client) Forget(...wire.Attempt) error { return unsupported() }

// Stop returns an error of kind Invalid on this platform.
func (*Client) Stop(context.Context) error { return unsupported() }

// Running returns 0 on this platform.
func (*Client) Running() int { return 0 }

// SpoolPath returns nothing on this platform.
func (*Client) SpoolPath(wire.Attempt) string { return "" }

// WorkFolder returns nothing on this platform.
func (*Client) WorkFolder(wire.Attempt) string { return "" }

// InputFolder returns nothing on this platform.
func (*Client) InputFolder(wire.Order) (string, error) { return "", unsupported() }

// Done is closed when the connection is lost.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection was lost.
func (*Client) Err() error { return unsupported() }

// Close does nothing on this platform.
func (*Client) Close() error { return nil }
