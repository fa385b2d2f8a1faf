package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// Adopt makes a listener of a TCP socket that Bind has taken, or of one that a lease handed on. The file is closed, also
// where that fails: the listener has a descriptor of its own.
func Adopt(f *os.File) (*net.TCPListener, error) {
	l, err := net.FileListener(f)
	if err = errors.Join(err, f.Close()); err != nil {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
		return nil, fmt.Errorf("taking over a socket: %w", err)
	}
	t, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("taking over a socket: unexpected listener %T", l), l.Close())
	}
	return t, nil
}
