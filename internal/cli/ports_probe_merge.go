package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/twoends"
)

func (a *app) probeMerge() *cobra.Command {
	return &cobra.Command{
		Use: "merge DIALLED SAW…", Args: cobra.MinimumNArgs(2),
		Short: "put together what the two ends of a probe wrote, where no path between them was open",
		Long: "Make the proofs again from both ends: DIALLED is what `reeve ports probe dial -o json` wrote, each SAW what `reeve ports probe listen -o json` wrote at the same time. A report is for the " +
			"host that was dialled under its name (--host there), or for the one host where there is only one. Nothing is dialled.\n\n" + exitHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			proofs, err := readFrom(args[0], twoends.ReadProofs)
			if err != nil {
				return err
			}
			var reports []twoends.Report
			for _, file := range args[1:] {
				r, err := readFrom(file, twoends.ReadReport)
				if err != nil {
					return err
				}
				reports = append(reports, r)
			}
			merged, err := twoends.Merge(proofs, reports)
			if err != nil {
				return err
			}
			if err := a.print(merged, func(w io.Writer) { printProofs(w, merged) }); err != nil {
				return err
			}
			return proofsVerdict(merged)
		},
	}
}

// readFrom reads a file of one kind.
func readFrom[T any](path string, read func(io.Reader) (T, error)) (T, error) {
	f, err := openFile(path)
	if err != nil {
		var none T
		return none, fault.Wrap(fault.Invalid, "reading "+path, err)
	}
	defer f.Close() // only read
	return read(f)
}
