package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	daytable "github.com/reeve-scheduler/reeve/internal/calendar/table"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

// parseYears reads A-B, or one year; empty is no range.
func parseYears(text string) (daytable.Years, error) {
	if text == "" {
		return daytable.Years{}, nil
	}
	from, until, _ := strings.Cut(text, "-")
	if until == "" {
		until = from
	}
	first, err := strconv.Atoi(from)
	if err == nil {
		var last int
		if last, err = strconv.Atoi(until); err == nil {
			years := daytable.Years{First: first, Last: last}
			return years, years.Check()
		}
	}
	return daytable.Years{}, fault.Newf(fault.Invalid, "--years is %q: write 2026-2030, or one year", text)
}

// asText writes a calendar as a document.
func asText(def *calendar.Definition) api.CalendarText {
	return api.CalendarText{Calendar: def.Name, Text: string(jobfile.FormatCalendar(*def))}
}

func (a *app) calendarImport() *cobra.Command {
	var name, years, as string
	var apply bool
	c := &cobra.Command{
		Use: "import FILE.csv|FILE.ics", Short: "make a calendar of a table of days: CSV, or iCalendar",
		Long: "import reads a table of days and prints it as a calendar document. A CSV file has a first line that names the columns date and name, parted by , or ;.\n" +
			"Of an iCalendar file the events of whole days are read; with --years each repetition of one is a day of its own, without it a yearly event is a\n" +
			"day of every year. With --apply the calendar is stored; if it is there already, only its table (--as) is replaced.",
		Example: "  reeve calendar import holidays.ics --name holidays/de --years 2026-2030 > holidays.yaml\n  reeve calendar import closed.csv --name plant --apply",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if as != "free" && as != "work" {
				return fault.Newf(fault.Invalid, "--as is %q: free or work", as)
			}
			if !calendar.ValidName(name) {
				return fault.Newf(fault.Invalid, "--name is %q: write folder/name, in small letters, digits, dots, dashes and underscores", name)
			}
			days, err := a.readTable(args[0], years)
			if err != nil {
				return err
			}
			def := &calendar.Definition{Name: name}
			if apply {
				if def, err = a.definitionOf(c, name); err != nil {
					return err
				}
			}
			if as == "work" {
				def.Work = days
			} else {
				def.Free = days
			}
			if problems := calendar.CheckAmong(def, nil); len(problems) > 0 {
				return fault.Newf(fault.Invalid, "%s: %s", problems[0].Field, problems[0].Message)
			}
			return a.printCalendar(c, asText(def), apply)
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the calendar")
	c.Flags().StringVar(&years, "years", "", "the years that are read: 2026-2030")
	c.Flags().StringVar(&as, "as", "free", "what the days are: free or work")
	c.Flags().BoolVar(&apply, "apply", false, "store the calendar")
	_ = c.MarkFlagRequired("name") // it is there
	return c
}

// readTable reads a file by the ending of its name.
func (a *app) readTable(path, years string) ([]calendar.Date, error) {
	within, err := parseYears(years)
	if err != nil {
		return nil, err
	}
	name, text, err := a.readDefinition(path)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ics", ".ical":
		return daytable.ReadICal(name, text, within)
	case ".csv":
		days, err := daytable.ReadCSV(name, text)
		if err != nil || !within.Given() {
			return days, err
		}
		return within.Only(days), nil
	}
	return nil, fault.Newf(fault.Invalid, "%s is neither a .csv nor an .ics file: its name says how it is read", path)
}

// definitionOf returns a calendar as the server has it; an empty one where it has none.
func (a *app) definitionOf(c *cobra.Command, name string) (*calendar.Definition, error) {
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	one, err := calendarThere(c, client, name)
	if err != nil || one == nil {
		return &calendar.Definition{Name: name}, err
	}
	def, err := jobfile.ParseCalendar([]byte(one.Text))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "reading the server's calendar "+name, err)
	}
	return &def, nil
}

