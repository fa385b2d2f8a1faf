package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobports"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// agentPorts are the sockets of an agent of a kind by a compiled plan. binds are the addresses on which it listens for a row;
// none: all.
func agentPorts(c ports.Compiled, kind ports.RoleKind, binds func(row string) []string, proxy byProxy) (agent.Ports, error) {
	sockets := socket.New(c, socket.As(string(kind)))
	if err := proxy.on(sockets); err != nil {
		return agent.Ports{}, err
	}
	return agent.Ports{
		Hash: c.Hash,
		Dial: func(ctx context.Context, row, address string) (net.Conn, error) {
			return sockets.Dial(ctx, row, address)
		},
		Listen: func(ctx context.Context, row string) ([]net.Listener, error) {
			return listenOn(ctx, sockets, row, binds(row))
		},
		Pool:  func(pool string) (json.RawMessage, error) { return jobports.Request(c, pool) },
		Call:  agentCalls(c, kind, sockets),
		Reach: agentReach(c, kind, sockets),
	}, nil
}

// adoptPlan makes an agent's sockets of the plan that its servers give.
func adoptPlan(v wire.View, kind ports.RoleKind, bind string, proxy byProxy) (agent.Ports, error) {
	var c ports.Compiled
	if err := json.Unmarshal(v.Plan, &c); err != nil {
		return agent.Ports{}, fault.Wrap(fault.Invalid, "reading the compiled plan", err)
	}
	if c.Hash != v.Hash {
		return agent.Ports{}, fault.Newf(fault.Invalid, "reading the compiled plan: its hash is %s, and %s was said", c.Hash, v.Hash)
	}
	return agentPorts(c, kind, func(row string) []string {
		if i := slices.IndexFunc(v.Listen, func(r wire.Route) bool { return r.Row == row }); i >= 0 && bind == "" {
			return v.Listen[i].Bind
		}
		return []string{bind}
	}, proxy)
}

// listenOn listens for a row on some addresses; on all where there are none. On an error nothing stays open.
func listenOn(ctx context.Context, sockets *socket.Net, row string, binds []string) ([]net.Listener, error) {
	if len(binds) == 0 {
		binds = []string{""}
	}
	var all []net.Listener
	for _, bind := range binds {
		l, err := sockets.Listen(ctx, row, bind)
		if err != nil {
			for _, open := range all {
				_ = open.Close() // nobody has been let in
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// differs says, a sentence for each row, how the plan that an agent was started with differs from its servers'.
func differs(own ports.Compiled, servers json.RawMessage) []string {
	var c ports.Compiled
	if err := json.Unmarshal(servers, &c); err != nil {
		return []string{"the servers' plan cannot be read: " + err.Error()}
	}
	if own.Hash == c.Hash {
		return nil
	}
	var all []string
	for _, change := range ports.Diff(own, c).Changes {
		if text := difference(change); text != "" {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		all = append(all, fmt.Sprintf("the plan %s here and %s at the servers differ in what their rows say, not in a number", own.Plan, c.Plan))
	}
	return all
}

// difference is what an operator must know of a change: the row and both numbers. Texts of rows open nothing.
func difference(c ports.Change) string {
	if c.Kind != "row" {
		return ""
	}
	switch c.What {
	case "added":
		return fmt.Sprintf("the row %s (%s) is at the servers only", c.ID, field(c, "port", false))
	case "removed":
		return fmt.Sprintf("the row %s (%s) is here only", c.ID, field(c, "port", true))
	}
	if here, there := field(c, "port", true), field(c, "port", false); here != there {
		return fmt.Sprintf("the row %s is %s here and %s at the servers", c.ID, here, there)
	}
	return ""
}

// field is a value of a change, before or after it.
func field(c ports.Change, name string, old bool) string {
	for _, f := range c.Fields {
		switch {
		case f.Name == name && old:
			return f.Old
		case f.Name == name:
			return f.New
		}
	}
	return ""
}
