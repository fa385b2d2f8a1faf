package socket

import (
	"cmp"
	"slices"
	"time"
)

// Usage says how often a row was used since it was asked last: connections that were taken, or dialled.
type Usage struct {
	Service string
	Use     Use
	Count   int64
	Last    time.Time // zero: not at all
}

type useKey struct {
	service string
	use     Use
}

// used counts. A row that nobody has used yet is there with 0, so that what is not needed can be told from what is not
// known.
func (n *Net) used(service string, use Use, count int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	u, ok := n.uses[useKey{service, use}]
	if !ok {
		u = &Usage{Service: service, Use: use}
		n.uses[useKey{service, use}] = u
	}
	if count > 0 {
		u.Count += count
		u.Last = time.Now()
	}
}

// Uses returns what was used since the last call, and begins to count anew. Rows stay, with 0.
func (n *Net) Uses() []Usage {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]Usage, 0, len(n.uses))
	for _, u := range n.uses {
		all = append(all, *u)
		u.Count, u.Last = 0, time.Time{}
	}
	slices.SortFunc(all, func(a, b Usage) int { return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Use, b.Use)) })
	return all
}
