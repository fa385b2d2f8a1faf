package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// What the page asks for where the person does not say, and what it shows of the answer.
const (
	forecastDays   = 2
	forecastRuns   = 60
	forecastItems  = 2000
	forecastLines  = 40
	forecastLate   = 25
	forecastAgents = 60
	forecastSteps  = 15
	whatIfs        = 20
)

// forecastData is a look ahead.
type forecastData struct {
	Days, Runs   int
	Net, Folder  string
	WhatIf       []string // as given, and an empty one for the next
	Choices      []int    // of days
	Busy         string   // another forecast is being made; empty: this is one
	Wall         wall
	F            api.Forecast
	LateRuns     string // mean number of runs that end too late
	Lines        *lookAhead
	Late         []forecastRow
	More         int // likely late and not shown
	Agents       []loadPicture
	AgentsHidden int
	Pools        []loadPicture
	ByDay        []forecastDay
	Critical     []forecastStep
	Earlier      int // steps before these
}

// forecastRow is an occurrence.
type forecastRow struct {
	api.ForecastItem
	Href, Chance, Style string
}

type forecastDay struct {
	api.ForecastDay
	Runs, Late string
}

type forecastStep struct {
	api.ForecastStep
	Href, Took, Text string
	Known            bool
}

func (c *console) forecast(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := forecastData{Net: q.Get("net"), Folder: strings.Trim(q.Get("folder"), "/"), Choices: []int{1, 2, 7, 14, 31}, Wall: c.wall(c.zoneOf(r))}
	var err error
	if d.Days, err = formNumber(q.Get("days"), forecastDays, 400); err != nil {
		return err
	}
	if d.Runs, err = formNumber(q.Get("replications"), forecastRuns, 1000); err != nil {
		return err
	}
	for _, text := range q["what"] {
		if text = strings.TrimSpace(text); text != "" {
			d.WhatIf = append(d.WhatIf, text)
		}
	}
	if !slices.Contains(d.Choices, d.Days) {
		d.Choices = slices.Sorted(slices.Values(append(d.Choices, d.Days)))
	}
	d.F, err = c.service.Forecast(r.Context(), api.ForecastQuery{Days: d.Days, Replications: d.Runs, Net: d.Net, Folder: d.Folder, WhatIf: d.WhatIf, Limit: forecastItems})
	switch {
	case fault.Is(err, fault.Busy):
		d.Busy = err.Error()
	case err != nil:
		return err
	default:
		d.fill()
	}
	if len(d.WhatIf) < whatIfs {
		d.WhatIf = append(d.WhatIf, "")
	}
	return c.page(w, r, "forecast", view{Title: "Forecast", Section: "time", Data: &d})
}

// formNumber reads a number of a form.
func formNumber(text string, otherwise, most int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fault.Newf(fault.Invalid, "%q is no number from 1 to %d", shorten(text, 20), most)
	}
	return n, nil
}

// fill works out what is shown.
func (d *forecastData) fill() {
	late := 0.0
	for _, day := range d.F.ByDay {
		row := forecastDay{ForecastDay: day, Runs: "–", Late: "–"}
		if day.Runs != nil && day.Late != nil {
			late += *day.Late
			row.Runs, row.Late = few(*day.Runs), few(*day.Late)
		}
		d.ByDay = append(d.ByDay, row)
	}
	d.LateRuns = few(late)
	for i := range d.F.Items {
		it := &d.F.Items[i]
		if it.Late <= 0 {
			break
		}
		if len(d.Late) == forecastLate {
			d.More++
			continue
		}
		d.Late = append(d.Late, forecastRow{ForecastItem: *it, Href: schedulePath(it.Net, it.Schedule), Chance: chance(it.Late), Style: lateStyle(it.Late)})
	}
	d.Lines = ahead(d.F.Items, d.F.From, d.Wall)
	agents := slices.Clone(d.F.Agents)
	slices.SortStableFunc(agents, func(a, b api.ForecastAgent) int { return cmp.Compare(b.Busy, a.Busy) })
	for i := range agents {
		if i == forecastAgents {
			d.AgentsHidden = len(agents) - i
			break
		}
		a := &agents[i]
		title := fmt.Sprintf("%s of %d slots at most, %.0f %% of their time", few(a.Peak), a.Slots, 100*a.Busy)
		d.Agents = append(d.Agents, areaOf(a.Name, nodePath(a.Name), title, a.Hours, a.Slots))
	}
	for i := range d.F.Pools {
		p := &d.F.Pools[i]
		title := fmt.Sprintf("%s of %d ports wanted at most", few(p.Peak), p.Size)
		if p.Waits > 0 {
			title += fmt.Sprintf(", %s starts wait for one", few(p.Waits))
		}
		name, _, _ := strings.Cut(p.Pool, "@")
		d.Pools = append(d.Pools, areaOf(p.Pool, portPath(name), title, p.Hours, p.Size))
	}
	if n := len(d.F.Critical) - forecastSteps; n > 0 {
		d.Earlier, d.F.Critical = n, d.F.Critical[n:]
	}
	for _, s := range d.F.Critical {
		step := forecastStep{ForecastStep: s, Href: netPath(s.Net), Took: span(s.End.Sub(s.Start)), Text: s.Why, Known: s.Net != ""}
		if s.Why != "due" {
			step.Text = "after " + s.Why
		}
		d.Critical = append(d.Critical, step)
	}
}

