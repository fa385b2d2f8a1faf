package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// twin is an api.Service in memory: it keeps what it is given, decides permissions as a server would, and tells
// watchers and followers of what changes.
type twin struct {
	mu      sync.Mutex
	moved   chan struct{} // closed and made anew at every change
	rev     int
	now     time.Time
	domain  api.DomainInfo
	runs    []api.Run // newest first
	nets    []api.Net
	nodes   []api.Node
	tokens  []api.Token
	people  []api.User
	records []api.AuditRecord
	plan    api.PlanInfo
	ports   api.PlanChange
	leases  []api.Lease
	checked []api.HostFinding
	doors   []api.Door
	ways    api.ProofMap
	proofs  []api.Proof
	history []api.Proof
	verify  api.Verification
	quiet   []api.Silence
	unused  []api.UnusedOpening
	facts   map[string][]api.Fact // by run
	logs    map[string][]api.Log  // by run/job/n
	closed  map[string]bool       // logs that are complete
	calls   []string              // what was asked to change, in order
	time    twinTime
}

func newTwin(now time.Time) *twin {
	return &twin{now: now, moved: make(chan struct{}), facts: map[string][]api.Fact{}, logs: map[string][]api.Log{}, closed: map[string]bool{}}
}

// change does something to the twin, and tells who watches.
func (t *twin) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
	t.rev++
	close(t.moved)
	t.moved = make(chan struct{})
}

// asked does what a person asked, and notes it.
func (t *twin) asked(call string, do func()) {
	t.change(func() {
		t.calls = append(t.calls, call)
		do()
	})
}

func (t *twin) may(ctx context.Context, p access.Permission, folder string) error {
	s := api.SubjectOf(ctx)
	if !s.May(p, folder) {
		return fault.Newf(fault.Forbidden, "%s may not do that: it needs the permission %s", s.Name, p)
	}
	return nil
}

func logKey(run, job string, n int) string { return fmt.Sprintf("%s/%s/%d", run, job, n) }

// write adds to the output of an attempt.
func (t *twin) write(run, job string, n int, stream, text string) {
	t.change(func() {
		key := logKey(run, job, n)
		at := t.now.Add(time.Duration(len(t.logs[key])) * 40 * time.Millisecond)
		t.logs[key] = append(t.logs[key], api.Log{Job: job, Attempt: n, At: at, Stream: stream, Text: text})
	})
}

// job changes a job of a run.
func (t *twin) job(run, name string, do func(*api.Job)) {
	t.change(func() {
		for i := range t.runs {
			if t.runs[i].ID != run {
				continue
			}
			t.runs[i].Jobs = slices.Clone(t.runs[i].Jobs)
			for k := range t.runs[i].Jobs {
				if t.runs[i].Jobs[k].Name == name {
					do(&t.runs[i].Jobs[k])
				}
			}
		}
	})
}

func (t *twin) find(ctx context.Context, id string, p access.Permission) (*api.Run, error) {
	for i := range t.runs {
		if t.runs[i].ID == id {
			return &t.runs[i], t.may(ctx, p, folderOf(t.runs[i].Net))
		}
	}
	return nil, fault.Newf(fault.NotFound, "there is no run %s", id)
}

func summary(r *api.Run) api.RunSummary {
	s := api.RunSummary{
		ID: r.ID, Net: r.Net, Version: r.Version, State: r.State, Reason: r.Reason, By: r.By, HeldBy: r.HeldBy, RerunOf: r.RerunOf,
		Created: r.Created, Started: r.Started, Ended: r.Ended, Jobs: len(r.Jobs),
	}
	for i := range r.Jobs {
		if ended(r.Jobs[i].State) {
			s.Done++
		}
	}
	return s
}

