package domain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const nightly = `net: %s
schedules:
  - {name: nightly, cron: "0 3 * * *", must_end: 1h}
jobs:
  - {name: a, command: ["true"]%s}
`

func TestForecastOfAServerWithoutHistory(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	f, err := s.service.Forecast(s.admin(), api.ForecastQuery{})
	if err != nil || f.Days != 7 || f.Replications != 100 || len(f.Items) != 0 || len(f.ByDay) != 8 {
		t.Fatalf("of an empty domain: %+v, %v", f, err)
	}
	s.apply(fmt.Sprintf(nightly, "f/one", ", estimate: 10m"))
	s.apply(fmt.Sprintf(nightly, "g/two", ""))
	f, err = s.service.Forecast(s.admin(), api.ForecastQuery{Days: 2, Replications: 20})
	if err != nil {
		t.Fatal(err)
	}
	if f.Occurrences != 4 || len(f.Items) != 4 || f.Items[0].Late != 1 || f.Items[0].MustEnd == nil {
		t.Errorf("without an agent: %d occurrences, items %+v", f.Occurrences, f.Items)
	}
	notes := strings.Join(f.Notes, "\n")
	for _, want := range []string{"the domain has no agent: nothing can run", "of 1 from their estimate", "of 1 guessed as 10m0s"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	if want := time.Date(2026, 3, 25, 3, 0, 0, 0, time.UTC); !f.Items[0].Due.Equal(want) {
		t.Errorf("the first is due at %v, want %v", f.Items[0].Due, want)
	}
}

// TestForecastLearns runs a net as often as a person would, and looks ahead.
func TestForecastLearns(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.candidates(s.agent("north", 4))
	s.apply(fmt.Sprintf(nightly, "f/one", ""))
	for i := range 10 {
		r := s.start("f/one")
		s.settle()
		code := 0
		if i == 7 {
			code = 1
		}
		s.report("north", r.ID, run.Ended{Job: "a", N: 1, StartedAt: s.now(), At: s.now().Add(time.Duration(20+i) * time.Minute), ExitCode: &code})
	}
	s.settle()
	f, err := s.service.Forecast(s.admin(), api.ForecastQuery{Days: 1, Replications: 50})
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(f.Notes, "\n")
	if len(f.Items) != 1 || f.Items[0].Basis != "history" || !strings.Contains(notes, "of 1 jobs from their history") || !strings.Contains(notes, "1 jobs fail as often as they did") {
		t.Errorf("items %+v, notes %q", f.Items, f.Notes)
	}
	if it := f.Items[0]; !it.Start.Equal(it.Due) || it.End.Sub(it.Due) < 20*time.Minute || it.End.Sub(it.Due) > 30*time.Minute {
		t.Errorf("it starts at %v and ends at %v, due %v", it.Start, it.End, it.Due)
	}
	if len(f.Agents) != 1 || f.Agents[0].Name != "north" || len(f.Agents[0].Hours) != 24 {
		t.Errorf("agents: %+v", f.Agents)
	}
}

// TestForecastLearnsEnds: what failed with a code that is not tried again is not, and unknown ends come and are decided as they were.
func TestForecastLearnsEnds(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.candidates(s.agent("north", 4))
	s.apply(fmt.Sprintf(nightly, "f/codes", ", retry: {max: 3, delay: 1h, codes: [75]}"))
	s.apply(fmt.Sprintf(nightly, "f/lost", ""))
	s.apply(fmt.Sprintf(nightly, "f/policy", ", on_unknown: fail"))
	for range 8 {
		r := s.start("f/codes")
		s.settle()
		code := 1
		s.report("north", r.ID, run.Ended{Job: "a", N: 1, StartedAt: s.now(), At: s.now().Add(time.Minute), ExitCode: &code})
		for _, net := range []string{"f/lost", "f/policy"} {
			r = s.start(net)
			s.settle()
			s.report("north", r.ID, run.Unknown{Job: "a", N: 1, At: s.now(), Reason: run.ReasonKeeperDied})
			if net == "f/lost" {
				s.pass(time.Hour)
				if _, err := s.service.DecideJob(s.admin(), r.ID, "a", api.Decision{As: "succeeded"}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	s.settle()
	f, err := s.service.Forecast(s.admin(), api.ForecastQuery{Days: 1, Replications: 20})
	if err != nil || len(f.Items) != 3 {
		t.Fatal(f.Items, err)
	}
	for _, it := range f.Items {
		waits, took := "", it.End.Sub(it.Due)
		least, most := 30*time.Second, 2*time.Minute // a guess of one minute
		if it.Net == "f/lost" {
			waits, least, most = "a decision about an unknown end", least+time.Hour, most+time.Hour
		}
		if (it.Waits == nil) != (waits == "") || it.Waits != nil && *it.Waits != waits || took < least || took > most {
			t.Errorf("%s waits for %v and takes %v, want %q and %v to %v", it.Net, it.Waits, took, waits, least, most)
		}
	}
	if notes := strings.Join(f.Notes, "\n"); !strings.Contains(notes, "the ends of 2 jobs are unknown as often as they were; where `on_unknown` is hold they are decided as, and as late as, 8 were before") {
		t.Errorf("notes: %q", f.Notes)
	}
}

// TestForecastShowsWhatOneMaySee has nets in two folders.
func TestForecastShowsWhatOneMaySee(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply(fmt.Sprintf(nightly, "f/one", ""))
	s.apply(fmt.Sprintf(nightly, "g/two", ""))
	names := func(ctx context.Context, q api.ForecastQuery) string {
		t.Helper()
		q.Days, q.Replications = 1, 3
		f, err := s.service.Forecast(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, it := range f.Items {
			out = append(out, it.Net)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		folder string // of who asks
		q      api.ForecastQuery
		want   string
	}{
		{"", api.ForecastQuery{}, "f/one g/two"},
		{"", api.ForecastQuery{Folder: "g"}, "g/two"},
		{"", api.ForecastQuery{Net: "f/one"}, "f/one"},
		{"f", api.ForecastQuery{}, "f/one"},
		{"f", api.ForecastQuery{Net: "f/one"}, "f/one"},
	} {
		if got := names(s.as(c.folder, access.View), c.q); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.q, got, c.want)
		}
	}
	for _, q := range []api.ForecastQuery{{Net: "g/two"}, {Folder: "g"}} {
		if _, err := s.service.Forecast(s.as("f", access.View), q); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%+v of another folder: got %v", q, err)
		}
	}
	_, err := s.service.Forecast(s.as("f", access.View), api.ForecastQuery{WhatIf: []string{"without=g/two"}})
	if !fault.Is(err, fault.Invalid) || strings.Contains(strings.Replace(err.Error(), "without=g/two", "", 1), "two,") || !strings.Contains(err.Error(), "the nets with schedules are: f/one") {
		t.Errorf("a what-if about a net that one may not see: got %v", err)
	}
	for _, q := range []api.ForecastQuery{{Days: -1}, {Days: 401}, {Replications: -1}, {Replications: 1001}, {Limit: -1}, {WhatIf: []string{"x"}}} {
		if _, err := s.service.Forecast(s.admin(), q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: got %v", q, err)
		}
	}
}

// among is a store in which something happens while a forecast reads the history of a net.
type among struct {
	store.Store
	happens func()
}

func (a *among) Past(ctx context.Context, net string, limit int) (map[string]store.JobPast, error) {
	past, err := a.Store.Past(ctx, net, limit)
	a.happens()
	return past, err
}

// TestAForecastHoldsNothingUp: in the middle of a forecast's reading runs are started and reported, people change things, nets are applied and
// committed, and occurrences are decided. Who would wait for the forecast would wait for ever: it goes on when they are done.
func TestAForecastHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.candidates(s.agent("north", 9))
	soon := strings.Replace(nightly, "0 3 * * *", "1 5 * * *", 1)
	for _, net := range []string{"f/one", "f/two"} {
		s.apply(fmt.Sprintf(soon, net, ""))
	}
	within := 0
	cfg := s.config
	cfg.Engine, cfg.Now = s.engine, s.now
	cfg.Store = &among{Store: s.store, happens: func() {
		if within++; within > 1 {
			return
		}
		r := s.start("f/one")
		s.settle()
		code := 0
		s.report("north", r.ID, run.Ended{Job: "a", N: 1, StartedAt: s.now(), At: s.now(), ExitCode: &code})
		if _, err := s.store.Commit(t.Context(), store.Batch{Epoch: 1, Settings: []store.Setting{{Name: "test", Value: "x"}}}); err != nil {
			t.Error(err)
		}
		s.apply(fmt.Sprintf(nightly, "g/three", ""))
		if _, err := s.service.PauseSchedule(s.admin(), "f/two", "nightly", api.Pause{Reason: "x"}); err != nil {
			t.Error(err)
		}
		s.passTo("2026-03-24T05:01:30Z")
		if got, err := s.service.ListOccurrences(s.admin(), api.OccurrenceQuery{Net: "f/one"}); err != nil || len(got.Occurrences) != 1 {
			t.Errorf("within a forecast: got %+v, %v, want one decided", got, err)
		}
	}}
	if _, err := domain.New(cfg).Forecast(s.admin(), api.ForecastQuery{Replications: 5}); err != nil || within == 0 {
		t.Errorf("%v, %d nets were read", err, within)
	}
}

// TestForecastIsOneAtATimeAndEndsWithItsRequest has a request that goes away.
func TestForecastIsOneAtATimeAndEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply(fmt.Sprintf(nightly, "f/one", ""))
	ctx, cancel := context.WithCancel(s.admin())
	cancel()
	if _, err := s.service.Forecast(ctx, api.ForecastQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that went away: got %v", err)
	}
	if _, err := s.service.Forecast(s.admin(), api.ForecastQuery{Replications: 2}); err != nil {
		t.Errorf("after one that went away: %v", err)
	}
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := s.service.Forecast(s.admin(), api.ForecastQuery{Days: 400, Replications: 500})
			done <- err
		}()
	}
	good, busy := 0, 0
	for range cap(done) {
		switch err := <-done; {
		case err == nil:
			good++
		case fault.Is(err, fault.Busy):
			busy++
		default:
			t.Error(err)
		}
	}
	if good < 1 || good+busy != cap(done) {
		t.Errorf("of %d at once %d were made and %d refused", cap(done), good, busy)
	}
}

// TestDaysThatWereNotPlayed: nothing is said of the runs of a day that was only counted; none and none late would read as if all were well.
func TestDaysThatWereNotPlayed(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 24, 0, 0, 0, 0, time.UTC)
	f := domain.ShowForecast(&forecast.Forecast{Simulated: day.Add(30 * time.Hour), Days: []forecast.Day{
		{Begin: day, Occurrences: 5, Runs: 2}, {Begin: day.AddDate(0, 0, 1), Occurrences: 5, Late: 1}, {Begin: day.AddDate(0, 0, 2), Occurrences: 5},
	}})
	for i, played := range []bool{true, true, false} {
		if d := f.ByDay[i]; (d.Runs != nil) != played || (d.Late != nil) != played || d.Occurrences != 5 {
			t.Errorf("day %d: %+v, want it played: %v", i, d, played)
		}
	}
	if !f.PlayedUntil.Equal(day.Add(30*time.Hour)) || *f.ByDay[0].Runs != 2 || *f.ByDay[1].Late != 1 {
		t.Errorf("got %+v", f)
	}
}
