package socket

import (
	"fmt"
	"net/netip"
)

// cause is what kind of refusal the system gave.
type cause uint8

const (
	other    cause = iota
	inUse          // somebody has the port
	denied         // we may not
	notLocal       // the address is not this host's
	refused        // nothing listens there
	noRoute        // no way to the host
)

// State is what a socket that was observed does.
type State string

// The states of observed sockets; all other TCP states are StateClosing.
const (
	StateListening   State = "listening"
	StateEstablished State = "established"
	StateConnecting  State = "connecting"
	StateClosing     State = "closing"
	StateBound       State = "bound" // UDP: it can receive; TCP: it has the port and does not listen on it
)

// Observed is a socket of a process, as the system shows it.
type Observed struct {
	Protocol string // tcp or udp, also for IPv6
	State    State
	Local    netip.AddrPort
	Remote   netip.AddrPort // zero if there is no other end
	UID      uint32
	Inode    uint64
	Waiting  int // of a listener: connections that nobody has accepted yet
}

// String prints the socket for a person.
func (o Observed) String() string {
	if o.Remote.Port() == 0 {
		return fmt.Sprintf("%s %s %s", o.Protocol, o.Local, o.State)
	}
	return fmt.Sprintf("%s %s -> %s %s", o.Protocol, o.Local, o.Remote, o.State)
}

// Holder is a program that has a port.
type Holder struct {
	PID     int    // 0 if it cannot be seen
	Program string // empty if it cannot be seen
	UID     uint32
	Socket  Observed
}

// String names the holder for a person.
func (h Holder) String() string {
	who := fmt.Sprintf("pid %d (%s)", h.PID, h.Program)
	if h.PID == 0 {
		who = fmt.Sprintf("a process of user %d (which one, only root can see)", h.UID)
	}
	if h.Socket.State != StateListening && h.Socket.Remote.IsValid() {
		return fmt.Sprintf("%s, which has it as the source of a connection to %s", who, h.Socket.Remote)
	}
	return who
}

// Listening returns the sockets of a process on which something can arrive from others: TCP listeners and UDP
// sockets that are not connected.
func Listening(pid int) ([]Observed, error) {
	all, err := Observe(pid)
	if err != nil {
		return nil, err
	}
	listening := all[:0]
	for _, o := range all {
		if o.State == StateListening || o.State == StateBound {
			listening = append(listening, o)
		}
	}
	return listening, nil
}
