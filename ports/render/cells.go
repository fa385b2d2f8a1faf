package render

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// cell is one entry of a rule's set: numbers of one transport, with the networks of one address family that may use
// them. The cells of a list have no packet in common, so that a set takes them as they are, in any order.
type cell struct {
	protocol ports.Protocol
	first    ports.Port
	last     ports.Port
	peers    []netip.Prefix  // disjoint and sorted; a network of length 0 is anywhere
	flows    []ports.Opening // what it is for
}

// family is an address family.
type family int

const (
	v4 family = 4
	v6 family = 6
)

func families() []family { return []family{v4, v6} }

func (f family) all() netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

func (f family) has(p netip.Prefix) bool { return p.Addr().Is4() == (f == v4) }

// side chooses which end of an opening is the peer's.
type side func(ports.Opening) []ports.Endpoint

func sources(o ports.Opening) []ports.Endpoint      { return o.Sources }
func destinations(o ports.Opening) []ports.Endpoint { return o.Destinations }

// cells lays the openings out for one family, sorted by transport and number. Where openings overlap, a cell has the
// networks of all of them: most sets refuse entries that overlap. The peers must be addresses; see networks.
func cells(open []ports.Opening, peer side, f family) []cell {
	var out []cell
	for _, proto := range []ports.Protocol{ports.TCP, ports.UDP} {
		s := sweep{peers: map[endList][]netip.Prefix{}, unions: map[string][]netip.Prefix{}, begins: map[int][]int{}, ends: map[int][]int{}}
		for _, o := range open {
			if o.Protocol == proto {
				s.add(o, peer(o), f)
			}
		}
		out = append(out, s.cells(proto)...)
	}
	return out
}

// sweep goes through the numbers of one transport once, and knows at each which openings have it.
type sweep struct {
	open   []ports.Opening
	nets   [][]netip.Prefix
	begins map[int][]int // number to openings
	ends   map[int][]int // the number after the last one to openings
	edges  []int
	peers  map[endList][]netip.Prefix // lists of ends that were read before: hosts are many, lists are few
	unions map[string][]netip.Prefix
}

// endList is the identity of a list of ends.
type endList struct {
	first *ports.Endpoint
	n     int
}

func (s *sweep) add(o ports.Opening, ends []ports.Endpoint, f family) {
	nets := []netip.Prefix{f.all()}
	if len(ends) > 0 {
		nets = s.networks(ends, f)
	}
	if len(nets) == 0 || o.First == 0 {
		return
	}
	n := len(s.open)
	s.open, s.nets = append(s.open, o), append(s.nets, nets)
	for _, r := range numbers(o.First, o.Last, o.Parity) {
		begin, end := int(r.First), int(r.Last)+1
		s.begins[begin], s.ends[end] = append(s.begins[begin], n), append(s.ends[end], n)
		s.edges = append(s.edges, begin, end)
	}
}

func (s *sweep) networks(ends []ports.Endpoint, f family) []netip.Prefix {
	key := endList{&ends[0], len(ends)}
	if known, ok := s.peers[key]; ok {
		return known
	}
	var nets []netip.Prefix
	for _, e := range ends {
		if p, err := network(e.Address); err == nil && f.has(p) {
			nets = append(nets, p)
		}
	}
	nets = union(nets)
	s.peers[key] = nets
	return nets
}

func (s *sweep) cells(proto ports.Protocol) []cell {
	var out []cell
	var active []int // sorted
	slices.Sort(s.edges)
	s.edges = slices.Compact(s.edges)
	for i, edge := range s.edges {
		for _, n := range s.ends[edge] {
			at := sort.SearchInts(active, n)
			active = slices.Delete(active, at, at+1)
		}
		for _, n := range s.begins[edge] {
			active = slices.Insert(active, sort.SearchInts(active, n), n)
		}
		if len(active) == 0 {
			continue
		}
		c := cell{protocol: proto, first: ports.Port(edge), last: ports.Port(s.edges[i+1] - 1), peers: s.union(active)}
		for _, n := range active {
			c.flows = append(c.flows, s.open[n])
		}
		out = append(out, c)
	}
	return out
}

func (s *sweep) union(active []int) []netip.Prefix {
	if len(active) == 1 {
		return s.nets[active[0]]
	}
	key := fmt.Sprint(active)
	nets, ok := s.unions[key]
	if !ok {
		for _, n := range active {
			nets = append(nets, s.nets[n]...)
		}
		nets = union(nets)
		s.unions[key] = nets
	}
	return nets
}

// numbers returns an interval as intervals without gaps: one, or each number by itself where it has a parity. A set
// that had the numbers between would open a container's debugger with the container.
func numbers(first, last ports.Port, parity ports.Parity) []ports.Range {
	last = max(first, last)
	if parity == "" {
		return []ports.Range{{First: first, Last: last}}
	}
	odd := 0
	if parity == ports.Odd {
		odd = 1
	}
	var out []ports.Range
	for n := int(first); n <= int(last); n++ {
		if n%2 == odd {
			out = append(out, ports.Range{First: ports.Port(n), Last: ports.Port(n)})
		}
	}
	return out
}

// bundle is the cells that have transport and networks in common: one rule, for a target that takes lists of numbers.
type bundle struct {
	protocol ports.Protocol
	peers    []netip.Prefix
	ranges   []ports.Range
	flows    []ports.Opening
}

func bundles(list []cell) []bundle {
	var out []bundle
	at := map[string]int{}
	seen := map[string]bool{}
	for _, c := range list {
		key := string(c.protocol) + " " + fmt.Sprint(c.peers)
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, bundle{protocol: c.protocol, peers: c.peers})
		}
		b := &out[i]
		if n := len(b.ranges); n > 0 && int(b.ranges[n-1].Last)+1 == int(c.first) {
			b.ranges[n-1].Last = c.last
		} else {
			b.ranges = append(b.ranges, ports.Range{First: c.first, Last: c.last})
		}
		for _, o := range c.flows {
			if id := key + " " + o.Flow; !seen[id] {
				seen[id] = true
				b.flows = append(b.flows, o)
			}
		}
	}
	return out
}

// span writes an interval with the target's own sign between its ends.
func span(first, last ports.Port, sign string) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d%s%d", first, sign, last)
}

// spans writes intervals with the target's own signs.
func spans(ranges []ports.Range, sign, between string) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = span(r.First, r.Last, sign)
	}
	return strings.Join(words, between)
}
