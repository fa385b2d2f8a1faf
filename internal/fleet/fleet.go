// Package fleet answers: which agents are there now, and what has each been told?
//
// It serves the agents' side of the links and keeps, for each linked agent, the queue of commands that it has
// not confirmed. A link that ends loses nothing: when the agent is back, what is open is asked of the desk again,
// and the keeper's journal makes every repetition harmless.
package fleet

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Desk is where agents' reports are decided and commands come from. The engine happens to be one.
type Desk interface {
	// Report returns when the reports are committed: an error for each that must be sent again.
	Report(ctx context.Context, agentID string, reports []run.Report) []error
	Outstanding(ctx context.Context, agentID string) ([]run.Command, error)
	// Lose says that nothing is known any more of what the agent runs.
	Lose(ctx context.Context, agentID string, reason run.Reason, detail string, at time.Time) error
	Open(agentID string) int
	Kick()
}

// Shelf keeps what attempts wrote.
type Shelf interface {
	// AppendOutput stores chunks, synced, and returns how many bytes of each it has; -1: it wants no more.
	AppendOutput(ctx context.Context, agentID string, chunks []wire.OutputChunk) ([]int64, error)
	OutputSizes(ctx context.Context, attempts []wire.Attempt) ([]int64, error)
	// PutArtifact stores bytes that hash to sum, synced. fresh is false where they were there already.
	PutArtifact(ctx context.Context, sum string, body io.Reader) (fresh bool, err error)
	OpenArtifact(ctx context.Context, sum string) (io.ReadCloser, int64, error)
}

// Registry knows the nodes of the domain.
type Registry interface {
	// Linked stores what an agent said of itself when it came, and from where it dialled; empty: the server dialled.
	Linked(ctx context.Context, agentID, from string, hello wire.Hello) error
	// Seen stores that an agent was heard of; called about once a minute for each.
	Seen(ctx context.Context, agentID string, at time.Time) error
	// Renew gives a linked agent a new certificate for the key that it is bound to.
	Renew(ctx context.Context, agentID string, r wire.RenewRequest) (wire.Certificate, error)
	// Mark returns epoch and mark of an agent's orders.
	Mark(ctx context.Context, agentID string) (epoch, mark int64, err error)
}

// Config is what a fleet is built with.
type Config struct {
	Desk     func() Desk // asked at each use: desk and fleet are made around each other
	Shelf    Shelf
	Registry Registry
	// Callbacks: nil where the plan has none; words then come over the link alone.
	Callbacks Callbacks
	// Slow is told of an agent whose link gives no sign of life for a while, so that another row is dialled: the link is not
	// given up yet. nil: nobody is.
	Slow func(agentID string)
	// View returns an agent's view of the port plan. nil: agents stay with what they were started with.
	View    func(agentID string) (wire.View, error)
	Welcome wire.Welcome // Now and Epoch are filled in at each hello
	Now     func() time.Time
	Log     *slog.Logger
	Changed func(agent string) // told when an agent came, went or changed; must not block
}

// Agent is what the domain knows of an agent; the fleet is told by Update.
type Agent struct {
	ID, Name string
	Labels   map[string]string
	Desk     bool // it takes only jobs that name it
	Drained  bool
	Slots    int // as it said last
}

// Status is what is known of an agent now.
type Status struct {
	Linked   bool
	Since    time.Time
	Heard    time.Time
	Address  string
	Version  string
	PlanHash string
	Differs  []string         // how the plan that it was started with differs from the servers': a sentence each
	Refused  []string         // rows of its view on which it cannot listen: a sentence each
	Row      string           // of the plan, over which it is linked
	Turn     int              // of that row, in the order of dialling; 0: it has none
	Port     int              // of this server, on which it was accepted; 0: this server dialled
	View     string           // ID of the view that it has taken over
	Dialled  bool             // by this server
	Dials    []wire.DialState // of the agent, that are in vain
	Slots    int
	Disk     string
	Skew     time.Duration // the agent's clock less the server's
	Closed   string        // why the last link ended
}

// Fleet is the agents' side of a server.
type Fleet struct {
	cfg     Config
	started time.Time

	mu     sync.Mutex
	agents map[string]*agent // by node id
}

// agent is one agent as the fleet sees it; guarded by Fleet.mu.
type agent struct {
	known  Agent
	status Status
	link   *link.Link
	epoch  int64
	mark   int64
	seen   time.Time // last stored
	failed time.Time // when its link was lost last
	fenced bool      // its attempts have been given up until it is heard of again
	queue  []run.Command
	wake   chan struct{}
}

