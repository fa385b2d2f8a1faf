package probe

import (
	"context"
	"errors"
	"net/netip"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Try really binds what the rows want and nobody is seen to have, and lets it go at once. Numbers that the observation
// shows as taken are left alone. bind is socket.Try, or what a test gives.
func Try(ctx context.Context, rows []Row, obs Observation, bind func(context.Context, ports.Protocol, netip.Addr, ports.Port) error) []Attempt {
	if bind == nil {
		bind = socket.Try
	}
	held := map[end]bool{}
	for _, s := range obs.Sockets {
		held[end{s.Protocol, ports.Port(s.Local.Port())}] = true
	}
	var all []Attempt
	for _, row := range rows {
		addresses := row.Addresses
		if len(addresses) == 0 {
			addresses = []netip.Addr{{}}
		}
		for p := int(row.Port); p <= int(row.Range().Last) && ctx.Err() == nil; p++ {
			port := ports.Port(p)
			if !row.has(row.Protocol, port) || held[end{row.Protocol, port}] {
				continue
			}
			for _, a := range addresses {
				if a.IsLoopback() && a.Is6() && !obs.has(a) {
					continue // a host without IPv6
				}
				all = append(all, attempt(row, a, port, bind(ctx, row.Protocol, a, port)))
			}
		}
	}
	return all
}

func attempt(row Row, addr netip.Addr, port ports.Port, err error) Attempt {
	a := Attempt{Service: row.Service, Protocol: row.Protocol, Address: addr, Port: port, Outcome: Bound}
	if err == nil {
		return a
	}
	a.Text = err.Error()
	switch {
	case errors.Is(err, socket.ErrInUse):
		a.Outcome = InUse
	case errors.Is(err, socket.ErrDenied):
		a.Outcome = Denied
	case errors.Is(err, socket.ErrNotLocal):
		a.Outcome = NotLocal
	default:
		a.Outcome = Failed
	}
	return a
}

func (o Observation) has(a netip.Addr) bool {
	for _, have := range o.Addresses {
		if have == a {
			return true
		}
	}
	return false
}
