//go:build !linux

package link

import "net"

// keepShortQueue does nothing where the system has no such setting: heartbeats are later there while output flows.
func keepShortQueue(net.Conn) {}
