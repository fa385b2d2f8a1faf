package directory

import (
	"net/netip"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/responder"
)

// The port mapper's own program (RFC 1833).
const (
	mapperProgram = 100000
	pmapVersion   = 2
	rpcbVersion3  = 3
	rpcbVersion4  = 4
)

// The procedures. Version 2 has the first six under other names, version 3 those up to taddr2uaddr.
const (
	procSet          = 1
	procUnset        = 2
	procGetAddr      = 3 // version 2: GETPORT
	procDump         = 4
	procBroadcast    = 5 // versions 2 and 3: CALLIT
	procGetTime      = 6
	procUaddr2taddr  = 7
	procTaddr2uaddr  = 8
	procGetVersAddr  = 9
	procIndirect     = 10
	procGetAddrList  = 11
	procGetStat      = 12
	lastProcVersion2 = procBroadcast
	lastProcVersion3 = procTaddr2uaddr
	lastProcVersion4 = procGetStat
)

// Program is one program of ONC RPC on one transport.
type Program struct {
	Number, Version uint32
	Netid           string         // tcp, udp, tcp6, udp6
	Address         netip.AddrPort // where it listens; an unspecified address: on all
	Owner           string         // the name of its row on the page
}

// Mapper is a port mapper: it tells the ports of programs, and takes nothing from the network.
type Mapper struct {
	// Programs returns what is registered, the mapper itself included.
	Programs func() []Program
	Now      func() time.Time

	stats statistics
}

// Answer answers one call. Over UDP what does not fit into the request's own length is refused: it is to be asked for
// over TCP, where the asker's address is proved.
func (m *Mapper) Answer(request []byte, a responder.Asked) []byte {
	c, ok := readCall(request)
	if !ok {
		return nil
	}
	reply := m.reply(&c, a)
	if len(reply) > a.Room {
		reply = c.accept(systemErr)
	}
	if len(reply) > a.Room {
		return nil
	}
	return reply
}

func (m *Mapper) reply(c *call, a responder.Asked) encoder {
	switch {
	case c.rpcVersion != rpcVersion:
		return c.otherRPC()
	case c.program != mapperProgram:
		return c.accept(progUnavail)
	case c.version < pmapVersion || c.version > rpcbVersion4:
		return c.mismatched(pmapVersion, rpcbVersion4)
	}
	last := map[uint32]uint32{pmapVersion: lastProcVersion2, rpcbVersion3: lastProcVersion3, rpcbVersion4: lastProcVersion4}[c.version]
	if c.process > last {
		return c.accept(procUnavail)
	}
	m.stats.count(c.version, c.process)
	switch c.process {
	case procNull:
		return c.accept(success)
	case procSet, procUnset, procBroadcast, procIndirect:
		// What is registered comes from the port plan alone, and no call is passed on: a stranger could hide behind it.
		return c.deny()
	}
	e := c.accept(success)
	if c.version == pmapVersion {
		m.version2(&e, c, a)
	} else {
		m.version34(&e, c, a)
	}
	if c.args.err != nil {
		return c.accept(garbageArgs)
	}
	return e
}

// version2 answers GETPORT and DUMP. Version 2 knows IPv4 only, and a port stands for the mapper's own host.
func (m *Mapper) version2(e *encoder, c *call, a responder.Asked) {
	if c.process == procDump {
		for _, p := range m.Programs() {
			if number := protocolNumber(p.Netid); number != 0 && p.Address.Addr().Is4() {
				e.uint32(1, p.Number, p.Version, number, uint32(p.Address.Port()))
			}
		}
		e.uint32(0)
		return
	}
	program, version, protocol := c.args.uint32(), c.args.uint32(), c.args.uint32()
	c.args.uint32() // the port, which is ignored
	if c.args.err != nil {
		return
	}
	netid := map[uint32]string{protocolTCP: "tcp", protocolUDP: "udp"}[protocol]
	p, ok := find(m.Programs(), program, version, netid, false)
	m.stats.asked(pmapVersion, program, version, netid, ok)
	e.uint32(uint32(p.Address.Port()))
}

// The numbers of transports in version 2: those of IP.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// protocolNumber is 0 for a transport of IPv6.
func protocolNumber(netid string) uint32 {
	return map[string]uint32{"tcp": protocolTCP, "udp": protocolUDP}[netid]
}

// find returns the program with this version on a transport; where that version is not there, and exact does not ask for
// it, its lowest one: who calls it is told by the program which versions it has.
func find(all []Program, program, version uint32, netid string, exact bool) (Program, bool) {
	best, found := Program{}, false
	for _, p := range all {
		switch {
		case p.Number != program || p.Netid != netid:
		case p.Version == version:
			return p, true
		case !exact && (!found || p.Version < best.Version):
			best, found = p, true
		}
	}
	return best, found
}

