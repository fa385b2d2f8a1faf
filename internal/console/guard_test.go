package console

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// address fills a route's pattern with things that are there.
func address(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer(
		"/{$}", "/", "/nets/{name...}", "/nets/estate/harvest", "/schedules/{what...}", "/schedules/estate/harvest/nightly", "/overrides/{id}", "/overrides/3", "/calendars/{name...}", "/calendars/germany", "/runs/{id}", runPath(bigRun), "/nodes/{name}", "/nodes/east1", "/users/{name}", "/users/jonas",
		"/tokens/{id}", "/tokens/tk-7f2a", "/leases/{id}", "/leases/l1", "/ports/why/{what...}", "/ports/why/reeve", "/ports/documents/{target}", "/ports/documents/zones", "{verb}", "hold", "{file...}", "x/y",
	).Replace(path)
}

// answer is what came back; its body has been read.
type answer struct {
	StatusCode int
	Header     http.Header
}

func (s *site) ask(t *testing.T, who, method, path string, header http.Header) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := s.as(t, who).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := answer{resp.StatusCode, resp.Header}
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return got, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, string(body)
}

func TestNobodyIsSentToTheLogin(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	public := []string{"GET /login", "POST /login", "POST /logout", "POST /theme", "GET /assets/{file...}", "GET /favicon.ico"}
	for _, r := range table() {
		if (r.need == access.Public) != slices.Contains(public, r.pattern) {
			t.Errorf("%s: public is %v; the list of public routes is %v", r.pattern, r.need == access.Public, public)
		}
		if r.need == access.Public {
			continue
		}
		method, path := address(r.pattern)
		resp, body := s.ask(t, "", method, path, nil)
		want := http.StatusSeeOther
		if method == http.MethodPost || path == "/live" {
			want = http.StatusUnauthorized
		}
		if resp.StatusCode != want {
			t.Errorf("%s for nobody: status %d, want %d", r.pattern, resp.StatusCode, want)
		}
		if to := resp.Header.Get("Location"); want == http.StatusSeeOther && path != "/" && to != "/login?next="+url.QueryEscape(path) {
			t.Errorf("%s for nobody leads to %q", r.pattern, to)
		}
		for _, secret := range []string{"harbour", "pallet", "mara"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s for nobody tells %q", r.pattern, secret)
			}
		}
	}
	if len(tw.calls) > 0 {
		t.Errorf("nobody did %v", tw.calls)
	}
}

func TestPermissionsDecideWhatIsAnswered(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	none := access.Subject{Name: "none"}
	viewer := access.Subject{Name: "viewer", Permissions: []access.Permission{access.View}}
	s := open(t, tw, none, viewer)
	for _, r := range table() {
		if r.need == access.Public {
			continue
		}
		method, path := address(r.pattern)
		if resp, _ := s.ask(t, "none", method, path, nil); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s without any permission: status %d, want 403", r.pattern, resp.StatusCode)
		}
		resp, _ := s.ask(t, "viewer", method, path, nil)
		if method == http.MethodPost && resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s by a viewer: status %d, want 403", r.pattern, resp.StatusCode)
		}
		if want := r.need == access.View; method == http.MethodGet && (resp.StatusCode == http.StatusOK) != want {
			t.Errorf("%s by a viewer: status %d", r.pattern, resp.StatusCode)
		}
	}
	if len(tw.calls) > 0 {
		t.Errorf("who may not, did %v", tw.calls)
	}
}

func TestButtonsAreShownToThoseWhoMay(t *testing.T) {
	t.Parallel()
	viewer := access.Subject{Name: "viewer", Permissions: []access.Permission{access.View}}
	s := open(t, estate(time.Now()), admin(), viewer)
	for path, button := range map[string]string{
		"/": "/domain/hold", "/nets/estate/harvest": `action="/runs"`, runPath(bigRun): "/cancel", runPath(bigRun) + "?job=check-east-stock": "/decide",
		"/runs/01k2v7q4m9-000414": "/rerun", "/nodes": "/tokens", "/nodes/north1": "/drain",
	} {
		if _, body := s.ask(t, "mara", http.MethodGet, path, nil); !strings.Contains(body, button) {
			t.Errorf("%s for who may: no %s", path, button)
		}
		if _, body := s.ask(t, "viewer", http.MethodGet, path, nil); strings.Contains(body, button) {
			t.Errorf("%s for a viewer has %s", path, button)
		}
	}
	_, body := s.ask(t, "viewer", http.MethodGet, runPath(bigRun), nil)
	if strings.Contains(body, "pallet") || !strings.Contains(body, "You may not read output.") {
		t.Error("a viewer without view_log is shown output")
	}
	if strings.Contains(body, `href="/audit"`) || strings.Contains(body, `href="/users"`) {
		t.Error("the navigation leads a viewer to pages that refuse")
	}
}

