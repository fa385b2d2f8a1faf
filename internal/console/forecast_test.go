package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestForecastPage(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	resp, body := s.ask(t, "mara", http.MethodGet, "/forecast", nil)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "Nothing is expected to be late.") || !strings.Contains(body, "There is no agent.") {
		t.Errorf("an empty forecast: status %d\n%s", resp.StatusCode, body)
	}
	foresee(tw, morning())
	resp, body = s.ask(t, "mara", http.MethodGet, "/forecast?days=3&replications=20&what=agent-down%3Ddmz1&what=+&what=without%3Da&net=estate/harvest&folder=/estate/", nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d\n%s", resp.StatusCode, body)
	}
	for _, want := range []string{
		"212 occurrences in 3 days, played 60 times", "4.5 in the mean", `value="agent-down=dmz1"`, `value="without=a"`, `<option value="3" selected>`, `href="/schedules/estate/harvest/nightly"`,
		"100 %", "a slot (labels zone=dmz)", "45 more may be late.", "50 more are not drawn", `class="g-must"`, `<polygon class="area over" points="0,46 0,`, "12.2 starts wait for one",
		`href="/ports/why/containers"`, "3.4 of 4 slots at most, 31 % of their time", "a job of another net", "after its predecessor", "taken to be away all the time: dmz1",
		"by guess", "must end by", "waits for a slot",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, bad := range []string{"%!", "&lt;nil&gt;", "NaN", "ZgotmplZ", "0001"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page shows %q", bad)
		}
	}
	tw.mu.Lock()
	q := tw.time.looked
	tw.mu.Unlock()
	if want := []string{"agent-down=dmz1", "without=a"}; q.Days != 3 || q.Replications != 20 || !slices.Equal(q.WhatIf, want) || q.Net != "estate/harvest" || q.Folder != "estate" {
		t.Errorf("the service was asked %+v", q)
	}
}

func TestForecastPageSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	for path, want := range map[string]int{"/forecast?days=0": 422, "/forecast?days=401": 422, "/forecast?replications=x": 422, "/forecast?replications=1001": 422, "/forecast?days=400": 200} {
		if resp, _ := s.ask(t, "mara", http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	tw.change(func() {
		tw.time.forecastErr = fault.New(fault.Busy, "another forecast is being made", "try again when it is done")
	})
	resp, body := s.ask(t, "mara", http.MethodGet, "/forecast?what=without%3Da", nil)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "another forecast is being made; try again when it is done") || !strings.Contains(body, `value="without=a"`) {
		t.Errorf("a busy server: status %d\n%s", resp.StatusCode, body)
	}
	tw.change(func() {
		tw.time.forecastErr = fault.New(fault.Invalid, `what-if "x": it is not of the form NAME=VALUE`, "write one of: agent-down=NAME")
	})
	if resp, body := s.ask(t, "mara", http.MethodGet, "/forecast?what=x", nil); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "write one of: agent-down=NAME") {
		t.Errorf("a wrong what-if: status %d\n%s", resp.StatusCode, body)
	}
}
