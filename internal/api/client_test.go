package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// roundTrip is a call of the client, what the service is then asked, and, where it is not nil, what the client must answer.
type roundTrip struct {
	method string
	args   []any
	want   any
	call   func() (any, error)
}

// TestClientAsksWhatTheServiceIsAsked calls every method of Service through the client and the real handler, and
// compares what the service was asked with what the client was, and the answers.
func TestClientAsksWhatTheServiceIsAsked(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	c := s.admin(t)
	ctx := t.Context()
	const odd = "a/b ü?%2f#&"
	query := api.RunQuery{Net: "census/packages", Folder: "census", Schedule: "nightly", States: []string{"failed", "unknown"}, Since: instantOf(1), Until: instantOf(2), Before: "R9", Limit: 7}
	save := api.SaveUser{Name: "bob@example.com", FullName: ptr("<b>Bob</b>"), Password: ptr("twelve chars"), Permissions: ptr([]string{"view"}), Folder: ptr("census"), Disabled: ptr(false)}
	order := api.StartRun{Net: "census/packages", Version: 3, Params: map[string]string{"top": "$(x)\n"}, Key: "k"}
	token := api.CreateToken{Kind: "api", Name: "ci", Labels: map[string]string{"a": "b"}, Addresses: []string{"h"}, Scope: []string{"view"}, Folder: "census", TTL: "1h"}
	labels := map[string]string{"site": "", "Zone": "x"}
	enrol := api.EnrolNode{Address: "10.2.0.1:4455", Code: "reeve-enrol1.x", Labels: map[string]string{"site": "north"}}
	need := api.PoolNeed{Pool: "callback", Parallel: 10, Rate: 0.1667, Duration: 90 * time.Second, Hold: 2 * time.Minute, Blocking: 0.001}
	paper := api.PlanDocument{Target: "csv", Host: "hq1", Role: "server", Lang: "ja", Undo: true, All: true}
	tests := []roundTrip{
		{"StartRun", []any{order}, sample(), func() (any, error) { return c.StartRun(ctx, order) }},
		{"Run", []any{"R1"}, sample(), func() (any, error) { return c.Run(ctx, "R1") }},
		{"ListRuns", []any{query}, nil, func() (any, error) { return c.ListRuns(ctx, query) }},
		{"ListRuns", []any{api.RunQuery{}}, nil, func() (any, error) { return c.ListRuns(ctx, api.RunQuery{}) }},
		{"ControlRun", []any{"R1", "cancel"}, sample(), func() (any, error) { return c.ControlRun(ctx, "R1", "cancel") }},
		{"ControlRun", []any{"R1", "hold"}, nil, func() (any, error) { return c.ControlRun(ctx, "R1", "hold") }},
		{"ControlRun", []any{"R1", "release"}, nil, func() (any, error) { return c.ControlRun(ctx, "R1", "release") }},
		{"RerunRun", []any{"R1"}, sample(), func() (any, error) { return c.RerunRun(ctx, "R1") }},
		{"CallBack", []any{"R1", aCallBack()}, nil, func() (any, error) { return c.CallBack(ctx, "R1", aCallBack()) }},
		{"DecideJob", []any{"R1", "list", api.Decision{As: "rerun"}}, nil, func() (any, error) { return c.DecideJob(ctx, "R1", "list", api.Decision{As: "rerun"}) }},
		{"Why", []any{"R1", "list"}, api.Why{Subject: "R1/list", State: "waiting", Facts: []api.Fact{{Reason: "no_agent", Text: "t", Since: ptr(instantOf(2))}}}, func() (any, error) { return c.Why(ctx, "R1", "list") }},
		{"ApplyNets", []any{odd, "net: a\n\x00\xff", true}, nil, func() (any, error) { return c.ApplyNets(ctx, odd, []byte("net: a\n\x00\xff"), true) }},
		{"ApplyNets", []any{"a, b.yaml", "net: a", false, "", "", odd, "b"}, nil, func() (any, error) {
			return c.ApplyNets(ctx, "a, b.yaml", []byte("net: a"), false, api.File{}, api.File{Name: odd, Text: []byte("b")})
		}},
		{"ListNets", []any{"census"}, nil, func() (any, error) { return c.ListNets(ctx, "census") }},
		{"Net", []any{"census/packages", 4}, nil, func() (any, error) { return c.Net(ctx, "census/packages", 4) }},
		{"Net", []any{odd, 0}, nil, func() (any, error) { return c.Net(ctx, odd, 0) }},
		{"ListNodes", nil, []api.Node{aNode("north")}, func() (any, error) { return c.ListNodes(ctx) }},
		{"Node", []any{odd}, aNode(odd), func() (any, error) { return c.Node(ctx, odd) }},
		{"LabelNode", []any{"north", labels}, nil, func() (any, error) { return c.LabelNode(ctx, "north", labels) }},
		{"LabelNode", []any{"north", map[string]string{}}, nil, func() (any, error) { return c.LabelNode(ctx, "north", nil) }},
		{"EnrolNode", []any{"north", enrol}, aNode("north"), func() (any, error) { return c.EnrolNode(ctx, "north", enrol) }},
		{"ControlNode", []any{"north", "undrain"}, nil, func() (any, error) { return c.ControlNode(ctx, "north", "undrain") }},
		{"Directory", nil, nil, func() (any, error) { return c.Directory(ctx) }},
		{"Discover", []any{api.Discover{Subnets: []string{"10.2.0.0/24"}}}, nil, func() (any, error) {
			return c.Discover(ctx, api.Discover{Subnets: []string{"10.2.0.0/24"}})
		}},
		{"ListTokens", nil, []api.Token{aToken()}, func() (any, error) { return c.ListTokens(ctx) }},
		{"RevokeToken", []any{"T1"}, aToken(), func() (any, error) { return c.RevokeToken(ctx, "T1") }},
		{"ListUsers", nil, []api.User{aUser("ann")}, func() (any, error) { return c.ListUsers(ctx) }},
		{"CreateUser", []any{save}, aUser(save.Name), func() (any, error) { return c.CreateUser(ctx, save) }},
		{"ChangeUser", []any{save}, aUser(save.Name), func() (any, error) { return c.ChangeUser(ctx, save) }},
		{"ChangeUser", []any{api.SaveUser{Name: "bob"}}, nil, func() (any, error) { return c.ChangeUser(ctx, api.SaveUser{Name: "bob"}) }},
		{"DeleteUser", []any{"bob"}, nil, func() (any, error) { return nil, c.DeleteUser(ctx, "bob") }},
		{"ListAudit", []any{int64(9), 3}, nil, func() (any, error) { return c.ListAudit(ctx, 9, 3) }},
		{"ListAudit", []any{int64(0), 50}, nil, func() (any, error) { return c.ListAudit(ctx, 0, 0) }},
		{"Domain", nil, aDomain(), func() (any, error) { return c.Domain(ctx) }},
		{"ControlDomain", []any{"hold", odd}, aDomain(), func() (any, error) { return c.ControlDomain(ctx, "hold", odd) }},
		{"Doors", nil, nil, func() (any, error) { return c.Doors(ctx) }},
		{"Plan", nil, aPlan(), func() (any, error) { return c.Plan(ctx) }},
		{"CompiledPlan", nil, json.RawMessage(`{"plan":"default"}`), func() (any, error) { return c.CompiledPlan(ctx) }},
		{"WhyPort", []any{"7/tcp"}, nil, func() (any, error) { return c.WhyPort(ctx, "7/tcp") }},
		{"SizePool", []any{need}, api.PoolSize{Ports: 130, Range: "1-130"}, func() (any, error) { return c.SizePool(ctx, need) }},
		{"PlanDocument", []any{paper}, api.Document{Name: "csv", Type: "text/plain", Text: "<x>"}, func() (any, error) { return c.PlanDocument(ctx, paper) }},
		{"Leases", nil, []api.Lease{{ID: "l", Port: 7, Protocol: []string{"tcp"}}}, func() (any, error) { return c.Leases(ctx) }},
		{"PlanChange", nil, aChange, func() (any, error) { return c.PlanChange(ctx) }},
		{"BeginPlanChange", []any{api.BeginPlanChange{Within: 60}}, aChange, func() (any, error) { return c.BeginPlanChange(ctx, api.BeginPlanChange{Within: 60}) }},
		{"CommitPlanChange", []any{api.CommitPlanChange{WithoutMissing: true}}, aChange, func() (any, error) {
			return c.CommitPlanChange(ctx, api.CommitPlanChange{WithoutMissing: true})
		}},
		{"CancelPlanChange", nil, aChange, func() (any, error) { return c.CancelPlanChange(ctx) }},
		{"ReleaseLease", []any{"l1"}, nil, func() (any, error) { return nil, c.ReleaseLease(ctx, "l1") }},
		{"CheckHost", nil, nil, func() (any, error) { return c.CheckHost(ctx) }},
		{"Verify", []any{api.VerifyOrder{From: "north", Flow: "reeve.2/tcp", Negative: true, For: 20}}, nil, func() (any, error) {
			return c.Verify(ctx, api.VerifyOrder{From: "north", Flow: "reeve.2/tcp", Negative: true, For: 20})
		}},
		{"Verification", []any{"last"}, nil, func() (any, error) { return c.Verification(ctx, "last") }},
		{"CancelVerification", []any{"v1"}, nil, func() (any, error) { return nil, c.CancelVerification(ctx, "v1") }},
		{"ListProofs", []any{api.ProofQuery{Verification: "v1", Flow: "reeve", From: "north", To: "hq1", Expect: "open", Offset: 5, Limit: 7}}, nil, func() (any, error) {
			return c.ListProofs(ctx, api.ProofQuery{Verification: "v1", Flow: "reeve", From: "north", To: "hq1", Expect: "open", Offset: 5, Limit: 7})
		}},
		{"ProofHistory", []any{api.ProofQuery{Flow: "reeve", Limit: 7}}, nil, func() (any, error) { return c.ProofHistory(ctx, api.ProofQuery{Flow: "reeve", Limit: 7}) }},
		{"ProofMap", nil, nil, func() (any, error) { return c.ProofMap(ctx) }},
		{"ListSilences", nil, nil, func() (any, error) { return c.ListSilences(ctx) }},
		{"UnusedOpenings", nil, nil, func() (any, error) { return c.UnusedOpenings(ctx) }},
	}
	for _, test := range append(tests, timeCalls(ctx, c)...) {
		got, err := test.call()
		if err != nil {
			t.Errorf("%s: %v", test.method, err)
			continue
		}
		last := s.svc.last()
		if diff := cmp.Diff(append([]any{test.method}, test.args...), append([]any{last.method}, last.args...)); diff != "" {
			t.Errorf("%s: the service was asked (-want +got):\n%s", test.method, diff)
		}
		if test.want != nil {
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: the client answers (-want +got):\n%s", test.method, diff)
			}
		}
	}

	ann := s.login(t)
	if _, err := ann.CreateToken(ctx, token); err != nil {
		t.Errorf("CreateToken: %v", err)
	}
	if diff := cmp.Diff([]any{token}, s.svc.last().args); diff != "" {
		t.Errorf("CreateToken: the service was asked (-want +got):\n%s", diff)
	}
	var tar bytes.Buffer
	if err := c.Backup(ctx, &tar); err != nil || tar.String() != "tar" {
		t.Errorf("Backup: got %q, %v", tar.String(), err)
	}
	self, err := ann.Self(ctx)
	if err != nil || self.Name != "ann" || !slices.Equal(self.Permissions, access.Permissions()) || self.Address != "127.0.0.1" {
		t.Errorf("Self: got %+v, %v", self, err)
	}
}

