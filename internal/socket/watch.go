package socket

import (
	"errors"
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// Arrival is the first packet of a connection, or a datagram, that came to this host: seen on the wire, before the host's
// own rules.
type Arrival struct {
	Protocol ports.Protocol
	From, To netip.AddrPort
	At       time.Time
	Lost     int // packets before this word that the kernel had no room for; if not 0, there is no packet in it
}

// ErrNoWatch says that this system, or this user, cannot look at the wire.
var ErrNoWatch = errors.New("looking at the wire needs Linux and root (CAP_NET_RAW)")
