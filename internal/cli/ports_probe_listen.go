package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// probeListenFlags say what the listening end does.
type probeListenFlags struct {
	which probed
	host  string
	bind  []string
	last  time.Duration
	look  bool
}

func (a *app) probeListen() *cobra.Command {
	var plan *planFlags
	var f probeListenFlags
	c := &cobra.Command{
		Use: "listen --flow ID|--service ID|--all [--bind A]… [--look] [--for 10m] [--host H] [--plan P] [--inventory F] [--instance N]", Args: cobra.NoArgs,
		Short: "be the listening end: take the plan's ports and note what comes",
		Long: "Take the ports of the flows, answer `reeve ports probe dial` from another machine, and print a one-time code for it. At the end (after --for, or Ctrl-C): what came to each port, " +
			"who listens there if it is not the probe, and whether its queue is full. With root, packets are seen before the host's own rules; without it that is said.\n\n" +
			"With -o json the report goes to standard output, and the code to standard error: `reeve ports probe merge` takes it where no path was open.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := a.listenEnd(c.Context(), plan, f)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printReport(w, report) })
		},
	}
	plan = a.planFlags(c)
	f.which.flags(c)
	fl := c.Flags()
	fl.StringVar(&f.host, "host", "", "which host of the inventory this one is; default: its own name")
	fl.StringArrayVar(&f.bind, "bind", nil, "address of this host to listen on; may be given several times; default: what the inventory says, else all")
	fl.BoolVar(&f.look, "look", false, "take no port: only see who has it and what comes to it, as for a service that runs already")
	fl.DurationVar(&f.last, "for", 10*time.Minute, "how long to listen; the code is worth nothing afterwards")
	return c
}

// listenEnd is the listening end from its first port to its report.
func (a *app) listenEnd(ctx context.Context, plan *planFlags, f probeListenFlags) (twoends.Report, error) {
	if f.last <= 0 {
		return twoends.Report{}, fault.New(fault.Invalid, fmt.Sprintf("--for is %s", f.last), "it is a time, as 10m")
	}
	site, host, err := a.probeSite(plan, f.host)
	if err != nil {
		return twoends.Report{}, err
	}
	flows, err := f.which.among(site.Compiled)
	if err != nil {
		return twoends.Report{}, err
	}
	rows := listenedFor(site, host, flows)
	if len(rows) == 0 {
		return twoends.Report{}, fault.New(fault.NotFound, "no flow of these ends at "+host, "give --host, or leave the inventory away")
	}
	code, err := twoends.MintCode(rand.Reader)
	if err != nil {
		return twoends.Report{}, err
	}
	own := ownSockets()
	own.PIDs = []int{os.Getpid()}
	l, err := twoends.Listen(ctx, twoends.ListenOptions{
		Host: host, Sockets: socket.New(numbered(site.Compiled, rows)), Rows: rows, Bind: bindsOf(site, host, f.bind), Look: f.look, Code: code, Own: own,
		Rand: rand.Reader, Now: time.Now, Tell: a.tellArrival,
		Observe: func(ctx context.Context) (probe.Observation, error) { return probe.Observe(ctx, probe.Options{}) },
	})
	if err != nil {
		return twoends.Report{}, err
	}
	defer l.Close()
	a.greet(ctx, l, code, f)
	running, cancel := context.WithTimeout(ctx, f.last)
	defer cancel()
	// What stands in the queues belongs to the report: it is written while the ports are still taken.
	done := make(chan error, 1)
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	go func() { done <- l.Run(serving) }()
	<-running.Done()
	report, err := l.Report(serving)
	end()
	if failed := <-done; err == nil {
		err = failed
	}
	return report, err
}