// login returns a client with ann's session.
func (s *site) login(t *testing.T) *api.Client {
	t.Helper()
	l, err := s.client(t, "").Login(t.Context(), "ann", password)
	if err != nil {
		t.Fatal(err)
	}
	return s.client(t, l.Token)
}

func TestErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	c := s.admin(t)
	kinds := []fault.Kind{
		fault.Invalid, fault.Finding, fault.Unreachable, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.Conflict, fault.Unknown,
		fault.Busy, fault.Disk, fault.Interrupted,
	}
	names := map[string]bool{}
	for _, kind := range kinds {
		cause := fmt.Errorf("the cause %d", kind)
		want := error(&fault.Error{Kind: kind, Msg: "holding R1", Fix: "do something else", Err: cause})
		s.svc.fail(want)
		_, err := c.ControlRun(t.Context(), "R1", "hold")
		if fault.KindOf(err) != kind || err.Error() != want.Error() {
			t.Errorf("kind %d: got %d %q, want %q", kind, fault.KindOf(err), err, want)
		}
		names[api.KindName(kind)] = true
		if err := c.Logs(t.Context(), api.LogQuery{Run: "R1"}, func(api.Log) error { return nil }); fault.KindOf(err) != kind {
			t.Errorf("kind %d, of a stream: got %d %v", kind, fault.KindOf(err), err)
		}
	}
	if len(names) != len(kinds) || names["internal"] {
		t.Errorf("the kinds are called %v, want a name for each", names)
	}

	s.svc.fail(errors.New("secret path /var/lib/x"))
	_, err := c.Run(t.Context(), "R1")
	if fault.KindOf(err) != fault.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("an error of nobody's kind: got %d %v, want Internal without its text", fault.KindOf(err), err)
	}

	s.svc.fail(&fault.Error{Kind: fault.Unreachable, Msg: "dialling", Err: context.DeadlineExceeded})
	if _, err = c.Node(t.Context(), "north"); !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "dialling") {
		t.Errorf("a dial that was in vain: got %d %v, want Unreachable", fault.KindOf(err), err)
	}
	s.svc.fail(fmt.Errorf("reading: %w", context.DeadlineExceeded))
	if _, err = c.Node(t.Context(), "north"); !fault.Is(err, fault.Busy) {
		t.Errorf("a request that was not done in time: got %d %v, want Busy", fault.KindOf(err), err)
	}

	mistakes := fault.Mistakes{{File: "a.yaml", Line: 3, Column: 2, Message: "unknown field <x>", Excerpt: "  3 | x: 1\n      ^"}, {File: "a.yaml", Message: "y"}}
	s.svc.fail(fmt.Errorf("applying: %w", mistakes))
	_, err = c.ApplyNets(t.Context(), "a.yaml", []byte("x"), false)
	var got fault.Mistakes
	if !errors.As(err, &got) || cmp.Diff(mistakes, got) != "" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("mistakes: got %v", err)
	}

	s.svc.fail(&fault.Error{Kind: fault.Busy, Msg: "too many", Err: access.Wait(90 * time.Second)})
	_, err = c.Run(t.Context(), "R1")
	var wait access.Wait
	if !errors.As(err, &wait) || wait != access.Wait(90*time.Second) {
		t.Errorf("a wait: got %v, want 1m30s", err)
	}
}

