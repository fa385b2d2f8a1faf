package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// TestScripts types what a person would type: testdata/script/*.txtar, against the real program, and where a script
// says `site`, a real server with real agents on a port of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	program := filepath.Join(bin, "reeve")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/reeve-scheduler/reeve/cmd/reeve")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			port := sockettest.Lease(t)
			// A name of its own: the host check knows Reeve's sockets by the program's path, and other scripts have servers too.
			bin := filepath.Join(bin, strconv.Itoa(port))
			if err := os.Mkdir(bin, 0o700); err != nil {
				return err
			}
			own := filepath.Join(bin, "reeve")
			if err := os.Link(program, own); err != nil {
				return err
			}
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("REEVE_LOGIN", filepath.Join(env.WorkDir, "login.json"))
			env.Setenv("PLAN", sockettest.PlanFile(t, port))
			env.Setenv("PORT", strconv.Itoa(port))
			env.Setenv("FREE", strconv.Itoa(sockettest.Lease(t)))
			env.Setenv("UID", strconv.Itoa(os.Getuid()))
			env.Setenv("ADDRESS", "https://127.0.0.1:"+strconv.Itoa(port))
			env.Values[siteKey{}] = &site{program: own, agents: map[string]*process{}}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"site": siteCommand, "agent": agentCommand, "stop": stopCommand, "exits": exitsCommand, "capture": captureCommand,
			"field": fieldCommand, "until": untilCommand, "interrupted": interruptedCommand, "sockets": socketsCommand, "occupy": occupyCommand,
		},
	})
}

type siteKey struct{}

// site is what a script has started.
type site struct {
	program string
	server  *process
	agents  map[string]*process
}

// process is a running server or agent.
type process struct {
	cmd  *exec.Cmd
	log  *logbook
	data string
}

// logbook keeps what a process logs and tells who waits for a line.
type logbook struct {
	mu    sync.Mutex
	lines []string
	ended bool
	news  chan struct{} // closed and made anew at each change
}

func (l *logbook) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l.change(func() { l.lines = append(l.lines, lines.Text()) })
	}
	l.change(func() { l.ended = true })
}

func (l *logbook) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.news)
	l.news = make(chan struct{})
}

// wait waits for a line that contains text, from line number `from` on.
func (l *logbook) wait(text string, from int) error {
	deadline := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		news, ended := l.news, l.ended
		all := strings.Join(l.lines, "\n")
		found := strings.Contains(strings.Join(l.lines[min(from, len(l.lines)):], "\n"), text)
		l.mu.Unlock()
		switch {
		case found:
			return nil
		case ended:
			return fmt.Errorf("it ended before it said %q:\n%s", text, all)
		}
		select {
		case <-news:
		case <-deadline:
			return fmt.Errorf("it did not say %q within 30 s:\n%s", text, all)
		}
	}
}

func (l *logbook) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// launch starts the program and reads its log.
func launch(ts *testscript.TestScript, data string, args ...string) *process {
	s := ts.Value(siteKey{}).(*site)
	p := &process{cmd: exec.Command(s.program, args...), log: &logbook{news: make(chan struct{})}, data: data}
	p.cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "HOME=" + ts.Getenv("WORK")}
	errs, err := p.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	go p.log.read(errs)
	ts.Defer(func() { p.end(ts) })
	return p
}

// stop ends the process as an administrator would.
func (p *process) stop(ts *testscript.TestScript) {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	hard := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	if err := p.cmd.Wait(); err != nil || !hard.Stop() {
		ts.Fatalf("%v did not end well within 20 s: %v", p.cmd.Args, err)
	}
}

// end also ends the keeper of an agent, which outlives it, and the jobs that a script left running.
func (p *process) end(ts *testscript.TestScript) {
	p.stop(ts)
	keeper := p.keeper(ts)
	if keeper <= 1 {
		return
	}
	jobs := children(keeper)
	_ = syscall.Kill(keeper, syscall.SIGKILL)
	for _, pid := range jobs {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // each leads a session of its own
	}
}

// children returns the processes whose parent is pid.
func children(pid int) []int {
	var found []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(strings.Split(path, "/")[2])
			found = append(found, child)
		}
	}
	return found
}

