package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// TestPagesShowWhatThereIs executes every template on the estate.
func TestPagesShowWhatThereIs(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	tw.domain.Held, tw.domain.Disk, tw.domain.Warnings = ptr("restored from a backup"), ptr("3 MiB are left"), []string{"the clock was set back by 4 s"}
	s := open(t, tw, admin())
	for path, wants := range map[string][]string{
		"/": {
			"harbour", "The domain is held", "restored from a backup", "Nothing new is accepted", "the clock was set back", "Release the domain",
			"is not linked", "runs with 1 unknown and 1 failed", "is drained by mara", "a job failed", "agent dmz1 is not linked since 08:11", "held by mara until the ledger is closed", ">20/40<", ">22<small>/32<",
		},
		"/nets":                             {"estate/harvest", "orders, stock and prices", ">7</td>", ">40</td>", "by jonas"},
		"/nets?folder=estate":               {"estate/ledger", "in <strong>estate</strong>"},
		"/nets/estate/harvest":              {`name="p.day" value="yesterday"`, "net: estate/harvest", "check-north-orders", "runs on the next of north1, north2\nneeds db1:1521/tcp", "c0ffee42", "owner=sales", `?version=3"`},
		"/nets/estate/harvest?version=3":    {"is the newest", "Start a run of version 3", `name="version" value="3"`},
		"/runs":                             {"estate/harvest", `class="badge state-failed"`, "Older", ">20/40<"},
		"/runs?state=held":                  {"estate/ledger", `<option selected>held</option>`},
		"/runs?net=census/packages&age=24h": {"census/packages", `value="24h" selected`},
		runPath(bigRun): {
			"19 of 40 jobs", "1 unknown", "17 succeeded", "decide how to take it", "Nobody knows how it ended", "pallets counted", "3.0 MiB of output were dropped here",
			"waits for somebody to decide check-east-stock", "waits for merge-orders", "both agents with site=south are full", "2026-11-03", "Time line", "&#43;2m", "exit code 75",
		},
		jobPath(bigRun, "fetch-west-orders"):          {"try 1", "try 2", "Exit code", "fetch-west-orders.csv", "rows", "cgroup", "31.0 MiB"},
		jobPath(bigRun, "fetch-west-orders") + "&n=1": {`n=1#output" aria-current="true"`, ">75<"},
		jobPath(bigRun, "publish"):                    {"there is no output"},
		"/runs/01k2v7q4m9-000414":                     {"Run again", "exit code 75", "exclude it"},
		"/nodes":                                      {"hq1", "dmz1", "not linked", "draining", "site=dmz", "8/8", "north3", "Add an agent", "Enrol one that waits"},
		"/nodes/east1":                                {"host.kernel", "6.12.0", "good for 16h", "43", "12 ms", "10.2.0.14:51514", "the host was restarted"},
		"/nodes/dmz1":                                 {"Paths", "in vain", "10.2.0.5:9327", "dropped after hop 1 (10.1.0.254)", "31 times", "mjsnet"},
		"/ports":                                      {"Change of ports", "under way", "17373", "it is not linked", "Go back", "7373", "links: orders, reports, output", "foreign", "https://hq1.example.com:7373/api/v1", "a91ca91c"},
		"/audit":                                      {"net.apply", "10.1.4.22", "/audit?before=401"},
		"/audit?before=401":                           {"Newest", "census/packages"},
		"/audit?before=1":                             {"no record before that"},
		"/users":                                      {"Mara Lindqvist", "below estate", "disabled", "grant_run_as", ">you<"},
		"/login?next=/runs":                           nil,
	} {
		resp, body := s.ask(t, "mara", http.MethodGet, path, nil)
		if wants != nil && resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show %q", path, want)
			}
		}
		for _, bad := range []string{"%!", "&lt;nil&gt;", "0x", "no value"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s shows %q", path, bad)
			}
		}
	}
}

func TestPagesOfAnEmptyDomain(t *testing.T) {
	t.Parallel()
	s := open(t, newTwin(time.Now()), admin())
	for path, want := range map[string]string{
		"/": "Nothing runs.", "/nets": "There is no net yet.", "/runs": "No run is like that.", "/nodes": "No node has joined yet.", "/ports": "The plan has no rows.",
		"/audit": "There is no record", "/users": "Add a user",
	} {
		if resp, body := s.ask(t, "mara", http.MethodGet, path, nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, want the words %q", path, resp.StatusCode, want)
		}
	}
}

