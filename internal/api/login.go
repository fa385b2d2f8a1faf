package api

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Self is who asks, as the API tells it.
type Self struct {
	Name        string   `json:"name" doc:"a user's name, or local:UID"`
	Permissions []string `json:"permissions"`
	Folder      string   `json:"folder" doc:"below which nets; empty: all"`
	Token       string   `json:"token" doc:"id of the token that was shown, if one was"`
	Address     string   `json:"address" doc:"where the request came from"`
}

// Login is a request to log in.
type Login struct {
	Name     string `json:"name" minLength:"1" maxLength:"63"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
	As       string `json:"as,omitempty" enum:"session,token" doc:"session (default): a cookie; token: a bearer token in the answer, for as long as a session"`
}

// LoggedIn answers a login.
type LoggedIn struct {
	Self
	Token   string    `json:"bearer,omitempty" doc:"the bearer token, if one was asked for"`
	Expires time.Time `json:"expires" doc:"at the latest; 30 minutes without use end it sooner"`
}

func selfOf(s access.Subject) Self {
	self := Self{Name: s.Name, Folder: s.Folder, Token: s.Token, Address: s.Address}
	for _, p := range s.Permissions {
		self.Permissions = append(self.Permissions, string(p))
	}
	return self
}

func (h *Handler) loginRoutes() []entry {
	return []entry{
		handle(post("/login", "login", "Log in by name and password.").needs(access.Public, Nobody).behind("auth"), h.login),
		handle(post("/logout", "logout", "End the session that is shown.").needs(access.Known, Nobody).behind("auth"), h.logout),
		handle(get("/self", "self", "Show who asks, and what that subject may do.").needs(access.Known, Nobody).behind("auth"), h.self),
		handle(post("/self/password", "change-own-password", "Change one's own password.").needs(access.Known, Nobody).behind("auth"), h.ownPassword),
	}
}

type loginAnswer struct {
	Cookie []string `header:"Set-Cookie"`
	Body   LoggedIn
}

func (h *Handler) login(ctx context.Context, in *struct{ Body Login }) (*loginAnswer, error) {
	l, err := h.gate.Login(exchangeOf(ctx).r, in.Body.Name, in.Body.Password)
	if err != nil {
		return nil, err
	}
	out := &loginAnswer{Body: LoggedIn{Self: selfOf(l.Subject), Expires: l.Expires}}
	if in.Body.As == "token" {
		out.Body.Token = l.Bearer()
	} else {
		out.Cookie = []string{access.Cookie(l.Secret).String()}
	}
	return out, nil
}

type logoutAnswer struct {
	Cookie []string `header:"Set-Cookie"`
}

func (h *Handler) logout(ctx context.Context, _ *nothing) (*logoutAnswer, error) {
	if err := h.gate.Logout(exchangeOf(ctx).r); err != nil {
		return nil, err
	}
	return &logoutAnswer{Cookie: []string{access.NoCookie().String()}}, nil
}

func (h *Handler) self(ctx context.Context, _ *nothing) (*body[Self], error) {
	s, err := h.svc.Self(ctx)
	return answer(selfOf(s), err)
}

// OwnPassword changes the password of who asks.
type OwnPassword struct {
	Old string `json:"old" minLength:"1" maxLength:"1024"`
	New string `json:"new" minLength:"12" maxLength:"200"`
}

func (h *Handler) ownPassword(ctx context.Context, in *struct{ Body OwnPassword }) (*body[User], error) {
	s := SubjectOf(ctx)
	if s.Token != "" {
		return nil, fault.New(fault.Forbidden, "a token cannot change a password", "log in")
	}
	if err := h.gate.CheckPassword(exchangeOf(ctx).r, s.Name, in.Body.Old); err != nil {
		if fault.Is(err, fault.Unauthenticated) { // who asks is known; it is the old password that is wrong
			return nil, fault.New(fault.Forbidden, "the old password is wrong", "")
		}
		return nil, err
	}
	return answer(h.svc.ChangeUser(ctx, SaveUser{Name: s.Name, Password: &in.Body.New}))
}
