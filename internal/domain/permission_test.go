package domain_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// call is a method of the service with what it needs.
type call struct {
	needs  []access.Permission // in the folder "mine", or in the whole domain
	folder bool                // it is about a net: who is confined to its folder may
	known  bool                // everybody who is known may
	do     func(ctx context.Context) error
}

// calls are all methods of api.Service, about things in the folder "mine" that are there.
func calls(s *site, id string) map[string]call {
	svc, text := s.service, "net: mine/fresh\njobs: [{name: a, command: [\"true\"], run_as: batch}]\n"
	str := "correct horse battery"
	all := timeCalls(s)
	maps.Copy(all, calendarCalls(s))
	maps.Copy(all, map[string]call{
		"StartRun": {[]access.Permission{access.Run}, true, false, func(ctx context.Context) error {
			_, err := svc.StartRun(ctx, api.StartRun{Net: "mine/one"})
			return err
		}},
		"Run":        {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Run(ctx, id); return err }},
		"ListRuns":   {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ListRuns(ctx, api.RunQuery{}); return err }},
		"ControlRun": {[]access.Permission{access.Control}, true, false, func(ctx context.Context) error { _, err := svc.ControlRun(ctx, id, "hold"); return err }},
		"RerunRun":   {[]access.Permission{access.Run}, true, false, func(ctx context.Context) error { _, err := svc.RerunRun(ctx, id); return err }},
		"CallBack": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.CallBack(ctx, id, api.CallBack{})
			return but(err, fault.Invalid)
		}},
		"DecideJob": {[]access.Permission{access.Control}, true, false, func(ctx context.Context) error {
			_, err := svc.DecideJob(ctx, id, "a", api.Decision{As: "failed"})
			return but(err, fault.Conflict)
		}},
		"Why": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Why(ctx, id, ""); return err }},
		"Logs": {[]access.Permission{access.ViewLog}, true, false, func(ctx context.Context) error {
			return svc.Logs(ctx, api.LogQuery{Run: id}, func(api.Log) error { return nil })
		}},
		"ApplyNets": {[]access.Permission{access.Define, access.DefineCommand, access.GrantRunAs}, true, false, func(ctx context.Context) error {
			_, err := svc.ApplyNets(ctx, "x", []byte(text), true)
			return err
		}},
		"ListNets":  {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ListNets(ctx, ""); return err }},
		"Net":       {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Net(ctx, "mine/one", 0); return err }},
		"ListNodes": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ListNodes(ctx); return err }},
		"Node":      {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Node(ctx, "north"); return err }},
		"LabelNode": {[]access.Permission{access.ManageNodes}, false, false, func(ctx context.Context) error {
			_, err := svc.LabelNode(ctx, "north", map[string]string{"a": "b"})
			return err
		}},
		"ControlNode": {[]access.Permission{access.ManageNodes}, false, false, func(ctx context.Context) error { _, err := svc.ControlNode(ctx, "north", "drain"); return err }},
		"EnrolNode": {[]access.Permission{access.ManageNodes}, false, false, func(ctx context.Context) error {
			_, err := svc.EnrolNode(ctx, "west", api.EnrolNode{Address: "10.2.0.1", Code: "none"})
			return but(err, fault.Invalid)
		}},
		"Directory": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Directory(ctx); return err }},
		"Discover": {[]access.Permission{access.ManageNodes}, false, false, func(ctx context.Context) error {
			_, err := svc.Discover(ctx, api.Discover{Subnets: []string{"10.2.0.0/24"}})
			return err
		}},
		"remove": {[]access.Permission{access.ManageNodes}, false, false, func(ctx context.Context) error {
			_, err := svc.ControlNode(ctx, "nobody", "remove")
			return but(err, fault.NotFound)
		}},
		"CreateToken agent": {[]access.Permission{access.ManageNodes}, false, false, func(ctx context.Context) error {
			_, err := svc.CreateToken(ctx, api.CreateToken{Kind: "agent", Name: "west"})
			return err
		}},
		"CreateToken api": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.CreateToken(ctx, api.CreateToken{Kind: "api", Name: "tool", Scope: []string{"view"}, Folder: "mine"})
			return err
		}},
		"ListTokens": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ListTokens(ctx); return err }},
		"RevokeToken": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.RevokeToken(ctx, "none")
			return but(err, fault.NotFound)
		}},
		"ListUsers": {[]access.Permission{access.ManageUsers}, false, false, func(ctx context.Context) error { _, err := svc.ListUsers(ctx); return err }},
		"CreateUser": {[]access.Permission{access.ManageUsers}, false, false, func(ctx context.Context) error {
			_, err := svc.CreateUser(ctx, api.SaveUser{Name: "x!", Password: &str})
			return but(err, fault.Invalid)
		}},
		"ChangeUser": {[]access.Permission{access.ManageUsers}, false, false, func(ctx context.Context) error {
			_, err := svc.ChangeUser(ctx, api.SaveUser{Name: "none", Password: &str})
			return but(err, fault.NotFound)
		}},
		"DeleteUser":    {[]access.Permission{access.ManageUsers}, false, false, func(ctx context.Context) error { return but(svc.DeleteUser(ctx, "none"), fault.NotFound) }},
		"Self":          {nil, true, true, func(ctx context.Context) error { _, err := svc.Self(ctx); return err }},
		"ListAudit":     {[]access.Permission{access.Audit}, false, false, func(ctx context.Context) error { _, err := svc.ListAudit(ctx, 0, 10); return err }},
		"Domain":        {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Domain(ctx); return err }},
		"ControlDomain": {[]access.Permission{access.Control}, false, false, func(ctx context.Context) error { _, err := svc.ControlDomain(ctx, "release", ""); return err }},
		"Doors":         {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Doors(ctx); return err }},
		"Plan":          {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Plan(ctx); return err }},
		"CompiledPlan":  {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.CompiledPlan(ctx); return err }},
		"WhyPort": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.WhyPort(ctx, "none")
			return but(err, fault.NotFound)
		}},
		"SizePool": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.SizePool(ctx, api.PoolNeed{Parallel: 1, Duration: time.Second})
			return err
		}},
		"PlanDocument": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.PlanDocument(ctx, api.PlanDocument{Target: "none"})
			return but(err, fault.NotFound)
		}},
		"Leases":     {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.Leases(ctx); return err }},
		"PlanChange": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.PlanChange(ctx); return err }},
		"BeginPlanChange": {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error {
			_, err := svc.BeginPlanChange(ctx, api.BeginPlanChange{Within: 60})
			return err
		}},
		"CommitPlanChange": {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error {
			_, err := svc.CommitPlanChange(ctx, api.CommitPlanChange{})
			return err
		}},
		"CancelPlanChange": {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error {
			_, err := svc.CancelPlanChange(ctx)
			return err
		}},
		"ReleaseLease": {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error { return but(svc.ReleaseLease(ctx, "none"), fault.NotFound) }},
		"Verify": {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error {
			_, err := svc.Verify(ctx, api.VerifyOrder{})
			return but(err, fault.Busy)
		}},
		"Verification": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error {
			_, err := svc.Verification(ctx, "none")
			return but(err, fault.NotFound)
		}},
		"CancelVerification": {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error {
			return but(svc.CancelVerification(ctx, "none"), fault.NotFound)
		}},
		"ListProofs":     {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ListProofs(ctx, api.ProofQuery{}); return err }},
		"ProofMap":       {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ProofMap(ctx); return err }},
		"ProofHistory":   {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ProofHistory(ctx, api.ProofQuery{}); return err }},
		"ListSilences":   {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.ListSilences(ctx); return err }},
		"UnusedOpenings": {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { _, err := svc.UnusedOpenings(ctx); return err }},
		"CheckHost":      {[]access.Permission{access.ManagePorts}, false, false, func(ctx context.Context) error { _, err := svc.CheckHost(ctx); return err }},
		"Watch":          {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { return first(svc.Watch(ctx, "", enough)) }},
		"Watch run":      {[]access.Permission{access.View}, true, false, func(ctx context.Context) error { return first(svc.Watch(ctx, id, enough)) }},
		"Backup":         {access.Permissions(), false, false, func(ctx context.Context) error { return svc.Backup(ctx, io.Discard) }},
	})
	return all
}

