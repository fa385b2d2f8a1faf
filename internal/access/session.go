package access

import (
	"net/http"
	"time"
)

// CookieName is the session's cookie. The prefix makes browsers refuse it without Secure, with a Domain or with
// another Path, so that no neighbour site can plant one.
const CookieName = "__Host-reeve"

const (
	sessionIdle  = 30 * time.Minute
	sessionLife  = 12 * time.Hour
	touchEvery   = time.Minute // how exactly Seen is kept; each touch is a commit
	clockAllowed = time.Minute // how far ahead of the clock a session may have been made before it is void
)

// Session is a login. Only the hash of its secret is stored.
type Session struct {
	Hash    string // HashSecret of the cookie
	User    string
	Created time.Time
	Seen    time.Time
	Address string
}

// alive reports whether the session stands at now, for a user whose password or permissions changed last at changed.
func (s Session) alive(changed, now time.Time) bool {
	age, idle := now.Sub(s.Created), now.Sub(s.Seen)
	if age < -clockAllowed || age > sessionLife || idle > sessionIdle {
		return false
	}
	return !s.Created.Before(changed)
}

// Cookie returns the cookie for a session's secret.
func Cookie(secret string) *http.Cookie {
	return &http.Cookie{
		Name:     CookieName,
		Value:    secret,
		Path:     "/",
		MaxAge:   int(sessionLife / time.Second),
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// NoCookie returns the cookie that makes a browser forget its session.
func NoCookie() *http.Cookie {
	c := Cookie("")
	c.MaxAge = -1
	return c
}

// cookieOf returns the session secret that a request shows. Two of them mean that somebody planted one: then none.
func cookieOf(r *http.Request) (secret string, shown bool) {
	cookies := r.CookiesNamed(CookieName)
	if len(cookies) == 0 {
		return "", false
	}
	if len(cookies) > 1 || len(cookies[0].Value) > maxTokenText || !plain(cookies[0].Value) {
		return "", true
	}
	return cookies[0].Value, true
}
