package render

import (
	"fmt"

	"github.com/reeve-scheduler/reeve/ports"
)

// perInstance is how many numbers an instance has, all services and containers together.
const perInstance = 100

// acs has the daemons with the numbers that they had before, the services by offset, the container ranges, and the
// neighbours.
func (v *vendor) acs() {
	w := v.w.vendor
	base, based := v.base()
	var daemons, services, containers, others [][]string
	for _, r := range v.take(func(ports.Row) bool { return true }) {
		cl := v.claim(r)
		offsets := ""
		if first, last := int(cl.Port)-base, int(max(cl.Port, cl.Last))-base; based && first >= 0 && last < perInstance {
			offsets = fmt.Sprint(first)
			if last > first {
				offsets = fmt.Sprintf("%d-%d", first, last)
			}
		}
		pool := cl.Pool || cl.Pair != ""
		remarks := remark(r.Note, v.state(r))
		switch {
		case cl.PerHost:
			daemons = append(daemons, []string{r.Origin, r.Service, v.port(r), or(r.Was, "–"), remarks})
		case pool && r.Function != "Services":
			containers = append(containers, []string{r.Origin, or(r.Service, cl.Service), v.port(r), offsets, v.w.parity(cl.Parity), remarks})
		case cl.Family != "" || pool:
			services = append(services, []string{r.Origin, r.Service, offsets, v.port(r), remarks})
		default:
			others = append(others, []string{r.Origin, or(r.Service, r.Function), v.port(r), remarks})
		}
	}
	for _, part := range []struct {
		title string
		heads []string
		cells [][]string
	}{
		{w.daemons, []string{w.number, w.daemon, w.fixed, w.was, w.remarks}, daemons},
		{w.services, []string{w.number, w.service, w.offset, fmt.Sprintf(w.instancePort, v.c.Instance), w.remarks}, services},
		{w.containers, []string{w.number, w.what, fmt.Sprintf(w.instancePort, v.c.Instance), w.offset, v.w.pool.parity, w.remarks}, containers},
		{w.neighbours, []string{w.number, w.what, w.port, w.remarks}, others},
	} {
		if len(part.cells) > 0 {
			v.table(part.title, nil, part.heads, part.cells)
		}
	}
}

// base is the number at offset 0 of the instance.
func (v *vendor) base() (base int, ok bool) {
	for _, cl := range v.c.Claims {
		if cl.Family != "" && cl.Port != 0 && cl.By == "" {
			return int(cl.Port) - cl.Offset, true
		}
	}
	return 0, false
}
