package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// zoneFlag is the zone of times that are given without an offset.
type zoneFlag struct {
	name string
	gone bool // a wall time that clocks were put forward over is taken by the offset before: it is asked about, and not set
}

func (z *zoneFlag) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&z.name, "zone", "", "time zone of times without an offset, as Europe/Berlin")
	return c
}

// instant reads RFC 3339, or with --zone a wall time: 2026-12-24T06:00[:00], or 2026-12-24 for midnight. Empty text is no time.
func (z *zoneFlag) instant(what, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	wall, ok := wallTime(text)
	if !ok {
		return time.Time{}, fault.New(fault.Invalid, fmt.Sprintf("%s is %q, which is no time", what, text), "write it as 2026-12-24T06:00:00Z, or as 2026-12-24T06:00 with --zone")
	}
	if z.name == "" {
		return time.Time{}, fault.New(fault.Invalid, fmt.Sprintf("%s is %q, without an offset", what, text), "write it as 2026-12-24T06:00:00Z, or give --zone")
	}
	loc, ok := calendar.Builtin().Location(z.name)
	if !ok {
		return time.Time{}, fault.New(fault.Invalid, fmt.Sprintf("there is no time zone %q", z.name), "write it as Europe/Berlin")
	}
	found := instantsOf(wall, loc)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if z.gone {
			_, before := wall.Add(-36 * time.Hour).In(loc).Zone()
			return wall.Add(-time.Duration(before) * time.Second).UTC(), nil
		}
		return time.Time{}, fault.New(fault.Invalid, fmt.Sprintf("%s is %s, which %s does not have: clocks are put forward over it", what, text, z.name), "give the time with its offset, as 2026-03-29T03:00:00+02:00")
	}
	return time.Time{}, fault.New(fault.Invalid, fmt.Sprintf("%s is %s, which comes twice in %s", what, text, z.name),
		"give it with its offset: "+found[0].In(loc).Format(time.RFC3339)+" or "+found[1].In(loc).Format(time.RFC3339))
}

// given reads a time that must be there.
func (z *zoneFlag) given(what, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, fault.New(fault.Invalid, what+" is empty", "write it as 2026-12-24T06:00:00Z, or as 2026-12-24T06:00 with --zone")
	}
	return z.instant(what, text)
}

// instants reads several times; one that is not given stays zero.
func (z *zoneFlag) instants(of ...wanted) error {
	for _, w := range of {
		t, err := z.instant(w.what, w.text)
		if err != nil {
			return err
		}
		*w.to = t
	}
	return nil
}

type wanted struct {
	what, text string
	to         *time.Time
}

func wallTime(text string) (time.Time, bool) {
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(form, strings.Replace(text, " ", "T", 1)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// instantsOf returns the instants at which clocks of a zone show a wall time, earliest first: none, one or two.
func instantsOf(wall time.Time, loc *time.Location) []time.Time {
	var found []time.Time
	for _, near := range []time.Duration{-36 * time.Hour, 36 * time.Hour} { // the offset before a change, and after it
		_, offset := wall.Add(near).In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, there := t.In(loc).Zone(); there != offset || len(found) > 0 && found[0].Equal(t) {
			continue
		}
		found = append(found, t.UTC())
	}
	if len(found) == 2 && found[1].Before(found[0]) {
		found[0], found[1] = found[1], found[0]
	}
	return found
}
