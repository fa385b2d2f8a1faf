// Package access answers: who is this, and may they do that here?
//
// There is one decision point, May, over (subject, permission, folder). Nothing else in Reeve compares names or
// permissions.
package access

import (
	"slices"
	"strings"
)

// Permission is a right, from a closed list.
type Permission string

// The permissions. Public marks a route that needs none; there are few of them, and a test lists them. Known marks
// a route for everybody who has proved who they are, whatever they may do. Nobody is granted these two.
const (
	Public        Permission = "public"
	Known         Permission = "known"
	View          Permission = "view"
	ViewLog       Permission = "view_log"
	Run           Permission = "run"
	Control       Permission = "control" // cancel, hold, release, decide
	Define        Permission = "define"
	DefineCommand Permission = "define_command" // definitions that contain commands or scripts
	GrantRunAs    Permission = "grant_run_as"   // definitions that contain run_as
	ManageNodes   Permission = "manage_nodes"
	ManagePorts   Permission = "manage_ports"
	ManageUsers   Permission = "manage_users"
	Audit         Permission = "audit"
)

// Permissions returns the closed list of what can be granted: Public and Known aside.
func Permissions() []Permission {
	return []Permission{View, ViewLog, Run, Control, Define, DefineCommand, GrantRunAs, ManageNodes, ManagePorts, ManageUsers, Audit}
}

// Subject is who asks. The zero value is nobody and may nothing.
type Subject struct {
	Name        string       // user name, or "local:UID" for local administration
	Token       string       // id of the API token that was shown, if one was
	Permissions []Permission // what this subject may do
	Folder      string       // below which nets; "" all
	Address     string       // where the request came from; "local" for the Unix socket
}

// May reports whether s holds p for something in folder ("" for what has no folder, which a subject that is
// confined to a folder may only view).
func (s Subject) May(p Permission, folder string) bool {
	if s.Name == "" || !slices.Contains(s.Permissions, p) {
		return false
	}
	if s.Folder == "" {
		return true
	}
	if folder == "" {
		return p == View
	}
	return folder == s.Folder || strings.HasPrefix(folder, s.Folder+"/")
}

// Within reports whether folder is one that s is confined to, or below it.
func (s Subject) Within(folder string) bool {
	return s.Folder == "" || folder == s.Folder || strings.HasPrefix(folder, s.Folder+"/")
}
