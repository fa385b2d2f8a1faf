package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// missedRow is a row of the list of what was missed; the last one of a page says how to get the next.
type missedRow struct {
	api.Missed
	Next *string `json:"next"`
}

func (a *app) occurrenceMissed() *cobra.Command {
	var q api.OccurrenceQuery
	var span spanFlags
	c := &cobra.Command{
		Use: "missed [NET]", Short: "list what was missed and is neither recovered nor dismissed, oldest first; what a schedule missed together is one line", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q.Net = first(args)
			if err := span.read(&q); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			page, err := client.Missed(c.Context(), q)
			if err != nil {
				return err
			}
			rows := make([]missedRow, len(page.Missed))
			for i, m := range page.Missed {
				rows[i] = missedRow{Missed: m}
			}
			if len(rows) > 0 {
				rows[len(rows)-1].Next = page.Next
			}
			return a.print(rows, func(w io.Writer) { missedTable(w, page) })
		},
	}
	c.Flags().StringVar(&q.Folder, "folder", "", "only of nets below this folder")
	c.Flags().StringVar(&q.Schedule, "schedule", "", "only of this schedule")
	c.Flags().BoolVar(&q.Each, "each", false, "a line for each occurrence")
	c.Flags().StringVar(&q.After, "after", "", "the next page, as the page before says")
	c.Flags().IntVar(&q.Limit, "limit", 100, "at most so many lines, up to 1000")
	return span.add(c)
}

func missedTable(w io.Writer, page api.MissedPage) {
	line(w, "FIRST", "LAST", "COUNT", "NET", "SCHEDULE", "REASON", "DETAIL")
	shown := int64(0)
	for _, m := range page.Missed {
		last := cell(m.Last)
		if m.Count == 1 {
			last = "="
		}
		line(w, m.First, last, m.Count, m.Net, m.Schedule, m.Reason, m.Detail)
		shown += m.Count
	}
	if shown < page.Count {
		fmt.Fprintf(w, "\n%d of %d that were missed\n", shown, page.Count)
	}
	more(w, page.Next)
}

// manyFlags say which of what was missed is meant.
type manyFlags struct {
	all    bool
	q      api.OccurrenceQuery
	span   spanFlags
	reason string
}

func (f *manyFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&f.all, "all", false, "all that was missed")
	c.Flags().StringVar(&f.q.Folder, "folder", "", "with --all: only of nets below this folder")
	c.Flags().StringVar(&f.q.Schedule, "schedule", "", "with --all: only of this schedule")
	c.Flags().StringVar(&f.span.until, "until", "", "with --all: only those due earlier")
	c.Flags().StringVar(&f.reason, "reason", "", "why, for those who wonder later")
	return f.span.zone.add(c)
}

// read reads the arguments: NET SCHEDULE NOMINAL, or with --all a NET or none.
func (f *manyFlags) read(c *cobra.Command, args []string) error {
	if !f.all {
		for _, name := range []string{"folder", "schedule", "since", "until", "limit"} {
			if flag := c.Flags().Lookup(name); flag != nil && flag.Changed {
				return fault.New(fault.Invalid, "--"+name+" goes with --all", "")
			}
		}
		if len(args) != 3 {
			return fault.New(fault.Invalid, c.Name()+" takes NET SCHEDULE NOMINAL, or --all [NET]", "see `reeve occurrence missed`")
		}
		return nil
	}
	if len(args) > 1 {
		return fault.New(fault.Invalid, c.Name()+" --all takes one NET, or none", "--schedule says which schedule of it")
	}
	f.q.Net, f.q.Reason = first(args), f.reason
	return f.span.read(&f.q)
}

func (a *app) occurrenceRelease() *cobra.Command {
	var f manyFlags
	c := &cobra.Command{
		Use:   "release NET SCHEDULE NOMINAL | --all [NET] [--since T] [--until T]",
		Short: "start one that waits, or that was missed; with --all what was missed, oldest first, each as a run of its own", Args: cobra.MaximumNArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.read(c, args); err != nil {
				return err
			}
			if !f.all {
				return a.act(c, args, "release", f.reason, &f.span.zone)
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			got, err := client.ReleaseMissed(c.Context(), f.q)
			if err != nil {
				return err
			}
			if err := a.print(got, func(w io.Writer) { releasedTable(w, got) }); err != nil {
				return err
			}
			if len(got.Refused) > 0 {
				return &exitError{1}
			}
			return nil
		},
	}
	c.Flags().StringVar(&f.span.since, "since", "", "with --all: only those due then or later")
	c.Flags().IntVar(&f.q.Limit, "limit", 0, "with --all: only so many, the oldest, up to 1000; absent: all, and refused where they are more than 1000")
	return f.add(c)
}

func releasedTable(w io.Writer, got api.ReleasedMissed) {
	if len(got.Runs) > 0 {
		line(w, "NET", "SCHEDULE", "NOMINAL", "RUN")
		for _, r := range got.Runs {
			line(w, r.Net, r.Schedule, r.Nominal, r.Run)
		}
		fmt.Fprintln(w)
	}
	if len(got.Refused) > 0 {
		line(w, "NET", "SCHEDULE", "FIRST", "LAST", "COUNT", "NOT RELEASED")
		for _, r := range got.Refused {
			last := cell(r.Last)
			if r.Count == 1 {
				last = "="
			}
			line(w, r.Net, r.Schedule, r.First, last, r.Count, r.Why)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d released, %d left\n", got.Released, got.Left)
}

// dismissedOf is what `occurrence dismiss --all -o json` prints.
type dismissedOf struct {
	Dismissed int64 `json:"dismissed"`
}

func (a *app) occurrenceDismiss() *cobra.Command {
	var f manyFlags
	c := &cobra.Command{
		Use: "dismiss NET SCHEDULE NOMINAL | --all [NET] [--until T]", Short: "say of what was missed that nothing is to be done", Args: cobra.MaximumNArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.read(c, args); err != nil {
				return err
			}
			if !f.all {
				return a.act(c, args, "dismiss", f.reason, &f.span.zone)
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			n, err := client.DismissMissed(c.Context(), f.q)
			if err != nil {
				return err
			}
			return a.print(dismissedOf{n}, func(w io.Writer) { fmt.Fprintf(w, "%d dismissed\n", n) })
		},
	}
	return f.add(c)
}
