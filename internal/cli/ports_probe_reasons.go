package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/ports/probe"
)

func (a *app) probeReasons() *cobra.Command {
	return &cobra.Command{
		Use: "reasons", Short: "what the reasons of proofs mean, and what to do", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all := probe.Reasons()
			return a.print(all, func(w io.Writer) {
				line(w, "REASON", "MEANING", "WHAT TO DO")
				for _, r := range all {
					line(w, string(r.Reason), r.Text, r.Remedy)
				}
			})
		},
	}
}
