package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestCalendarPages(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	for path, wants := range map[string][]string{
		"/calendars": {"germany", "the days of the german houses &lt;and&gt; of the bank", "quarter-ends", "holidays/plain", `href="/calendars/holidays/plain"`},
		"/calendars/germany": {
			"November 2026", "month=2026-12#month", "month=2026-10#month", "19 working days", "free: Christmas Day (holidays/de)", "Friday 6 November", "a business day begins at 06:00",
			"every year", "Christmas Eve", "working</strong>", `href="/schedules/estate/harvest/nightly"`, "?version=2", "set=bank", "calendar: germany", "6f0a12cf",
		},
		"/calendars/germany?month=2026-12":                  {"December 2026", "month=2027-01#month", "Friday 25 December: free, free: Christmas Day (holidays/de)"},
		"/calendars/germany?set=quarter-ends&month=2026-12": {"days of this month are in it", "month=2027-01&amp;set=quarter-ends#month", `aria-current="true">quarter-ends`},
		"/calendars/germany?version=2":                      {"This is version 2.", "is the newest, and counts"},
		"/calendars/holidays/plain":                         {"It has no table of days", "None that you may see."},
	} {
		resp, body := s.ask(t, "mara", http.MethodGet, path, nil)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show %q", path, want)
			}
		}
		if path == "/calendars/germany?version=2" && strings.Contains(body, `id="month"`) {
			t.Errorf("%s shows a month, which would be that of the newest version", path)
		}
	}
	for path, want := range map[string]int{
		"/calendars/none": 404, "/calendars/germany?version=9": 404, "/calendars/germany?month=soon": 422, "/calendars/germany?set=none": 404, "/calendars/germany?version=x": 422,
	} {
		if resp, _ := s.ask(t, "mara", http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	empty := openAt(t, newTwin(morning()), admin())
	if _, body := empty.ask(t, "mara", http.MethodGet, "/calendars", nil); !strings.Contains(body, "There is no calendar yet.") {
		t.Error("without calendars the page does not say what to do")
	}
}
