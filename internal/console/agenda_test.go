package console

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// morning is a moment at which the estate has something in every state.
func morning() time.Time { return time.Date(2026, 11, 3, 10, 20, 0, 0, time.UTC) }

// openAt serves a twin's console whose clock is the twin's.
func openAt(t *testing.T, tw *twin, subjects ...access.Subject) *site {
	t.Helper()
	return openWith(t, tw, func(c *Config) { c.Now = func() time.Time { return tw.now } }, subjects...)
}

func TestPagesOfTime(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	held := tw.time.held()
	for path, wants := range map[string][]string{
		"/": {
			"14 occurrences were missed", "estate/harvest, census/packages", "does not hold on 2026-11-03", "3 are expected, 2 are accounted for", "Due next", "in 10m 00s", "held by mara: the auditor is in the house", ">due</span>",
			"agent dmz1, the only one with zone=dmz", "job prepare, 2 times", `href="/agenda"`,
		},
		"/agenda?zone=Europe/Berlin": {
			"Tuesday, 3 November 2026", "the hours of Europe/Berlin", `value="Europe/Berlin"`, "expected", "12</strong> missed", "no server could decide between 02:00 and 05:00", "Changed by hand",
			"the definition changed: what it names is no occurrence any more", "held by mara: the auditor is in the house", "by hand", "1</strong> late", `class="now"`, "/overrides/add", "/overrides/hold", "Take back", "Put away",
		},
		"/agenda?day=2026-10-25&zone=Europe/Berlin":       {"this day has 25 hours", "at 03:00 clocks are put back to 02:00", ">02A<", ">02B<", "Nothing is due on this day."},
		"/agenda?day=2026-03-29&zone=Europe/Berlin":       {"this day has 23 hours", "at 02:00 clocks are put forward to 03:00"},
		"/agenda?day=2026-10-04&zone=Australia/Lord_Howe": {"this day has 23 hours and 30 minutes", "at 02:00 clocks are put forward to 02:30"},
		"/agenda?state=missed":                            {"missed only", "census/packages"},
		"/agenda?state=late":                              {"estate/harvest", "late only"},
		"/agenda?hour=2026-11-03T10:00:00Z":               {"Due in the hour from 10:00", "the whole day"},
		"/agenda?net=none":                                {"Nothing is like that on this day."},
		"/agenda?day=2020-01-01":                          {">Today</a>"},
		"/schedules":                                      {"every 15 minutes", "at 02:30 on Monday to Friday", "every month on the last Friday at 18:00", "13 missed", "paused", "days of germany#bank", "its day is free: shifted by its calendar", "the run before it has not ended"},
		"/schedules?folder=proxy":                         {"every 2 days after the end of the run before"},
		"/schedules?paused=1":                             {"estate/ledger", "checked"},
		"/schedules?net=none":                             {"No schedule is like that."},
		"/schedules/estate/harvest/nightly": {
			"at 02:30 on Monday to Friday", "Europe/Berlin", `days of <a href="/calendars/germany?set=bank">germany#bank</a>`, "spread by its jitter", "meant for", "November 2026", "Saturday is free by germany#bank", "its rule has nothing on this day", "and 93 more",
			"month=2026-12#month", "month=2026-10#month", "must_end: 2h", "time zone database 2025c", "1 missed", "move", "stale", "/schedules/pause", "Saturday is free by germany#bank", `aria-current="date"`,
		},
		"/schedules/estate/harvest/nightly?month=2027-02": {"February 2027"},
		"/schedules/estate/ledger/close":                  {"Paused by mara", "the books are closed by hand this month", "/schedules/resume", "It does not add up."},
		"/schedules/census/packages/quarter":              {"96</strong> expected", "It holds for the business day 2026-11-03", "succeeded"},
		"/missed":                                         {"<strong>14</strong> occurrences were due", "Release the last", "what census/packages quarter missed until", "more were to be caught up than is allowed", "no agent with site=north was linked", "Dismiss all", "All 14 occurrences", "Release 14<", "Release 12…", `href="/missed?each=1&amp;net=census%2Fpackages&amp;schedule=quarter"`, `href="/missed?each=1#list"`},
		"/missed?each=1&net=census/packages":              {"One by one", `href="/missed?net=census%2Fpackages#list"`, "All 13 occurrences"},
		"/missed?schedule=nightly":                        {"<strong>1</strong> occurrence was due", "The one occurrence that was missed nightly until now", "This one is to run"},
		"/missed?net=census/packages":                     {"<strong>13</strong>", "Dismiss all"},
		"/missed?net=none":                                {"Nothing was missed there"},
		"/why":                                            {"Why did it not run?"},
		"/why?net=census/packages&at=2026-11-03T02:10":    {"Due near that time", "reeve occurrence release census/packages quarter", "no server could decide"},
		whyPath("estate/ledger", "close", held):           {"Release now", "/overrides/move", "/occurrences/cancel", "How it came about", "spread by 3m 12s"},
		"/nets/estate/harvest":                            {"at 02:30 on Monday to Friday", "/agenda?net=estate%2fharvest"},
		"/nets/proxy/certificates":                        {"the run before it has not ended"},
		runPath(bigRun):                                   {"occurrence of", "/schedules/estate/harvest/nightly", "nominal"},
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
		for _, bad := range []string{"%!", "&lt;nil&gt;", "0xc0", "no value", "0001-"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s shows %q", path, bad)
			}
		}
	}
}

