// Command bench answers: how fast is Reeve on this machine, and how does that compare with the machine's own limits?
//
//	go run ./test/bench -reeve bin/reeve -out docs/benchmarks.md
//
// It starts real servers and agents in a temporary folder, on instances of the port plan that are free, measures each
// figure next to what the machine itself takes for the syncs and the exec that the figure needs, reads every result
// back, and writes a table. It leaves no process (keepers included) and no file but the one that it was asked for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.reeve, "reeve", "bin/reeve", "the program to measure")
	flag.StringVar(&o.out, "out", "", "file for the table; empty: standard output")
	flag.StringVar(&o.folder, "folder", "", "folder on the disk to measure; empty: the system's folder for temporary files")
	flag.StringVar(&o.only, "only", "", "only these figures, separated by commas: "+strings.Join(names(), ", "))
	flag.IntVar(&o.agents, "agents", 2000, "agents that have links")
	flag.IntVar(&o.million, "finished", 1_000_000, "finished runs in the large store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	reeve, out, folder, only string
	million, agents          int
}

// figure is something to measure. Figures that share the main site run in the order of the list: what is idle comes
// before what is loaded.
type figure struct {
	name    string
	measure func(ctx context.Context, b *bench) error
}

func figures() []figure {
	return []figure{
		{"start", measureStart},
		{"idle", measureIdle},
		{"latency", measureLatency},
		{"chain", measureChain},
		{"fanout", measureFanOut},
		{"throughput", measureThroughput},
		{"burst", measureBurst},
		{"schedules", measureSchedules},
		{"agenda", measureAgenda},
		{"callbacks", measureCallbacks},
		{"growth", measureGrowth},
		{"links", measureLinks},
		{"list", measurePortsList},
		{"compile", measurePortsCompile},
		{"rules", measurePortsRules},
		{"ports", measureGo},
	}
}

func names() []string {
	var out []string
	for _, f := range figures() {
		out = append(out, f.name)
	}
	return out
}

// bench is one run of all figures.
type bench struct {
	options
	home  string
	site  *site // server and agent of most figures; made at the first use
	sites []*site
	table report
}

func (o options) run(ctx context.Context) (err error) {
	if o.reeve, err = filepath.Abs(o.reeve); err != nil {
		return err
	}
	if _, err := os.Stat(o.reeve); err != nil {
		return fmt.Errorf("%w: make build", err)
	}
	b := &bench{options: o}
	if b.home, err = os.MkdirTemp(o.folder, "reeve-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.clean()) }()
	began := time.Now()
	b.table.before = machine(ctx)
	for _, f := range figures() {
		if o.only != "" && !contains(o.only, f.name) {
			continue
		}
		say("%s", f.name)
		quiet(ctx, 15*time.Second)
		if err := f.measure(ctx, b); err != nil {
			return fmt.Errorf("measuring %s: %w%s", f.name, err, b.lastWords())
		}
	}
	b.table.took = time.Since(began)
	text := b.table.text(o.version(ctx))
	if o.out == "" {
		_, err = os.Stdout.WriteString(text)
		return err
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

func contains(list, name string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(part) == name {
			return true
		}
	}
	return false
}

// main returns the site that most figures are measured on.
func (b *bench) mainSite(ctx context.Context) (*site, error) {
	if b.site != nil {
		return b.site, nil
	}
	s, err := b.open(ctx, "main")
	if err != nil {
		return nil, err
	}
	if err := s.join(ctx); err != nil {
		return nil, err
	}
	b.site = s
	return s, nil
}

// open starts a server in a folder of its own.
func (b *bench) open(ctx context.Context, name string) (*site, error) {
	s := &site{reeve: b.reeve, home: filepath.Join(b.home, name)}
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return nil, err
	}
	b.sites = append(b.sites, s)
	return s, s.start(ctx)
}

// clean ends all that was started and removes the folder.
func (b *bench) clean() error {
	var errs []error
	for _, s := range b.sites {
		errs = append(errs, s.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(b.home))...)
}

// lastWords are the ends of the logs, for an error.
func (b *bench) lastWords() string {
	var out strings.Builder
	for _, s := range b.sites {
		for _, log := range []string{"server.log", "agent.log"} {
			text, _ := os.ReadFile(filepath.Join(s.home, log))
			if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines[0]) > 0 {
				fmt.Fprintf(&out, "\n%s %s:\n  %s", filepath.Base(s.home), log, strings.Join(lines[max(0, len(lines)-5):], "\n  "))
			}
		}
	}
	return out.String()
}

// say tells how far the bench is.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
