package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// leaseFlags say what `ports lease` asks for.
type leaseFlags struct {
	ledger, pool, bind string
	ttl, wait          time.Duration
	pair, sticky       bool
}

func (a *app) portsLease() *cobra.Command {
	var plan *planFlags
	var f leaseFlags
	c := &cobra.Command{
		Use: "lease NAME --pool P [--ttl D] [--pair] [--sticky] [--bind A] [--wait D] [-- COMMAND…]", Args: cobra.MinimumNArgs(1),
		Short: "lease a port of a pool, for a command or for a time",
		Long: "Lease a port of one of the plan's pools. With a COMMAND: execute it with the sockets, bound and listening, as LISTEN_FDS hands them on (with LISTEN_PID " +
			"and LISTEN_FDNAMES), and with the number in REEVE_PORT_NAME, that of the pair in REEVE_PORT_NAME_PAIR; the lease ends with the command's process. " +
			"Without one: print the lease, which holds the number for --ttl.\n\nA sticky lease keeps its number while nothing runs: the same name gets the same port, or an " +
			"error that names who has it. A pair is granted with its port or not at all. Nothing leaves the pool's range.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			command, err := afterDash(c, args)
			if err != nil {
				return err
			}
			return a.lease(c.Context(), plan, f, args[0], command)
		},
	}
	plan = a.planFlags(c)
	ledgerFlag(c, &f.ledger)
	fl := c.Flags()
	fl.StringVar(&f.pool, "pool", "", "which pool of the plan (required)")
	fl.DurationVar(&f.ttl, "ttl", 0, "how long the lease lasts; with a command it may end before; default: the pool's rule")
	fl.BoolVar(&f.pair, "pair", false, "also the pool's second port: both or neither")
	fl.BoolVar(&f.sticky, "sticky", false, "the number stays with the name; a pool may say so by itself")
	fl.StringVar(&f.bind, "bind", "", "address of this host to bind; default: all of both families, or loopback where the pool says so")
	fl.DurationVar(&f.wait, "wait", 0, "how long to wait where no number is free now")
	_ = c.MarkFlagRequired("pool") // the flag is there
	return c
}

func ledgerFlag(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "ledger", "", "folder of this host's leases (REEVE_LEDGER; else /var/lib/reeve/ports, or the user's own)")
}

// afterDash returns what stands after "--"; before it stands one name.
func afterDash(c *cobra.Command, args []string) ([]string, error) {
	at := c.ArgsLenAtDash()
	if at < 0 {
		at = len(args)
	}
	if at != 1 || c.ArgsLenAtDash() >= 0 && len(args) == at {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%d names stand before the command, and %d words after --", at, len(args)-at),
			"write `reeve ports lease NAME --pool P -- COMMAND ARGUMENT…`, or no -- and no command")
	}
	return args[at:], nil
}

func (a *app) lease(ctx context.Context, plan *planFlags, f leaseFlags, name string, command []string) error {
	program := ""
	if len(command) > 0 {
		var err error
		if program, err = exec.LookPath(command[0]); err != nil {
			return fault.Wrap(fault.NotFound, "looking for the command", err)
		}
	}
	r, err := a.leaseRequest(plan, f)
	if err != nil {
		return err
	}
	r.Name = name
	if program != "" {
		r.Owner = ledger.Self("command", name)
	} else {
		r.Owner = ledger.Timed("operator", name)
		if f.ttl == 0 && r.Pool.Lease.TTL == 0 {
			return fault.New(fault.Invalid, "the lease "+name+" would never end", "give --ttl, or a command after --")
		}
	}
	book, err := openLedger(f.ledger, ledger.Options{})
	if err != nil {
		return err
	}
	defer book.Close()
	g, err := leaseWithin(ctx, book, r, f.wait)
	if err != nil {
		return leaseFault(err)
	}
	if program != "" {
		err := handOn(g, program, command) // returns only with an error
		g.Close()
		_ = book.Release(context.WithoutCancel(ctx), g.Lease.ID, g.Lease.Fence, "the command was not executed") // else its owner's end does
		return fault.Wrap(fault.Invalid, "executing "+program, err)
	}
	g.Close() // nobody is there to have the socket: from here on the number is kept by time
	return a.print(newLeaseRow(g.Lease), func(w io.Writer) { printLeases(w, []leaseRow{newLeaseRow(g.Lease)}) })
}

// leaseRequest asks the plan for the pool.
func (a *app) leaseRequest(plan *planFlags, f leaseFlags) (ledger.Request, error) {
	site, found, err := plan.load()
	if err != nil {
		return ledger.Request{}, err
	}
	if err := a.usable(plan, found); err != nil {
		return ledger.Request{}, err
	}
	r, err := ledger.For(site.Compiled, f.pool)
	if err != nil {
		return r, leaseFault(err)
	}
	if r.Address, err = bindFlag(f.bind); err != nil {
		return r, err
	}
	r.Boxes = site.Inventory.Middleboxes
	r.TTL, r.Pair, r.Sticky, r.Wait = f.ttl, f.pair, f.sticky, f.wait > 0
	return r, nil
}

// leaseWithin leases, and waits at most so long.
func leaseWithin(ctx context.Context, book *ledger.Ledger, r ledger.Request, wait time.Duration) (ledger.Grant, error) {
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	return book.Lease(ctx, r)
}

// openLedger opens the host's ledger.
func openLedger(flag string, o ledger.Options) (*ledger.Ledger, error) {
	dir, err := ledgerDir(flag)
	if err != nil {
		return nil, err
	}
	book, err := ledger.Open(dir, o)
	return book, leaseFault(err)
}

// leaseFault gives a refusal of the ledger its kind, and says what to do.
func leaseFault(err error) error {
	var r *ledger.Refusal
	if !errors.As(err, &r) {
		return err
	}
	wrap := func(kind fault.Kind, fix string) error { return &fault.Error{Kind: kind, Msg: r.Error(), Fix: fix} }
	switch r.Outcome {
	case ledger.BadRequest, ledger.NotLocal, ledger.OutsideRange:
		return wrap(fault.Invalid, "")
	case ledger.NoPool, ledger.NoLease:
		return wrap(fault.NotFound, "")
	case ledger.NoPermission:
		return wrap(fault.Forbidden, "")
	case ledger.NoRoom:
		return wrap(fault.Disk, "")
	case ledger.Exhausted:
		return wrap(fault.Conflict, "wait for one (--wait), release one (`reeve ports leases`), or give the pool more numbers")
	case ledger.Ours, ledger.OtherHost:
		return wrap(fault.Conflict, "end that program, or release the lease")
	case ledger.ForeignTaken:
		return wrap(fault.Conflict, "end that program: the number is the plan's")
	case ledger.IsHeld, ledger.IsReserved, ledger.Fenced, ledger.LockStuck, ledger.IsDamaged, ledger.NewerFormat, ledger.IsFree:
	}
	return wrap(fault.Conflict, "")
}
