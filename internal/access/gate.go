package access

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Directory is what a Gate asks and tells of users, sessions and tokens. What is not there is a fault of kind NotFound.
type Directory interface {
	User(ctx context.Context, name string) (User, error)
	// Token returns an API token; of another kind of token it knows nothing.
	Token(ctx context.Context, id string) (Token, error)
	// Session returns a session by its hash.
	Session(ctx context.Context, hash string) (Session, error)
	SaveSession(ctx context.Context, s Session) error
	DropSession(ctx context.Context, hash string) error
}

// User is a person who can log in.
type User struct {
	Name        string
	Password    string // of Hasher.Hash
	Permissions []Permission
	Folder      string
	Disabled    bool
	Changed     time.Time // of password or permissions: older sessions are void
}

// Token is an API token. It lends what its owner may do, less what its scope and folder leave out.
type Token struct {
	ID      string
	Hash    string // HashSecret of its secret
	Scope   []Permission
	Folder  string
	Owner   string // user, or the Name of a local subject
	Expires time.Time
	Revoked time.Time // zero: it is not
}

// Options are a Gate's. Zero values are replaced by what the comments say.
type Options struct {
	Random io.Reader        // needed: crypto/rand.Reader
	Now    func() time.Time // time.Now
	Log    *slog.Logger     // slog.Default
	Hasher *Hasher          // one that hashes 2 at a time
	Owner  *uint32          // whose local administration is allowed, beside root's: this process's user
}

// Gate answers who makes a request. Several goroutines may use it at once.
type Gate struct {
	dir      Directory
	random   io.Reader
	now      func() time.Time
	log      *slog.Logger
	hasher   *Hasher
	owner    uint32
	throttle *throttle
	sessions sync.Mutex // held while a session is touched or dropped, so that a touch cannot bring one back
}

// NewGate returns a Gate over a directory.
func NewGate(dir Directory, o Options) *Gate {
	g := &Gate{dir: dir, random: o.Random, now: o.Now, log: o.Log, hasher: o.Hasher, owner: uint32(os.Geteuid()), throttle: newThrottle()}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.Default()
	}
	if g.hasher == nil {
		g.hasher = NewHasher(g.random, 2)
	}
	if o.Owner != nil {
		g.owner = *o.Owner
	}
	return g
}

// Login is a session that has begun: Secret goes to the client once, as a cookie or, in Bearer, as a token.
type Login struct {
	Subject Subject
	Secret  string
	Expires time.Time // at the latest
}

// Bearer returns the session as the text of a bearer token, for clients that keep no cookies.
func (l Login) Bearer() string { return FormatToken(sessionID, l.Secret) }

// Login checks name and password and begins a session, with a new secret always; a session that the request still
// shows ends. Errors: Unauthenticated, the same for a wrong password, a name that nobody bears and a disabled user;
// Busy, with a Wait, after failures.
func (g *Gate) Login(r *http.Request, name, password string) (Login, error) {
	ctx := r.Context()
	user, err := g.checkPassword(ctx, name, password, source(r.RemoteAddr))
	if err != nil {
		return Login{}, err
	}
	secret, err := NewSecret(g.random)
	if err != nil {
		return Login{}, err
	}
	if old, ok := cookieOf(r); ok && old != "" {
		if err := g.drop(ctx, old); err != nil {
			return Login{}, err
		}
	}
	now := g.now()
	s := Session{Hash: HashSecret(secret), User: user.Name, Created: now, Seen: now, Address: address(r)}
	if err := g.dir.SaveSession(ctx, s); err != nil {
		return Login{}, fmt.Errorf("saving the session: %w", err)
	}
	return Login{Subject: user.subject(address(r)), Secret: secret, Expires: now.Add(sessionLife)}, nil
}

// CheckPassword asks who is logged in already for the password once more, as slowly after failures as Login.
func (g *Gate) CheckPassword(r *http.Request, name, password string) error {
	_, err := g.checkPassword(r.Context(), name, password, source(r.RemoteAddr))
	return err
}

// Logout ends the session that the request shows. Without one it does nothing.
func (g *Gate) Logout(r *http.Request) error {
	if secret, ok := cookieOf(r); ok && secret != "" {
		return g.drop(r.Context(), secret)
	}
	if text, ok := bearerOf(r); ok {
		if id, secret, err := ParseToken(text); err == nil && id == sessionID {
			return g.drop(r.Context(), secret)
		}
	}
	return nil
}

// Authenticate returns who makes the request, by the first of: bearer token, session cookie, user at the other end of
// a Unix socket. Credentials that are shown and wrong are an error, never nobody. Errors: Unauthenticated, Forbidden
// (local, and neither this user nor root), and those of the directory.
func (g *Gate) Authenticate(r *http.Request) (Subject, error) {
	return g.identify(r, g.touch)
}

// Still is Authenticate for a request that goes on for long: it does not count as a sign of life of the session.
func (g *Gate) Still(r *http.Request) (Subject, error) {
	return g.identify(r, func(context.Context, Session) {})
}

// ByCookie reports whether a session cookie, which browsers send by themselves, is what a request would be known by.
func ByCookie(r *http.Request) bool {
	if r.Header.Get("Authorization") != "" {
		return false
	}
	_, shown := cookieOf(r)
	return shown
}

