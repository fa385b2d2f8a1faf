package access_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestLoginBeginsASession(t *testing.T) {
	t.Parallel()
	g, dir, _ := town(t)
	l := login(t, g)

	for name, r := range map[string]*http.Request{"cookie": withCookie(t, l), "bearer": withBearer(t, l.Bearer())} {
		s, err := g.Authenticate(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Name != "ann" || s.Folder != "census" || s.Address != "192.0.2.1" || s.Token != "" {
			t.Errorf("%s: got %+v", name, s)
		}
		if want := []access.Permission{access.View, access.Run}; !slices.Equal(s.Permissions, want) {
			t.Errorf("%s: got permissions %v, want %v: unknown words grant nothing", name, s.Permissions, want)
		}
	}
	for hash := range dir.sessions {
		if hash == l.Secret || len(hash) != 64 {
			t.Errorf("the session is stored as %q, want a hash", hash)
		}
	}
}

func TestLoginEndsTheSessionThatWasShown(t *testing.T) {
	t.Parallel()
	g, _, _ := town(t)
	first := login(t, g)
	second, err := g.Login(withCookie(t, first), "ann", password)
	if err != nil {
		t.Fatal(err)
	}
	if first.Secret == second.Secret {
		t.Error("the second login kept the session's id")
	}
	_, err = g.Authenticate(withCookie(t, first))
	wantKind(t, err, fault.Unauthenticated)
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, g *access.Gate, d *directory, c *clock, l access.Login){
		"idle": func(_ *testing.T, _ *access.Gate, _ *directory, c *clock, _ access.Login) {
			c.pass(30*time.Minute + time.Second)
		},
		"after twelve hours of use": func(t *testing.T, g *access.Gate, _ *directory, c *clock, l access.Login) {
			for range 12 * 4 {
				if _, err := g.Authenticate(withCookie(t, l)); err != nil {
					t.Fatalf("ended early: %v", err)
				}
				c.pass(15 * time.Minute)
			}
			c.pass(time.Second)
		},
		"password or permissions changed": func(_ *testing.T, _ *access.Gate, d *directory, c *clock, _ access.Login) {
			c.pass(time.Second)
			u := d.users["ann"]
			u.Changed = c.now()
			d.setUser(u)
		},
		"user disabled": func(_ *testing.T, _ *access.Gate, d *directory, _ *clock, _ access.Login) {
			u := d.users["ann"]
			u.Disabled = true
			d.setUser(u)
		},
		"user removed": func(_ *testing.T, _ *access.Gate, d *directory, _ *clock, _ access.Login) {
			delete(d.users, "ann")
		},
		"logout": func(t *testing.T, g *access.Gate, _ *directory, _ *clock, l access.Login) {
			if err := g.Logout(withCookie(t, l)); err != nil {
				t.Fatal(err)
			}
		},
		"logout by bearer": func(t *testing.T, g *access.Gate, _ *directory, _ *clock, l access.Login) {
			if err := g.Logout(withBearer(t, l.Bearer())); err != nil {
				t.Fatal(err)
			}
		},
		"clock set back far": func(_ *testing.T, _ *access.Gate, _ *directory, c *clock, _ access.Login) {
			c.pass(-24 * time.Hour)
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, dir, c := town(t)
			l := login(t, g)
			if _, err := g.Authenticate(withCookie(t, l)); err != nil {
				t.Fatalf("before: %v", err)
			}
			end(t, g, dir, c, l)
			_, err := g.Authenticate(withCookie(t, l))
			wantKind(t, err, fault.Unauthenticated)
		})
	}
}

func TestWatchingDoesNotKeepASessionAlive(t *testing.T) {
	t.Parallel()
	g, dir, c := town(t)
	l := login(t, g)
	before := dir.saves
	for range 3 {
		c.pass(9 * time.Minute)
		if _, err := g.Still(withCookie(t, l)); err != nil {
			t.Fatalf("within the idle time: %v", err)
		}
	}
	if dir.saves != before {
		t.Errorf("watching saved the session %d times, want 0", dir.saves-before)
	}
	c.pass(4 * time.Minute)
	_, err := g.Still(withCookie(t, l))
	wantKind(t, err, fault.Unauthenticated)
}

