package sockettest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

func TestLease(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 20 {
		port := sockettest.Lease(t)
		if seen[port] {
			t.Errorf("port %d was leased twice", port)
		}
		seen[port] = true
	}
}

// A plan file with a leased port compiles, and its service listens on just that port.
func TestPlanFile(t *testing.T) {
	t.Parallel()
	port := sockettest.Lease(t)
	file := sockettest.PlanFile(t, port)
	p, err := builtin.Resolve(file, func(string) (io.ReadCloser, error) {
		data, err := os.ReadFile(file)
		return io.NopCloser(bytes.NewReader(data)), err
	})
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(p, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	n := socket.New(c, socket.As("server"))
	l, err := n.Listen(t.Context(), sockettest.Service, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got := n.Open()[0].Local.Port(); int(got) != port {
		t.Errorf("listens on %d, want %d", got, port)
	}
}

// Test processes that run at once never get the same port, although none of them listens on it yet. The children are
// this program again; each prints its port and holds it until its input ends.
func TestLeaseAmongProcesses(t *testing.T) {
	t.Parallel()
	if os.Getenv("REEVE_TEST_LEASE") != "" {
		_, _ = fmt.Fprintf(os.Stdout, "port %d\n", sockettest.Lease(t))
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 6 {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe, "-test.run=^TestLeaseAmongProcesses$", "-test.count=1")
		cmd.Env = append(os.Environ(), "REEVE_TEST_LEASE=1")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			_, _ = io.Copy(io.Discard, out)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		line := ""
		for lines := bufio.NewScanner(out); !strings.HasPrefix(line, "port ") && lines.Scan(); {
			line = lines.Text()
		}
		if !strings.HasPrefix(line, "port ") || seen[line] {
			t.Errorf("got %q, seen %v", line, seen)
		}
		seen[line] = true
	}
}
