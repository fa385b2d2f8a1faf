package domain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

var errEnough = errors.New("enough")

// TestWatchTellsFirst: who reads a run at the first change misses none: it comes once the watcher is known.
func TestWatchTellsFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.start(s.net("estate/one")).ID
	for _, watched := range []string{id, ""} {
		var first api.Change
		if err := s.service.Watch(s.admin(), watched, func(c api.Change) error { first = c; return errEnough }); !errors.Is(err, errEnough) {
			t.Fatalf("watching %q: %v", watched, err)
		}
		want := api.Change{Kind: "run", ID: id, Net: "estate/one", State: "waiting"}
		if watched == "" {
			want = api.Change{Kind: "domain", ID: "test"}
		}
		if first.Kind != want.Kind || first.ID != want.ID || first.Net != want.Net || first.State != want.State {
			t.Errorf("first change of %q: got %+v, want %+v", watched, first, want)
		}
		// A change that is made in the emit of the first one is told.
		changes := 0
		err := s.service.Watch(s.admin(), watched, func(c api.Change) error {
			changes++
			if changes == 2 {
				if c.Kind != "run" || c.ID != id {
					t.Errorf("second change of %q: got %+v, want run %s", watched, c, id)
				}
				return errEnough
			}
			verb := map[bool]string{true: "hold", false: "release"}[watched != ""]
			_, err := s.service.ControlRun(s.admin(), id, verb)
			return err
		})
		if !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
	}
}

// TestWatchKeepsToTheFolder: who is confined to a folder hears nothing of other folders.
func TestWatchKeepsToTheFolder(t *testing.T) {
	t.Parallel()
	s := open(t)
	mine, other := s.net("mine/one"), s.net("other/one")
	var seen []string
	err := s.service.Watch(s.as("mine", access.View), "", func(c api.Change) error {
		if c.Kind == "domain" {
			s.start(other)
			s.start(mine)
			return nil
		}
		seen = append(seen, c.Net)
		return errEnough
	})
	if !errors.Is(err, errEnough) || len(seen) != 1 || seen[0] != mine {
		t.Errorf("got %v and %v, want only %s", seen, err, mine)
	}
	id := s.start(other).ID
	err = s.service.Watch(s.as("mine", access.View), id, func(api.Change) error { return nil })
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("watching a run of another folder: got %v, want forbidden", err)
	}
}

// TestWatchEnds: the end of the context ends a watch without an error, also one that nothing is told to.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(s.admin())
	if err := s.service.Watch(ctx, "", func(api.Change) error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
}
