package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func (a *app) occurrenceCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "occurrence", Short: "what became of each time at which a schedule was due"})
	c.AddCommand(a.occurrenceList(), a.occurrenceShow(), a.occurrenceMissed(), a.occurrenceRelease(), a.occurrenceDismiss(),
		a.occurrenceVerb("cancel", "take one away that waits or is not due yet"),
		a.occurrenceBalance(), a.occurrenceRisk())
	return c
}

// spanFlags are the bounds of a list in time.
type spanFlags struct {
	zone         zoneFlag
	since, until string
}

func (f *spanFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.since, "since", "", "only those due then or later")
	c.Flags().StringVar(&f.until, "until", "", "only those due earlier")
	return f.zone.add(c)
}

func (f *spanFlags) read(q *api.OccurrenceQuery) error {
	return f.zone.instants(wanted{"--since", f.since, &q.Since}, wanted{"--until", f.until, &q.Until})
}

func (a *app) occurrenceList() *cobra.Command {
	var q api.OccurrenceQuery
	var span spanFlags
	c := &cobra.Command{
		Use: "list [NET]", Short: "list occurrences by due, with what became of them; what was decided together, as after an outage, is one line with first, last and count", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q.Net = first(args)
			if err := span.read(&q); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			page, err := client.ListOccurrences(c.Context(), q)
			if err != nil {
				return err
			}
			rows := make([]occurrenceRow, len(page.Occurrences))
			for i, o := range page.Occurrences {
				rows[i] = occurrenceRow{Occurrence: o}
			}
			if len(rows) > 0 {
				rows[len(rows)-1].Next = page.Next
			}
			return a.print(rows, func(w io.Writer) {
				occurrenceTable(w, page.Occurrences)
				more(w, page.Next)
			})
		},
	}
	c.Flags().StringVar(&q.Folder, "folder", "", "only of nets below this folder")
	c.Flags().StringVar(&q.Schedule, "schedule", "", "only of this schedule")
	c.Flags().StringSliceVar(&q.Decisions, "decision", nil, "only pending, released, missed, suppressed, cancelled")
	c.Flags().StringSliceVar(&q.Reasons, "reason", nil, "only of these reasons, as server_down or calendar")
	c.Flags().BoolVar(&q.Planned, "planned", false, "also those that are not due yet, until --until (absent: a day ahead)")
	c.Flags().StringVar(&q.After, "after", "", "the next page, as the page before says")
	c.Flags().IntVar(&q.Limit, "limit", 100, "at most so many, up to 1000")
	return span.add(c)
}

// occurrenceRow is a row of a list, which is an array: the last one of a page says how to get the next.
type occurrenceRow struct {
	api.Occurrence
	Next *string `json:"next"`
}

// occurrenceTable prints occurrences, and ranges of them, a line each.
func occurrenceTable(w io.Writer, list []api.Occurrence) {
	line(w, "DUE", "LAST", "COUNT", "NET", "SCHEDULE", "NOMINAL", "MOVED", "DECISION", "REASON", "RUN", "STATE")
	for _, o := range list {
		nominal := cell(o.Nominal)
		if o.Nominal.Equal(o.Due) {
			nominal = "="
		}
		run, state := o.Run, o.RunState
		if run == nil {
			run = o.RecoveredBy
		}
		if o.Late {
			late := "late"
			if state != nil {
				late = *state + ", late"
			}
			state = &late
		}
		last := "="
		if o.Last != nil {
			last = cell(o.Last)
		}
		line(w, o.Due, last, o.Count, o.Net, o.Schedule, nominal, o.Moved, o.Decision, o.Reason, run, state)
	}
}

// more says how to get the next page.
func more(w io.Writer, next *string) {
	if next != nil {
		fmt.Fprintf(w, "\nthere are more: --after %q\n", *next)
	}
}

func (a *app) occurrenceShow() *cobra.Command {
	var zone zoneFlag
	return zone.add(&cobra.Command{
		Use: "show NET SCHEDULE NOMINAL", Short: "show an occurrence, and how it came about", Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			nominal, err := zone.given("NOMINAL", args[2])
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			o, err := client.Occurrence(c.Context(), args[0], args[1], nominal)
			if err != nil {
				return err
			}
			return a.printOccurrence(o)
		},
	})
}

func (a *app) printOccurrence(o api.Occurrence) error {
	return a.print(o, func(w io.Writer) {
		line(w, "net", o.Net)
		line(w, "schedule", o.Schedule)
		line(w, "nominal", o.Nominal)
		line(w, "due", cell(o.Due)+because(o.Moved))
		line(w, "zone", fmt.Sprintf("%s (%s)", o.Zone, o.TZData))
		line(w, "decision", o.Decision+because(o.Reason))
		if o.Detail != nil {
			line(w, "detail", o.Detail)
		}
		line(w, "decided", o.Decided)
		if o.By != nil {
			line(w, "by", o.By)
		}
		if o.Run != nil {
			line(w, "run", *o.Run+because(o.RunState))
		}
		if o.Late {
			line(w, "late", "its run has not ended in time")
		}
		if o.RecoveredBy != nil {
			line(w, "recovered by", o.RecoveredBy)
		}
		if o.Dismissed != nil {
			line(w, "dismissed", fmt.Sprintf("%s by %s", cell(o.Dismissed), cell(o.DismissedBy)))
		}
		for _, step := range o.Certificate {
			fmt.Fprintf(w, "  %s\n", printable(step))
		}
	})
}

func (a *app) occurrenceVerb(verb, short string) *cobra.Command {
	var reason string
	var zone zoneFlag
	c := &cobra.Command{
		Use: verb + " NET SCHEDULE NOMINAL", Short: short, Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error { return a.act(c, args, verb, reason, &zone) },
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
	return zone.add(c)
}

func (a *app) act(c *cobra.Command, args []string, verb, reason string, zone *zoneFlag) error {
	nominal, err := zone.given("NOMINAL", args[2])
	if err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	o, err := client.ActOnOccurrence(c.Context(), api.OccurrenceAct{Net: args[0], Schedule: args[1], Nominal: nominal, Verb: verb, Reason: reason})
	if err != nil {
		return err
	}
	return a.printOccurrence(o)
}
