package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

// requests are the good requests, one for each route, by the operation's id: path and body.
func requests() map[string][2]string {
	return map[string][2]string{
		"login":               {"/api/v1/login", `{"name":"ann","password":"` + password + `"}`},
		"logout":              {"/api/v1/logout", ""},
		"self":                {"/api/v1/self", ""},
		"change-own-password": {"/api/v1/self/password", `{"old":"x","new":"a longer password"}`},
		"list-runs":           {"/api/v1/runs", ""},
		"start-run":           {"/api/v1/runs", `{"net":"census/packages"}`},
		"show-run":            {"/api/v1/runs/R1", ""},
		"rerun-run":           {"/api/v1/runs/R1/rerun", ""},
		"call-back":           {"/api/v1/runs/R1/callback", `{"address":"desk:20000","token":"` + strings.Repeat("0", 32) + `","fingerprint":"` + strings.Repeat("a", 64) + `"}`},
		"decide-job":          {"/api/v1/runs/R1/jobs/list/decide", `{"as":"failed"}`},
		"why":                 {"/api/v1/runs/R1/why", ""},
		"watch-run":           {"/api/v1/runs/R1/watch", ""},
		"logs":                {"/api/v1/runs/R1/logs", ""},
		"cancel-run":          {"/api/v1/runs/R1/cancel", ""},
		"hold-run":            {"/api/v1/runs/R1/hold", ""},
		"release-run":         {"/api/v1/runs/R1/release", ""},
		"list-nets":           {"/api/v1/nets", ""},
		"apply-nets":          {"/api/v1/nets", "net: census/packages"},
		"show-net":            {"/api/v1/nets/census/packages", ""},
		"net-schema":          {"/api/v1/schemas/net", ""},
		"list-nodes":          {"/api/v1/nodes", ""},
		"show-node":           {"/api/v1/nodes/north", ""},
		"label-node":          {"/api/v1/nodes/north/labels", `{"site":"north"}`},
		"enrol-node":          {"/api/v1/nodes/north/enrol", `{"address":"10.2.0.1","code":"reeve-enrol1.x"}`},
		"drain-node":          {"/api/v1/nodes/north/drain", ""},
		"undrain-node":        {"/api/v1/nodes/north/undrain", ""},
		"remove-node":         {"/api/v1/nodes/north/remove", ""},
		"show-directory":      {"/api/v1/directory", ""},
		"discover-nodes":      {"/api/v1/nodes/discover", `{"subnets":["10.2.0.0/24"]}`},
		"list-tokens":         {"/api/v1/tokens", ""},
		"create-token":        {"/api/v1/tokens", `{"kind":"agent","name":"north"}`},
		"revoke-token":        {"/api/v1/tokens/T1", ""},
		"list-users":          {"/api/v1/users", ""},
		"create-user":         {"/api/v1/users", `{"name":"bob"}`},
		"change-user":         {"/api/v1/users/bob", `{"disabled":true}`},
		"delete-user":         {"/api/v1/users/bob", ""},
		"list-audit":          {"/api/v1/audit", ""},
		"show-domain":         {"/api/v1/domain", ""},
		"metrics":             {"/metrics", ""},
		"hold-domain":         {"/api/v1/domain/hold", `{}`},
		"release-domain":      {"/api/v1/domain/release", `{}`},
		"list-doors":          {"/api/v1/doors", ""},
		"show-plan":           {"/api/v1/plan", ""},
		"compiled-plan":       {"/api/v1/plan/compiled", ""},
		"why-port":            {"/api/v1/plan/why/reeve", ""},
		"size-pool":           {"/api/v1/plan/size", ""},
		"render-plan":         {"/api/v1/plan/documents/csv", ""},
		"list-leases":         {"/api/v1/plan/leases", ""},
		"release-lease":       {"/api/v1/plan/leases/l1/release", ""},
		"check-host":          {"/api/v1/plan/check", ""},
		"show-plan-change":    {"/api/v1/plan/change", ""},
		"begin-plan-change":   {"/api/v1/plan/change", `{"within":60}`},
		"commit-plan-change":  {"/api/v1/plan/change/commit", `{}`},
		"cancel-plan-change":  {"/api/v1/plan/change/cancel", ""},
		"verify-openings":     {"/api/v1/plan/verify", `{"from":"north","for":20}`}, "show-verification": {"/api/v1/plan/verify/last", ""},
		"cancel-verification": {"/api/v1/plan/verify/v1/cancel", ""}, "proof-map": {"/api/v1/plan/proofs/map", ""}, "list-proofs": {"/api/v1/plan/proofs", ""}, "proof-history": {"/api/v1/plan/proofs/history", ""},
		"list-silences": {"/api/v1/plan/silences", ""}, "unused-openings": {"/api/v1/plan/unused", ""},
		"list-calendars": {"/api/v1/calendars", ""}, "show-calendar": {"/api/v1/calendars/holidays/de", ""},
		"calendar-days": {"/api/v1/calendar-days?calendar=bank&from=2026-12-24", ""}, "calendar-schema": {"/api/v1/schemas/calendar", ""},
		"list-calendar-seeds": {"/api/v1/calendar-seeds", ""}, "show-calendar-seed": {"/api/v1/calendar-seeds/DE-BY?first=2026&last=2027", ""},
		"list-schedules":     {"/api/v1/schedules", ""},
		"diff-schedules":     {"/api/v1/schedules/diff?name=x&months=6", "net: census/packages"},
		"show-schedule":      {"/api/v1/schedules/census/packages?schedule=nightly", ""},
		"pause-schedule":     {"/api/v1/schedules/pause?net=census/packages&schedule=nightly", `{"reason":"x"}`},
		"resume-schedule":    {"/api/v1/schedules/resume?net=census/packages&schedule=nightly", ""},
		"list-occurrences":   {"/api/v1/occurrences", ""},
		"show-occurrence":    {"/api/v1/occurrences/one?net=census/packages&schedule=nightly&nominal=2026-05-04T01:00:00Z", ""},
		"list-missed":        {"/api/v1/occurrences/missed", ""},
		"release-missed":     {"/api/v1/occurrences/release-all?limit=5", ""},
		"dismiss-missed":     {"/api/v1/occurrences/dismiss-all", ""},
		"balance":            {"/api/v1/occurrences/balance", ""},
		"list-risks":         {"/api/v1/occurrences/risk", ""},
		"why-net":            {"/api/v1/why?net=census/packages", ""},
		"release-occurrence": {"/api/v1/occurrences/release", anOccurrence},
		"dismiss-occurrence": {"/api/v1/occurrences/dismiss", anOccurrence},
		"cancel-occurrence":  {"/api/v1/occurrences/cancel", anOccurrence},
		"show-agenda":        {"/api/v1/agenda", ""},
		"show-month":         {"/api/v1/agenda/month?net=census/packages&schedule=nightly&month=2026-05", ""},
		"list-overrides":     {"/api/v1/overrides", ""},
		"drop-override":      {"/api/v1/overrides/7/drop", ""},
		"add-override":       {"/api/v1/overrides/add", anOverride},
		"move-override":      {"/api/v1/overrides/move", anOverride},
		"skip-override":      {"/api/v1/overrides/skip", anOverride},
		"hold-override":      {"/api/v1/overrides/hold", anOverride},
		"forecast":           {"/api/v1/forecast?days=3&what_if=agent-down=north&what_if=without=census/packages", ""},

		"watch":   {"/api/v1/watch", ""},
		"backup":  {"/api/v1/backup", ""},
		"openapi": {"/api/v1/openapi.json", ""},
		"health":  {"/healthz", ""},
		"join":    {"/api/v1/join", `{}`},
		"renew":   {"/api/v1/renew", `{}`},
	}
}

