package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// spread makes two rows of one that has a range: its first number under the row's own id, and its last as ID:NUMBER. A
// firewall that has one of them and not the other has the range wrong.
func spread(c ports.Compiled) ports.Compiled {
	var claims []ports.Claim
	for _, cl := range c.Claims {
		last := lastOf(cl.Port, cl.Last, cl.Parity)
		cl.Last = 0
		claims = append(claims, cl)
		if last > cl.Port {
			cl.Service, cl.Port = atNumber(cl.Service, last), last
			claims = append(claims, cl)
		}
	}
	var flows []ports.ResolvedFlow
	for _, f := range c.Flows {
		last, id := lastOf(f.Port, f.Last, f.Parity), f.ID[len(f.Service):]
		f.Last = 0
		flows = append(flows, f)
		if last > f.Port {
			f.Service, f.Port = atNumber(f.Service, last), last
			f.ID = f.Service + id
			flows = append(flows, f)
		}
	}
	c.Claims, c.Flows = claims, flows
	return c
}

// lastOf is the last number of a range that is in use.
func lastOf(first, last ports.Port, parity ports.Parity) ports.Port {
	if last > first && parity != "" && (parity == ports.Even) != (last%2 == 0) {
		return last - 1
	}
	return last
}

func atNumber(service string, number ports.Port) string { return fmt.Sprintf("%s:%d", service, number) }

// isOf reports whether an id is one of those that are asked for, or the last number of one.
func isOf(asked []string, id string) bool {
	return slices.Contains(asked, id) || slices.Contains(asked, whole(id))
}

// whole is the id without the number.
func whole(id string) string {
	before, after, _ := strings.Cut(id, ":")
	return before + strings.TrimLeft(after, "0123456789")
}
