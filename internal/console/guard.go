package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// maxForm bounds what a form may carry.
const maxForm = 256 << 10

// policy lets a page use what this console serves and nothing else: no inline script or style, no frame, no plugin.
const policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard sets the headers of every answer and refuses what a foreign page sends here.
func (c *console) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.trouble(w, r, fault.New(fault.Forbidden, "this request came from another site", "open the console itself and try again"))
	}))
	inner := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		inner.ServeHTTP(w, r)
	})
}

// open lets those in who have what the route needs, and turns errors into pages.
func (c *console) open(to route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to.need != access.Public {
			s := api.SubjectOf(r.Context())
			if s.Name == "" {
				c.askLogin(w, r)
				return
			}
			if !s.May(to.need, s.Folder) { // somewhere; the service decides about the object
				c.trouble(w, r, fault.Newf(fault.Forbidden, "%s may not do that: it needs the permission %s", s.Name, to.need))
				return
			}
		}
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				c.trouble(w, r, fault.Wrap(fault.Invalid, "reading the form", err))
				return
			}
		}
		if err := to.do(c, w, r); err != nil {
			c.trouble(w, r, err)
		}
	})
}

// askLogin sends a person to the login page, and tells a script that there is no session.
func (c *console) askLogin(w http.ResponseWriter, r *http.Request) {
	page := r.Method == http.MethodGet && r.URL.Path != "/live" && c.login != nil
	if !page {
		c.trouble(w, r, fault.New(fault.Unauthenticated, "nobody is logged in", "log in and try again"))
		return
	}
	to := "/login"
	if r.URL.Path != "/" || r.URL.RawQuery != "" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// localPath returns next where it is a path of this console, else "/": what a link says must not lead a person, who
// has just typed a password, to another site.
func localPath(next string) string {
	if len(next) > 2000 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return "/"
	}
	if strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, `/\`) {
		return "/"
	}
	if u.Path == "/login" || u.Path == "/live" {
		return "/"
	}
	return next
}
