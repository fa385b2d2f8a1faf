package console

import (
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

const maxRows = 300 // of a time line

// timeline shows when each attempt ran, as shares of the run's whole time.
type timeline struct {
	Rows  []timeRow
	Ticks []tick
	More  int // jobs that are not shown
	Whole string
}

// timeRow is one job.
type timeRow struct {
	Name, Href, State string
	Bars              []bar
	Title             string
}

// bar is a stretch of an attempt; X and Width are percentages. Kind is a state, or "delivery".
type bar struct{ X, Width, Kind string }

// tick is a mark of the scale.
type tick struct{ X, Label, Anchor string }

// timeLine builds the time line of a run; nil before anything was dispatched.
func timeLine(run *api.Run, now time.Time) *timeline {
	if run.Started == nil {
		return nil
	}
	from, to := *run.Started, now
	if run.Ended != nil && ended(run.State) {
		to = *run.Ended
	}
	for i := range run.Jobs { // agents have clocks of their own
		for _, a := range run.Jobs[i].Attempts {
			from = earlier(from, a.Ordered)
			if a.Ended != nil && a.Ended.After(to) {
				to = *a.Ended
			}
		}
	}
	whole := max(to.Sub(from), time.Millisecond)
	share := func(t time.Time) float64 {
		return min(max(float64(t.Sub(from))/float64(whole)*100, 0), 100)
	}
	line := &timeline{Ticks: ticks(whole), Whole: span(whole)}
	for i := range run.Jobs {
		j := &run.Jobs[i]
		if len(j.Attempts) == 0 {
			continue
		}
		if len(line.Rows) == maxRows {
			line.More++
			continue
		}
		row := timeRow{Name: j.Name, Href: jobPath(run.ID, j.Name), State: j.State}
		for k := range j.Attempts {
			row.add(&j.Attempts[k], to, share)
		}
		line.Rows = append(line.Rows, row)
	}
	return line
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (row *timeRow) add(a *api.Attempt, now time.Time, share func(time.Time) float64) {
	end := now
	if a.Ended != nil {
		end = *a.Ended
	}
	start := end
	if a.Started != nil {
		start = *a.Started
	}
	row.bar("delivery", share(a.Ordered), share(start))
	text := fmt.Sprintf("attempt %d on %s: %s", a.N, a.Agent, a.State)
	if a.Started != nil {
		row.bar(known(a.State), share(start), share(end))
		text += ", " + span(end.Sub(start))
	}
	if row.Title != "" {
		row.Title += "\n"
	}
	row.Title += text
}

func (row *timeRow) bar(kind string, from, to float64) {
	const least = 0.35 // what is shorter could not be seen
	width := max(to-from, 0)
	if kind != "delivery" {
		width = max(width, least)
		from = min(from, 100-least)
	}
	if width > 0 {
		row.Bars = append(row.Bars, bar{X: fmt.Sprintf("%.3f%%", from), Width: fmt.Sprintf("%.3f%%", width), Kind: kind})
	}
}

// ticks divides the scale into at most six round parts.
func ticks(whole time.Duration) []tick {
	steps := []time.Duration{
		time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
		15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
	}
	step := steps[len(steps)-1]
	for _, s := range steps {
		if whole/s < 6 {
			step = s
			break
		}
	}
	for whole/step >= 6 {
		step *= 2
	}
	var out []tick
	for at := time.Duration(0); at <= whole; at += step {
		t := tick{X: fmt.Sprintf("%.3f%%", float64(at)/float64(whole)*100), Label: "+" + tickText(at), Anchor: "middle"}
		if at == 0 {
			t.Label, t.Anchor = "0", "start"
		} else if float64(at) > 0.96*float64(whole) {
			t.Anchor = "end"
		}
		out = append(out, t)
	}
	return out
}

func tickText(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d/time.Millisecond)
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		if d%time.Minute != 0 {
			return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
		}
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Hour != 0:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}
