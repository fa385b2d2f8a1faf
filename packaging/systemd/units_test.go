// Package systemd_test checks the units that ship: by systemd itself where it is installed, and by what the design asks
// of them everywhere.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func units(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.service")
	if err != nil || len(files) != 2 {
		t.Fatalf("units: %v, %v; want the server's and the agent's", files, err)
	}
	return files
}

// TestSystemdTakesTheUnits asks systemd-analyze. The program is not installed where the tests run, so another that is
// stands in its place.
func TestSystemdTakesTheUnits(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: whether systemd takes the units is not checked here")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range units(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/reeve", program)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), tool, "verify", "--man=no", path).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify %s: %v\n%s", name, err, out)
		}
	}
}

// TestUnitsKeepTheirPromises holds what jobs depend on: without these lines `systemctl restart` ends them.
func TestUnitsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"reeve-server.service": {"Type=notify", "Restart=on-failure", "NoNewPrivileges=yes", "ProtectSystem=strict"},
		"reeve-agent.service":  {"KillMode=process", "Delegate=yes", "Restart=always", "OOMPolicy=continue"},
	} {
		lines := settings(t, name)
		for _, line := range want {
			if !lines[line] {
				t.Errorf("%s lacks %s", name, line)
			}
		}
	}
	// What an agent's unit restricts, its jobs inherit.
	for line := range settings(t, "reeve-agent.service") {
		for _, word := range []string{"NoNewPrivileges", "Protect", "Private", "SystemCall", "Restrict", "MemoryDeny", "UMask", "CapabilityBoundingSet"} {
			if strings.HasPrefix(line, word) {
				t.Errorf("reeve-agent.service restricts its jobs: %s", line)
			}
		}
	}
}

func settings(t *testing.T, name string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines[line] = true
		}
	}
	return lines
}
