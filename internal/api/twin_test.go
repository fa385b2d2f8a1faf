package api_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// twin is a Service that refuses nobody: it notes who asked for what, and answers what it is told to.
type twin struct {
	mu    sync.Mutex
	calls []asked
	err   error // of every method
	run   api.Run
	watch func(ctx context.Context, run string, emit func(api.Change) error) error
	logs  func(ctx context.Context, q api.LogQuery, emit func(api.Log) error) error
	tar   func(ctx context.Context, w io.Writer) error
}

type asked struct {
	method string
	by     access.Subject
	args   []any
}

func (s *twin) note(ctx context.Context, method string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, asked{method, api.SubjectOf(ctx), args})
	return s.err
}

func (s *twin) last() asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		return asked{}
	}
	return s.calls[len(s.calls)-1]
}

func (s *twin) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func (s *twin) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func instantOf(hour int) time.Time { return time.Date(2026, 5, 4, hour, 2, 1, 500, time.UTC) }

func ptr[T any](v T) *T { return &v }

// sample is a run in which every field has a value.
func sample() api.Run {
	at := instantOf(3)
	return api.Run{
		ID: "R1", Net: "census/packages", Version: 2, State: "failed", Reason: ptr("timeout"), By: "ann", HeldBy: ptr("bob"), RerunOf: ptr("R0"),
		Created: at, Nominal: &at, Started: &at, Ended: &at, Params: map[string]string{"top": "<20>"},
		Jobs: []api.Job{{
			Name: "list", State: "failed", Reason: ptr("timeout"), Detail: ptr("d"), After: []string{"a"}, Since: at, Due: &at, Decided: ptr("ann"),
			Attempts: []api.Attempt{{
				N: 1, Agent: "north", State: "failed", Reason: ptr("timeout"), Detail: ptr("x"), ExitCode: ptr(3), Signal: ptr("SIGTERM"), PID: ptr(7),
				Containment: ptr("cgroup"), Ordered: at, Started: &at, Ended: &at, Outputs: map[string]string{"n": "1"},
				Artifacts: []api.Artifact{{Name: "list.txt", Size: 9, SHA256: "ab"}}, OutputBytes: 5, LostBytes: 6, CPUSeconds: 0.5, MaxRSS: 8,
				Callback: &api.Callback{Port: 9, State: "connected", Since: at, Shared: true},
			}},
		}},
	}
}

func (s *twin) StartRun(ctx context.Context, o api.StartRun) (api.Run, error) {
	return s.run, s.note(ctx, "StartRun", o)
}

func (s *twin) Run(ctx context.Context, id string) (api.Run, error) {
	return s.run, s.note(ctx, "Run", id)
}

func (s *twin) ListRuns(ctx context.Context, q api.RunQuery) ([]api.RunSummary, error) {
	return []api.RunSummary{{ID: "R1", Created: instantOf(1)}}, s.note(ctx, "ListRuns", q)
}

func (s *twin) ControlRun(ctx context.Context, id, verb string) (api.Run, error) {
	return s.run, s.note(ctx, "ControlRun", id, verb)
}

func (s *twin) RerunRun(ctx context.Context, id string) (api.Run, error) {
	return s.run, s.note(ctx, "RerunRun", id)
}

func (s *twin) CallBack(ctx context.Context, id string, c api.CallBack) (api.Run, error) {
	return s.run, s.note(ctx, "CallBack", id, c)
}

func (s *twin) DecideJob(ctx context.Context, id, job string, d api.Decision) (api.Run, error) {
	return s.run, s.note(ctx, "DecideJob", id, job, d)
}

func (s *twin) Why(ctx context.Context, id, job string) (api.Why, error) {
	return api.Why{Subject: id + "/" + job, State: "waiting", Facts: []api.Fact{{Reason: "no_agent", Text: "t", Since: ptr(instantOf(2))}}}, s.note(ctx, "Why", id, job)
}

func (s *twin) Logs(ctx context.Context, q api.LogQuery, emit func(api.Log) error) error {
	if err := s.note(ctx, "Logs", q); err != nil {
		return err
	}
	if s.logs != nil {
		return s.logs(ctx, q, emit)
	}
	return emit(api.Log{Job: "list", Attempt: 1, At: instantOf(4), Stream: "stdout", Text: "a\nb\u2028<c>"})
}

func (s *twin) ApplyNets(ctx context.Context, name string, text []byte, dry bool, more ...api.File) (api.ApplyResult, error) {
	return api.ApplyResult{DryRun: dry, Nets: []api.Applied{{Name: "census/packages", Version: 1, Change: "created", Diff: "+"}}}, s.note(ctx, "ApplyNets", withFiles([]any{name, string(text), dry}, more)...)
}

