package ports

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"
)

// Compiled is a plan with all numbers resolved for one instance. It is a value: it can be sent, stored and printed.
type Compiled struct {
	Plan     string         `json:"plan"`
	Instance int            `json:"instance"`
	Hash     string         `json:"hash"` // SHA-256 over every row, in hex; hosts, zones and addresses do not enter it
	Claims   []Claim        `json:"claims"`
	Flows    []ResolvedFlow `json:"flows"`
	Pools    []ResolvedPool `json:"pools,omitempty"`
	Local    []LocalSocket  `json:"local,omitempty"`

	// What the rows print instead of ids.
	Roles      map[string]string   `json:"roles,omitempty"`      // a role's title
	Kinds      map[string]RoleKind `json:"kinds,omitempty"`      // what each role of the plan is
	Relays     []string            `json:"relays,omitempty"`     // the roles that carry other agents' links
	Conditions map[string]string   `json:"conditions,omitempty"` // a condition's text

	// What documents say beside the rows.
	Owner string      `json:"owner,omitempty"` // who answers for the openings
	Notes []Statement `json:"notes,omitempty"` // of the plan's page, in its order

	Egress string `json:"egress,omitempty"` // Policies.Egress: "restricted" where rules for outgoing connections are made too
}

// Claim is one port that a service needs.
type Claim struct {
	Service      string       `json:"service"` // the service's id
	Function     string       `json:"function,omitempty"`
	Name         string       `json:"name,omitempty"`
	Protocol     Protocol     `json:"protocol"`
	Port         Port         `json:"port"`           // 0: no number is assigned
	Last         Port         `json:"last,omitempty"` // the end of an interval that begins with Port; 0: one port
	Parity       Parity       `json:"parity,omitempty"`
	Pool         bool         `json:"pool,omitempty"` // the interval is leased from; Service is the pool's id
	Down         bool         `json:"down,omitempty"` // of a pool: allocation begins at Last
	Pair         string       `json:"pair,omitempty"` // of second numbers: the pool; Service is POOL.PAIR
	TLS          bool         `json:"tls,omitempty"`
	Doors        []string     `json:"doors,omitempty"`
	Listeners    []string     `json:"listeners,omitempty"` // the roles on which something listens
	Binds        bool         `json:"binds"`               // false: a target that another program serves
	Scope        Scope        `json:"scope"`
	Status       Status       `json:"status"`
	SRVName      string       `json:"srv_name,omitempty"`
	Application  string       `json:"application,omitempty"`
	RPC          RPC          `json:"rpc,omitzero"`
	Family       string       `json:"family,omitempty"`
	Offset       int          `json:"offset,omitempty"` // within the family
	By           OverrideBy   `json:"by,omitempty"`     // what gave the number; empty: the plan
	Key          string       `json:"key,omitempty"`
	Modes        []string     `json:"modes,omitempty"`
	Unproven     bool         `json:"unproven,omitempty"`
	Deprecated   bool         `json:"deprecated,omitempty"`
	PerHost      bool         `json:"per_host,omitempty"`
	ServicesFile ServicesFile `json:"services_file,omitzero"`
	When         string       `json:"when,omitempty"` // a condition's id
	Origin       string       `json:"origin,omitempty"`
	Was          string       `json:"was,omitempty"`
	Note         string       `json:"note,omitempty"`
	Place        Place        `json:"-"`
}

// ResolvedFlow is a flow with the service, transport and number that it goes to.
type ResolvedFlow struct {
	ID       string   `json:"id"` // SERVICE.N/PROTOCOL, N counting the service's flows from 1
	Service  string   `json:"service"`
	Status   Status   `json:"status"` // the claim's, or Inactive where the flow's own condition does not hold
	Protocol Protocol `json:"protocol"`
	Port     Port     `json:"port"`
	Last     Port     `json:"last,omitempty"`
	Parity   Parity   `json:"parity,omitempty"`
	TLS      bool     `json:"tls,omitempty"`
	Flow
}

// Range returns the claim's numbers, both ends included; those that the parity leaves out are in it. It is the zero
// Range where no number is assigned.
func (cl Claim) Range() Range { return Range{cl.Port, max(cl.Port, cl.Last)} }

