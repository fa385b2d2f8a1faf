package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// limits is what the machine itself takes, measured around a figure.
type limits struct {
	sync, exec samples // one append and fdatasync; one fork, exec and wait
}

// probe measures the machine's limits for a moment, in folder.
func (l *limits) probe(folder string) error {
	f, err := os.OpenFile(filepath.Join(folder, "probe"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	record := make([]byte, 512)
	for range 100 {
		began := time.Now()
		if _, err := f.Write(record); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		l.sync = append(l.sync, time.Since(began))
	}
	for range 100 {
		began := time.Now()
		if err := exec.Command("/bin/true").Run(); err != nil {
			return err
		}
		l.exec = append(l.exec, time.Since(began))
	}
	return nil
}

// needs is what so many syncs and execs take, by their medians.
func (l *limits) needs(syncs, execs int) time.Duration {
	return time.Duration(syncs)*l.sync.at(0.5) + time.Duration(execs)*l.exec.at(0.5)
}

func (l limits) String() string {
	return fmt.Sprintf("fdatasync %s, exec %s", ms(l.sync.at(0.5)), ms(l.exec.at(0.5)))
}

// forks runs /bin/true n times with two workers and returns how many a second.
func forks(n int) (float64, error) {
	began := time.Now()
	var next, failed atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				if exec.Command("/bin/true").Run() != nil {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if failed.Load() > 0 {
		return 0, fmt.Errorf("%d of %d plain executions failed", failed.Load(), n)
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// machine describes where this runs, and how busy it is with other things.
func machine(ctx context.Context) string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	kind := strings.TrimSpace(string(release))
	return fmt.Sprintf("%d cores, %s/%s, kernel %s, %s; %.0f %% of the processors were busy with other work before the run",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, kind, runtime.Version(), 100*busy(ctx, time.Second))
}

// busy is the share of all processors' time that is used, over a while.
func busy(ctx context.Context, while time.Duration) float64 {
	read := func() (used, all float64) {
		text, _ := os.ReadFile("/proc/stat")
		first, _, _ := strings.Cut(string(text), "\n")
		for i, field := range strings.Fields(first)[1:] {
			v, _ := strconv.ParseFloat(field, 64)
			all += v
			if i != 3 && i != 4 {
				used += v
			}
		}
		return used, all
	}
	used, all := read()
	select {
	case <-ctx.Done():
	case <-time.After(while):
	}
	used2, all2 := read()
	return (used2 - used) / max(all2-all, 1)
}

// quiet waits, at most for patience, until other work leaves the processors alone: its bursts would be taken for ours.
func quiet(ctx context.Context, patience time.Duration) {
	const enough = 0.1
	until := time.Now().Add(patience)
	for busy(ctx, 500*time.Millisecond) > enough && time.Now().Before(until) && ctx.Err() == nil {
	}
}

// resident is VmRSS of a process in bytes.
func resident(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d says no VmRSS", pid)
}

// onCPU is how long a process has run on a processor, all its threads together.
func onCPU(pid int) time.Duration {
	var all time.Duration
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, s := range stats {
		text, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			ns, _ := strconv.ParseInt(fields[0], 10, 64)
			all += time.Duration(ns)
		}
	}
	return all
}

// reaped is how long the children of a process that it has waited for were on a processor.
func reaped(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before it may hold anything
	fields := strings.Fields(rest)
	const user, system = 13, 14 // cutime and cstime, counted from the state
	if len(fields) <= system {
		return 0
	}
	u, _ := strconv.ParseInt(fields[user], 10, 64)
	s, _ := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+s) * time.Second / 100 // the kernel says it in hundredths
}
