package forecast

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// shape is all that run.Fold looks at of a net, and a map of what it answered. Nets of one shape share it. It belongs to one Simulator.
type shape struct {
	def   *run.Definition
	begun *node            // a run that has just begun
	nodes map[string]*node // by what distinguishes them
}

// node is a state that a run of this shape can be in.
type node struct {
	state run.State
	edges []*edge // by verb and job
	ready []int   // jobs that are ready in it, of a run that was open when the forecast began
}

// edge is what an input led to.
type edge struct {
	to      *node
	ready   []int // jobs that have become ready
	retries []int // jobs that have begun to wait for their next try
	ended   bool
	refused bool
}

// verb is an input of the simulation.
type verb uint8

const (
	verbDispatch verb = iota
	verbGood
	verbFailed
	verbFinal // failed, and not to be tried again
	verbTimeout
	verbUnknown // nobody knows how the attempt ended
	verbDecideGood
	verbDecideFailed
	verbDecideRerun
	verbCancelled // of an attempt
	verbRetry
	verbCancel // of the run
	verbs
)

// nodesKept bounds the map of one shape: a net with many jobs side by side has more states than are worth keeping.
const nodesKept = 4096

// instant is when all folds of the map are made. It stands for any.
func instant() time.Time { return time.Unix(1, 0).UTC() }

// signature writes what run.Fold looks at of a net, so that nets of one shape are known.
func signature(jobs []Job) string {
	var b strings.Builder
	for i := range jobs {
		j := &jobs[i]
		for _, name := range j.After {
			b.WriteString(strconv.Itoa(indexOf(jobs, name)))
			b.WriteByte(',')
		}
		b.WriteString(string(j.When))
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(j.Retry.Max))
		if j.Retry.Delay > 0 {
			b.WriteByte('d')
		}
		b.WriteByte(' ')
		b.WriteString(string(j.OnUnknown))
		b.WriteByte(';')
	}
	return b.String()
}

func indexOf(jobs []Job, name string) int {
	return slices.IndexFunc(jobs, func(j Job) bool { return j.Name == name })
}

// bare is the net of a shape: without commands, so that no reference lacks a value that only a real run would give it.
func bare(jobs []Job) *run.Definition {
	out := &jobnet.Net{Name: "shape", Jobs: make([]jobnet.Job, len(jobs))}
	for i := range jobs {
		j := jobnet.Defaults()
		j.Name, j.When, j.Retry.Max = strconv.Itoa(i), jobs[i].When, jobs[i].Retry.Max
		j.OnUnknown, j.Rerunnable = jobs[i].OnUnknown, jobs[i].OnUnknown == jobnet.UnknownRerun
		if jobs[i].Retry.Delay > 0 {
			j.Retry.Delay = time.Second
		}
		for _, name := range jobs[i].After {
			j.After = append(j.After, strconv.Itoa(indexOf(jobs, name)))
		}
		out.Jobs[i] = j
	}
	return run.Define(out, 1)
}

func newShape(jobs []Job) *shape {
	s := &shape{def: bare(jobs), nodes: map[string]*node{}}
	state, _ := run.New(s.def, run.Request{ID: "shape"}, instant()) // it declares no parameters, and none are given
	out := run.Fold(s.def, state, []run.Input{run.Begin{}}, instant())
	s.begun = s.node(out.State)
	return s
}

// node finds the node of a state, or makes it.
func (s *shape) node(state run.State) *node {
	key := keyOf(&state)
	if n, ok := s.nodes[key]; ok {
		return n
	}
	n := &node{state: state}
	for i := range state.Jobs {
		if state.Jobs[i].Status == run.Ready {
			n.ready = append(n.ready, i)
		}
	}
	if len(s.nodes) < nodesKept {
		n.edges = make([]*edge, int(verbs)*len(state.Jobs))
		s.nodes[key] = n
	}
	return n
}

// keyOf writes what two states must have in common to be one node.
func keyOf(state *run.State) string {
	b := make([]byte, 0, 24*len(state.Jobs))
	b = append(b, state.Status...)
	if state.Cancel != "" {
		b = append(b, '!')
	}
	if state.HeldBy != "" {
		b = append(b, '#')
	}
	for i := range state.Jobs {
		j := &state.Jobs[i]
		b = append(b, ';')
		b = append(b, j.Status...)
		if j.Status == run.Waiting {
			b = append(b, '/')
			b = append(b, j.Reason...)
		}
		for k := range j.Attempts {
			b = append(b, ' ')
			b = append(b, j.Attempts[k].Status...)
		}
	}
	return string(b)
}