// Service returns the claim of a service that is in use: its TCP claim where it has several transports and TCP stands
// first. Where all are inactive it is the first of them.
func (c Compiled) Service(id string) (Claim, bool) {
	found, ok := Claim{}, false
	for _, claim := range c.Claims {
		if claim.Service != id {
			continue
		}
		if claim.Status != Inactive {
			return claim, true
		}
		if !ok {
			found, ok = claim, true
		}
	}
	return found, ok
}

// Door returns the claims in use that open a door, in the plan's order.
func (c Compiled) Door(door string) []Claim {
	var found []Claim
	for _, claim := range c.Claims {
		if (claim.Status == Works || claim.Status == "") && contains(claim.Doors, door) {
			found = append(found, claim)
		}
	}
	return found
}

// Carrying returns the flows in use that carry a conversation ("link", "enrol" …), in the order in which they are
// dialled: by their ranks, and else in the plan's order.
func (c Compiled) Carrying(conversation string) []ResolvedFlow {
	var found []ResolvedFlow
	for _, f := range c.Flows {
		if f.works() && contains(f.Carries, conversation) {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b ResolvedFlow) int { return cmp.Compare(a.turn(), b.turn()) })
	return found
}

// turn is the flow's place among those that carry the same.
func (f Flow) turn() int {
	if f.Rank == 0 {
		return math.MaxInt
	}
	return f.Rank
}

// works reports whether the flow is in use; a flow that says nothing of its status is.
func (f ResolvedFlow) works() bool { return f.Status == Works || f.Status == "" }

// MayListen reports whether the plan lets a role listen for a service: one of the plan, or a kind, which is all roles
// that are of it.
func (c Compiled) MayListen(role, service string) bool {
	return slices.ContainsFunc(c.Claims, func(cl Claim) bool {
		return cl.Service == service && cl.Binds && cl.Status == Works && c.plays(role, cl.Listeners...)
	})
}

// plays reports whether a role, or a kind of them, is among some roles of the plan.
func (c Compiled) plays(role string, among ...string) bool {
	return slices.ContainsFunc(among, func(r string) bool { return r == role || role != "" && c.Kinds[r] == RoleKind(role) })
}

// Dials returns the flows in use of a conversation from one kind of role to another, in the plan's order: that in which
// they are dialled.
func (c Compiled) Dials(conversation string, from, to RoleKind) []ResolvedFlow {
	return slices.DeleteFunc(c.Carrying(conversation), func(f ResolvedFlow) bool {
		return !f.works() || c.Kinds[f.From] != from || c.Kinds[f.To] != to
	})
}

// MayDial reports whether the plan has a flow in use from a role to a service. A role may always reach a service on
// its own host.
func (c Compiled) MayDial(role, service string) bool {
	return c.MayListen(role, service) || slices.ContainsFunc(c.Flows, func(f ResolvedFlow) bool {
		return f.Service == service && c.plays(role, f.From) && f.works()
	})
}

// hash covers every row, and what a row's columns leave out: TLS and what a flow carries.
func (c Compiled) hash() string {
	h := sha256.New()
	write := func(fields ...string) {
		for _, f := range fields {
			// Each field is preceded by its length, so that no two lists of fields give the same bytes.
			_, _ = io.WriteString(h, strconv.Itoa(len(f))+":"+f)
		}
		_, _ = io.WriteString(h, "\n")
	}
	write("reeve plan 1", c.Plan, strconv.Itoa(c.Instance))
	for _, row := range c.Rows() {
		write(row.Fields()...)
	}
	for _, cl := range c.Claims {
		write(append([]string{cl.Service, string(cl.Protocol), strconv.FormatBool(cl.TLS), strconv.FormatBool(cl.Binds)}, cl.Listeners...)...)
	}
	for _, f := range c.Flows {
		write(append([]string{f.Service, string(f.Protocol), f.From, f.To, strconv.Itoa(f.Rank)}, f.Carries...)...)
	}
	for _, p := range c.Pools {
		// A float that is no number cannot be written; the pool's size has then been refused already.
		rules, _ := json.Marshal(p)
		write(string(rules))
	}
	if len(c.Relays) > 0 {
		write(append([]string{"relays"}, c.Relays...)...)
	}
	return hex.EncodeToString(h.Sum(nil))
}
