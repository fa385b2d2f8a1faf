package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// forecastTable writes a forecast for people.
func forecastTable(w io.Writer, f looked, limit int) {
	fmt.Fprintf(w, "%s to %s: %d occurrences are released, %d suppressed; played %d times\n", shortTime(f.From), shortTime(f.Until), f.Occurrences, f.Suppressed, f.Replications)
	if f.PlayedUntil.Before(f.Until) {
		fmt.Fprintf(w, "played until %s; so are what agents and pools carry\n", shortTime(f.PlayedUntil))
	}
	for _, what := range f.WhatIf {
		fmt.Fprintln(w, "what if: "+printable(what))
	}
	fmt.Fprintln(w)
	itemTable(w, f.Items[:min(len(f.Items), limit)])
	loadTables(w, f)
	criticalTable(w, f.Critical)
	if f.Difference != nil {
		differenceTable(w, f.Difference)
	}
	if len(f.Notes) > 0 {
		fmt.Fprintln(w, "\nNotes:")
		for _, n := range f.Notes {
			fmt.Fprintln(w, "  "+printable(n))
		}
	}
}

func itemTable(w io.Writer, items []api.ForecastItem) {
	if len(items) == 0 {
		fmt.Fprintln(w, "nothing falls due in that time")
		return
	}
	line(w, "NET", "SCHEDULE", "DUE", "START", "END", "95 % OF ENDS", "MUST END", "LATE", "WAITS FOR", "BASIS")
	for _, it := range items {
		must := "-"
		if it.MustEnd != nil {
			must = shortTime(*it.MustEnd)
		}
		start, end, likely := timeAfter(it.Due, it.Start), timeAfter(it.Due, it.End), timeAfter(it.Due, it.EndLow)+" to "+timeAfter(it.Due, it.EndHigh)
		if waits := cell(it.Waits); strings.HasPrefix(waits, "its end:") || strings.HasPrefix(waits, "nothing:") { // there is none
			start, end, likely = "-", "-", "-"
		}
		line(w, it.Net, it.Schedule, shortTime(it.Due), start, end, likely, must, percent(it.Late, it.MustEnd != nil), it.Waits, it.Basis)
	}
}

// criticalTable writes the last steps of the critical path: what is further away decides less.
func criticalTable(w io.Writer, path []api.ForecastStep) {
	const most = 12
	if len(path) == 0 {
		return
	}
	fmt.Fprintln(w, "\nWhat decides when the worst of them ends:")
	line(w, "NET", "JOB", "START", "END", "WAITED FOR")
	steps := path[max(len(path)-most, 0):]
	if n := len(path) - len(steps); n > 0 {
		fmt.Fprintf(w, "(%d earlier steps)\n", n)
	}
	for _, s := range steps {
		net, job := s.Net, s.Job
		if net == "" {
			net, job = "(another)", "(another)"
		}
		line(w, net, job, shortTime(s.Start), timeAfter(s.Start, s.End), s.Why)
	}
}

// loadTables writes what days, agents and pools carry.
func loadTables(w io.Writer, f looked) {
	if len(f.ByDay) > 0 {
		fmt.Fprintln(w)
		line(w, "DAY", "OCCURRENCES", "RUNS AT MOST", "LATE")
		for _, d := range f.ByDay {
			line(w, d.Day, d.Occurrences, optDecimal(d.Runs), optDecimal(d.Late))
		}
	}
	if len(f.Agents) > 0 {
		fmt.Fprintln(w)
		line(w, "AGENT", "SLOTS", "BUSY", "AT MOST", "WHEN", "LOAD")
		for _, a := range f.Agents {
			line(w, a.Name, a.Slots, percent(a.Busy, true), decimal(a.Peak), peakTime(a.Peak, a.At), sparkline(a.Hours, float64(a.Slots)))
		}
	}
	if len(f.Pools) > 0 {
		fmt.Fprintln(w)
		line(w, "POOL", "PORTS", "WANTED AT MOST", "WHEN", "WAIT", "LOAD")
		for _, p := range f.Pools {
			line(w, p.Pool, p.Size, decimal(p.Peak), peakTime(p.Peak, p.At), decimal(p.Waits), sparkline(p.Hours, float64(p.Size)))
		}
	}
}

func differenceTable(w io.Writer, d *changedBy) {
	fmt.Fprintf(w, "\nWith the what-ifs %s runs end too late, without them %s.\n", decimal(d.Late), decimal(d.LateBefore))
	if len(d.Items)+len(d.Agents)+len(d.Pools) == 0 {
		fmt.Fprintln(w, "Nothing else differs.")
		return
	}
	if len(d.Items) > 0 {
		line(w, "NET", "SCHEDULE", "DUE", "LATE BEFORE", "LATE", "END BEFORE", "END", "LONGER")
	}
	for i := range d.Items {
		c := &d.Items[i]
		was, end, by := "-", "not due", "-"
		if c.EndBefore != nil {
			was = timeAfter(c.Due, *c.EndBefore)
		}
		if c.End != nil {
			end, by = timeAfter(c.Due, *c.End), c.longer().Round(time.Second).String()
		}
		line(w, c.Net, c.Schedule, shortTime(c.Due), percent(c.LateBefore, true), percent(c.Late, true), was, end, by)
	}
	for _, l := range append(d.Agents, d.Pools...) {
		fmt.Fprintf(w, "%s: %s at most, before %s\n", printable(l.Name), decimal(l.Peak), decimal(l.PeakBefore))
	}
}

func shortTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// timeAfter writes the time of the day, and on which day after another it is.
func timeAfter(other, t time.Time) string {
	const day = 24 * time.Hour
	text := t.UTC().Format("15:04:05")
	if days := t.UTC().Truncate(day).Sub(other.UTC().Truncate(day)) / day; days > 0 {
		text += fmt.Sprintf(" +%dd", days)
	}
	return text
}

func peakTime(peak float64, at time.Time) string {
	if peak == 0 {
		return "-"
	}
	return shortTime(at)
}

// percent writes a part of one; where nothing can be said, a dash.
func percent(part float64, known bool) string {
	switch {
	case !known:
		return "-"
	case part > 0 && part < 0.01:
		return "<1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*part)
}

func optDecimal(n *float64) string {
	if n == nil {
		return "-"
	}
	return decimal(*n)
}

func decimal(n float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
}

// sparkline draws hours in 24 steps, of a limit.
func sparkline(hours []float64, limit float64) string {
	const steps = 24
	marks := []rune(" ▁▂▃▄▅▆▇█")
	if len(hours) == 0 || limit <= 0 {
		return "-"
	}
	var b strings.Builder
	n := min(steps, len(hours))
	for i := range n {
		most := 0.0
		for _, h := range hours[i*len(hours)/n : (i+1)*len(hours)/n] {
			most = max(most, h)
		}
		k := min(int(most/limit*8+0.5), 8)
		if most > 0 && k == 0 {
			k = 1
		}
		b.WriteRune(marks[k])
	}
	return "|" + b.String() + "|"
}
