package cli

import (
	"os"
	"path/filepath"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ledgerDir is the folder of this host's ledger of leases: the one of the flag, else REEVE_LEDGER, else root's or the
// user's own.
func ledgerDir(flag string) (string, error) {
	if flag == "" {
		flag = os.Getenv("REEVE_LEDGER")
	}
	if flag != "" {
		return filepath.Abs(flag)
	}
	if os.Geteuid() == 0 {
		return "/var/lib/reeve/ports", nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "reeve", "ports"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "finding the ledger of leases (give --ledger or REEVE_LEDGER)", err)
	}
	return filepath.Join(home, ".local", "state", "reeve", "ports"), nil
}
