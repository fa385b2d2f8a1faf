package run

import (
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Resolve makes the order for the last attempt of job i, or for its first one where there is none yet. The same
// state gives the same order, so it can be made again after a restart. It fails where a reference has no value.
func Resolve(d *Definition, s State, i int) (Order, error) {
	job := &d.Net.Jobs[i]
	values := jobnet.Values{Params: s.Params, Run: s.ID, Nominal: s.Nominal, Outputs: map[string]map[string]string{}}
	o := Order{Run: s.ID, Net: s.Net, Job: job, N: max(1, len(s.Jobs[i].Attempts))}
	for _, p := range d.ancestors(i) {
		good := s.Jobs[p].good()
		if good == nil {
			continue
		}
		values.Outputs[s.Jobs[p].Name] = good.Outputs
		for _, a := range good.Artifacts {
			o.Inputs = append(o.Inputs, Material{Job: s.Jobs[p].Name, Artifact: a})
		}
	}
	var err error
	o.Argv, o.Env, err = jobnet.Resolve(job, d.Net, values)
	if err != nil {
		return Order{}, fmt.Errorf("resolving references of job %s: %w", job.Name, err)
	}
	return o, nil
}

// good returns the attempt of j that ended well, nil where none did.
func (j *Job) good() *Attempt {
	for k := len(j.Attempts) - 1; k >= 0; k-- {
		if s := j.Attempts[k].Status; s == Succeeded || s == Warning {
			return &j.Attempts[k]
		}
	}
	return nil
}

// ancestors returns the positions of all jobs before i, in the order of the definition.
func (d *Definition) ancestors(i int) []int {
	if len(d.before[i]) == 0 {
		return nil
	}
	seen := make([]bool, len(d.before))
	work := []int{i}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range d.before[at] {
			if !seen[p] {
				seen[p] = true
				work = append(work, p)
			}
		}
	}
	var out []int
	for p, yes := range seen {
		if yes {
			out = append(out, p)
		}
	}
	return out
}
