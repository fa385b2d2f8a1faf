package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// samples are durations of one thing.
type samples []time.Duration

// at returns a quantile, 0.5 for the median.
func (s samples) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	if n := len(sorted); n%2 == 0 && n > 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// row is a line of the table.
type row struct {
	figure, measured, limit, ratio, reach string
	reached                               *bool // nil: nothing was promised
}

// report is the table with what must be said about it.
type report struct {
	before string
	rows   []row
	notes  []string
	took   time.Duration
}

func (r *report) add(one row) {
	r.rows = append(r.rows, one)
	say("  %s: %s (limit: %s, ratio %s) to reach %s: %s", one.figure, one.measured, one.limit, one.ratio, one.reach, one.verdict())
}

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r row) verdict() string {
	switch {
	case r.reached == nil:
		return ""
	case *r.reached:
		return "yes"
	}
	return "**no**"
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

func mb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// latency is a row whose duration is compared with a multiple of what is needed.
func latency(name string, got, need time.Duration, factor float64, what string) row {
	ratio := float64(got) / float64(need)
	good := ratio <= factor
	return row{
		figure: name, measured: ms(got), limit: fmt.Sprintf("%s (%s)", ms(need), what),
		ratio: fmt.Sprintf("%.2f", ratio), reach: fmt.Sprintf("≤ %g × = %s", factor, ms(time.Duration(factor*float64(need)))), reached: &good,
	}
}

func (r *report) text(version string) string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `make bench`, which measures every figure in one run with the machine's own limits.\n")
	fmt.Fprintf(&b, "Machine: %s.\nProgram: %s. The whole run took %s.\n\n", r.before, version, r.took.Round(time.Second))
	b.WriteString("Before each figure the run waits, for at most 15 s, until other work uses less than a tenth of the processors.\n\n| figure | measured | limit in the same run | ratio | to reach | reached |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, one := range r.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", one.figure, one.measured, one.limit, one.ratio, one.reach, one.verdict())
	}
	b.WriteString("\n## What is measured, and how\n\n")
	for _, n := range r.notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	b.WriteString("\n## Again\n\n    make bench\n    go run ./test/bench -reeve bin/reeve -only throughput     # one figure; the table goes to standard output\n" +
		"    go run ./test/bench -reeve bin/reeve -folder DIR          # on the disk of DIR\n\n")
	fmt.Fprintf(&b, "The figures: %s.\n", strings.Join(names(), ", "))
	return b.String()
}

// version asks the program what it is.
func (o options) version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, o.reeve, "--version").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
