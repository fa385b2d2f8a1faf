package ledger

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/ports"
)

// Report is what a repair found and did.
type Report struct {
	Copy  string // where the damaged ledger was kept; empty: it was whole
	Lost  []string
	Found []Finding
}

// Finding is one lease that a repair changed.
type Finding struct {
	Lease Lease
	Was   State // Free: it was not in the ledger
	Text  string
}

// Repair brings the ledger to what a host shows. What was acknowledged and can be read stays; a damaged file is kept
// beside. A lease that only its process's environment still tells of comes back. Leases of owners that are gone end,
// or are leaked where something still has the number; those whose owner lives but has nothing open become suspect after
// three repairs. Whatever else has a number of the plan's pools is blocked, until it is gone.
func (l *Ledger) Repair(ctx context.Context, obs Observation, plan ports.Compiled) (Report, error) {
	var report Report
	unlock, err := l.take(ctx)
	if err != nil {
		return report, err
	}
	err = l.mend(&report)
	unlock()
	if err != nil {
		return report, err
	}
	err = l.decide(ctx, func(c *change) error {
		c.ending = true
		r := repair{change: c, ledger: l, obs: &obs, plan: plan, report: &report}
		r.adopt()
		r.owners()
		r.outside()
		r.strangers()
		return nil
	})
	return report, err
}

// mend replaces a damaged file by what can be read of it.
func (l *Ledger) mend(report *Report) error {
	if err := l.catchUp(); err != nil {
		return err
	}
	if len(l.journal.lost) == 0 {
		return nil
	}
	name, err := l.journal.keep(l.table.now)
	if err != nil {
		return err
	}
	report.Copy = name
	for _, d := range l.journal.lost {
		report.Lost = append(report.Lost, d.Error())
	}
	return l.compact()
}

// repair is one repair under way.
type repair struct {
	*change
	ledger *Ledger
	obs    *Observation
	plan   ports.Compiled
	report *Report
}

func (r *repair) found(was State, l Lease, format string, args ...any) {
	r.report.Found = append(r.report.Found, Finding{Lease: l.clone(), Was: was, Text: fmt.Sprintf(format, args...)})
}

// after returns a lease as it is now.
func (r *repair) after(l Lease) Lease {
	if now := r.leases[l.ID]; now != nil {
		return *now
	}
	l.State = Free
	return l
}

// adopt brings back what processes carry and the ledger does not know.
func (r *repair) adopt() {
	for _, carried := range r.obs.Leases {
		l := carried.Lease
		p := place{netns: l.Netns, protocol: l.Protocol, address: l.Address}
		if _, ok := r.leases[l.ID]; ok || carried.Ledger != r.ledger.dir || r.ledger.opts.Alive(l.Owner) != Alive {
			continue
		}
		if l.Stick != "" && r.sticks[stick{l.Pool, l.Stick}] != "" {
			continue // the name has a number, and this is not it
		}
		taken := false
		for _, n := range l.numbers() {
			for _, holder := range r.holders(p, n) {
				taken = taken || holder.State != Blocked && holder.State != Leaked
			}
		}
		if taken {
			continue
		}
		l.Reason, l.Renewed = "found again by its process", r.now
		r.unblock(p, l.numbers())
		r.set(l)
		r.found(Free, l, "found again: %s", describe(&l))
	}
}

// owners looks at every lease that has an owner.
func (r *repair) owners() {
	for _, l := range r.ledger.list() {
		if !l.State.live() || l.Owner.PID == 0 {
			continue
		}
		x := r.obs.has(&l)
		next := l
		switch life := r.ledger.opts.Alive(l.Owner); {
		case life == Dead && x != nil && x.PID != 0:
			next.State, next.Released = Leaked, r.now
			next.Reason = fmt.Sprintf("%s is gone, and pid %d (%s) still has the port", l.Owner, x.PID, x.Program)
			r.set(next)
			r.found(l.State, next, "leaked: %s", next.Reason)
		case life == Dead:
			r.bereave(next)
			r.found(l.State, r.after(l), "ended: %s is gone", l.Owner)
		case x == nil && l.State != Suspect && (l.Netns == r.obs.Netns || l.Netns == 0 || life == Unseen):
			if next.Sweeps++; next.Sweeps >= suspectAfter {
				next.State, next.Reason = Suspect, reasonSilent
				r.found(l.State, next, "suspect: %s", next.Reason)
			}
			r.set(next)
		case x != nil && (l.State == Suspect || l.Sweeps > 0):
			next.State, next.Reason, next.Sweeps = next.working(), "", 0
			r.set(next)
			if l.State == Suspect {
				r.found(l.State, next, "seen again")
			}
		}
	}
}

// outside looks whether what was in the way is still there.
func (r *repair) outside() {
	for _, l := range r.ledger.list() {
		if l.State != Blocked && l.State != Leaked || l.Netns != 0 && l.Netns != r.obs.Netns || r.obs.has(&l) != nil {
			continue
		}
		was := l.State
		switch {
		case was == Blocked:
			r.remove(&l)
		case l.Stick != "":
			l.State, l.Reason = Planned, l.Owner.String()+" is gone"
			r.set(l)
		default:
			r.end(l, r.now, l.Owner.String()+" is gone")
		}
		r.found(was, r.after(l), "nothing has port %d any more", l.Port)
	}
}

// strangers notes the programs that have numbers of the pools without a lease.
func (r *repair) strangers() {
	for _, pool := range r.plan.Pools {
		if pool.Status == ports.Inactive || len(pool.Ranges) == 0 {
			continue
		}
		mask := of(pool, false)
		if pool.Pair.ID != "" {
			second := mask.shifted(pool.Pair.Delta)
			mask.union(&second)
		}
		request := Request{Pool: pool, Plan: r.plan.Plan, Static: r.plan.Claims, Owner: Owner{Host: hostName()}}
		static := request.static()
		for _, x := range r.obs.Listeners {
			port := ports.Port(x.Local.Port())
			p := place{netns: r.obs.Netns, protocol: []ports.Protocol{x.Protocol}, address: x.address()}
			if !mask.has(port) || static.has(port) || !contains(pool.Protocol, x.Protocol) || len(r.holders(p, port)) > 0 {
				continue
			}
			r.blocked(r.ledger, &request, p, &busy{port: port, protocol: x.Protocol})
			for _, l := range r.holders(p, port) {
				next := l.clone()
				next.Owner = Owner{Kind: "foreign", Host: hostName(), ID: x.Program, PID: x.PID}
				next.Reason = fmt.Sprintf("pid %d (%s) has it without a lease", x.PID, x.Program)
				if x.PID == 0 {
					next.Reason = "a program that cannot be seen has it without a lease"
				}
				r.set(next)
				r.found(Free, next, "blocked: %s", next.Reason)
			}
		}
	}
}
