package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// validated is what `net validate -o json` prints for a file.
type validated struct {
	File      string          `json:"file"`
	Nets      []string        `json:"nets"`
	Calendars []string        `json:"calendars"`
	Mistakes  []fault.Mistake `json:"mistakes"`
}

func (a *app) netValidate() *cobra.Command {
	var calendars []string
	c := &cobra.Command{
		Use: "validate FILE…", Short: "check definitions, without a server", Args: cobra.MinimumNArgs(1),
		Long: "validate checks the nets and calendars of the files. A calendar that a schedule leans on must stand in one of them, or in a file\n" +
			"of --calendars; what the server has, net apply --dry-run knows.",
		RunE: func(_ *cobra.Command, args []string) error {
			results, all, err := a.validate(args, calendars)
			if err != nil {
				return err
			}
			if a.output != "table" {
				if err := a.print(results, nil); err != nil {
					return err
				}
				if len(all) > 0 {
					return &exitError{2}
				}
				return nil
			}
			if len(all) > 0 {
				return all
			}
			for _, v := range results {
				what := fmt.Sprintf("%d nets", len(v.Nets))
				if len(v.Calendars) > 0 {
					what += fmt.Sprintf(", %d calendars", len(v.Calendars))
				}
				fmt.Fprintf(a.out, "%s: %s, no mistakes\n", v.File, what)
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&calendars, "calendars", nil, "file with calendars that the schedules lean on; may be given several times")
	return c
}

func (a *app) validate(files, calendars []string) ([]validated, fault.Mistakes, error) {
	read, err := a.readDrafts(files, calendars)
	if err != nil {
		return nil, nil, err
	}
	zones := calendar.Builtin()
	jobfile.Together(read.drafts[:len(files)])
	var results []validated
	var all fault.Mistakes
	for i, d := range read.drafts[:len(files)] {
		v := validated{File: read.names[i], Nets: []string{}, Calendars: []string{}, Mistakes: []fault.Mistake{}}
		docs, err := d.Documents(read.checks(zones))
		mistakes, ok := mistakesOf(err)
		if err != nil && !ok {
			return nil, nil, err
		}
		for i := range docs.Nets {
			v.Nets = append(v.Nets, docs.Nets[i].Name)
		}
		for i := range docs.Calendars {
			v.Calendars = append(v.Calendars, docs.Calendars[i].Name)
		}
		v.Mistakes = append(v.Mistakes, mistakes...)
		all = append(all, mistakes...)
		results = append(results, v)
	}
	return results, all, nil
}

// drafts are files that were read and are not checked: each may lean on calendars of the others.
type drafts struct {
	names  []string
	drafts []*jobfile.Draft
	lookup calendar.Lookup
}

// readDrafts reads files of definitions, and behind them those with calendars.
func (a *app) readDrafts(files, calendars []string) (*drafts, error) {
	out := &drafts{}
	for _, path := range append(append([]string{}, files...), calendars...) {
		name, text, err := a.readDefinition(path)
		if err != nil {
			return nil, err
		}
		d := jobfile.Read(name, text)
		out.names, out.drafts = append(out.names, name), append(out.drafts, d)
		out.lookup = d.Found().Lookup(out.lookup)
	}
	return out, nil
}

// checks are what is known without a server.
func (d *drafts) checks(zones *calendar.Zones) jobfile.Checks {
	return jobfile.Checks{
		Nets: []jobfile.Check{jobnet.Schedules(zones, d.lookup)},
		Calendars: []jobfile.CalendarCheck{func(c *calendar.Definition) []calendar.Problem {
			return calendar.CheckDefinition(c, d.lookup)
		}},
	}
}
