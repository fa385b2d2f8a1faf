package fleet

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// Call asks an agent, by its name, over the link that it has now: in is sent as JSON, and the answer read into out. The
// error is NotFound for an agent that the domain does not have, and Unreachable where it is not linked.
func (f *Fleet) Call(ctx context.Context, name, path string, in, out any) error {
	l, known := f.linkOf(name)
	if !known {
		return fault.New(fault.NotFound, "there is no agent "+name, "see `reeve node list`")
	}
	if l == nil {
		return fault.New(fault.Unreachable, "the agent "+name+" is not linked", "`reeve node show "+name+"` says why")
	}
	if err := post(ctx, l, path, in, out); err != nil {
		return fault.Wrap(fault.Unreachable, name, err)
	}
	return nil
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
