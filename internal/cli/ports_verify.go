package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// verified is what `ports verify` prints.
type verified struct {
	api.Verification
	Proofs []api.Proof `json:"proofs"`
}

// verifyFlags say what is proved, or shown of what was.
type verifyFlags struct {
	order         api.VerifyOrder
	longest       time.Duration
	known, unused bool
	history       bool
}

func (a *app) portsVerify() *cobra.Command {
	var f verifyFlags
	c := a.dataFlag(&cobra.Command{
		Use: "verify [--from H] [--to H] [--flow ID] [--all] [--idle] [--negative]", Args: cobra.NoArgs,
		Short: "prove the plan's openings between the nodes of the domain, from both ends; needs a server",
		Long: "Prove the plan's openings: for each flow the node at its far end listens on the row, or says who does, and the node at its near end dials it, in the flow's direction, over TCP " +
			"and UDP. The server puts both views together. Ends at which no node of Reeve is are listed as unproven, and never good. Nothing but rows of the plan is dialled, each node checks " +
			"that by its own copy, and what is opened for a proof is closed right after.\n\n" +
			"--negative proves closed what must be closed: rows for the host itself, reserved rows, and the numbers next to open ones, with a listener behind them, so that closed means filtered. " +
			"--idle measures how long a silent connection survives between every two nodes, and says which sign of life is below it. --known and --history show what was found, and --unused the " +
			"openings that nothing has used for 30 days; these three dial nothing.\n\nVerdicts: proven and assumed are good; blocked, failed and exposed are bad, exit code 1; unproven between two " +
			"nodes of Reeve is neither, exit code 6. `reeve ports probe reasons` explains the reasons.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			f.order.For = f.longest.Seconds()
			client, err := a.client()
			if err != nil {
				return err
			}
			switch {
			case f.unused:
				return a.showUnused(c.Context(), client)
			case f.known, f.history:
				return a.showKnown(c.Context(), client, f)
			}
			return a.verify(c.Context(), client, f.order)
		},
	})
	fl := c.Flags()
	fl.StringVar(&f.order.From, "from", "", "only what this host dials, or hosts of this role of the plan")
	fl.StringVar(&f.order.To, "to", "", "only what this host is dialled for, or hosts of this role")
	fl.StringVar(&f.order.Flow, "flow", "", "only this flow (SERVICE.N/PROTOCOL), or all of a row")
	fl.BoolVar(&f.order.All, "all", false, "more numbers of each range, and every address of each host")
	fl.BoolVar(&f.order.Idle, "idle", false, "measure how long a silent connection survives")
	fl.DurationVar(&f.longest, "for", 0, "with --idle: the longest silence; default 60s, at most 12m")
	fl.BoolVar(&f.order.Negative, "negative", false, "prove closed what must be closed")
	fl.BoolVar(&f.known, "known", false, "dial nothing: the newest proof of each path")
	fl.BoolVar(&f.history, "history", false, "dial nothing: what was found over time, newest first")
	fl.BoolVar(&f.unused, "unused", false, "dial nothing: openings that nothing has used for long")
	c.MarkFlagsMutuallyExclusive("idle", "negative", "known", "history", "unused")
	c.MarkFlagsMutuallyExclusive("all", "idle", "known", "history", "unused")
	return c
}

