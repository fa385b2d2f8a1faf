package cli

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// previewed is one occurrence of a preview.
type previewed struct {
	Schedule   *string         `json:"schedule"`
	Nominal    string          `json:"nominal"`
	Due        string          `json:"due"`
	Reason     *string         `json:"reason"`     // the rule that moved it, or keeps it from being released
	Suppressed *string         `json:"suppressed"` // the rule that keeps it from being released; null: it is due
	Taken      []previewedLost `json:"taken"`
}

// previewedLost is a wall time that the DST fields took away between the occurrence before and this one.
type previewedLost struct {
	Time   string `json:"time"`
	Reason string `json:"reason"`
}

const maxPreview = 10_000

// previewFlags are what a preview is asked.
type previewFlags struct {
	cron, zone, from, gap, overlap string
	calendars                      []string
	count                          int
}

func (a *app) schedulePreview() *cobra.Command {
	var f previewFlags
	c := &cobra.Command{
		Use: "preview (FILE NET [SCHEDULE] | --cron EXPR)", Short: "show when a schedule will be due, without a server",
		Long: "preview lists the occurrences from --from on, of all schedules of a net in a file (or one of them), or of a cron expression.\n" +
			"Nominal is the instant that the rule means, due the one at which it is released: after calendar shift and jitter. Both have\n" +
			"the offset of the schedule's zone. What the schedule itself suppresses (calendar, blackout, collision) is an occurrence, too, and is\n" +
			"counted by --count; it stands at its nominal instant, with the reason, and is not due. Wall times that are no occurrences because\n" +
			"of --dst-gap or --dst-overlap stand as lines of their own. With FILE, --zone, --dst-gap and --dst-overlap take the place of what the schedules say.",
		Args: cobra.MaximumNArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			if f.count < 1 || f.count > maxPreview {
				return fault.New(fault.Invalid, fmt.Sprintf("--count is %d", f.count), fmt.Sprintf("it goes from 1 to %d", maxPreview))
			}
			lines, err := a.previewLines(c, args, &f)
			if err != nil {
				return err
			}
			shown, err := preview(lines, &f)
			if err != nil {
				return err
			}
			return a.print(shown, func(w io.Writer) { printPreview(w, shown, lines) })
		},
	}
	c.Flags().StringVar(&f.cron, "cron", "", "a cron expression: five fields, six with seconds first, or a macro")
	c.Flags().StringVar(&f.zone, "zone", "", "time zone; default: the schedule's, or UTC")
	c.Flags().StringVar(&f.from, "from", "", "the first instant that is shown: 2026-03-08 or 2026-03-08T02:00, a wall time of the zone, or with an offset; default: now")
	c.Flags().IntVar(&f.count, "count", 10, "how many occurrences to show, up to 10000")
	c.Flags().StringVar(&f.gap, "dst-gap", "", "wall times that do not exist: next-valid, skip or shift; default: the schedule's, or next-valid")
	c.Flags().StringVar(&f.overlap, "dst-overlap", "", "wall times that come twice: first, last or both; default: the schedule's, or first")
	c.Flags().StringArrayVar(&f.calendars, "calendars", nil, "file with calendars that the schedules lean on")
	return c
}

// previewLine is one schedule of a preview.
type previewLine struct {
	name *string
	rule *calendar.Rule
}

