package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// scheduleDiff compares definitions with what is in force, with other files, or one time zone database with another.
func (a *app) scheduleDiff() *cobra.Command {
	var months, examples int
	var check string
	var all bool
	var local localDiff
	c := &cobra.Command{
		Use: "diff [NEW.zip] FILE…", Short: "show which occurrences a change of definitions or of time zones adds, removes and moves",
		Long: "diff compares the schedules of the files with those in force on the server.\n\n" +
			"With --against it compares them with those of other files, and with --tzdata the same files by an older and a newer time zone\n" +
			"database (NEW.zip, else the one of this program); each is a zip as Go distributes it, lib/time/zoneinfo.zip, or as a server keeps it,\n" +
			"tzdata.zip. One that does not say of which version it is, is named by its hash. Neither needs a server; calendars are those of the\n" +
			"files and of --calendars.\n\n" +
			"With --check the exit code is 1 where an occurrence is removed or moved, where what a person changed of the agenda becomes stale, and where\n" +
			"what is in force cannot be compared; with --check=any also where anything is added.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if months < 1 || months > 120 {
				return fault.New(fault.Invalid, fmt.Sprintf("--months is %d", months), "it goes from 1 to 120")
			}
			if !slices.Contains([]string{"", checkLost, checkAny}, check) {
				return fault.New(fault.Invalid, fmt.Sprintf("--check is %q", check), "it is --check for what is removed or moved, or --check=any for what is added, too")
			}
			if examples < 0 || examples > domain.DiffExamples {
				return fault.New(fault.Invalid, fmt.Sprintf("--examples is %d", examples), fmt.Sprintf("it goes from 0 to %d", domain.DiffExamples))
			}
			diffs, by, err := a.diffs(c, args, months, &local)
			if err != nil {
				return err
			}
			shown := []api.ScheduleDiff{}
			bad := false
			for _, d := range diffs {
				bad = bad || finds(check, &d)
				if all || d.Change != "unchanged" || d.Added+d.Removed+d.Moved > 0 {
					shown = append(shown, d)
				}
			}
			if err := a.printDiffs(shown, len(diffs), examples, by); err != nil {
				return err
			}
			if bad {
				return &exitError{1}
			}
			return nil
		},
	}
	c.Flags().IntVar(&months, "months", domain.DiffMonths, "how far to look ahead, 1 to 120")
	c.Flags().IntVar(&examples, "examples", 5, "how many occurrences of each schedule to list, up to 20")
	c.Flags().StringVar(&check, "check", "", "exit with 1 where an occurrence is removed or moved; --check=any: where one is added, too")
	c.Flags().Lookup("check").NoOptDefVal = checkLost
	c.Flags().BoolVar(&all, "all", false, "also schedules of which nothing changes")
	local.add(c)
	return c
}

// What --check looks for.
const (
	checkLost = "removed"
	checkAny  = "any"
)

// finds reports whether a check fails over what becomes of a schedule. What cannot be compared may be anything.
func finds(check string, d *api.ScheduleDiff) bool {
	unknown := d.Note != nil && d.Change != "unchanged"
	lost := d.Removed+d.Moved > 0 || unknown && d.Change != "added"
	for i := range d.Overrides {
		lost = lost || d.Overrides[i].State == "stale"
	}
	switch check {
	case checkLost:
		return lost
	case checkAny:
		return lost || unknown || d.Added > 0 || len(d.Overrides) > 0
	}
	return false
}

// diffs asks the server, or compares here; by says by which time zone databases, where they are compared.
func (a *app) diffs(c *cobra.Command, args []string, months int, local *localDiff) (diffs []api.ScheduleDiff, by string, err error) {
	if local.given() {
		return a.diffHere(args, months, local)
	}
	client, err := a.client()
	if err != nil {
		return nil, "", err
	}
	files, err := a.readDefinitions(args)
	if err != nil {
		return nil, "", err
	}
	diffs, err = diffWhole(c.Context(), client, files, months)
	return diffs, "", err
}

