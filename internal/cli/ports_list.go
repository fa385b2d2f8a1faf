package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/render"
)

func (a *app) portsList() *cobra.Command {
	var plan *planFlags
	var lang string
	c := &cobra.Command{
		Use: "list [--plan P] [--inventory F] [--instance N] [-o FORM]", Short: "the port table of a plan: every socket that Reeve opens or dials", Args: cobra.NoArgs,
		Long: "Print the port table of a plan: one row for each flow and transport, with the number for the instance and the state that the site's switches give it. " +
			"Where the plan has errors, the rows that could be compiled are printed, and the errors stand on standard error.\n\n" + exitHelp,
		RunE: func(*cobra.Command, []string) error {
			site, found, err := plan.load()
			if err != nil {
				return err
			}
			if err := a.printTable(site, lang); err != nil {
				return err
			}
			return a.usable(plan, found)
		},
	}
	plan = a.planFlags(c)
	c.Flags().StringVar(&lang, "lang", "en", "language of the headings of markdown, html and vendor: en, de or ja")
	return prints(c, "csv", "markdown", "html", "vendor")
}

// printTable prints the port table: some forms here, the others by the renderer of their name.
func (a *app) printTable(site ports.Site, lang string) error {
	switch a.output {
	case "table", "json", "yaml":
		compiled := site.Compiled
		rows := compiled.Rows()
		return a.print(rows, func(w io.Writer) {
			line(w, "PORT", "PROTOCOL", "SERVICE", "FROM", "TO", "PURPOSE", "STATUS")
			for _, r := range rows {
				line(w, r.Port, r.Protocol, r.Service, r.Source, r.Destination, r.Purpose, r.Status)
			}
			fmt.Fprintf(w, "\nplan %s, instance %d, hash %s\n", compiled.Plan, compiled.Instance, compiled.Hash)
		})
	}
	if a.output == "csv" {
		return a.printCSV(site.Compiled)
	}
	var tables []string
	for _, t := range render.Targets() {
		if t.Kind != "table" {
			continue
		}
		if t.Name == a.output {
			text, err := t.Render(render.Input{Site: site, Locale: lang})
			if err != nil {
				return fault.Wrap(fault.Invalid, "rendering the port table", err)
			}
			_, err = a.out.Write(text)
			return err
		}
		tables = append(tables, t.Name)
	}
	return fault.New(fault.Invalid, fmt.Sprintf("-o is %q", a.output), "it is table, json, yaml, "+strings.Join(tables, ", "))
}

func (a *app) printCSV(compiled ports.Compiled) error {
	w := csv.NewWriter(a.out)
	records := [][]string{ports.Columns()}
	for _, r := range compiled.Rows() {
		records = append(records, r.Fields())
	}
	return w.WriteAll(records)
}
