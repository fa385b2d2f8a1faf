package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/dialect"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// exportFlags are what the exports have besides the plan.
type exportFlags struct {
	pool, row, ledger string
}

// exporter writes a file of one form.
type exporter func(ctx context.Context, meant meantPlan, site ports.Site) ([]byte, error)

func (a *app) portsExport() *cobra.Command {
	c := &cobra.Command{
		Use: "export", Short: "write a file of ports for another product, from the plan, the inventory or the ledger",
		Long: "Write a file of ports for another product, from the plan, the inventory or the ledger. What is exported, imported again, is the same plan.\n\n" + exitHelp,
	}
	c.AddCommand(a.exportServices(), a.exportPortsConfig(), a.exportRangeList(), a.exportProcessClass(), a.exportUsedPorts())
	return c
}

func (a *app) exportServices() *cobra.Command {
	return a.exportCommand("services", builtin.Default, "a services file: every row that has a name and a number", func(_ context.Context, _ meantPlan, site ports.Site) ([]byte, error) {
		return dialect.ExportServices(site.Compiled).Bytes(), nil
	})
}

func (a *app) exportPortsConfig() *cobra.Command {
	return a.exportCommand("portsconfig", "arcserve", "a PortsConfig.cfg: fixed numbers, ranges, and what differs on single hosts", func(_ context.Context, _ meantPlan, site ports.Site) ([]byte, error) {
		return dialect.ExportPortsConfig(site).Bytes(), nil
	})
}

func (a *app) exportRangeList() *cobra.Command {
	var f exportFlags
	c := a.exportCommand("rangelist", "arcserve", "the settings of the management service, with its range lists", func(_ context.Context, _ meantPlan, site ports.Site) ([]byte, error) {
		return dialect.ExportRangeLists(site.Compiled, f.pool).Bytes(), nil
	})
	c.Flags().StringVar(&f.pool, "pool", "callback", "the pool of the list for remote service communication")
	return c
}

func (a *app) exportProcessClass() *cobra.Command {
	var f exportFlags
	c := a.exportCommand("processclass", "jobscheduler", "process classes (XML): those that were imported into the plan, else one for each agent", func(_ context.Context, m meantPlan, site ports.Site) ([]byte, error) {
		return dialect.FormatProcessClasses(dialect.ClassesOf(m.plan.Notes, site, f.row)), nil
	})
	c.Flags().StringVar(&f.row, "row", "jobscheduler", "the row on which the remote schedulers listen")
	return c
}

func (a *app) exportUsedPorts() *cobra.Command {
	var f exportFlags
	c := a.exportCommand("usedports", "acs", "a USED_CONTAINER_PORTS: the leases of a pool in this host's ledger", func(ctx context.Context, m meantPlan, _ ports.Site) ([]byte, error) {
		return usedPorts(ctx, f, m.instance)
	})
	c.Flags().StringVar(&f.pool, "pool", "containers", "the pool whose leases are written")
	c.Flags().StringVar(&f.ledger, "ledger", "", "folder of the ledger of leases (REEVE_LEDGER)")
	return c
}

// usedPorts writes the leases of a pool.
func usedPorts(ctx context.Context, f exportFlags, instance int) ([]byte, error) {
	dir, err := ledgerDir(f.ledger)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(dir, ledger.Options{ReadOnly: true})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "opening the ledger "+dir, err)
	}
	defer l.Close()
	all, err := l.Leases(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading the ledger "+dir, err)
	}
	var leases []dialect.Lease
	for _, one := range all {
		if one.Pool != f.pool || one.State == ledger.Blocked || one.State == ledger.Held {
			continue
		}
		host := one.Owner.Host
		if one.Address.IsValid() {
			host = one.Address.String()
		}
		leases = append(leases, dialect.Lease{Name: one.Name, Pool: one.Pool, Protocol: ports.TCP, Port: one.Port, Host: host, Instance: instance})
	}
	return dialect.NewUsedPorts(leases).Bytes(), nil
}

// exportCommand is a command that writes one file from a plan.
func (a *app) exportCommand(name, plan, short string, write exporter) *cobra.Command {
	var p *planFlags
	c := &cobra.Command{
		Use: name + " [--plan P] [--inventory F] [--instance N]", Short: short, Args: cobra.NoArgs,
		Long: strings.ToUpper(short[:1]) + short[1:] + ".\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.output != "table" {
				return fault.New(fault.Invalid, fmt.Sprintf("-o is %q", a.output), "an export has one form: the other product's")
			}
			meant, err := p.read()
			if err != nil {
				return err
			}
			compiled, found := ports.Compile(meant.plan, meant.inventory, meant.instance)
			if err := a.usable(p, found); err != nil {
				return err
			}
			text, err := write(c.Context(), meant, ports.Site{Compiled: compiled, Inventory: meant.inventory})
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		},
	}
	p = a.planFlags(c)
	p.plan = plan
	c.Flags().Lookup("plan").DefValue = plan
	return c
}