func withFiles(args []any, more []api.File) []any {
	for _, f := range more {
		args = append(args, f.Name, string(f.Text))
	}
	return args
}

func (s *twin) ListNets(ctx context.Context, folder string) ([]api.NetSummary, error) {
	return []api.NetSummary{{Name: "census/packages", Applied: instantOf(1)}}, s.note(ctx, "ListNets", folder)
}

func (s *twin) Net(ctx context.Context, name string, version int) (api.Net, error) {
	return api.Net{
		Name: name, Version: version, Applied: instantOf(1), Params: map[string]string{}, Labels: map[string]string{}, Versions: []int{1},
		Jobs: []api.NetJob{{Name: "list", After: []string{}, Command: []string{}, Labels: map[string]string{}, Agents: []string{}, Needs: []string{"db1:1521"}}},
	}, s.note(ctx, "Net", name, version)
}

func aNode(name string) api.Node {
	return api.Node{ID: "N1", Name: name, Role: "agent", Labels: map[string]string{"site": "north"}, Facts: map[string]string{}, Joined: instantOf(1), Notes: []string{}, Differs: []string{}, Paths: []api.LinkPath{}}
}

func (s *twin) ListNodes(ctx context.Context) ([]api.Node, error) {
	return []api.Node{aNode("north")}, s.note(ctx, "ListNodes")
}

func (s *twin) Node(ctx context.Context, name string) (api.Node, error) {
	return aNode(name), s.note(ctx, "Node", name)
}

func (s *twin) LabelNode(ctx context.Context, name string, l map[string]string) (api.Node, error) {
	return aNode(name), s.note(ctx, "LabelNode", name, l)
}

func (s *twin) ControlNode(ctx context.Context, name, verb string) (api.Node, error) {
	return aNode(name), s.note(ctx, "ControlNode", name, verb)
}

func (s *twin) EnrolNode(ctx context.Context, name string, o api.EnrolNode) (api.Node, error) {
	return aNode(name), s.note(ctx, "EnrolNode", name, o)
}

func aToken() api.Token {
	return api.Token{ID: "T1", Kind: "api", Labels: map[string]string{}, Scope: []string{"view"}, Created: instantOf(1), Expires: instantOf(2)}
}

func (s *twin) CreateToken(ctx context.Context, o api.CreateToken) (api.NewToken, error) {
	return api.NewToken{Token: aToken(), Secret: "s"}, s.note(ctx, "CreateToken", o)
}

func (s *twin) ListTokens(ctx context.Context) ([]api.Token, error) {
	return []api.Token{aToken()}, s.note(ctx, "ListTokens")
}

func (s *twin) RevokeToken(ctx context.Context, id string) (api.Token, error) {
	return aToken(), s.note(ctx, "RevokeToken", id)
}

func aUser(name string) api.User {
	return api.User{Name: name, Permissions: []string{"view"}, Created: instantOf(1)}
}

func (s *twin) ListUsers(ctx context.Context) ([]api.User, error) {
	return []api.User{aUser("ann")}, s.note(ctx, "ListUsers")
}

func (s *twin) CreateUser(ctx context.Context, u api.SaveUser) (api.User, error) {
	return aUser(u.Name), s.note(ctx, "CreateUser", u)
}

func (s *twin) ChangeUser(ctx context.Context, u api.SaveUser) (api.User, error) {
	return aUser(u.Name), s.note(ctx, "ChangeUser", u)
}

func (s *twin) DeleteUser(ctx context.Context, name string) error {
	return s.note(ctx, "DeleteUser", name)
}

func (s *twin) Self(ctx context.Context) (access.Subject, error) {
	return api.SubjectOf(ctx), s.note(ctx, "Self")
}

func (s *twin) ListAudit(ctx context.Context, before int64, limit int) ([]api.AuditRecord, error) {
	return []api.AuditRecord{{ID: 3, At: instantOf(1), By: "ann"}}, s.note(ctx, "ListAudit", before, limit)
}

func aDomain() api.DomainInfo {
	return api.DomainInfo{
		Name: "d", Epoch: 1, Started: instantOf(1), Addresses: []string{}, Counts: map[string]int{"running": 1}, Sizes: map[string]int64{"db": 2}, Warnings: []string{},
	}
}

func (s *twin) Domain(ctx context.Context) (api.DomainInfo, error) {
	return aDomain(), s.note(ctx, "Domain")
}

func (s *twin) ControlDomain(ctx context.Context, verb, reason string) (api.DomainInfo, error) {
	return aDomain(), s.note(ctx, "ControlDomain", verb, reason)
}

func (s *twin) Doors(ctx context.Context) ([]api.Door, error) {
	return []api.Door{{Door: "api", URLs: []string{"https://hq1"}}}, s.note(ctx, "Doors")
}

