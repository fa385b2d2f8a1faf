package directory

import (
	"net/netip"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// roleMapper marks the row of the plan at which a port mapper answers.
const roleMapper = "portmapper"

// MapperOwner is the owner of the port mapper itself.
const MapperOwner = "reeve"

// Registered returns what the port mapper of a row has: itself, and the services that the plan registers with it and that
// have a number. binds returns the addresses of this host on which a row listens; none: on all of both families.
func Registered(c ports.Compiled, mapper string, binds func(ports.Claim) []netip.Addr) []Program {
	var all []Program
	add := func(cl ports.Claim, owner string, versions ...uint32) {
		bind := binds(cl)
		if len(bind) == 0 {
			bind = []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}
		}
		for _, v := range versions {
			for _, a := range bind {
				netid := string(cl.Protocol)
				if a.Is6() {
					netid += "6"
				}
				all = append(all, Program{Number: cl.RPC.Program, Version: v, Netid: netid, Address: netip.AddrPortFrom(a, uint16(cl.Port)), Owner: owner})
			}
		}
	}
	var registers []string
	for _, cl := range c.Claims {
		if cl.Service == mapper && cl.Status == ports.Works {
			registers = append(registers, cl.RPC.Registers...)
			cl.RPC.Program = mapperProgram
			add(cl, MapperOwner, rpcbVersion4, rpcbVersion3, pmapVersion)
		}
	}
	for _, cl := range c.Claims {
		if slices.Contains(registers, cl.Service) && cl.Status == ports.Works && cl.Binds && cl.Port != 0 && cl.RPC.Program != 0 {
			add(cl, cl.Name, cl.RPC.Version)
		}
	}
	return all
}
