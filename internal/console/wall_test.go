package console

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// in is a zone's wall times at a given moment.
func in(t *testing.T, zone, now string) wall {
	t.Helper()
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	c := &console{zones: goZones{}, now: func() time.Time { return at }}
	w, err := c.knownZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWallTimesOfForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, text, pass, want string }{
		{"Europe/Berlin", "2026-12-24T06:00", "", "2026-12-24T05:00:00Z"},
		{"Europe/Berlin", "2026-12-24T06:00:09", "", "2026-12-24T05:00:09Z"},
		{"Europe/Berlin", "2026-12-24T06:00:09+05:30", "", "2026-12-24T00:30:09Z"},
		{"Europe/Berlin", "2026-10-25T02:30", "first", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "2026-10-25T02:30", "last", "2026-10-25T01:30:00Z"},
		{"Europe/Berlin", "2026-10-25T03:00", "last", "2026-10-25T02:00:00Z"},
		{"Europe/Berlin", "2026-03-29T02:30", "", "clocks are put forward over it"},
		{"Europe/Berlin", "2026-03-29T03:00", "", "2026-03-29T01:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:45", "first", "2026-04-04T14:45:00Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:45", "last", "2026-04-04T15:15:00Z"},
		{"Pacific/Apia", "2011-12-30T12:00", "", "clocks are put forward over it"},
		{"Pacific/Apia", "2011-12-29T12:00", "", "2011-12-29T22:00:00Z"},
		{"Pacific/Apia", "2011-12-31T12:00", "", "2011-12-30T22:00:00Z"},
		{"UTC", "24.12.2026", "", "is no time"},
		{"UTC", "", "", "0001-01-01T00:00:00Z"},
	} {
		got, err := in(t, c.zone, "2026-11-21T12:00:00Z").read(c.text, c.pass)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s %q %s: %v, want %s", c.zone, c.text, c.pass, err, c.want)
			}
			continue
		}
		if got.Format(time.RFC3339) != c.want {
			t.Errorf("%s %q %s = %s, want %s", c.zone, c.text, c.pass, got.Format(time.RFC3339), c.want)
		}
	}
}

func TestChangesOfClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, want string }{
		{"Europe/Berlin", "2026-10-25", "2026-10-25T01:00:00Z at 03:00 clocks are put back to 02:00: the time between comes twice, first (A) and last (B)"},
		{"Europe/Berlin", "2026-03-29", "2026-03-29T01:00:00Z at 02:00 clocks are put forward to 03:00: the time between does not exist"},
		{"Europe/Berlin", "2026-03-28", ""},
		{"Europe/Berlin", "2026-03-30", ""},
		{"Australia/Lord_Howe", "2026-10-04", "2026-10-03T15:30:00Z at 02:00 clocks are put forward to 02:30: the time between does not exist"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z at 00:00 clocks are put forward to 01:00: the time between does not exist"},
		{"America/Havana", "2026-11-01", "2026-11-01T05:00:00Z at 01:00 clocks are put back to 00:00: the time between comes twice, first (A) and last (B)"},
		{"UTC", "2026-10-25", ""},
	} {
		w := in(t, c.zone, "2026-11-21T12:00:00Z")
		begin, err := time.ParseInLocation(time.DateOnly, c.day, w.loc)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ch := range w.changes(begin, begin.AddDate(0, 0, 1)) {
			got = append(got, ch.At.UTC().Format(time.RFC3339)+" "+ch.text())
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s %s: %q, want %q", c.zone, c.day, got, c.want)
		}
	}
}

func TestWallTimesAreShown(t *testing.T) {
	t.Parallel()
	w := in(t, "Europe/Berlin", "2026-10-25T10:00:00Z")
	for at, want := range map[string]string{
		"2026-10-25T00:30:00Z": "today 02:30 (+02:00)", "2026-10-25T01:30:07Z": "today 02:30:07 (+01:00)", "2026-10-25T02:30:00Z": "today 03:30",
		"2026-10-24T22:00:00Z": "today 00:00", "2026-10-24T21:59:00Z": "Sat 24 Oct 23:59", "2027-01-01T00:00:00Z": "Fri 1 Jan 2027 01:00",
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Stamp(&instant); got.Text != want || got.Form != "" || !strings.Contains(got.Title, "Europe/Berlin") {
			t.Errorf("%s is shown as %+v, want %q", at, got, want)
		}
	}
	if got := w.Stamp((*time.Time)(nil)); !got.Zero() {
		t.Errorf("what is absent is shown as %+v", got)
	}
	if got := dayLength(23*time.Hour + 30*time.Minute); got != "23 hours and 30 minutes" {
		t.Errorf("a short day of Lord Howe has %s", got)
	}
}

func TestUnknownZones(t *testing.T) {
	t.Parallel()
	c := &console{zones: goZones{}, now: time.Now}
	if _, err := c.knownZone("Mars/Base"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a zone that is not: %v", err)
	}
	if got := c.wall("Mars/Base").Zone; got != "UTC" {
		t.Errorf("what is of a zone that is not known is shown in %s", got)
	}
}
