package cli

import (
	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// launchCommand is the program between the keeper and an attempt that is given sockets: only the process itself can say
// that they are meant for it.
func (a *app) launchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "launch PROGRAM ARGUMENT…", Short: "execute a program that is given sockets (started by the keeper)",
		Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, words []string) error {
			return fault.Wrap(fault.Invalid, "launching", executor.Launch(words))
		},
	}
}

// launcher is how the keeper starts it. The path means this program to whoever executes it, also where a job's user
// cannot reach the folder that it lies in.
func launcher() []string { return []string{"/proc/self/exe", "launch"} }
