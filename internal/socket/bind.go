package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"github.com/reeve-scheduler/reeve/ports"
)

// What Bind answers where a port is not to be had. Only after ErrInUse is it worth trying another number: the other
// two are the same for all of them (F85).
var (
	ErrInUse    = errors.New("the port is in use")
	ErrDenied   = errors.New("the system does not allow it")
	ErrNotLocal = errors.New("the address is not one of this host")
	ErrNoBind   = errors.New("handing on bound sockets is not built for this system")
)

// BindError is why a port could not be taken. It is one of ErrInUse, ErrDenied and ErrNotLocal where the reason is
// known, and what the system said.
type BindError struct {
	Protocol ports.Protocol
	Address  netip.Addr // the zero address: all of both families
	Port     ports.Port
	Kind     error // one of the above; nil for any other reason
	Err      error
}

// Error says what was tried and what the system said.
func (e *BindError) Error() string {
	return fmt.Sprintf("binding %s %s: %v", e.Protocol, where(e.Address, e.Port), e.Err)
}

// Unwrap returns the kind and what the system said.
func (e *BindError) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Bind takes a port and returns its socket: bound, and for TCP listening, because some conflicts show only there (F24).
// It is what a lease hands on, so that no moment lies between looking and having. The zero address means all addresses
// of both families in one socket (IPv4 alone where the system has no IPv6); 0.0.0.0 means all of IPv4, and :: all of
// IPv6 and nothing of IPv4.
//
// A TCP socket has SO_REUSEADDR where that means "despite TIME_WAIT"; a UDP socket never, because two of them would
// share the port in silence (F25). The descriptor is closed on exec; whoever hands it on says so. Port 0 is refused:
// the system would choose, and nothing leaves its range. The error is a *BindError.
func Bind(protocol ports.Protocol, addr netip.Addr, port ports.Port) (*os.File, error) {
	failed := func(kind, err error) error {
		return &BindError{Protocol: protocol, Address: addr, Port: port, Kind: kind, Err: err}
	}
	if port == 0 || protocol != ports.TCP && protocol != ports.UDP {
		return nil, failed(nil, errors.New("not a port to bind"))
	}
	f, err := bind(protocol, addr.Unmap(), port)
	if err == nil {
		return f, nil
	}
	switch classify(err) {
	case inUse:
		return nil, failed(ErrInUse, err)
	case denied:
		return nil, failed(ErrDenied, err)
	case notLocal:
		return nil, failed(ErrNotLocal, err)
	case refused, noRoute, other: // a listener is not told the first two
	}
	return nil, failed(nil, err)
}

// bindName is the name of a bound socket's file, for errors.
func bindName(protocol ports.Protocol, addr netip.Addr, port ports.Port) string {
	if !addr.IsValid() {
		return string(protocol) + " *:" + strconv.Itoa(int(port))
	}
	return string(protocol) + " " + netip.AddrPortFrom(addr, uint16(port)).String()
}
