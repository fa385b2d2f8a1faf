package ports

import (
	"fmt"
	"strconv"
)

// socketKey is what two claims of one host must not share.
type socketKey struct {
	protocol Protocol
	port     Port
}

// heldClaim is a claim seen in one instance.
type heldClaim struct {
	claim    Claim
	instance int
	fixed    bool // the same number in every instance
}

// overlaps looks for claims that meet on one host.
type overlaps struct {
	c        *compiler
	together map[[2]string]bool // pairs of roles that some host plays at once
	held     map[socketKey][]heldClaim
	reported map[string]bool
}

// checkOverlaps reports claims that meet on one host: within any instance as errors, between two instances, which
// may run on one host too, as a warning. One pair of services is reported once of each.
func (c *compiler) checkOverlaps() {
	o := &overlaps{c: c, together: rolesTogether(c.inv), held: map[socketKey][]heldClaim{}, reported: map[string]bool{}}
	instances := c.plan.Instances()
	if len(instances) == 0 {
		return
	}
	for _, varies := range []bool{false, true} {
		for i := range c.rows {
			r := &c.rows[i]
			if r.varies != varies {
				continue
			}
			for n, spans := range r.numbers {
				for _, s := range spans {
					for _, proto := range r.Protocols {
						o.add([]Claim{r.claim(s, proto)}, instances[n], !varies)
					}
				}
			}
		}
	}
}

// add compares claims with all that are held, and holds them too.
func (o *overlaps) add(claims []Claim, instance int, fixed bool) {
	for _, cl := range claims {
		if cl.Port == 0 || !cl.Binds || cl.Status == Foreign {
			continue
		}
		k := socketKey{cl.Protocol, cl.Port}
		for _, other := range o.held[k] {
			if o.meet(other.claim, cl) {
				o.report(heldClaim{cl, instance, fixed}, other)
			}
		}
		o.held[k] = append(o.held[k], heldClaim{cl, instance, fixed})
	}
}

func (o *overlaps) report(one, other heldClaim) {
	code, sev := Overlap, Error
	if !one.fixed && !other.fixed && one.instance != other.instance {
		code, sev = InstancesMeet, Warning
	}
	key := string(code) + " " + other.claim.Service + " " + one.claim.Service
	if o.reported[key] {
		return
	}
	o.reported[key] = true
	where := strconv.Itoa(int(one.claim.Port)) + "/" + string(one.claim.Protocol)
	message := fmt.Sprintf("services %s and %s both claim %s in instance %d", other.claim.Service, one.claim.Service, where, one.instance)
	fix := "give one of them another number"
	if code == InstancesMeet {
		message = fmt.Sprintf("service %s of instance %d claims %s, which service %s of instance %d claims too",
			one.claim.Service, one.instance, where, other.claim.Service, other.instance)
		fix = "do not run both instances on one host"
	}
	o.c.report(code, sev, one.claim.Place, message, fix)
}

// meet reports whether two claims can stand on one host: they share a role, or a host plays a role of each. A claim
// without a role may stand anywhere.
func (o *overlaps) meet(a, b Claim) bool {
	for _, x := range a.Listeners {
		for _, y := range b.Listeners {
			if x == y || o.together[[2]string{x, y}] {
				return true
			}
		}
	}
	return len(a.Listeners) == 0 || len(b.Listeners) == 0
}

// rolesTogether returns the pairs of roles that some host plays at once.
func rolesTogether(inv Inventory) map[[2]string]bool {
	pairs := map[[2]string]bool{}
	for _, h := range inv.Hosts {
		for _, x := range h.Roles {
			for _, y := range h.Roles {
				pairs[[2]string{x, y}] = true
			}
		}
	}
	return pairs
}
