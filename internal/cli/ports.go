package cli

import (
	"encoding/csv"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func (a *app) portsCommand() *cobra.Command {
	c := &cobra.Command{Use: "ports", Short: "the port plan; needs neither a server nor a data folder"}
	c.AddCommand(a.portsList())
	return c
}

func (a *app) portsList() *cobra.Command {
	var plan string
	var instance int
	c := &cobra.Command{
		Use: "list [--plan P] [--instance N] [-o csv]", Short: "the port table of a plan: every socket that Reeve opens or dials", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			compiled, err := compilePlan(plan, instance)
			if err != nil {
				return err
			}
			rows := compiled.Rows()
			if a.output == "csv" {
				w := csv.NewWriter(a.out)
				for _, record := range append([][]string{ports.Columns()}, fields(rows)...) {
					if err := w.Write(record); err != nil {
						return err
					}
				}
				w.Flush()
				return w.Error()
			}
			return a.print(rows, func(w io.Writer) {
				line(w, "PORT", "PROTOCOL", "SERVICE", "FROM", "TO", "PURPOSE", "STATUS")
				for _, r := range rows {
					line(w, r.Port, r.Protocol, r.Service, r.Source, r.Destination, r.Purpose, r.Status)
				}
				fmt.Fprintf(w, "\nplan %s, instance %d, hash %s\n", compiled.Plan, compiled.Instance, compiled.Hash)
			})
		},
	}
	c.Flags().StringVar(&plan, "plan", "default", "port plan: a built-in name or a file")
	c.Flags().IntVar(&instance, "instance", 0, "instance of the plan")
	return c
}

func fields(rows []ports.Row) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		out[i] = r.Fields()
	}
	return out
}

// formats are those that a command prints in.
func (a *app) checkOutput(c *cobra.Command) error {
	switch a.output {
	case "table", "json", "yaml":
		return nil
	case "csv":
		if c.Parent() != nil && c.Parent().Name() == "ports" {
			return nil
		}
	}
	return fault.New(fault.Invalid, fmt.Sprintf("-o is %q", a.output), "table, json or yaml; the port table also csv")
}