// TestTabsLeadToPages walks the tabs of the pages of time.
func TestTabsLeadToPages(t *testing.T) {
	t.Parallel()
	s := openAt(t, estate(morning()), admin())
	if n := len(timePages()); n < 4 {
		t.Errorf("%d pages of time", n)
	}
	for _, p := range timePages() {
		resp, body := s.ask(t, "mara", http.MethodGet, "/"+p.Key, nil)
		if want := `href="/` + p.Key + `" aria-current="page"`; resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("the tab %s: status %d, and the page does not say that it is this one", p.Value, resp.StatusCode)
		}
	}
}

// TestRangesAreRowsOfPages: what was decided together stands among the others, on the day's page and on its schedule's, with its ends, its count and
// where it is dealt with.
func TestRangesAreRowsOfPages(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	first := tw.now.Add(-20 * time.Minute).Truncate(time.Minute)
	outage := api.Occurrence{
		Kind: "range", Net: "census/packages", Schedule: "quarter", Nominal: first, Due: first, Last: ptr(first.Add(10 * time.Minute)), Count: 1201, Zone: "UTC",
		Decision: "missed", Reason: ptr("server_down"), Decided: ptr(tw.now),
	}
	to := `to</span> <time datetime="` + outage.Last.Format("2006-01-02T15:04:05")
	for _, path := range []string{"/agenda?zone=UTC", "/schedules/census/packages/quarter", "/why?net=census/packages&at=" + first.Format("2006-01-02T15:04")} {
		if _, body := s.ask(t, "mara", http.MethodGet, path, nil); strings.Contains(body, "1201 missed") {
			t.Errorf("%s: a range is shown where there is none", path)
		}
	}
	tw.change(func() {
		tw.time.occurrences = append(tw.time.occurrences, outage)
		slices.SortStableFunc(tw.time.occurrences, func(a, b api.Occurrence) int { return a.Due.Compare(b.Due) })
		tw.time.schedules[0].Last, tw.time.schedules[0].LastWas = outage.Last, ptr("missed")
	})
	for _, path := range []string{"/agenda?zone=UTC", "/schedules/census/packages/quarter", "/why?net=census/packages&at=" + first.Format("2006-01-02T15:04")} {
		_, body := s.ask(t, "mara", http.MethodGet, path, nil)
		body = strings.ReplaceAll(body, `<span class="nowrap">`, "")
		for _, words := range []string{"1201 missed", "no server could decide", to, `href="/missed?net=census%2Fpackages">release or dismiss`} {
			if !strings.Contains(body, words) {
				t.Errorf("%s: the range is not shown: no %q", path, words)
			}
		}
	}
	tw.change(func() {
		i := slices.IndexFunc(tw.time.occurrences, func(o api.Occurrence) bool { return o.Kind == "range" })
		tw.time.occurrences[i].Dismissed = ptr(tw.now)
	})
	if _, body := s.ask(t, "mara", http.MethodGet, "/agenda?zone=UTC", nil); strings.Contains(body, "release or dismiss") {
		t.Error("what was dismissed is to be dealt with")
	}
}

