//go:build !linux

package executor

import "errors"

// Launch returns an error on this platform: jobs are run on Linux only.
func Launch([]string) error { return errors.ErrUnsupported }
