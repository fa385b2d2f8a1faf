package probe

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// Ask says what of a site is meant, and what on the host is Reeve's own.
type Ask struct {
	Host      string           // of the inventory; its roles and addresses count
	Role      string           // of the plan, where no host is given; empty too: every row of the plan
	File      string           // the site's own plan, where remedies are to be written; empty: it has none
	Own       Own              // how Reeve's own sockets are known
	Ephemeral []ports.Range    // instead of the host's range: what would be if it were changed (F34)
	Tolerate  bool             // a claim inside the ephemeral range is a warning only
	Also      []ports.Compiled // other plans whose rows Reeve may listen for on this host: other instances
}

// Own is how Reeve's own sockets are known.
type Own struct {
	Programs []string // paths of Reeve's program
	PIDs     []int
	Leases   []Lease // live leases of this host's ledger
}

// Lease is a port that the host's ledger has granted.
type Lease struct {
	Name     string
	Protocol ports.Protocol
	Port     ports.Port
	PID      int // of its owner; 0: not known
}

// Row is a claim of the plan on one host.
type Row struct {
	ports.Claim
	Addresses []netip.Addr // on which it listens; none: all
}

// ErrUnknown is a host or a role that the site does not have.
type ErrUnknown struct{ What, Name string }

func (e ErrUnknown) Error() string { return fmt.Sprintf("the site has no %s %q", e.What, e.Name) }

// Rows returns what the plan wants of this host: the claims that are bound on it and in use, with the host's own
// numbers and addresses. The error is ErrUnknown.
func Rows(site ports.Site, ask Ask) ([]Row, error) {
	host, roles, err := ask.where(site)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, cl := range site.Compiled.Claims {
		if !cl.Binds || cl.Status != ports.Works && cl.Status != ports.Reserved || !plays(site.Compiled, roles, cl.Listeners) {
			continue
		}
		row := Row{Claim: cl}
		bind := host.Bind
		for _, s := range host.Services {
			if s.Service != cl.Service {
				continue
			}
			if s.Port != 0 && !row.leased() {
				row.Port = s.Port
			}
			if len(s.Bind) > 0 {
				bind = s.Bind
			}
		}
		if row.Port == 0 {
			continue
		}
		if cl.Scope == ports.SameHost {
			bind = []string{"127.0.0.1", "::1"}
		}
		for _, text := range bind {
			if a, err := netip.ParseAddr(text); err == nil {
				row.Addresses = append(row.Addresses, a.Unmap().WithZone(""))
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// where returns the host that is meant and the roles that are looked at; no roles means all.
func (ask Ask) where(site ports.Site) (ports.Host, []string, error) {
	if ask.Host != "" {
		for _, h := range site.Inventory.Hosts {
			if h.Name == ask.Host {
				return h, append([]string{}, h.Roles...), nil
			}
		}
		return ports.Host{}, nil, ErrUnknown{"host", ask.Host}
	}
	if ask.Role == "" {
		return ports.Host{}, nil, nil
	}
	_, known := site.Compiled.Kinds[ask.Role]
	for _, kind := range site.Compiled.Kinds {
		known = known || kind != ports.Unmanaged && string(kind) == ask.Role
	}
	if !known {
		return ports.Host{}, nil, ErrUnknown{"role", ask.Role}
	}
	return ports.Host{}, []string{ask.Role}, nil
}

// plays reports whether one of a host's roles is among those of a row. A host may name a kind, which stands for all
// roles of it; a row without roles may stand anywhere.
func plays(c ports.Compiled, host, row []string) bool {
	return host == nil || len(row) == 0 || slices.ContainsFunc(row, func(r string) bool {
		return slices.Contains(host, r) || c.Kinds[r] != ports.Unmanaged && slices.Contains(host, string(c.Kinds[r]))
	})
}

// has reports whether a port is one of the row's.
func (r Row) has(protocol ports.Protocol, p ports.Port) bool {
	if r.Protocol != protocol || p < r.Port || p > r.Range().Last {
		return false
	}
	return r.Parity == "" || (r.Parity == ports.Even) == (p%2 == 0)
}

// leased reports whether the row's numbers are leased one by one: a pool's, or the second ones of its pairs.
func (r Row) leased() bool { return r.Pool || r.Pair != "" }

// pool is the id of the pool that the row's numbers are leased from.
func (r Row) pool() string {
	if r.Pair != "" {
		return r.Pair
	}
	return r.Service
}

// Range returns the row's numbers on this host.
func (r Row) Range() ports.Range { return ports.Range{First: r.Port, Last: max(r.Port, r.Last)} }
