package main

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
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// site is a server with its agent, on this machine.
type site struct {
	reeve    string
	home     string
	instance int
	more     []string // arguments of server and agent: another plan, say
	server   *process
	agent    *process
	client   *api.Client
}

// process is a child and what it came to.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *site) spawn(log string, args ...string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(s.home, log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	cmd := exec.Command(s.reeve, args...)
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the bench, which ends the others in order
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the log says why
		close(p.done)
	}()
	return p, nil
}

// end asks p to stop, and makes it after ten seconds.
func (p *process) end() error {
	if p == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not end within ten seconds and was killed", strings.Join(p.cmd.Args[:2], " "))
}

func (s *site) data() string      { return filepath.Join(s.home, "server") }
func (s *site) agentData() string { return filepath.Join(s.home, "agent") }

// start starts the server on the first free instance of the port plan, or on the one that it had, and returns when it answers.
func (s *site) start(ctx context.Context) error {
	if s.client == nil {
		if err := s.connect(); err != nil {
			return err
		}
	}
	for ; s.instance <= 9; s.instance++ {
		if err := os.RemoveAll(filepath.Join(s.home, "server.log")); err != nil {
			return err
		}
		var err error
		args := append([]string{"server", "--data", s.data(), "--instance", strconv.Itoa(s.instance), "--bind", "127.0.0.1", "--domain", "bench"}, s.more...)
		if s.server, err = s.spawn("server.log", args...); err != nil {
			return err
		}
		err = s.ready(ctx)
		if err == nil {
			return nil
		}
		text, _ := os.ReadFile(filepath.Join(s.home, "server.log"))
		if !bytes.Contains(text, []byte("in use")) && !bytes.Contains(text, []byte("taken")) {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(text))
		}
	}
	return errors.New("no instance of the port plan is free")
}

// connect makes the client of the socket for local administration. Bench folders are short: no short path is needed.
func (s *site) connect() error {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.data(), "admin.sock"))
		},
	}
	var err error
	s.client, err = api.NewClient(&http.Client{Transport: transport}, "http://local", "")
	return err
}

// ready returns when the server answers a question.
func (s *site) ready(ctx context.Context) error {
	for range 20_000 {
		if _, err := s.client.Domain(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.server.done:
			return errors.New("the server has ended")
		case <-time.After(time.Millisecond):
		}
	}
	return errors.New("the server does not answer")
}

const slots = 32

// join starts the agent and returns when it is linked.
func (s *site) join(ctx context.Context) error {
	args := []string{"agent", "--data", s.agentData(), "--instance", strconv.Itoa(s.instance), "--slots", strconv.Itoa(slots)}
	args = append(args, s.more...)
	if _, err := os.Stat(s.agentData()); errors.Is(err, os.ErrNotExist) {
		token, err := s.client.CreateToken(ctx, api.CreateToken{Kind: "agent", Name: "north"})
		if err != nil {
			return fmt.Errorf("making a token: %w", err)
		}
		if err := os.Mkdir(s.agentData(), 0o700); err != nil {
			return err
		}
		file := filepath.Join(s.home, "token")
		if err := os.WriteFile(file, []byte(token.Secret+"\n"), 0o600); err != nil {
			return err
		}
		// Root's jobs run as root only where the agent's own file allows it.
		if os.Getuid() == 0 {
			if err := os.WriteFile(filepath.Join(s.agentData(), "run-as.yaml"), []byte("allow:\n  - {user: root, nets: [\"*\"]}\n"), 0o600); err != nil {
				return err
			}
		}
		args = append(args, "--join-file", file)
	}
	var err error
	if s.agent, err = s.spawn("agent.log", args...); err != nil {
		return err
	}
	for range 3000 {
		if n, err := s.client.Node(ctx, "north"); err == nil && n.Linked {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.agent.done:
			return errors.New("the agent has ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("the agent is not linked after 30 s")
}

// keeper returns the pid of the agent's keeper, 0 where there is none.
func (s *site) keeper() int {
	text, err := os.ReadFile(filepath.Join(s.agentData(), "keeper", "lock"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// stop ends agent, server and keeper: the keeper outlives its agent on purpose.
func (s *site) stop() error {
	pid := s.keeper()
	errs := []error{s.agent.end(), s.server.end()}
	s.agent, s.server = nil, nil
	if pid <= 1 || !isKeeper(pid, s.agentData()) {
		return errors.Join(errs...)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for range 500 {
		if !isKeeper(pid, s.agentData()) {
			return errors.Join(errs...)
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	return errors.Join(append(errs, errors.New("the keeper did not end within five seconds and was killed"))...)
}

// isKeeper reports whether pid is the keeper of this folder: a number alone may be another's by now.
func isKeeper(pid int, data string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(line, []byte("keeper")) && bytes.Contains(line, []byte(data))
}
