// Package directory answers: what is there, and where?
//
// The Book holds the domain's nodes with their addresses, and what each offers there by the port plan. It is told in
// three ways, each on rows of the plan that have the door directory:
//
//	API   the book itself
//	DNS   (a row with UDP) SRV records of the services, addresses of the nodes: RFC 1034, 1035, 2782
//	RPC   (a row with rpc role: portmapper) ports by program number: RFC 1833, versions 2, 3 and 4
//
// DNS and RPC answer strangers, so they only ever tell, and are told to by package responder, which bounds them.
package directory

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// Book is what there is at one moment. It is a value that nobody changes once it is made.
type Book struct {
	Zone   string // the domain's name, and its zone in DNS
	Serial uint32 // grows when the book changes
	Nodes  []Node // by name
}

// Node is one node of the domain.
type Node struct {
	Name      string
	Role      ports.RoleKind // server, agent or desk
	Addresses []string       // host names and IP addresses, in the order in which they are tried; none: not known
	Services  []Service      // in the plan's order
}

// Service is what a node offers on a row of the plan.
type Service struct {
	ID       string // of the row
	Title    string // the row's name on its page
	Name     string // for DNS, of RFC 6335; empty: it has none
	Protocol ports.Protocol
	TLS      bool
	Doors    []string
	Program  uint32 // of ONC RPC; 0: none
	Version  uint32
	Places   []Place
}

// Place is where a service is found.
type Place struct {
	Host string // a host name or an IP address
	Port ports.Port
}

// String returns HOST:PORT.
func (p Place) String() string {
	port := strconv.Itoa(int(p.Port))
	if strings.Contains(p.Host, ":") {
		return "[" + p.Host + "]:" + port
	}
	return p.Host + ":" + port
}

// Known is what the domain knows of one of its nodes.
type Known struct {
	Name      string
	Role      ports.RoleKind
	Addresses []string // host names and IP addresses
	// Where returns where others reach it on a row, HOST or HOST:PORT; a HOST has the row's number. nil: nobody reaches it,
	// because it dials whom it needs.
	Where func(service string) []string
}

// Offers returns the rows of the plan on which a role listens for others, in the plan's order. Rows without a number, of
// pools, and for the same host only are none of them.
func Offers(c ports.Compiled, role ports.RoleKind) []ports.Claim {
	var all []ports.Claim
	for _, cl := range c.Claims {
		if cl.Binds && !cl.Pool && cl.Status == ports.Works && cl.Port != 0 && cl.Scope != ports.SameHost && len(cl.Doors) > 0 && c.MayListen(string(role), cl.Service) {
			all = append(all, cl)
		}
	}
	return all
}

// agents reports whether a door is one that agents open, on rows that carry more on a server.
func agents(door string) bool { return door == "link" || door == "services" || door == "discovery" }

// Compose makes the book of some nodes from the compiled plan.
func Compose(c ports.Compiled, zone string, serial uint32, nodes []Known) *Book {
	b := &Book{Zone: zone, Serial: serial}
	for _, k := range nodes {
		n := Node{Name: k.Name, Role: k.Role, Addresses: unique(k.Addresses)}
		for _, cl := range Offers(c, k.Role) {
			if s, ok := service(cl, k); ok {
				n.Services = append(n.Services, s)
			}
		}
		b.Nodes = append(b.Nodes, n)
	}
	slices.SortFunc(b.Nodes, func(x, y Node) int { return cmp.Compare(x.Name, y.Name) })
	return b
}

// service is what a node offers on a row; false where nobody reaches it there.
func service(cl ports.Claim, k Known) (Service, bool) {
	s := Service{
		ID: cl.Service, Title: cl.Name, Name: cl.DNSName(), Protocol: cl.Protocol, TLS: cl.TLS, Doors: slices.Clone(cl.Doors),
		Program: cl.RPC.Program, Version: cl.RPC.Version,
	}
	if k.Role != ports.Server {
		s.Doors = slices.DeleteFunc(s.Doors, func(door string) bool { return !agents(door) })
	}
	if k.Where == nil || len(s.Doors) == 0 {
		return s, false
	}
	for _, a := range k.Where(cl.Service) {
		host, port := split(a)
		if port == 0 {
			port = cl.Port
		}
		s.Places = append(s.Places, Place{Host: host, Port: port})
	}
	s.Places = unique(s.Places)
	return s, len(s.Places) > 0
}

// unique returns the values in their order, each once.
func unique[T comparable](all []T) []T {
	var out []T
	for _, v := range all {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Language is what is spoken on a row of the plan.
type Language string

// The languages. On every other row it is HTTP, with TLS or without, and links.
const (
	HTTP      Language = "http"
	DNS       Language = "dns"
	RPC       Language = "oncrpc"
	Discovery Language = "discovery"
)

// Speaks returns what is spoken on a row: a port mapper says so, discovery has a door of its own, and a row with UDP whose
// only door is directory answers for names, on TCP too.
func Speaks(c ports.Compiled, cl ports.Claim) Language {
	switch {
	case cl.RPC.Role == roleMapper:
		return RPC
	case slices.Equal(cl.Doors, []string{"discovery"}):
		return Discovery
	case slices.Equal(cl.Doors, []string{"directory"}) && slices.ContainsFunc(c.Claims, func(other ports.Claim) bool {
		return other.Service == cl.Service && other.Protocol == ports.UDP && other.Status == ports.Works
	}):
		return DNS
	}
	return HTTP
}

// split splits HOST or HOST:PORT; the port is 0 where there is none.
func split(address string) (host string, port ports.Port) {
	bare := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if _, err := netip.ParseAddr(bare); err == nil {
		return bare, 0
	}
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address, 0
	}
	n, err := strconv.ParseUint(address[i+1:], 10, 16)
	if err != nil {
		return address, 0
	}
	return strings.TrimSuffix(strings.TrimPrefix(address[:i], "["), "]"), ports.Port(n)
}