func (t *twin) StartRun(ctx context.Context, order api.StartRun) (api.Run, error) {
	if err := t.may(ctx, access.Run, folderOf(order.Net)); err != nil {
		return api.Run{}, err
	}
	n, err := t.Net(ctx, order.Net, order.Version)
	if err != nil {
		return api.Run{}, err
	}
	run := api.Run{
		ID: fmt.Sprintf("new-%d", len(t.runs)), Net: n.Name, Version: n.Version, State: "waiting", By: api.SubjectOf(ctx).Name,
		Created: t.now, Params: order.Params,
	}
	for _, j := range n.Jobs {
		run.Jobs = append(run.Jobs, api.Job{Name: j.Name, State: "waiting", After: j.After, Since: t.now})
	}
	t.asked(fmt.Sprintf("start %s %v", order.Net, order.Params), func() { t.runs = append([]api.Run{run}, t.runs...) })
	return run, nil
}

func (t *twin) Run(ctx context.Context, id string) (api.Run, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, err := t.find(ctx, id, access.View)
	if err != nil {
		return api.Run{}, err
	}
	return *r, nil
}

func (t *twin) ListRuns(ctx context.Context, q api.RunQuery) ([]api.RunSummary, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := cmp.Or(q.Limit, 50)
	out := []api.RunSummary{}
	passed := q.Before == ""
	for i := range t.runs {
		r := &t.runs[i]
		switch {
		case r.ID == q.Before:
			passed = true
			continue
		case !passed, len(out) >= limit, q.Net != "" && r.Net != q.Net, !q.Since.IsZero() && r.Created.Before(q.Since):
			continue
		case q.Folder != "" && !strings.HasPrefix(r.Net, q.Folder+"/"):
			continue
		case len(q.States) > 0 && !slices.Contains(q.States, r.State):
			continue
		case t.may(ctx, access.View, folderOf(r.Net)) != nil:
			continue
		}
		out = append(out, summary(r))
	}
	return out, nil
}

func (t *twin) control(ctx context.Context, id, call string, p access.Permission, do func(*api.Run)) (api.Run, error) {
	t.mu.Lock()
	_, err := t.find(ctx, id, p)
	t.mu.Unlock()
	if err != nil {
		return api.Run{}, err
	}
	t.asked(call, func() {
		r, _ := t.find(ctx, id, p)
		do(r)
	})
	return t.Run(ctx, id)
}

func (t *twin) ControlRun(ctx context.Context, id, verb string) (api.Run, error) {
	by := api.SubjectOf(ctx).Name
	return t.control(ctx, id, verb+" "+id, access.Control, func(r *api.Run) {
		switch verb {
		case "hold":
			r.HeldBy = &by
		case "release":
			r.HeldBy = nil
		case "cancel":
			r.State, r.Ended = "cancelled", &t.now
			r.Jobs = slices.Clone(r.Jobs)
			for i := range r.Jobs {
				if !ended(r.Jobs[i].State) {
					r.Jobs[i].State = "cancelled"
				}
			}
		}
	})
}

func (t *twin) RerunRun(ctx context.Context, id string) (api.Run, error) {
	r, err := t.Run(ctx, id)
	if err != nil {
		return r, err
	}
	if !ended(r.State) {
		return r, fault.New(fault.Conflict, "the run has not ended", "cancel it first")
	}
	return t.StartRun(ctx, api.StartRun{Net: r.Net, Params: r.Params})
}

func (t *twin) CallBack(context.Context, string, api.CallBack) (api.Run, error) {
	return api.Run{}, fault.New(fault.Invalid, "the port plan has no callbacks for clients", "")
}

func (t *twin) DecideJob(ctx context.Context, id, job string, d api.Decision) (api.Run, error) {
	by := api.SubjectOf(ctx).Name
	return t.control(ctx, id, "decide "+id+" "+job+" "+d.As, access.Control, func(r *api.Run) {
		r.Jobs = slices.Clone(r.Jobs)
		for i := range r.Jobs {
			if r.Jobs[i].Name == job {
				r.Jobs[i].State, r.Jobs[i].Decided = strings.Replace(d.As, "rerun", "ready", 1), &by
			}
		}
	})
}

func (t *twin) Why(ctx context.Context, id, job string) (api.Why, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, err := t.find(ctx, id, access.View)
	if err != nil {
		return api.Why{}, err
	}
	w := api.Why{Subject: id, State: r.State}
	for _, f := range t.facts[id] {
		if job == "" || f.Job == job {
			w.Facts = append(w.Facts, f)
		}
	}
	return w, nil
}