// but takes an error of a kind as success: the permission was there, and the thing not.
func but(err error, kind fault.Kind) error {
	if fault.Is(err, kind) {
		return nil
	}
	return err
}

func enough(api.Change) error { return errEnough }

func first(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// TestPermissions asks every method as nobody, with all it needs, with one permission missing, with all others, and
// from another folder.
func TestPermissions(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.agent("north", 1)
	s.net("mine/one")
	id := s.start("mine/one").ID
	for name, c := range calls(s, id) {
		if err := c.do(t.Context()); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s as nobody: got %v, want unauthenticated", name, err)
		}
		if err := c.do(s.as("", c.needs...)); err != nil {
			t.Errorf("%s with what it needs: %v", name, err)
		}
		if err := c.do(s.as("mine", c.needs...)); (err == nil) != c.folder || err != nil && !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s by who is confined to its folder: %v; allowed: %v", name, err, c.folder)
		}
		if c.known {
			continue
		}
		for i := range c.needs {
			if err := c.do(s.as("", slices.Delete(slices.Clone(access.Permissions()), slices.Index(access.Permissions(), c.needs[i]), slices.Index(access.Permissions(), c.needs[i])+1)...)); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s with everything but %s: got %v, want forbidden", name, c.needs[i], err)
			}
		}
	}
}