func (s *twin) Plan(ctx context.Context) (api.PlanInfo, error) {
	return aPlan(), s.note(ctx, "Plan")
}

func aPlan() api.PlanInfo {
	return api.PlanInfo{
		Plan: "default", Hash: "h", Rows: []ports.Row{{ID: "reeve", Port: "7"}}, Findings: []api.PlanFinding{},
		Pools: []api.Pool{{ID: "p", Protocol: []string{"tcp"}, Ranges: []string{"1-2"}, Reasons: []string{}}}, Documents: []api.PlanTarget{},
	}
}

func (s *twin) CompiledPlan(ctx context.Context) (json.RawMessage, error) {
	return json.RawMessage(`{"plan":"default"}`), s.note(ctx, "CompiledPlan")
}

func (s *twin) WhyPort(ctx context.Context, what string) (ports.Explanation, error) {
	return ports.Explanation{Query: what}, s.note(ctx, "WhyPort", what)
}

func (s *twin) SizePool(ctx context.Context, q api.PoolNeed) (api.PoolSize, error) {
	return api.PoolSize{Ports: 130, Range: "1-130"}, s.note(ctx, "SizePool", q)
}

func (s *twin) PlanDocument(ctx context.Context, q api.PlanDocument) (api.Document, error) {
	return api.Document{Name: q.Target, Type: "text/plain", Text: "<x>"}, s.note(ctx, "PlanDocument", q)
}

func (s *twin) Leases(ctx context.Context) ([]api.Lease, error) {
	return []api.Lease{{ID: "l", Port: 7, Protocol: []string{"tcp"}}}, s.note(ctx, "Leases")
}

func (s *twin) PlanChange(ctx context.Context) (api.PlanChange, error) {
	return aChange, s.note(ctx, "PlanChange")
}

func (s *twin) BeginPlanChange(ctx context.Context, in api.BeginPlanChange) (api.PlanChange, error) {
	return aChange, s.note(ctx, "BeginPlanChange", in)
}

func (s *twin) CommitPlanChange(ctx context.Context, in api.CommitPlanChange) (api.PlanChange, error) {
	return aChange, s.note(ctx, "CommitPlanChange", in)
}

func (s *twin) CancelPlanChange(ctx context.Context) (api.PlanChange, error) {
	return aChange, s.note(ctx, "CancelPlanChange")
}

// aChange is a change of ports.
var aChange = api.PlanChange{
	State: "under way", From: "a", To: "b", By: "ann", Rows: []api.PlanChangeRow{{Row: "reeve/tcp", What: "changed", From: "7373", To: "17373"}},
	Nodes: []api.PlanChangeNode{{Name: "north", Confirmed: true}},
}

func (s *twin) ReleaseLease(ctx context.Context, id string) error {
	return s.note(ctx, "ReleaseLease", id)
}

func (s *twin) CheckHost(ctx context.Context) ([]api.HostFinding, error) {
	return []api.HostFinding{{ID: "reeve", Remedies: []string{}}}, s.note(ctx, "CheckHost")
}

func (s *twin) Verify(ctx context.Context, order api.VerifyOrder) (api.Verification, error) {
	return verification(), s.note(ctx, "Verify", order)
}

func (s *twin) Verification(ctx context.Context, id string) (api.Verification, error) {
	return verification(), s.note(ctx, "Verification", id)
}

func (s *twin) CancelVerification(ctx context.Context, id string) error {
	return s.note(ctx, "CancelVerification", id)
}

func (s *twin) ListProofs(ctx context.Context, q api.ProofQuery) ([]api.Proof, error) {
	return []api.Proof{oneProof()}, s.note(ctx, "ListProofs", q)
}

func (s *twin) ProofHistory(ctx context.Context, q api.ProofQuery) ([]api.Proof, error) {
	return []api.Proof{oneProof()}, s.note(ctx, "ProofHistory", q)
}

func (s *twin) ProofMap(ctx context.Context) (api.ProofMap, error) {
	return api.ProofMap{PlanHash: "h", Hosts: []api.ProofHost{{Name: "north", Roles: []string{"agent"}, Node: "linked"}}, Paths: []api.PlannedWay{{Flow: "reeve.2/tcp", At: ptr(instantOf(3))}}}, s.note(ctx, "ProofMap")
}

func (s *twin) ListSilences(ctx context.Context) ([]api.Silence, error) {
	return []api.Silence{{From: "north", To: "hq1", Survived: 20, Died: 28, KeepAlive: 10, At: instantOf(3)}}, s.note(ctx, "ListSilences")
}

func (s *twin) UnusedOpenings(ctx context.Context) ([]api.UnusedOpening, error) {
	return []api.UnusedOpening{{Flow: "jmnet.1/tcp", Counted: ptr(instantOf(3)), Text: "never used"}}, s.note(ctx, "UnusedOpenings")
}