func (t *twin) Logs(ctx context.Context, q api.LogQuery, emit func(api.Log) error) error {
	t.mu.Lock()
	_, err := t.find(ctx, q.Run, access.ViewLog)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	key, told := logKey(q.Run, q.Job, q.N), 0
	for {
		t.mu.Lock()
		pieces, closed, moved := slices.Clone(t.logs[key][told:]), t.closed[key], t.moved
		t.mu.Unlock()
		told += len(pieces)
		for _, p := range pieces {
			if q.Stream != "" && q.Stream != p.Stream {
				continue
			}
			if err := emit(p); err != nil {
				return err
			}
		}
		if !q.Follow || closed {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *twin) ApplyNets(context.Context, string, []byte, bool, ...api.File) (api.ApplyResult, error) {
	return api.ApplyResult{}, fault.New(fault.Forbidden, "the twin applies nothing", "")
}

func (t *twin) ListNets(ctx context.Context, folder string) ([]api.NetSummary, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []api.NetSummary{}
	for i := range t.nets {
		n := &t.nets[i]
		if folder != "" && !strings.HasPrefix(n.Name, folder+"/") || t.may(ctx, access.View, folderOf(n.Name)) != nil {
			continue
		}
		s := api.NetSummary{Name: n.Name, Version: n.Version, Description: n.Description, Jobs: len(n.Jobs), Applied: n.Applied, By: n.By}
		for k := range t.runs {
			if t.runs[k].Net == n.Name {
				last := summary(&t.runs[k])
				s.LastRun = &last
				break
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func (t *twin) Net(ctx context.Context, name string, version int) (api.Net, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.nets {
		if t.nets[i].Name == name && version <= t.nets[i].Newest {
			n := t.nets[i]
			n.Version = cmp.Or(version, n.Newest)
			return n, t.may(ctx, access.View, folderOf(name))
		}
	}
	return api.Net{}, fault.Newf(fault.NotFound, "there is no net %s", name)
}

func (t *twin) ListNodes(ctx context.Context) ([]api.Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.nodes), t.may(ctx, access.View, "")
}

func (t *twin) Node(ctx context.Context, name string) (api.Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.nodes {
		if t.nodes[i].Name == name {
			return t.nodes[i], t.may(ctx, access.View, "")
		}
	}
	return api.Node{}, fault.Newf(fault.NotFound, "there is no node %s", name)
}

func (t *twin) LabelNode(ctx context.Context, name string, set map[string]string) (api.Node, error) {
	return t.steer(ctx, name, fmt.Sprintf("label %s %v", name, set))
}

func (t *twin) ControlNode(ctx context.Context, name, verb string) (api.Node, error) {
	return t.steer(ctx, name, verb+" "+name)
}

func (t *twin) EnrolNode(ctx context.Context, name string, o api.EnrolNode) (api.Node, error) {
	return t.steer(ctx, name, fmt.Sprintf("enrol %s at %s by %s %v", name, o.Address, o.Code, o.Labels))
}

func (t *twin) steer(ctx context.Context, name, call string) (api.Node, error) {
	if err := t.may(ctx, access.ManageNodes, ""); err != nil {
		return api.Node{}, err
	}
	t.asked(call, func() {})
	return t.Node(ctx, name)
}

func (t *twin) CreateToken(ctx context.Context, order api.CreateToken) (api.NewToken, error) {
	if err := t.may(ctx, access.ManageNodes, ""); err != nil {
		return api.NewToken{}, err
	}
	t.asked(fmt.Sprintf("token %s %v", order.Name, order.Labels), func() {})
	made := api.Token{ID: "t9", Kind: order.Kind, Name: order.Name, Labels: order.Labels, Expires: t.now.Add(15 * time.Minute), State: "valid"}
	return api.NewToken{Token: made, Secret: "reeve-join-0123456789abcdef"}, nil
}

func (t *twin) ListTokens(ctx context.Context) ([]api.Token, error) {
	return t.tokens, t.may(ctx, access.ManageNodes, "")
}

func (t *twin) RevokeToken(ctx context.Context, id string) (api.Token, error) {
	if err := t.may(ctx, access.ManageNodes, ""); err != nil {
		return api.Token{}, err
	}
	t.asked("revoke "+id, func() {})
	return api.Token{ID: id}, nil
}

func (t *twin) ListUsers(ctx context.Context) ([]api.User, error) {
	return t.people, t.may(ctx, access.ManageUsers, "")
}

func (t *twin) CreateUser(ctx context.Context, u api.SaveUser) (api.User, error) {
	return t.saveUser(ctx, "create", u)
}

func (t *twin) ChangeUser(ctx context.Context, u api.SaveUser) (api.User, error) {
	return t.saveUser(ctx, "change", u)
}

func (t *twin) saveUser(ctx context.Context, what string, u api.SaveUser) (api.User, error) {
	if err := t.may(ctx, access.ManageUsers, ""); err != nil {
		return api.User{}, err
	}
	call := what + " " + u.Name
	if u.Disabled != nil {
		call += fmt.Sprintf(" disabled=%v", *u.Disabled)
	}
	if u.Permissions != nil {
		call += fmt.Sprintf(" permissions=%v", *u.Permissions)
	}
	if u.Password != nil {
		call += " password"
	}
	t.asked(call, func() {})
	return api.User{Name: u.Name}, nil
}

func (t *twin) DeleteUser(ctx context.Context, name string) error {
	if err := t.may(ctx, access.ManageUsers, ""); err != nil {
		return err
	}
	t.asked("delete "+name, func() {})
	return nil
}

func (t *twin) Self(ctx context.Context) (access.Subject, error) { return api.SubjectOf(ctx), nil }

func (t *twin) ListAudit(ctx context.Context, before int64, limit int) ([]api.AuditRecord, error) {
	out := []api.AuditRecord{}
	for _, r := range t.records {
		if (before == 0 || r.ID < before) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, t.may(ctx, access.Audit, "")
}

func (t *twin) Domain(ctx context.Context) (api.DomainInfo, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.domain, t.may(ctx, access.View, "")
}

func (t *twin) ControlDomain(ctx context.Context, verb, reason string) (api.DomainInfo, error) {
	if err := t.may(ctx, access.Control, ""); err != nil {
		return api.DomainInfo{}, err
	}
	t.asked("domain "+verb+" "+reason, func() {
		t.domain.Held = nil
		if verb == "hold" {
			t.domain.Held = &reason
		}
	})
	return t.domain, nil
}

func (t *twin) Doors(ctx context.Context) ([]api.Door, error) {
	return t.doors, t.may(ctx, access.View, "")
}

func (t *twin) Plan(ctx context.Context) (api.PlanInfo, error) {
	return t.plan, t.may(ctx, access.View, "")
}

func (t *twin) CompiledPlan(ctx context.Context) (json.RawMessage, error) {
	return json.RawMessage("{}"), t.may(ctx, access.View, "")
}

func (t *twin) WhyPort(ctx context.Context, what string) (ports.Explanation, error) {
	return explained(what), t.may(ctx, access.View, "")
}

func (t *twin) SizePool(ctx context.Context, q api.PoolNeed) (api.PoolSize, error) {
	return api.PoolSize{Ports: q.Parallel + 120, Formula: "P + ceil(R H)"}, t.may(ctx, access.View, "")
}

func (t *twin) PlanDocument(ctx context.Context, q api.PlanDocument) (api.Document, error) {
	doc := api.Document{Name: q.Target, Type: "text/plain; charset=utf-8", Text: "rendered " + q.Target}
	if q.Target == "zones" {
		doc.Type, doc.Text = "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 120" width="900" height="120"><rect x="10" y="30" width="200" height="60" fill="none" stroke="#333"/><text x="30" y="65">core</text></svg>`
	}
	return doc, t.may(ctx, access.View, "")
}

func (t *twin) Leases(ctx context.Context) ([]api.Lease, error) {
	return t.leases, t.may(ctx, access.View, "")
}

func (t *twin) PlanChange(ctx context.Context) (api.PlanChange, error) {
	return t.ports, t.may(ctx, access.View, "")
}

func (t *twin) BeginPlanChange(ctx context.Context, _ api.BeginPlanChange) (api.PlanChange, error) {
	return t.changed(ctx, "begin")
}

func (t *twin) CommitPlanChange(ctx context.Context, _ api.CommitPlanChange) (api.PlanChange, error) {
	return t.changed(ctx, "commit")
}

func (t *twin) CancelPlanChange(ctx context.Context) (api.PlanChange, error) {
	return t.changed(ctx, "cancel")
}

func (t *twin) changed(ctx context.Context, what string) (api.PlanChange, error) {
	if err := t.may(ctx, access.ManagePorts, ""); err != nil {
		return api.PlanChange{}, err
	}
	t.asked(what+" change of ports", func() {})
	return t.ports, nil
}

func (t *twin) ReleaseLease(ctx context.Context, id string) error {
	if err := t.may(ctx, access.ManagePorts, ""); err != nil {
		return err
	}
	t.asked("release lease "+id, func() {})
	return nil
}

func (t *twin) CheckHost(ctx context.Context) ([]api.HostFinding, error) {
	return t.checked, t.may(ctx, access.ManagePorts, "")
}

func (t *twin) Verify(ctx context.Context, order api.VerifyOrder) (api.Verification, error) {
	if err := t.may(ctx, access.ManagePorts, ""); err != nil {
		return api.Verification{}, err
	}
	t.asked(fmt.Sprintf("verify %+v", order), func() { t.verify = api.Verification{ID: "v1", State: "running", Done: 3, Total: 12, Order: order} })
	return t.verify, nil
}

func (t *twin) Verification(ctx context.Context, id string) (api.Verification, error) {
	if t.verify.ID == "" || id != "last" && id != t.verify.ID {
		return api.Verification{}, fault.New(fault.NotFound, "there is no verification "+id, "")
	}
	return t.verify, t.may(ctx, access.View, "")
}

func (t *twin) CancelVerification(ctx context.Context, id string) error {
	if err := t.may(ctx, access.ManagePorts, ""); err != nil {
		return err
	}
	t.asked("cancel verification "+id, func() { t.verify.State = "cancelled" })
	return nil
}

func (t *twin) ListProofs(ctx context.Context, q api.ProofQuery) ([]api.Proof, error) {
	return slices.DeleteFunc(slices.Clone(t.proofs), func(p api.Proof) bool {
		return q.From != "" && p.From != q.From || q.To != "" && p.To != q.To || q.Expect != "" && p.Expect != q.Expect || q.Flow != "" && p.Flow != q.Flow && !strings.HasPrefix(p.Flow, q.Flow+".")
	}), t.may(ctx, access.View, "")
}

func (t *twin) ProofHistory(ctx context.Context, _ api.ProofQuery) ([]api.Proof, error) {
	return t.history, t.may(ctx, access.View, "")
}

func (t *twin) ProofMap(ctx context.Context) (api.ProofMap, error) {
	return t.ways, t.may(ctx, access.View, "")
}

func (t *twin) ListSilences(ctx context.Context) ([]api.Silence, error) {
	return t.quiet, t.may(ctx, access.View, "")
}

func (t *twin) UnusedOpenings(ctx context.Context) ([]api.UnusedOpening, error) {
	return t.unused, t.may(ctx, access.View, "")
}

func (t *twin) Watch(ctx context.Context, run string, emit func(api.Change) error) error {
	t.mu.Lock()
	seen := t.rev
	t.mu.Unlock()
	for {
		t.mu.Lock()
		rev, moved := t.rev, t.moved
		t.mu.Unlock()
		if rev != seen {
			seen = rev
			if err := emit(api.Change{Kind: "run", ID: run}); err != nil {
				return err
			}
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *twin) Backup(context.Context, io.Writer) error { return nil }
