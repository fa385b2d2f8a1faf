package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// repairReport is what `ports repair` prints.
type repairReport struct {
	Damaged []string        `json:"damaged"` // what could not be read
	Kept    *string         `json:"kept"`    // where the damaged ledger lies now
	Changes []repairFinding `json:"changes"`
	Leases  int             `json:"leases"` // after it
}

type repairFinding struct {
	Was   ledger.State `json:"was"`
	Text  string       `json:"text"`
	Lease leaseRow     `json:"lease"`
}

func (a *app) portsRepair() *cobra.Command {
	var plan *planFlags
	var dir string
	c := &cobra.Command{
		Use: "repair", Args: cobra.NoArgs,
		Short: "bring the ledger of leases to what this host shows",
		Long: "Bring the ledger of leases to what this host shows: leases of processes that are gone end; what still has their ports, and what has ports of the plan's pools " +
			"without a lease, is noted with its program; a lease that only its process still knows of comes back. A damaged ledger is kept beside, and goes on from what can " +
			"be read. It may be run at any time. As another user than root it does not see the programs of others.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			site, found, err := plan.load()
			if err != nil {
				return err
			}
			if err := a.usable(plan, found); err != nil {
				return err
			}
			obs, err := ledger.Observe()
			if err != nil {
				return fault.Wrap(fault.Internal, "looking at this host", err)
			}
			book, err := openLedger(dir, ledger.Options{})
			if err != nil {
				return err
			}
			defer book.Close()
			report, err := book.Repair(c.Context(), obs, site.Compiled)
			if err != nil {
				return leaseFault(err)
			}
			all, err := book.Leases(c.Context())
			if err != nil {
				return leaseFault(err)
			}
			out := newRepairReport(report, len(all))
			return a.print(out, func(w io.Writer) { printRepair(w, out) })
		},
	}
	plan = a.planFlags(c)
	ledgerFlag(c, &dir)
	return c
}

func newRepairReport(r ledger.Report, leases int) repairReport {
	out := repairReport{Damaged: append([]string{}, r.Lost...), Kept: given(r.Copy), Changes: []repairFinding{}, Leases: leases}
	for _, f := range r.Found {
		f.Lease.Nonce = ""
		out.Changes = append(out.Changes, repairFinding{Was: f.Was, Text: f.Text, Lease: newLeaseRow(f.Lease)})
	}
	return out
}

func printRepair(w io.Writer, r repairReport) {
	for _, d := range r.Damaged {
		fmt.Fprintln(w, "damaged: "+printable(d))
	}
	if r.Kept != nil {
		fmt.Fprintln(w, "the damaged ledger is kept as "+printable(*r.Kept))
	}
	for _, f := range r.Changes {
		line(w, f.Lease.Name, f.Lease.Pool, f.Lease.Port, string(f.Was)+" → "+string(f.Lease.State), f.Text)
	}
	fmt.Fprintf(w, "%d changes, %d leases\n", len(r.Changes), r.Leases)
}
