package console

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Zones are the time zones whose wall times pages show. *calendar.Zones is one.
type Zones interface {
	// Location returns a zone; false: there is none of this name.
	Location(name string) (*time.Location, bool)
	// Names returns the names of all zones, sorted.
	Names() []string
}

// zoneBook keeps the zones that were read: a list has one on every line.
type zoneBook struct {
	Zones
	mu   sync.Mutex
	read map[string]*time.Location // of names that there are: they are few
}

// Location implements Zones.
func (b *zoneBook) Location(name string) (*time.Location, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if loc := b.read[name]; loc != nil {
		return loc, true
	}
	loc, ok := b.Zones.Location(name)
	if ok {
		b.read[name] = loc
	}
	return loc, ok
}

// wall shows instants as wall times of one zone, which the page names. The browser's script leaves them as they are: an
// agenda of Stockholm is read in Stockholm's hours, wherever its reader sits.
type wall struct {
	Zone string
	loc  *time.Location
	now  time.Time
}

// wall returns the wall times of a zone; of one that is not known (an agent's newer database may have it) those of UTC.
func (c *console) wall(zone string) wall {
	if loc, ok := c.zones.Location(zone); ok && zone != "" {
		return wall{Zone: zone, loc: loc, now: c.now()}
	}
	return wall{Zone: "UTC", loc: time.UTC, now: c.now()}
}

// knownZone is wall, and refuses what is no zone.
func (c *console) knownZone(zone string) (wall, error) {
	if zone == "" {
		zone = "UTC"
	}
	if _, ok := c.zones.Location(zone); !ok {
		return wall{}, fault.Newf(fault.Invalid, "%q is no time zone: write one as Europe/Berlin, or UTC", shorten(zone, 60))
	}
	return c.wall(zone), nil
}

// Now is the moment at which the page was made.
func (w wall) Now() time.Time { return w.now }

// Clock is the time of the day.
func (w wall) Clock(at any) instant {
	return w.instant(at, func(t time.Time) string {
		if t.Second() != 0 {
			return t.Format("15:04:05")
		}
		return t.Format("15:04")
	})
}

// Stamp is the day, where it is not today, and the time.
func (w wall) Stamp(at any) instant {
	return w.instant(at, func(t time.Time) string {
		here := w.now.In(w.loc)
		clock := t.Format("15:04")
		if t.Second() != 0 {
			clock = t.Format("15:04:05")
		}
		switch {
		case t.Format(time.DateOnly) == here.Format(time.DateOnly):
			return "today " + clock
		case t.Year() == here.Year():
			return t.Format("Mon 2 Jan ") + clock
		}
		return t.Format("Mon 2 Jan 2006 ") + clock
	})
}

func (w wall) instant(at any, text func(time.Time) string) instant {
	t := timeOf(at)
	if t.IsZero() {
		return instant{}
	}
	utc := t.UTC()
	local := t.In(w.loc)
	out := instant{ISO: utc.Format("2006-01-02T15:04:05.000Z"), Text: text(local)}
	if len(w.instants(local)) > 1 {
		out.Text += local.Format(" (-07:00)") // this wall time comes twice
	}
	out.Title = local.Format("2006-01-02 15:04:05 -07:00 ") + w.Zone + ", " + utc.Format("15:04:05") + " UTC, " + ago(w.now.Sub(t))
	return out
}

// timeOf reads time.Time and *time.Time; absent is the zero time.
func timeOf(at any) time.Time {
	switch v := at.(type) {
	case time.Time:
		return v
	case *time.Time:
		if v != nil {
			return *v
		}
	}
	return time.Time{}
}

// instants returns the instants at which the zone's clocks show the wall time of t, whatever t's own zone is: none where
// they are put forward over it, two where they are put back.
func (w wall) instants(t time.Time) []time.Time {
	y, m, d := t.Date()
	naive := time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	var out []time.Time
	for _, near := range []time.Duration{-26 * time.Hour, 0, 26 * time.Hour} { // clocks are not changed twice within a day
		_, offset := naive.Add(near).In(w.loc).Zone()
		at := naive.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(w.loc).Zone(); there == offset {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// read reads a wall time that a form sent (2026-12-24T06:00, seconds if wanted), or an instant with its offset. Empty is
// the zero time. pass says which one is meant where the wall time comes twice: first or last.
func (w wall) read(text, pass string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UTC(), nil
	}
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		t, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		at := w.instants(t)
		switch {
		case len(at) == 0:
			return time.Time{}, fault.Newf(fault.Invalid, "%s does not exist in %s: clocks are put forward over it", t.Format("2006-01-02 15:04"), w.Zone)
		case pass == "last":
			return at[len(at)-1].UTC(), nil
		}
		return at[0].UTC(), nil
	}
	return time.Time{}, fault.Newf(fault.Invalid, "%q is no time: write it as 2026-12-24T06:00, in %s, or with an offset", shorten(text, 40), w.Zone)
}

// clockChange is an instant at which a zone's clocks are changed.
type clockChange struct {
	At            time.Time
	Before, After time.Duration // from UTC
}

// changes returns the changes of the zone's clocks in a stretch of time, as exact as a second.
func (w wall) changes(begin, end time.Time) []clockChange {
	offset := func(t time.Time) time.Duration {
		_, o := t.In(w.loc).Zone()
		return time.Duration(o) * time.Second
	}
	var out []clockChange
	for at := begin.Add(-time.Second); at.Before(end); at = at.Add(time.Hour) { // a day may begin with a change
		low, high := at, earlier(end, at.Add(time.Hour))
		was := offset(low)
		if offset(high) == was {
			continue
		}
		for high.Sub(low) > time.Second {
			if mid := low.Add(high.Sub(low) / 2).Truncate(time.Second); offset(mid) == was {
				low = mid
			} else {
				high = mid
			}
		}
		if high.Before(end) {
			out = append(out, clockChange{At: high, Before: was, After: offset(high)})
		}
	}
	return out
}

// text says what happens, as people would see it on a clock.
func (ch clockChange) text() string {
	was := ch.At.UTC().Add(ch.Before).Format("15:04")
	is := ch.At.UTC().Add(ch.After).Format("15:04")
	if ch.After > ch.Before {
		return fmt.Sprintf("at %s clocks are put forward to %s: the time between does not exist", was, is)
	}
	return fmt.Sprintf("at %s clocks are put back to %s: the time between comes twice, first (A) and last (B)", was, is)
}

// dayLength says how long a day of a zone is, in words.
func dayLength(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d hours and %d minutes", d/time.Hour, d%time.Hour/time.Minute)
}