// post sends a form as mara, from the console's own pages.
func (s *site) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := s.as(t, "mara").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return answer{resp.StatusCode, resp.Header}
}

func TestFormsAskTheService(t *testing.T) {
	t.Parallel()
	const small = "01k2v7q4m9-000414"
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		call   string
		to     string
		status int
	}{
		"start":        {"/runs", url.Values{"net": {"estate/harvest"}, "p.day": {"a\r\nb"}, "p.top": {""}}, "start estate/harvest map[day:a\nb top:]", "/runs/new-71?did=started", 303},
		"start, bad":   {"/runs", url.Values{"net": {"estate/harvest"}, "version": {"x"}}, "", "", 422},
		"start, none":  {"/runs", url.Values{"net": {"none"}}, "", "", 404},
		"cancel":       {"/runs/" + bigRun + "/cancel", nil, "cancel " + bigRun, "/runs/" + bigRun + "?did=cancel", 303},
		"hold":         {"/runs/" + bigRun + "/hold", nil, "hold " + bigRun, "/runs/" + bigRun + "?did=hold", 303},
		"rerun":        {"/runs/" + small + "/rerun", nil, "start census/packages map[]", "/runs/new-71?did=started", 303},
		"rerun, early": {"/runs/" + bigRun + "/rerun", nil, "", "", 409},
		"decide":       {"/runs/" + bigRun + "/decide", url.Values{"job": {"check-east-stock"}, "as": {"failed"}}, "decide " + bigRun + " check-east-stock failed", "/runs/" + bigRun + "?job=check-east-stock&did=decided", 303},
		"no such verb": {"/runs/" + bigRun + "/explode", nil, "", "", 404},
		"no such run":  {"/runs/none/cancel", nil, "", "", 404},
		"drain":        {"/nodes/north1/drain", nil, "drain north1", "/nodes/north1?did=drain", 303},
		"undrain":      {"/nodes/south1/undrain", nil, "undrain south1", "/nodes/south1?did=undrain", 303},
		"remove":       {"/nodes/dmz1/remove", url.Values{"confirm": {"dmz1"}}, "remove dmz1", "/nodes?did=removed", 303},
		"remove, slip": {"/nodes/dmz1/remove", url.Values{"confirm": {"dmz"}}, "", "", 422},
		"label":        {"/nodes/dmz1/label", url.Values{"labels": {"site=dmz, old="}}, "label dmz1 map[old: site:dmz]", "/nodes/dmz1?did=label", 303},
		"label, bad":   {"/nodes/dmz1/label", url.Values{"labels": {"site"}}, "", "", 422},
		"token":        {"/tokens", url.Values{"name": {"north4"}, "labels": {"site=north"}}, "token north4 map[site:north]", "", 200},
		"enrol":        {"/nodes", url.Values{"name": {" dmz1"}, "address": {"10.9.0.1:4455 "}, "code": {" reeve-enrol1.x"}, "labels": {"site=dmz"}}, "enrol dmz1 at 10.9.0.1:4455 by reeve-enrol1.x map[site:dmz]", "/nodes/dmz1?did=enrolled", 303},
		"enrol, bad":   {"/nodes", url.Values{"name": {"dmz1"}, "address": {"10.9.0.1"}, "code": {"x"}, "labels": {"site"}}, "", "", 422},
		"revoke":       {"/tokens/tk-7f2a/revoke", nil, "revoke tk-7f2a", "/nodes?did=revoked", 303},
		"domain":       {"/domain/hold", url.Values{"reason": {"maintenance"}}, "domain hold maintenance", "/?did=hold", 303},
		"user":         {"/users", url.Values{"name": {"eva"}, "password": {"twelve letters"}, "permission": {"view", "run"}}, "create eva permissions=[view run] password", "/users?did=user", 303},
		"user, weak":   {"/users", url.Values{"name": {"eva"}, "password": {"short"}}, "", "", 422},
		"disable":      {"/users/jonas/disable", nil, "change jonas disabled=true", "/users?did=user", 303},
		"enable":       {"/users/jonas/enable", nil, "change jonas disabled=false", "/users?did=user", 303},
		"no rights":    {"/users/jonas/permissions", nil, "change jonas permissions=[]", "/users?did=user", 303},
		"password":     {"/users/jonas/password", url.Values{"password": {"twelve letters"}}, "change jonas password", "/users?did=user", 303},
		"delete":       {"/users/jonas/delete", nil, "delete jonas", "/users?did=deleted", 303},
		"theme":        {"/theme", url.Values{"theme": {"dark"}, "next": {"/runs"}}, "", "/runs", 303},
		"theme, away":  {"/theme", url.Values{"theme": {"dark"}, "next": {"https://evil.example"}}, "", "/", 303},
		"too large":    {"/runs", url.Values{"net": {strings.Repeat("x", maxForm)}}, "", "", 422},
	} {
		tw := estate(time.Now())
		s := open(t, tw, admin())
		resp := s.post(t, c.path, c.form)
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.to {
			t.Errorf("%s: status %d to %q, want %d to %q", name, resp.StatusCode, resp.Header.Get("Location"), c.status, c.to)
		}
		if got := strings.Join(tw.calls, "; "); got != c.call {
			t.Errorf("%s: the service was asked %q, want %q", name, got, c.call)
		}
	}
}

