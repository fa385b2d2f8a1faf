package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// planCommand changes the ports of a running server and its nodes.
func (a *app) planCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{
		Use: "plan", Short: "change the ports of a running domain",
		Long: "Change the ports of a running domain. Edit the port plan or the inventory with which the server is configured, then:\n" +
			"old and new ports listen together, every node is told, and when each is linked by the new plan the old ports close.\n" +
			"Where one is not by the deadline, all goes back. Jobs that run go on.\n\n" + exitHelp,
	})
	var within time.Duration
	var wait, without bool
	begin := &cobra.Command{
		Use: "change", Short: "change the ports to the plan with which the server is configured now", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.planChange(c.Context(), wait, func(ctx context.Context, client *api.Client) (api.PlanChange, error) {
				return client.BeginPlanChange(ctx, api.BeginPlanChange{Within: within.Seconds()})
			})
		},
	}
	begin.Flags().DurationVar(&within, "within", 10*time.Minute, "time after which all goes back, unless every node is linked by the new plan")
	begin.Flags().BoolVar(&wait, "wait", false, "wait for the end: exit code 1 where it was rolled back")
	show := &cobra.Command{
		Use: "show", Short: "show the change of ports that is under way, or the last one", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.planChange(c.Context(), false, func(ctx context.Context, client *api.Client) (api.PlanChange, error) { return client.PlanChange(ctx) })
		},
	}
	commit := &cobra.Command{
		Use: "commit", Short: "close the old ports now", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.planChange(c.Context(), false, func(ctx context.Context, client *api.Client) (api.PlanChange, error) {
				return client.CommitPlanChange(ctx, api.CommitPlanChange{WithoutMissing: without})
			})
		},
	}
	commit.Flags().BoolVar(&without, "without-missing", false, "also where nodes are not linked by the new plan: they are left behind")
	cancel := &cobra.Command{
		Use: "cancel", Short: "go back to the old ports", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.planChange(c.Context(), false, func(ctx context.Context, client *api.Client) (api.PlanChange, error) {
				return client.CancelPlanChange(ctx)
			})
		},
	}
	c.AddCommand(begin, show, commit, cancel)
	return c
}

// planChange does something about a change of ports and shows it, at once or at its end.
func (a *app) planChange(ctx context.Context, wait bool, do func(context.Context, *api.Client) (api.PlanChange, error)) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	change, err := do(ctx, client)
	if err != nil {
		return err
	}
	if wait {
		if change, err = a.planEnd(ctx, client, change); err != nil {
			return err
		}
	}
	if err := a.print(change, func(w io.Writer) { planText(w, change) }); err != nil {
		return err
	}
	if wait && change.State != "committed" {
		return fault.New(fault.Finding, "the change of ports was "+change.State, "")
	}
	return nil
}

// planEnd waits for the end of a change. The server opens anew at a commit, and does not answer for a moment.
func (a *app) planEnd(ctx context.Context, client *api.Client, change api.PlanChange) (api.PlanChange, error) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for change.State == "under way" {
		select {
		case <-ctx.Done():
			return change, context.Cause(ctx)
		case <-tick.C:
		}
		next, err := client.PlanChange(ctx)
		switch {
		case err == nil:
			change = next
		case !fault.Is(err, fault.Unreachable):
			return change, err
		}
	}
	return change, nil
}

func planText(w io.Writer, c api.PlanChange) {
	line(w, "change of ports", c.State)
	line(w, "from", c.From)
	line(w, "to", c.To)
	for _, r := range c.Rows {
		line(w, r.Row, fmt.Sprintf("%s: %s -> %s", r.What, dashed(r.From), dashed(r.To)))
	}
	line(w, "by", c.By)
	line(w, "begun", c.Begun)
	line(w, "deadline", c.Deadline)
	line(w, "ended", c.Ended)
	line(w, "why", c.Why)
	for _, n := range c.Nodes {
		state := "linked by the new plan"
		if n.Why != nil {
			state = *n.Why
		}
		line(w, "node "+n.Name, state)
	}
}

func dashed(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
