package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func (a *app) portsProbe() *cobra.Command {
	c := &cobra.Command{
		Use: "probe", Short: "prove a path between two machines on which nothing of Reeve runs yet",
		Long: "Prove that the plan's openings are there before anything is installed: `reeve ports probe listen` on the one machine takes the plan's ports and prints a one-time code, " +
			"`reeve ports probe dial HOST --code CODE` on the other tries the flows in their direction. No server, no data folder, no root.",
	}
	c.AddCommand(a.probeListen(), a.probeDial(), a.probeMerge(), a.probeReasons())
	return c
}

// probed says which of a plan's flows are meant.
type probed struct {
	flows, services []string
	all             bool
}

func (p *probed) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&p.flows, "flow", nil, "id of a flow, as reeve.1/tcp (`reeve ports compile -o json` has them); may be given several times")
	c.Flags().StringSliceVar(&p.services, "service", nil, "id of a row: all its flows; may be given several times")
	c.Flags().BoolVar(&p.all, "all", false, "every flow that is in use, to what the plan's own hosts listen for")
	c.MarkFlagsOneRequired("flow", "service", "all")
	c.MarkFlagsMutuallyExclusive("all", "flow")
	c.MarkFlagsMutuallyExclusive("all", "service")
}

// among returns the plan's flows that are meant. All are those in use to the
// plan's own listeners; a flow that is asked for by name may also lead to
// a row that is reserved or another program's.
func (p *probed) among(c ports.Compiled) ([]ports.ResolvedFlow, error) {
	for _, id := range p.flows {
		if !slices.ContainsFunc(c.Flows, func(f ports.ResolvedFlow) bool { return f.ID == id }) {
			return nil, fault.New(fault.NotFound, fmt.Sprintf("the plan %s has no flow %q", c.Plan, id), "it has "+flowIDs(c))
		}
	}
	for _, id := range p.services {
		if _, ok := c.Service(id); !ok {
			return nil, fault.New(fault.NotFound, fmt.Sprintf("the plan %s has no row %q", c.Plan, id), "`reeve ports list` shows the ids")
		}
	}
	var found []ports.ResolvedFlow
	for _, f := range c.Flows {
		named := isOf(p.flows, f.ID) || isOf(p.services, f.Service)
		cl, _ := c.Service(f.Service)
		if f.Status == ports.Inactive || !named && (!p.all || f.Status != ports.Works || !cl.Binds) {
			continue
		}
		if f.Port == 0 {
			if named {
				return nil, fault.New(fault.Finding, "the flow "+f.ID+" has no number", "give its row one in a plan of your own, or with --set")
			}
			continue
		}
		found = append(found, f)
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, "the plan "+c.Plan+" has none of these flows in use", "see `reeve ports list`: inactive rows belong to the other alternate")
	}
	return found, nil
}

func flowIDs(c ports.Compiled) string {
	const most = 12
	var ids []string
	for _, f := range c.Flows {
		if f.Status != ports.Inactive {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return orNone(ids)
}

// probeSite compiles the plan, and finds out which of its hosts this one is: the named one, else the one with its name.
func (a *app) probeSite(plan *planFlags, name string) (ports.Site, string, error) {
	site, found, err := plan.load()
	if err != nil {
		return site, "", err
	}
	if err := a.usable(plan, found); err != nil {
		return site, "", err
	}
	site.Compiled = spread(site.Compiled)
	if name == "" {
		name, _ = os.Hostname() // a host without a name has none to be found by
		return site, name, nil
	}
	if _, ok := site.Host(name); !ok && len(site.Inventory.Hosts) > 0 {
		return site, "", fault.New(fault.NotFound, fmt.Sprintf("the inventory has no host %q", name), "name one of its hosts")
	}
	return site, name, nil
}
