//go:build linux

package fault_test

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
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// estate is a server with its agents, in folders and on a port of their own.
type estate struct {
	t      testing.TB
	home   string
	data   string // of the server
	mark   string // in the environment of every job of this estate
	plan   string
	port   int
	config string
	server *process
	agents map[string]*guest
	api    *api.Client
}

// guest is an agent of an estate.
type guest struct {
	e     *estate
	name  string
	data  string
	slots int
	env   []string
	*process
}

// quick are settings with which a test need not wait for minutes.
const quick = "link: {heartbeat: 1s, timeout: 3s, tenure: 5m}\ndisk: {reserve: 1048576}\n"

// newEstate starts a server. Everything that belongs to the estate ends with the test.
func newEstate(t testing.TB, config string) *estate {
	t.Helper()
	home := t.TempDir()
	return newEstateAt(t, config, filepath.Join(home, "server"))
}

// newEstateWith starts a server under a plan with more in it: pools, say.
func newEstateWith(t testing.TB, config, plan string) *estate {
	t.Helper()
	return newEstateOf(t, config, filepath.Join(t.TempDir(), "server"), plan)
}

func newEstateAt(t testing.TB, config, data string) *estate {
	t.Helper()
	return newEstateOf(t, config, data, "")
}

func newEstateOf(t testing.TB, config, data, plan string) *estate {
	t.Helper()
	e := &estate{t: t, home: t.TempDir(), data: data, agents: map[string]*guest{}, port: sockettest.Lease(t)}
	e.mark = e.home + "/" // every job has a folder below it in its environment
	e.plan = sockettest.PlanFile(t, e.port)
	if plan != "" {
		text, err := os.ReadFile(e.plan)
		if err != nil {
			t.Fatal(err)
		}
		e.write(e.plan, string(text)+plan)
	}
	e.config = filepath.Join(e.home, "server.yaml")
	e.write(e.config, config)
	e.api = e.client()
	t.Cleanup(e.close)
	e.serve()
	return e
}

func (e *estate) write(path, text string) {
	e.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// client asks the server over its local socket; a new connection each time, because servers come and go.
func (e *estate) client() *api.Client {
	e.t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(e.data, "admin.sock"))
	}
	c, err := api.NewClient(&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, "http://local", "")
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

func (e *estate) serverArgs() []string {
	return []string{"server", "--data", e.data, "--config", e.config, "--plan", e.plan, "--bind", "127.0.0.1", "--domain", "estate", "--ledger", filepath.Join(e.home, "ledger")}
}

// launch starts a server without waiting for it.
func (e *estate) launch() {
	e.t.Helper()
	e.server = start(e.t, filepath.Join(e.home, "server.log"), nil, e.serverArgs()...)
}

// serve starts a server and waits until it answers.
func (e *estate) serve() {
	e.t.Helper()
	e.launch()
	e.ready()
}

func (e *estate) ready() {
	e.t.Helper()
	within(e.t, 30*time.Second, func() string {
		if e.server.ended() {
			e.t.Fatalf("the server ended:\n%s", tail(e.server.log))
		}
		if _, err := e.api.Domain(e.t.Context()); err != nil {
			return fmt.Sprintf("the server does not answer: %v\n%s", err, tail(e.server.log))
		}
		return ""
	})
}

// agent makes an agent join, and waits for its link.
func (e *estate) agent(name string, slots int) *guest {
	e.t.Helper()
	return e.agentAt(name, slots, filepath.Join(e.home, name))
}

func (e *estate) agentAt(name string, slots int, data string) *guest {
	e.t.Helper()
	g := e.newcomer(name, slots, data)
	token := lastLine(e.must("token", "create", "agent", name))
	g.start("--join", token)
	e.linked(name)
	return g
}

// newcomer makes the folder of an agent that has not joined.
func (e *estate) newcomer(name string, slots int, data string) *guest {
	e.t.Helper()
	g := &guest{e: e, name: name, slots: slots, data: data}
	if err := os.MkdirAll(g.data, 0o700); err != nil {
		e.t.Fatal(err)
	}
	e.write(filepath.Join(g.data, "run-as.yaml"), "allow:\n  - {user: root, nets: [\"*\"]}\n")
	e.agents[name] = g
	return g
}

func (g *guest) start(more ...string) {
	g.e.t.Helper()
	args := append([]string{"agent", "--data", g.data, "--plan", g.e.plan, "--slots", strconv.Itoa(g.slots)}, more...)
	g.process = start(g.e.t, filepath.Join(g.e.home, g.name+".log"), g.env, args...)
}

// restart ends the agent with a signal and starts it again.
func (g *guest) restart(sig syscall.Signal) {
	g.e.t.Helper()
	g.end(g.e.t, sig)
	g.start()
}