func TestConfinedSubjectSeesItsFolder(t *testing.T) {
	t.Parallel()
	census := access.Subject{Name: "cen", Permissions: []access.Permission{access.View, access.ViewLog, access.Run, access.Control}, Folder: "census"}
	s := open(t, estate(time.Now()), census)
	if _, body := s.ask(t, "cen", http.MethodGet, "/runs", nil); strings.Contains(body, "estate/") || !strings.Contains(body, "census/packages") {
		t.Error("the list of runs is not the folder's")
	}
	if resp, body := s.ask(t, "cen", http.MethodGet, runPath(bigRun), nil); resp.StatusCode != http.StatusForbidden || strings.Contains(body, "harvest") {
		t.Errorf("a run of another folder: status %d", resp.StatusCode)
	}
	if _, body := s.ask(t, "cen", http.MethodGet, "/nets/census/packages", nil); !strings.Contains(body, `action="/runs"`) {
		t.Error("no button to start a net of the own folder")
	}
}

func TestForeignPagesCanDoNothing(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	foreign := []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"same-site"}},
		{"Origin": {"https://evil.example"}}, // an old browser
		{"Origin": {"null"}},
	}
	for _, r := range table() {
		method, path := address(r.pattern)
		if method != http.MethodPost {
			continue
		}
		for _, h := range foreign {
			if resp, _ := s.ask(t, "mara", method, path, h); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %v: status %d, want 403", r.pattern, h, resp.StatusCode)
			}
		}
	}
	if len(tw.calls) > 0 {
		t.Errorf("a foreign page did %v", tw.calls)
	}
	if resp, _ := s.ask(t, "mara", http.MethodPost, "/runs/"+bigRun+"/hold", http.Header{"Sec-Fetch-Site": {"same-origin"}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the console's own form: status %d, want 303", resp.StatusCode)
	}
}

func TestGetChangesNothing(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	for _, r := range table() {
		_, path := address(r.pattern)
		if path == "/live" {
			continue
		}
		s.ask(t, "mara", http.MethodGet, path, nil)
		s.ask(t, "mara", http.MethodGet, path+"?verb=cancel&as=failed&name=x&theme=dark", nil)
	}
	if len(tw.calls) > 0 {
		t.Errorf("GET did %v", tw.calls)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := open(t, estate(time.Now()), admin())
	var paths []string
	for _, r := range table() {
		if method, path := address(r.pattern); method == http.MethodGet {
			paths = append(paths, path)
		}
	}
	for _, who := range []string{"", "mara"} {
		for _, path := range append(paths, "/nowhere") {
			resp, body := s.ask(t, who, http.MethodGet, path, nil)
			csp := resp.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "object-src 'none'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("%s: the policy lacks %s", path, want)
				}
			}
			paper := strings.HasPrefix(path, "/ports/documents/") && who != "" // a document has its own style, runs nothing and is of no origin
			if paper != strings.Contains(csp, "sandbox") || paper && (!strings.Contains(csp, "script-src 'none'") || resp.Header.Get("Content-Type") == "text/html") {
				t.Errorf("%s: the policy is %s", path, csp)
			}
			if strings.Contains(csp, "unsafe") && !paper {
				t.Errorf("%s: the policy is %s", path, csp)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Referrer-Policy") == "" {
				t.Errorf("%s: headers are %v", path, resp.Header)
			}
			for _, inline := range []string{" style=", "<style", "<script>", " onclick=", "javascript:"} {
				if strings.Contains(body, inline) {
					t.Errorf("%s as %q has %s", path, who, inline)
				}
			}
		}
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/runs?state=failed": "/runs?state=failed", "": "/", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/": "/", "javascript:alert(1)": "/",
		"/%2f/evil.example": "/", "/a\nb": "/", "/\t/evil.example": "/", "/login?next=/login": "/", "/live": "/", "runs": "/", "/" + strings.Repeat("a", 3000): "/",
		"/nets/a%20b": "/nets/a%20b", "///evil.example": "/", "/%5cevil.example": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	f.Add("/runs?a=b")
	f.Add(`/\evil`)
	f.Fuzz(func(t *testing.T, next string) {
		got := localPath(next)
		base, err := url.Parse("https://console.example/login")
		if err != nil {
			t.Fatal(err)
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != "console.example" || u.Scheme != "https" || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("localPath(%q) = %q leads to %v (%v)", next, got, u, err)
		}
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := open(t, estate(time.Now()), admin())
	post := func(form url.Values) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := s.as(t, "").Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	wrong, a := post(url.Values{"name": {"mara"}, "password": {"guess"}})     //nolint:bodyclose // post has closed it
	unknown, b := post(url.Values{"name": {"nobody"}, "password": {"guess"}}) //nolint:bodyclose // post has closed it
	if wrong.StatusCode != http.StatusUnauthorized || len(wrong.Cookies()) > 0 {
		t.Errorf("a wrong password: status %d, cookies %v", wrong.StatusCode, wrong.Cookies())
	}
	strip := func(text string) string { // of what was typed, and of the time
		return text[strings.Index(text, "banner"):strings.Index(text, `<input name="name"`)]
	}
	if strip(a) != strip(b) || wrong.StatusCode != unknown.StatusCode {
		t.Error("the answer tells whether a name is known")
	}
	good, _ := post(url.Values{"name": {"mara"}, "password": {testPassword}, "next": {"//evil.example"}}) //nolint:bodyclose // post has closed it
	if good.StatusCode != http.StatusSeeOther || good.Header.Get("Location") != "/" || len(good.Cookies()) != 1 {
		t.Errorf("a login leads to %q with status %d and cookies %v", good.Header.Get("Location"), good.StatusCode, good.Cookies())
	}
}
