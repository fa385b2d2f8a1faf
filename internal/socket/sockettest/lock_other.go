//go:build !linux

package sockettest

import "os"

// tryLock locks nothing: only the bind tells whether a port is free.
func tryLock(*os.File, int) bool { return true }
