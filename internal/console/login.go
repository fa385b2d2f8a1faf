package console

import (
	"net/http"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const themeCookie = "reeve-theme"

// loginForm is what the login page shows.
type loginForm struct {
	Name, Next, Trouble string
}

func (c *console) showLogin(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if c.login == nil {
		return fault.New(fault.NotFound, "this console has no login", "")
	}
	if api.SubjectOf(r.Context()).Name != "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	return c.page(w, r, "login", view{Title: "Log in", Data: loginForm{Next: next}})
}

func (c *console) doLogin(w http.ResponseWriter, r *http.Request) error {
	if c.login == nil {
		return fault.New(fault.NotFound, "this console has no login", "")
	}
	form := loginForm{Name: r.PostFormValue("name"), Next: localPath(r.PostFormValue("next"))}
	cookie, err := c.login(r, form.Name, r.PostFormValue("password"))
	if err == nil {
		http.SetCookie(w, cookie)
		http.Redirect(w, r, form.Next, http.StatusSeeOther)
		return nil
	}
	kind := fault.KindOf(err)
	if kind != fault.Unauthenticated && kind != fault.Forbidden && kind != fault.Busy {
		return err
	}
	// One sentence for every cause: who asks must not learn which names there are.
	form.Trouble = "Name or password is wrong."
	if kind == fault.Busy {
		form.Trouble = "Too many attempts to log in: wait a little and try again."
	}
	status, title := statusOf(kind)
	v := view{Title: title, Data: form}
	c.fill(r, &v)
	return c.write(w, status, "login", v)
}

func (c *console) doLogout(w http.ResponseWriter, r *http.Request) error {
	if c.logout != nil {
		if cookie := c.logout(r); cookie != nil {
			http.SetCookie(w, cookie)
		}
	}
	return back(w, r, "/login", "logout")
}

// theme stores which colours a person wants; "auto" follows the system.
func (c *console) theme(w http.ResponseWriter, r *http.Request) error {
	cookie := &http.Cookie{
		Name: themeCookie, Value: r.PostFormValue("theme"), Path: "/", MaxAge: 365 * 86400,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	}
	if cookie.Value != "dark" && cookie.Value != "light" {
		cookie.Value, cookie.MaxAge = "", -1
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
	return nil
}