// TestRefusedFieldsAreNamed: what is wrong with a request comes field by field, and a value of a body never comes back.
func TestRefusedFieldsAreNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	c := s.admin(t)
	for what, test := range map[string]struct {
		err  error
		want []api.Field
	}{
		"query": {first(c.Forecast(t.Context(), api.ForecastQuery{Days: 401, Limit: -1})), []api.Field{{"query.days", "expected number <= 400"}, {"query.limit", "expected number >= 0"}}},
		"body": {
			first(c.PauseSchedule(t.Context(), "a/b", "s", api.Pause{Reason: strings.Repeat("secret", 100)})), []api.Field{{"body.reason", "expected length <= 500"}},
		},
	} {
		var refused *api.Refused
		if !errors.As(test.err, &refused) || !fault.Is(test.err, fault.Invalid) || strings.Contains(test.err.Error(), "secret") {
			t.Errorf("%s: got %v, want the fields that were refused", what, test.err)
			continue
		}
		got := slices.SortedFunc(slices.Values(refused.Fields), func(a, b api.Field) int { return strings.Compare(a.Name, b.Name) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func first[T any](_ T, err error) error { return err }

func TestClientWithoutAServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	c := s.admin(t)
	s.Close()
	_, err := c.Run(t.Context(), "R1")
	if !fault.Is(err, fault.Unreachable) {
		t.Errorf("a server that is gone: got %v, want Unreachable", err)
	}
	if err := c.Watch(t.Context(), "", func(api.Change) error { return nil }); !fault.Is(err, fault.Unreachable) {
		t.Errorf("watching a server that is gone: got %v, want Unreachable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Run(ctx, "R1"); !fault.Is(err, fault.Interrupted) {
		t.Errorf("asking with a context that has ended: got %v, want Interrupted", err)
	}
	for _, address := range []string{"", "hq1:7373", "ftp://hq1", "https://", "://"} {
		if _, err := api.NewClient(http.DefaultClient, address, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("the address %q: got %v, want Invalid", address, err)
		}
	}
}

// TestClientOfAStrangeServer meets servers that are none of Reeve's.
func TestClientOfAStrangeServer(t *testing.T) {
	t.Parallel()
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    fault.Kind
	}{
		"a page":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, fault.Unreachable},
		"nothing":       {func(http.ResponseWriter, *http.Request) {}, fault.Unreachable},
		"a redirect":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, fault.Unreachable},
		"proxy error":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad", http.StatusBadGateway) }, fault.Unreachable},
		"proxy refusal": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, fault.Forbidden},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			panic(http.ErrAbortHandler)
		}, fault.Unreachable},
		"broken problem": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"kind":`)
		}, fault.Conflict},
		"unknown kind": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"kind":"of_tomorrow","detail":"x"}`)
		}, fault.NotFound},
	} {
		srv := httptest.NewServer(test.handler)
		c, err := api.NewClient(srv.Client(), srv.URL, "reeve_T_secret")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Run(t.Context(), "R1"); err == nil || fault.KindOf(err) != test.want {
			t.Errorf("%s: got %d %v, want kind %d", name, fault.KindOf(err), err, test.want)
		}
		srv.Close()
	}
	if len(elsewhere) > 0 {
		t.Errorf("the token followed a redirect: %q", elsewhere)
	}
}

