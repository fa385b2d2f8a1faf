package console

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// twinCalendars is what a twin knows of calendars: one, and which of its days are free.
type twinCalendars struct {
	calendars []api.Calendar
	free      map[string]string // day → the name of its entry
}

func (t *twin) ListCalendars(context.Context) ([]api.CalendarSummary, error) {
	out := []api.CalendarSummary{}
	for _, c := range t.time.calendars {
		if c.Version == c.Newest {
			out = append(out, c.CalendarSummary)
		}
	}
	return out, nil
}

func (t *twin) Calendar(_ context.Context, name string, version int) (api.Calendar, error) {
	for _, c := range t.time.calendars {
		if c.Name == name && (version == 0 || version == c.Version) {
			return c, nil
		}
	}
	return api.Calendar{}, fault.New(fault.NotFound, "there is no calendar "+name, "")
}

func (t *twin) CalendarDays(_ context.Context, _ string, since, until string) ([]api.CalendarDay, error) {
	first, err := time.Parse(time.DateOnly, since)
	if err != nil {
		return nil, err
	}
	out := []api.CalendarDay{}
	for d := first; d.Format(time.DateOnly) <= until; d = d.AddDate(0, 0, 1) {
		day := api.CalendarDay{Day: d.Format(time.DateOnly), Working: true, Why: d.Weekday().String()}
		if name, free := t.time.free[day.Day]; free {
			day.Working, day.Why, day.Name = false, "free: "+name+" (holidays/de)", ptr(name)
		} else if d.Weekday() == time.Saturday || d.Weekday() == time.Sunday {
			day.Working = false
		}
		out = append(out, day)
	}
	return out, nil
}

func (t *twin) ListCalendarSeeds(context.Context) ([]api.CalendarSeed, error) {
	return []api.CalendarSeed{{Code: "DE-BY", Name: "Germany: Bavaria", First: 2020, Last: 2040, Days: 252}}, nil
}

func (t *twin) CalendarSeed(context.Context, api.SeedQuery) (api.CalendarText, error) {
	return api.CalendarText{Calendar: "holidays/de-by", Text: "calendar: holidays/de-by\n"}, nil
}

// estateCalendars gives a twin two calendars; the free days of all of them are those of 2026 that the tests look at.
func estateCalendars(t *twin, now time.Time) {
	sum := api.CalendarSummary{
		Name: "germany", Version: 3, Description: "the days of the german houses <and> of the bank", Applied: now.Add(-50 * time.Hour), By: "mara", Sets: []string{"bank", "quarter-ends"},
		Today: true, UsedBy: 1,
	}
	c := api.Calendar{
		CalendarSummary: sum, Newest: 3, Versions: []int{3, 2, 1}, Text: "calendar: germany\nweek: [mon, tue, wed, thu, fri]\n", Hash: "6f0a12cf", Week: []string{"mon", "tue", "wed", "thu", "fri"},
		Boundary: "06:00", Free: []api.CalendarDate{{Date: "12-25", Name: "Christmas Day"}, {Date: "2026-12-24", Name: "Christmas Eve, when the whole house is closed from the morning on"}},
		Work: []api.CalendarDate{{Date: "2026-12-19"}}, Schedules: []string{"estate/harvest/nightly"},
	}
	old := c
	old.Version = 2
	plain := c
	plain.CalendarSummary = api.CalendarSummary{Name: "holidays/plain", Version: 1, Applied: now, By: "piet", Sets: []string{}}
	plain.Free, plain.Work, plain.Schedules, plain.Versions, plain.Newest = []api.CalendarDate{}, []api.CalendarDate{}, []string{}, []int{1}, 1
	t.time.calendars = []api.Calendar{c, old, plain}
	t.time.free = map[string]string{}
	for _, month := range []string{now.Format("2006-01"), "2026-12"} {
		t.time.free[month+"-24"], t.time.free[month+"-25"] = "Christmas Eve, when the whole house is closed from the morning on", "Christmas Day"
	}
}
