package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func (a *app) portsCodes() *cobra.Command {
	return &cobra.Command{
		Use: "codes [CODE]", Short: "what the codes of findings mean", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			codes := ports.Codes()
			if len(args) > 0 {
				codes = slices.DeleteFunc(codes, func(c ports.CodeMeaning) bool { return !strings.EqualFold(string(c.Code), args[0]) })
				if len(codes) == 0 {
					return fault.New(fault.NotFound, fmt.Sprintf("there is no code %q", args[0]), "`reeve ports codes` lists them")
				}
			}
			return a.print(codes, func(w io.Writer) {
				line(w, "CODE", "AT WORST", "MEANING")
				for _, c := range codes {
					line(w, string(c.Code), string(c.Severity), c.Text)
				}
			})
		},
	}
}
