package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const auditOnPage = 100

// auditData is a page of the audit trail.
type auditData struct {
	Records []api.AuditRecord
	Older   string
	First   bool
}

func (c *console) audit(w http.ResponseWriter, r *http.Request) error {
	before, err := optionalNumber(r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	d := auditData{First: before == 0}
	if d.Records, err = c.service.ListAudit(r.Context(), int64(before), auditOnPage); err != nil {
		return err
	}
	if n := len(d.Records); n == auditOnPage {
		d.Older = "/audit?before=" + strconv.FormatInt(d.Records[n-1].ID, 10)
	}
	v := view{Title: "Audit", Section: "audit", Data: d}
	return c.page(w, r, "audit", v)
}

// usersData is the list of people.
type usersData struct {
	Users       []userRow
	Permissions []choice
}

// userRow is a person, with the form that changes the permissions.
type userRow struct {
	api.User
	Choices []choice
	Self    bool
}

// choice is a permission to tick.
type choice struct {
	Name, Text string
	Ticked     bool
}

func choices(has []string) []choice {
	var out []choice
	for _, p := range access.Permissions() {
		out = append(out, choice{Name: string(p), Text: permissionText(p), Ticked: slices.Contains(has, string(p))})
	}
	return out
}

func permissionText(p access.Permission) string {
	switch p {
	case access.View:
		return "see nets, runs and nodes"
	case access.ViewLog:
		return "read the output of jobs"
	case access.Run:
		return "start runs"
	case access.Control:
		return "cancel, hold, release, decide"
	case access.Define:
		return "apply definitions"
	case access.DefineCommand:
		return "apply definitions with commands"
	case access.GrantRunAs:
		return "apply definitions with run_as"
	case access.ManageNodes:
		return "steer nodes and make tokens"
	case access.ManagePorts:
		return "manage ports"
	case access.ManageUsers:
		return "manage users"
	case access.Audit:
		return "read the audit trail"
	case access.Public, access.Known: // nobody is granted these
	}
	return string(p)
}

func (c *console) users(w http.ResponseWriter, r *http.Request) error {
	people, err := c.service.ListUsers(r.Context())
	if err != nil {
		return err
	}
	d := usersData{Permissions: choices([]string{string(access.View), string(access.ViewLog)})}
	self := api.SubjectOf(r.Context()).Name
	for i := range people {
		d.Users = append(d.Users, userRow{User: people[i], Choices: choices(people[i].Permissions), Self: people[i].Name == self})
	}
	return c.page(w, r, "users", view{Title: "Users", Section: "users", Data: d})
}

func (c *console) createUser(w http.ResponseWriter, r *http.Request) error {
	fullName, folder := r.PostFormValue("full_name"), strings.Trim(r.PostFormValue("folder"), "/")
	password, err := newPassword(r)
	if err != nil {
		return err
	}
	permissions := slices.Clone(r.PostForm["permission"])
	u := api.SaveUser{
		Name: strings.TrimSpace(r.PostFormValue("name")), FullName: &fullName, Password: password, Permissions: &permissions, Folder: &folder,
	}
	if _, err := c.service.CreateUser(r.Context(), u); err != nil {
		return err
	}
	return back(w, r, "/users", "user")
}

func newPassword(r *http.Request) (*string, error) {
	password := r.PostFormValue("password")
	if len(password) < 12 {
		return nil, fault.New(fault.Invalid, "the password is too short", "use at least 12 characters")
	}
	return &password, nil
}

func (c *console) changeUser(w http.ResponseWriter, r *http.Request) error {
	u := api.SaveUser{Name: r.PathValue("name")}
	yes, no := true, false
	switch r.PathValue("verb") {
	case "disable":
		u.Disabled = &yes
	case "enable":
		u.Disabled = &no
	case "password":
		password, err := newPassword(r)
		if err != nil {
			return err
		}
		u.Password = password
	case "permissions":
		permissions, folder := slices.Clone(r.PostForm["permission"]), strings.Trim(r.PostFormValue("folder"), "/")
		if permissions == nil {
			permissions = []string{}
		}
		u.Permissions, u.Folder = &permissions, &folder
	case "delete":
		if err := c.service.DeleteUser(r.Context(), u.Name); err != nil {
			return err
		}
		return back(w, r, "/users", "deleted")
	default:
		return c.missing(w, r)
	}
	if _, err := c.service.ChangeUser(r.Context(), u); err != nil {
		return err
	}
	return back(w, r, "/users", "user")
}
