package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func (a *app) occurrenceRisk() *cobra.Command {
	var hours int
	c := &cobra.Command{
		Use: "risk", Short: "list what is due soon and needs a path or an agent that is not there", Args: cobra.NoArgs,
		Long: "List what is due in the next hours and needs a path or an agent that is not there now. The exit code is 1 where there is any.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			risks, err := client.AtRisk(c.Context(), hours)
			if err != nil {
				return err
			}
			err = a.print(risks, func(w io.Writer) {
				if len(risks) == 0 {
					fmt.Fprintf(w, "nothing that is due in the next %d hours lacks an agent or a path\n", hours)
					return
				}
				line(w, "DUE", "COUNT", "NET", "SCHEDULE", "JOB", "NEEDS", "WHY")
				for _, r := range risks {
					line(w, r.Due, r.Count, r.Net, r.Schedule, r.Job, r.Needs, r.Text)
				}
			})
			if err == nil && len(risks) > 0 {
				return &exitError{1}
			}
			return err
		},
	}
	c.Flags().IntVar(&hours, "hours", 12, "how far to look ahead, up to 168")
	return c
}

func (a *app) occurrenceBalance() *cobra.Command {
	var q api.BalanceQuery
	c := &cobra.Command{
		Use: "balance [NET]", Short: "show that everything expected of a business day is decided or pending", Args: cobra.MaximumNArgs(1),
		Long: "Show for each schedule of a business day: expected = released + missed + suppressed + cancelled + pending. The exit code is 1 where one does not hold.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			q.Net = first(args)
			client, err := a.client()
			if err != nil {
				return err
			}
			sums, err := client.Balance(c.Context(), q)
			if err != nil {
				return err
			}
			broken := false
			err = a.print(sums, func(w io.Writer) {
				line(w, "NET", "SCHEDULE", "DAY", "EXPECTED", "RELEASED", "MISSED", "SUPPRESSED", "CANCELLED", "PENDING", "HOLDS")
				for _, b := range sums {
					line(w, b.Net, b.Schedule, b.Day, b.Expected, b.Released, b.Missed, b.Suppressed, b.Cancelled, b.Pending, b.Holds)
				}
			})
			for _, b := range sums {
				broken = broken || !b.Holds
			}
			if err == nil && broken {
				return &exitError{1}
			}
			return err
		},
	}
	c.Flags().StringVar(&q.Day, "day", "", "business day, as 2026-12-24; absent: today, in each schedule's own zone")
	c.Flags().StringVar(&q.Folder, "folder", "", "only of nets below this folder")
	c.Flags().StringVar(&q.Schedule, "schedule", "", "only of this schedule")
	c.Flags().BoolVar(&q.Broken, "broken", false, "only those that do not hold")
	return c
}
