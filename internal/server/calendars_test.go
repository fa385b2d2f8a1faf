package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// applyForTest applies definitions as an administrator.
func (s *Server) applyForTest(t *testing.T, text string) {
	t.Helper()
	ctx := api.WithSubject(t.Context(), access.Subject{Name: "admin", Permissions: access.Permissions()})
	if _, err := s.service.ApplyNets(ctx, "x", []byte(text), false); err != nil {
		t.Fatal(err)
	}
}

// A view has the newest calendars, which all agents share; it is made anew when one was applied, and what there is no room
// for is left away.
func TestAgentsHaveCopiesOfCalendars(t *testing.T) {
	t.Parallel()
	s := withHosts(t, 3)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.engine.Run(ctx) }() // it is told what was applied
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	before, err := s.view("id1")
	if err != nil || len(before.Calendars) != 0 {
		t.Fatalf("got %d calendars, %v", len(before.Calendars), err)
	}
	s.applyForTest(t, "calendar: holidays/de\nfree: [{date: 12-25, name: Christmas Day}]\n---\ncalendar: bank\nweek: [mon]\nfree_on: [\"holidays/de#free\"]\n")
	select {
	case <-s.copies.news:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told of the calendars")
	}
	if err := s.loadCopies(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := s.view("id1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.view("id2")
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Calendars) != 2 || first.ID == before.ID || &first.Calendars[0] != &second.Calendars[0] {
		t.Errorf("got %d calendars, the same view: %v; want two that agents share", len(first.Calendars), first.ID == before.ID)
	}
	if text := string(first.Calendars[0]); !strings.Contains(text, `"calendar":"bank"`) || !strings.Contains(text, "holidays/de#free") {
		t.Errorf("got %s", text)
	}

	s.applyForTest(t, "calendar: bank\nweek: [tue]\n")
	if err := s.loadCopies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := s.view("id1"); err != nil || v.ID == first.ID || len(v.Calendars) != 2 {
		t.Errorf("a newer version is not in the view: %v", err)
	}
	var large strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&large, "  - {date: %s, name: %s}\n", calendar.Day(i), strings.Repeat("x", 60))
	}
	s.applyForTest(t, "calendar: a-large-one\nfree:\n"+large.String())
	if err := s.loadCopies(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := s.view("id1")
	if err != nil || len(v.Calendars) != 2 {
		t.Errorf("got %d calendars, %v, want the two that there is room for", len(v.Calendars), err)
	}
}
