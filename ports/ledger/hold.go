package ledger

import (
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// The reasons why a released number is held, as pools name them.
const (
	HoldConntrack    = "conntrack"     // firewalls on the way remember the ended connection
	HoldLateCallback = "late-callback" // a delayed connection for the old owner must not reach the new one
	HoldOperator     = "operator"      // the plan's minimum
	HoldTimeWait     = "time-wait"     // the system itself keeps the number
)

// defaultConntrack is how long a firewall remembers an ended connection where nobody says: Linux does for two minutes.
const defaultConntrack = 120 * time.Second

// safeNonce is the length of a one-time token, in bits, that makes a late connection harmless: it cannot know it.
const safeNonce = 128

// HoldOf returns for how long a pool's released numbers are held, and which reason decided: the longest of those that
// the pool names. TIME_WAIT is none for our own sockets: their SO_REUSEADDR binds despite it.
func HoldOf(p ports.ResolvedPool, boxes []ports.Middlebox) (time.Duration, string) {
	floor := HoldOperator
	if len(p.Hold.Reasons) > 0 && !slices.Contains(p.Hold.Reasons, HoldOperator) {
		floor = strings.Join(p.Hold.Reasons, ", ")
	}
	longest, why := p.Hold.Min, floor
	if longest <= 0 {
		longest, why = 0, ""
	}
	take := func(d time.Duration, reason string) {
		if d > longest {
			longest, why = d, reason
		}
	}
	for _, reason := range p.Hold.Reasons {
		switch reason {
		case HoldConntrack:
			for _, b := range boxes {
				d := b.Conntrack
				if d == 0 {
					d = defaultConntrack
				}
				take(d, HoldConntrack+" on "+b.Name)
			}
		case HoldLateCallback:
			if p.Lease.Nonce < safeNonce {
				take(p.Lease.TTL, HoldLateCallback)
			}
		case HoldOperator, HoldTimeWait:
		}
	}
	return longest, why
}
