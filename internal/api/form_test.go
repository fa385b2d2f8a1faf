package api_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	all := bearer(s.people.may("", access.Permissions()...))
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"good":              {`{"net":"a/b","params":{"x":"1"}}`, 200},
		"empty":             {``, 400},
		"not JSON":          {`net: a/b`, 400},
		"unknown field":     {`{"net":"a/b","root":true}`, 422},
		"field twice":       {`{"net":"a/b","net":"c/d"}`, 400},
		"in another case":   {`{"net":"a/b","NET":"c/d"}`, 400},
		"param twice":       {`{"net":"a/b","params":{"x":"1","x":"2"}}`, 400},
		"escaped twice":     {`{"net":"a/b","n\u0065t":"c/d"}`, 400},
		"two values":        {`{"net":"a/b"}{"net":"c/d"}`, 400},
		"rubbish behind":    {`{"net":"a/b"} x`, 400},
		"missing field":     {`{}`, 422},
		"null":              {`null`, 422},
		"array":             {`["a/b"]`, 422},
		"number as string":  {`{"net":7}`, 422},
		"string as number":  {`{"net":"a/b","version":"1"}`, 422},
		"negative":          {`{"net":"a/b","version":-1}`, 422},
		"too long a name":   {`{"net":"` + strings.Repeat("x", 256) + `"}`, 422},
		"deep":              {`{"net":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400},
		"too big":           {`{"net":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
		"param of a number": {`{"net":"a/b","params":{"x":1}}`, 422},
	} {
		before := s.svc.count()
		resp, text := s.send(t, "POST", "/api/v1/runs", test.body, all)
		if resp.StatusCode != test.want {
			t.Errorf("%s: got %d %.200s, want %d", name, resp.StatusCode, text, test.want)
		}
		if test.want != 200 && (s.svc.count() != before || !strings.Contains(text, `"kind":"invalid"`)) {
			t.Errorf("%s: reached the service, or has another kind than invalid: %.200s", name, text)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/runs?state=failed,unknown&limit=1000": 200,
		"/api/v1/runs?limit=1001":                      422,
		"/api/v1/runs?limit=-1":                        422,
		"/api/v1/runs?limit=x":                         422,
		"/api/v1/runs?state=lost":                      422,
		"/api/v1/runs?since=yesterday":                 422,
		"/api/v1/runs?user=ann":                        422,
		"/api/v1/runs/" + strings.Repeat("x", 65):      422,
		"/api/v1/audit?before=-1":                      422,
	} {
		if resp, text := s.send(t, "GET", path, "", all); resp.StatusCode != want {
			t.Errorf("GET %s: got %d %s, want %d", path, resp.StatusCode, text, want)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	all := bearer(s.people.may("", access.Permissions()...))
	for _, test := range []struct {
		path string
		size int
		want int
	}{
		{"/api/v1/nets", 4 << 20, 200},
		{"/api/v1/nets", 4<<20 + 1, 413},
		{"/api/v1/login", 64<<10 + 1, 413},
	} {
		resp, text := s.send(t, "POST", test.path, strings.Repeat("x", test.size), all)
		if resp.StatusCode != test.want {
			t.Errorf("POST %s of %d bytes: got %d %.200s, want %d", test.path, test.size, resp.StatusCode, text, test.want)
		}
	}
	// What the server's own handlers for joining read is bounded as well.
	resp, _ := s.send(t, "POST", "/api/v1/join", strings.Repeat("x", 1<<20), nil)
	if resp.StatusCode != 204 || !resp.Close {
		t.Errorf("joining with 1 MiB: got %d, connection kept %v; want it cut", resp.StatusCode, !resp.Close)
	}
}

func TestAnswersDoNotRepeatSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	all := bearer(s.people.may("", access.Permissions()...))
	for name, test := range map[string][3]string{
		"short password":    {"POST", "/api/v1/users", `{"name":"bob","password":"hunter2"}`},
		"beside a mistake":  {"POST", "/api/v1/users", `{"name":"bob","password":"hunter2hunter2","x":1}`},
		"broken JSON":       {"POST", "/api/v1/users", `{"name":"bob","password":"hunter2`},
		"wrong login":       {"POST", "/api/v1/login", `{"name":"ann","password":"hunter2"}`},
		"login with a typo": {"POST", "/api/v1/login", `{"name":"ann","pasword":"hunter2"}`},
	} {
		resp, text := s.send(t, test[0], test[1], test[2], all)
		if resp.StatusCode < 400 || strings.Contains(text, "hunter2") {
			t.Errorf("%s: got %d %s", name, resp.StatusCode, text)
		}
	}
}

func TestAnswersHaveOneForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	all := bearer(s.people.may("", access.Permissions()...))
	zone := time.FixedZone("x", 3600)
	s.svc.run = api.Run{ID: "R1", Created: instantOf(3).In(zone), Ended: ptr(instantOf(4).In(zone)), Jobs: []api.Job{{Name: "</script>", Attempts: []api.Attempt{{N: 1}}}}}
	resp, text := s.send(t, "GET", "/api/v1/runs/R1", "", all)
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	for _, want := range []string{
		`"created":"2026-05-04T03:02:01.0000005Z"`, `"ended":"2026-05-04T04:02:01.0000005Z"`, `"params":{}`, `"after":[]`, `"artifacts":[]`, `"outputs":{}`,
		`"reason":null`, `"exit_code":null`, `"signal":null`, `"nominal":null`, `\u003c/script\u003e`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the answer lacks %s: %s", want, text)
		}
	}
	if s.svc.run.Jobs[0].After != nil || s.svc.run.Ended.Location() != zone {
		t.Error("answering changed what the service holds")
	}
	// An answer is JSON whatever a browser asks for, and also when it is an error.
	for _, path := range []string{"/api/v1/runs/R1", "/api/v1/nothing", "/api/v1/runs?x=<script>"} {
		resp, text := s.send(t, "GET", path, "", func(r *http.Request) { all(r); r.Header.Set("Accept", "text/html") })
		if !strings.Contains(resp.Header.Get("Content-Type"), "json") || strings.Contains(text, "<script>") {
			t.Errorf("GET %s: got %s %s", path, resp.Header.Get("Content-Type"), text)
		}
	}
}

// TestSlowBeginnersAreCut: who sends a byte now and then, before any login, holds a connection for a bounded time.
func TestSlowBeginnersAreCut(t *testing.T) {
	t.Parallel()
	join := api.JoinRoute(ok())
	join.Route.Timeout = 200 * time.Millisecond
	s := newSite(t, api.Options{Extra: []api.Extra{join}})
	srv := &http.Server{Handler: s.handler, ReadHeaderTimeout: 200 * time.Millisecond}
	api.Limits(srv)
	if srv.WriteTimeout == 0 || srv.IdleTimeout == 0 || srv.MaxHeaderBytes == 0 || srv.ReadHeaderTimeout != 200*time.Millisecond {
		t.Errorf("limits: %+v", srv)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-served })
	for what, text := range map[string]string{
		"head": "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body": "POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after 10 s the server still waits for the %s", what)
		}
	}
	resp, _ := s.send(t, "GET", "/healthz", "", func(r *http.Request) { r.Header.Set("X-Big", strings.Repeat("x", 64<<10)) })
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of 64 KiB: got %d, want 431", resp.StatusCode)
	}
}
