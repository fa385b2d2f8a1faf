package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

const (
	callbackPorts = 10
	callbackJobs  = 200
	callbackHold  = time.Second
	callbackTime  = 500 * time.Millisecond // that a job takes
)

// measureCallbacks runs jobs under a plan in which each attempt calls back on a port of its own, and compares with what the
// ports allow: each is leased for the job's time, and held after it.
func measureCallbacks(ctx context.Context, b *bench) error {
	first, err := freeBlock(callbackPorts)
	if err != nil {
		return err
	}
	s := &site{reeve: b.reeve, home: filepath.Join(b.home, "callbacks")}
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return err
	}
	plan := filepath.Join(s.home, "plan.yaml")
	text := fmt.Sprintf(`plan: bench
extends: default
pools:
  - id: callback
    function: incoming ports
    protocol: [tcp]
    tls: true
    runs_on: [server]
    range: {from: %d, down: true, size: %d}
    pick: lru
    hold: {min: %s, reasons: [operator]}
    lease: {owner: task attempt, ttl: 90s, renew: heartbeat, fence: true, nonce: 128}
    origin: ours
    flows: [{from: agent, to: server, purpose: the words of an attempt, carries: [callback]}]
`, first+callbackPorts-1, callbackPorts, callbackHold)
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		return err
	}
	s.more = []string{"--plan", plan, "--ledger", filepath.Join(s.home, "ledger")}
	b.sites = append(b.sites, s)
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.join(ctx); err != nil {
		return err
	}
	var jobs strings.Builder
	jobs.WriteString("net: bench/callbacks\njobs:\n")
	for i := range callbackJobs {
		fmt.Fprintf(&jobs, "  - {name: j-%d, command: [sleep, %q]}\n", i, fmt.Sprint(callbackTime.Seconds()))
	}
	if _, err := s.client.ApplyNets(ctx, "callbacks.yaml", []byte(jobs.String()), false); err != nil {
		return fmt.Errorf("applying the net: %w", err)
	}
	own, err := listeningPorts(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	began := time.Now()
	run, err := s.client.StartRun(ctx, api.StartRun{Net: "bench/callbacks"})
	if err != nil {
		return err
	}
	seen := map[int]bool{}
	for run.Ended == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		listening, err := listeningPorts(s.server.cmd.Process.Pid)
		if err != nil {
			return err
		}
		for _, p := range listening {
			if p >= first && p < first+callbackPorts {
				seen[p] = true
			} else if !slices.Contains(own, p) {
				return fmt.Errorf("the server listens on %d, which is neither its own port nor one of the pool", p)
			}
		}
		if run, err = s.client.Run(ctx, run.ID); err != nil {
			return err
		}
	}
	took := time.Since(began)
	if n, err := s.check(ctx, run.ID); err != nil || n != callbackJobs {
		return fmt.Errorf("%d of %d jobs succeeded: %w", n, callbackJobs, err)
	}
	// The last port need not wait for its hold: the clock ends with the last job.
	ideal := time.Duration(callbackJobs/callbackPorts)*(callbackTime+callbackHold) - callbackHold
	ratio := ideal.Seconds() / took.Seconds()
	good := ratio >= 0.9
	b.table.add(row{
		figure: fmt.Sprintf("%d callback jobs over %d ports", callbackJobs, callbackPorts), measured: fmt.Sprintf("%.1f s", took.Seconds()),
		limit: fmt.Sprintf("%.1f s (each port is leased for %v and held for %v)", ideal.Seconds(), callbackTime, callbackHold), ratio: fmt.Sprintf("%.2f", ratio), reach: "≥ 0.9", reached: &good,
	})
	b.table.note("**Callback jobs**: a run of %d jobs `sleep %v` under a plan that has agents call back on %d ports, each held for %v after its use. The ports are the limit: job, lease, connection, end and release have to fit into what is left beside sleep and hold. All jobs succeeded; the server listened on its own port and on ports of the pool only (%d of them were seen listening).", callbackJobs, callbackTime.Seconds(), callbackPorts, callbackHold, len(seen))
	err = s.stop()
	b.sites = b.sites[:len(b.sites)-1]
	return err
}

// freeBlock returns the first of n free ports in a row, below those that the system gives to outgoing connections.
func freeBlock(n int) (int, error) {
	for first := 24_000; first < 30_000; first += n {
		good := 0
		for good < n {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first+good))
			if err != nil {
				break
			}
			_ = l.Close() // it was only a look
			good++
		}
		if good == n {
			return first, nil
		}
	}
	return 0, errors.New("no ports are free in a row")
}

// listeningPorts returns the TCP ports on which a process listens.
func listeningPorts(pid int) ([]int, error) {
	inodes := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil, err
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			inodes[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	var found []int
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				found = append(found, int(port))
			}
		}
		_ = f.Close() // read only
	}
	return found, nil
}
