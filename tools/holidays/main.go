// Command holidays writes the holidays that `reeve calendar seed` starts from: one table for each country, as
// date,name,regions, for the years 2020 to 2040. From the folder tools:
//
//	go run ./holidays ../internal/calendar/table/seeds
//
// The source is github.com/rickar/cal/v2, whose last obtainable version is of 2023. What it lacks since, or has wrong, is
// mended in mend.go, with the reason. All countries were held against date-holidays 3.37.0 (npm) for 2025 to 2027, and where
// the two differ against vacanza/holidays, the laws and what newspapers wrote; what was left of differences stands in mend.go.
// internal/calendar/table/facts_test.go holds the seeds against a list of such days.
//
// In the seeds is what the law makes free for everybody, on a Sunday, too. What is free by custom, for banks, for the state or for
// a part of the day is left out, and so is what a commune has for itself. A day in the place of one on a weekend stands beside it.
//
// A seed is a beginning that people edit and never the truth: holidays are decreed, moved and abolished each year. Russia and
// Ukraine are left out: there most free days follow from yearly decrees, and from the war. Approximate, because they are said late
// or from year to year: the equinoxes of Japan (by the gazette of the February before), the Friday before the Grand Final in
// Victoria and the King's Birthday of Western Australia (by proclamation), the elections of Brazil and South Africa (not in it).
package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
)

const first, last = 2020, 2040

// row is a line of a table. Regions is empty where the day is free in the whole country.
type row struct {
	date, name string
	regions    []string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: holidays FOLDER")
		os.Exit(2)
	}
	for _, c := range countries() {
		text, err := write(c.rows())
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], c.code+".csv"), text, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// rows returns the days of a country by date and name, mended.
func (c country) rows() []row {
	in := map[string][]string{} // date and name → regions; "" is the whole country
	for _, region := range c.regions() {
		for _, d := range days(c.lists[region]) {
			in[d] = append(in[d], region)
		}
	}
	var out []row
	for key, regions := range in {
		date, name, _ := strings.Cut(key, " ")
		slices.Sort(regions)
		out = append(out, row{date, name, regions})
	}
	out = mend(c.code, out)
	c.whole(out)
	slices.SortFunc(out, func(a, b row) int { return strings.Compare(a.date+a.name, b.date+b.name) })
	return out
}

// whole empties the regions of what is free in the whole country: what its own list has, or where the source has no list of the
// country, what all regions have on a day, whatever they call it.
func (c country) whole(rows []row) {
	_, own := c.lists[""]
	everywhere := map[string]map[string]bool{}
	for _, r := range rows {
		for _, region := range r.regions {
			if everywhere[r.date] == nil {
				everywhere[r.date] = map[string]bool{}
			}
			everywhere[r.date][region] = true
		}
	}
	for i, r := range rows {
		if slices.Contains(r.regions, "") || !own && len(everywhere[r.date]) == len(c.lists) {
			rows[i].regions = nil
		}
	}
}

func (c country) regions() (out []string) {
	for region := range c.lists {
		out = append(out, region)
	}
	slices.Sort(out)
	return out
}

// days returns what a list has from first to last, as "2026-12-24 name". Where another day is free instead, both are there.
func days(list []*cal.Holiday) (out []string) {
	add := func(t time.Time, name string) {
		if y := t.Year(); y >= first && y <= last {
			out = append(out, t.Format(time.DateOnly)+" "+name)
		}
	}
	for year := first - 1; year <= last+1; year++ {
		for _, h := range list {
			if h.Type == cal.ObservanceReligious || h.Type == cal.ObservanceOther { // many public ones have no type at all
				continue
			}
			actual, observed := h.Calc(year)
			if actual.IsZero() {
				continue
			}
			add(actual, h.Name)
			if !observed.Equal(actual) {
				add(observed, h.Name+" (observed)")
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func write(rows []row) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"date", "name", "regions"})
	for _, r := range rows {
		_ = w.Write([]string{r.date, r.name, strings.Join(r.regions, " ")})
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
