package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// orderPatience is how long an answer to a server waits for artifacts of its orders. What takes longer is refused for now
// and goes on here: the server asks again, or hears that the attempt was started.
const orderPatience = 100 * time.Millisecond

// starter is the keeper as commands need it.
type starter interface {
	// Start returns when every order is in the journal, synced, or refused.
	Start(ctx context.Context, orders []wire.Order) ([]wire.Refusal, error)
	Cancel(ctx context.Context, cancels []wire.Cancel) error
}

// commander carries out what servers order. It decides nothing but where a file goes: the keeper's journal knows
// what has been started, so every command may come any number of times.
type commander struct {
	keeper func(ctx context.Context) (starter, error) // the one that is up, or a fault of kind Unreachable
	mark   func(epoch, mark int64)
	fetch  *fetcher
	begun  func(a wire.Attempt) bool // its folder shows that it was started: its inputs must not be touched again
	disk   func() string             // why nothing can be started for want of room; empty: there is room
	pool   func(string) (json.RawMessage, error)
	scout  *scout
	lanes  *lanes
	log    *slog.Logger
}

// carryOut does what a request asks. The answer is true once it returns: what is not refused is synced.
func (c *commander) carryOut(ctx context.Context, cmd wire.Commands) (wire.CommandsReply, error) {
	reply := wire.CommandsReply{Refused: sift(&cmd)}
	k, err := c.keeper(ctx)
	if err != nil {
		return reply, err
	}
	c.mark(cmd.Epoch, cmd.Mark)
	if len(cmd.Cancels) > 0 {
		for _, one := range cmd.Cancels {
			c.fetch.stop(one.Attempt)
		}
		if err := k.Cancel(ctx, cmd.Cancels); err != nil {
			return reply, fmt.Errorf("cancelling: %w", err)
		}
	}
	if len(cmd.Orders) == 0 {
		return reply, nil
	}
	if why := c.disk(); why != "" {
		for _, o := range cmd.Orders {
			reply.Refused = append(reply.Refused, wire.Refusal{Attempt: o.Attempt, Reason: "disk", Detail: why})
		}
		return reply, nil
	}
	reply.Refused = append(reply.Refused, c.wish(&cmd)...)
	reply.Refused = append(reply.Refused, c.lack(ctx, &cmd)...)
	c.offer(&cmd)
	now, later := c.split(cmd.Orders)
	// What needs files begins to fetch them before the others are started, and nobody waits for it.
	fetching := c.fetch.begin(later)
	if len(now) > 0 {
		refused, err := k.Start(ctx, now)
		if err != nil {
			return reply, fmt.Errorf("starting: %w", err)
		}
		reply.Refused = append(reply.Refused, refused...)
	}
	reply.Refused = append(reply.Refused, c.fetch.await(ctx, fetching)...)
	for _, r := range reply.Refused {
		if r.Final {
			c.lanes.withdraw(r.Attempt)
		}
	}
	return reply, nil
}

// offer tells the lanes where attempts' words are awaited. The keeper, which writes orders down, is not told: the token is
// nobody's but this process's.
func (c *commander) offer(cmd *wire.Commands) {
	for i := range cmd.Orders {
		o := &cmd.Orders[i]
		if o.Callback != nil {
			c.lanes.offer(o.Attempt, *o.Callback)
			o.Callback = nil
		}
	}
}

// wish writes the pools of this agent's plan to the orders that want ports. What the plan does not have is refused for
// good: asking again would not help.
func (c *commander) wish(cmd *wire.Commands) (refused []wire.Refusal) {
	cmd.Orders = slices.DeleteFunc(cmd.Orders, func(o wire.Order) bool {
		for i := range o.Ports {
			request, err := json.RawMessage(nil), errNoPools
			if c.pool != nil {
				request, err = c.pool(o.Ports[i].Pool)
			}
			if err != nil {
				refused = append(refused, wire.Refusal{Attempt: o.Attempt, Final: true, Reason: "ports", Detail: err.Error()})
				return true
			}
			o.Ports[i].Request, o.Ports[i].Port, o.Ports[i].PairPort = request, 0, 0
		}
		return false
	})
	return refused
}

// split parts orders that can be started as they are from those that need artifacts first.
func (c *commander) split(orders []wire.Order) (now, later []wire.Order) {
	for _, o := range orders {
		if len(o.Inputs) > 0 && !c.begun(o.Attempt) {
			later = append(later, o)
		} else {
			now = append(now, o)
		}
	}
	return now, later
}

// handler serves what an agent serves to servers on a link.
func (c *commander) handler(state func() wire.AgentState, closing func(ctx context.Context, reason string)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathCommands, func(w http.ResponseWriter, r *http.Request) {
		var cmd wire.Commands
		if !read(w, r, &cmd) {
			return
		}
		reply, err := c.carryOut(r.Context(), cmd)
		if err != nil {
			c.log.Warn("commands are not carried out; the server will ask again", slog.Any("error", err))
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		write(w, reply)
	})
	mux.HandleFunc("GET "+wire.PathState, func(w http.ResponseWriter, _ *http.Request) { write(w, state()) })
	mux.HandleFunc("POST "+wire.PathClose, func(w http.ResponseWriter, r *http.Request) {
		var why wire.CloseLink
		if !read(w, r, &why) {
			return
		}
		w.WriteHeader(http.StatusNoContent)
		closing(r.Context(), why.Reason)
	})
	return mux
}

// read reads a bounded body. Where it cannot, it has answered.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxMessage)).Decode(into)
	if err == nil {
		return true
	}
	status := http.StatusBadRequest
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		status = http.StatusRequestEntityTooLarge
	}
	http.Error(w, "reading request: "+err.Error(), status)
	return false
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// Whoever asked has gone where this fails: nobody is left to be told.
	_ = json.NewEncoder(w).Encode(v)
}

// sift takes out what no server in its right mind orders: attempts become names of folders, and inputs become paths.
// Such an order is refused for good, and the others of its request are carried out.
func sift(cmd *wire.Commands) (refused []wire.Refusal) {
	cmd.Orders = slices.DeleteFunc(cmd.Orders, func(o wire.Order) bool {
		err := plausible(o)
		if err != nil {
			refused = append(refused, wire.Refusal{Attempt: o.Attempt, Final: true, Reason: "exec", Detail: "the order is not valid: " + err.Error()})
		}
		return err != nil
	})
	cmd.Cancels = slices.DeleteFunc(cmd.Cancels, func(one wire.Cancel) bool { return plausibleAttempt(one.Attempt) != nil })
	return refused
}

// errNoPools says that the agent was started without a port plan that has pools.
var errNoPools = errors.New("the port plan of this agent has no pools")

// errNoKeeper says that no keeper answers at the moment.
var errNoKeeper = fault.New(fault.Unreachable, "no keeper answers", "the agent starts one; ask again")