// New builds a fleet without agents.
func New(cfg Config) *Fleet {
	return &Fleet{cfg: cfg, started: cfg.Now(), agents: map[string]*agent{}}
}

// Update tells the fleet which agents the domain has. A linked agent that is not among them loses its link.
func (f *Fleet) Update(agents []Agent) {
	f.mu.Lock()
	gone := map[string]*agent{}
	for id, a := range f.agents {
		gone[id] = a
	}
	for _, known := range agents {
		a, ok := f.agents[known.ID]
		if !ok {
			a = &agent{wake: make(chan struct{}, 1)}
			a.status.Heard = f.started
			f.agents[known.ID] = a
		}
		a.known = known
		delete(gone, known.ID)
	}
	var links []*link.Link
	for id, a := range gone {
		if a.link != nil {
			links = append(links, a.link)
		}
		delete(f.agents, id)
	}
	f.mu.Unlock()
	for _, l := range links {
		l.Close("removed from the domain")
	}
	f.cfg.Desk().Kick()
}

// Candidates returns every agent as placement sees it, by name.
func (f *Fleet) Candidates() []run.Candidate {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]run.Candidate, 0, len(f.agents))
	for id, a := range f.agents {
		slots := a.status.Slots
		if slots == 0 {
			slots = a.known.Slots
		}
		out = append(out, run.Candidate{
			ID: id, Name: a.known.Name, Labels: a.known.Labels, Desk: a.known.Desk, Linked: a.link != nil,
			Drained: a.known.Drained, Disk: a.status.Disk, Slots: slots, Failed: a.failed, Failure: "its link ended: " + a.status.Closed,
		})
	}
	slices.SortFunc(out, func(a, b run.Candidate) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Status returns what is known of an agent now.
func (f *Fleet) Status(agentID string) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.agents[agentID]; ok {
		return a.status
	}
	return Status{}
}

// Send queues commands for their agents. What is for an agent without a link is dropped: it is asked for again
// when the agent comes.
func (f *Fleet) Send(commands []run.Command) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range commands {
		if a, ok := f.agents[c.AgentID]; ok && a.link != nil {
			f.expect([]run.Command{c})
			a.push(c)
		}
	}
}

func (a *agent) push(commands ...run.Command) {
	a.queue = append(a.queue, commands...)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// fenceMargin is added to the tenure before the server gives up on a silent agent (promise R2).
const (
	fenceMargin    = 500 * time.Millisecond
	fenceShare     = 50 // 2 % of the tenure
	fenceGraceTime = 10 * time.Second
)

// Run watches for agents that are silent past their tenure until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.fence(ctx)
			f.listen()
		}
	}
}

// slowAfter is how long an answer or a sign of life may be late before another row is dialled.
const slowAfter = 5 * time.Second

// listen looks for agents whose heartbeat is late.
func (f *Fleet) listen() {
	now := f.cfg.Now()
	var late []string
	f.mu.Lock()
	for id, a := range f.agents {
		if a.link != nil && now.Sub(a.status.Heard) > f.cfg.Welcome.Heartbeat+slowAfter {
			late = append(late, id)
		}
	}
	f.mu.Unlock()
	for _, id := range late {
		f.slow(id)
	}
}

func (f *Fleet) slow(id string) {
	if f.cfg.Slow != nil {
		f.cfg.Slow(id)
	}
}

func (f *Fleet) fence(ctx context.Context) {
	tenure := f.cfg.Welcome.Tenure
	deadline := tenure + fenceGraceTime + max(fenceMargin, tenure/fenceShare)
	now := f.cfg.Now()
	silent := map[string]Status{}
	f.mu.Lock()
	for id, a := range f.agents {
		if a.link == nil && !a.fenced && now.Sub(a.status.Heard) > deadline {
			silent[id] = a.status
			a.fenced = true
		}
	}
	f.mu.Unlock()
	for id, s := range silent {
		if f.cfg.Desk().Open(id) == 0 {
			continue
		}
		detail := "no word from the agent since " + s.Heard.UTC().Format(time.RFC3339)
		if err := f.cfg.Desk().Lose(ctx, id, run.ReasonFenced, detail, now); err != nil {
			f.cfg.Log.Warn("giving up on a silent agent", slog.Any("agent", id), slog.Any("error", err))
			f.mu.Lock()
			if a, ok := f.agents[id]; ok {
				a.fenced = false
			}
			f.mu.Unlock()
		}
	}
}
