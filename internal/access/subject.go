package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// localPrefix begins the names of local subjects. No user's name holds a colon.
const localPrefix = "local:"

// maxName is how much of a name is looked at, in bytes.
const maxName = 128

// Wait is the cause of a Busy fault that says how long to wait.
type Wait time.Duration

// Error implements error.
func (w Wait) Error() string { return fmt.Sprintf("try again in %v", time.Duration(w)) }

// subject returns what the user may do, from an address. Words that are no permission, and those that mark routes,
// grant nothing.
func (u User) subject(from string) Subject {
	var held []Permission
	for _, p := range Permissions() {
		if slices.Contains(u.Permissions, p) {
			held = append(held, p)
		}
	}
	return Subject{Name: u.Name, Permissions: held, Folder: u.Folder, Address: from}
}

// Holds reports whether s holds p for anything at all. It is for refusing early: what it lets pass is decided by May,
// once the object and its folder are known.
func (s Subject) Holds(p Permission) bool {
	return s.Name != "" && (p == Known || slices.Contains(s.Permissions, p))
}

// narrower returns the folder that is within both, "" being all; ok is false where there is none.
func narrower(a, b string) (folder string, ok bool) {
	switch {
	case a == "" || a == b:
		return b, true
	case b == "" || strings.HasPrefix(a, b+"/"):
		return a, true
	case strings.HasPrefix(b, a+"/"):
		return b, true
	}
	return "", false
}

// address returns where a request comes from, for sessions and the audit trail.
func address(r *http.Request) string {
	if _, ok := peerOf(r.Context()); ok {
		return "local"
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap().String()
	}
	return r.RemoteAddr
}

func bearerOf(r *http.Request) (text string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	return strings.TrimSpace(text), ok && strings.EqualFold(scheme, "Bearer")
}
