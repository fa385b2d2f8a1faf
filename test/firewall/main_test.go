//go:build linux

package firewall_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	// The tests build and run the program: importing it makes go test run them again when it has changed.
	_ "github.com/reeve-scheduler/reeve/internal/cli"
)

var (
	rounds = flag.Int("rounds", 12, "how often links are cut; the campaign (make fault) takes 1000")
	given  = flag.String("reeve", "", "the program to test; empty: built from this tree")

	reeve string // path of the program
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests mostly wait, for time-outs and for each other's packets.
	if p := flag.Lookup("test.parallel"); p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = p.Value.Set(strconv.Itoa(max(6, runtime.GOMAXPROCS(0))))
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reeve-firewall-")
	if err == nil {
		defer os.RemoveAll(dir)
		reeve, err = program(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// campaign is from how many rounds on nothing is left out.
const campaign = 100

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
