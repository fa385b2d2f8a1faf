package domain_test

import (
	"context"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const password = "correct horse battery"

func ptr[T any](v T) *T { return &v }

// user makes a user and returns a context in which that user asks.
func (s *site) user(name string, permissions ...access.Permission) context.Context {
	s.t.Helper()
	var names []string
	for _, p := range permissions {
		names = append(names, string(p))
	}
	if _, err := s.service.CreateUser(s.admin(), api.SaveUser{Name: name, Password: ptr(password), Permissions: &names}); err != nil {
		s.t.Fatal(err)
	}
	return api.WithSubject(s.t.Context(), access.Subject{Name: name, Permissions: permissions, Address: "test"})
}

// TestUsersGiveOnlyWhatTheyHave: managing users makes nobody more than they are.
func TestUsersGiveOnlyWhatTheyHave(t *testing.T) {
	t.Parallel()
	s := open(t)
	manager := s.user("manager", access.View, access.ManageUsers)
	s.user("boss", access.View, access.ManageUsers, access.Control)
	s.user("clerk", access.View)
	refused := map[string]func() error{
		"giving what one has not": func() error {
			_, err := s.service.ChangeUser(manager, api.SaveUser{Name: "clerk", Permissions: &[]string{"control"}})
			return err
		},
		"giving it to oneself": func() error {
			_, err := s.service.ChangeUser(manager, api.SaveUser{Name: "manager", Permissions: &[]string{"view", "control"}})
			return err
		},
		"making it": func() error {
			_, err := s.service.CreateUser(manager, api.SaveUser{Name: "new", Password: ptr(password), Permissions: &[]string{"audit"}})
			return err
		},
		"becoming who has more, by a new password": func() error {
			_, err := s.service.ChangeUser(manager, api.SaveUser{Name: "boss", Password: ptr(password)})
			return err
		},
		"deleting who has more": func() error { return s.service.DeleteUser(manager, "boss") },
	}
	for name, do := range refused {
		if err := do(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v, want forbidden", name, err)
		}
	}
	if _, err := s.service.ChangeUser(manager, api.SaveUser{Name: "clerk", Password: ptr(password), Permissions: &[]string{}}); err != nil {
		t.Errorf("changing who has less: %v", err)
	}
	if err := s.service.DeleteUser(manager, "clerk"); err != nil {
		t.Errorf("deleting who has less: %v", err)
	}
	if err := s.service.DeleteUser(manager, "manager"); !fault.Is(err, fault.Conflict) {
		t.Errorf("deleting oneself: got %v, want a conflict", err)
	}
}

// TestOwnPassword: everybody may change their own password, and by that nothing else; a token may not.
func TestOwnPassword(t *testing.T) {
	t.Parallel()
	s := open(t)
	clerk := s.user("clerk", access.View)
	if _, err := s.service.ChangeUser(clerk, api.SaveUser{Name: "clerk", Password: ptr("another horse battery")}); err != nil {
		t.Errorf("one's own password: %v", err)
	}
	if u, err := s.store.User(t.Context(), "clerk"); err != nil || u.Password != "hash of another horse battery" {
		t.Errorf("it is %q, %v", u.Password, err)
	}
	token := api.WithSubject(t.Context(), access.Subject{Name: "clerk", Token: "t1", Permissions: []access.Permission{access.View}})
	for name, err := range map[string]error{
		"another's password": second(s.service.ChangeUser(clerk, api.SaveUser{Name: "admin", Password: ptr(password)})),
		"one's own name":     second(s.service.ChangeUser(clerk, api.SaveUser{Name: "clerk", Password: ptr(password), FullName: ptr("Boss")})),
		"one's own folder":   second(s.service.ChangeUser(clerk, api.SaveUser{Name: "clerk", Folder: ptr("")})),
		"by a token":         second(s.service.ChangeUser(token, api.SaveUser{Name: "clerk", Password: ptr(password)})),
	} {
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v, want forbidden", name, err)
		}
	}
	if _, err := s.service.ChangeUser(clerk, api.SaveUser{Name: "clerk", Password: ptr("short")}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a short password: got %v, want invalid", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestTokensLendNoMore: a token lends at most what its maker has now: not by a token of a token, nor by a later user's name.
func TestTokensLendNoMore(t *testing.T) {
	t.Parallel()
	s := open(t)
	clerk := s.user("clerk", access.View, access.Run)
	for name, order := range map[string]api.CreateToken{
		"more":       {Kind: "api", Name: "t", Scope: []string{"view", "control"}},
		"no such":    {Kind: "api", Name: "t", Scope: []string{"fly"}},
		"agent's":    {Kind: "agent", Name: "west"},
		"everything": {Kind: "api", Name: "t", Scope: []string{"public"}},
	} {
		if _, err := s.service.CreateToken(clerk, order); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v, want forbidden", name, err)
		}
	}
	for name, order := range map[string]api.CreateToken{
		"no scope": {Kind: "api", Name: "t"},
		"too long": {Kind: "api", Name: "t", Scope: []string{"view"}, TTL: "100000h"},
		"negative": {Kind: "api", Name: "t", Scope: []string{"view"}, TTL: "-1h"},
	} {
		if _, err := s.service.CreateToken(clerk, order); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	made, err := s.service.CreateToken(clerk, api.CreateToken{Kind: "api", Name: "t", Scope: []string{"view"}, Folder: "mine", TTL: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(made.Expires); left < 59*time.Minute || left > time.Hour {
		t.Errorf("it is good for %v, want an hour", left)
	}
	// Who holds the token is confined, and stays so: it makes no other one, and sees and revokes only itself.
	holder := api.WithSubject(t.Context(), access.Subject{Name: "clerk", Token: made.ID, Permissions: []access.Permission{access.View}, Folder: "mine"})
	if _, err := s.service.CreateToken(holder, api.CreateToken{Kind: "api", Name: "u", Scope: []string{"view"}}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a token of a token: got %v, want forbidden", err)
	}
	other, err := s.service.CreateToken(clerk, api.CreateToken{Kind: "api", Name: "other", Scope: []string{"view"}})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.service.ListTokens(holder); err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Errorf("a token lists %+v, %v; want itself", list, err)
	}
	if _, err := s.service.RevokeToken(holder, other.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("revoking another token: got %v, want not found", err)
	}
	// With the user go the tokens: the next user of that name has nothing to do with them.
	if err := s.service.DeleteUser(s.admin(), "clerk"); err != nil {
		t.Fatal(err)
	}
	list, err := s.service.ListTokens(s.admin())
	if err != nil || len(list) != 2 {
		t.Fatalf("got %d tokens, %v; want 2", len(list), err)
	}
	for _, token := range list {
		if token.State != "revoked" {
			t.Errorf("token %s of a deleted user is %s, want revoked", token.Name, token.State)
		}
	}
}

// TestControlDomainNeedsNoView: who may hold the domain is not told, after it is done, that it is forbidden.
func TestControlDomainNeedsNoView(t *testing.T) {
	t.Parallel()
	s := open(t)
	d, err := s.service.ControlDomain(s.as("", access.Control), "hold", "storm")
	if err != nil || d.Held == nil || *d.Held != "held by somebody: storm" {
		t.Errorf("got %v, %v", d.Held, err)
	}
	if _, err := s.service.ControlDomain(s.admin(), "dance", ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
}

// TestAudit: acts leave a record; what was refused, or only looked at, does not.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.net("estate/one")
	_, _ = s.service.StartRun(s.as("", access.View), api.StartRun{Net: "estate/one"})
	id := s.start("estate/one").ID
	if _, err := s.service.ControlRun(s.admin(), id, "cancel"); err != nil {
		t.Fatal(err)
	}
	records, err := s.service.ListAudit(s.admin(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.By+" "+r.Action+" "+r.Object)
	}
	want := []string{"admin run.cancel " + id, "admin run.start " + id, "admin net.apply estate/one"}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
	older, err := s.service.ListAudit(s.admin(), records[0].ID, 1)
	if err != nil || len(older) != 1 || older[0].ID != records[1].ID {
		t.Errorf("the next page: %+v, %v", older, err)
	}
}