// greet tells the person what is taken and what to type at the other end. In JSON nothing but the report goes to
// standard output.
func (a *app) greet(ctx context.Context, l *twoends.Listener, code twoends.Code, f probeListenFlags) {
	if now, err := l.Report(ctx); err == nil {
		for _, e := range now.Ends {
			switch {
			case f.look:
				fmt.Fprintf(a.errs, "looking at %s on %d/%s\n", e.Service, e.Port, e.Protocol)
			case e.Open:
				fmt.Fprintf(a.errs, "listening for %s on %d/%s\n", e.Service, e.Port, e.Protocol)
			default:
				fmt.Fprintf(a.errs, "not listening for %s on %d/%s: %s\n", e.Service, e.Port, e.Protocol, printable(e.Error))
			}
		}
	}
	fmt.Fprintf(a.errs, "for %s; on the other machine: reeve ports probe dial THIS-HOST %s --code %s\n", f.last, f.which.text(), code.Text())
}

// text is what a person types to mean the same flows.
func (p probed) text() string {
	if p.all {
		return "--all"
	}
	var parts []string
	for _, id := range p.flows {
		parts = append(parts, "--flow "+id)
	}
	for _, id := range p.services {
		parts = append(parts, "--service "+id)
	}
	return strings.Join(parts, " ")
}

// tellArrival prints one line for each attempt that came.
func (a *app) tellArrival(e twoends.End, one twoends.Arrival) {
	who := "somebody who did not speak as a probe"
	switch {
	case one.Proved:
		who = "a probe that knows the code"
	case one.Nonce != "":
		who = "a probe without the code"
	}
	fmt.Fprintf(a.errs, "%s %s came to %s (%d/%s): %s\n", one.At.Format(time.RFC3339), one.From, e.Service, e.Port, e.Protocol, who)
}

// listenedFor returns the rows on which a host listens for flows, with its own numbers, each once. A host that the
// inventory does not have stands for all.
func listenedFor(site ports.Site, host string, flows []ports.ResolvedFlow) []ports.Claim {
	held := site.Compiled.Claims
	if _, ok := site.Host(host); ok {
		held = site.Held(host)
	}
	var rows []ports.Claim
	for _, f := range flows {
		i := slices.IndexFunc(held, func(cl ports.Claim) bool { return cl.Service == f.Service && cl.Protocol == f.Protocol && cl.Binds })
		if i >= 0 && !slices.ContainsFunc(rows, func(cl ports.Claim) bool { return cl.Service == f.Service && cl.Protocol == f.Protocol }) {
			rows = append(rows, held[i])
		}
	}
	return rows
}

// numbered is the plan with a host's own numbers in some rows.
func numbered(c ports.Compiled, rows []ports.Claim) ports.Compiled {
	c.Claims = slices.Clone(c.Claims)
	for i, cl := range c.Claims {
		for _, row := range rows {
			if row.Service == cl.Service && row.Protocol == cl.Protocol {
				c.Claims[i] = row
			}
		}
	}
	return c
}

// bindsOf are the addresses to listen on.
func bindsOf(site ports.Site, host string, given []string) []string {
	if h, ok := site.Host(host); ok && len(given) == 0 {
		return h.Bind
	}
	return given
}

// printReport prints what the listening end saw.
func printReport(w io.Writer, r twoends.Report) {
	line(w, "SERVICE", "PORT", "LISTENER", "CAME", "FROM", "KNEW THE CODE")
	for _, e := range r.Ends {
		who := string(e.View.Listener)
		switch {
		case e.Open:
			who = "this probe"
		case e.View.Owner != nil:
			who += ": " + e.View.Owner.String()
		}
		port := fmt.Sprintf("%d/%s", e.Port, e.Protocol)
		if len(e.Arrivals) == 0 {
			line(w, e.Service, port, who, "nothing", "", "")
		}
		for _, a := range e.Arrivals {
			came := "to the host, not to the probe"
			if a.Accepted {
				came = "to the probe"
			}
			line(w, e.Service, port, who, came, a.From.String(), map[bool]string{true: "yes", false: "no"}[a.Proved])
		}
	}
	if r.Wire != "" {
		fmt.Fprintf(w, "what this host's own rules dropped was not seen: %s\n", printable(r.Wire))
	}
}