// few writes a mean.
func few(n float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") }

// chance writes a probability.
func chance(p float64) string {
	switch {
	case p > 0 && p < 0.01:
		return "under 1 %"
	case p > 0.99 && p < 1:
		return "over 99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

func lateStyle(p float64) string {
	switch {
	case p >= 0.5:
		return "failed"
	case p >= 0.05:
		return "warning"
	}
	return "waiting"
}

// lookAhead is the time line of what is due next.
type lookAhead struct {
	Rows  []aheadRow
	Ticks []tick
	Whole string
	From  time.Time
	More  int
}

// aheadRow is an occurrence: from Due to Start it waits, from Start to End it runs, and between Low and High it is likely to end.
type aheadRow struct {
	Name, Href, Title, State string
	WaitX, WaitW             string
	RunX, RunW               string
	LikelyX, LikelyW         string
	Must                     string // empty: it has none
}

// ahead draws what is due next; nil: nothing is.
func ahead(items []api.ForecastItem, from time.Time, w wall) *lookAhead {
	next := slices.Clone(items)
	slices.SortStableFunc(next, func(a, b api.ForecastItem) int { return a.Due.Compare(b.Due) })
	if len(next) == 0 {
		return nil
	}
	out := &lookAhead{From: from}
	if len(next) > forecastLines {
		out.More = len(next) - forecastLines
		next = next[:forecastLines]
	}
	to := from
	for i := range next {
		for _, t := range []time.Time{next[i].EndHigh, next[i].End, next[i].Due} {
			if t.After(to) {
				to = t
			}
		}
	}
	whole := max(to.Sub(from), time.Minute)
	share := func(t time.Time) float64 { return min(max(float64(t.Sub(from))/float64(whole)*100, 0), 100) }
	out.Ticks, out.Whole = ticks(whole), span(whole)
	for i := range next {
		out.Rows = append(out.Rows, aheadRowOf(&next[i], share, w))
	}
	return out
}

func aheadRowOf(it *api.ForecastItem, share func(time.Time) float64, w wall) aheadRow {
	const least = 0.35
	stretch := func(from, to time.Time, least float64) (x, width string) {
		a, b := share(from), share(to)
		a = min(a, 100-least)
		return fmt.Sprintf("%.3f%%", a), fmt.Sprintf("%.3f%%", max(b-a, least))
	}
	row := aheadRow{Name: it.Net, Href: schedulePath(it.Net, it.Schedule), State: "running"}
	row.WaitX, row.WaitW = stretch(it.Due, it.Start, 0)
	row.RunX, row.RunW = stretch(it.Start, it.End, least)
	row.LikelyX, row.LikelyW = stretch(it.EndLow, it.EndHigh, 0)
	row.Title = fmt.Sprintf("%s %s: due %s, ends about %s, likely between %s and %s", it.Net, it.Schedule, w.Stamp(it.Due).Text, w.Stamp(it.End).Text, w.Clock(it.EndLow).Text, w.Clock(it.EndHigh).Text)
	if it.MustEnd != nil {
		if x := share(*it.MustEnd); x < 100 {
			row.Must = fmt.Sprintf("%.3f%%", x)
		}
		row.Title += fmt.Sprintf("; must end by %s, late with %s", w.Stamp(*it.MustEnd).Text, chance(it.Late))
		if it.Late > 0 {
			row.State = lateStyle(it.Late)
		}
	}
	if it.Waits != nil {
		row.Title += "; waits for " + *it.Waits
	}
	return row
}

// loadPicture is a load, hour by hour, as an area below the line of what there is.
type loadPicture struct {
	Name, Href, Text string
	Width, Height    int
	Area             string // points of a polygon
	LimitY           string
	Over             bool
}

// The measure of an area's picture; it is stretched to the width that there is.
const areaHeight = 46

func areaOf(name, href, text string, hours []float64, limit int) loadPicture {
	p := loadPicture{Name: name, Href: href, Text: text, Width: max(len(hours), 1), Height: areaHeight}
	top := max(float64(limit), 1)
	for _, h := range hours {
		top = max(top, h)
		p.Over = p.Over || h > float64(limit)
	}
	top *= 1.08
	y := func(v float64) float64 { return areaHeight * (1 - v/top) }
	var b strings.Builder
	fmt.Fprintf(&b, "0,%d", areaHeight)
	for i, h := range hours {
		fmt.Fprintf(&b, " %d,%.2f %d,%.2f", i, y(h), i+1, y(h))
	}
	fmt.Fprintf(&b, " %d,%d", p.Width, areaHeight)
	p.Area, p.LimitY = b.String(), fmt.Sprintf("%.2f", y(float64(limit)))
	return p
}
