package main

import (
	"context"
	"fmt"
	"strings"
)

const (
	chainJobs = 50
	fanJobs   = 200
	wideJobs  = 50
)

// nets are the definitions that are measured. Their jobs do nothing: what is measured is what is around them.
func nets() string {
	var b strings.Builder
	b.WriteString("net: bench/one\njobs:\n  - {name: only, command: [/bin/true]}\n")
	b.WriteString("---\nnet: bench/clock\ndescription: tells when it was started\njobs:\n  - {name: only, command: [/bin/date, +%s%N]}\n")
	fmt.Fprintf(&b, "---\nnet: bench/chain\ndescription: %d jobs, each after the one before\njobs:\n", chainJobs)
	for i := range chainJobs {
		after := ""
		if i > 0 {
			after = fmt.Sprintf(", after: [j%d]", i-1)
		}
		fmt.Fprintf(&b, "  - {name: j%d, command: [/bin/true]%s}\n", i, after)
	}
	fmt.Fprintf(&b, "---\nnet: bench/fan\ndescription: one job and %d after it\njobs:\n  - {name: first, command: [/bin/true]}\n", fanJobs)
	for i := range fanJobs {
		fmt.Fprintf(&b, "  - {name: j%d, command: [/bin/true], after: [first]}\n", i)
	}
	fmt.Fprintf(&b, "---\nnet: bench/wide\ndescription: %d jobs at once\njobs:\n", wideJobs)
	for i := range wideJobs {
		fmt.Fprintf(&b, "  - {name: j%d, command: [/bin/true]}\n", i)
	}
	return b.String()
}

// prepare applies the nets and returns a watcher that hears of their runs.
func (s *site) prepare(ctx context.Context) (*watcher, error) {
	if _, err := s.client.ApplyNets(ctx, "bench.yaml", []byte(nets()), false); err != nil {
		return nil, fmt.Errorf("applying the nets: %w", err)
	}
	w := s.watch(ctx)
	if err := s.warm(ctx, w); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}
