package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/dialect"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// importFlags are what the imports have besides the plan.
type importFlags struct {
	known     bool
	pool, row string
	read      string
	into      bool
	ledger    string
}

// importResult is what `ports import -o json` prints.
type importResult struct {
	dialect.Part
	Findings []importFinding `json:"findings"`
}

// importFinding is a finding with the line that it is printed as elsewhere.
type importFinding struct {
	ports.Diagnostic
	Text string `json:"text"`
}

// importer reads a file of one form over a plan.
type importer func(file string, data []byte, over ports.Compiled) (dialect.Part, []ports.Diagnostic)

func (a *app) portsImport() *cobra.Command {
	c := &cobra.Command{
		Use: "import", Short: "read another product's file of ports: prints a piece of a plan, of an inventory, or leases",
		Long: "Read another product's file of ports and print what it means as a piece of a plan, of an inventory, or as leases (-o yaml, the default, or json). What is wrong " +
			"with the file stands before it as FILE:LINE:COLUMN: message, and the exit code is 1. FILE may be -, the standard input.\n\n" + exitHelp,
	}
	c.AddCommand(a.importServices(), a.importPortsConfig(), a.importRangeList(), a.importProcessClass(), a.importUsedPorts())
	return c
}

func (a *app) importServices() *cobra.Command {
	var f importFlags
	c := a.importCommand("services", builtin.Default, "a services file: other numbers for the plan's rows, and foreign rows for all other names",
		&f, func(file string, data []byte, over ports.Compiled) (dialect.Part, []ports.Diagnostic) {
			s, found := dialect.ParseServices(file, data)
			part, more := s.Part(file, over, f.known)
			return part, append(found, more...)
		})
	c.Flags().BoolVar(&f.known, "known", false, "only names that rows of the plan have")
	return c
}

func (a *app) importPortsConfig() *cobra.Command {
	var f importFlags
	return a.importCommand("portsconfig", "arcserve", "a PortsConfig.cfg: numbers of rows, ranges of pools, and an inventory for lines of single hosts",
		&f, func(file string, data []byte, over ports.Compiled) (dialect.Part, []ports.Diagnostic) {
			p, found := dialect.ParsePortsConfig(file, data)
			part, more := p.Part(file, over)
			return part, append(found, more...)
		})
}

func (a *app) importRangeList() *cobra.Command {
	var f importFlags
	c := a.importCommand("rangelist", "arcserve", "range lists of the management service, [20000-20100|7199]: numbers of pools",
		&f, func(file string, data []byte, over ports.Compiled) (dialect.Part, []ports.Diagnostic) {
			r, found := dialect.ParseRangeLists(file, data, dialect.Reading(f.read))
			part, more := r.Part(file, over, f.pool)
			return part, append(found, more...)
		})
	c.Flags().StringVar(&f.pool, "pool", "callback", "the pool of a list that has no name")
	c.Flags().StringVar(&f.read, "read", "", "what 10000|1999 means: ports (two of them) or ranges; not given: it is reported, and opens nothing")
	return c
}

func (a *app) importProcessClass() *cobra.Command {
	var f importFlags
	c := a.importCommand("processclass", "jobscheduler", "process classes (XML): agents of an inventory, and the capacity of the pool for callbacks",
		&f, func(file string, data []byte, over ports.Compiled) (dialect.Part, []ports.Diagnostic) {
			classes, found := dialect.ParseProcessClasses(file, data)
			return dialect.ClassesPart(classes, over, f.row, f.pool), found
		})
	c.Flags().StringVar(&f.row, "row", "jobscheduler", "the row on which the remote schedulers listen")
	c.Flags().StringVar(&f.pool, "pool", "callback", "the pool for callbacks")
	return c
}

func (a *app) importUsedPorts() *cobra.Command {
	var f importFlags
	c := a.importCommand("usedports", "acs", "a USED_CONTAINER_PORTS: leases of a pool",
		&f, func(file string, data []byte, over ports.Compiled) (dialect.Part, []ports.Diagnostic) {
			u, found := dialect.ParseUsedPorts(file, data)
			part, more := u.Part(file, over, f.pool)
			return part, append(found, more...)
		})
	c.Flags().StringVar(&f.pool, "pool", "containers", "the pool that the numbers are of")
	c.Flags().BoolVar(&f.into, "into-ledger", false, "also keep each number for its name in this host's ledger, until the name leases it")
	c.Flags().StringVar(&f.ledger, "ledger", "", "folder of the ledger of leases (REEVE_LEDGER)")
	return c
}

// importCommand is a command that reads one file over a plan.
func (a *app) importCommand(name, plan, short string, f *importFlags, read importer) *cobra.Command {
	var p *planFlags
	c := &cobra.Command{
		Use: name + " FILE [--plan P] [--instance N]", Short: short, Args: cobra.ExactArgs(1),
		Long: strings.ToUpper(short[:1]) + short[1:] + ".\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"", "ports", "ranges"}, f.read) {
				return fault.New(fault.Invalid, fmt.Sprintf("--read is %q", f.read), "it is ports or ranges")
			}
			return a.importFile(c.Context(), args[0], p, f, read)
		},
	}
	p = a.planFlags(c)
	p.plan = plan
	c.Flags().Lookup("plan").DefValue = plan
	return c
}

// importFile reads a file and prints what it means.
func (a *app) importFile(ctx context.Context, path string, p *planFlags, f *importFlags, read importer) error {
	meant, err := p.read()
	if err != nil {
		return err
	}
	over, found := ports.Compile(meant.plan, meant.inventory, meant.instance)
	if err := a.usable(p, found); err != nil {
		return err
	}
	data, err := a.fileOrInput(path)
	if err != nil {
		return fault.Wrap(fault.Invalid, "reading "+path, err)
	}
	part, found := read(path, data, over)
	if f.into {
		more, err := intoLedger(ctx, f.ledger, over, part.Leases)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	if base := meant.plan.Extends; base != "" {
		part = part.Over(base) // the piece is merged into the site's own plan, which extends the same one
	}
	if err := a.printPart(part, found, data, p.plan); err != nil {
		return err
	}
	return verdict(found)
}

// fileOrInput reads a file that is named on the command line, or standard input for -.
func (a *app) fileOrInput(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(a.in, maxText))
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close() // only read
	return io.ReadAll(io.LimitReader(in, maxText))
}

// printPart prints what was imported. Errors stand before it, as those of every document; warnings are comments, so
// that what was imported without an error is a document as it stands.
func (a *app) printPart(part dialect.Part, found []ports.Diagnostic, text []byte, plan string) error {
	if a.output == "json" {
		result := importResult{Part: part, Findings: []importFinding{}}
		for _, d := range found {
			result.Findings = append(result.Findings, importFinding{d, d.String()})
		}
		return a.print(result, nil)
	}
	var b bytes.Buffer
	for _, d := range found {
		if d.Severity == ports.Error {
			fmt.Fprintln(&b, printable(d.String()))
			if excerpt := planfile.Excerpt(text, d.Place); excerpt != "" {
				fmt.Fprintln(&b, excerpt)
			}
		}
	}
	for _, d := range found {
		if d.Severity != ports.Error {
			fmt.Fprintln(&b, "# "+printable(d.String()))
		}
	}
	if part.Empty() {
		fmt.Fprintf(&b, "# nothing that differs from the plan %s\n", printable(plan))
	}
	b.Write(part.YAML())
	_, err := a.out.Write(b.Bytes())
	return err
}