// version34 answers the procedures of versions 3 and 4.
func (m *Mapper) version34(e *encoder, c *call, a responder.Asked) {
	switch c.process {
	case procGetAddr, procGetVersAddr:
		e.text(m.address(c, a, c.process == procGetVersAddr))
	case procDump:
		for _, p := range m.Programs() {
			e.uint32(1, p.Number, p.Version)
			e.text(p.Netid)
			e.text(universal(p.Address))
			e.text(p.Owner)
		}
		e.uint32(0)
	case procGetTime:
		e.uint32(uint32(m.Now().Unix())) //nolint:gosec // RFC 1833 has 32 bits
	case procUaddr2taddr:
		var b []byte
		if at, ok := fromUniversal(c.args.text()); ok {
			b = transport(at)
		}
		e.uint32(uint32(len(b))) //nolint:gosec // at most 28
		e.opaque(b)
	case procTaddr2uaddr:
		c.args.uint32() // how long the buffer may become
		at, ok := fromTransport(c.args.opaque(longestText))
		text := ""
		if ok {
			text = universal(at)
		}
		e.text(text)
	case procGetAddrList:
		m.addressList(e, c, a)
	case procGetStat:
		m.stats.write(e)
	}
}

// wanted reads the argument that names a program: its address and owner are ignored.
func (c *call) wanted() (program, version uint32, netid string) {
	program, version, netid = c.args.uint32(), c.args.uint32(), c.args.text()
	c.args.text()
	c.args.text()
	return program, version, netid
}

// address is the universal address of a program on the transport of the call (RFC 1833, 2.2.1), else on the one that
// the call names; empty where it is not registered.
func (m *Mapper) address(c *call, a responder.Asked, exact bool) string {
	program, version, named := c.wanted()
	if c.args.err != nil {
		return ""
	}
	all, netid := m.Programs(), netidOf(a)
	p, ok := find(all, program, version, netid, exact)
	if !ok && named != netid {
		p, ok = find(all, program, version, named, exact)
	}
	m.stats.asked(c.version, program, version, netid, ok)
	if !ok {
		return ""
	}
	return universal(merged(p, a))
}

// merged is where the asker reaches a program: one that listens on all addresses, at that which was asked.
func merged(p Program, a responder.Asked) netip.AddrPort {
	if p.Address.Addr().IsUnspecified() && a.At.IsValid() && a.At.Is4() == p.Address.Addr().Is4() {
		return netip.AddrPortFrom(a.At, p.Address.Port())
	}
	return p.Address
}

// netidOf names the transport of a call.
func netidOf(a responder.Asked) string {
	id := "udp"
	if a.Stream {
		id = "tcp"
	}
	if a.From.Addr().Unmap().Is6() {
		id += "6"
	}
	return id
}

// How a transport behaves: datagrams, or a connection with an orderly end.
const (
	connectionless    = 1
	connectionOrderly = 3
)

// addressList tells where a program is, on each transport of the caller's family.
func (m *Mapper) addressList(e *encoder, c *call, a responder.Asked) {
	program, version, _ := c.wanted()
	family := map[bool]string{true: "inet6", false: "inet"}[a.From.Addr().Unmap().Is6()]
	for _, p := range m.Programs() {
		if p.Number != program || p.Version != version || slices.Contains([]string{"tcp6", "udp6"}, p.Netid) != (family == "inet6") {
			continue
		}
		semantics, protocol := uint32(connectionOrderly), "tcp"
		if p.Netid == "udp" || p.Netid == "udp6" {
			semantics, protocol = connectionless, "udp"
		}
		e.uint32(1)
		e.text(universal(merged(p, a)))
		e.text(p.Netid)
		e.uint32(semantics)
		e.text(family)
		e.text(protocol)
	}
	e.uint32(0)
}

// Null answers for one program that has nothing but its null procedure: it is there, in this version.
func Null(program, version uint32) responder.Answer {
	return func(request []byte, a responder.Asked) []byte {
		c, ok := readCall(request)
		switch {
		case !ok:
			return nil
		case c.rpcVersion != rpcVersion:
			return c.otherRPC()
		case c.program != program:
			return c.accept(progUnavail)
		case c.version != version:
			return c.mismatched(version, version)
		case c.process != procNull:
			return c.accept(procUnavail)
		}
		return c.accept(success)
	}
}
