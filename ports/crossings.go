package ports

import "slices"

// Crossing is one connection that a site makes from a host to another: a flow of the plan between the two. Proofs are
// made of crossings, one for each.
type Crossing struct {
	Flow     ResolvedFlow
	From, To string // hosts; empty: the inventory has none that plays the flow's role
	Host     string // under which the destination is reached: an address, a network or a name; empty: not known
	Port     Port   // the first number at which it is reached there; 0: none is known
	Last     Port   // of a range; else Port
	Bound    Port   // the number that the destination itself has for Port
}

// Address is HOST:PORT of a number of the crossing, counted from its first; empty where nothing can be dialled.
func (c Crossing) Address(n Port) string {
	if c.Host == "" || c.Port == 0 {
		return ""
	}
	return hostPort(c.Host, c.Port+n)
}

// Covers reports whether the crossing goes to a number of the destination.
func (c Crossing) Covers(protocol Protocol, bound Port) bool {
	return c.Flow.Protocol == protocol && c.Port != 0 && bound >= c.Bound && bound-c.Bound <= c.Last-c.Port && c.Flow.Parity.fits(bound)
}

// Crossings returns every connection of a site, in the order of the plan, then of the inventory: of each flow in use
// between hosts that do not share their ports, as their zones let them dial. A destination that is reached under several
// addresses has a crossing for each.
func (s Site) Crossings() []Crossing {
	v := newView(s)
	var all []Crossing
	for _, f := range v.flows {
		from, to := orNobody(v.plays[f.From]), orNobody(v.plays[f.To])
		for _, src := range from {
			for _, dst := range to {
				if src.Name != "" && dst.Name != "" && src.shares(dst.Host) || !v.dirs.used(f, src.Zone, dst.Zone) {
					continue
				}
				all = append(all, v.crossings(f, src, dst)...)
			}
		}
	}
	return all
}

// orNobody returns one host without a name where there is none.
func orNobody(hosts []*viewHost) []*viewHost {
	if len(hosts) == 0 {
		return []*viewHost{{}}
	}
	return hosts
}

func (v *view) crossings(f ResolvedFlow, src, dst *viewHost) []Crossing {
	c := Crossing{Flow: f, From: src.Name, To: dst.Name, Port: f.Port, Last: max(f.Port, f.Last), Bound: f.Port}
	if dst.Name == "" {
		return []Crossing{c}
	}
	o := v.bound(v.opening(f), dst)
	c.Port, c.Last, c.Bound = o.First, max(o.First, o.Last), o.First
	hs, _ := dst.service(f.Service)
	var all []Crossing
	for _, a := range dst.reached(hs) {
		one := c
		one.Host = a.host
		if a.port != 0 && c.Port == c.Last && (len(hs.Advertise) > 0 || v.alone(dst)) {
			one.Port, one.Last = a.port, a.port
		}
		if !slices.ContainsFunc(all, func(other Crossing) bool { return other.Host == one.Host && other.Port == one.Port }) {
			all = append(all, one)
		}
	}
	return all
}

// ShutReason is why a number must be closed to other hosts.
type ShutReason string

// The reasons.
const (
	ShutSameHost  ShutReason = "same-host" // the row is for the host itself
	ShutReserved  ShutReason = "reserved"  // the row is held, and nothing of the plan uses it
	ShutNeighbour ShutReason = "neighbour" // it is next to a row, and no row has it
)

// Shut is a number of a host that other hosts must not reach.
type Shut struct {
	Claim  Claim // the row; of a neighbour: the one that it is next to
	Number Port
	Reason ShutReason
}

// Shut returns the numbers of a host that must be closed to others: the ends of rows that are for the host itself or
// that are reserved, and what lies next to a row that is open. Each stands once for a transport.
func (s Site) Shut(host string) []Shut {
	held := s.Held(host)
	taken := func(p Protocol, n int) bool {
		return slices.ContainsFunc(held, func(cl Claim) bool {
			return cl.Protocol == p && n >= int(cl.Range().First) && n <= int(cl.Range().Last)
		})
	}
	var all []Shut
	add := func(cl Claim, n int, why ShutReason) {
		if n < 1 || n > 65535 || slices.ContainsFunc(all, func(o Shut) bool { return o.Claim.Protocol == cl.Protocol && int(o.Number) == n }) {
			return
		}
		all = append(all, Shut{cl, Port(n), why})
	}
	for _, cl := range held {
		r := cl.Range()
		switch {
		case cl.Scope == SameHost:
			add(cl, int(r.First), ShutSameHost)
			add(cl, int(r.Last), ShutSameHost)
		case cl.Status == Reserved:
			add(cl, int(r.First), ShutReserved)
			add(cl, int(r.Last), ShutReserved)
		default:
			for _, n := range []int{int(r.First) - 1, int(r.Last) + 1} {
				if !taken(cl.Protocol, n) {
					add(cl, n, ShutNeighbour)
				}
			}
		}
	}
	return all
}

// Together reports whether two hosts of the inventory have their ports in common: nothing between them can be closed.
func (s Site) Together(a, b string) bool {
	one, ok := s.Host(a)
	other, known := s.Host(b)
	return ok && known && one.shares(other)
}
