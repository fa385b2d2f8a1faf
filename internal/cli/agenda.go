package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (a *app) agendaCommand() *cobra.Command {
	var q api.AgendaQuery
	c := a.dataFlag(&cobra.Command{
		Use: "agenda [--day D] [--zone Z]", Short: "a day: what was due and what is due; and what people change of it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			page, err := client.ShowAgenda(c.Context(), q)
			if err != nil {
				return err
			}
			return a.print(page, func(w io.Writer) { agendaTable(w, page) })
		},
	})
	c.Flags().StringVar(&q.Day, "day", "", "a civil day, as 2026-12-24; absent: today")
	c.Flags().StringVar(&q.Zone, "zone", "", "zone in which the day is meant; absent: UTC")
	c.Flags().StringVar(&q.Net, "net", "", "only of this net")
	c.Flags().StringVar(&q.Folder, "folder", "", "only of nets below this folder")
	c.Flags().StringVar(&q.State, "state", "", "only pending, released, missed, suppressed, cancelled or late")
	c.Flags().StringVar(&q.After, "after", "", "the next page, as the page before says")
	c.Flags().IntVar(&q.Limit, "limit", 200, "at most so many, up to 1000")
	c.AddCommand(a.agendaAdd(), a.agendaMove(), a.agendaSkip(), a.agendaHold(), a.agendaOverrides(), a.agendaDrop(), a.agendaMonth())
	return c
}

func agendaTable(w io.Writer, page api.AgendaPage) {
	n := page.Counts
	fmt.Fprintf(w, "%s in %s: %d expected, %d released, %d missed, %d suppressed, %d cancelled, %d pending, %d late\n\n",
		page.Day, page.Zone, n.Expected, n.Released, n.Missed, n.Suppressed, n.Cancelled, n.Pending, n.Late)
	loc, ok := calendar.Builtin().Location(page.Zone)
	if !ok {
		loc = time.UTC
	}
	const clock = "15:04:05 -0700"
	line(w, "TIME", "LAST", "COUNT", "NET", "SCHEDULE", "DECISION", "REASON", "RUN", "STATE", "NOMINAL")
	for _, o := range page.Items {
		state := o.RunState
		if o.Late {
			late := "late"
			state = &late
		}
		last := "="
		if o.Last != nil {
			last = o.Last.In(loc).Format(clock)
		}
		line(w, o.Due.In(loc).Format(clock), last, o.Count, o.Net, o.Schedule, o.Decision, o.Reason, o.Run, state, o.Nominal)
	}
	more(w, page.Next)
	if len(page.Overrides) > 0 {
		fmt.Fprintln(w)
		overrideTable(w, page.Overrides)
	}
}

func overrideTable(w io.Writer, list []api.Override) {
	line(w, "ID", "KIND", "NET", "SCHEDULE", "NOMINAL", "TO", "STATE", "EXPIRES", "BY", "REASON")
	for _, o := range list {
		nominal := cell(o.Nominal)
		if o.Nominal == nil && o.From != nil {
			nominal = "from " + cell(o.From)
		}
		line(w, o.ID, o.Kind, o.Net, o.Schedule, nominal, o.To, o.State, o.Expires, o.By, o.Reason)
	}
}

func (a *app) agendaMonth() *cobra.Command {
	return &cobra.Command{
		Use: "month NET SCHEDULE [MONTH]", Short: "a month of a schedule, day by day, with the reason of each; absent: this one", Args: cobra.RangeArgs(2, 3),
		RunE: func(c *cobra.Command, args []string) error {
			when := time.Now()
			if len(args) == 3 {
				var err error
				if when, err = time.Parse("2006-01", args[2]); err != nil {
					return fault.New(fault.Invalid, fmt.Sprintf("%q is no month", args[2]), "write it as 2026-12")
				}
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			days, err := client.MonthOf(c.Context(), args[0], args[1], when)
			if err != nil {
				return err
			}
			return a.print(days, func(w io.Writer) {
				line(w, "DAY", "WORKING", "DUE", "SUPPRESSED", "FIRST TIMES", "WHY")
				for _, d := range days {
					times := make([]string, len(d.Times))
					for i, t := range d.Times {
						times[i] = t.Format(time.RFC3339)
					}
					line(w, d.Day, d.Working, d.Due, d.Suppressed, strings.Join(times, " "), d.Why)
				}
			})
		},
	}
}
