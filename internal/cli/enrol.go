package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func (a *app) nodeEnrol() *cobra.Command {
	var order api.EnrolNode
	var file string
	var labels []string
	c := &cobra.Command{
		Use: "enrol NAME HOST[:PORT] --code CODE", Short: "dial an agent that waits (reeve agent --enrol) and make it a node", Args: cobra.ExactArgs(2),
		Long: "Dial an agent that waits with `reeve agent --enrol`, and make it a node. The code is the last line that the agent printed: by it the\n" +
			"server knows the agent's key before it sends anything, and the agent knows the server. It is good for 15 minutes and for one domain;\n" +
			"the same command may be repeated, whatever broke before. Without a port, HOST is dialled at the plan's.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if order.Labels, err = parsePairs("label", labels, false); err != nil {
				return err
			}
			if file != "" {
				text, err := os.ReadFile(file)
				if err != nil {
					return fault.Wrap(fault.Invalid, "reading the code", err)
				}
				order.Code = string(text)
			}
			if order.Code == "" {
				return fault.New(fault.Invalid, "the agent's code is missing", "give --code or --code-file: what `reeve agent --enrol` printed last")
			}
			order.Address = args[1]
			return a.onNode(c.Context(), func(client *api.Client) (api.Node, error) { return client.EnrolNode(c.Context(), args[0], order) })
		},
	}
	c.Flags().StringVar(&order.Code, "code", "", "the code that the agent printed last")
	c.Flags().StringVar(&file, "code-file", "", "file that holds the code")
	c.Flags().StringArrayVar(&labels, "label", nil, "a label of the agent, NAME=VALUE; several times")
	c.Flags().BoolVar(&order.Desk, "desk", false, "it waits with reeve agent --desk --enrol, on a person's machine: it takes only jobs that name it")
	c.MarkFlagsMutuallyExclusive("code", "code-file")
	return c
}

// codeShown returns what shows an agent's codes: as the last line of the output, or in a file that only its user can
// read. The file holds the last code.
func (a *app) codeShown(file string) func(string) error {
	return func(code string) error {
		if file == "" {
			fmt.Fprintf(a.out, "on the server: reeve node enrol NAME HOST --code CODE, within 15 minutes; the code:\n%s\n", code)
			return nil
		}
		err := writeSecret(file, code+"\n")
		return fault.Wrap(fault.Invalid, "writing the code", err)
	}
}

// writeSecret writes a file (mode 0600), whole or not at all, over the one that may be there.
func writeSecret(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// awaitRows are the rows on which servers may dial an agent to enrol it, whatever the zones say that it does not know.
func awaitRows(c ports.Compiled, kind ports.RoleKind) []string {
	var rows []string
	for _, f := range c.Dials("enrol", ports.Server, kind) {
		if f.Last <= f.Port && !slices.Contains(rows, f.Service) { // else a number that is leased first
			rows = append(rows, f.Service)
		}
	}
	return rows
}
