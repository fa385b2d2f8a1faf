package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/ledger"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// checkFlags say what `ports check` compares.
type checkFlags struct {
	host, role, ephemeral, ledger string
	bind                          bool
}

func (a *app) portsCheck() *cobra.Command {
	var plan *planFlags
	var f checkFlags
	c := &cobra.Command{
		Use: "check [--host H | --role R] [--bind] [--ephemeral FIRST-LAST] [--plan P] [--inventory F] [--instance N]", Args: cobra.NoArgs,
		Short: "compare this host with the plan: who has its ports, what the system may give away, what the services file says",
		Long: "Compare this host with the plan: for each row that belongs here, whether its port is free, Reeve's own, taken (by whom), shadowed, or in the range " +
			"from which the system takes ports for outgoing connections; with what can be done. Prints nothing where nothing is wrong; with -o json every row. " +
			"It changes nothing, and needs neither a server nor root: what could not be seen is said.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := a.check(c.Context(), plan, f)
			if err != nil {
				return err
			}
			if err := a.print(found, func(w io.Writer) { printFindings(w, found) }); err != nil {
				return err
			}
			for _, one := range found {
				if one.Bad() {
					return &exitError{1}
				}
			}
			return nil
		},
	}
	plan = a.planFlags(c)
	c.Flags().StringVar(&f.host, "host", "", "which host of the inventory this one is; default: its own name, if the inventory has it")
	c.Flags().StringVar(&f.role, "role", "", "only what this role of the plan listens on")
	c.Flags().BoolVar(&f.bind, "bind", false, "really bind each port that looks free, and let it go again")
	c.Flags().StringVar(&f.ephemeral, "ephemeral", "", "FIRST-LAST: what would be if the system took outgoing ports from there")
	c.Flags().StringVar(&f.ledger, "ledger", "", "folder of the ledger of leases (REEVE_LEDGER): what it has leased is Reeve's own")
	c.MarkFlagsMutuallyExclusive("host", "role")
	return c
}

// check looks at this host and compares.
func (a *app) check(ctx context.Context, plan *planFlags, f checkFlags) ([]probe.Finding, error) {
	meant, err := plan.read()
	if err != nil {
		return nil, err
	}
	compiled, diagnostics := ports.Compile(meant.plan, meant.inventory, meant.instance)
	if err := a.usable(plan, diagnostics); err != nil {
		return nil, err
	}
	ask := probe.Ask{Host: f.host, Role: f.role, Own: ownSockets(), Tolerate: meant.plan.Policies.Ephemeral == ports.Tolerate}
	if !slices.Contains(builtin.Names(), meant.plan.Name) {
		ask.File = plan.plan
	}
	if f.ephemeral != "" {
		r, err := probe.ParseInterval(f.ephemeral)
		if err != nil {
			return nil, fault.New(fault.Invalid, "--ephemeral is "+strconv.Quote(f.ephemeral), "write FIRST-LAST, as 9000-65500")
		}
		ask.Ephemeral = []ports.Range{r}
	}
	site := ports.Site{Compiled: compiled, Inventory: meant.inventory}
	obs, err := probe.Observe(ctx, probe.Options{})
	if err != nil {
		return nil, err
	}
	if ask.Own.Leases, err = leasesOf(ctx, f.ledger); err != nil {
		obs.Unseen = append(obs.Unseen, probe.Unseen{What: "leases of this host", Why: err.Error()})
	}
	if ask.Host == "" && ask.Role == "" && len(site.Inventory.Hosts) > 0 {
		ask.Host = obs.Host
	}
	if f.bind || !obs.Seen {
		rows, err := probe.Rows(site, ask)
		if err != nil {
			return nil, unknownPlace(err)
		}
		obs.Attempts = probe.Try(ctx, rows, obs, nil)
	}
	found, err := probe.Check(site, obs, ask)
	if slices.ContainsFunc(found, func(f probe.Finding) bool { return f.State == probe.Unplanned && f.ID == "" }) {
		ask.Also = otherInstances(meant) // only now: most hosts have one instance, and each is compiled
		found, err = probe.Check(site, obs, ask)
	}
	return found, unknownPlace(err)
}