func TestWrongCredentialsAreNeverNobody(t *testing.T) {
	t.Parallel()
	g, _, _ := town(t)
	l := login(t, g)
	header := func(values ...string) *http.Request {
		r := withCookie(t, l) // a good cookie does not excuse a bad token
		for _, v := range values {
			r.Header.Add("Authorization", v)
		}
		return r
	}
	two := withCookie(t, l)
	two.AddCookie(access.Cookie("planted"))
	tests := map[string]*http.Request{
		"nothing":         request(t, "192.0.2.1:1"),
		"basic":           header("Basic YW5uOnB3"),
		"empty":           header(""),
		"empty bearer":    header("Bearer "),
		"two tokens":      header("Bearer "+l.Bearer(), "Bearer "+l.Bearer()),
		"not ours":        header("Bearer ghp_0123456789abcdef0123456789abcdef"),
		"unknown id":      header("Bearer " + access.FormatToken("nobody", "0123456789abcdef0123456789abcdef")),
		"wrong session":   header("Bearer " + access.FormatToken("session", "0123456789abcdef0123456789abcdef")),
		"null":            header("Bearer null"),
		"two cookies":     two,
		"hash as session": withCookie(t, access.Login{Secret: access.HashSecret(l.Secret)}),
		"empty cookie":    withCookie(t, access.Login{}),
	}
	for name, r := range tests {
		s, err := g.Authenticate(r)
		if err == nil || !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: got %v, want Unauthenticated", name, err)
		}
		if s.Name != "" || s.Permissions != nil {
			t.Errorf("%s: got subject %+v, want nobody", name, s)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		change     func(t *access.Token, u *access.User, c *clock)
		want       []access.Permission
		wantFolder string
		refused    bool
	}{
		"lends what its owner may":      {want: []access.Permission{access.View}, wantFolder: "census"},
		"scope beyond the owner":        {change: func(t *access.Token, _ *access.User, _ *clock) { t.Scope = access.Permissions() }, want: []access.Permission{access.View, access.Run}, wantFolder: "census"},
		"empty scope":                   {change: func(t *access.Token, _ *access.User, _ *clock) { t.Scope = nil }, wantFolder: "census"},
		"narrower folder":               {change: func(t *access.Token, _ *access.User, _ *clock) { t.Folder = "census/north" }, want: []access.Permission{access.View}, wantFolder: "census/north"},
		"wider folder":                  {change: func(_ *access.Token, u *access.User, _ *clock) { u.Folder = "census/south" }, want: []access.Permission{access.View}, wantFolder: "census/south"},
		"another folder":                {change: func(t *access.Token, _ *access.User, _ *clock) { t.Folder = "censuses" }, refused: true},
		"expired":                       {change: func(_ *access.Token, _ *access.User, c *clock) { c.pass(time.Hour) }, refused: true},
		"revoked":                       {change: func(t *access.Token, _ *access.User, c *clock) { t.Revoked = c.now() }, refused: true},
		"wrong secret":                  {change: func(t *access.Token, _ *access.User, _ *clock) { t.Hash = access.HashSecret(secret + "0") }, refused: true},
		"no hash":                       {change: func(t *access.Token, _ *access.User, _ *clock) { t.Hash = "" }, refused: true},
		"owner disabled":                {change: func(_ *access.Token, u *access.User, _ *clock) { u.Disabled = true }, refused: true},
		"owner gone":                    {change: func(t *access.Token, _ *access.User, _ *clock) { t.Owner = "bob" }, refused: true},
		"no owner":                      {change: func(t *access.Token, _ *access.User, _ *clock) { t.Owner = "" }, refused: true},
		"made by local administration":  {change: func(t *access.Token, _ *access.User, _ *clock) { t.Owner, t.Folder = "local:0", "" }, want: []access.Permission{access.View}},
		"owner lost what is in a scope": {change: func(_ *access.Token, u *access.User, _ *clock) { u.Permissions = []access.Permission{access.Run} }, wantFolder: "census"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, dir, c := town(t)
			tok := access.Token{ID: "T1", Hash: access.HashSecret(secret), Scope: []access.Permission{access.View}, Folder: "census", Owner: "ann", Expires: c.now().Add(time.Hour)}
			u := dir.users["ann"]
			if test.change != nil {
				test.change(&tok, &u, c)
			}
			dir.setUser(u)
			dir.tokens["T1"] = tok

			s, err := g.Authenticate(withBearer(t, access.FormatToken("T1", secret)))
			if test.refused {
				wantKind(t, err, fault.Unauthenticated)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Permissions, test.want) || s.Folder != test.wantFolder || s.Token != "T1" {
				t.Errorf("got %v below %q by %q, want %v below %q", s.Permissions, s.Folder, s.Token, test.want, test.wantFolder)
			}
		})
	}
}

func TestCookieForm(t *testing.T) {
	t.Parallel()
	got := access.Cookie("abc").String()
	want := "__Host-reeve=abc; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
