package fleet

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/link"
)

const (
	callTries = 50 // of one call, while no link is up
	callPause = 200 * time.Millisecond
)

// Call asks an agent, by its name, over the link that it has now: in is sent as JSON, and the answer read into out. Where
// the link ends meanwhile it is asked again over the next one, so that what is called must be safe to repeat. The error is
// NotFound for an agent that the domain does not have, and Unreachable where no link comes within 10 s, or the agent
// answers with an error.
func (f *Fleet) Call(ctx context.Context, name, path string, in, out any) error {
	gone := fault.New(fault.Unreachable, "the agent "+name+" is not linked", "`reeve node show "+name+"` says why")
	for range callTries {
		l, known := f.linkOf(name)
		switch {
		case !known:
			return fault.New(fault.NotFound, "there is no agent "+name, "see `reeve node list`")
		case l != nil:
			err := post(ctx, l, path, in, out)
			if err == nil {
				return nil
			}
			if !ended(l) {
				return fault.Wrap(fault.Unreachable, name, err)
			}
		}
		timer := time.NewTimer(callPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return gone
}

// ended reports whether a link is over, or about to be: the call fails a moment before the link says so.
func ended(l *link.Link) bool {
	timer := time.NewTimer(callPause)
	defer timer.Stop()
	select {
	case <-l.Done():
		return true
	case <-timer.C:
		return false
	}
}

// linkOf returns the link of an agent, nil where it has none; false for no agent of the domain.
func (f *Fleet) linkOf(name string) (*link.Link, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.agents {
		if a.known.Name == name {
			return a.link, true
		}
	}
	return nil, false
}

// Agents returns the names of the domain's agents, and whether each is linked.
func (f *Fleet) Agents() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]bool, len(f.agents))
	for _, a := range f.agents {
		all[a.known.Name] = a.link != nil
	}
	return all
}
