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

// portsCommand has one line a verb; each verb is a file of its own, ports_VERB.go.
func (a *app) portsCommand() *cobra.Command {
	c := &cobra.Command{Use: "ports", Short: "the port plan; needs neither a server nor a data folder"}
	c.AddCommand(a.portsList())
	c.AddCommand(a.portsCheck())
	c.AddCommand(a.portsImport())
	c.AddCommand(a.portsExport())
	c.AddCommand(a.portsCompile())
	c.AddCommand(a.portsDiff())
	c.AddCommand(a.portsSize())
	c.AddCommand(a.portsWhy())
	c.AddCommand(a.portsMatrix())
	c.AddCommand(a.portsCodes())
	c.AddCommand(a.portsRender())
	c.AddCommand(a.portsVerify())
	c.AddCommand(a.portsInstall())
	c.AddCommand(a.portsProbe())
	c.AddCommand(a.portsLease(), a.portsRelease(), a.portsLeases(), a.portsRepair(), a.portsHand())
	return c
}

// outputs is the annotation of a command that prints in more forms than table, json and yaml: their names, with spaces.
const outputs = "outputs"

// prints lets a command print in these forms too.
func prints(c *cobra.Command, forms ...string) *cobra.Command {
	c.Annotations = map[string]string{outputs: strings.Join(forms, " ")}
	return c
}

// checkOutput refuses a form that the command does not print in.
func (a *app) checkOutput(c *cobra.Command) error {
	forms := append([]string{"table", "json", "yaml"}, strings.Fields(c.Annotations[outputs])...)
	if slices.Contains(forms, a.output) {
		return nil
	}
	last := len(forms) - 1
	return fault.New(fault.Invalid, fmt.Sprintf("-o is %q", a.output), "it is "+strings.Join(forms[:last], ", ")+" or "+forms[last])
}

// findings prints the findings about a plan, each with the lines that it is about.
func (f *planFlags) findings(w io.Writer, found []ports.Diagnostic) {
	for _, d := range found {
		fmt.Fprintln(w, printable(d.String()))
		if excerpt := f.excerpt(d.Place); excerpt != "" {
			fmt.Fprintln(w, excerpt)
		}
	}
}

// verdict ends the program with 1 where a finding makes the plan unusable.
func verdict(found []ports.Diagnostic) error {
	if ports.HasErrors(found) {
		return &exitError{1}
	}
	return nil
}

// usable prints the errors among the findings to standard error, and returns the verdict: for commands that answer
// from what could be compiled.
func (a *app) usable(f *planFlags, found []ports.Diagnostic) error {
	f.findings(a.errs, slices.DeleteFunc(slices.Clone(found), func(d ports.Diagnostic) bool { return d.Severity != ports.Error }))
	return verdict(found)
}
