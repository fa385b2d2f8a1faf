package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	listRounds = 40
	listReach  = 50 * time.Millisecond

	bigRoles, bigHosts = 200, 10_000
	bigReach           = time.Second
	bigMemory          = 200e6
)

// measurePortsList is `reeve ports list` from its fork to its end, for each built-in plan.
func measurePortsList(ctx context.Context, b *bench) error {
	var l limits
	if err := l.probe(b.home); err != nil {
		return err
	}
	var worst time.Duration
	var slowest string
	var all []string
	for _, plan := range []string{"default", "systemwalker", "jobscheduler", "arcserve", "acs"} {
		var took samples
		for range listRounds {
			one, _, err := b.timed(ctx, "ports", "list", "--plan", plan)
			if err != nil {
				return err
			}
			took = append(took, one)
		}
		median := took.at(0.5)
		all = append(all, fmt.Sprintf("%s %s", plan, ms(median)))
		if median > worst {
			worst, slowest = median, plan
		}
	}
	good := worst <= listReach
	b.table.add(row{
		figure: "`reeve ports list`, start to end", measured: fmt.Sprintf("%s (%s)", ms(worst), slowest), limit: fmt.Sprintf("%s (1 exec)", ms(l.exec.at(0.5))),
		ratio: fmt.Sprintf("%.1f", float64(worst)/float64(l.exec.at(0.5))), reach: "≤ " + ms(listReach), reached: &good,
	})
	b.table.note("**`reeve ports list`**: from before the fork to the end of the program, median of %d starts of each built-in plan (%s); the slowest plan must reach the figure.", listRounds, strings.Join(all, ", "))
	return nil
}

// timed runs the program and returns how long it took and the most memory that it had.
func (b *bench) timed(ctx context.Context, args ...string) (time.Duration, int64, error) {
	cmd := exec.CommandContext(ctx, b.reeve, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("reeve %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	took := time.Since(began)
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if usage == nil {
		return took, 0, nil
	}
	return took, usage.Maxrss << 10, nil
}

// measurePortsCompile compiles and checks a large plan on a large site, from the files on.
func measurePortsCompile(ctx context.Context, b *bench) error {
	plan, inventory := filepath.Join(b.home, "plan.yaml"), filepath.Join(b.home, "inventory.yaml")
	if err := os.WriteFile(plan, []byte(bigPlan()), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(inventory, []byte(bigInventory()), 0o600); err != nil {
		return err
	}
	var took samples
	var most int64
	for range 9 {
		one, memory, err := b.timed(ctx, "ports", "compile", "--plan", plan, "--inventory", inventory)
		if err != nil {
			return err
		}
		took, most = append(took, one), max(most, memory)
	}
	reading, err := readAll(plan, inventory)
	if err != nil {
		return err
	}
	good := took.at(0.5) <= bigReach && most <= bigMemory
	b.table.add(row{
		figure: fmt.Sprintf("compile and check %d roles, %d hosts", bigRoles, bigHosts), measured: fmt.Sprintf("%s, %s", seconds(took.at(0.5)), mb(most)),
		limit: fmt.Sprintf("%s (reading both files)", ms(reading)), ratio: fmt.Sprintf("%.0f", float64(took.at(0.5))/float64(reading)),
		reach: fmt.Sprintf("≤ %s and %s", seconds(bigReach), mb(bigMemory)), reached: &good,
	})
	b.table.note("**Compile and check**: `reeve ports compile` of a plan of %d roles and as many services with five flows each, ten instances, and an inventory of %d hosts with two roles each, "+
		"from the fork to the end of the program, so with reading both files; median of 9, and the largest of their peaks of resident memory.", bigRoles, bigHosts)
	return nil
}

// readAll is how long the files take to be read.
func readAll(paths ...string) (time.Duration, error) {
	began := time.Now()
	for _, p := range paths {
		if _, err := os.ReadFile(p); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

func bigPlan() string {
	var w strings.Builder
	w.WriteString("plan: big\ninstance: n\nvars: {n: {min: 0, max: 9, default: 0}}\nroles:\n")
	for i := range bigRoles {
		kind := "agent"
		if i%4 == 0 {
			kind = "server"
		}
		fmt.Fprintf(&w, "  r%d: {is: %s}\n", i, kind)
	}
	w.WriteString("services:\n")
	for i := range bigRoles {
		fmt.Fprintf(&w, "  - id: s%d\n    name: svc%d\n    port: %d + n\n    protocol: [tcp]\n    flows:\n", i, i, 20300+20*i)
		for k := range 5 {
			fmt.Fprintf(&w, "      - {from: r%d, to: r%d, purpose: call %d}\n", (i+7*k+7)%bigRoles, i, k)
		}
	}
	return w.String()
}

func bigInventory() string {
	var w strings.Builder
	w.WriteString("inventory: big\nzones: {core: {}, dmz: {}}\nhosts:\n")
	for h := range bigHosts {
		zone := "core"
		if h%2 == 1 {
			zone = "dmz"
		}
		fmt.Fprintf(&w, "  h%d: {roles: [r%d, r%d], zone: %s, bind: [10.%d.%d.%d], advertise: [h%d.example.com]}\n",
			h, h%bigRoles, (7*h+3)%bigRoles, zone, h>>14, h>>7&127, h&127, h)
	}
	return w.String()
}
