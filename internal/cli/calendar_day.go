package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// almanac knows the days of calendars: a server, or the copies in an agent's data folder.
type almanac interface {
	CalendarDays(ctx context.Context, ref string, since, until string) ([]api.CalendarDay, error)
	// Calendar is asked for the time at which a business day begins.
	Calendar(ctx context.Context, name string, version int) (api.Calendar, error)
}

// almanac is the agent's whose data folder was given, else the server's.
func (a *app) almanac() (almanac, error) {
	if a.data != "" && a.server == "" {
		lookup, err := agent.Calendars(a.data)
		if err == nil {
			return copies{lookup}, nil
		}
		if !errors.Is(err, agent.ErrNoCalendars) {
			return nil, err
		}
	}
	return a.client()
}

func (a *app) calendarDay() *cobra.Command {
	return &cobra.Command{
		Use: "day NAME [DATE…]", Short: "say whether days are working days, and why: exit code 0 working, 1 free",
		Long: "day says of each date (2026-12-24) whether it is a working day of a calendar (NAME, or NAME#SET), and why. Without a date it is about today\n" +
			"on this host's clock, and before the calendar's boundary about yesterday. Exit code 0: all are working days; 1: one is not. With --data of an agent\n" +
			"it answers from the agent's own copy, without a server: a job may ask it before it works.",
		Example: "  reeve calendar day bank && ./pay\n  reeve calendar day bank 2026-12-24 2026-12-25\n  reeve calendar day holidays/de#free --data /var/lib/reeve-agent",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			from, err := a.almanac()
			if err != nil {
				return err
			}
			dates := args[1:]
			if len(dates) == 0 {
				today, err := businessDay(c.Context(), from, args[0], time.Now())
				if err != nil {
					return err
				}
				dates = []string{today}
			}
			var days []api.CalendarDay
			working := true
			for _, date := range dates {
				one, err := from.CalendarDays(c.Context(), args[0], date, date)
				if err != nil {
					return err
				}
				days = append(days, one...)
				working = working && one[0].Working
			}
			if err := a.print(days, func(w io.Writer) {
				for _, d := range days {
					line(w, d.Day, dayWord(d.Working), d.Why)
				}
			}); err != nil {
				return err
			}
			if !working {
				return &exitError{1}
			}
			return nil
		},
	}
}

// businessDay is the day of a calendar at an instant of this host's clock.
func businessDay(ctx context.Context, from almanac, ref string, now time.Time) (string, error) {
	name, _, _ := strings.Cut(ref, "#")
	one, err := from.Calendar(ctx, name, 0)
	if err != nil {
		return "", err
	}
	begins, err := time.Parse("15:04", one.Boundary)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "reading when a day of "+name+" begins", err)
	}
	day := calendar.DayOf(now.Date())
	if now.Hour()*60+now.Minute() < begins.Hour()*60+begins.Minute() {
		day--
	}
	return day.String(), nil
}

// copies answers from an agent's copies of calendars.
type copies struct{ lookup calendar.Lookup }

// CalendarDays implements almanac.
func (c copies) CalendarDays(_ context.Context, ref string, since, until string) ([]api.CalendarDay, error) {
	first, err := oneDay(since)
	if err != nil {
		return nil, err
	}
	last, err := oneDay(until)
	if err != nil {
		return nil, err
	}
	days, problems := calendar.Resolve(ref, c.lookup)
	if len(problems) > 0 {
		return nil, fault.New(fault.NotFound, problems[0].Message, "this is about the agent's copies; ask a server with --server")
	}
	var out []api.CalendarDay
	for d := first; d <= last; d++ {
		out = append(out, api.CalendarDay{Day: d.String(), Working: days.Working(d), Why: days.Why(d), Name: given(days.Entry(d))})
	}
	return out, nil
}

// Calendar implements almanac.
func (c copies) Calendar(_ context.Context, name string, _ int) (api.Calendar, error) {
	def, ok := c.lookup(name)
	if !ok {
		return api.Calendar{}, fault.New(fault.NotFound, "this agent has no copy of a calendar "+name, "is it applied on the server, and was the agent linked since?")
	}
	return api.Calendar{Boundary: fmt.Sprintf("%02d:%02d", int(def.Boundary.Hours()), int(def.Boundary.Minutes())%60)}, nil
}

func oneDay(text string) (calendar.Day, error) {
	year, month, day, err := calendar.ParseDate(text)
	if err != nil || year == 0 {
		return 0, fault.Newf(fault.Invalid, "%q is no day: write 2026-12-24", text)
	}
	return calendar.DayOf(year, month, day), nil
}

func (a *app) calendarMonth() *cobra.Command {
	return &cobra.Command{
		Use: "month NAME [MONTH]", Short: "draw a month of a calendar, with the reason of each day that is no plain one", Args: cobra.RangeArgs(1, 2),
		Example: "  reeve calendar month bank\n  reeve calendar month bank 2026-12",
		RunE: func(c *cobra.Command, args []string) error {
			from, err := a.almanac()
			if err != nil {
				return err
			}
			year, month, _ := time.Now().Date()
			if len(args) == 2 {
				t, err := time.Parse("2006-01", args[1])
				if err != nil {
					return fault.Newf(fault.Invalid, "%q is no month: write 2026-12", args[1])
				}
				year, month = t.Year(), t.Month()
			}
			first, last := calendar.DayOf(year, month, 1), calendar.DayOf(year, month+1, 1)-1
			days, err := from.CalendarDays(c.Context(), args[0], first.String(), last.String())
			if err != nil {
				return err
			}
			return a.print(days, func(w io.Writer) {
				fmt.Fprintf(w, "%s, %s %d: %d working days\n\n", printable(args[0]), month, year, workingOf(days))
				drawMonth(w, first, days)
			})
		},
	}
}

func workingOf(days []api.CalendarDay) (n int) {
	for _, d := range days {
		if d.Working {
			n++
		}
	}
	return n
}

// drawMonth draws weeks from Monday on. Free days stand in brackets; an asterisk leads to a reason below.
func drawMonth(w io.Writer, first calendar.Day, days []api.CalendarDay) {
	fmt.Fprint(w, " Mon   Tue   Wed   Thu   Fri   Sat   Sun\n")
	row := strings.Repeat(" ", 6*int((first.Weekday()+6)%7))
	var reasons []api.CalendarDay
	for i, d := range days {
		at := first + calendar.Day(i)
		text := fmt.Sprintf(" %2d ", i+1)
		if !d.Working {
			text = fmt.Sprintf("(%2d)", i+1)
		}
		mark := " "
		if d.Why != at.Weekday().String() && (d.Name != nil || strings.Contains(d.Why, "which leaves out")) {
			mark, reasons = "*", append(reasons, d)
		}
		row += text + mark + " "
		if at.Weekday() == time.Sunday || i == len(days)-1 {
			fmt.Fprintln(w, strings.TrimRight(row, " "))
			row = ""
		}
	}
	if len(reasons) > 0 {
		fmt.Fprintln(w)
	}
	for _, d := range reasons {
		fmt.Fprintf(w, "%s  %s\n", d.Day, printable(d.Why))
	}
}
