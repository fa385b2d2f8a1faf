package executor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is where cgroup v2 is mounted, alone or beside v1.
type hierarchy struct {
	mount string
	root  string // the part of it that the mount shows
}

// group is a cgroup that holds one tree.
type group struct {
	at     hierarchy
	path   string
	dir    int // O_PATH would do for clone, but not for openat of the files on every kernel
	events int // cgroup.events
	// killed says that everything in it was killed once. Some kernels (6.18 does) kill at once what is cloned into
	// such a cgroup later, so it is not used again.
	killed atomic.Bool
}

// groups makes cgroups below one folder and uses the empty ones again: making one costs more than a fork.
type groups struct {
	at     hierarchy
	folder string // absolute; below it one cgroup for each tree
	prefix string // differs for each keeper, so that no name is ever used again

	mu   sync.Mutex
	free []*group
	left []string // given back, and not empty yet
	next int
}

const (
	maxFreeGroups = 64
	folderPrefix  = "reeve-attempts-" // of the folder that holds the cgroups of one keeper
)

// openGroups finds a cgroup v2 hierarchy that this process may make cgroups in, moves the process into one of its
// own, and proves that a child can be started in another. name tells the folders of several keepers apart.
func openGroups(name, prefix string) (*groups, error) {
	at, err := findHierarchy()
	if err != nil {
		return nil, err
	}
	own, err := at.of(os.Getpid())
	if err != nil {
		return nil, err
	}
	// A keeper that was started by one of ours is moved beside it, not below it.
	if i := strings.Index(own, "/"+folderPrefix); i >= 0 {
		own = own[:i]
	}
	above := filepath.Join(at.mount, own)
	sweepDead(above)
	folder := filepath.Join(above, folderPrefix+name)
	for try := 0; ; try++ {
		err := enter(filepath.Join(folder, "keeper"))
		if err == nil {
			break
		}
		if try == 5 || !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	g := &groups{at: at, folder: folder, prefix: prefix}
	return g, g.prove()
}

// enter makes a cgroup and moves this process into it. It does not exist where another keeper's sweepDead came
// between the two.
func enter(home string) error {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return fmt.Errorf("making cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(home, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("entering cgroup: %w", err)
	}
	return nil
}

// sweepDead removes what keepers left that were killed and never came back: a keeper that lives is in its own.
func sweepDead(above string) {
	folders, _ := filepath.Glob(filepath.Join(above, folderPrefix+"*"))
	for _, folder := range folders {
		b, err := os.ReadFile(filepath.Join(folder, "cgroup.events"))
		if err == nil && bytes.Contains(b, []byte("populated 0")) {
			_ = removeGroup(folder)
		}
	}
}

// prove starts a program that does not exist in a new cgroup: where the kernel got as far as not finding it, a
// child can be cloned into a cgroup.
func (g *groups) prove() error {
	one, err := g.take()
	if err != nil {
		return err
	}
	defer g.give(one)
	_, err = syscall.ForkExec("/proc/self/there-is-no-such-program", []string{"none"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: one.dir},
	})
	if !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("starting a process in a cgroup: %w", err)
	}
	return nil
}

// take returns an empty cgroup that nobody else uses.
func (g *groups) take() (*group, error) {
	g.mu.Lock()
	if n := len(g.free); n > 0 {
		one := g.free[n-1]
		g.free = g.free[:n-1]
		g.mu.Unlock()
		return one, nil
	}
	g.next++
	path := filepath.Join(g.folder, g.prefix+strconv.Itoa(g.next))
	g.mu.Unlock()
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("making cgroup: %w", err)
	}
	return openGroup(g.at, path)
}

