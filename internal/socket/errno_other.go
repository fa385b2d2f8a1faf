//go:build !unix

package socket

import (
	"errors"
	"syscall"
)

// The numbers of Winsock; package syscall has invented ones under these names.
const (
	wsaEACCES        = syscall.Errno(10013)
	wsaEADDRINUSE    = syscall.Errno(10048)
	wsaEADDRNOTAVAIL = syscall.Errno(10049)
	wsaENETUNREACH   = syscall.Errno(10051)
	wsaETIMEDOUT     = syscall.Errno(10060)
	wsaECONNREFUSED  = syscall.Errno(10061)
	wsaEHOSTUNREACH  = syscall.Errno(10065)
)

func classify(err error) cause {
	switch {
	case errors.Is(err, wsaEADDRINUSE):
		return inUse
	case errors.Is(err, wsaEACCES):
		return denied
	case errors.Is(err, wsaEADDRNOTAVAIL):
		return notLocal
	case errors.Is(err, wsaECONNREFUSED):
		return refused
	case errors.Is(err, wsaEHOSTUNREACH), errors.Is(err, wsaENETUNREACH):
		return noRoute
	}
	return other
}

// dialControl does nothing: SO_REUSEADDR means "steal" there.
func dialControl(_, _ string, _ syscall.RawConn) error { return nil }

// errnoName is the name of an error of Winsock, without its first letters, as other systems write it.
func errnoName(err error) string {
	names := map[syscall.Errno]string{
		wsaEACCES: "EACCES", wsaEADDRINUSE: "EADDRINUSE", wsaEADDRNOTAVAIL: "EADDRNOTAVAIL", wsaENETUNREACH: "ENETUNREACH",
		wsaECONNREFUSED: "ECONNREFUSED", wsaEHOSTUNREACH: "EHOSTUNREACH", wsaETIMEDOUT: "ETIMEDOUT",
	}
	var no syscall.Errno
	if !errors.As(err, &no) {
		return ""
	}
	return names[no]
}

func isDenied(err error) bool { return errors.Is(err, wsaEACCES) }

func isNoNet(err error) bool { return errors.Is(err, wsaENETUNREACH) }
