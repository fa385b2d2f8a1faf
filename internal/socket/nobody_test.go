//go:build linux

package socket_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// asNobody runs one test of this program again as a user without privileges.
func asNobody(t *testing.T, name string) ([]byte, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The build folder is root's: the other user gets a copy.
	dir, err := os.MkdirTemp("", "reeve-nobody-") //nolint:usetesting // t.TempDir lies below a folder that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "program.test")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, "-test.run=^"+name+"$", "-test.count=1")
	cmd.Dir = dir
	cmd.Env = []string{"TMPDIR=" + dir}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd.CombinedOutput()
}