// give takes back a cgroup. One that is not empty is left alone: what is in it was let go on.
func (g *groups) give(one *group) {
	if one == nil {
		return
	}
	if !one.killed.Load() && !one.populated() {
		g.mu.Lock()
		if len(g.free) < maxFreeGroups && strings.HasPrefix(one.path, filepath.Join(g.folder, g.prefix)) {
			g.free = append(g.free, one)
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
	}
	one.close()
	if removeGroup(one.path) != nil { // a process is left: it is removed when that has ended
		g.mu.Lock()
		defer g.mu.Unlock()
		g.left = append(g.left, one.path)
	}
}

// sweep removes the empty cgroups of earlier keepers, and of trees that were let go on.
func (g *groups) sweep() {
	g.mu.Lock()
	g.left = slices.DeleteFunc(g.left, func(path string) bool {
		err := removeGroup(path)
		return err == nil || errors.Is(err, os.ErrNotExist)
	})
	g.mu.Unlock()
	entries, _ := os.ReadDir(g.folder)
	for _, e := range entries {
		if e.IsDir() && e.Name() != "keeper" && !strings.HasPrefix(e.Name(), g.prefix) {
			_ = removeGroup(filepath.Join(g.folder, e.Name()))
		}
	}
}

// removeGroup removes a cgroup with those that its processes made below it.
func removeGroup(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			_ = removeGroup(filepath.Join(path, e.Name()))
		}
	}
	return unix.Rmdir(path)
}

// close ends the use of the hierarchy: the process goes back to the folder above, and what is empty is removed.
func (g *groups) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.free {
		one.close()
		_ = os.Remove(one.path)
	}
	g.free = nil
	_ = os.WriteFile(filepath.Join(filepath.Dir(g.folder), "cgroup.procs"), []byte("0"), 0)
	_ = removeGroup(g.folder)
}

func openGroup(at hierarchy, path string) (*group, error) {
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening cgroup %s: %w", path, err)
	}
	events, err := unix.Openat(dir, "cgroup.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(dir)
		return nil, fmt.Errorf("opening cgroup %s: %w", path, err)
	}
	return &group{at: at, path: path, dir: dir, events: events}, nil
}

func (c *group) close() {
	_ = unix.Close(c.dir)
	_ = unix.Close(c.events)
}

// populated reports whether a process is left in the cgroup or below it. What cannot be read counts as populated:
// nothing is then promised.
func (c *group) populated() bool {
	var buf [64]byte
	n, err := unix.Pread(c.events, buf[:], 0)
	if errors.Is(err, unix.ENODEV) { // the cgroup was removed: it was empty
		return false
	}
	return err != nil || !bytes.Contains(buf[:n], []byte("populated 0"))
}

// pids returns the processes in the cgroup and in those that its processes made below it.
func (c *group) pids() []int {
	var pids []int
	_ = filepath.WalkDir(c.path, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // a cgroup that is gone has no processes
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// holds reports whether a process is in the cgroup or below it.
func (c *group) holds(pid int) bool {
	at, err := c.at.of(pid)
	path := filepath.Join(c.at.mount, at)
	return err == nil && (path == c.path || strings.HasPrefix(path, c.path+"/"))
}

// kill ends everything in the cgroup. cgroup.kill reaches also what forks meanwhile; on a kernel before 5.14 the
// cgroup is frozen first, so that nothing can.
func (c *group) kill() {
	c.killed.Store(true)
	if c.write("cgroup.kill", "1") == nil {
		return
	}
	_ = c.write("cgroup.freeze", "1")
	for range 50 {
		var buf [64]byte
		n, _ := unix.Pread(c.events, buf[:], 0)
		if bytes.Contains(buf[:n], []byte("frozen 1")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, pid := range c.pids() {
		if m, ok := hold(pid); ok {
			if c.holds(pid) {
				m.signal(unix.SIGKILL)
			}
			m.close()
		}
	}
	_ = c.write("cgroup.freeze", "0")
}

func (c *group) write(file, value string) error {
	fd, err := unix.Openat(c.dir, file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

func findHierarchy() (hierarchy, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return hierarchy{}, fmt.Errorf("looking for cgroups: %w", err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		before, after, ok := strings.Cut(line, " - ")
		if !ok || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		if f := strings.Fields(before); len(f) >= 5 {
			return hierarchy{mount: strings.ReplaceAll(f[4], `\040`, " "), root: f[3]}, nil
		}
	}
	return hierarchy{}, errors.New("looking for cgroups: cgroup v2 is not mounted")
}

// of returns the cgroup of a process, relative to the mount.
func (h hierarchy) of(pid int) (string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			if h.root != "/" {
				path = strings.TrimPrefix(path, h.root)
			}
			return path, nil
		}
	}
	return "", fmt.Errorf("process %d is in no v2 cgroup", pid)
}
