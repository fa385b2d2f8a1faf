package socket

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Reach connects to an address that a definition names, HOST:PORT, by the row of the plan for such destinations, and lets
// go at once: nothing is said. Its error is one sentence on what the connect said: refused, not answered within patience,
// no route, no such name. What the plan does not allow is Forbidden.
func (n *Net) Reach(ctx context.Context, row, address string, patience time.Duration) error {
	hurry, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := n.dial(hurry, row, address) // never by a proxy: the job has none either
	if err == nil {
		return c.Close()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Internal) {
		return err
	}
	said := func(text string) error { return &fault.Error{Kind: fault.Unreachable, Msg: text} }
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return said("the name is not resolved: it has no address here")
	case errors.As(err, &name):
		return said("the name is not resolved: the name server did not answer, or not well")
	case classify(err) == refused:
		return said("connection refused: nothing listens there, or a firewall refuses")
	case classify(err) == noRoute:
		return said("no route to the host, or a firewall said so")
	case classify(err) == denied:
		return said("this host does not let the connection out")
	case hurry.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return said("no answer within " + patience.String() + ": a firewall drops it, or the host is off")
	}
	var known *fault.Error
	if errors.As(err, &known) && known.Err != nil {
		return said(known.Err.Error())
	}
	return said("nothing listens there") // it came back to itself
}