// unknownPlace says what to do about a host or a role that the site does not have.
func unknownPlace(err error) error {
	var unknown probe.ErrUnknown
	if !errors.As(err, &unknown) {
		return err
	}
	return fault.New(fault.NotFound, unknown.Error(), "name one with --host (a host of the inventory) or --role (a role of the plan, or server, agent, desk, client)")
}

// ownSockets says how Reeve's own sockets are known: by this program's path.
func ownSockets() probe.Own {
	exe, err := os.Executable()
	if err != nil {
		return probe.Own{}
	}
	own := probe.Own{Programs: []string{exe}}
	if real, err := filepath.EvalSymlinks(exe); err == nil && real != exe {
		own.Programs = append(own.Programs, real)
	}
	return own
}

// leasesOf returns what this host's ledger has leased to an owner. A host without a ledger has no leases.
func leasesOf(ctx context.Context, dir string) ([]probe.Lease, error) {
	dir, err := ledgerDir(dir)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(dir, ledger.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	all, err := l.Leases(ctx)
	var leases []probe.Lease
	for _, one := range all {
		switch one.State {
		case ledger.Blocked, ledger.Leaked, ledger.Held, ledger.Planned, ledger.Free:
			continue // somebody else's, or nobody's
		case ledger.Reserved, ledger.Bound, ledger.Listening, ledger.Draining, ledger.Suspect:
		}
		for _, protocol := range one.Protocol {
			for _, port := range []ports.Port{one.Port, one.Pair} {
				if port != 0 {
					leases = append(leases, probe.Lease{Name: one.Name, Protocol: protocol, Port: port, PID: one.Owner.PID})
				}
			}
		}
	}
	return leases, err
}

// otherInstances compiles the plan's other instances: they may run on this host too.
func otherInstances(m meantPlan) []ports.Compiled {
	var all []ports.Compiled
	for _, v := range m.plan.Vars {
		if v.Name != m.plan.Instance || v.Max-v.Min >= 100 {
			continue
		}
		for i := v.Min; i <= v.Max; i++ {
			if i == m.instance {
				continue
			}
			inventory := m.inventory
			inventory.Vars = map[string]int{}
			for name, value := range m.inventory.Vars {
				inventory.Vars[name] = value
			}
			inventory.Vars[v.Name] = i
			compiled, _ := ports.Compile(m.plan, inventory, i)
			all = append(all, compiled)
		}
	}
	return all
}

// printFindings prints what a person must know, and what to do below it. It is silent where nothing is wrong.
func printFindings(w io.Writer, found []probe.Finding) {
	n := 0
	for _, f := range found {
		if f.Severity == ports.Note {
			continue
		}
		if n++; n > 1 {
			fmt.Fprintln(w)
		}
		where := ""
		if f.Port != 0 {
			where = " " + interval(f) + "/" + string(f.Protocol)
		}
		name := f.ID
		if f.Service != "" && f.Service != f.ID {
			name += " (" + f.Service + ")"
		}
		if name != "" {
			name = " " + name
		}
		fmt.Fprintf(w, "%s%s%s: %s\n", f.State, where, printable(name), printable(f.Note))
		for _, r := range f.Remedies {
			fmt.Fprintf(w, "    - %s\n", printable(r))
		}
	}
	if n == 0 {
		return
	}
	for _, f := range found {
		if f.State == probe.NotSeen {
			fmt.Fprintf(w, "\nnot seen: %s\n", printable(f.Note))
		}
	}
}

func interval(f probe.Finding) string {
	s := strconv.Itoa(int(f.Port))
	if f.Last != 0 {
		s += "-" + strconv.Itoa(int(f.Last))
	}
	return s
}
