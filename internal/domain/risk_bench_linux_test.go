package domain_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// BenchmarkAtRisk asks what is at risk of 50,000 daily nets, as the console's first page does: with all agents there, with one of two away, and
// with none. The first of each has the definitions to read.
func BenchmarkAtRisk(b *testing.B) {
	s := manyNets(b, 50_000, 0)
	north := run.Candidate{ID: "n", Name: "north", Linked: true, Slots: 500, Labels: map[string]string{"site": "north"}}
	south := run.Candidate{ID: "s", Name: "south", Linked: true, Slots: 500, Labels: map[string]string{"site": "south"}}
	away := func(c run.Candidate) run.Candidate {
		c.Linked = false
		return c
	}
	for _, c := range []struct {
		name string
		all  []run.Candidate
		some bool
	}{
		{"first", []run.Candidate{north, south}, false},
		{"all there", []run.Candidate{north, south}, false},
		{"one away", []run.Candidate{away(north), south}, true},
		{"none there", []run.Candidate{away(north), away(south)}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			s.candidates(c.all...)
			used := processor(b)
			for b.Loop() {
				got, err := s.service.AtRisk(s.admin(), 12)
				if err != nil || len(got) > 0 != c.some {
					b.Fatal(len(got), err)
				}
			}
			b.ReportMetric((processor(b)-used).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processor is the processor's time that this process has used: what a figure is worth while the machine has other work.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
