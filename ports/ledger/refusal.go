package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// Outcome is what a look at a port, or a request for one, found. The set is closed.
type Outcome string

// The outcomes.
const (
	IsFree       Outcome = "free"
	Ours         Outcome = "ours"         // a lease has it: Refusal.Holder
	ForeignTaken Outcome = "foreign"      // a program outside the ledger has it: Refusal.Foreign
	IsHeld       Outcome = "held"         // released, and held until Refusal.Until for Refusal.Reason
	OutsideRange Outcome = "outside"      // the number is not one of the pool's
	NoPermission Outcome = "denied"       // the system does not let us bind it, or use the ledger
	NotLocal     Outcome = "not_local"    // the address is not one of this host
	IsReserved   Outcome = "reserved"     // a row of the plan with a fixed number has it
	Exhausted    Outcome = "exhausted"    // no number of the pool is free: Refusal.Until is when the first may be
	OtherHost    Outcome = "other_host"   // the sticky name belongs to another host, and the pool does not let it move
	BadRequest   Outcome = "bad_request"  // the request is wrong by itself
	NoPool       Outcome = "no_pool"      // the plan has no such pool
	NoLease      Outcome = "no_lease"     // there is no such lease
	Fenced       Outcome = "fenced"       // the lease has been granted again since
	NoRoom       Outcome = "no_room"      // the disk is full: nothing was granted, and what is granted stays
	LockStuck    Outcome = "lock_stuck"   // a process has the ledger's lock and does not let it go
	IsDamaged    Outcome = "damaged"      // records that were acknowledged cannot be read: `repair` goes on from what can
	NewerFormat  Outcome = "newer_format" // a newer version wrote the ledger
)

// Foreign is a program outside the ledger that has a port.
type Foreign struct {
	PID     int    `json:"pid,omitempty"`     // 0: not to be seen
	Program string `json:"program,omitempty"` // empty: not to be seen
	Detail  string `json:"detail"`            // for a person
}

// Refusal is why a request was not granted. It is an error; errors.As finds it.
type Refusal struct {
	Outcome Outcome
	Pool    string
	Name    string // that was asked for
	Port    ports.Port
	Numbers string // the pool's numbers, as intervals: never a thousand numbers (F48)
	Holder  *Lease // of Ours, IsHeld and OtherHost
	Holders int    // of Exhausted: how many leases have the pool's numbers
	Foreign []Foreign
	Until   time.Time // of IsHeld and Exhausted; zero: nobody knows
	Reason  string    // of IsHeld
	Text    string    // the sentence, where the outcome's own is not enough
	Err     error     // what the system said

	at   place        // where the sockets would have been
	look []ports.Port // whose programs are to be named
}

// Unwrap returns what the system said.
func (r *Refusal) Unwrap() error { return r.Err }

// Error says in one sentence what is in the way.
func (r *Refusal) Error() string {
	s := r.sentence()
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

func (r *Refusal) sentence() string {
	if r.Text != "" {
		return r.Text
	}
	port := "port " + strconv.Itoa(int(r.Port)) + " of pool " + r.Pool
	switch r.Outcome {
	case IsFree:
		return port + " is free"
	case Ours:
		return port + " is leased: " + describe(r.Holder)
	case ForeignTaken:
		return port + " is taken by " + foreignText(r.Foreign)
	case IsHeld:
		return fmt.Sprintf("%s is held until %s (%s)", port, clock(r.Until), r.Reason)
	case OutsideRange:
		return fmt.Sprintf("port %d is not one of pool %s: %s", r.Port, r.Pool, r.Numbers)
	case NoPermission:
		return "the system does not allow " + port
	case NotLocal:
		return "binding " + port + ": the address is not one of this host"
	case IsReserved:
		return port + " belongs to a row of the plan with a fixed number"
	case Exhausted:
		s := fmt.Sprintf("pool %s (%s) has no free port: %d leases have its numbers", r.Pool, r.Numbers, r.Holders)
		if r.Holders == 1 {
			s = fmt.Sprintf("pool %s (%s) has no free port: 1 lease has its numbers", r.Pool, r.Numbers)
		}
		if len(r.Foreign) > 0 {
			s += ", others are taken by " + foreignText(r.Foreign)
		}
		if r.Until.IsZero() {
			return s + "; none of them ends at a known time"
		}
		return s + "; the first may be free at " + clock(r.Until)
	case OtherHost:
		return fmt.Sprintf("the name %s belongs to host %s: %s", r.Name, r.Holder.Owner.Host, describe(r.Holder))
	case NoLease:
		return "there is no lease " + r.Name
	case Fenced:
		return "the lease " + r.Name + " has been granted again since"
	case NoRoom:
		return "the disk of the ledger is full"
	case LockStuck, IsDamaged, NewerFormat, BadRequest, NoPool: // these always bring their sentence
	}
	return string(r.Outcome)
}

// describe names a lease and who has it.
func describe(l *Lease) string {
	if l == nil {
		return "a lease"
	}
	s := fmt.Sprintf("%s, %d of pool %s, %s, of %s", l.Name, l.Port, l.Pool, l.State, l.Owner)
	if !l.Granted.IsZero() {
		s += " since " + clock(l.Granted)
	}
	return s
}

func foreignText(all []Foreign) string {
	if len(all) == 0 {
		return "a program that cannot be seen"
	}
	names := make([]string, 0, len(all))
	for i, f := range all {
		if i == 3 {
			names = append(names, strconv.Itoa(len(all)-i)+" more")
			break
		}
		names = append(names, f.Detail)
	}
	return strings.Join(names, " and ")
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
