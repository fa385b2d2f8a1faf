package access_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// directory keeps users, sessions and tokens in memory.
type directory struct {
	mu       sync.Mutex
	users    map[string]access.User
	tokens   map[string]access.Token
	sessions map[string]access.Session
	saves    int
}

func newDirectory() *directory {
	return &directory{users: map[string]access.User{}, tokens: map[string]access.Token{}, sessions: map[string]access.Session{}}
}

func find[T any](d *directory, m map[string]T, key string) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := m[key]
	if !ok {
		return v, fault.Newf(fault.NotFound, "%s is not there", key)
	}
	return v, nil
}

func (d *directory) User(_ context.Context, name string) (access.User, error) {
	return find(d, d.users, name)
}

func (d *directory) Token(_ context.Context, id string) (access.Token, error) {
	return find(d, d.tokens, id)
}

func (d *directory) Session(_ context.Context, hash string) (access.Session, error) {
	return find(d, d.sessions, hash)
}

func (d *directory) SaveSession(_ context.Context, s access.Session) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[s.Hash] = s
	d.saves++
	return nil
}

func (d *directory) DropSession(_ context.Context, hash string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, hash)
	return nil
}

func (d *directory) setUser(u access.User) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users[u.Name] = u
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const password = "correct horse battery"

// town is a gate with one user, ann, who may view and run below "census".
func town(t *testing.T) (*access.Gate, *directory, *clock) {
	t.Helper()
	dir, c := newDirectory(), newClock()
	hasher := access.NewHasher(rand.Reader, 2)
	hash, err := hasher.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	dir.setUser(access.User{
		Name: "ann", Password: hash, Folder: "census", Changed: c.now().Add(-time.Hour),
		Permissions: []access.Permission{access.View, access.Run, "sudo", access.Public},
	})
	return access.NewGate(dir, access.Options{Random: rand.Reader, Now: c.now, Hasher: hasher}), dir, c
}

func request(t *testing.T, from string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = from
	return r
}

func login(t *testing.T, g *access.Gate) access.Login {
	t.Helper()
	l, err := g.Login(request(t, "192.0.2.1:4000"), "ann", password)
	if err != nil {
		t.Fatalf("logging in: %v", err)
	}
	return l
}

func withCookie(t *testing.T, l access.Login) *http.Request {
	t.Helper()
	r := request(t, "192.0.2.1:4001")
	r.AddCookie(access.Cookie(l.Secret))
	return r
}

func withBearer(t *testing.T, text string) *http.Request {
	t.Helper()
	r := request(t, "192.0.2.1:4002")
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want one of kind %d", err, want)
	}
}
