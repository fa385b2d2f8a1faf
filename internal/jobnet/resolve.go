package jobnet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Values is what references stand for in one attempt.
type Values struct {
	Params  map[string]string            // overrides; what is missing has the net's default
	Outputs map[string]map[string]string // of each ancestor that ended well, by job and name
	Run     string                       // the run's id
	Nominal time.Time                    // zero: the run has none
}

// Resolve returns the job's argument vector (nil for a script) and its environment as name=value: the net's env
// without what the job's env replaces, the job's env, then the params, each sorted by name. One reference stays
// within one argument. What has no value is an error of kind Invalid that names it.
func Resolve(job *Job, net *Net, values Values) (argv, env []string, err error) {
	for i, text := range job.Command {
		value, err := values.fill(net, text)
		if err != nil {
			return nil, nil, fmt.Errorf("argument %d of command: %w", i, err)
		}
		argv = append(argv, value)
	}
	if len(argv) > 0 && argv[0] == "" {
		return nil, nil, fault.New(fault.Invalid, "the program to execute is empty", "give the reference in command[0] a value")
	}
	add := func(name, text string) error {
		value, err := values.fill(net, text)
		if err != nil {
			return fmt.Errorf("env %s: %w", name, err)
		}
		env = append(env, name+"="+value)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(net.Env)) {
		if _, replaced := job.Env[name]; !replaced {
			if err := add(name, net.Env[name]); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(job.Env)) {
		if err := add(name, job.Env[name]); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(net.Params)) {
		value, _ := values.param(net, name)
		if problem := textProblem(value, MaxValue); problem != "" {
			return nil, nil, fault.Newf(fault.Invalid, "parameter %s %s", name, problem)
		}
		env = append(env, name+"="+value)
	}
	return argv, env, nil
}

// fill replaces the references in text.
func (v Values) fill(net *Net, text string) (string, error) {
	pieces, bad := split(text)
	if len(bad) > 0 {
		return "", fault.Newf(fault.Invalid, "column %d: %s", bad[0].at, bad[0].message)
	}
	var b strings.Builder
	for _, p := range pieces {
		value, err := v.value(net, p)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	if problem := textProblem(b.String(), MaxValue); problem != "" {
		return "", fault.Newf(fault.Invalid, "the text with its references replaced %s", problem)
	}
	return b.String(), nil
}

func (v Values) value(net *Net, p piece) (string, error) {
	switch p.kind {
	case literal:
		return p.text, nil
	case param:
		if value, ok := v.param(net, p.name); ok {
			return value, nil
		}
		return "", fault.Newf(fault.Invalid, "%s: net %s has no parameter %s", p, net.Name, p.name)
	case output:
		outputs, ended := v.Outputs[p.job]
		if !ended {
			return "", fault.Newf(fault.Invalid, "%s: job %s has not ended well, so it has no outputs", p, p.job)
		}
		if value, ok := outputs[p.name]; ok {
			return value, nil
		}
		return "", fault.New(fault.Invalid, fmt.Sprintf("%s: job %s has no output %s", p, p.job, p.name),
			fmt.Sprintf("let it write %s=... to the file that $REEVE_OUTPUT names", p.name))
	case runID:
		return v.Run, nil
	case nominal:
		if v.Nominal.IsZero() {
			return "", fault.Newf(fault.Invalid, "%s: the run has no nominal time", p)
		}
		return v.Nominal.UTC().Format(time.RFC3339), nil
	}
	return "", fault.Newf(fault.Internal, "reference of kind %d", p.kind)
}

func (v Values) param(net *Net, name string) (string, bool) {
	if value, ok := v.Params[name]; ok {
		return value, true
	}
	value, ok := net.Params[name]
	return value, ok
}