const (
	anOccurrence = `{"net":"census/packages","schedule":"nightly","nominal":"2026-05-04T01:00:00Z"}`
	anOverride   = `{"net":"census/packages","schedule":"nightly","nominal":"2026-05-04T01:00:00Z","reason":"x"}`
)

// reply is the head of an answer whose body has been read.
type reply struct {
	StatusCode int
	Header     http.Header
	Cookies    []*http.Cookie
	Close      bool
}

// send makes a request and returns its answer.
func (s *site) send(t *testing.T, method, path, body string, change func(*http.Request)) (reply, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: reading: %v", method, path, err)
	}
	return reply{resp.StatusCode, resp.Header, resp.Cookies(), resp.Close}, string(text)
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// TestEveryRouteIsGuarded walks the real router: every route without credentials, with wrong ones, with every
// permission but its own, and with its own in another folder.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	nobody := s.people.may("")
	good := requests()
	var open []string
	for _, r := range s.handler.Routes() {
		req, ok := good[r.ID]
		if !ok {
			t.Errorf("%s %s (%s) has no request in this test: add one", r.Method, r.Path, r.ID)
			continue
		}
		delete(good, r.ID)
		try := func(name string, change func(*http.Request), want ...int) {
			t.Helper()
			before := s.svc.count()
			resp, text := s.send(t, r.Method, req[0], req[1], change)
			if !slices.Contains(want, resp.StatusCode) {
				t.Errorf("%s %s, %s: got %d %s, want one of %v", r.Method, req[0], name, resp.StatusCode, text, want)
			}
			if want[0] >= 400 {
				if s.svc.count() != before {
					t.Errorf("%s %s, %s: it reached the service", r.Method, req[0], name)
				}
				if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("%s %s, %s: got %q, want a problem", r.Method, req[0], name, got)
				}
			}
		}
		if r.Permission == access.Public {
			open = append(open, r.Method+" "+r.Path)
			try("without credentials", nil, 200, 204)
			continue
		}
		try("without credentials", nil, 401)
		try("with a wrong token", bearer("reeve_T_0123456789abcdef"), 401)
		try("with a wrong cookie", func(r *http.Request) { r.AddCookie(access.Cookie("wrong")) }, 401)
		switch r.ID {
		case "change-own-password": // a token cannot; TestOwnPassword does it with a session
			try("with a token", bearer(s.people.may("", access.Permissions()...)), 403)
			continue
		case "create-token": // its permission depends on the kind
			try("with no permission", bearer(nobody), 403)
			try("in another folder", bearer(s.people.may("other", access.Permissions()...)), 403)
		case "backup":
			try("with manage_users alone", bearer(s.people.may("", access.ManageUsers)), 403)
		}
		if r.Permission == access.Known {
			try("with a login", bearer(s.people.may("", access.Permissions()...)), 200, 204)
			continue
		}
		without := slices.DeleteFunc(access.Permissions(), func(p access.Permission) bool { return p == r.Permission })
		try("with all other permissions", bearer(s.people.may("", without...)), 403)
		try("with its permission", bearer(s.people.may("", r.Permission, access.ManageNodes)), 200, 204)
		elsewhere := bearer(s.people.may("other", access.Permissions()...))
		switch {
		case r.Where == api.Named, r.Where == api.Whole && r.Permission != access.View:
			try("in another folder", elsewhere, 403)
		default: // the service decides, and must have been told who asks
			try("in another folder", elsewhere, 200, 204)
			if got := s.svc.last().by; got.Folder != "other" {
				t.Errorf("%s %s: the service was asked by %+v, want the subject of the folder other", r.Method, req[0], got)
			}
		}
	}
	for id := range good {
		t.Errorf("no route has the id %s any more", id)
	}
	slices.Sort(open)
	if want := []string{"GET /healthz", "POST /api/v1/join", "POST /api/v1/login", "POST /api/v1/renew"}; !slices.Equal(open, want) {
		t.Errorf("routes that need no login: got %v, want %v", open, want)
	}
}

func TestUnknownPathsAskForALoginFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	known := bearer(s.people.may(""))
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/api/v1/nothing", 404},
		{"GET", "/api/v1/../v1/nodes/", 404},
		{"GET", "/docs", 404},
		{"GET", "/api/v1/openapi.yaml", 404},
		{"GET", "/schemas/Run.json", 404},
		{"PUT", "/api/v1/runs", 405},
		{"DELETE", "/api/v1/runs/R1", 405},
		{"GET", "/api/v1/runs/R1/cancel", 405},
		{"TRACE", "/api/v1/runs", 405},
		{"OPTIONS", "/api/v1/runs", 405},
	} {
		if resp, _ := s.send(t, test.method, test.path, "", nil); resp.StatusCode != 401 {
			t.Errorf("%s %s without a login: got %d, want 401", test.method, test.path, resp.StatusCode)
		}
		if resp, text := s.send(t, test.method, test.path, "", known); resp.StatusCode != test.want {
			t.Errorf("%s %s: got %d %s, want %d", test.method, test.path, resp.StatusCode, text, test.want)
		}
	}
}

func TestNewRefusesRoutesThatDoNotSay(t *testing.T) {
	t.Parallel()
	good := api.Route{Method: "GET", Path: "/api/v1/x", ID: "x", Summary: "X.", Permission: access.View, Where: api.Whole, Door: "api"}
	if _, err := api.New(&twin{}, nil, api.Options{Extra: []api.Extra{{Route: good, Handler: ok()}}}); err != nil {
		t.Fatalf("a good route is refused: %v", err)
	}
	for name, change := range map[string]func(*api.Route){
		"no permission":             func(r *api.Route) { r.Permission = "" },
		"unknown permission":        func(r *api.Route) { r.Permission = "sudo" },
		"no place":                  func(r *api.Route) { r.Where = "" },
		"nobody decides":            func(r *api.Route) { r.Where = api.Nobody },
		"public":                    func(r *api.Route) { r.Permission, r.Where = access.Public, api.Nobody },
		"public under another name": func(r *api.Route) { r.Permission, r.Where, r.Path = access.Public, api.Nobody, "/api/v1/login/" },
		"no door":                   func(r *api.Route) { r.Door = "" },
		"no id":                     func(r *api.Route) { r.ID = "" },
		"a route that is there":     func(r *api.Route) { r.Path = "/api/v1/runs" },
		"a route that contradicts":  func(r *api.Route) { r.Path = "/api/v1/{x}/R1" },
	} {
		bad := good
		change(&bad)
		if _, err := api.New(&twin{}, nil, api.Options{Extra: []api.Extra{{Route: bad, Handler: ok()}}}); err == nil {
			t.Errorf("%s: the route is taken", name)
		}
	}
}

