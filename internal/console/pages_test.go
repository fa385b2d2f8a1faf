package console

import (
	"crypto/subtle"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	testCookie   = "reeve-test"
	testPassword = "correct horse battery"
)

// admin may do everything.
func admin() access.Subject {
	return access.Subject{Name: "mara", Permissions: access.Permissions(), Address: "127.0.0.1"}
}

// site is a console over a twin, as a server would mount it.
type site struct {
	*httptest.Server
	twin *twin
}

// open serves a console whose sessions are names of subjects.
func open(t *testing.T, tw *twin, subjects ...access.Subject) *site {
	t.Helper()
	return openWith(t, tw, func(*Config) {}, subjects...)
}

// openWith is open with something changed.
func openWith(t *testing.T, tw *twin, change func(*Config), subjects ...access.Subject) *site {
	t.Helper()
	cfg := Config{
		Service: tw, StreamLife: time.Minute, Zones: goZones{},
		Login: func(_ *http.Request, name, password string) (*http.Cookie, error) {
			for _, s := range subjects {
				if s.Name == name && subtle.ConstantTimeCompare([]byte(password), []byte(testPassword)) == 1 {
					return &http.Cookie{Name: testCookie, Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}, nil
				}
			}
			return nil, fault.New(fault.Unauthenticated, "wrong name or password", "")
		},
		Logout: func(*http.Request) *http.Cookie { return &http.Cookie{Name: testCookie, Path: "/", MaxAge: -1} },
	}
	change(&cfg)
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(testCookie); err == nil {
			for _, s := range subjects {
				if s.Name == c.Value {
					r = r.WithContext(api.WithSubject(r.Context(), s))
				}
			}
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return &site{Server: srv, twin: tw}
}

// as returns a client with the session of a subject; "" is nobody. It follows no redirects.
func (s *site) as(t *testing.T, name string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		jar.SetCookies(u, []*http.Cookie{{Name: testCookie, Value: name, Path: "/"}})
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// goZones are the zones that the test's Go knows.
type goZones struct{}

func (goZones) Location(name string) (*time.Location, bool) {
	loc, err := time.LoadLocation(name)
	return loc, err == nil && name != "Local"
}

func (goZones) Names() []string { return []string{"Europe/Berlin", "Europe/Stockholm", "UTC"} }