func TestErrorsBecomePages(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 422, fault.Finding: 422, fault.Unreachable: 502, fault.Unauthenticated: 401, fault.Forbidden: 403,
		fault.NotFound: 404, fault.Conflict: 409, fault.Unknown: 409, fault.Busy: 429, fault.Disk: 507, fault.Interrupted: 500,
	} {
		if got, title := statusOf(kind); got != want || title == "" {
			t.Errorf("kind %d gives status %d %q, want %d", kind, got, title, want)
		}
	}
	s := open(t, estate(time.Now()), admin())
	resp, body := s.ask(t, "mara", http.MethodGet, "/runs/none", nil)
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "there is no run none") {
		t.Errorf("status %d", resp.StatusCode)
	}
	if resp, _ := s.ask(t, "mara", http.MethodGet, "/no/such/page", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown page: status %d", resp.StatusCode)
	}
}

func TestTimeLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	run := api.Run{ID: "r", State: "running", Created: now.Add(-101 * time.Second), Started: ptr(now.Add(-100 * time.Second))}
	j := api.Job{Name: "a"}
	try(&j, "north1", "failed", now.Add(-90*time.Second), 20*time.Second)
	try(&j, "north1", "running", now.Add(-50*time.Second), 0)
	run.Jobs = []api.Job{j, {Name: "b", State: "waiting"}}
	line := timeLine(&run, now)
	if len(line.Rows) != 1 || line.Whole != "1m 40s" {
		t.Fatalf("got %+v", line)
	}
	want := []bar{{"9.700%", "0.300%", "delivery"}, {"10.000%", "20.000%", "failed"}, {"49.700%", "0.300%", "delivery"}, {"50.000%", "50.000%", "running"}}
	got := line.Rows[0].Bars
	if len(got) != len(want) {
		t.Fatalf("bars are %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("bar %d is %v, want %v", i, got[i], want[i])
		}
	}
	if timeLine(&api.Run{}, now) != nil {
		t.Error("a run that has not started has a time line")
	}
	for _, whole := range []time.Duration{time.Nanosecond, time.Millisecond, time.Second, 61 * time.Second, time.Hour, 1000 * time.Hour, 1 << 62} {
		if n := len(ticks(whole)); n < 1 || n > 7 {
			t.Errorf("%v has %d ticks", whole, n)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Millisecond: "400ms", 1500 * time.Millisecond: "1.5s", time.Microsecond: "1ms", 9 * time.Second: "9s", 61 * time.Second: "1m 01s", 2*time.Hour + 3*time.Minute: "2h 03m", 50 * time.Hour: "2d 02h", -time.Second: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3 << 20: "3.0 MiB", 1<<63 - 1: "8.0 EiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	if got := netPath("a b/c?d/é"); got != "/nets/a%20b/c%3Fd/%C3%A9" {
		t.Errorf("netPath = %q", got)
	}
}