func (a *app) calendarExport() *cobra.Command {
	var format, years string
	var version int
	c := &cobra.Command{
		Use: "export NAME", Short: "print a calendar as a document, or its free days as a table",
		Long: "export prints a calendar in its canonical written form (yaml), or its table of free days as CSV or iCalendar. With --years the table has each free day\n" +
			"of those years that an entry names, also those of other calendars that it leans on; without, the entries of its own table as they are written.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			within, err := parseYears(years)
			if err != nil {
				return err
			}
			if format != "yaml" && format != "csv" && format != "ics" {
				return fault.Newf(fault.Invalid, "--format is %q: yaml, csv or ics", format)
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			one, err := client.Calendar(c.Context(), args[0], version)
			if err != nil {
				return err
			}
			if format == "yaml" {
				_, err := io.WriteString(a.out, one.Text)
				return err
			}
			days := make([]calendar.Date, len(one.Free))
			for i, d := range one.Free {
				days[i] = calendar.Date{Date: d.Date, Name: d.Name}
			}
			if within.Given() {
				if version != 0 && version != one.Newest {
					return fault.New(fault.Invalid, "--years is about the newest version", "leave --version or --years away")
				}
				if days, err = freeDays(c.Context(), client, one.Name, within); err != nil {
					return err
				}
			}
			text := daytable.WriteCSV(days)
			if format == "ics" {
				if text, err = daytable.WriteICal(one.Name, days, one.Applied); err != nil {
					return err
				}
			}
			_, err = a.out.Write(text)
			return err
		},
	}
	c.Flags().StringVar(&format, "format", "yaml", "yaml, csv or ics")
	c.Flags().StringVar(&years, "years", "", "each day of these years: 2026-2030")
	c.Flags().IntVar(&version, "version", 0, "a version; 0: the newest")
	return c
}

// freeDays asks for the free days of a calendar, year by year.
func freeDays(ctx context.Context, from almanac, name string, years daytable.Years) ([]calendar.Date, error) {
	var out []calendar.Date
	for year := years.First; year <= years.Last; year++ {
		first, last := calendar.DayOf(year, time.January, 1), calendar.DayOf(year+1, time.January, 1)-1
		days, err := from.CalendarDays(ctx, name, first.String(), last.String())
		if err != nil {
			return nil, err
		}
		for _, d := range days {
			if !d.Working && d.Name != nil {
				out = append(out, calendar.Date{Date: d.Day, Name: *d.Name})
			}
		}
	}
	return out, nil
}

func (a *app) calendarSeed() *cobra.Command {
	var name, years string
	var apply bool
	c := &cobra.Command{
		Use: "seed CODE", Short: "make a calendar of a table of holidays that comes with Reeve, to be edited",
		Long: "seed prints the holidays of a country (DE) or of a region (DE-BY) as a calendar document. They are a beginning and never the truth: look through them,\n" +
			"add what was decreed since, and apply the file. With --apply they are stored as they are, where no calendar of this name is there yet.",
		Example: "  reeve calendar seed list\n  reeve calendar seed DE-BY --years 2026-2028 > holidays.yaml\n  reeve calendar seed US --name holidays/us --apply",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			within, err := parseYears(years)
			if err != nil {
				return err
			}
			seed, err := daytable.FindSeed(args[0])
			if err != nil {
				return err
			}
			def, err := seed.Definition(name, within)
			if err != nil {
				return err
			}
			if !calendar.ValidName(def.Name) {
				return fault.Newf(fault.Invalid, "--name is %q: write folder/name, in small letters, digits, dots, dashes and underscores", name)
			}
			if apply {
				client, err := a.client()
				if err != nil {
					return err
				}
				there, err := calendarThere(c, client, def.Name)
				if err != nil {
					return err
				}
				if there != nil {
					return fault.New(fault.Conflict, fmt.Sprintf("there is a calendar %s already, version %d, which people may have edited", def.Name, there.Version),
						"give another --name; or print the seed, compare, and apply the file")
				}
			}
			return a.printCalendar(c, asText(&def), apply)
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the calendar; default holidays/CODE")
	c.Flags().StringVar(&years, "years", "", "only these years: 2026-2028")
	c.Flags().BoolVar(&apply, "apply", false, "store the calendar")
	c.AddCommand(a.calendarSeedList())
	return c
}

func (a *app) calendarSeedList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the tables of holidays", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			seeds, err := daytable.Seeds()
			if err != nil {
				return err
			}
			out := make([]api.CalendarSeed, len(seeds))
			for i, s := range seeds {
				out[i] = api.CalendarSeed{Code: s.Code, Name: s.Name, First: s.Years.First, Last: s.Years.Last, Days: len(s.Dates)}
			}
			return a.print(out, func(w io.Writer) {
				line(w, "CODE", "YEARS", "DAYS", "OF")
				for _, s := range out {
					line(w, s.Code, fmt.Sprintf("%d-%d", s.First, s.Last), s.Days, s.Name)
				}
			})
		},
	}
}
