//go:build linux

// Package fault_test asks: does the product keep its promises when its processes, its disks and its peers do not keep
// theirs?
//
// Every test starts the real program: servers, agents and their keepers, in folders of its own and on a port of its
// own, and ends all of it. The truth is told by witness jobs, which write to files that Reeve knows nothing of. Each
// test names the promise (R1 to R24) that it holds the product to. -rounds says how often the faults are repeated.
package fault_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// The tests build and run the program: importing it makes go test run them again when it has changed.
	_ "github.com/reeve-scheduler/reeve/internal/cli"
)

var (
	rounds = flag.Int("rounds", 2, "how often each fault is repeated; the campaign (make fault) takes 20")
	given  = flag.String("reeve", "", "the program to test; empty: built from this tree")

	reeve string // path of the program
	book  string // folder of leases, where a test names none of its own: never the host's
)

func TestMain(m *testing.M) {
	if os.Getenv(streamVariable) != "" {
		os.Exit(writeStream()) // this program is also the jobs that write
	}
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	// Not below a folder that only root may enter: one test runs the program as another user.
	dir, err := os.MkdirTemp("", "reeve-fault-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		book = filepath.Join(dir, "ledger")
		reeve, err = program(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// program returns the program to test.
func program(dir string) (string, error) {
	if *given != "" {
		return filepath.Abs(*given)
	}
	path := filepath.Join(dir, "reeve")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "../../cmd/reeve")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
}
