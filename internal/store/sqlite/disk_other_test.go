//go:build !linux

package sqlite_test

import "errors"

// The tests that need these programs are built for Linux only.
func fillDisk(string) error  { return errors.ErrUnsupported }
func failSyncs(string) error { return errors.ErrUnsupported }
