package calendar

import (
	"fmt"
	"strings"
	"time"
)

// moment is a time as it stands in a schedule: a wall time, or an instant where an offset stands behind it.
type moment struct {
	n     int64 // a wall time, or with offset an instant
	exact bool
}

// parseMoment reads 2026-01-01, 2026-01-01T06:00 and 2026-01-01T06:00:30; with an offset behind a time (Z, +02:00) it is an instant.
func parseMoment(text string) (moment, error) {
	for _, form := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return moment{n: t.Unix()}, inRange(text, t)
		}
	}
	for _, form := range []string{"2006-01-02T15:04Z07:00", time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil && t.Nanosecond() == 0 {
			return moment{n: t.Unix(), exact: true}, inRange(text, t)
		}
	}
	return moment{}, fmt.Errorf("%q is not a time: write 2026-12-24, 2026-12-24T06:00 or 2026-12-24T06:00:30, a wall time of the zone; or with an offset, 2026-12-24T06:00:00+01:00", text)
}

func inRange(text string, t time.Time) error {
	if y := t.Year(); y < 1900 || y > 2198 {
		return fmt.Errorf("%q is not between the years 1900 and 2198", text)
	}
	return nil
}

// parseWall reads a time that cannot have an offset.
func parseWall(text string) (int64, error) {
	m, err := parseMoment(text)
	if err == nil && m.exact {
		return 0, fmt.Errorf("%q has an offset: it is a wall time of the schedule's zone; leave the offset out", text)
	}
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), "; or with")
		return 0, fmt.Errorf("%s", message)
	}
	return m.n, nil
}

// at returns the instant of a moment. A wall time that comes twice is the first, one in a gap the end of the gap.
func (m moment) at(z *zone) int64 {
	if m.exact {
		return m.n
	}
	return z.resolve(m.n)
}

// wall returns what a wall clock shows then.
func (m moment) wall(z *zone) int64 {
	if m.exact {
		return z.wall(m.n)
	}
	return m.n
}
