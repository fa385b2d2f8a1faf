package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/store"
)

func testNets(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Net(ctx, "a", 0)
	wantNotFound(t, "net", err)
	_, err = s.NetVersions(ctx, "a")
	wantNotFound(t, "versions", err)
	version := func(name string, n int) store.NetVersion {
		return store.NetVersion{Name: name, Version: n, Hash: fmt.Sprint("hash", n), Text: fmt.Sprintf("net: %s # %d", name, n), Applied: day(), By: "ann"}
	}
	apply := func(v ...store.NetVersion) error {
		_, err := s.Commit(ctx, store.Batch{Epoch: 1, Nets: v})
		return err
	}
	if err := apply(version("f/b", 1), version("f/a", 1), version("f/a", 2), version("f0", 1), version("f", 1)); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, apply(version("f/c", 1), version("f/a", 2)), "net", "f/a")
	if err := apply(version("f/a", 3)); err != nil {
		t.Fatal(err)
	}
	same(t, "newest", must[store.NetVersion](t)(s.Net(ctx, "f/a", 0)), version("f/a", 3))
	same(t, "second", must[store.NetVersion](t)(s.Net(ctx, "f/a", 2)), version("f/a", 2))
	_, err = s.Net(ctx, "f/a", 4)
	wantNotFound(t, "version 4", err)
	newest := must[[]store.NetVersion](t)(s.NewestNets(ctx, "", 100))
	for i := range newest {
		same(t, "newest of each", newest[i], must[store.NetVersion](t)(s.Net(ctx, newest[i].Name, 0)))
	}
	same(t, "a page", must[[]store.NetVersion](t)(s.NewestNets(ctx, newest[0].Name, 1)), newest[1:2])
	same(t, "behind the last", len(must[[]store.NetVersion](t)(s.NewestNets(ctx, newest[len(newest)-1].Name, 1))), 0)
	same(t, "versions", must[[]store.NetVersion](t)(s.NetVersions(ctx, "f/a")), []store.NetVersion{version("f/a", 3), version("f/a", 2), version("f/a", 1)})
	names := func(folder string) (out []string) {
		for _, v := range must[[]store.NetVersion](t)(s.ListNets(ctx, folder)) {
			out = append(out, fmt.Sprintf("%s@%d %s", v.Name, v.Version, v.Hash))
		}
		return out
	}
	same(t, "all", names(""), []string{"f@1 hash1", "f/a@3 hash3", "f/b@1 hash1", "f0@1 hash1"})
	same(t, "below f", names("f"), []string{"f/a@3 hash3", "f/b@1 hash1"})
}

func testNodes(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(n store.Node) error {
		_, err := s.Commit(ctx, store.Batch{Epoch: 1, Nodes: []store.NodeWrite{{Node: n}}})
		return err
	}
	_, err := s.NodeByName(ctx, "north")
	wantNotFound(t, "node", err)
	north := store.Node{
		Addresses: []string{"north.example.com", "10.2.0.1:9327"}, Found: "10.2.0.1",
		ID: "id1", Name: "north", Role: "agent", Kind: "desk", Labels: map[string]string{"site": "n"}, Facts: map[string]string{"host.os": "linux"},
		KeyHash: "k", Version: "1", Slots: 8, Joined: day(), Seen: day().Add(time.Minute), Renewals: 2, Recovered: 1, Drained: "ann",
	}
	if err := put(north); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, put(north), "node", "id1")
	north.Rev = 1
	same(t, "by id", must[store.Node](t)(s.Node(ctx, "id1")), north)
	// A name is borne by one node at a time.
	wantConflict(t, put(store.Node{ID: "id2", Name: "north"}), "node", "id2")
	if err := put(store.Node{ID: "id2", Name: "east"}); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, put(store.Node{ID: "id2", Name: "north", Rev: 1}), "node", "id2")
	wantConflict(t, put(store.Node{ID: "id2", Name: "east", Rev: 2}), "node", "id2")

	same(t, "what a desk agent and an agent play", []string{string(north.Plays()), string(store.Node{Role: "agent"}.Plays())}, []string{"desk", "agent"})
	gone := north
	gone.Removed, gone.Labels, gone.Kind = day(), nil, ""
	if err := put(gone); err != nil {
		t.Fatal(err)
	}
	gone.Rev = 2
	same(t, "removed", must[store.Node](t)(s.Node(ctx, "id1")), gone)
	_, err = s.NodeByName(ctx, "north")
	wantNotFound(t, "removed node by name", err)
	if err := put(store.Node{ID: "id3", Name: "north"}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, n := range must[[]store.Node](t)(s.ListNodes(ctx)) {
		ids = append(ids, n.ID)
	}
	same(t, "by name, without the removed", ids, []string{"id2", "id3"})
}