// verify orders a verification, follows it and prints what came of it. Who interrupts, ends it.
func (a *app) verify(ctx context.Context, client *api.Client, order api.VerifyOrder) error {
	now, err := client.Verify(ctx, order)
	if err != nil {
		return err
	}
	now, err = a.followProofs(ctx, client, now)
	if err != nil {
		if ctx.Err() == nil {
			return err
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(fault.New(fault.Interrupted, "interrupted; what was proved until then is kept", "`reeve ports verify --known` shows it"), client.CancelVerification(last, now.ID))
	}
	out := verified{Verification: now, Proofs: []api.Proof{}}
	for {
		some, err := client.ListProofs(ctx, api.ProofQuery{Verification: now.ID, Offset: len(out.Proofs)})
		if err != nil {
			return err
		}
		if out.Proofs = append(out.Proofs, some...); len(some) == 0 {
			break
		}
	}
	if err := a.print(out, func(w io.Writer) { printVerified(w, out) }); err != nil {
		return err
	}
	switch {
	case now.State == "failed":
		return fault.New(fault.Finding, *now.Error, "")
	case now.State == "cancelled":
		return fault.New(fault.Interrupted, "somebody cancelled the verification", "")
	case now.Bad > 0:
		return &exitError{1}
	case now.Unknown > 0:
		return &exitError{6}
	}
	return nil
}

// followProofs waits for the end of a verification, and shows a person how far it is.
func (a *app) followProofs(ctx context.Context, client *api.Client, now api.Verification) (api.Verification, error) {
	shown := false
	f, ok := a.errs.(*os.File)
	watched := ok && a.output == "table" && term.IsTerminal(int(f.Fd()))
	pause := 50 * time.Millisecond
	for now.State == "running" {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return now, ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, time.Second)
		next, err := client.Verification(ctx, now.ID)
		if err != nil {
			return now, err
		}
		if now = next; watched && now.Total > 0 {
			fmt.Fprintf(a.errs, "\r%d of %d paths", now.Done, now.Total)
			shown = true
		}
	}
	if shown {
		fmt.Fprint(a.errs, "\r\x1b[K")
	}
	return now, nil
}

func printVerified(w io.Writer, v verified) {
	if len(v.Silences) > 0 {
		line(w, "FROM", "TO", "FLOW", "SURVIVED", "LOST AFTER", "KEEP-ALIVE", "FINDING")
		for _, q := range v.Silences {
			finding := q.Text
			if q.Unproven != "" {
				finding = "unproven: " + q.Unproven
			}
			line(w, q.From, q.To, q.Flow, span(q.Survived), span(q.Died), span(q.KeepAlive), finding)
		}
		return
	}
	printPaths(w, v.Proofs, false)
	fmt.Fprintln(w)
	fmt.Fprintln(w, counted(v.Verification))
}

// span prints seconds; 0 is none.
func span(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return time.Duration(seconds * float64(time.Second)).String()
}

// counted says how many proofs there are of each verdict.
func counted(v api.Verification) string {
	var parts []string
	for _, verdict := range []string{"proven", "assumed", "blocked", "failed", "exposed", "unproven"} {
		if n := v.Counts[verdict]; n > 0 {
			word := verdict
			if v.Order.Negative && verdict == "proven" {
				word = "proven closed"
			}
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	if len(parts) == 0 {
		return "no path is asked for"
	}
	return strings.Join(parts, ", ") + "; plan " + v.PlanHash[:min(12, len(v.PlanHash))]
}

// printPaths prints proofs, bad ones with what to do.
func printPaths(w io.Writer, all []api.Proof, stamped bool) {
	head := []any{"VERDICT", "REASON", "FLOW", "FROM", "TO", "ADDRESS", "FINDING"}
	if stamped {
		head = append(head, "SINCE", "LAST")
	}
	line(w, head...)
	for _, p := range all {
		text := p.Text
		if p.Remedy != "" && slices.Contains([]string{"blocked", "failed", "exposed"}, p.Verdict) {
			text += "; " + p.Remedy
		}
		for _, assumption := range p.Assumptions {
			text += "; assumed: " + assumption
		}
		cells := []any{p.Verdict, p.Reason, p.Flow, p.From, p.To, p.Address, text}
		if stamped {
			cells = append(cells, p.Since, p.At)
		}
		line(w, cells...)
	}
}

func (a *app) showKnown(ctx context.Context, client *api.Client, f verifyFlags) error {
	q := api.ProofQuery{Flow: f.order.Flow, From: f.order.From, To: f.order.To, Limit: 10_000}
	list := client.ListProofs
	if f.history {
		list = client.ProofHistory
	}
	all, err := list(ctx, q)
	if err != nil {
		return err
	}
	return a.print(all, func(w io.Writer) { printPaths(w, all, true) })
}

func (a *app) showUnused(ctx context.Context, client *api.Client) error {
	all, err := client.UnusedOpenings(ctx)
	if err != nil {
		return err
	}
	return a.print(all, func(w io.Writer) {
		line(w, "FLOW", "PORTS", "FROM", "TO", "PURPOSE", "LAST USED", "FINDING")
		for _, u := range all {
			line(w, u.Flow, u.Ports+"/"+u.Protocol, u.From, u.To, u.Purpose, u.Last, u.Text)
		}
	})
}