func verification() api.Verification {
	return api.Verification{
		ID: "v1", State: "ended", Done: 1, Total: 1, Started: instantOf(3), Ended: ptr(instantOf(4)), By: "ann", PlanHash: "h", Order: api.VerifyOrder{From: "north", For: 20},
		Counts: map[string]int{"proven": 1}, Silences: []api.Silence{},
	}
}

func oneProof() api.Proof {
	return api.Proof{
		Flow: "reeve.2/tcp", From: "north", To: "hq1", Protocol: "tcp", Address: "hq1:7", Expect: "open", Verdict: "proven", Reason: "ok", Possible: []string{},
		Basis: "both ends", Text: "t", Assumptions: []string{}, Evidence: json.RawMessage(`{"ms":1.5}`), PlanHash: "h", At: instantOf(3), Since: instantOf(2), Times: 3,
	}
}

func (s *twin) Watch(ctx context.Context, run string, emit func(api.Change) error) error {
	if err := s.note(ctx, "Watch", run); err != nil {
		return err
	}
	if s.watch != nil {
		return s.watch(ctx, run, emit)
	}
	return emit(api.Change{Kind: "run", ID: "R1", Net: "census/packages", State: "running", Jobs: []string{"list"}})
}

func (s *twin) Backup(ctx context.Context, w io.Writer) error {
	if err := s.note(ctx, "Backup"); err != nil {
		return err
	}
	if s.tar != nil {
		return s.tar(ctx, w)
	}
	_, err := io.WriteString(w, "tar")
	return err
}

// people keeps users, sessions and tokens in memory, for the gate.
type people struct {
	mu       sync.Mutex
	users    map[string]access.User
	tokens   map[string]access.Token
	sessions map[string]access.Session
}

func look[T any](p *people, m map[string]T, key string) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := m[key]
	if !ok {
		return v, fault.Newf(fault.NotFound, "%s is not there", key)
	}
	return v, nil
}

func (p *people) User(_ context.Context, n string) (access.User, error) { return look(p, p.users, n) }

func (p *people) Token(_ context.Context, n string) (access.Token, error) {
	return look(p, p.tokens, n)
}

func (p *people) Session(_ context.Context, n string) (access.Session, error) {
	return look(p, p.sessions, n)
}

func (p *people) SaveSession(_ context.Context, s access.Session) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[s.Hash] = s
	return nil
}

func (p *people) DropSession(_ context.Context, hash string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, hash)
	return nil
}

const (
	secret   = "0123456789abcdef0123456789abcdef"
	password = "correct horse battery"
)

// may adds a token with a scope and a folder, and returns its text.
func (p *people) may(folder string, scope ...access.Permission) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := "T" + string(rune('a'+len(p.tokens)%26)) + string(rune('a'+len(p.tokens)/26))
	p.tokens[id] = access.Token{ID: id, Hash: access.HashSecret(secret), Scope: scope, Folder: folder, Owner: "local:0", Expires: time.Now().Add(time.Hour)}
	return access.FormatToken(id, secret)
}

func (p *people) revoke(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, _, _ := access.ParseToken(text)
	delete(p.tokens, id)
}

// site is a real server on loopback with a twin behind it.
type site struct {
	*httptest.Server
	svc     *twin
	people  *people
	handler *api.Handler
}

func newSite(t *testing.T, o api.Options) *site {
	t.Helper()
	s := &site{svc: &twin{run: sample()}, people: &people{users: map[string]access.User{}, tokens: map[string]access.Token{}, sessions: map[string]access.Session{}}}
	hasher := access.NewHasher(rand.Reader, 2)
	hash, err := hasher.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	s.people.users["ann"] = access.User{Name: "ann", Password: hash, Permissions: access.Permissions()}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Extra == nil {
		o.Extra = []api.Extra{api.JoinRoute(ok()), api.RenewRoute(ok())}
	}
	if o.NetSchema == nil {
		o.NetSchema = []byte(`{}`)
	}
	if o.CalendarSchema == nil {
		o.CalendarSchema = []byte(`{}`)
	}
	o.Metrics = func(ctx context.Context) ([]byte, error) { return []byte("reeve_up 1\n"), s.svc.note(ctx, "Metrics") }
	s.handler, err = api.New(s.svc, access.NewGate(s.people, access.Options{Random: rand.Reader, Hasher: hasher}), o)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(s.handler)
	api.Limits(s.Config)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func ok() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
}

func (s *site) client(t *testing.T, token string) *api.Client {
	t.Helper()
	c, err := api.NewClient(s.Client(), s.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// admin is a client that may everything.
func (s *site) admin(t *testing.T) *api.Client {
	t.Helper()
	return s.client(t, s.people.may("", access.Permissions()...))
}