func TestPagesOfTimeRefuse(t *testing.T) {
	t.Parallel()
	s := openAt(t, estate(morning()), admin())
	for path, want := range map[string]int{
		"/agenda?day=tomorrow": 422, "/agenda?zone=Mars/Base": 422, "/agenda?zone=../etc/passwd": 422, "/agenda?zone=Local": 422, "/agenda?state=happy": 422, "/agenda?hour=noon": 422, "/agenda?hour=2020-01-01T00:00:00Z": 404, "/agenda?after=x": 422,
		"/schedules/none/none": 404, "/schedules/none": 404, "/schedules/estate/harvest/nightly?month=x": 422, "/why?net=a&nominal=x": 422, "/why?net=a&at=x": 422, "/why?net=a&zone=x": 422,
		"/why?net=census/packages&schedule=quarter&nominal=2020-01-01T00:00:00Z": 404,
	} {
		if resp, _ := s.ask(t, "mara", http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestAgendaIsPagedAndRemembersItsZone(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	client := s.as(t, "mara")
	get := func(path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d", path, resp.StatusCode)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	first := get("/agenda?zone=Europe/Berlin")
	if !strings.Contains(first, "after=60") || !strings.Contains(first, "Later ones") {
		t.Error("the first page does not lead to the next")
	}
	next := get("/agenda?after=60")
	if !strings.Contains(next, "the hours of Europe/Berlin") {
		t.Error("the zone that was chosen is not remembered")
	}
	if strings.Contains(next, "Later ones") || !strings.Contains(next, "From the beginning") {
		t.Error("the last page leads on, or not back")
	}
	if strings.Contains(next, `data-events="/live"`) {
		t.Error("a later page is live")
	}
}

func TestADayThatDoesNotAddUpIsAnAlarm(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	canned := cannedAgenda{twin: tw, page: bigDay(10)}
	canned.page.Counts.Expected++
	body := canned.get(t, "/agenda?day=2026-11-03")
	if !strings.Contains(body, "The day does not add up:") || !strings.Contains(body, "11 are expected and 10 are accounted for") {
		t.Error("a sum that does not hold is not shown as an alarm")
	}
}

func TestFirstPageStandsWithoutTime(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	body := noTime{tw}.get(t, "/")
	if !strings.Contains(body, "Running now") || !strings.Contains(body, "Could not be asked: what is due next, what is due and waits, what was missed, what is at risk, whether the sums of the day hold") {
		t.Error("without what is known of time the first page is not shown, or does not say so")
	}
	if body := (noTime{tw}).get(t, "/nets/estate/harvest"); !strings.Contains(body, "They could not be asked just now.") || !strings.Contains(body, "Graph") {
		t.Error("without its schedules a net is not shown, or does not say so")
	}
}

// noTime is a service that knows nothing of time.
type noTime struct{ *twin }

func errNoTime() error { return fault.New(fault.Busy, "not now", "") }

func (noTime) ListSchedules(context.Context, api.ScheduleQuery) ([]api.Schedule, error) {
	return nil, errNoTime()
}

func (noTime) ListOccurrences(context.Context, api.OccurrenceQuery) (api.OccurrencePage, error) {
	return api.OccurrencePage{}, errNoTime()
}

func (noTime) Missed(context.Context, api.OccurrenceQuery) (api.MissedPage, error) {
	return api.MissedPage{}, errNoTime()
}
func (noTime) AtRisk(context.Context, int) ([]api.Risk, error) { return nil, errNoTime() }
func (noTime) Balance(context.Context, api.BalanceQuery) ([]api.Balance, error) {
	return nil, errNoTime()
}

func (n noTime) get(t *testing.T, path string) string { return getFrom(t, n, path) }

// getFrom asks a console over a service for a page, as an administrator.
func getFrom(t testing.TB, svc api.Service, path string) string {
	t.Helper()
	h, err := New(Config{Service: svc, Zones: goZones{}, Now: morning})
	if err != nil {
		t.Fatal(err)
	}
	return page(t, h, path)
}

func page(t testing.TB, h http.Handler, path string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(api.WithSubject(t.Context(), admin()), http.MethodGet, path, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d", path, w.Code)
	}
	return w.Body.String()
}

// cannedAgenda is a service with one page of a day.
type cannedAgenda struct {
	*twin
	page api.AgendaPage
}

func (c cannedAgenda) ShowAgenda(context.Context, api.AgendaQuery) (api.AgendaPage, error) {
	return c.page, nil
}

func (c cannedAgenda) get(t *testing.T, path string) string { return getFrom(t, c, path) }

// bigDay is a day of n occurrences, with its first page.
func bigDay(n int) api.AgendaPage {
	begin := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
	p := api.AgendaPage{Day: "2026-11-03", Zone: "UTC", Begin: begin, End: begin.AddDate(0, 0, 1), Now: morning(), Overrides: []api.Override{}}
	p.Counts = api.AgendaCounts{Expected: int64(n), Released: int64(n / 2), Missed: int64(n / 10)}
	p.Counts.Pending = p.Counts.Expected - p.Counts.Released - p.Counts.Missed
	for h := range 24 {
		p.Hours = append(p.Hours, api.AgendaHour{Begin: begin.Add(time.Duration(h) * time.Hour), Due: int64(n / 24), Done: int64(n / 30)})
	}
	for i := range min(n, agendaOnPage) {
		o := api.Occurrence{
			Net: fmt.Sprintf("folder%d/net-%d", i%17, i), Schedule: "nightly", Nominal: begin.Add(time.Duration(i) * time.Second), Due: begin.Add(time.Duration(i) * time.Second), Zone: "UTC", TZData: "2025c",
			Decision: "released", Reason: ptr("due"), Run: ptr(fmt.Sprintf("01k2v7q4m9-%06d", i)), RunState: ptr("succeeded"),
		}
		if i%9 == 0 {
			o.Decision, o.Reason, o.Run, o.RunState = "missed", ptr("server_down"), nil, nil
		}
		p.Items = append(p.Items, o)
	}
	p.Next = ptr("next")
	return p
}

// BenchmarkAgendaPage is what the page of a day of 50,000 occurrences costs this package: the service's part is not in it.
func BenchmarkAgendaPage(b *testing.B) {
	h, err := New(Config{Service: cannedAgenda{twin: estate(morning()), page: bigDay(50_000)}, Now: morning})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if body := page(b, h, "/agenda?day=2026-11-03"); len(body) < 10_000 {
			b.Fatal("the page is empty")
		}
	}
}

func TestTimeFormsAskTheService(t *testing.T) {
	t.Parallel()
	key := func(more ...string) url.Values {
		v := url.Values{"net": {"estate/ledger"}, "schedule": {"close"}, "nominal": {"2026-11-03T09:30:00Z"}, "zone": {"Europe/Berlin"}, "next": {"/agenda?day=2026-11-03"}, "reason": {"the auditor "}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		call   string
		to     string
		status int
	}{
		"release":      {"/occurrences/release", key(), "release estate/ledger close 2026-11-03T09:30:00Z the auditor", runPath(bigRun) + "?did=started", 303},
		"dismiss":      {"/occurrences/dismiss", key(), "dismiss estate/ledger close 2026-11-03T09:30:00Z the auditor", "/agenda?day=2026-11-03&did=dismissed", 303},
		"cancel":       {"/occurrences/cancel", key("next", "//evil.example"), "cancel estate/ledger close 2026-11-03T09:30:00Z the auditor", "/?did=withdrawn", 303},
		"release, bad": {"/occurrences/release", key("nominal", "soon"), "", "", 422},
		"release a row": {
			"/missed/release",
			url.Values{"net": {"n"}, "schedule": {"s"}, "since": {"2026-11-03T02:00:00Z"}, "until": {"2026-11-03T04:45:00.000001Z"}, "expect": {"12"}, "confirm": {"yes"}, "next": {"/missed"}},
			`release 12 of "n" "" "s" from 2026-11-03T02:00:00Z until 2026-11-03T04:45:00.000001Z at most 0 `, "/missed?did=recovered", 303,
		},
		"release all, the oldest": {
			"/missed/release",
			url.Values{"folder": {"estate"}, "until": {"2026-11-03T10:20:00Z"}, "expect": {"1730"}, "reason": {" the auditor "}, "confirm": {"yes"}, "next": {"/missed"}},
			`release 1730 of "" "estate" "" from - until 2026-11-03T10:20:00Z at most 1000 the auditor`, "/missed?did=recovered", 303,
		},
		"release, one refused":   {"/missed/release", url.Values{"net": {"estate/gone"}, "until": {"2026-11-03T10:20:00Z"}, "expect": {"3"}, "confirm": {"yes"}}, `release 3 of "estate/gone" "" "" from - until 2026-11-03T10:20:00Z at most 0 `, "", 409},
		"release all, unsure":    {"/missed/release", url.Values{"until": {"2026-11-03T10:20:00Z"}, "expect": {"3"}}, "", "", 422},
		"release all, no end":    {"/missed/release", url.Values{"expect": {"3"}, "confirm": {"yes"}}, "", "", 422},
		"release all, no count":  {"/missed/release", url.Values{"until": {"2026-11-03T10:20:00Z"}, "confirm": {"yes"}}, "", "", 422},
		"release all, bad since": {"/missed/release", url.Values{"until": {"2026-11-03T10:20:00Z"}, "since": {"x"}, "expect": {"3"}, "confirm": {"yes"}}, "", "", 422},
		"dismiss a range":        {"/missed/dismiss", url.Values{"net": {"n"}, "schedule": {"s"}, "until": {"2026-11-03T04:45:00.000001Z"}, "confirm": {"yes"}, "next": {"/missed"}}, `dismiss all of "n" "s" until 2026-11-03T04:45:00.000001Z`, "/missed?did=dismissed", 303},
		"dismiss a net":          {"/missed/dismiss", url.Values{"net": {"n"}, "until": {"2026-11-03T10:20:00Z"}, "confirm": {"yes"}, "next": {"/missed"}}, `dismiss all of "n" "" until 2026-11-03T10:20:00Z`, "/missed?did=dismissed", 303},
		"dismiss, unsure":        {"/missed/dismiss", url.Values{"net": {"n"}, "until": {"2026-11-03T10:20:00Z"}}, "", "", 422},
		"dismiss, all":           {"/missed/dismiss", url.Values{"confirm": {"yes"}}, "", "", 422}, // without an end it could take what nobody has seen
		"dismiss, bad":           {"/missed/dismiss", url.Values{"until": {"x"}, "confirm": {"yes"}}, "", "", 422},
		"add":                    {"/overrides/add", key("schedule", "", "nominal", "2026-11-04T06:00", "params", "day=2026-11-03\r\n\r\ntop = 7"), `override add estate/ledger "" nominal=2026-11-04T05:00:00Z from=- to=- expires=- map[day:2026-11-03 top:7] the auditor`, "/agenda?day=2026-11-03&did=added", 303},
		"add, bad param":         {"/overrides/add", key("params", "day"), "", "", 422},
		"add, no reason":         {"/overrides/add", key("reason", " "), "", "", 422},
		"add, in a gap":          {"/overrides/add", key("nominal", "2027-03-28T02:30"), "", "", 422},
		"move":                   {"/overrides/move", key("to", "2026-10-25T02:30", "pass", "last", "expires", "2026-11-05T00:00"), `override move estate/ledger "close" nominal=2026-11-03T09:30:00Z from=- to=2026-10-25T01:30:00Z expires=2026-11-04T23:00:00Z map[] the auditor`, "/agenda?day=2026-11-03&did=moved", 303},
		"move, nowhere":          {"/overrides/move", key(), "", "", 422},
		"skip":                   {"/overrides/skip", key(), `override skip estate/ledger "close" nominal=2026-11-03T09:30:00Z from=- to=- expires=- map[] the auditor`, "/agenda?day=2026-11-03&did=skipped", 303},
		"hold":                   {"/overrides/hold", key(), `override hold estate/ledger "close" nominal=2026-11-03T09:30:00Z from=- to=- expires=- map[] the auditor`, "/agenda?day=2026-11-03&did=heldback", 303},
		"hold from":              {"/overrides/hold", key("nominal", "", "from", "2026-11-05T00:00"), `override hold estate/ledger "close" nominal=- from=2026-11-04T23:00:00Z to=- expires=- map[] the auditor`, "/agenda?day=2026-11-03&did=heldback", 303},
		"hold, nothing":          {"/overrides/hold", key("nominal", ""), "", "", 422},
		"hold, zone":             {"/overrides/hold", key("zone", "Mars/Base"), "", "", 422},
		"drop":                   {"/overrides/4/drop", url.Values{"next": {"/agenda"}}, "drop override 4", "/agenda?did=dropped", 303},
		"drop, bad":              {"/overrides/x/drop", nil, "", "", 404},
		"pause":                  {"/schedules/pause", key("until", "2026-11-05T00:00"), "pause estate/ledger close 2026-11-04T23:00:00Z the auditor", "/agenda?day=2026-11-03&did=paused", 303},
		"pause, why":             {"/schedules/pause", key("reason", ""), "", "", 422},
		"resume":                 {"/schedules/resume", key("next", ""), "resume estate/ledger close", "/schedules/estate/ledger/close?did=resumed", 303},
		"no such verb":           {"/schedules/explode", key(), "", "", 404},
	} {
		tw := estate(morning())
		s := openAt(t, tw, admin())
		resp := s.post(t, c.path, c.form)
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.to {
			t.Errorf("%s: status %d to %q, want %d to %q", name, resp.StatusCode, resp.Header.Get("Location"), c.status, c.to)
		}
		if got := strings.Join(tw.calls, "; "); got != c.call {
			t.Errorf("%s: the service was asked %q, want %q", name, got, c.call)
		}
	}
}

func TestButtonsOfTimeAreShownToThoseWhoMay(t *testing.T) {
	t.Parallel()
	viewer := access.Subject{Name: "viewer", Permissions: []access.Permission{access.View}}
	runner := access.Subject{Name: "runner", Permissions: []access.Permission{access.View, access.Run}}
	tw := estate(morning())
	s := openAt(t, tw, admin(), viewer, runner)
	for path, buttons := range map[string][]string{
		"/agenda": {"/overrides/add", "/overrides/hold", "/overrides/4/drop"}, "/missed": {"/occurrences/release", "/missed/release", "/occurrences/dismiss", "/missed/dismiss"},
		"/schedules/estate/harvest/nightly": {"/schedules/pause", "/overrides/hold"}, whyPath("estate/ledger", "close", tw.time.held()): {"/occurrences/release", "/overrides/move", "/occurrences/cancel"},
	} {
		_, all := s.ask(t, "mara", http.MethodGet, path, nil)
		_, none := s.ask(t, "viewer", http.MethodGet, path, nil)
		_, some := s.ask(t, "runner", http.MethodGet, path, nil)
		for _, button := range buttons {
			form := `action="` + button + `"`
			if !strings.Contains(all, form) {
				t.Errorf("%s for who may has no %s", path, button)
			}
			if strings.Contains(none, form) {
				t.Errorf("%s for a viewer has %s", path, button)
			}
			if runs := strings.HasSuffix(button, "/add") || strings.HasSuffix(button, "/release"); strings.Contains(some, form) != runs {
				t.Errorf("%s for who may run: %s is %v", path, button, !runs)
			}
		}
	}
}

func TestWhatTimeIsKeptForAMoment(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	_, before := s.ask(t, "mara", http.MethodGet, "/", nil)
	tw.change(func() { tw.time.missed = nil })
	_, at := s.ask(t, "mara", http.MethodGet, "/", nil)
	tw.change(func() { tw.now = tw.now.Add(keptFor) })
	_, after := s.ask(t, "mara", http.MethodGet, "/", nil)
	const alarm = "14 occurrences were missed"
	if !strings.Contains(before, alarm) || !strings.Contains(at, alarm) || strings.Contains(after, alarm) {
		t.Errorf("the alarm is shown %v, at once after it is over %v, and a moment later %v", strings.Contains(before, alarm), strings.Contains(at, alarm), strings.Contains(after, alarm))
	}
}

func TestWhatPeopleSaidIsShownWithWhatIsToCome(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	nominal := tw.time.schedules[1].NextNominal
	path := whyPath("estate/harvest", "nightly", nominal)
	if _, body := s.ask(t, "mara", http.MethodGet, path, nil); !strings.Contains(body, "/overrides/skip") || strings.Contains(body, "Changed by hand") {
		t.Error("one that nobody touched cannot be skipped, or is said to be changed")
	}
	later := nominal.Add(time.Hour)
	for kind, o := range map[string]api.Override{
		"skip": {Kind: "skip", Nominal: nominal}, "hold": {Kind: "hold", Nominal: nominal}, "hold from": {Kind: "hold", From: nominal},
		"other": {Kind: "skip", Nominal: &later}, "ended": {Kind: "skip", Nominal: nominal, Expires: nominal}, "used": {Kind: "skip", Nominal: nominal, State: "used"},
	} {
		o.ID, o.Net, o.Schedule, o.Reason, o.By, o.State = "7", "estate/harvest", "nightly", "enough of it", "jonas", cmp.Or(o.State, "active")
		tw.change(func() { tw.time.overrides = []api.Override{o} })
		want := map[string]string{"skip": "to be skipped, by jonas: enough of it", "hold": "held by jonas: enough of it", "hold from": "held by jonas: enough of it"}[kind]
		_, list := s.ask(t, "mara", http.MethodGet, "/schedules/estate/harvest/nightly", nil)
		_, one := s.ask(t, "mara", http.MethodGet, path, nil)
		if want == "" {
			if strings.Contains(list, "to be skipped") || !strings.Contains(one, "/overrides/skip") {
				t.Errorf("%s: it is shown as if it did something", kind)
			}
			continue
		}
		if !strings.Contains(list, want) {
			t.Errorf("%s: the schedule does not say %q", kind, want)
		}
		if !strings.Contains(one, "Changed by hand") || !strings.Contains(one, "/overrides/7/drop") || strings.Contains(one, `action="/overrides/skip"`) {
			t.Errorf("%s: the page of the occurrence does not say so, or offers it again", kind)
		}
	}
}

// TestMissedByPages: the list of what was missed has pages, says how many there are on all of them, and a row that ends where the next of its
// schedule begins releases no more than its own.
func TestMissedByPages(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	tw.time.missedOnPage = 2
	s := openAt(t, tw, admin())
	_, body := s.ask(t, "mara", http.MethodGet, "/missed?folder=census", nil)
	next := tw.time.missed[2]
	for _, words := range []string{
		"<strong>13</strong> occurrences were due", `name="expect" value="13"`, `name="expect" value="12"`,
		`name="until" value="` + next.Due.Format(time.RFC3339Nano) + `"`, `name="since" value="` + tw.time.missed[1].Due.Format(time.RFC3339Nano) + `"`,
	} {
		if !strings.Contains(body, words) {
			t.Errorf("the page lacks %q", words)
		}
	}
	if strings.Contains(body, "Later ones") || strings.Contains(body, "From the beginning") {
		t.Error("the only page leads to others")
	}
	if _, body = s.ask(t, "mara", http.MethodGet, "/missed", nil); !strings.Contains(body, `href="/missed?after=2#list">Later ones`) || !strings.Contains(body, "this page shows a part of them") {
		t.Error("the first page does not lead to the next")
	}
	if _, body = s.ask(t, "mara", http.MethodGet, "/missed?after=2", nil); !strings.Contains(body, `href="/missed#list">From the beginning`) || strings.Contains(body, "Later ones") || !strings.Contains(body, "By net, of this page") && strings.Contains(body, "By net") {
		t.Error("the last page does not lead to the first")
	}
}