func (g *Gate) identify(r *http.Request, touch func(context.Context, Session)) (Subject, error) {
	ctx := r.Context()
	if len(r.Header.Values("Authorization")) > 0 {
		text, ok := bearerOf(r)
		if !ok {
			return Subject{}, fault.New(fault.Unauthenticated, "only bearer tokens are taken", "show one as Authorization: Bearer reeve_ID_SECRET")
		}
		id, secret, err := ParseToken(text)
		if err != nil {
			return Subject{}, err
		}
		if id == sessionID {
			return g.bySession(r, secret, touch)
		}
		return g.byToken(ctx, id, secret, address(r))
	}
	if secret, ok := cookieOf(r); ok {
		return g.bySession(r, secret, touch)
	}
	if uid, ok := peerOf(ctx); ok {
		if uid != 0 && uid != g.owner {
			return Subject{}, fault.Newf(fault.Forbidden, "local administration is for user %d and root only, not for user %d", g.owner, uid)
		}
		return Subject{Name: localPrefix + strconv.FormatUint(uint64(uid), 10), Permissions: Permissions(), Address: "local"}, nil
	}
	return Subject{}, fault.New(fault.Unauthenticated, "this needs a login", "log in, or show a token")
}

func (g *Gate) bySession(r *http.Request, secret string, touch func(context.Context, Session)) (Subject, error) {
	ctx := r.Context()
	over := fault.New(fault.Unauthenticated, "the session is over", "log in again")
	if secret == "" {
		return Subject{}, over
	}
	s, err := g.dir.Session(ctx, HashSecret(secret))
	if fault.Is(err, fault.NotFound) {
		return Subject{}, over
	} else if err != nil {
		return Subject{}, fmt.Errorf("reading the session: %w", err)
	}
	user, err := g.dir.User(ctx, s.User)
	if fault.Is(err, fault.NotFound) {
		return Subject{}, over
	} else if err != nil {
		return Subject{}, fmt.Errorf("reading the user: %w", err)
	}
	if user.Disabled || !s.alive(user.Changed, g.now()) {
		return Subject{}, over
	}
	touch(ctx, s)
	return user.subject(address(r)), nil
}

func (g *Gate) byToken(ctx context.Context, id, secret, from string) (Subject, error) {
	no := fault.New(fault.Unauthenticated, "the token is not valid", "ask for a new one: it may be wrong, expired or revoked")
	t, err := g.dir.Token(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Subject{}, fmt.Errorf("reading the token: %w", err)
	}
	if err != nil || !SameSecret(secret, t.Hash) || !t.Revoked.IsZero() || !g.now().Before(t.Expires) {
		return Subject{}, no
	}
	owner := Subject{Name: t.Owner, Permissions: Permissions()}
	if !strings.HasPrefix(t.Owner, localPrefix) {
		user, err := g.dir.User(ctx, t.Owner)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return Subject{}, fmt.Errorf("reading the token's owner: %w", err)
		}
		if err != nil || user.Disabled {
			return Subject{}, no
		}
		owner = user.subject(from)
	}
	folder, ok := narrower(owner.Folder, t.Folder)
	if !ok {
		return Subject{}, no
	}
	owner.Permissions = slices.DeleteFunc(owner.Permissions, func(p Permission) bool { return !slices.Contains(t.Scope, p) })
	owner.Token, owner.Folder, owner.Address = t.ID, folder, from
	return owner, nil
}

// checkPassword takes the same time whatever is wrong.
func (g *Gate) checkPassword(ctx context.Context, name, password, from string) (User, error) {
	if len(name) > maxName {
		name = name[:maxName] // nobody bears it; it must not fill the throttle's memory either
	}
	if wait := g.throttle.take(name, from, g.now()); wait > 0 {
		wait = wait.Round(time.Second) + time.Second
		return User{}, &fault.Error{Kind: fault.Busy, Msg: "too many failed logins", Err: Wait(wait)}
	}
	user, err := g.dir.User(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		g.throttle.undecided(name, from)
		return User{}, fmt.Errorf("reading the user: %w", err)
	}
	found := err == nil
	if !found {
		user = User{} // its empty hash is verified all the same
	}
	same, err := g.hasher.Verify(ctx, user.Password, password)
	if err != nil {
		g.throttle.undecided(name, from)
		return User{}, err
	}
	if !found || !same || user.Disabled {
		return User{}, fault.New(fault.Unauthenticated, "name or password is wrong", "try again, or ask who manages users")
	}
	g.throttle.succeeded(name, from)
	return user, nil
}

// touch keeps a session from idling out. That it cannot be saved (a full disk) must not stop who only wants to look.
func (g *Gate) touch(ctx context.Context, s Session) {
	if g.now().Sub(s.Seen) < touchEvery || !g.sessions.TryLock() {
		return
	}
	defer g.sessions.Unlock()
	s, err := g.dir.Session(ctx, s.Hash)
	if fault.Is(err, fault.NotFound) {
		return // it was ended meanwhile
	}
	if err == nil {
		s.Seen = g.now()
		err = g.dir.SaveSession(ctx, s)
	}
	if err != nil {
		g.log.LogAttrs(ctx, slog.LevelWarn, "a session's last use was not saved", slog.Any("error", err))
	}
}

func (g *Gate) drop(ctx context.Context, secret string) error {
	g.sessions.Lock()
	defer g.sessions.Unlock()
	if err := g.dir.DropSession(ctx, HashSecret(secret)); err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("ending the session: %w", err)
	}
	return nil
}
