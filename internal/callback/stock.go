package callback

import (
	"fmt"
	"maps"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// stock counts the ports of the pool, so that no more attempts are ordered than can have one. It is a picture of the
// ledger, which decides: where others lease from the pool too, it may be wrong for a moment, and an attempt that was
// ordered waits for its port then.
type stock struct {
	size     int
	expected map[wire.Attempt]bool    // ordered, and not announced yet
	held     map[ports.Port]time.Time // when ports that were given back are free again
	others   int                      // leases that are not this process's, and have no time at which they end
	until    time.Time                // the ledger said that none is free until then
}

// free returns how many ports are left, with used in use, and when there may be more: zero if nobody knows.
func (s *stock) free(used int, now time.Time) (int, time.Time) {
	maps.DeleteFunc(s.held, func(_ ports.Port, t time.Time) bool { return !now.Before(t) })
	next := time.Time{}
	for _, t := range s.held {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if now.Before(s.until) {
		if next.IsZero() || s.until.Before(next) {
			next = s.until
		}
		return 0, next
	}
	return max(s.size-used-len(s.expected)-len(s.held)-s.others, 0), next
}

// look counts anew what others have in the ledger. What this process has is known better: a lease may have been granted or
// given back since all was read. Times of the ledger become the system's by shift.
func (s *stock) look(all []ledger.Lease, pool string, shift time.Duration) {
	self := ledger.Self(ownerKind, "")
	s.others = 0
	for _, l := range all {
		switch {
		case l.Pool != pool:
		case l.State == ledger.Held, l.State == ledger.Blocked:
			s.held[l.Port] = l.HoldUntil.Add(shift)
		case l.Owner.Kind == ownerKind && l.Owner.PID == self.PID && l.Owner.Start == self.Start && l.Owner.Boot == self.Boot && l.State != ledger.Planned:
		case l.State != ledger.Free:
			s.others++
		}
	}
}

// text says for a person what the ports are in use for.
func (s *stock) text(pool string, used int, next, now time.Time) string {
	text := fmt.Sprintf("no port of the pool %s is free: of %d, %d await or have an attempt, %d are held since their last use", pool, s.size, used+len(s.expected), len(s.held))
	if s.others > 0 {
		text += fmt.Sprintf(", %d belong to others", s.others)
	}
	if !next.IsZero() {
		text += fmt.Sprintf("; the next may be free in %s", max(next.Sub(now), 0).Round(100*time.Millisecond))
	}
	return text
}