// previewLines finds the schedules that were asked for, and compiles them.
func (a *app) previewLines(c *cobra.Command, args []string, f *previewFlags) ([]previewLine, error) {
	zones := calendar.Builtin()
	s := calendar.DefaultSchedule()
	if c.Flags().Changed("cron") {
		if len(args) > 0 {
			return nil, fault.New(fault.Invalid, "a file and --cron were given", "give one of them; see `"+c.CommandPath()+" --help`")
		}
		if s.Cron = f.cron; strings.TrimSpace(f.cron) == "" {
			return nil, fault.New(fault.Invalid, "--cron is empty", `write five fields, as in --cron "30 2 * * *"`)
		}
		line, err := previewLineOf(calendar.NewCompiler(zones, nil), "", s, f)
		line.name = nil
		return []previewLine{line}, err
	}
	if len(args) < 2 {
		return nil, fault.New(fault.Invalid, "there is no schedule to show", "give FILE and NET, or --cron EXPR; see `"+c.CommandPath()+" --help`")
	}
	docs, err := a.definitionsOf(args[:1], f.calendars, zones)
	if err != nil {
		return nil, err
	}
	net := netNamed(docs.Nets, args[1])
	if net == nil {
		return nil, fault.New(fault.NotFound, fmt.Sprintf("%s has no net %s", args[0], args[1]), "see the names with `reeve net validate "+args[0]+"`")
	}
	compiler := calendar.NewCompiler(zones, docs.Lookup(nil))
	var lines []previewLine
	for _, s := range net.Schedules {
		if len(args) == 3 && s.Name != args[2] {
			continue
		}
		line, err := previewLineOf(compiler, net.Name, s, f)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	switch {
	case len(lines) == 0 && len(args) == 3:
		return nil, fault.Newf(fault.NotFound, "net %s has no schedule %s", net.Name, args[2])
	case len(lines) == 0:
		return nil, fault.New(fault.NotFound, fmt.Sprintf("net %s has no schedules", net.Name), "write them below `schedules:`")
	}
	return lines, nil
}

func netNamed(nets []jobnet.Net, name string) *jobnet.Net {
	for i := range nets {
		if nets[i].Name == name {
			return &nets[i]
		}
	}
	return nil
}

func previewLineOf(compiler *calendar.Compiler, net string, s calendar.Schedule, f *previewFlags) (previewLine, error) {
	s.Zone = cmp.Or(f.zone, s.Zone)
	s.Gap = cmp.Or(calendar.Gap(f.gap), s.Gap)
	s.Fold = cmp.Or(calendar.Fold(f.overlap), s.Fold)
	rule, problems := compiler.Compile(net, s)
	if len(problems) > 0 {
		flags := map[string]string{"cron": "--cron", "zone": "--zone", "dst_gap": "--dst-gap", "dst_overlap": "--dst-overlap"}
		var all []string
		for _, p := range problems {
			field := p.Field
			if flag := flags[field]; flag != "" && (s.Name == "" || field != "cron") {
				field = flag
			}
			all = append(all, field+": "+p.Message)
		}
		return previewLine{}, fault.New(fault.Invalid, strings.Join(all, "\n       "), "")
	}
	return previewLine{name: &s.Name, rule: rule}, nil
}

// preview merges what the schedules have, by due.
func preview(lines []previewLine, f *previewFlags) ([]previewed, error) {
	heads := make([]*previewHead, len(lines))
	for i, l := range lines {
		from := time.Now()
		if f.from != "" {
			var err error
			if from, err = l.rule.Instant(f.from); err != nil {
				return nil, fault.New(fault.Invalid, "--from: "+err.Error(), "")
			}
		}
		since := from.Add(-time.Nanosecond)
		h := &previewHead{line: l, taken: since}
		next, stop := iter.Pull(l.rule.Between(since, from.AddDate(40, 0, 0)))
		defer stop()
		h.pull = next
		h.now, h.ok = next()
		heads[i] = h
	}
	shown := []previewed{}
	for len(shown) < f.count {
		var first *previewHead
		for _, h := range heads {
			if h.ok && (first == nil || h.now.Due.Before(first.now.Due)) {
				first = h
			}
		}
		if first == nil {
			break
		}
		shown = append(shown, first.show())
		first.now, first.ok = first.pull()
	}
	return shown, nil
}

// previewHead is how far a schedule has been shown.
type previewHead struct {
	line  previewLine
	pull  func() (calendar.Occurrence, bool)
	now   calendar.Occurrence
	ok    bool
	taken time.Time // until here
}

func (h *previewHead) show() previewed {
	o, loc := h.now, h.line.rule.Location()
	p := previewed{
		Schedule: h.line.name, Nominal: o.Nominal.In(loc).Format(time.RFC3339), Due: o.Due.In(loc).Format(time.RFC3339Nano),
		Reason: orNull(cmp.Or(o.Suppressed, o.Moved)), Suppressed: orNull(o.Suppressed), Taken: []previewedLost{},
	}
	if o.Due.After(h.taken) {
		for t := range h.line.rule.Taken(h.taken, o.Due) {
			p.Taken = append(p.Taken, previewedLost{Time: t.Wall, Reason: string(t.Reason)})
		}
		h.taken = o.Due
	}
	return p
}

func orNull(r calendar.Reason) *string {
	if r == "" {
		return nil
	}
	text := string(r)
	return &text
}

func printPreview(w io.Writer, shown []previewed, lines []previewLine) {
	byEnd := slices.ContainsFunc(lines, func(l previewLine) bool { return l.rule.ByEnd() })
	if len(shown) == 0 && !byEnd {
		fmt.Fprintln(w, "nothing is due within 40 years")
	}
	named := len(lines) > 1
	row := func(name *string, cells ...any) {
		if named {
			cells = append([]any{name}, cells...)
		}
		line(w, cells...)
	}
	if len(shown) > 0 {
		head := "SCHEDULE"
		row(&head, "NOMINAL", "DUE", "DAY", "WHAT")
	}
	suppressed := 0
	for _, p := range shown {
		for _, t := range p.Taken {
			row(p.Schedule, t.Time, nil, previewDay(t.Time), t.Reason+": no occurrence")
		}
		what := ""
		if p.Reason != nil {
			what = *p.Reason
		}
		if p.Suppressed != nil {
			what = "suppressed: " + what
			suppressed++
		}
		row(p.Schedule, p.Nominal, p.Due, previewDay(p.Due), what)
	}
	if suppressed > 0 {
		fmt.Fprintf(w, "of these %d occurrences %s due, %s suppressed\n", len(shown), areMany(len(shown)-suppressed), areMany(suppressed))
	}
	for _, l := range lines {
		s := l.rule.Schedule()
		switch {
		case l.rule.ByEnd() && s.From == "":
			fmt.Fprintf(w, "%s counts from the end of its last run: it is due when it comes into force, and then %s after the end of each run\n", s.Name, short(s.Every))
		case l.rule.ByEnd():
			fmt.Fprintf(w, "%s counts from the end of its last run: only its first occurrence is known beforehand\n", s.Name)
		}
	}
}

// areMany is a number with its verb.
func areMany(n int) string {
	switch n {
	case 0:
		return "none is"
	case 1:
		return "1 is"
	}
	return strconv.Itoa(n) + " are"
}

// previewDay is the weekday of a time as it is shown.
func previewDay(text string) string {
	t, err := time.Parse(time.DateOnly, text[:10])
	if err != nil {
		return ""
	}
	return t.Format("Mon")
}
