package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func (a *app) scheduleList() *cobra.Command {
	var q api.ScheduleQuery
	c := &cobra.Command{
		Use: "list [NET]", Short: "list schedules with what is due next", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q.Net = first(args)
			client, err := a.client()
			if err != nil {
				return err
			}
			schedules, err := client.ListSchedules(c.Context(), q)
			if err != nil {
				return err
			}
			return a.print(schedules, func(w io.Writer) {
				line(w, "NET", "SCHEDULE", "RULE", "ZONE", "NEXT", "LAST", "WAS", "MISSED", "PAUSED")
				for _, s := range schedules {
					line(w, s.Net, s.Name, s.Rule, s.Zone, s.Next, s.Last, s.LastWas, s.Missed, paused(s.Paused))
				}
			})
		},
	}
	c.Flags().StringVar(&q.Folder, "folder", "", "only of nets below this folder")
	c.Flags().BoolVar(&q.Paused, "paused", false, "only those that are paused")
	c.Flags().StringVar(&q.After, "after", "", "only those behind NET/SCHEDULE: the next page")
	c.Flags().IntVar(&q.Limit, "limit", 1000, "at most so many, up to 10000")
	return c
}

// first is the first argument; empty: there is none.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func paused(p *api.Pause) string {
	switch {
	case p == nil:
		return ""
	case p.Until != nil:
		return "by " + p.By + " until " + cell(p.Until)
	}
	return "by " + p.By
}

// pauseEnd says when a pause ends, as the end of a sentence.
func pauseEnd(p *api.Pause) string {
	if p.Until == nil {
		return "does not end before it is resumed"
	}
	return "ends " + cell(p.Until)
}

func (a *app) scheduleShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NET SCHEDULE", Short: "show a schedule as it is in force", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			s, err := client.Schedule(c.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.printSchedule(s)
		},
	}
}

func (a *app) printSchedule(s api.Schedule) error {
	return a.print(s, func(w io.Writer) {
		fmt.Fprintf(w, "net\t%s (version %d)\n", printable(s.Net), s.Version)
		line(w, "schedule", s.Name)
		line(w, s.Kind, s.Rule)
		line(w, "zone", fmt.Sprintf("%s (%s)", s.Zone, s.TZData))
		line(w, "calendar", s.Calendar)
		line(w, "fields", s.Text)
		line(w, "in force since", s.Since)
		line(w, "next", cell(s.Next)+because(s.NextReason))
		line(w, "last", cell(s.Last)+because(s.LastWas))
		line(w, "missed", s.Missed)
		if s.Paused != nil {
			line(w, "paused", fmt.Sprintf("%s, since %s: %s", paused(s.Paused), cell(s.Paused.Since), cell(s.Paused.Reason)))
			if s.Paused.WasUntil != nil {
				line(w, "it was to end", cell(s.Paused.WasUntil)+", and now "+pauseEnd(s.Paused))
			}
		}
	})
}

func (a *app) schedulePause() *cobra.Command {
	var order api.Pause
	var until string
	var zone zoneFlag
	c := &cobra.Command{
		Use: "pause NET SCHEDULE --reason TEXT [--until T]", Short: "what falls due is suppressed, until it is resumed", Args: cobra.ExactArgs(2),
		Long: "pause suppresses what falls due of a schedule, until --until or until it is resumed. A pause takes the place of one that there is,\n" +
			"with its end; where that was another one, the answer says so.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			end, err := zone.instant("--until", until)
			if err != nil {
				return err
			}
			if !end.IsZero() {
				order.Until = &end
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			s, err := client.PauseSchedule(c.Context(), args[0], args[1], order)
			if err != nil {
				return err
			}
			return a.printSchedule(s)
		},
	}
	c.Flags().StringVar(&order.Reason, "reason", "", "why, for those who wonder later")
	c.Flags().StringVar(&until, "until", "", "when it ends by itself; absent: not before it is resumed")
	_ = c.MarkFlagRequired("reason")
	return zone.add(c)
}

func (a *app) scheduleResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume NET SCHEDULE", Short: "end a pause; what fell due in it stays suppressed", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			s, err := client.ResumeSchedule(c.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.printSchedule(s)
		},
	}
}
