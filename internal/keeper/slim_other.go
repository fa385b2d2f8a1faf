//go:build !linux

package keeper

import "runtime/debug"

// Slim gives back the memory that only the start of this process needed.
func Slim() { debug.FreeOSMemory() }
