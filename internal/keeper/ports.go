//go:build linux

package keeper

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const leaseWithin = 5 * time.Second // all ports of one order

// wantPorts reports whether one of the orders wants ports: taking them may last, and needs sockets.
func wantPorts(orders []wire.Order) bool {
	return slices.ContainsFunc(orders, func(o wire.Order) bool { return len(o.Ports) > 0 })
}

// takeWithPorts is take for orders that want ports: they have them before their intent is written, so that one for
// which there are none is refused for now, and is never an attempt that failed.
func (k *keeper) takeWithPorts(ctx context.Context, orders []wire.Order) (groups []*group, refused []wire.Refusal, runs []*attempt) {
	k.leasing.Lock() // the same order may come twice at once
	defer k.leasing.Unlock()
	sockets := map[wire.Attempt][]Socket{}
	ready := make([]wire.Order, 0, len(orders))
	for _, o := range orders {
		if !k.begins(o) {
			ready = append(ready, o)
			continue
		}
		got, refusal := k.lease(ctx, &o)
		if refusal != nil {
			refused = append(refused, *refusal)
			continue
		}
		sockets[o.Attempt] = got
		ready = append(ready, o)
	}
	groups, more, runs := k.take(ready)
	for _, a := range runs {
		a.sockets = sockets[a.order.Attempt]
		delete(sockets, a.order.Attempt)
	}
	for at, unused := range sockets { // refused meanwhile
		closeSockets(unused)
		k.cfg.Ports.Release(at)
	}
	return groups, append(refused, more...), runs
}

// begins reports whether an order would be executed, and wants ports for that.
func (k *keeper) begins(o wire.Order) bool {
	if len(o.Ports) == 0 || checkOrder(o) != nil {
		return false
	}
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	return k.reg.judge(o) == begin && !k.reg.closed
}

func (k *keeper) lease(ctx context.Context, o *wire.Order) ([]Socket, *wire.Refusal) {
	handed := slices.ContainsFunc(o.Ports, func(p wire.PortWish) bool { return p.Socket })
	if k.cfg.Ports == nil || handed && len(k.cfg.Launcher) == 0 {
		return nil, &wire.Refusal{Attempt: o.Attempt, Final: true, Reason: "ports", Detail: "this agent's keeper leases no ports: it was started without a ledger"}
	}
	ctx, cancel := context.WithTimeout(ctx, leaseWithin)
	defer cancel()
	return k.cfg.Ports.Lease(ctx, o)
}

func closeSockets(all []Socket) {
	for _, s := range all {
		_ = s.File.Close()
	}
}

// openPorts readies the sockets of an attempt that is about to be executed: those that it is given are returned, the
// others are closed, and the attempt binds them itself.
func (a *attempt) openPorts() []executor.Listener {
	var give []executor.Listener
	a.sockets = slices.DeleteFunc(a.sockets, func(s Socket) bool {
		if !a.handed(s.Name) {
			_ = s.File.Close()
			return true
		}
		give = append(give, executor.Listener{Name: s.Name, FD: int(s.File.Fd())})
		return false
	})
	return give
}

func (a *attempt) handed(name string) bool {
	return slices.ContainsFunc(a.order.Ports, func(p wire.PortWish) bool { return p.Socket && (p.Name == name || p.Pair == name) })
}

// portVariables tells the attempt its numbers.
func (a *attempt) portVariables() []string {
	var all []string
	for _, p := range a.order.Ports {
		all = append(all, executor.PortVariable(p.Name, p.Port))
		if p.Pair != "" {
			all = append(all, executor.PortVariable(p.Pair, p.PairPort), executor.PortVariable(p.Name+"-"+p.Pair, p.PairPort))
		}
		if p.Lease != "" {
			all = append(all, p.Lease)
		}
	}
	return all
}

// ownPorts writes the attempt's ports to its process: from now on they are its, also if this keeper ends.
func (a *attempt) ownPorts(pid int) {
	if len(a.order.Ports) > 0 && a.k.cfg.Ports != nil && pid > 0 {
		a.k.cfg.Ports.Own(a.order.Attempt, pid)
	}
}

// releasePorts gives the ports of an attempt back that is over.
func (a *attempt) releasePorts() {
	closeSockets(a.sockets)
	if len(a.order.Ports) == 0 {
		return
	}
	if a.k.cfg.Ports == nil {
		a.k.log.Warn("an attempt had ports, and this keeper has no ledger to give them back to", slog.Any("attempt", a.order.Attempt))
		return
	}
	a.k.cfg.Ports.Release(a.order.Attempt)
}
