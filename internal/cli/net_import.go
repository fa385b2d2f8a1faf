package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/timetable"
)

// imported is what `net import -o json` prints.
type imported struct {
	Nets     string          `json:"nets"` // definitions, YAML
	Zone     string          `json:"zone"`
	Entries  []importedEntry `json:"entries"`
	Mistakes []fault.Mistake `json:"mistakes"`
	Findings int             `json:"findings"` // notes and differences
}

type importedEntry struct {
	File       string                `json:"file"`
	Line       int                   `json:"line"`
	Text       string                `json:"text"`
	Net        string                `json:"net"`
	Notes      []timetable.Note      `json:"notes"`
	Comparison *timetable.Comparison `json:"comparison"` // null: its instants are not known in advance
}

func (a *app) netImport() *cobra.Command {
	c := &cobra.Command{Use: "import", Short: "make nets of crontabs and systemd timers, and list every difference"}
	c.AddCommand(a.importCrontab(), a.importTimers())
	return c
}

// timetableFlags are what both have.
type timetableFlags struct {
	timetable.Options
	file   string
	months int
	from   string
}

func (f *timetableFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.Folder, "folder", "imported", "folder of the nets")
	c.Flags().StringVar(&f.Zone, "zone", "", "time zone of the machine that they come from (default: this machine's)")
	c.Flags().StringVar(&f.User, "user", "", "user as whom the jobs run, where the file does not say it")
	c.Flags().StringVar(&f.file, "file", "", "write the definitions to this file and the report to standard output; without: definitions to standard output, the report to standard error")
	c.Flags().IntVar(&f.months, "months", 13, "how many months both are compared over, 1 to 60")
	c.Flags().StringVar(&f.from, "from", "", "when the comparison begins, RFC 3339 (default: now)")
}

const importHelp = "The definitions are printed, and what is not the same: for each entry every instant of the next months at which only the source or only the net would start, and what Reeve does otherwise (mail, environment, delays). " +
	"Nothing is applied: look at the file, then `reeve net apply` it. Exit code 1: there are differences, or lines that could not be taken.\n\n" + exitHelp

func (a *app) importCrontab() *cobra.Command {
	var f timetableFlags
	var system, user bool
	c := &cobra.Command{
		Use: "crontab FILE…", Short: "crontabs of users, /etc/crontab, files of cron.d", Args: cobra.MinimumNArgs(1),
		Long: "Reads crontabs as cronie and Debian's cron understand them. Files named crontab, and those in a folder cron.d, have a user in each line (--system and --user-crontab say it otherwise); \"-\" is standard input.\n\n" + importHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			zones := calendar.Builtin()
			if err := f.zone(zones); err != nil {
				return err
			}
			var all timetable.Result
			for _, path := range args {
				name, text, err := a.readDefinition(path)
				if err != nil {
					return err
				}
				o := f.Options
				o.System = system || !user && (filepath.Base(name) == "crontab" || filepath.Base(filepath.Dir(name)) == "cron.d")
				if len(args) > 1 {
					o.Folder = strings.Trim(o.Folder+"/"+timetable.Name(filepath.Base(name)), "/")
				}
				one := timetable.Crontab(timetable.File{Name: name, Text: string(text)}, o)
				all.Entries = append(all.Entries, one.Entries...)
				all.Mistakes = append(all.Mistakes, one.Mistakes...)
			}
			return a.imported(all, f, zones)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&system, "system", false, "each line has a user before its command")
	c.Flags().BoolVar(&user, "user-crontab", false, "no line has a user before its command")
	c.MarkFlagsMutuallyExclusive("system", "user-crontab")
	return c
}

func (a *app) importTimers() *cobra.Command {
	var f timetableFlags
	c := &cobra.Command{
		Use: "systemd FILE…", Short: "timers of systemd with the services that they start", Args: cobra.MinimumNArgs(1),
		Long: "Reads unit files: each .timer, and the .service that it starts, which is looked for beside it where it is not among the files.\n\n" + importHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			zones := calendar.Builtin()
			if err := f.zone(zones); err != nil {
				return err
			}
			var files []timetable.File
			for _, path := range args {
				name, text, err := a.readDefinition(path)
				if err != nil {
					return err
				}
				files = append(files, timetable.File{Name: name, Text: string(text)})
				beside := strings.TrimSuffix(path, ".timer") + ".service"
				if beside == path || slices.Contains(args, beside) {
					continue
				}
				if text, err := os.ReadFile(beside); err == nil {
					files = append(files, timetable.File{Name: beside, Text: string(text)})
				}
			}
			return a.imported(timetable.Timers(files, f.Options, zones), f, zones)
		},
	}
	f.add(c)
	return c
}

// zone fills in this machine's time zone and checks the flags.
func (f *timetableFlags) zone(zones *calendar.Zones) error {
	if f.Zone == "" {
		f.Zone = machineZone()
	}
	if _, ok := zones.Location(f.Zone); !ok {
		return fault.New(fault.Invalid, fmt.Sprintf("there is no time zone %q", f.Zone), "give one with --zone, as Europe/Berlin")
	}
	if f.months < 1 || f.months > 60 {
		return fault.Newf(fault.Invalid, "--months is %d: 1 to 60 are expected", f.months)
	}
	return f.names()
}

// names checks what every net would be refused for.
func (f *timetableFlags) names() error {
	job := jobnet.Defaults()
	job.Name, job.Command, job.RunAs = "run", []string{"true"}, f.User
	for _, p := range jobnet.Check(&jobnet.Net{Name: strings.TrimPrefix(f.Folder+"/net", "/"), Jobs: []jobnet.Job{job}}) {
		switch p.Path {
		case "net":
			return fault.New(fault.Invalid, fmt.Sprintf("--folder is %q", f.Folder), "a folder is named like imported/cron: "+p.Message)
		case "jobs[0].run_as":
			return fault.New(fault.Invalid, fmt.Sprintf("--user is %q", f.User), p.Message)
		}
	}
	return nil
}

