package domain

import (
	"context"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Learn reads how long connections may be silent, as was measured last. It is done again after each measurement.
func (v *Verifier) Learn(ctx context.Context) error {
	all, err := v.Store.Silences(ctx)
	if err != nil {
		return storeFault(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.silences = all
	return nil
}

// Limit is how long a connection between a node and one of several names of another may be silent, the shorter of both
// directions; 0: nothing that was measured forgets it.
func (v *Verifier) Limit(node string, others ...string) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	least := time.Duration(0)
	for _, q := range v.silences {
		between := q.From == node && slices.Contains(others, q.To) || q.To == node && slices.Contains(others, q.From)
		if at := proof.Limit(q.Survived, q.Died); between && at > 0 && (least == 0 || at < least) {
			least = at
		}
	}
	return least
}

// silence is what is stored of a measurement.
func silence(q proof.Silence) store.Silence {
	return store.Silence{From: q.From, To: q.To, Flow: q.Flow, Address: q.Address, Survived: q.Survived, Died: q.Died, At: q.At}
}
