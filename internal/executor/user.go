package executor

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// User is whom an attempt runs as.
type User struct {
	Name   string
	UID    uint32
	GID    uint32
	Home   string
	Shell  string
	Groups []uint32 // supplementary ones, the primary included
	Switch bool     // the credentials must be set: the keeper runs as somebody else, or as root
}

// ErrNoUser says that this host does not know a user.
var ErrNoUser = errors.New("no such user")

// directory finds users: in the password and group files, or by getent where the name service is another.
type directory struct {
	getent func(database, key string) (string, error)
}

// self returns the user of this process. One without an entry is known by its number.
func (d directory) self() User {
	uid, gid := os.Getuid(), os.Getgid()
	number := strconv.Itoa(uid)
	u, err := d.find(func(f []string) bool { return f[2] == number }, number)
	if err != nil {
		u = User{Name: number, Home: "/", Shell: "/bin/sh"}
	}
	u.UID, u.GID = uint32(uid), uint32(gid)
	return u
}

// lookup returns the user called name, with its supplementary groups.
func (d directory) lookup(name string) (User, error) {
	if name == "" || strings.ContainsAny(name, ":\n\x00/") || strings.HasPrefix(name, "-") {
		return User{}, fmt.Errorf("%w: %q", ErrNoUser, name)
	}
	u, err := d.find(func(f []string) bool { return f[0] == name }, name)
	if err != nil {
		return User{}, err
	}
	u.Groups, err = d.groups(u)
	return u, err
}

func (d directory) find(match func(fields []string) bool, key string) (User, error) {
	f, err := os.Open("/etc/passwd")
	if err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if fields := strings.Split(lines.Text(), ":"); len(fields) == 7 && match(fields) {
				return parseUser(fields)
			}
		}
	}
	out, err := d.getent("passwd", key)
	if err != nil {
		return User{}, fmt.Errorf("%w: %q", ErrNoUser, key)
	}
	fields := strings.Split(strings.TrimSpace(out), ":")
	if len(fields) != 7 || !match(fields) {
		return User{}, fmt.Errorf("%w: %q", ErrNoUser, key)
	}
	return parseUser(fields)
}

func parseUser(f []string) (User, error) {
	uid, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return User{}, fmt.Errorf("reading user %s: uid: %w", f[0], err)
	}
	gid, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		return User{}, fmt.Errorf("reading user %s: gid: %w", f[0], err)
	}
	if uid == 1<<32-1 || gid == 1<<32-1 {
		return User{}, fmt.Errorf("reading user %s: %d:%d are no ids", f[0], uid, gid)
	}
	u := User{Name: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]}
	if u.Home == "" {
		u.Home = "/"
	}
	if u.Shell == "" {
		u.Shell = "/bin/sh"
	}
	return u, nil
}

func (d directory) groups(u User) ([]uint32, error) {
	groups := []uint32{u.GID}
	add := func(field string) error {
		gid, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return fmt.Errorf("reading groups of %s: %w", u.Name, err)
		}
		if uint32(gid) != u.GID {
			groups = append(groups, uint32(gid))
		}
		return nil
	}
	// getent asks every name service that the host has; without it the group file is all there is.
	if out, err := d.getent("initgroups", u.Name); err == nil {
		fields := strings.Fields(out)
		for _, f := range fields[min(1, len(fields)):] {
			if err := add(f); err != nil {
				return nil, err
			}
		}
		return groups, nil
	}
	f, err := os.Open("/etc/group")
	if err != nil {
		return nil, fmt.Errorf("reading groups of %s: %w", u.Name, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) == 4 && strings.Contains(","+fields[3]+",", ","+u.Name+",") {
			if err := add(fields[2]); err != nil {
				return nil, err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading groups of %s: %w", u.Name, err)
	}
	return groups, nil
}
