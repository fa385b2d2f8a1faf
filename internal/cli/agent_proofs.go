package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/proof/end"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// proofs is an agent's part in proofs, by the plan that it has now.
type proofs struct {
	kind ports.RoleKind
	bind string

	mu   sync.Mutex
	plan end.Plan
	end  *end.End
}

// use says by which plan flows are proved from now on.
func (p *proofs) use(c ports.Compiled, v wire.View) {
	plan := end.Plan{Compiled: c}
	if p.bind != "" {
		plan.Bind = []string{p.bind}
	}
	// Servers are found where the view says, under numbers that NAT may have changed.
	plan.Knows = func(service, address string) bool {
		return slices.ContainsFunc(append(slices.Clone(v.Dial), v.Enrol...), func(r wire.Route) bool {
			return r.Row == service && slices.Contains(r.Addresses, address)
		})
	}
	plan.Own = func(service string) ports.Port {
		for _, r := range v.Listen {
			if r.Row == service {
				return ports.Port(r.Port)
			}
		}
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
	if p.end != nil {
		p.end.Use(plan)
	}
}

// useView is use for a view that was adopted.
func (p *proofs) useView(v wire.View) {
	var c ports.Compiled
	if json.Unmarshal(v.Plan, &c) == nil {
		p.use(c, v)
	}
}

// prover makes the agent's part once it knows how it meets other nodes.
func (p *proofs) prover(t agent.ProofTLS) agent.Prover {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = end.New(end.Config{
		Role: p.kind, Dialling: t.Dialling, Listening: t.Listening, Own: ownSockets(), Rand: rand.Reader, Now: time.Now,
		Observe: func(ctx context.Context) (probe.Observation, error) { return probe.Observe(ctx, probe.Options{}) },
	})
	p.end.Use(p.plan)
	return p.end
}
