package table

import (
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// seedFiles are the tables that tools/holidays writes: date,name,regions. An empty column regions means the whole country.
//
//go:embed seeds/*.csv
var seedFiles embed.FS

// Seed is a table of holidays to begin with: of a country, or of a region of it. It is never the truth: people edit what they
// make of it.
type Seed struct {
	Code   string // DE, DE-BY
	Name   string // Germany, Germany: Bavaria
	Years  Years
	Dates  []calendar.Date // by date
	Region bool
}

// Seeds returns all seeds, by code.
func Seeds() ([]Seed, error) {
	files, err := seedFiles.ReadDir("seeds")
	if err != nil {
		return nil, fmt.Errorf("reading the seeds: %w", err)
	}
	var out []Seed
	for _, file := range files {
		country, err := readSeeds(strings.ToUpper(strings.TrimSuffix(file.Name(), ".csv")))
		if err != nil {
			return nil, err
		}
		out = append(out, country...)
	}
	return out, nil
}

// FindSeed returns the seed of a code, in small or capital letters.
func FindSeed(code string) (Seed, error) {
	code = strings.ToUpper(code)
	country, _, _ := strings.Cut(code, "-")
	if _, known := countryNames()[country]; known {
		seeds, err := readSeeds(country)
		if err != nil {
			return Seed{}, err
		}
		for _, s := range seeds {
			if s.Code == code {
				return s, nil
			}
		}
	}
	return Seed{}, fault.New(fault.NotFound, fmt.Sprintf("there are no holidays of %q here", clip(code)),
		"see `reeve calendar seed list`; or import a file with `reeve calendar import`")
}

// readSeeds reads the seeds of a country: its own, then those of its regions.
func readSeeds(country string) ([]Seed, error) {
	text, err := seedFiles.ReadFile("seeds/" + strings.ToLower(country) + ".csv")
	if err != nil {
		return nil, fmt.Errorf("reading the seed %s: %w", country, err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the seed %s: %w", country, err)
	}
	rows = rows[1:]
	codes := []string{""}
	for _, row := range rows {
		for region := range strings.FieldsSeq(row[2]) {
			if !slices.Contains(codes, region) {
				codes = append(codes, region)
			}
		}
	}
	slices.Sort(codes)
	name := countryNames()[country]
	out := make([]Seed, len(codes))
	for i, code := range codes {
		s := Seed{Code: country, Name: name}
		if code != "" {
			s = Seed{Code: country + "-" + code, Name: name + ": " + regionName(country, code), Region: true}
		}
		for _, row := range rows {
			if row[2] == "" || slices.Contains(strings.Fields(row[2]), code) {
				s.Dates = append(s.Dates, calendar.Date{Date: row[0], Name: row[1]})
			}
		}
		if _, err := fmt.Sscanf(rows[0][0]+" "+rows[len(rows)-1][0], "%d-01-01 %d", &s.Years.First, &s.Years.Last); err != nil {
			return nil, fmt.Errorf("reading the years of the seed %s: %w", country, err)
		}
		s.Dates = tidy(s.Dates)
		out[i] = s
	}
	return out, nil
}

// Definition makes a calendar of a seed, with its days as entries. Without years it has all of them.
func (s Seed) Definition(name string, years Years) (calendar.Definition, error) {
	if err := years.Check(); err != nil {
		return calendar.Definition{}, err
	}
	if !years.Given() {
		years = s.Years
	}
	if years.First < s.Years.First || years.Last > s.Years.Last {
		return calendar.Definition{}, fault.New(fault.Invalid, fmt.Sprintf("the holidays of %s are here for %d to %d only", s.Code, s.Years.First, s.Years.Last),
			"ask for fewer years, and add the others yourself")
	}
	if name == "" {
		name = "holidays/" + strings.ToLower(s.Code)
	}
	d := calendar.Definition{
		Name:        name,
		Description: fmt.Sprintf("Holidays of %s, %d to %d. A seed: look through it and edit it.", s.Name, years.First, years.Last),
	}
	for _, entry := range s.Dates {
		year, month, day, err := calendar.ParseDate(entry.Date)
		if err == nil && years.has(calendar.DayOf(year, month, day)) {
			d.Free = append(d.Free, entry)
		}
	}
	return d, nil
}
