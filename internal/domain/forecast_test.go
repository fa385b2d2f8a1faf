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
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
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
	if !strings.Contains(notes, "taken to be away all the time: north") { // the fleet of this test has no links
		t.Errorf("notes: %q", f.Notes)
	}
	if len(f.Agents) != 1 || f.Agents[0].Name != "north" || len(f.Agents[0].Hours) != 24 {
		t.Errorf("agents: %+v", f.Agents)
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