// machineZone returns the name of this machine's time zone, UTC where it does not tell.
func machineZone() string {
	if name := strings.TrimPrefix(os.Getenv("TZ"), ":"); name != "" && !strings.HasPrefix(name, "/") {
		return name
	}
	if target, err := os.Readlink("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(target, "zoneinfo/"); ok {
			return name
		}
	}
	if text, err := os.ReadFile("/etc/timezone"); err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text))
	}
	return "UTC"
}

// imported compares, writes and prints.
func (a *app) imported(result timetable.Result, f timetableFlags, zones *calendar.Zones) error {
	from := time.Now().UTC().Truncate(time.Second)
	if f.from != "" {
		var err error
		if from, err = time.Parse(time.RFC3339, f.from); err != nil {
			return fault.New(fault.Invalid, fmt.Sprintf("--from is %q", f.from), "a time as 2026-12-24T06:00:00Z is expected")
		}
	}
	out := imported{Zone: f.Zone, Entries: []importedEntry{}, Mistakes: append([]fault.Mistake{}, result.Mistakes...)}
	compiler := calendar.NewCompiler(zones, nil)
	var text strings.Builder
	for i := range result.Entries {
		e := &result.Entries[i]
		one := importedEntry{File: e.File, Line: e.Line, Text: e.Text, Net: e.Net.Name, Notes: append([]timetable.Note{}, e.Notes...)}
		compared, problems := e.Compare(compiler, zones, from, from.AddDate(0, f.months, 0))
		if len(problems) == 0 {
			problems = refused(&e.Net)
		}
		for _, p := range problems {
			out.Mistakes = append(out.Mistakes, fault.Mistake{File: e.File, Line: e.Line, Column: 1, Message: p.Message, Excerpt: "    " + e.Text})
		}
		if len(problems) > 0 {
			continue
		}
		if e.Foreseen() {
			one.Comparison = &compared
			out.Findings += len(compared.Differences)
		}
		out.Findings += len(one.Notes)
		if text.Len() > 0 {
			text.WriteString("---\n")
		}
		text.Write(jobfile.Format(e.Net))
		out.Entries = append(out.Entries, one)
	}
	out.Nets = text.String()
	slices.SortStableFunc(out.Mistakes, func(a, b fault.Mistake) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if err := a.writeImport(out, f); err != nil {
		return err
	}
	if out.Findings > 0 || len(out.Mistakes) > 0 {
		return &exitError{1}
	}
	return nil
}

// refused says why apply would not take a net: what is made must be what apply takes.
func refused(n *jobnet.Net) []calendar.Problem {
	_, err := jobfile.Parse("", jobfile.Format(*n))
	mistakes, ok := mistakesOf(err)
	if err != nil && !ok {
		return []calendar.Problem{{Message: err.Error()}}
	}
	var out []calendar.Problem
	for _, m := range mistakes {
		out = append(out, calendar.Problem{Message: "the net that is made of it would be refused: " + m.Message})
	}
	return out
}

func (a *app) writeImport(out imported, f timetableFlags) error {
	if f.file != "" {
		if err := os.WriteFile(f.file, []byte(out.Nets), 0o600); err != nil { // a crontab may hold secrets, and is its owner's
			return fault.Wrap(fault.Invalid, "writing the definitions", err)
		}
	}
	if a.output != "table" {
		return a.print(out, nil)
	}
	report := a.out
	if f.file == "" {
		fmt.Fprint(a.out, out.Nets)
		report = a.errs
	}
	reportImport(report, out, f)
	return nil
}

// differencesShown is how many differences of one entry a person sees; -o json has all.
const differencesShown = 6

func reportImport(w io.Writer, out imported, f timetableFlags) {
	for _, m := range out.Mistakes {
		fmt.Fprintf(w, "%s:%d:%d: %s\n", printable(m.File), m.Line, m.Column, printable(m.Message))
		for l := range strings.Lines(m.Excerpt) {
			fmt.Fprintln(w, printable(strings.TrimRight(l, "\n")))
		}
	}
	for _, e := range out.Entries {
		fmt.Fprintf(w, "%s:%d: %s\n", printable(e.File), e.Line, printable(e.Net))
		if c := e.Comparison; c == nil {
			fmt.Fprintln(w, "  its starts depend on when the machine, or the unit, was started: nothing to compare")
		} else {
			fmt.Fprintf(w, "  %d months from %s: %d starts there, %d here, %d differences\n", f.months, c.From.Format(time.DateOnly), c.Source, c.Reeve, len(c.Differences))
			if c.Without > 0 {
				fmt.Fprintf(w, "    without %d of its schedules, whose starts depend on when the machine, or the unit, was started\n", c.Without)
			}
			for i, d := range c.Differences {
				if i == differencesShown {
					fmt.Fprintf(w, "    and %d more (-o json has all)\n", len(c.Differences)-i)
					break
				}
				fmt.Fprintf(w, "    %s only %s: %s\n", d.At.Format(time.RFC3339), map[string]string{"source": "there", "reeve": "here"}[d.Who], d.Why)
			}
		}
		for _, n := range e.Notes {
			fmt.Fprintf(w, "  %s: %s\n", n.Kind, printable(n.Text))
		}
	}
	fmt.Fprintf(w, "%d entries in the time zone %s, %d differences and notes, %d lines that could not be taken\n", len(out.Entries), out.Zone, out.Findings, len(out.Mistakes))
}
