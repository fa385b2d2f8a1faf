package agent

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Config is what an agent is started with.
type Config struct {
	Data     string // data folder; made where it is missing (0700)
	Name     string // must be the token's where both are given; empty: the token's, or the one that it joined with
	Join     string // token; not needed once joined
	JoinFile string // file that holds the token; may be gone once joined
	// Enrol lets a server that dials make this agent a node, where it is none. Code is called with each one-time code by
	// which one may, the last of which is good; it holds a secret.
	Enrol bool
	Code  func(text string) error
	// Desk makes it a desk agent: on a person's machine, where only servers dial. Rows are then those of such agents.
	Desk bool

	// Addresses of servers, HOST:PORT, in the order to try; empty: those of the token.
	Addresses []string
	Ports     // by the plan with which it is started
	Rows      Rows
	// Adopt makes a plan of the view that servers give. nil: the agent stays with what it was started with.
	Adopt func(wire.View) (Ports, error)
	// Differ says how the plan that the agent was started with differs from the servers' compiled one, a sentence for each
	// row. nil: it was not started with one of its own.
	Differ func(plan json.RawMessage) []string
	// Prover makes this host's part in proofs, once. nil: it has none.
	Prover  func(ProofTLS) Prover
	Slots   int   // attempts at once
	Cache   int64 // bytes of artifacts kept for the next attempt that needs them
	Reserve int64 // bytes of the disk below which nothing new is started

	Keeper  Keeper
	Timing  link.Timing
	Backoff link.Backoff
	Version string
	Facts   map[string]string // said of the host, beside those that the agent finds out
	Now     func() time.Time
	Log     *slog.Logger
}

// Rows says which rows of the port plan, services' ids, this agent uses, each list in the plan's order.
type Rows struct {
	Enrol string // at which it joins by its own dial; empty: only a server's dial can enrol it
	Dial  []string
	// Listen has those on which servers dial it for its link. Await has those on which they may where a server's dial
	// enrols it, or has: zones that the agent does not know need not let them otherwise.
	Listen []string
	Await  []string
}

// Keeper says how a keeper is started where none answers.
type Keeper struct {
	Exe  string   // program
	Args []string // its arguments, those that name the data folder included
}

// Default returns a Config with what has a default. The data folder, Dial and the keeper's program have none.
func Default() Config {
	return Config{
		Slots: 4 * runtime.NumCPU(), Cache: 1 << 30, Reserve: 8 << 20,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

const maxSlots = 10_000

// Validate says everything that is wrong with the configuration itself, as fault.Invalid.
func (c Config) Validate() error {
	bad := func(format string, args ...any) error { return fault.Newf(fault.Invalid, format, args...) }
	switch {
	case c.Data == "":
		return fault.New(fault.Invalid, "the agent has no data folder", "name one with --data")
	case c.Slots < 1 || c.Slots > maxSlots:
		return bad("slots: %d, expected 1 to %d", c.Slots, maxSlots)
	case c.Cache < 0 || c.Reserve < 0:
		return bad("cache and reserve: %d and %d bytes, expected no less than 0", c.Cache, c.Reserve)
	case c.Join != "" && c.JoinFile != "":
		return fault.New(fault.Invalid, "two join tokens are given", "give --join or --join-file")
	case c.Enrol && (c.Join != "" || c.JoinFile != ""):
		return fault.New(fault.Invalid, "the agent is to join by a token and to wait for a server's dial", "give --join or --enrol")
	case c.Desk && (c.Join != "" || c.JoinFile != ""):
		return fault.New(fault.Invalid, "a desk agent dials no server, and cannot join by a token", "start it with --desk --enrol, and enrol it on the server with `reeve node enrol --desk`")
	case c.Desk && len(c.Rows.Await) == 0:
		return fault.New(fault.Invalid, "the port plan has no row on which a server dials a desk agent", "start it with the servers' plan (--plan), or without --desk")
	case c.Enrol && len(c.Rows.Await) == 0:
		return fault.New(fault.Invalid, "the port plan has no row on which a server dials an agent to enrol it", "let the agent dial: --join TOKEN")
	case c.Enrol && (c.Code == nil || c.Listen == nil):
		return bad("Code and Listen must be given with Enrol")
	case c.Keeper.Exe == "" || c.Dial == nil || len(c.Rows.Listen) > 0 && c.Listen == nil || c.Now == nil || c.Log == nil:
		return bad("the keeper's program, Dial, Listen where there are rows to listen on, Now and Log must be given")
	case c.Rows.Enrol == "" && len(c.Rows.Dial) == 0 && len(c.Rows.Listen) == 0 && len(c.Rows.Await) == 0:
		return fault.New(fault.Invalid, "the port plan has no row for an agent's link", "give it a service with a flow that carries: [link]")
	}
	if c.Name != "" {
		if err := identity.CheckName(c.Name); err != nil {
			return fmt.Errorf("name: %w", err)
		}
	}
	return nil
}