// step asks run.Fold what follows from an input, or the map where it has answered before.
func (s *shape) step(n *node, v verb, job int) *edge {
	at := int(v)*len(n.state.Jobs) + job
	if n.edges == nil {
		return s.fold(n, v, job)
	}
	if n.edges[at] == nil {
		n.edges[at] = s.fold(n, v, job)
	}
	return n.edges[at]
}

func (s *shape) fold(n *node, v verb, job int) *edge {
	state, in := s.input(n, v, job)
	out := run.Fold(s.def, state, []run.Input{in}, instant())
	if out.Errors[0] != nil {
		return &edge{to: n, refused: true}
	}
	// A run whose end is unknown is open until somebody decides.
	e := &edge{to: s.node(out.State), ended: out.State.Status.Ended() && out.State.Status != run.Lost}
	for _, i := range out.Changed {
		before, after := &n.state.Jobs[i], &out.State.Jobs[i]
		switch {
		case after.Status == run.Ready && before.Status != run.Ready:
			e.ready = append(e.ready, i)
		case waitsForRetry(after) && !waitsForRetry(before):
			e.retries = append(e.retries, i)
		}
	}
	return e
}

func waitsForRetry(j *run.Job) bool {
	return j.Status == run.Waiting && j.Reason == run.ReasonRetry
}

// input writes a verb in the words of run.Fold.
func (s *shape) input(n *node, v verb, job int) (run.State, run.Input) {
	name := s.def.Net.Jobs[job].Name
	end := run.Ended{Job: name, N: len(n.state.Jobs[job].Attempts), StartedAt: instant(), At: instant()}
	code := 0
	end.ExitCode = &code
	switch v {
	case verbDispatch:
		return n.state, run.Dispatch{Job: name, Agent: "a", AgentID: "a"}
	case verbFailed:
		code = 1
	case verbFinal: // by its codes or for its user: to run.Fold it is one
		end.Reason = run.ReasonRunAs
	case verbUnknown:
		return n.state, run.Unknown{Job: name, N: end.N, At: instant(), Reason: run.ReasonKeeperDied}
	case verbDecideGood:
		return n.state, run.Decide{Job: name, As: run.Succeeded, By: "somebody"}
	case verbDecideFailed:
		return n.state, run.Decide{Job: name, As: run.Failed, By: "somebody"}
	case verbDecideRerun:
		return n.state, run.Decide{Job: name, Rerun: true, By: "somebody"}
	case verbTimeout:
		end.Reason = run.ReasonTimeout
	case verbCancelled:
		end.Reason = run.ReasonCancel
	case verbCancel:
		return n.state, run.Cancel{By: "overlap"}
	case verbRetry: // this one is due, and no other
		state := n.state
		state.Jobs = append([]run.Job(nil), state.Jobs...)
		for i := range state.Jobs {
			if waitsForRetry(&state.Jobs[i]) {
				state.Jobs[i].Due = instant().Add(time.Hour)
			}
		}
		state.Jobs[job].Due = instant()
		return state, run.Tick{}
	case verbGood, verbs:
	}
	return n.state, end
}

// open returns the node of a run that is open already, in the words of the shape.
func (s *shape) open(state *run.State) *node {
	out := run.State{
		ID: "shape", Net: "shape", Version: 1, Status: state.Status, Created: instant(), Started: instant(),
		Cancel: state.Cancel, HeldBy: state.HeldBy, Jobs: make([]run.Job, len(state.Jobs)),
	}
	for i := range state.Jobs {
		from := &state.Jobs[i]
		j := run.Job{Name: strconv.Itoa(i), Status: from.Status, Reason: from.Reason, Since: instant()}
		for k := range from.Attempts {
			j.Attempts = append(j.Attempts, run.Attempt{
				N: k + 1, Agent: "a", AgentID: "a", Status: from.Attempts[k].Status, Reason: from.Attempts[k].Reason, Ordered: instant(), Started: instant(),
			})
		}
		out.Jobs[i] = j
	}
	return s.node(out)
}
