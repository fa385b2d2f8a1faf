package ledger

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// Request asks for one port of a pool. For builds one from a compiled plan.
type Request struct {
	Pool     ports.ResolvedPool
	Plan     string
	Hash     string // of the plan
	Instance int
	Static   []ports.Claim     // rows with a fixed number: those in the pool's range are never leased (F09)
	Boxes    []ports.Middlebox // firewalls on the way: how long they remember is a reason to hold

	Name     string
	Owner    Owner
	Pair     bool   // also the pair's port: both or neither. A pool whose pair is not optional always gives it
	PairName string // empty: the pool's word
	Sticky   bool   // the number sticks to the name, also where the pool does not say so
	TTL      time.Duration
	Address  netip.Addr // the zero address: all of both families, or loopback where the pool says so
	Port     ports.Port // 0: the pool chooses
	Wait     bool       // wait for a free number until the context ends
}

// For returns a request for a pool of a compiled plan; the caller adds name and owner. The error is a *Refusal.
func For(c ports.Compiled, pool string) (Request, error) {
	for _, p := range c.Pools {
		if p.ID == pool {
			return Request{Pool: p, Plan: c.Plan, Hash: c.Hash, Instance: c.Instance, Static: c.Claims}, nil
		}
	}
	names := make([]string, len(c.Pools))
	for i, p := range c.Pools {
		names[i] = p.ID
	}
	has := "it has " + strings.Join(names, ", ")
	if len(names) == 0 {
		has = "it has none"
	}
	return Request{}, &Refusal{Outcome: NoPool, Pool: pool, Text: fmt.Sprintf("the plan %s has no pool %q: %s", c.Plan, pool, has)}
}

const (
	maxName = 128
	maxTTL  = 10 * 365 * 24 * time.Hour
)

// check refuses what is wrong by itself, before anything is locked.
func (r *Request) check() error {
	wrong := func(format string, args ...any) error {
		return &Refusal{Outcome: BadRequest, Pool: r.Pool.ID, Name: r.Name, Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Pool.Status == ports.Inactive:
		return wrong("the pool %s is not active: its condition does not hold on this site", r.Pool.ID)
	case len(r.Pool.Ranges) == 0:
		return wrong("the pool %s has no range: the site must give it one", r.Pool.ID)
	case len(r.Pool.Protocol) == 0:
		return wrong("the pool %s has no protocol", r.Pool.ID)
	case !goodName(r.Name):
		return wrong("%s is not a name for a lease: 1 to %d printable characters without blanks, ':' and '='", strconv.QuoteToASCII(clip(r.Name)), maxName)
	case r.PairName != "" && !goodName(r.PairName):
		return wrong("%s is not a name for a pair", strconv.QuoteToASCII(clip(r.PairName)))
	case r.TTL < 0 || r.TTL > maxTTL:
		return wrong("a lease lasts from 1ns to %s, not %s", maxTTL, r.TTL)
	case r.Pair && r.Pool.Pair.ID == "":
		return wrong("the pool %s has no pairs", r.Pool.ID)
	case r.Owner.Kind == "":
		return wrong("the lease %s has no owner", r.Name)
	case r.Owner.PID == 0 && r.ttl() == 0:
		return wrong("the lease %s would never end: it has neither a process nor a time", r.Name)
	}
	for _, p := range r.Pool.Protocol {
		if p != ports.TCP && p != ports.UDP {
			return wrong("the pool %s has the protocol %q, which has no ports", r.Pool.ID, p)
		}
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), maxName)] }

func goodName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == ':' || c == '=' {
			return false
		}
	}
	return true
}

func (r *Request) ttl() time.Duration {
	if r.TTL > 0 {
		return r.TTL
	}
	return r.Pool.Lease.TTL
}

// paired reports whether the lease has a second port.
func (r *Request) paired() bool {
	return r.Pool.Pair.ID != "" && (r.Pair || !r.Pool.Pair.Optional)
}

func (r *Request) pairName() string {
	if r.PairName != "" {
		return r.PairName
	}
	return r.Pool.Pair.ID
}

func (r *Request) address() netip.Addr {
	if !r.Address.IsValid() && r.Pool.Loopback {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return r.Address.Unmap()
}

// key names what the number sticks to; empty: it does not stick.
func (r *Request) key() string {
	template := r.Pool.Sticky.Key
	if template == "" {
		if !r.Sticky {
			return ""
		}
		template = "{name}"
	}
	return strings.NewReplacer("{instance}", strconv.Itoa(r.Instance), "{name}", r.Name, "{host}", r.Owner.Host,
		"{pool}", r.Pool.ID, "{plan}", r.Plan).Replace(template)
}

// identity is the key without the host: the same name on another host is the same name, and whether it may move is the
// pool's rule.
func (r *Request) identity(host string) string {
	moved := *r
	moved.Owner.Host = host
	return moved.key()
}
