package end_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// BenchmarkMatrix proves every flow between 50 nodes of this process, each with an address and listeners of its own:
// 2,450 flows, from both ends.
func BenchmarkMatrix(b *testing.B) {
	const nodes = 50
	e := open(b, nodes)
	for b.Loop() {
		report, err := e.prover().Run(b.Context(), proof.Ask{Flow: "talk"}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if len(report.Proofs) != nodes*(nodes-1) {
			b.Fatalf("%d proofs", len(report.Proofs))
		}
		for _, p := range report.Proofs {
			if p.Verdict != probe.Proven || p.Reason != probe.OK {
				b.Fatalf("%s>%s: %s %s: %s", p.From, p.To, p.Verdict, p.Reason, p.Text)
			}
		}
	}
	b.ReportMetric(float64(nodes*(nodes-1)*b.N)/b.Elapsed().Seconds(), "flows/s")
}
