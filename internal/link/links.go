package link

import (
	"cmp"
	"slices"
	"sync"
)

const maxPerNode = 4 // a node has one link, and for a moment an old and a new one

// Links keeps count of live links: it numbers those of each node and can end them. It may be shared by several servers
// and diallers, and called from many goroutines.
type Links struct {
	mu      sync.Mutex
	byNode  map[string][]*Link // by node id, oldest first
	numbers map[string]int64
}

// NewLinks returns an empty count.
func NewLinks() *Links {
	return &Links{byNode: map[string][]*Link{}, numbers: map[string]int64{}}
}

// Of returns the live links of a node, oldest first.
func (s *Links) Of(nodeID string) []*Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byNode[nodeID])
}

// All returns all live links, in no order.
func (s *Links) All() []*Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Link
	for _, links := range s.byNode {
		all = append(all, links...)
	}
	return all
}

// Count returns how many links are live.
func (s *Links) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, links := range s.byNode {
		count += len(links)
	}
	return count
}

// Drop ends all links of a node and says how many there were. It does not wait; nothing of the node is answered from
// now on, provided that Allowed refuses it.
func (s *Links) Drop(nodeID, reason string) int {
	links := s.Of(nodeID)
	for _, l := range links {
		l.Close(reason)
	}
	return len(links)
}

// next draws the number of a node's next link. The accepting end does so before it greets: a node that dials one link
// after the other has them numbered in that order.
func (s *Links) next(nodeID string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers[nodeID]++
	return s.numbers[nodeID]
}

// add counts a link until remove.
func (s *Links) add(l *Link) {
	s.mu.Lock()
	id := l.peer.ID
	all := append(s.byNode[id], l)
	slices.SortFunc(all, func(a, b *Link) int { return cmp.Compare(a.number, b.number) })
	s.byNode[id] = all
	// All beyond the bound, not the oldest alone: one that is closed already is counted until it is over.
	old := slices.Clone(all[:max(0, len(all)-maxPerNode)])
	s.mu.Unlock()
	for _, l := range old {
		l.Close("the node has newer links")
	}
}

func (s *Links) remove(l *Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := l.peer.ID
	rest := slices.DeleteFunc(s.byNode[id], func(other *Link) bool { return other == l })
	if len(rest) == 0 {
		delete(s.byNode, id)
		return
	}
	s.byNode[id] = rest
}