// TestOtherFolder: what is in another folder is neither shown nor listed, started, steered, defined or followed.
func TestOtherFolder(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, net := range []string{"mine/one", "mine/deep/two", "mineral/three", "other/four"} {
		s.start(s.net(net))
	}
	foreign := s.start("other/four").ID
	who := s.as("mine", access.Permissions()...)
	for name, c := range calls(s, foreign) {
		switch name {
		case "Run", "ControlRun", "RerunRun", "CallBack", "DecideJob", "Why", "Logs", "Watch run":
			if err := c.do(who); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s of another folder's run: got %v, want forbidden", name, err)
			}
		}
	}
	nets, err := s.service.ListNets(who, "")
	if err != nil || len(nets) != 2 || nets[0].Name != "mine/deep/two" || nets[1].Name != "mine/one" {
		t.Errorf("nets: got %+v, %v", nets, err)
	}
	for _, q := range []api.RunQuery{{}, {Folder: "mine"}, {Net: "other/four"}, {Net: "mineral/three", Folder: "mine"}} {
		runs, err := s.service.ListRuns(who, q)
		if err != nil {
			t.Errorf("%+v: %v", q, err)
		}
		for _, r := range runs {
			if r.Net != "mine/one" && r.Net != "mine/deep/two" {
				t.Errorf("%+v lists a run of %s", q, r.Net)
			}
		}
		if want := map[string]int{"": 2}[q.Net]; len(runs) != want {
			t.Errorf("%+v: got %d runs, want %d", q, len(runs), want)
		}
	}
	for name, do := range map[string]func() error{
		"list nets": func() error { _, err := s.service.ListNets(who, "other"); return err },
		"list runs": func() error { _, err := s.service.ListRuns(who, api.RunQuery{Folder: "mineral"}); return err },
		"net":       func() error { _, err := s.service.Net(who, "mineral/three", 0); return err },
		"start":     func() error { _, err := s.service.StartRun(who, api.StartRun{Net: "mineral/three"}); return err },
		"apply": func() error {
			_, err := s.service.ApplyNets(who, "x", []byte("net: mine/ok\njobs: [{name: a, command: [\"true\"]}]\n---\nnet: other/x\njobs: [{name: a, command: [\"true\"]}]\n"), false)
			return err
		},
		"token": func() error {
			_, err := s.service.CreateToken(who, api.CreateToken{Kind: "api", Name: "t", Scope: []string{"run"}, Folder: "other"})
			return err
		},
	} {
		if err := do(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s in another folder: got %v, want forbidden", name, err)
		}
	}
	if _, err := s.service.Net(s.admin(), "mine/ok", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("a refused file left a net: %v", err)
	}
}
