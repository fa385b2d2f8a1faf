//go:build !linux

package cli

// slacken is for Linux, where the slack of timers is a process's own.
func slacken() {}