func TestDoorsOpenOnlyTheirPaths(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	token := s.people.may("", access.Permissions()...)
	good := requests()
	for _, door := range []string{"auth", "nets", "config", "logs", "directory", "metrics", "calendars", "console", "peers"} {
		s.Config.Handler = s.handler.Door(door)
		for _, r := range s.handler.Routes() {
			if r.Stream || r.ID == "change-own-password" {
				continue
			}
			resp, _ := s.send(t, r.Method, good[r.ID][0], good[r.ID][1], bearer(token))
			if opens := resp.StatusCode < 300; opens != (r.Door == door || r.Peer && door == "peers") {
				t.Errorf("door %s, %s %s: got %d", door, r.Method, r.Path, resp.StatusCode)
			}
		}
	}
}

func TestForeignPagesAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	resp, _ := s.send(t, "POST", "/api/v1/login", `{"name":"ann","password":"`+password+`"}`, nil)
	cookies := resp.Cookies
	if len(cookies) != 1 || cookies[0].Name != "__Host-reeve" || !cookies[0].HttpOnly || !cookies[0].Secure {
		t.Fatalf("got cookies %v, want one __Host-reeve", cookies)
	}
	for _, test := range []struct {
		method, path, header, value string
		want                        int
	}{
		{"GET", "/api/v1/self", "", "", 200},
		{"GET", "/api/v1/self", "Sec-Fetch-Site", "same-origin", 200},
		{"GET", "/api/v1/self", "Sec-Fetch-Site", "none", 200},
		{"GET", "/api/v1/self", "Sec-Fetch-Site", "cross-site", 403},
		{"GET", "/api/v1/watch", "Sec-Fetch-Site", "same-site", 403},
		{"POST", "/api/v1/runs/R1/cancel", "Sec-Fetch-Site", "same-origin", 200},
		{"POST", "/api/v1/runs/R1/cancel", "Sec-Fetch-Site", "cross-site", 403},
		{"POST", "/api/v1/runs/R1/cancel", "Sec-Fetch-Site", "same-site", 403},
		{"POST", "/api/v1/runs/R1/cancel", "Origin", "https://evil.example", 403},
		{"POST", "/api/v1/runs/R1/cancel", "Origin", "null", 403},
		{"POST", "/api/v1/runs/R1/cancel", "Origin", s.URL, 200},
		{"POST", "/api/v1/login", "Origin", "https://evil.example", 403},
		{"POST", "/api/v1/join", "Sec-Fetch-Site", "cross-site", 403},
	} {
		resp, text := s.send(t, test.method, test.path, "", func(r *http.Request) {
			r.AddCookie(cookies[0])
			if test.header != "" {
				r.Header.Set(test.header, test.value)
			}
		})
		if resp.StatusCode != test.want {
			t.Errorf("%s %s with %s %s: got %d %s, want %d", test.method, test.path, test.header, test.value, resp.StatusCode, text, test.want)
		}
		if got := resp.Header.Get("X-Content-Type-Options") + resp.Header.Get("Cache-Control"); got != "nosniffno-store" {
			t.Errorf("%s %s: headers %q", test.method, test.path, got)
		}
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	again, err := api.OpenAPI()
	if err != nil || string(again) != string(text) {
		t.Errorf("the document differs from one time to the next (%v)", err)
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("version %q, %v", doc.OpenAPI, err)
	}
	for _, word := range []string{"...}", "ErrorModel", "$schema", "unpkg", `"array",`} {
		if strings.Contains(string(text), word) {
			t.Errorf("the document contains %s", word)
		}
	}
	table, err := api.RouteTable()
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, api.Options{})
	for _, r := range s.handler.Routes() {
		if !strings.Contains(string(table), "| `"+r.Method+" "+r.Path+"` |") {
			t.Errorf("the table lacks %s %s", r.Method, r.Path)
		}
		path := strings.Replace(r.Path, "...}", "}", 1)
		if doc.Paths[path][strings.ToLower(r.Method)].ID != r.ID && !r.Extra {
			t.Errorf("the document lacks %s %s", r.Method, r.Path)
		}
	}
}
