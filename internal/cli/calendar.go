package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

func (a *app) calendarCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "calendar", Short: "which days are working days: show, ask, apply, import, export",
		Long: "A calendar says which civil days are working days. Schedules count on it (calendar: NAME, or calendar: NAME#SET).",
	}
	c.PersistentFlags().StringVar(&a.data, "data", os.Getenv("REEVE_DATA"), "data folder of a server on this host: local administration; for day and month an agent's, too, which needs no server (REEVE_DATA)")
	validate, apply := a.netValidate(), a.netApply()
	validate.Short, apply.Short = "check calendars (and nets) of files, without a server", "store calendars (and nets) of files as new versions, all or none"
	c.AddCommand(a.calendarList(), a.calendarShow(), apply, validate, a.calendarDay(), a.calendarMonth(), a.calendarImport(), a.calendarExport(), a.calendarSeed(),
		a.calendarPull(), a.calendarSchema())
	return c
}

func (a *app) calendarList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list calendars", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			calendars, err := client.ListCalendars(c.Context())
			if err != nil {
				return err
			}
			return a.print(calendars, func(w io.Writer) {
				line(w, "NAME", "VERSION", "TODAY", "SETS", "SCHEDULES", "DESCRIPTION")
				for _, one := range calendars {
					line(w, one.Name, one.Version, dayWord(one.Today), strings.Join(one.Sets, " "), one.UsedBy, one.Description)
				}
			})
		},
	}
}

// dayWord says what a day is.
func dayWord(working bool) string {
	if working {
		return "working"
	}
	return "free"
}

func (a *app) calendarShow() *cobra.Command {
	var version int
	c := &cobra.Command{
		Use: "show NAME", Short: "show a calendar: its table of days, its versions, and which schedules lean on it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			one, err := client.Calendar(c.Context(), args[0], version)
			if err != nil {
				return err
			}
			return a.print(one, func(w io.Writer) { showCalendar(w, one) })
		},
	}
	c.Flags().IntVar(&version, "version", 0, "a version; 0: the newest")
	return c
}

func showCalendar(w io.Writer, one api.Calendar) {
	fmt.Fprintf(w, "calendar\t%s\nversion\t%d of %d\nhash\t%s\napplied\t%s by %s\n", one.Name, one.Version, one.Newest, one.Hash, cell(one.Applied), printable(one.By))
	line(w, "description", one.Description)
	line(w, "week", strings.Join(one.Week, " "))
	line(w, "a day begins", one.Boundary)
	line(w, "today", dayWord(one.Today))
	line(w, "sets", strings.Join(one.Sets, " "))
	line(w, "schedules", strings.Join(one.Schedules, " "))
	if len(one.Free)+len(one.Work) > 0 {
		fmt.Fprintln(w)
		line(w, "DAY", "IS", "NAME")
	}
	for _, d := range one.Free {
		line(w, d.Date, "free", d.Name)
	}
	for _, d := range one.Work {
		line(w, d.Date, "working", d.Name)
	}
}

func (a *app) calendarSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "print the JSON Schema of calendars, for editors", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(append(bytes.TrimRight(jobfile.CalendarSchema(), "\n"), '\n'))
			return err
		},
	}
}

// printCalendar prints a calendar document; where it is to be applied, it is, and what that changed is printed.
func (a *app) printCalendar(c *cobra.Command, doc api.CalendarText, apply bool) error {
	if !apply {
		if a.output != "table" {
			return a.print(doc, nil)
		}
		_, err := io.WriteString(a.out, doc.Text)
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	result, err := client.ApplyNets(c.Context(), doc.Calendar, []byte(doc.Text), false)
	if err != nil {
		return err
	}
	return a.print(result, func(w io.Writer) {
		for _, one := range result.Calendars {
			showApplied(w, "calendar ", one, false)
		}
	})
}

// calendarThere returns a calendar of the server; nil: it has none of this name.
func calendarThere(c *cobra.Command, client *api.Client, name string) (*api.Calendar, error) {
	one, err := client.Calendar(c.Context(), name, 0)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // that there is none is an answer
	}
	if err != nil {
		return nil, err
	}
	return &one, nil
}
