package sockettest

import (
	"os"
	"os/exec"
	"testing"
)

// insideVariable marks a test binary that runs in namespaces of its own.
const insideVariable = "REEVE_TEST_INSIDE"

// Inside runs the test that calls it once more, as a process in network, mount and process namespaces of its own: there
// every port is free, /run is empty, and whatever was started ends with the process. It is true there, and only there.
// The test skips where a tool is missing, and where namespaces cannot be made.
func Inside(t *testing.T, tools ...string) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Fatalf("bringing the loopback interface up: %v: %s", err, out)
		}
		return true
	}
	for _, tool := range append(tools, "unshare", "ip", "mount") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: scripts/setup installs it", tool)
		}
	}
	args := []string{"--net", "--mount", "--pid", "--fork", "--kill-child"}
	if os.Geteuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", append(args, "true")...).CombinedOutput(); err != nil {
		t.Skipf("no namespaces can be made: %v: %s", err, out)
	}
	const script = `mount -t tmpfs tmpfs /run && mount -t proc proc /proc && exec "$0" "$@"`
	args = append(args, "sh", "-c", script, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.count=1", "-test.timeout=150s")
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in namespaces of its own: %v\n%s", err, out)
	}
	return false
}