// TestLocalSocket is the way of local administration: HTTP on a Unix socket, known by the user at its other end.
func TestLocalSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	dir, err := os.MkdirTemp("", "api") //nolint:usetesting // the path of a socket has 108 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s.handler, ConnContext: func(ctx context.Context, c net.Conn) context.Context { return access.WithPeer(ctx, c) }}
	api.Limits(srv)
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-served })

	hc := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer hc.CloseIdleConnections()
	c, err := api.NewClient(hc, "http://local", "")
	if err != nil {
		t.Fatal(err)
	}
	self, err := c.Self(t.Context())
	if want := fmt.Sprintf("local:%d", os.Geteuid()); err != nil || self.Name != want || self.Address != "local" {
		t.Errorf("got %+v, %v; want %s", self, err, want)
	}
	if _, err := c.CreateUser(t.Context(), api.SaveUser{Name: "bob"}); err != nil {
		t.Errorf("creating a user locally: %v", err)
	}
	if _, err := c.CreateToken(t.Context(), api.CreateToken{Kind: "api", Name: "ci", Scope: []string{"view"}}); err != nil {
		t.Errorf("creating a token locally: %v", err)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	if _, err := s.client(t, "").Login(t.Context(), "ann", "wrong"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a wrong password: got %v", err)
	}
	c := s.login(t)
	if _, err := c.Run(t.Context(), "R1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ChangePassword(t.Context(), "wrong", "another password"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a change with the wrong old password: got %v", err)
	}
	if _, err := c.ChangePassword(t.Context(), password, "short"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a change to a short password: got %v", err)
	}
	if _, err := c.ChangePassword(t.Context(), password, "another password"); err != nil {
		t.Errorf("changing one's own password: %v", err)
	}
	if diff := cmp.Diff([]any{api.SaveUser{Name: "ann", Password: ptr("another password")}}, s.svc.last().args); diff != "" {
		t.Errorf("the service was asked (-want +got):\n%s", diff)
	}
	if err := c.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context(), "R1"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("after logging out: got %v, want Unauthenticated", err)
	}
}

