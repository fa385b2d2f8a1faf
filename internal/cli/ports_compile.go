package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/ports"
)

// compilation is what `ports compile -o json` prints: `ports diff` reads it back.
type compilation struct {
	Compiled ports.Compiled     `json:"compiled"`
	Findings []ports.Diagnostic `json:"findings"`
}

func (a *app) portsCompile() *cobra.Command {
	var plan *planFlags
	c := &cobra.Command{
		Use: "compile [--plan P] [--inventory F] [--instance N]", Short: "compile a plan: its findings with their places, and its hash", Args: cobra.NoArgs,
		Long: "Compile a plan for an instance and a site, and look through all of its instances for what is wrong with it: each finding with its place, " +
			"the lines that it is about, and what to do. With -o json: the compiled plan and the findings.\n\n" + exitHelp,
		RunE: func(*cobra.Command, []string) error {
			site, found, err := plan.load()
			if err != nil {
				return err
			}
			compiled := site.Compiled
			if found == nil {
				found = []ports.Diagnostic{}
			}
			err = a.print(compilation{compiled, found}, func(w io.Writer) {
				plan.findings(w, found)
				fmt.Fprintln(w, summary(found))
				fmt.Fprintf(w, "plan %s, instance %d: %s, %s, hash %s\n", compiled.Plan, compiled.Instance, count(len(compiled.Claims), "claim"), count(len(compiled.Flows), "flow"), compiled.Hash)
			})
			if err != nil {
				return err
			}
			return verdict(found)
		},
	}
	plan = a.planFlags(c)
	return c
}

// summary counts findings by how bad they are.
func summary(found []ports.Diagnostic) string {
	n := map[ports.Severity]int{}
	for _, d := range found {
		n[d.Severity]++
	}
	return count(n[ports.Error], "error") + ", " + count(n[ports.Warning], "warning") + ", " + count(n[ports.Note], "note")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
