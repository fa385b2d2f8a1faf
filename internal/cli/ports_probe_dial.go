package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// probeDialFlags say what the dialling end does.
type probeDialFlags struct {
	which    probed
	from     string
	code     string
	patience time.Duration
	closed   bool
}

func (a *app) probeDial() *cobra.Command {
	var plan *planFlags
	var f probeDialFlags
	c := &cobra.Command{
		Use: "dial HOST… --flow ID|--service ID|--all [--code CODE] [--from H] [--plan P] [--inventory F] [--instance N]", Args: cobra.MinimumNArgs(1),
		Short: "be the dialling end: try the flows, and say what each path does and why",
		Long: "Dial the flows from this machine and print a proof of each: verdict, reason, what was seen, what was assumed. HOST is a host of the inventory, a name or an address; HOST:PORT " +
			"where the path is reached under another number. Nothing but the plan's own numbers is dialled, and no root is needed.\n\n" +
			"With the --code of `reeve ports probe listen` (or REEVE_PROBE_CODE) both ends prove to each other who they are, and the listening end says over every open path what it saw of the " +
			"closed ones. Without one, whoever answers is taken at their word: the verdict is then at best assumed. Where no path is open, `reeve ports probe merge` puts together what both " +
			"ends wrote with -o json.\n\nVerdicts: " + verdictHelp + ". `reeve ports probe reasons` explains the reasons.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if err := env(c, "code", "REEVE_PROBE_CODE"); err != nil {
				return err
			}
			proofs, err := a.dialEnd(c.Context(), plan, f, args)
			if err != nil {
				return err
			}
			if err := a.print(proofs, func(w io.Writer) { printProofs(w, proofs) }); err != nil {
				return err
			}
			return proofsVerdict(proofs)
		},
	}
	plan = a.planFlags(c)
	f.which.flags(c)
	fl := c.Flags()
	fl.StringVar(&f.from, "from", "", "which host of the inventory this one is: only flows from its roles; default: its own name")
	fl.StringVar(&f.code, "code", "", "what the listening end printed (REEVE_PROBE_CODE)")
	fl.DurationVar(&f.patience, "patience", 0, "how long to wait for an answer; default: 3.5s, in which a host that is not there is missed")
	fl.BoolVar(&f.closed, "closed", false, "the paths must be closed: prove that")
	return c
}

const verdictHelp = "proven (both ends saw it) and assumed (one end, and what must hold stands beside it) are good; blocked (the path), failed (its end) and exposed (open, and must not be) " +
	"are bad, exit code 1; unproven is neither, exit code 6"

// proofsVerdict is the exit code of proofs: 1 where one is bad, else 6 where one is not known.
func proofsVerdict(proofs []probe.Proof) error {
	unknown := false
	for _, p := range proofs {
		switch {
		case p.Verdict == probe.Unproven:
			unknown = true
		case !p.Good():
			return &exitError{1}
		}
	}
	if unknown {
		return &exitError{6}
	}
	return nil
}

// dialEnd dials what is meant.
func (a *app) dialEnd(ctx context.Context, plan *planFlags, f probeDialFlags, hosts []string) ([]probe.Proof, error) {
	site, from, err := a.probeSite(plan, f.from)
	if err != nil {
		return nil, err
	}
	flows, err := f.which.among(site.Compiled)
	if err != nil {
		return nil, err
	}
	o := twoends.DialOptions{From: from, Patience: f.patience, Rand: rand.Reader, Now: time.Now}
	for _, host := range hosts {
		paths, err := pathsTo(site, from, host, flows)
		if err != nil {
			return nil, err
		}
		o.Paths = append(o.Paths, paths...)
	}
	if f.closed {
		for i := range o.Paths {
			o.Paths[i].Expect = probe.Closed
		}
	}
	if f.code != "" {
		code, err := twoends.ParseCode(f.code)
		if err != nil {
			return nil, err
		}
		o.Code = &code
	}
	o.Sockets = socket.New(site.Compiled)
	proofs, err := twoends.Dial(ctx, o)
	if ctx.Err() != nil {
		return nil, fault.New(fault.Interrupted, "interrupted; nothing is proved", "dial again: a path is known within five seconds")
	}
	return proofs, err
}

// pathsTo returns the flows to a host, and under which addresses it is dialled.
func pathsTo(site ports.Site, from, host string, flows []ports.ResolvedFlow) ([]twoends.Path, error) {
	if _, ok := site.Host(host); !ok {
		return pathsToAny(flows, host), nil
	}
	in, _ := site.Openings(host)
	var paths []twoends.Path
	for _, f := range flows {
		if !slices.ContainsFunc(in, func(o ports.Opening) bool { return o.Flow == f.ID && fromHost(site, o, from) }) {
			continue
		}
		for _, at := range site.At(host, f.Service) {
			paths = append(paths, twoends.Path{Flow: f, To: host, Dial: at})
		}
	}
	if len(paths) == 0 {
		return nil, fault.New(fault.NotFound, fmt.Sprintf("the plan has none of these flows from %s to %s", from, host), "see `reeve ports render change-request --host "+host+"`, or dial its address to try them all the same")
	}
	return paths, nil
}

// pathsToAny returns the flows to a host of which nothing is known: of several to one number, which differ by who dials,
// the first stands for all.
func pathsToAny(flows []ports.ResolvedFlow, host string) []twoends.Path {
	var paths []twoends.Path
	for _, f := range flows {
		if !slices.ContainsFunc(paths, func(p twoends.Path) bool { return p.Flow.Port == f.Port && p.Flow.Protocol == f.Protocol }) {
			paths = append(paths, twoends.Path{Flow: f, To: host, Dial: host})
		}
	}
	return paths
}

// fromHost reports whether an opening is one for a host. One that the inventory does not have may be any.
func fromHost(site ports.Site, o ports.Opening, from string) bool {
	if _, ok := site.Host(from); !ok || len(o.Sources) == 0 {
		return true
	}
	return slices.ContainsFunc(o.Sources, func(e ports.Endpoint) bool { return e.Host == from })
}

// printProofs prints a line for each proof, and below it what a person must know.
func printProofs(w io.Writer, proofs []probe.Proof) {
	line(w, "FLOW", "TO", "ADDRESS", "VERDICT", "REASON", "BASIS")
	for _, p := range proofs {
		line(w, p.Flow, p.To, p.Address, string(p.Verdict), string(p.Reason), string(p.Basis))
	}
	for _, p := range proofs {
		if p.Verdict == probe.Proven && p.Reason == probe.OK {
			continue
		}
		fmt.Fprintf(w, "\n%s to %s: %s\n", printable(p.Flow), printable(p.To), printable(p.Text))
		if len(p.Possible) > 0 {
			fmt.Fprintf(w, "    it may be: %s\n", joinReasons(p.Possible))
		}
		for _, text := range p.Assumptions {
			fmt.Fprintf(w, "    assumed: %s\n", printable(text))
		}
		if p.Remedy != "" {
			fmt.Fprintf(w, "    - %s\n", printable(p.Remedy))
		}
	}
}

func joinReasons(all []probe.Reason) string {
	text := ""
	for i, r := range all {
		if i > 0 {
			text += ", "
		}
		text += string(r)
	}
	return text
}
