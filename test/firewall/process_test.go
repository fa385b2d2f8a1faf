//go:build linux

package firewall_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports"
)

// within polls until done returns "", and fails the test with what it said last when the time is over.
func within(t testing.TB, limit time.Duration, done func() string) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		why := done()
		if why == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("after %s: %s", limit, why)
		case <-t.Context().Done():
			t.Fatal(why)
		case <-tick.C:
		}
	}
}

// process is a program of ours that runs on a host.
type process struct {
	cmd  *exec.Cmd
	log  string // file that takes what it prints
	done chan struct{}
}

// command makes a command of the program, with nothing of the settings of who runs the tests.
func (h *host) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, reeve, args...)
	cmd.Env = []string{"PATH=" + searched, "HOME=" + h.home, "TMPDIR=" + h.home, "LANG=C", "REEVE_LEDGER=" + filepath.Join(h.home, "ledger")}
	if s := h.lab.server; s != nil && s.host == h {
		cmd.Env = append(cmd.Env, "REEVE_DATA="+s.data)
	}
	return cmd
}

// run runs a command on the host, as a person there would type it.
func (h *host) run(args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := h.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := h.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		h.t.Fatalf("reeve %s: %v, %v\n%s", strings.Join(args, " "), err, ctx.Err(), errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed, and returns what it printed.
func (h *host) must(args ...string) string {
	h.t.Helper()
	out, errs, code := h.run(args...)
	if code != 0 {
		h.t.Fatalf("on %s: reeve %s: exit code %d\n%s%s", h.name, strings.Join(args, " "), code, out, errs)
	}
	return out
}

// launch starts a program that stays.
func (h *host) launch(log string, args ...string) *process {
	h.t.Helper()
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	p := &process{cmd: h.command(context.Background(), args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := h.start(p.cmd); err != nil {
		h.t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p
}

// end asks a program to end, and waits for it.
func (p *process) end(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		t.Errorf("%v did not end 20 s after it was asked to\n%s", p.cmd.Args[1:], tail(p.log))
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail returns the last lines of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// server is the server of a laboratory.
type server struct {
	*host
	*process
	data string
	api  *api.Client // local administration
}

// quick are settings with which a test need not wait for minutes.
const quick = "link: {heartbeat: 1s, timeout: 3s, tenure: 5m}\ndisk: {reserve: 1048576}\n"

// serve starts the server on a host and waits until it answers.
func (l *laboratory) serve(name string) *server {
	l.t.Helper()
	h := l.hosts[name]
	config := filepath.Join(h.home, "server.yaml")
	if err := os.WriteFile(config, []byte(quick), 0o600); err != nil {
		l.t.Fatal(err)
	}
	s := &server{host: h, data: filepath.Join(h.home, "server")}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.data, "admin.sock"))
	}
	var err error
	if s.api, err = api.NewClient(&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, "http://local", ""); err != nil {
		l.t.Fatal(err)
	}
	args := []string{"server", "--data", s.data, "--config", config, "--plan", l.plan, "--inventory", l.inventory(), "--domain", "laboratory"}
	in, _ := l.site.Host(name)
	for _, a := range in.Advertise {
		args = append(args, "--advertise", a)
	}
	for _, a := range in.Bind {
		args = append(args, "--bind", a)
	}
	s.process = h.launch(filepath.Join(h.home, "log"), args...)
	l.t.Cleanup(func() {
		s.end(l.t)
		if l.t.Failed() {
			l.t.Logf("server:\n%s", tail(s.log))
		}
	})
	within(l.t, 30*time.Second, func() string {
		if s.ended() {
			l.t.Fatalf("the server ended:\n%s", tail(s.log))
		}
		if _, err := s.api.Domain(l.t.Context()); err != nil {
			return fmt.Sprintf("the server does not answer: %v\n%s", err, tail(s.log))
		}
		return ""
	})
	l.server = s
	return s
}

// agent is an agent of a laboratory.
type agent struct {
	*host
	*process
	data string
}

// join makes an agent on a host join with a token, and waits for its link.
func (l *laboratory) join(name string) *agent {
	l.t.Helper()
	a := l.agent(name, "--join", lastLine(l.server.must("token", "create", "agent", name)))
	l.linked(name, true)
	return a
}

// enrol lets the server dial an agent that waits for it, and waits for its link.
func (l *laboratory) enrol(name string) *agent {
	l.t.Helper()
	code := filepath.Join(l.hosts[name].home, "code")
	a := l.agent(name, "--enrol", "--code-file", code)
	exists(l.t, code)
	l.server.must("node", "enrol", name, l.hosts[name].address.String(), "--code-file", code)
	l.linked(name, true)
	return a
}

// member makes an agent on a host a node, in the way that the plan has.
func (l *laboratory) member(name string) *agent {
	l.t.Helper()
	if len(l.site.Compiled.Dials("enrol", ports.Agent, ports.Server)) == 0 {
		return l.enrol(name)
	}
	return l.join(name)
}

// agent starts an agent on a host, which is no node yet.
func (l *laboratory) agent(name string, args ...string) *agent {
	l.t.Helper()
	h := l.hosts[name]
	a := &agent{host: h, data: filepath.Join(h.home, "agent")}
	if err := os.Mkdir(a.data, 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.data, "run-as.yaml"), []byte("allow:\n  - {user: root, nets: [\"*\"]}\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	a.process = h.launch(filepath.Join(h.home, "log"), append([]string{"agent", "--data", a.data, "--plan", l.plan}, args...)...)
	l.t.Cleanup(func() {
		a.end(l.t)
		endKeeper(a.data)
		if l.t.Failed() {
			l.t.Logf("agent %s:\n%s", name, tail(a.log))
		}
	})
	return a
}

// linked waits until the server says that an agent has a link, or has none.
func (l *laboratory) linked(name string, want bool) {
	l.t.Helper()
	within(l.t, 30*time.Second, func() string {
		n, err := l.server.api.Node(l.t.Context(), name)
		switch {
		case err != nil:
			return err.Error()
		case n.Linked != want:
			return fmt.Sprintf("agent %s: linked %t, want %t\n%s", name, n.Linked, want, tail(filepath.Join(l.hosts[name].home, "log")))
		}
		return ""
	})
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// endRest kills what is left of a laboratory: jobs whose keeper is gone, say. All its processes have a folder of it in
// their environment.
func endRest(home string) {
	for range 250 {
		left := 0
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			if env, err := os.ReadFile("/proc/" + e.Name() + "/environ"); err == nil && bytes.Contains(env, []byte(home+"/")) {
				left++
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if left == 0 {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// endKeeper kills the keeper of a folder: asked to end, it would wait for its jobs. Then it removes its cgroups.
func endKeeper(folder string) {
	for range 250 {
		pid := keeperPID(folder)
		if pid == 0 {
			break
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-time.After(20 * time.Millisecond)
	}
	var st syscall.Stat_t
	if syscall.Stat(filepath.Join(folder, "keeper"), &st) != nil {
		return
	}
	group := fmt.Sprintf("reeve-attempts-%x-%x", st.Dev, st.Ino)
	found, _ := filepath.Glob("/sys/fs/cgroup/*/" + group)
	direct, _ := filepath.Glob("/sys/fs/cgroup/" + group)
	for _, path := range append(found, direct...) {
		for range 100 {
			children, _ := filepath.Glob(path + "/*/cgroup.procs")
			for _, c := range children {
				_ = os.Remove(filepath.Dir(c))
			}
			if os.Remove(path) == nil {
				break
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

// keeperPID returns the keeper of an agent's folder, 0 where there is none.
func keeperPID(folder string) int {
	text, err := os.ReadFile(filepath.Join(folder, "keeper", "lock"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	args, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || !bytes.Contains(args, []byte("\x00keeper\x00")) || !bytes.Contains(args, []byte(folder)) {
		return 0 // it ended, and another program may have its number
	}
	return pid
}