func TestTokensLendNoMoreThanTheirMakerMay(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	u := s.people.users["ann"]
	u.Permissions, u.Folder = []access.Permission{access.View, access.Run}, "census"
	s.people.users["ann"] = u
	c := s.login(t)
	for name, test := range map[string]struct {
		order api.CreateToken
		want  bool
	}{
		"less":                {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"view"}, Folder: "census/a"}, true},
		"as much":             {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"view", "run"}, Folder: "census"}, true},
		"more":                {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"view", "control"}, Folder: "census"}, false},
		"all folders":         {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"view"}}, false},
		"another folder":      {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"view"}, Folder: "censuses"}, false},
		"a word for routes":   {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"known"}, Folder: "census"}, false},
		"another":             {api.CreateToken{Kind: "api", Name: "x", Scope: []string{"public"}, Folder: "census"}, false},
		"an agent":            {api.CreateToken{Kind: "agent", Name: "x"}, false},
		"an agent in disgise": {api.CreateToken{Kind: "Agent", Name: "x"}, false},
	} {
		before := s.svc.count()
		_, err := c.CreateToken(t.Context(), test.order)
		if got := err == nil; got != test.want {
			t.Errorf("%s: got %v, want allowed %v", name, err, test.want)
		}
		if reached := s.svc.count() > before; reached != test.want {
			t.Errorf("%s: reached the service: %v", name, reached)
		}
	}
	admin := s.admin(t)
	if _, err := admin.CreateToken(t.Context(), api.CreateToken{Kind: "api", Name: "x", Scope: []string{"view"}}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a token made a token: %v", err)
	}
}

func aCallBack() api.CallBack {
	return api.CallBack{Address: "desk:20000", Token: strings.Repeat("0", 32), Fingerprint: strings.Repeat("a", 64)}
}