// keeper returns the process of the keeper, 0 for a server or an agent that never had one.
func (p *process) keeper(ts *testscript.TestScript) int {
	lock, err := os.ReadFile(filepath.Join(p.data, "keeper", "lock"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	ts.Check(err)
	pid, _ := strconv.Atoi(regexp.MustCompile(`[0-9]+`).FindString(string(lock)))
	return pid
}

// siteCommand: `site [AGENT…]` starts a server, as REEVE_DATA then says, and agents that are linked to it.
func siteCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(siteKey{}).(*site)
	data := ts.Getenv("REEVE_DATA")
	if data == "" {
		data = ts.MkAbs("server")
		ts.Setenv("REEVE_DATA", data)
	}
	s.server = launch(ts, data, "server", "--data", data, "--plan", ts.Getenv("PLAN"), "--bind", "127.0.0.1", "--domain", "test")
	ts.Check(s.server.log.wait("server ready", 0))
	for _, name := range args {
		agentCommand(ts, neg, []string{name, "--label", "site=" + name})
	}
}

// agentCommand: `agent NAME [flag of token create…]` starts an agent, joined before or now.
func agentCommand(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(siteKey{}).(*site)
	name := args[0]
	data := ts.MkAbs("agent-" + name)
	start := []string{"agent", "--data", data, "--plan", ts.Getenv("PLAN"), "--slots", "4"}
	if _, err := os.Stat(data); err != nil {
		ts.Check(ts.Exec("reeve", append([]string{"token", "create", "agent"}, args...)...))
		token := lastLine(ts.ReadFile("stdout"))
		ts.Check(os.Mkdir(data, 0o700))
		ts.Check(os.WriteFile(filepath.Join(data, "run-as.yaml"), []byte("allow:\n  - {user: root, nets: [\"*\"]}\n"), 0o600))
		start = append(start, "--join", token)
	}
	from := s.server.log.length()
	s.agents[name] = launch(ts, data, start...)
	ts.Check(s.server.log.wait(`msg="agent linked" agent=`+name, from))
}

// stopCommand: `stop server` or `stop AGENT`.
func stopCommand(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(siteKey{}).(*site)
	if args[0] == "server" {
		s.server.stop(ts)
		return
	}
	from := s.server.log.length()
	s.agents[args[0]].stop(ts)
	ts.Check(s.server.log.wait(`msg="agent no longer linked" agent=`+args[0], from))
}

// socketsCommand: `sockets` compares the sockets of server, agents and keepers with the plan: only the server listens,
// on the plan's one port, and all that is connected is connected to it.
func socketsCommand(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(siteKey{}).(*site)
	port, err := strconv.Atoi(ts.Getenv("PORT"))
	ts.Check(err)
	compare := func(who string, pid int, listens []string, connects bool) {
		all, err := socket.Observe(pid)
		ts.Check(err)
		var listening []string
		connected := false
		for _, o := range all {
			switch {
			case o.State == socket.StateListening || o.State == socket.StateBound:
				listening = append(listening, o.Protocol+" "+o.Local.String())
			case int(o.Remote.Port()) == port || int(o.Local.Port()) == port:
				connected = true
			default:
				ts.Fatalf("%s has a socket that the plan does not have: %s", who, o)
			}
		}
		if !slices.Equal(listening, listens) || connected != connects {
			ts.Fatalf("%s listens on %v, want %v; it is connected: %v, want %v", who, listening, listens, connected, connects)
		}
	}
	compare("the server", s.server.cmd.Process.Pid, []string{fmt.Sprintf("tcp 127.0.0.1:%d", port)}, true)
	for name, p := range s.agents {
		compare("agent "+name, p.cmd.Process.Pid, nil, true)
		compare("the keeper of "+name, p.keeper(ts), nil, false)
	}
}

// exitsCommand: `exits CODE COMMAND…` runs a command that must end with the code.
func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code: got %d, want %s", code, args[0])
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// captureCommand: `capture NAME` keeps the last line of the standard output in a variable; `capture NAME PATH` a field of its JSON.
func captureCommand(ts *testscript.TestScript, _ bool, args []string) {
	value := lastLine(ts.ReadFile("stdout"))
	if len(args) > 1 {
		value = fmt.Sprint(at(ts, args[1]))
	}
	if value == "" {
		ts.Fatalf("there is nothing to keep")
	}
	ts.Setenv(args[0], value)
}

// at finds a field of the JSON on standard output: names and positions, with dots between.
func at(ts *testscript.TestScript, path string) any {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, part := range strings.Split(path, ".") {
		switch has := v.(type) {
		case map[string]any:
			value, ok := has[part]
			if !ok {
				ts.Fatalf("%s: there is no field %q", path, part)
			}
			v = value
		case []any:
			if part == "length" {
				return len(has)
			}
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(has) {
				ts.Fatalf("%s: the list has %d entries", path, len(has))
			}
			v = has[i]
		default:
			ts.Fatalf("%s: %v has no field %q", path, v, part)
		}
	}
	if list, ok := v.([]any); ok {
		return list
	}
	return v
}

// fieldCommand: `field PATH VALUE` compares a field of the JSON on standard output; VALUE is JSON, or a word.
func fieldCommand(ts *testscript.TestScript, neg bool, args []string) {
	got, err := json.Marshal(at(ts, args[0]))
	ts.Check(err)
	want := []byte(args[1])
	if !json.Valid(want) {
		want, err = json.Marshal(args[1])
		ts.Check(err)
	}
	var compact bytes.Buffer
	ts.Check(json.Compact(&compact, want))
	if (string(got) == compact.String()) == neg {
		ts.Fatalf("%s: got %s, want %s (not: %v)", args[0], got, want, neg)
	}
}

// untilCommand: `until PATTERN COMMAND…` runs a command again and again until its output fits.
func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(`(?m)` + args[0])
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nothing fitted %s within 30 s", args[0])
		}
	}
}

// interruptedCommand: `interrupted COMMAND…` interrupts a command once it has printed something; it must exit with 130.
func interruptedCommand(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Path = ts.Value(siteKey{}).(*site).program
	cmd.Err = nil
	cmd.Env = []string{"REEVE_DATA=" + ts.Getenv("REEVE_DATA"), "REEVE_LOGIN=" + ts.Getenv("REEVE_LOGIN")}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	cmd.Stderr = ts.Stderr()
	ts.Check(cmd.Start())
	first := make([]byte, 1)
	_, err = io.ReadFull(out, first)
	ts.Check(err)
	ts.Check(cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(out)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s%s", first, rest)
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 130 {
		ts.Fatalf("interrupted: got %v, want exit code 130", err)
	}
}
