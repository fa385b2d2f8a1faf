//go:build linux

package fault_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// refusedServer starts a server that must not start, and returns the sentence with which it ends.
func refusedServer(t *testing.T, want int, args ...string) string {
	t.Helper()
	_, errs, code := command(t, nil, append([]string{"server", "--bind", "127.0.0.1"}, args...)...)
	if code != want {
		t.Errorf("reeve server %s: exit code %d, want %d", strings.Join(args, " "), code, want)
	}
	return oneSentence(t, errs)
}

// One folder has one server and one agent: the second is told by whom it is in use, and the first goes on.
func TestSecondOnTheSameFolder(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 8)
	plan := sockettest.PlanFile(t, sockettest.Lease(t))
	wantAll(t, refusedServer(t, 5, "--data", e.data, "--plan", plan), e.data, "in use by another server", "pid "+strconv.Itoa(e.server.cmd.Process.Pid), "stop that server")
	wantAll(t, refusedServer(t, 5, "--data", e.data, "--plan", e.plan), "in use by another server")

	_, errs, code := command(t, nil, "agent", "--data", g.data, "--plan", e.plan, "--log-level", "error")
	if code != 5 {
		t.Errorf("a second agent on the folder: exit code %d, want 5", code)
	}
	wantAll(t, oneSentence(t, errs), g.data, "in use by another agent", strconv.Itoa(g.cmd.Process.Pid))
	e.linked("north")
	if e.server.ended() || g.ended() {
		t.Error("the first ones did not go on")
	}
}

// A port that somebody has: by whom, as pid and program.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	port := sockettest.Lease(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	name := filepath.Base(exe)
	wantAll(t, refusedServer(t, 5, "--data", data, "--plan", sockettest.PlanFile(t, port)),
		fmt.Sprintf("port %d is taken", port), strconv.Itoa(os.Getpid()), name[:min(15, len(name))], "--instance")
}

// A folder that others can look into, or that the user may not use.
func TestFolderWithoutRights(t *testing.T) {
	t.Parallel()
	plan := sockettest.PlanFile(t, sockettest.Lease(t))
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	wantAll(t, refusedServer(t, 2, "--data", open, "--plan", plan), open, "is open to others (mode 0755)", "chmod 700")
	_, errs, code := command(t, nil, "agent", "--data", open, "--plan", plan, "--log-level", "error")
	if code != 2 {
		t.Errorf("an agent in a folder of mode 0755: exit code %d, want 2", code)
	}
	wantAll(t, oneSentence(t, errs), open, "is open to others (mode 0755)", "chmod 0700")

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantAll(t, refusedServer(t, 2, "--data", filepath.Join(file, "data"), "--plan", plan), file, "not a directory")

	if os.Getuid() != 0 {
		t.Skip("only root can be another user; the rest was tested")
	}
	mine := filepath.Join(t.TempDir(), "mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"server", "agent"} {
		args := []string{role, "--data", mine}
		if role == "agent" {
			args = append(args, "--log-level", "error")
		}
		cmd := exec.Command(reeve, args...)
		cmd.Env = environment()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 4 {
			t.Errorf("%s in a folder of another user: %v, want exit code 4", role, err)
		}
		wantAll(t, oneSentence(t, string(out)), mine, "permission denied", "give")
	}
}

// A clock that is wrong: what is not valid yet is named, with both times.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	plan := sockettest.PlanFile(t, sockettest.Lease(t))
	data := t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	// The product has no hook for its clock, so the authority comes from the future instead.
	future := time.Now().Add(48 * time.Hour)
	if _, err := identity.OpenAuthority(filepath.Join(data, "authority"), "reeve", future, rand.Reader); err != nil {
		t.Fatal(err)
	}
	wantAll(t, refusedServer(t, 2, "--data", data, "--plan", plan), "authority", "clock")

	e := newEstate(t, quick)
	g := e.agent("north", 8)
	g.end(t, syscall.SIGTERM)
	authority, err := identity.OpenAuthority(filepath.Join(e.data, "authority"), "", time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.OpenKey(filepath.Join(g.data, "agent.key"))
	if err != nil {
		t.Fatal(err)
	}
	der, err := identity.NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := authority.Issue(csr, g.credentials().Identity, 24*time.Hour, future)
	if err != nil {
		t.Fatal(err)
	}
	e.write(filepath.Join(g.data, "agent.crt"), string(chain))
	g.start()
	within(t, 20*time.Second, func() string {
		if log := tail(g.log); !strings.Contains(log, "clock") {
			return "the agent does not speak of a clock:\n" + log
		}
		return ""
	})
}

// A plan that does not exist, and files with mistakes: each with its place.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	wantAll(t, refusedServer(t, 2, "--data", data, "--plan", "nosuch"), "nosuch", "default")
	wantAll(t, refusedServer(t, 2, "--data", data, "--config", filepath.Join(dir, "nosuch.yaml")), "nosuch.yaml", "no such file")
	wantAll(t, refusedServer(t, 2, "--data", data, "--instance", "10"), "instance")

	for name, c := range map[string]struct{ text, place string }{
		"unknown": {"domain: a\nlink:\n  hartbeat: 1s\n", ":3:3: "},
		"type":    {"disk:\n  reserve: much\n", ":2:12: "},
		"syntax":  {"bind: [\n", ":1:7: "},
		"twice":   {"domain: a\ndomain: b\n", ":2:1: "},
	} {
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := command(t, nil, "server", "--data", data, "--config", file)
		if code != 2 || !strings.HasPrefix(out, file+c.place) || errs != "" {
			t.Errorf("configuration %q: exit code %d, %q on standard output, %q on standard error; want it to begin with %s", c.text, code, out, errs, file+c.place)
		}
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("a server that did not start left a data folder")
	}
}
