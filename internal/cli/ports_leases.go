package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// leaseRow is a lease as it is printed.
type leaseRow struct {
	ID         string           `json:"id"`
	Name       string           `json:"name"`
	Pool       string           `json:"pool"`
	Protocol   []ports.Protocol `json:"protocol"`
	Address    *string          `json:"address"` // null: all of both families
	Port       int              `json:"port"`
	Pair       *int             `json:"pair"`
	PairName   *string          `json:"pair_name"`
	State      ledger.State     `json:"state"`
	Reason     *string          `json:"reason"`
	Owner      ledger.Owner     `json:"owner"`
	Key        *string          `json:"key"` // what the number sticks to
	Fence      uint64           `json:"fence"`
	Plan       string           `json:"plan"`
	Hash       string           `json:"hash"`
	Granted    *time.Time       `json:"granted"`
	Renewed    *time.Time       `json:"renewed"`
	Expires    *time.Time       `json:"expires"` // null: it ends with its owner
	Released   *time.Time       `json:"released"`
	HoldUntil  *time.Time       `json:"hold_until"`
	HoldReason *string          `json:"hold_reason"`
	Nonce      *string          `json:"nonce,omitempty"` // only for who leases
}

func newLeaseRow(l ledger.Lease) leaseRow {
	row := leaseRow{
		ID: l.ID, Name: l.Name, Pool: l.Pool, Protocol: l.Protocol, Port: int(l.Port), State: l.State, Owner: l.Owner, Fence: l.Fence, Plan: l.Plan, Hash: l.Hash,
		PairName: given(l.PairName), Reason: given(l.Reason), Key: given(l.Key), HoldReason: given(l.HoldReason), Nonce: given(l.Nonce),
		Granted: moment(l.Granted), Renewed: moment(l.Renewed), Released: moment(l.Released), HoldUntil: moment(l.HoldUntil),
	}
	if l.Address.IsValid() {
		row.Address = given(l.Address.String())
	}
	if l.Pair != 0 {
		pair := int(l.Pair)
		row.Pair = &pair
	}
	if l.TTL > 0 && l.State != ledger.Held {
		row.Expires = moment(l.Renewed.Add(l.TTL))
	}
	return row
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func printLeases(w io.Writer, all []leaseRow) {
	line(w, "NAME", "POOL", "PORT", "PAIR", "PROTOCOL", "ADDRESS", "STATE", "OWNER", "UNTIL", "REASON")
	for _, l := range all {
		protocols := make([]string, len(l.Protocol))
		for i, p := range l.Protocol {
			protocols[i] = string(p)
		}
		pair, address, until, reason := "", "all", "", ""
		if l.Pair != nil {
			pair = strconv.Itoa(*l.Pair)
		}
		if l.Address != nil {
			address = *l.Address
		}
		switch {
		case l.HoldUntil != nil:
			until = l.HoldUntil.UTC().Format(time.RFC3339)
		case l.Expires != nil:
			until = l.Expires.UTC().Format(time.RFC3339)
		}
		if l.Reason != nil {
			reason = *l.Reason
		}
		if l.State == ledger.Held && l.HoldReason != nil {
			reason = "held: " + *l.HoldReason + "; " + reason
		}
		line(w, l.Name, l.Pool, l.Port, pair, strings.Join(protocols, "+"), address, string(l.State), l.Owner.String(), until, reason)
	}
}

func (a *app) portsLeases() *cobra.Command {
	var dir, pool string
	c := &cobra.Command{
		Use: "leases [--pool P]", Args: cobra.NoArgs,
		Short: "the leases of this host: who has which port, and until when what was given back is held",
		Long: "Show the leases of this host, of all plans and programs. It reads, and changes nothing; the states are planned (kept for a name), reserved (held by time), " +
			"bound, listening, draining, held (given back, and kept away for the reason), suspect, blocked (a program without a lease has the port) and leaked (the owner " +
			"is gone, and something still has it).\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			book, err := openLedger(dir, ledger.Options{ReadOnly: true})
			if err != nil {
				return err
			}
			defer book.Close()
			all, err := book.Leases(c.Context())
			rows := []leaseRow{}
			for _, l := range all {
				if pool == "" || l.Pool == pool {
					l.Nonce = "" // the owner's secret
					rows = append(rows, newLeaseRow(l))
				}
			}
			if err != nil && len(all) == 0 {
				return leaseFault(err)
			}
			return errors.Join(a.print(rows, func(w io.Writer) { printLeases(w, rows) }), leaseFault(err))
		},
	}
	a.planFlags(c)
	ledgerFlag(c, &dir)
	c.Flags().StringVar(&pool, "pool", "", "only leases of this pool")
	return c
}

