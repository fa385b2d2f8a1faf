package run

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Definition is a version of a net with what Step needs to know about it, computed once. It is never changed.
type Definition struct {
	Net     *jobnet.Net
	Version int

	index      map[string]int
	before     [][]int // positions of the predecessors of each job
	successors [][]int
}

// Define prepares a version of a net. The net must have passed jobnet.Check.
func Define(net *jobnet.Net, version int) *Definition {
	d := &Definition{
		Net: net, Version: version,
		index:      make(map[string]int, len(net.Jobs)),
		before:     make([][]int, len(net.Jobs)),
		successors: make([][]int, len(net.Jobs)),
	}
	for i := range net.Jobs {
		d.index[net.Jobs[i].Name] = i
	}
	for i := range net.Jobs {
		for _, name := range net.Jobs[i].After {
			p, ok := d.index[name]
			if !ok {
				continue // refused by jobnet.Check
			}
			d.before[i] = append(d.before[i], p)
			d.successors[p] = append(d.successors[p], i)
		}
	}
	return d
}

// Job returns the position of the named job.
func (d *Definition) Job(name string) (int, bool) {
	i, ok := d.index[name]
	return i, ok
}

// Predecessors returns the positions of the jobs that job i comes directly after.
func (d *Definition) Predecessors(i int) []int { return d.before[i] }

// Request is the order for a new run.
type Request struct {
	ID       string
	Params   map[string]string // override the net's defaults
	Schedule string
	Nominal  time.Time
	By       string
	RerunOf  string
}

// New returns a run of d that has not begun. Parameters that the net does not declare are refused.
func New(d *Definition, r Request, now time.Time) (State, error) {
	params := maps.Clone(d.Net.Params)
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		if _, ok := d.Net.Params[name]; !ok {
			return State{}, fault.New(fault.Invalid, fmt.Sprintf("net %s has no parameter %q", d.Net.Name, name),
				fmt.Sprintf("it has: %s", orNone(slices.Sorted(maps.Keys(d.Net.Params)))))
		}
		params[name] = r.Params[name]
	}
	s := State{
		ID: r.ID, Net: d.Net.Name, Version: d.Version, Status: Waiting, Params: params,
		Schedule: r.Schedule, Nominal: r.Nominal, Created: now, By: r.By, RerunOf: r.RerunOf,
		Jobs: make([]Job, len(d.Net.Jobs)),
	}
	for i := range d.Net.Jobs {
		s.Jobs[i] = Job{Name: d.Net.Jobs[i].Name, Status: Waiting, Reason: ReasonPredecessors, Since: now}
	}
	return s, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return fmt.Sprint(names)
}