// diffWhole asks until all of some files was compared: the server compares so many changed schedules in one request.
func diffWhole(ctx context.Context, from api.Schedules, files []api.File, months int) ([]api.ScheduleDiff, error) {
	all := []api.ScheduleDiff{}
	for after := ""; ; {
		part, err := from.DiffSchedules(ctx, files[0].Name, files[0].Text, api.DiffQuery{Months: months, After: after}, files[1:]...)
		if err != nil {
			return nil, err
		}
		compared := slices.IndexFunc(part, func(d api.ScheduleDiff) bool { return d.Uncompared })
		if compared < 0 {
			return append(all, part...), nil
		}
		if compared == 0 {
			return nil, fault.Newf(fault.Internal, "the server did not compare schedule %s of net %s", part[0].Schedule, part[0].Net)
		}
		all = append(all, part[:compared]...)
		after = all[len(all)-1].Net + "/" + all[len(all)-1].Schedule
	}
}

func (a *app) printDiffs(diffs []api.ScheduleDiff, compared, examples int, by string) error {
	return a.print(diffs, func(w io.Writer) {
		if by != "" {
			fmt.Fprintln(w, "by "+by)
		}
		if len(diffs) == 0 {
			fmt.Fprintf(w, "no occurrence changes (schedules compared: %d)\n", compared)
			return
		}
		diffTable(w, diffs, examples, "")
	})
}

// diffTable writes what becomes of schedules, and the first occurrences of each that change.
func diffTable(w io.Writer, diffs []api.ScheduleDiff, examples int, indent string) {
	fmt.Fprint(w, indent)
	line(w, "NET", "SCHEDULE", "CHANGE", "CAUSE", "ADDED", "REMOVED", "MOVED", "SAME", "UNTIL")
	for i := range diffs {
		d := &diffs[i]
		fmt.Fprint(w, indent)
		line(w, d.Net, d.Schedule, d.Change, d.Cause, d.Added, d.Removed, d.Moved, d.Same, d.Until.UTC().Format("2006-01-02"))
	}
	for i := range diffs {
		diffExamples(w, &diffs[i], examples, indent)
	}
}

// diffExamples writes the first occurrences of a schedule that change, and what people have changed that is cut off or comes back.
func diffExamples(w io.Writer, d *api.ScheduleDiff, most int, indent string) {
	shown := d.Examples[:min(most, len(d.Examples))]
	if d.Change == "added" || d.Change == "removed" {
		shown = shown[:min(1, len(shown))] // the others follow from the schedule
	}
	if len(shown)+len(d.Overrides) == 0 && d.Note == nil {
		return
	}
	fmt.Fprintf(w, "%s%s %s:\n", indent, printable(d.Net), printable(d.Schedule))
	if d.Note != nil {
		fmt.Fprintf(w, "%s  %s\n", indent, printable(*d.Note))
	}
	if d.Counted {
		fmt.Fprintf(w, "%s  too many to look at each: counted day by day\n", indent)
	}
	for _, e := range shown {
		fmt.Fprintf(w, "%s  %s\n", indent, exampleText(e))
	}
	if more := d.Added + d.Removed + d.Moved - int64(len(shown)); more > 0 && !d.Counted {
		fmt.Fprintf(w, "%s  and %d more\n", indent, more)
	}
	for i := range d.Overrides {
		fmt.Fprintf(w, "%s  %s\n", indent, becomesText(&d.Overrides[i]))
	}
}

// becomesText says what a change of definitions makes of what a person changed of the agenda.
func becomesText(o *api.Override) string {
	when := "of " + cell(o.Nominal)
	if o.From != nil {
		when = "from " + cell(o.From)
	}
	becomes := "is active again"
	if o.State == "stale" {
		becomes = "becomes stale"
	}
	return printable(fmt.Sprintf("%s %s by %s %s: %s (override %s)", o.Kind, when, o.By, becomes, o.Reason, o.ID))
}

func exampleText(e api.OccurrenceDiff) string {
	text := e.Change + " "
	switch {
	case e.Last != nil && e.Before != nil:
		text = fmt.Sprintf("%s %d from %s to %s", e.Change, e.Count, cell(e.Before), cell(e.Last))
	case e.Last != nil:
		text = fmt.Sprintf("%s %d from %s to %s", e.Change, e.Count, cell(e.After), cell(e.Last))
	case e.Before != nil && e.After != nil:
		text += cell(e.Before) + " to " + cell(e.After)
	case e.Before != nil:
		text += cell(e.Before)
	default:
		text += cell(e.After)
	}
	if e.Reason != nil {
		text += " (" + printable(*e.Reason) + ")"
	}
	return text
}
