package socket

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	maxCommand = 4 << 10 // bytes of a command line that are kept
	maxEnviron = 1 << 20 // bytes of an environment that are looked at
)

// Host returns the TCP and UDP sockets of the network namespace that it runs in, with their owners, and how many
// sockets have owners that cannot be seen. fsys is the root of the file system; diag is what Diagnose said, or empty:
// then an IPv6 socket on all addresses counts as one of IPv4 too.
func Host(fsys fs.FS, diag Diag) (all []Owned, unseen int, err error) {
	net, err := fs.Sub(fsys, "proc/self/net")
	if err != nil {
		return nil, 0, err
	}
	sockets, err := tables(net)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the sockets of this host: %w", err)
	}
	seen := map[uint64]bool{}
	for _, o := range sockets {
		seen[o.Inode] = true
	}
	for _, o := range diag.Bound {
		if !seen[o.Inode] {
			sockets = append(sockets, o)
		}
	}
	owners := ownersIn(fsys, sockets)
	for _, o := range sockets {
		one := Owned{Observed: o, V6Only: diag.V6Only[o.Inode], Owners: owners[o.Inode]}
		if limit, ok := diag.Limit[o.Inode]; ok && o.State == StateListening {
			one.Limit = &limit
		}
		all = append(all, one)
		if len(owners[o.Inode]) == 0 {
			unseen++
		}
	}
	slices.SortStableFunc(all, func(a, b Owned) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Local.Port(), b.Local.Port()), a.Local.Compare(b.Local), cmp.Compare(a.Inode, b.Inode))
	})
	return all, unseen, nil
}

// ownersIn finds who has sockets open, by inode.
func ownersIn(fsys fs.FS, sockets []Observed) map[uint64][]Owner {
	want := map[uint64]bool{}
	for _, o := range sockets {
		want[o.Inode] = true
	}
	found := map[uint64][]Owner{}
	entries, err := fs.ReadDir(fsys, "proc")
	if err != nil {
		return found
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		var owner *Owner
		for _, inode := range inodesIn(fsys, path.Join("proc", e.Name(), "fd")) {
			if !want[inode] {
				continue
			}
			if owner == nil {
				o := ownerOf(fsys, pid)
				owner = &o
			}
			if list := found[inode]; len(list) == 0 || list[len(list)-1].PID != pid {
				found[inode] = append(list, *owner)
			}
		}
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b Owner) int { return a.PID - b.PID })
	}
	return found
}

// inodesIn returns the sockets behind a folder of descriptors; none if it cannot be read: the process has ended, or is
// another user's.
func inodesIn(fsys fs.FS, dir string) []uint64 {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil
	}
	var inodes []uint64
	for _, e := range entries {
		if target, err := fs.ReadLink(fsys, path.Join(dir, e.Name())); err == nil {
			if inode, ok := socketInode(target); ok {
				inodes = append(inodes, inode)
			}
		}
	}
	return inodes
}

// ownerOf describes a process as far as it can be seen.
func ownerOf(fsys fs.FS, pid int) Owner {
	dir := path.Join("proc", strconv.Itoa(pid))
	o := Owner{PID: pid}
	o.Program, o.Path = programIn(fsys, pid)
	if stat, err := fs.ReadFile(fsys, path.Join(dir, "stat")); err == nil {
		// The name in brackets may hold anything, also brackets: the fields begin after the last one.
		if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(fields) > 1 {
			o.Parent, _ = strconv.Atoi(fields[1])
			o.ParentProgram, _ = programIn(fsys, o.Parent)
		}
	}
	if line, err := fs.ReadFile(fsys, path.Join(dir, "cmdline")); err == nil {
		line = bytes.TrimRight(line[:min(len(line), maxCommand)], "\x00")
		if len(line) > 0 {
			o.Command = strings.Split(string(line), "\x00")
		}
	}
	if env, err := fs.ReadFile(fsys, path.Join(dir, "environ")); err == nil {
		o.Job = jobOf(env[:min(len(env), maxEnviron)])
	}
	return o
}

// programIn returns the name and the path of a process's program; both are empty if there is no such process.
func programIn(fsys fs.FS, pid int) (name, file string) {
	dir := path.Join("proc", strconv.Itoa(pid))
	if exe, err := fs.ReadLink(fsys, path.Join(dir, "exe")); err == nil {
		file = strings.TrimSuffix(exe, " (deleted)")
		return path.Base(file), file
	}
	comm, err := fs.ReadFile(fsys, path.Join(dir, "comm"))
	if err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(comm)), ""
}

// jobOf reads from an environment for which job of which run a process was started.
func jobOf(environ []byte) string {
	value := map[string]string{}
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		if name, v, ok := strings.Cut(entry, "="); ok && value[name] == "" {
			value[name] = v
		}
	}
	if value["REEVE_RUN"] == "" || value["REEVE_JOB"] == "" {
		return ""
	}
	return value["REEVE_NET"] + "/" + value["REEVE_JOB"] + " of " + value["REEVE_RUN"]
}

// tables reads the socket tables of one network namespace from its folder. A family that the kernel does not have is
// empty.
func tables(dir fs.FS) ([]Observed, error) {
	var all []Observed
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6"} {
		f, err := dir.Open(name)
		if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(name, "6") {
			continue
		}
		if err != nil {
			return nil, err
		}
		some, err := parseTable(f, name[:3])
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}