func testTokens(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(v store.Token) error {
		_, err := s.Commit(ctx, store.Batch{Epoch: 1, Tokens: []store.TokenWrite{{Token: v}}})
		return err
	}
	_, err := s.Token(ctx, "t1")
	wantNotFound(t, "token", err)
	one := store.Token{
		ID: "t1", Kind: "agent", Name: "north", Hash: "secret", Labels: map[string]string{"a": "b"}, Scope: []string{"view", "run"},
		Folder: "f", Owner: "ann", By: "bob", Created: day(), Expires: day().Add(time.Hour),
	}
	if err := put(one); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, put(one), "token", "t1")
	one.Rev = 1
	same(t, "token", must[store.Token](t)(s.Token(ctx, "t1")), one)
	used := one
	used.Used, used.UsedBy, used.Revoked = day(), "key", day().Add(time.Second)
	if err := put(used); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, put(used), "token", "t1") // used once: the second joiner of a race is told so
	used.Rev = 2
	same(t, "used", must[store.Token](t)(s.Token(ctx, "t1")), used)
	if err := put(store.Token{ID: "t0", Kind: "api", Hash: "secret", Created: day().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	list := func(kind string) (out []string) {
		for _, v := range must[[]store.Token](t)(s.ListTokens(ctx, kind)) {
			out = append(out, v.ID+v.Hash)
		}
		return out
	}
	same(t, "all, oldest first, without hashes", list(""), []string{"t1", "t0"})
	same(t, "of a kind", list("api"), []string{"t0"})
}

func testPeople(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(w store.UserWrite) error {
		_, err := s.Commit(ctx, store.Batch{Epoch: 1, Users: []store.UserWrite{w}})
		return err
	}
	session := func(w store.SessionWrite) {
		t.Helper()
		commit(t, s, store.Batch{Epoch: 1, Sessions: []store.SessionWrite{w}})
	}
	ann := store.User{Name: "ann", FullName: "Ann B", Password: "$argon2id$", Permissions: []string{"view"}, Folder: "f", Disabled: true, Created: day(), Changed: day()}
	if err := put(store.UserWrite{User: ann}); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, put(store.UserWrite{User: ann}), "user", "ann")
	ann.Rev = 1
	same(t, "user", must[store.User](t)(s.User(ctx, "ann")), ann)
	ann.Disabled, ann.Permissions = false, nil
	if err := put(store.UserWrite{User: ann}); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, put(store.UserWrite{User: ann}), "user", "ann")
	if err := put(store.UserWrite{User: store.User{Name: "aaa"}}); err != nil {
		t.Fatal(err)
	}
	users := must[[]store.User](t)(s.ListUsers(ctx))
	if len(users) != 2 || users[0].Name != "aaa" {
		t.Errorf("users by name: got %+v", users)
	}

	one := store.Session{Hash: "h1", User: "ann", Created: day(), Seen: day(), Address: "10.0.0.1"}
	session(store.SessionWrite{Session: one})
	session(store.SessionWrite{Session: store.Session{Hash: "h2", User: "aaa"}})
	one.Seen = day().Add(time.Hour)
	session(store.SessionWrite{Session: one}) // the last write stands
	same(t, "session", must[store.Session](t)(s.Session(ctx, "h1")), one)

	wantConflict(t, put(store.UserWrite{User: ann, Delete: true}), "user", "ann") // decided on revision 1
	ann.Rev = 2
	if err := put(store.UserWrite{User: ann, Delete: true}); err != nil {
		t.Fatal(err)
	}
	_, err := s.User(ctx, "ann")
	wantNotFound(t, "deleted user", err)
	_, err = s.Session(ctx, "h1")
	wantNotFound(t, "session of a deleted user", err)
	session(store.SessionWrite{Session: store.Session{Hash: "h2"}, Delete: true})
	session(store.SessionWrite{Session: store.Session{Hash: "h2"}, Delete: true})
	_, err = s.Session(ctx, "h2")
	wantNotFound(t, "deleted session", err)
}

func testAudit(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i := range 25 {
		commit(t, s, store.Batch{Epoch: 1, Audit: []store.AuditRecord{{
			At: day(), By: "ann", From: "local", Action: "net.apply", Object: fmt.Sprint(i), Detail: "d",
		}}})
	}
	var got []string
	last := int64(0)
	for {
		page := must[[]store.AuditRecord](t)(s.ListAudit(ctx, last, 10))
		if len(page) == 0 {
			break
		}
		for _, a := range page {
			if last != 0 && a.ID >= last {
				t.Errorf("record %d after %d: want newest first", a.ID, last)
			}
			last = a.ID
			got = append(got, a.Object)
			same(t, "record", a, store.AuditRecord{ID: a.ID, At: day(), By: "ann", From: "local", Action: "net.apply", Object: a.Object, Detail: "d"})
		}
	}
	if len(got) != 25 || got[0] != "24" || got[24] != "0" {
		t.Errorf("audit trail: got %v", got)
	}
}
