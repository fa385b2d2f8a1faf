package api_test

import (
	"errors"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

// TestMetrics are text for Prometheus, and an error is a problem as everywhere.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	token := bearer(s.people.may("", access.View))
	resp, text := s.send(t, "GET", "/metrics", "", token)
	if got, want := resp.Header.Get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8"; resp.StatusCode != 200 || got != want || text != "reeve_up 1\n" {
		t.Errorf("got %d %q %q, want 200 %q and the text", resp.StatusCode, got, text, want)
	}
	s.svc.fail(errors.New("broken"))
	if resp, text := s.send(t, "GET", "/metrics", "", token); resp.StatusCode != 500 {
		t.Errorf("got %d %q, want 500", resp.StatusCode, text)
	}
}
