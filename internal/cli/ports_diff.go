package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

func (a *app) portsDiff() *cobra.Command {
	var plan *planFlags
	c := &cobra.Command{
		Use: "diff [A] B", Short: "what changes from plan A to plan B, and which numbers B newly claims", Args: cobra.RangeArgs(1, 2),
		Long: "Compare two plans, each a built-in name, a file, or what `reeve ports compile -o json` printed. Without A it is the plan of --plan. " +
			"A number that only B claims is marked as breaking: what runs there today cannot run beside it. Exit code 0 without a difference, 1 with one.\n\n" + exitHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			var old ports.Compiled
			var err error
			if len(args) == 1 {
				old, err = a.compileFlags(plan)
			} else {
				old, err = a.compiledOrPlan(plan, args[0])
			}
			if err != nil {
				return err
			}
			fresh, err := a.compiledOrPlan(plan, args[len(args)-1])
			if err != nil {
				return err
			}
			d := ports.Diff(old, fresh)
			if err := a.print(d, func(w io.Writer) { printDiff(w, d) }); err != nil {
				return err
			}
			if !d.Empty() {
				return &exitError{1}
			}
			return nil
		},
	}
	plan = a.planFlags(c)
	return c
}

// compiledOrPlan returns a compiled plan that stands in a file as JSON, or compiles the plan of that name.
func (a *app) compiledOrPlan(f *planFlags, name string) (ports.Compiled, error) {
	if !slices.Contains(builtin.Names(), name) {
		if compiled, ok, err := readCompiled(name); ok || err != nil {
			return compiled, err
		}
	}
	named := *f
	named.named = name
	return a.compileFlags(&named)
}

// compileFlags compiles the plan of the flags, which must be good.
func (a *app) compileFlags(f *planFlags) (ports.Compiled, error) {
	site, found, err := f.load()
	if err == nil {
		err = a.usable(f, found)
	}
	return site.Compiled, err
}

const maxCompiled = 256 << 20 // a plan of ten thousand rows is some ten megabytes

// readCompiled reads what `ports compile -o json` prints, or the compiled plan in it alone. It returns false for a file
// that holds something else, or that is not there.
func readCompiled(path string) (ports.Compiled, bool, error) {
	f, err := openFile(path)
	if err != nil {
		return ports.Compiled{}, false, nil //nolint:nilerr // the plan's reader says what is wrong with it
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxCompiled))
	if err != nil || !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return ports.Compiled{}, false, nil //nolint:nilerr // as above
	}
	var whole compilation
	if err := json.Unmarshal(text, &whole); err != nil {
		return ports.Compiled{}, true, fault.Wrap(fault.Invalid, "reading the compiled plan "+path, err)
	}
	if whole.Compiled.Hash == "" {
		err = json.Unmarshal(text, &whole.Compiled)
	}
	if err == nil && whole.Compiled.Hash == "" {
		err = errors.New("it has no hash: print it with `reeve ports compile -o json`")
	}
	return whole.Compiled, true, fault.Wrap(fault.Invalid, "reading the compiled plan "+path, err)
}

func printDiff(w io.Writer, d ports.Difference) {
	if d.Empty() {
		fmt.Fprintf(w, "no difference: %s and %s\n", d.From, d.To)
		return
	}
	line(w, "CHANGE", "KIND", "ID", "FIELD", "OLD", "NEW")
	for _, c := range d.Changes {
		id := c.ID
		if c.Flow != "" {
			id += " " + c.Flow
		}
		if c.What != "changed" { // of what comes or goes, the number is enough; -o json has all
			before, after := portOf(c)
			line(w, c.What, c.Kind, id, "", before, after)
			continue
		}
		for _, f := range c.Fields {
			line(w, c.What, c.Kind, id, f.Name, f.Old, f.New)
		}
	}
	fmt.Fprintf(w, "\nfrom %s\nto   %s\n", d.From, d.To)
	if len(d.Claimed) > 0 {
		fmt.Fprint(w, "\nnewly claimed, BREAKING where something else uses the number:\n")
		claimed(w, d.Claimed)
	}
	if len(d.Freed) > 0 {
		fmt.Fprint(w, "\nno longer claimed:\n")
		claimed(w, d.Freed)
	}
}

func portOf(c ports.Change) (before, after string) {
	for _, f := range c.Fields {
		if f.Name == "port" {
			return f.Old, f.New
		}
	}
	return "", ""
}

func claimed(w io.Writer, list []ports.Claimed) {
	for _, one := range list {
		role := one.Role
		if role == "" {
			role = "any host"
		}
		line(w, one.Ports+"/"+string(one.Protocol), "on "+role, one.Service)
	}
}
