package api

import (
	"context"
	"net/http"

	"github.com/reeve-scheduler/reeve/internal/access"
)

func (h *Handler) peopleRoutes() []entry {
	manage := func(method, path, id, summary string) Route {
		r := Route{Method: method, Path: base + path, ID: id, Summary: summary}
		return r.needs(access.ManageUsers, Whole).behind("directory")
	}
	return []entry{
		handle(manage(http.MethodGet, "/users", "list-users", "List users, by name."), h.listUsers),
		handle(manage(http.MethodPost, "/users", "create-user", "Create a user."), h.createUser),
		handle(manage(http.MethodPatch, "/users/{user}", "change-user", "Change a user. Absent fields stay as they are."), h.changeUser),
		handle(manage(http.MethodDelete, "/users/{user}", "delete-user", "Delete a user and end its sessions."), h.deleteUser),
		handle(get("/audit", "list-audit", "List what was done, newest first.").needs(access.Audit, Whole).behind("api"), h.listAudit),
	}
}

type userPath struct {
	User string `path:"user" maxLength:"63"`
}

func (h *Handler) listUsers(ctx context.Context, _ *nothing) (*body[[]User], error) {
	return answer(h.svc.ListUsers(ctx))
}

func (h *Handler) createUser(ctx context.Context, in *struct{ Body SaveUser }) (*body[User], error) {
	return answer(h.svc.CreateUser(ctx, in.Body))
}

// UserChange is SaveUser without the name, which stands in the path.
type UserChange struct {
	FullName    *string   `json:"full_name,omitempty" maxLength:"200"`
	Password    *string   `json:"password,omitempty" minLength:"12" maxLength:"200"`
	Permissions *[]string `json:"permissions,omitempty"`
	Folder      *string   `json:"folder,omitempty"`
	Disabled    *bool     `json:"disabled,omitempty"`
}

func (h *Handler) changeUser(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"63"`
	Body UserChange
},
) (*body[User], error) {
	c := in.Body
	return answer(h.svc.ChangeUser(ctx, SaveUser{
		Name: in.User, FullName: c.FullName, Password: c.Password, Permissions: c.Permissions, Folder: c.Folder, Disabled: c.Disabled,
	}))
}

func (h *Handler) deleteUser(ctx context.Context, in *userPath) (*nothing, error) {
	return &nothing{}, h.svc.DeleteUser(ctx, in.User)
}

func (h *Handler) listAudit(ctx context.Context, in *struct {
	Before int64 `query:"before" minimum:"0" doc:"cursor: records older than this id"`
	Limit  int   `query:"limit" minimum:"0" maximum:"1000" doc:"0 or absent: 50"`
},
) (*body[[]AuditRecord], error) {
	limit := in.Limit
	if limit == 0 {
		limit = 50
	}
	return answer(h.svc.ListAudit(ctx, in.Before, limit))
}