// keeper returns the pid of the agent's keeper, which is there.
func (g *guest) keeper() int {
	g.e.t.Helper()
	pid := 0
	within(g.e.t, 20*time.Second, func() string {
		if pid = keeperPID(g.data); pid == 0 {
			return "agent " + g.name + " has no keeper\n" + tail(g.log)
		}
		return ""
	})
	return pid
}

// linked waits until an agent has a link.
func (e *estate) linked(name string) {
	e.t.Helper()
	within(e.t, 40*time.Second, func() string {
		n, err := e.api.Node(e.t.Context(), name)
		switch {
		case err != nil:
			return err.Error()
		case !n.Linked:
			return fmt.Sprintf("agent %s is not linked\n%s", name, tail(e.agents[name].log))
		}
		return ""
	})
}

// run runs a command against the server, as a person would type it.
func (e *estate) run(args ...string) (stdout, stderr string, code int) {
	e.t.Helper()
	return command(e.t, []string{"REEVE_DATA=" + e.data}, args...)
}

// command runs the program to its end.
func command(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, reeve, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environment(), env...), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("reeve %s: %v, %v\n%s", strings.Join(args, " "), err, ctx.Err(), errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed, and returns what it printed.
func (e *estate) must(args ...string) string {
	e.t.Helper()
	out, errs, code := e.run(args...)
	if code != 0 {
		e.t.Fatalf("reeve %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// apply applies nets.
func (e *estate) apply(text string) {
	e.t.Helper()
	file := filepath.Join(e.home, "net.yaml")
	e.write(file, text)
	e.must("net", "apply", file)
}

// begin starts a run over restarts of the server: the key makes the order safe to repeat.
func (e *estate) begin(net, key string) string {
	e.t.Helper()
	id := ""
	within(e.t, 30*time.Second, func() string {
		r, err := e.api.StartRun(e.t.Context(), api.StartRun{Net: net, Key: key})
		if err != nil {
			return err.Error()
		}
		id = r.ID
		return ""
	})
	return id
}

// show reads a run.
func (e *estate) show(id string) api.Run {
	e.t.Helper()
	var r api.Run
	within(e.t, 30*time.Second, func() string {
		var err error
		if r, err = e.api.Run(e.t.Context(), id); err != nil {
			return err.Error()
		}
		return ""
	})
	return r
}

// settled waits until nothing of a run goes on, and returns it.
func (e *estate) settled(id string, limit time.Duration) api.Run {
	e.t.Helper()
	var r api.Run
	within(e.t, limit, func() string {
		r = e.show(id)
		var open []string
		for _, j := range r.Jobs {
			if !isEnd(j.State) && (r.State != "unknown" || j.State != "waiting") {
				open = append(open, j.Name+" "+j.State+" "+value(j.Reason))
			}
		}
		if !isEnd(r.State) || len(open) > 0 {
			return fmt.Sprintf("run %s is %s (%s), %d jobs have not ended: %.300s\n%s", id, r.State, value(r.Reason), len(open), strings.Join(open, ", "), e.logs())
		}
		return ""
	})
	return r
}

func isEnd(state string) bool {
	switch state {
	case "succeeded", "warning", "failed", "cancelled", "skipped", "unknown":
		return true
	}
	return false
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// logs is what a message shows of the processes.
func (e *estate) logs() string {
	text := "server:\n" + tail(e.server.log)
	for name, g := range e.agents {
		text += "\nagent " + name + ":\n" + tail(g.log) + "\nkeeper:\n" + tail(filepath.Join(g.data, "keeper", "log"))
	}
	return text
}

// close ends everything: agents, server, keepers, and what is left of the jobs.
func (e *estate) close() {
	for _, g := range e.agents {
		if g.process != nil && !g.ended() {
			g.end(e.t, syscall.SIGTERM)
		}
	}
	if e.server != nil && !e.server.ended() {
		e.server.end(e.t, syscall.SIGTERM)
	}
	if e.t.Failed() {
		e.t.Log(e.logs())
	}
	for _, g := range e.agents {
		endKeeper(g.data)
	}
	for range 100 {
		left := marked(e.mark)
		if len(left) == 0 {
			break
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-time.After(20 * time.Millisecond)
	}
	for _, g := range e.agents {
		removeGroups(g.data)
	}
}

// endKeeper kills the keeper of a folder: asked to end, it would wait for its jobs.
func endKeeper(folder string) {
	for range 100 {
		pid := keeperPID(folder)
		if pid == 0 {
			return
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-time.After(20 * time.Millisecond)
	}
}

// removeGroups removes the cgroups of a keeper that was killed; a living one does it itself.
func removeGroups(folder string) {
	var st syscall.Stat_t
	if syscall.Stat(filepath.Join(folder, "keeper"), &st) != nil {
		return
	}
	found, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/reeve-attempts-%x-%x", st.Dev, st.Ino))
	direct, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/reeve-attempts-%x-%x", st.Dev, st.Ino))
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
