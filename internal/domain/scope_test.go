package domain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// named are the requests for lists that may name a net, a folder or a schedule. Where one cannot name it, it is not asked.
func named(s *site) map[string]func(ctx context.Context, net, folder, schedule string) error {
	svc := s.service
	return map[string]func(ctx context.Context, net, folder, schedule string) error{
		"occurrence list": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.ListOccurrences(ctx, api.OccurrenceQuery{Net: net, Folder: folder, Schedule: schedule})
			return err
		},
		"occurrence missed": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.Missed(ctx, api.OccurrenceQuery{Net: net, Folder: folder, Schedule: schedule})
			return err
		},
		"occurrence release": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.ReleaseMissed(ctx, api.OccurrenceQuery{Net: net, Folder: folder, Schedule: schedule})
			return err
		},
		"occurrence dismiss": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.DismissMissed(ctx, api.OccurrenceQuery{Net: net, Folder: folder, Schedule: schedule})
			return err
		},
		"occurrence balance": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.Balance(ctx, api.BalanceQuery{Net: net, Folder: folder, Schedule: schedule})
			return err
		},
		"occurrence balance --broken": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.Balance(ctx, api.BalanceQuery{Net: net, Folder: folder, Schedule: schedule, Broken: true})
			return err
		},
		"schedule list": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.ListSchedules(ctx, api.ScheduleQuery{Net: net, Folder: folder})
			return beside(schedule, err)
		},
		"agenda": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.ShowAgenda(ctx, api.AgendaQuery{Net: net, Folder: folder})
			return beside(schedule, err)
		},
		"agenda overrides": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.ListOverrides(ctx, net, false)
			return beside(folder+schedule, err)
		},
		"forecast": func(ctx context.Context, net, folder, schedule string) error {
			_, err := svc.Forecast(ctx, api.ForecastQuery{Net: net, Folder: folder, Days: 1, Replications: 1})
			return beside(schedule, err)
		},
	}
}

// errBeside says that a request cannot name what it was to name.
var errBeside = fault.New(fault.Interrupted, "it has no such filter", "")

func beside(name string, err error) error {
	if name != "" {
		return errBeside
	}
	return err
}

// TestWhatDoesNotExistIsNotWell: who names a net, a folder or a schedule that does not exist is told so; an empty list would read as "all is well".
// A net without schedules, and a schedule that is over, exist.
func TestWhatDoesNotExistIsNotWell(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: d, cron: "0 6 * * *"`)
	s.scheduled("a/over", `name: old, cron: "0 6 * * *"`)
	s.pass(time.Second)
	s.apply("net: a/over\njobs: [{name: a, command: [\"true\"]}]\n")
	s.net("plain")
	s.net("mine/one")
	s.net("secret/two")
	askers := map[string]context.Context{"admin": s.admin(), "mine": s.as("mine", access.Permissions()...)} // mine is confined to that folder
	for _, c := range []struct {
		who                   string
		net, folder, schedule string
		want                  fault.Kind // Internal: none
	}{
		{"admin", "a/b", "", "", 0},
		{"admin", "a/b", "a", "d", 0},
		{"admin", "a/b", "", "manual", 0},
		{"admin", "a/over", "", "", 0},
		{"admin", "a/over", "", "old", 0},
		{"admin", "plain", "", "", 0},
		{"admin", "", "a", "", 0},
		{"admin", "", "mine", "", 0}, // no net of it has a schedule
		{"admin", "", "", "d", 0},
		{"mine", "", "", "", 0},
		{"mine", "mine/one", "", "", 0},
		{"mine", "", "mine", "", 0},
		{"admin", "a/none", "", "", fault.NotFound},
		{"admin", "none", "", "", fault.NotFound},
		{"admin", "", "none", "", fault.NotFound},
		{"admin", "", "a/b", "", fault.NotFound}, // a net is no folder
		{"admin", "a/b", "", "none", fault.NotFound},
		{"admin", "plain", "", "d", fault.NotFound},
		{"admin", "", "", "none", fault.NotFound},
		{"admin", "", "mine", "d", fault.NotFound},
		{"admin", "a/b", "mine", "", fault.NotFound}, // it is not below it
		{"mine", "mine/none", "", "", fault.NotFound},
		{"mine", "", "mine/none", "", fault.NotFound},
		{"mine", "", "", "d", fault.NotFound}, // as if no folder had it
		// What may not be seen is refused alike, whether it is there or not.
		{"mine", "secret/two", "", "", fault.Forbidden},
		{"mine", "secret/none", "", "", fault.Forbidden},
		{"mine", "", "secret", "", fault.Forbidden},
		{"mine", "", "none", "", fault.Forbidden},
		{"mine", "mine/one", "secret", "", fault.NotFound},
		{"mine", "mine/one", "none", "", fault.NotFound},
	} {
		for name, ask := range named(s.site) {
			err := ask(askers[c.who], c.net, c.folder, c.schedule)
			if errors.Is(err, errBeside) {
				continue
			}
			if c.want == 0 && err != nil || c.want != 0 && !fault.Is(err, c.want) {
				t.Errorf("%s by %s of net %q, folder %q, schedule %q: got %v, want kind %d", name, c.who, c.net, c.folder, c.schedule, err, c.want)
			}
			var said *fault.Error
			if c.want == fault.NotFound && errors.As(err, &said) && said.Fix == "" {
				t.Errorf("%s of net %q, folder %q, schedule %q: %v does not say what to do", name, c.net, c.folder, c.schedule, err)
			}
		}
	}
}
