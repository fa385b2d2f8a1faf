package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// goFigure is a figure that a Go benchmark of a package measures, beside what the machine itself takes.
type goFigure struct {
	pkg, bench string // "./ports/ledger", "BenchmarkGrant"
	figure     string
	metric     string  // the unit that go test prints it in: "ns/op", "p99-ns", "ratio"
	reach      float64 // in this unit
	least      bool    // reach is the least that will do; else the most
	limit      string  // the metric that is the machine's own limit; empty: none is measured
}

// goFigures are the benchmarks that stand beside the packages that they measure.
func goFigures() []goFigure {
	return []goFigure{
		{pkg: "./ports", bench: "BenchmarkCompileLarge", figure: "compile and check in memory: 200 roles, 800 rows, 10000 hosts", metric: "ns/op", reach: 1e9},
		{pkg: "./ports/ledger", bench: "BenchmarkGrant", figure: "grant of a port with 100,000 live leases, without the sync, p99", metric: "p99-ns", reach: 1e6},
		{pkg: "./ports/ledger", bench: "BenchmarkDurableGrants", figure: "durable grants of 4 writers, to the machine's own append+fdatasync", metric: "ratio", reach: 0.5, least: true},
		{pkg: "./internal/link", bench: "BenchmarkBytesToRawTLS", figure: "upload over a link, to plain TLS on the same machine", metric: "ratio", reach: 0.8, least: true},
		{pkg: "./internal/link", bench: "BenchmarkCallsToRawTLS", figure: "calls of 280 bytes over a link, one after the other, to as many bytes there and back over plain TLS", metric: "ratio", reach: 0.2, least: true},
		{pkg: "./internal/calendar", bench: "BenchmarkNext/daily", figure: "next occurrence: daily, in a zone with changes of clocks", metric: "ns/op", reach: 5e3},
		{pkg: "./internal/calendar", bench: "BenchmarkNext/weekdays", figure: "next occurrence: each quarter of the working hours", metric: "ns/op", reach: 5e3},
		{pkg: "./internal/calendar", bench: "BenchmarkNext/calendar", figure: "next occurrence: daily, on the working days of a calendar", metric: "ns/op", reach: 5e3},
		{pkg: "./internal/engine", bench: "BenchmarkGap", figure: "start after 400 days without a server, with a schedule of every second", metric: "ns/op", reach: 1e9},
		{pkg: "./internal/engine", bench: "BenchmarkGap", figure: "the same: memory", metric: "MiB-alloc/op", reach: 50},
		{pkg: "./internal/forecast", bench: "BenchmarkThirteenMonths50000", figure: "occurrences of 13 months of 50,000 daily nets, one processor", metric: "ns/op", reach: 30e9},
		{pkg: "./internal/forecast", bench: "BenchmarkSimulate5000x100", figure: "simulation of 7 days, 5,000 nets, 100 times, one processor", metric: "ns/op", reach: 30e9},
	}
}

// measureGo runs them, one after the other.
func measureGo(ctx context.Context, b *bench) error {
	for _, f := range goFigures() {
		got, err := runGo(ctx, f)
		if err != nil {
			return err
		}
		value, ok := got[f.metric]
		if !ok {
			return fmt.Errorf("%s of %s prints no %s", f.bench, f.pkg, f.metric)
		}
		good := value <= f.reach
		sign := "≤"
		if f.least {
			good, sign = value >= f.reach, "≥"
		}
		one := row{figure: f.figure, measured: unit(value, f.metric), limit: "-", ratio: "-", reach: sign + " " + unit(f.reach, f.metric), reached: &good}
		if limit, ok := got[f.limit]; ok {
			one.limit, one.ratio = unit(limit, f.limit), fmt.Sprintf("%.2f", value/limit)
		}
		b.table.add(one)
	}
	if len(goFigures()) > 0 {
		b.table.note("**Rows with a Go benchmark**: %s.", strings.Join(goNames(), ", "))
	}
	return nil
}

func goNames() []string {
	var out []string
	for _, f := range goFigures() {
		out = append(out, fmt.Sprintf("%s: `%s` in `%s`", f.figure, f.bench, f.pkg))
	}
	return out
}

// runGo returns what a benchmark prints, by unit; of several of its parts, the last.
func runGo(ctx context.Context, f goFigure) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", f.pkg, "-run", "^$", "-bench", "^"+f.bench+"$", "-benchmem")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w: %s%s", f.bench, f.pkg, err, out, errs.String())
	}
	found := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], f.bench) {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				found[fields[i+1]] = v
			}
		}
	}
	return found, nil
}

// unit prints a value of go test for people.
func unit(v float64, metric string) string {
	switch name, _, _ := strings.Cut(metric, "/"); {
	case name == "ns" || strings.HasSuffix(name, "-ns"):
		switch {
		case v >= 1e9:
			return fmt.Sprintf("%.3f s", v/1e9)
		case v >= 1e6:
			return fmt.Sprintf("%.2f ms", v/1e6)
		}
		return fmt.Sprintf("%.1f µs", v/1e3)
	case (name == "B" || strings.HasSuffix(name, "-B")) && v < 1e6:
		return fmt.Sprintf("%.1f KB", v/1e3)
	case name == "B" || strings.HasSuffix(name, "-B"):
		return fmt.Sprintf("%.1f MB", v/1e6)
	}
	return fmt.Sprintf("%.3g %s", v, metric)
}