func (a *app) portsRelease() *cobra.Command {
	var dir, pool string
	var force bool
	c := &cobra.Command{
		Use: "release NAME [--pool P] [--force]", Args: cobra.ExactArgs(1),
		Short: "give a lease back, and a sticky number with it",
		Long: "Give the lease of a name back. Its number is held for the pool's reasons, then it is free; a sticky name loses it. NAME may also be a lease's id. " +
			"While the owner's process lives, the lease is not taken from it, except with --force: the process would go on using the port.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			book, err := openLedger(dir, ledger.Options{})
			if err != nil {
				return err
			}
			defer book.Close()
			l, err := leaseNamed(c.Context(), book, args[0], pool)
			if err != nil {
				return err
			}
			give := book.Revoke
			if force {
				give = book.Forget
			}
			if err := give(c.Context(), l.ID, l.Fence, "released by an operator"); err != nil {
				return leaseFault(err)
			}
			after := ledger.Lease{ID: l.ID, Name: l.Name, Pool: l.Pool, Protocol: l.Protocol, Port: l.Port, Pair: l.Pair, Owner: l.Owner, Fence: l.Fence, State: ledger.Free}
			if all, err := book.Leases(c.Context()); err == nil {
				for _, now := range all {
					if now.ID == l.ID {
						after = now
					}
				}
			}
			after.Nonce = ""
			return a.print(newLeaseRow(after), func(w io.Writer) {
				fmt.Fprintf(w, "%s: port %d of pool %s is %s", printable(after.Name), after.Port, printable(after.Pool), after.State)
				if after.State == ledger.Held {
					fmt.Fprintf(w, " until %s (%s)", after.HoldUntil.UTC().Format(time.RFC3339), printable(after.HoldReason))
				}
				fmt.Fprintln(w)
			})
		},
	}
	a.planFlags(c)
	ledgerFlag(c, &dir)
	c.Flags().StringVar(&pool, "pool", "", "the lease of this pool, where several have the name")
	c.Flags().BoolVar(&force, "force", false, "also from a process that lives")
	return c
}

// leaseNamed finds the one lease of a name, or of an id.
func leaseNamed(ctx context.Context, book *ledger.Ledger, name, pool string) (ledger.Lease, error) {
	all, err := book.Leases(ctx)
	if err != nil {
		return ledger.Lease{}, leaseFault(err)
	}
	var found, held []ledger.Lease
	for _, l := range all {
		if l.ID == name {
			return l, nil
		}
		if l.Name != name || pool != "" && l.Pool != pool || l.State == ledger.Blocked {
			continue
		}
		if l.State == ledger.Held {
			held = append(held, l)
			continue
		}
		found = append(found, l)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && len(held) > 0:
		return held[len(held)-1], nil // given back already
	case len(found) == 0:
		return ledger.Lease{}, fault.New(fault.NotFound, "there is no lease "+strconv.Quote(name), "`reeve ports leases` shows them")
	}
	ids := make([]string, len(found))
	for i, l := range found {
		ids[i] = fmt.Sprintf("%s (%d of %s)", l.ID, l.Port, l.Pool)
	}
	return ledger.Lease{}, fault.New(fault.Conflict, fmt.Sprintf("%d leases are named %q", len(found), name), "name one by its id: "+strings.Join(ids[:min(len(ids), 8)], ", "))
}

func bindFlag(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return addr, fault.New(fault.Invalid, "--bind is "+strconv.Quote(text), "it is an IP address of this host, without a port")
	}
	return addr, nil
}
