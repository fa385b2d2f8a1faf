package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/render"
)

// renderFlags are what a person says of a document, beside the plan.
type renderFlags struct {
	in                                render.Input
	lang, previous, expires, reserved string
	file                              string
}

func (a *app) portsRender() *cobra.Command {
	var plan *planFlags
	f := &renderFlags{}
	c := &cobra.Command{
		Use: "render TARGET [--host H | --role R] [--undo] [--lang L] [-f FILE]", Short: "write the plan as a table, a drawing, firewall rules, settings of a system or a change request",
		Long: "Write the plan in another form, on standard output or to a file.\n\nTargets:\n\n" + targetHelp() +
			"\nRules and settings are for one host of the inventory, or for one role of the plan. A plan with errors is not rendered.\n\n" + exitHelp,
		Args: cobra.ExactArgs(1), ValidArgs: targetNames(),
		RunE: func(c *cobra.Command, args []string) error {
			target, err := targetNamed(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("output") {
				return fault.New(fault.Invalid, "-o does not go with render", "the target is the form: see `reeve ports render --help`")
			}
			if f.in.Undo && !target.Undo {
				return fault.New(fault.Invalid, target.Name+" adds nothing that could be taken back", "leave --undo away")
			}
			if err := a.readRenderFlags(plan, f); err != nil {
				return err
			}
			return a.render(target, f)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.in.Host, "host", "", "one host of the inventory")
	fl.StringVar(&f.in.Role, "role", "", "one role of the plan, or server, agent, desk or client")
	fl.StringVar(&f.in.Service, "service", "", "one service of the plan: tables, drawings and change requests")
	fl.BoolVar(&f.in.Undo, "undo", false, "what takes back what the same command without --undo adds, and nothing else")
	fl.BoolVar(&f.in.All, "all", false, "services file: also what the plan adds on request only")
	fl.StringVar(&f.lang, "lang", "en", "language of headings and fixed words: en, de or ja")
	fl.StringVar(&f.previous, "previous", "", "change request: what was asked for last: its CSV, a plan, or what compile -o json printed")
	fl.StringVar(&f.in.Owner, "owner", "", "change request and rules: who answers for them; the plan's owner")
	fl.StringVar(&f.expires, "expires", "", "change request and rules: the day until which they are needed, YYYY-MM-DD")
	fl.StringVar(&f.in.OS, "os", "", "services file: linux or windows; the host's")
	fl.StringVar(&f.reserved, "reserved", "", "sysctl: what the host reserves already, as ip_local_reserved_ports has it")
	fl.StringVarP(&f.file, "file", "f", "", "write to this file, all of it or nothing")
	plan = a.planFlags(c)
	return c
}

// targetHelp lists the targets by kind.
func targetHelp() string {
	var b strings.Builder
	kind := ""
	for _, t := range render.Targets() {
		if t.Kind != kind {
			kind = t.Kind
			fmt.Fprintf(&b, "%s\n", kind)
		}
		fmt.Fprintf(&b, "  %-20s %s\n", t.Name, t.Title)
	}
	return b.String()
}

func targetNames() []string {
	var names []string
	for _, t := range render.Targets() {
		names = append(names, t.Name)
	}
	return names
}

func targetNamed(name string) (render.Target, error) {
	for _, t := range render.Targets() {
		if t.Name == name {
			return t, nil
		}
	}
	return render.Target{}, fault.New(fault.Invalid, fmt.Sprintf("there is no target %q", name), "it is "+strings.Join(targetNames(), ", "))
}

// readRenderFlags completes the input: the site, what was asked for last, and values that must be read.
func (a *app) readRenderFlags(plan *planFlags, f *renderFlags) error {
	if f.expires != "" {
		if _, err := time.Parse(time.DateOnly, f.expires); err != nil {
			return fault.New(fault.Invalid, fmt.Sprintf("--expires is %q", f.expires), "write a day as YYYY-MM-DD")
		}
	}
	if f.in.OS != "" && f.in.OS != "linux" && f.in.OS != "windows" {
		return fault.New(fault.Invalid, fmt.Sprintf("--os is %q", f.in.OS), "it is linux or windows")
	}
	f.in.Locale, f.in.Expiry = f.lang, f.expires
	for part := range strings.SplitSeq(strings.TrimSpace(f.reserved), ",") {
		if part == "" {
			continue
		}
		r, err := ports.ParseRange(part)
		if err != nil {
			return fault.New(fault.Invalid, fmt.Sprintf("--reserved: %q: %v", part, err), "write ports and ranges, separated by commas: 8080,9000-9010")
		}
		f.in.Reserved = append(f.in.Reserved, r)
	}
	site, found, err := plan.load()
	if err != nil {
		return err
	}
	if err := a.usable(plan, found); err != nil {
		return err
	}
	f.in.Site = site
	return a.readPrevious(plan, f)
}

const maxRequest = 64 << 20

// readPrevious reads what was asked for last: a change request as it was written, or a plan.
func (a *app) readPrevious(plan *planFlags, f *renderFlags) error {
	if f.previous == "" {
		return nil
	}
	if file, err := openFile(f.previous); err == nil {
		text, err := io.ReadAll(io.LimitReader(file, maxRequest))
		_ = file.Close() // only read
		if err != nil {
			return fault.Wrap(fault.Invalid, "reading "+f.previous, err)
		}
		if bytes.HasPrefix(text, []byte("change,")) {
			f.in.Asked, err = render.ReadRequest(text)
			return fault.Wrap(fault.Invalid, "reading the last change request "+f.previous, err)
		}
	}
	last, err := a.compiledOrPlan(plan, f.previous)
	f.in.Previous = &last
	return err
}

// render writes the document. What a target has no words for is left out of it, said, and a finding.
func (a *app) render(target render.Target, f *renderFlags) error {
	text, err := target.Render(f.in)
	var omitted *render.Omitted
	if err != nil && !errors.As(err, &omitted) {
		return renderFault(target.Name, err)
	}
	if f.file == "" {
		_, err = a.out.Write(text)
	} else {
		err = replaceFile(f.file, text)
	}
	if err == nil && omitted != nil {
		return fault.New(fault.Finding, omitted.Error(), "what is written is right as far as it goes, and names what is missing")
	}
	return err
}

// renderFault gives an error of a target its kind.
func renderFault(target string, err error) error {
	if errors.Is(err, render.ErrUnknown) {
		return fault.Wrap(fault.NotFound, "rendering "+target, err)
	}
	return fault.Wrap(fault.Invalid, "rendering "+target, err)
}

// replaceFile writes a file as a whole: a reader finds the old one or the new one. A link stays one.
func replaceFile(path string, text []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fault.New(fault.Invalid, path+" is no file that could be replaced", "leave -f away to write to standard output")
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fault.Wrap(fault.Disk, "writing "+path, err)
	}
	_, err = temp.Write(text)
	if chmod := temp.Chmod(modeOf(path)); err == nil {
		err = chmod
	}
	if sync := temp.Sync(); err == nil {
		err = sync
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // the error that matters is returned
		return fault.Wrap(fault.Disk, "writing "+path, err)
	}
	return nil
}

// modeOf is the mode of a file that is replaced, or of a new one.
func modeOf(path string) os.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}
