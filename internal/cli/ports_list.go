package cli

import (
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
	c.Flags().StringVar(&lang, "lang", "en", "language of the headings: en, de or ja; json, yaml and csv have none")
	return prints(c, tables()...)
}

// printTable prints the port table: some forms here, the others by the renderer of their name.
func (a *app) printTable(site ports.Site, lang string) error {
	headings, err := render.Headings(lang)
	if err != nil {
		return fault.Wrap(fault.Invalid, "--lang is "+lang, err)
	}
	switch a.output {
	case "table", "json", "yaml":
		compiled := site.Compiled
		rows := compiled.Rows()
		if rows == nil {
			rows = []ports.Row{}
		}
		return a.print(rows, func(w io.Writer) {
			line(w, tableHead(lang, headings)...)
			for _, r := range rows {
				line(w, r.Port, r.Protocol, r.Service, r.Source, r.Destination, r.Purpose, r.Status)
			}
			fmt.Fprintf(w, "\nplan %s, instance %d, hash %s\n", compiled.Plan, compiled.Instance, compiled.Hash)
		})
	}
	target, err := targetNamed(a.output)
	if err != nil {
		return err
	}
	text, err := target.Render(render.Input{Site: site, Locale: lang})
	if err != nil {
		return fault.Wrap(fault.Invalid, "rendering the port table", err)
	}
	_, err = a.out.Write(text)
	return err
}

// tableHead is the head of the table for people: some of the columns, in English shorter than the pages have them.
func tableHead(lang string, headings map[string]string) []any {
	if lang == "" || lang == "en" {
		return []any{"PORT", "PROTOCOL", "SERVICE", "FROM", "TO", "PURPOSE", "STATUS"}
	}
	var out []any
	for _, column := range []string{"port", "protocol", "service", "source", "destination", "purpose", "status"} {
		out = append(out, strings.ToUpper(headings[column]))
	}
	return out
}

// tables are the forms of the port table that a renderer writes.
func tables() []string {
	var names []string
	for _, t := range render.Targets() {
		if t.Kind == "table" && t.Name != "json" { // ours has the same rows
			names = append(names, t.Name)
		}
	}
	return names
}
