package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (a *app) whyCommand() *cobra.Command {
	var when string
	zone := zoneFlag{gone: true}
	c := a.dataFlag(&cobra.Command{
		Use: "why RUN[/JOB] | NET --at TIME", Short: "say why something waits, was missed, did not start, or ended as it did", Args: cobra.ExactArgs(1),
		Long: "Say of a run why it waits or ended as it did; of a net with --at what became of what was due then, or next to it: in that second, or " +
			"where the time is written without one, or nothing is due in it and it is a full minute, in that minute. " +
			"What is said is the smallest set of facts that would change it, each with the command that changes it.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("at") {
				return a.whyRun(c.Context(), args[0])
			}
			at, err := zone.given("--at", when)
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			why, err := client.WhyNet(c.Context(), api.WhyQuery{Net: args[0], At: at, Minute: !hasSeconds(when)})
			if err != nil {
				return err
			}
			return a.printWhy(why)
		},
	})
	c.Flags().StringVar(&when, "at", "", "the time that a net is asked about, as 2026-12-24T06:00:30Z, or with --zone 2026-12-24T06:00, which is the whole minute")
	return zone.add(c)
}

// hasSeconds reports whether a time is written with its second; who writes none means the minute.
func hasSeconds(text string) bool {
	return len(text) > len("2006-01-02T15:04")
}

func (a *app) whyRun(ctx context.Context, arg string) error {
	ofNet := fmt.Sprintf("of a net, say at what time: `reeve why %s --at TIME`", arg)
	id, job, _ := strings.Cut(arg, "/")
	if id == "" || strings.Contains(job, "/") {
		return fault.New(fault.Invalid, fmt.Sprintf("%q is not RUN[/JOB]", arg), ofNet)
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	why, err := client.Why(ctx, id, job)
	if fault.Is(err, fault.NotFound) {
		if _, none := client.Run(ctx, id); fault.Is(none, fault.NotFound) {
			return fault.New(fault.NotFound, "there is no run "+id, "see `reeve run list`; "+ofNet)
		}
	}
	if err != nil {
		return err
	}
	return a.printWhy(why)
}

func (a *app) printWhy(why api.Why) error {
	return a.print(why, func(w io.Writer) {
		fmt.Fprintf(w, "%s is %s\n", printable(why.Subject), printable(why.State))
		for _, f := range why.Facts {
			name := f.Job
			if name != "" {
				name += ": "
			}
			reason := ""
			if f.Reason != "" {
				reason = " [" + f.Reason + "]"
			}
			fmt.Fprintf(w, "  %s%s%s\n", printable(name), printable(f.Text), reason)
			if f.Fix != "" {
				fmt.Fprintf(w, "    → %s\n", printable(f.Fix))
			}
		}
	})
}
