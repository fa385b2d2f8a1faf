//go:build linux

package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Spools returns how long the spools in the data folder are: those of attempts that run, and of those that have
// ended and are not forgotten. A new agent learns by it what an earlier one may not have sent.
func (c *Client) Spools() ([]Size, error) {
	entries, err := os.ReadDir(filepath.Dir(c.folders.of(wire.Attempt{}, "").own))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing spools: %w", err)
	}
	var all []Size
	for _, e := range entries {
		a, ok := attemptOf(e.Name())
		if !ok {
			continue
		}
		st, err := os.Lstat(c.SpoolPath(a))
		if err != nil || !st.Mode().IsRegular() {
			continue // it wrote nothing, or is being removed
		}
		all = append(all, Size{a, st.Size()})
	}
	return all, nil
}

// attemptOf reads the name of an attempt's folder.
func attemptOf(name string) (wire.Attempt, bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return wire.Attempt{}, false
	}
	n, err := strconv.Atoi(parts[2])
	a := wire.Attempt{Run: parts[0], Job: parts[1], N: n}
	return a, err == nil && strconv.Itoa(n) == parts[2] && checkAttempt(a) == nil
}
