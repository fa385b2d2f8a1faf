//go:build !linux

package socket

import "context"

// Watch is only built for Linux.
func Watch(context.Context, func(Arrival)) (func(), error) { return nil, ErrNoWatch }
