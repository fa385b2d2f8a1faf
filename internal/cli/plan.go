package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// planFlags say which plan is meant, on which site and with which values. They go with all of `reeve ports`.
type planFlags struct {
	command *cobra.Command
	named   string // goes before the plan of the flag, where a command takes plans as arguments
	alone   bool   // neither flags nor environment are about this plan, only its name is
	planSource
	instance int
}

// planFlags adds the flags to a command; load or read gives what they say, once the command runs.
func (a *app) planFlags(c *cobra.Command) *planFlags {
	f := &planFlags{command: c, planSource: planSource{getenv: os.Getenv}}
	fl := c.Flags()
	fl.StringVar(&f.plan, "plan", builtin.Default, "port plan: a built-in name or a file (REEVE_PLAN)")
	fl.StringVar(&f.inventory, "inventory", "", "inventory file: hosts, zones, switches, values (REEVE_INVENTORY)")
	fl.IntVar(&f.instance, "instance", 0, "instance of the plan (REEVE_INSTANCE)")
	fl.StringArrayVar(&f.sets, "set", nil, "ID=PORT: another number for a row; may be given several times")
	fl.StringArrayVar(&f.vars, "var", nil, "NAME=VALUE: the value of a variable of the plan; may be given several times")
	fl.StringVar(&f.services, "services", "", "services file for the rows that it may override (this host's)")
	return f
}

// load compiles the plan on its site. The findings are returned beside it: only a plan without errors among them is
// usable. The error is one of wrong use or of an invalid document.
func (f *planFlags) load() (ports.Site, []ports.Diagnostic, error) {
	meant, err := f.read()
	if err != nil {
		return ports.Site{}, nil, err
	}
	compiled, found := ports.Compile(meant.plan, meant.inventory, meant.instance)
	return ports.Site{Compiled: compiled, Inventory: meant.inventory}, found, nil
}

// enoughMemory is a soft limit: a site of ten thousand hosts is read and compiled within it. Without it the collector
// lets the garbage of reading grow as large as what is kept.
const enoughMemory = 160 << 20

// read returns the plan as written, for what is asked of the plan itself.
func (f *planFlags) read() (meantPlan, error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(enoughMemory)
	}
	if f.alone {
		f.plan = f.named
		return f.planSource.read()
	}
	f.byFlag = f.command.Flags().Changed("instance")
	for _, flag := range []string{"plan", "inventory", "instance"} {
		if err := env(f.command, flag, "REEVE_"+strings.ToUpper(flag)); err != nil {
			return meantPlan{}, err
		}
	}
	if f.command.Flags().Changed("instance") {
		f.given = &f.instance
	}
	if f.named != "" {
		f.plan = f.named
	}
	return f.planSource.read()
}

// planSource is a plan as a person names it: what to read, and the values that go before what is read.
type planSource struct {
	plan, inventory, services string
	given                     *int // the instance; nil: not given
	byFlag                    bool // the instance is a flag's, else the environment's
	sets, vars                []string
	getenv                    func(string) string
	texts                     map[string][]byte // what was read, by file, for excerpts
}

// meantPlan is what a planSource names.
type meantPlan struct {
	plan      ports.Plan
	inventory ports.Inventory
	instance  int
}

// read reads plan and inventory, and lays flags and environment over what they say.
func (s *planSource) read() (meantPlan, error) {
	s.texts = map[string][]byte{}
	m := meantPlan{}
	var err error
	if m.plan, err = builtin.Resolve(s.plan, s.open); err != nil {
		return m, invalidDocument("reading the port plan "+s.plan, err)
	}
	if s.inventory != "" {
		text, err := s.text(s.inventory)
		if err != nil {
			return m, fault.Wrap(fault.Invalid, "reading the inventory", err)
		}
		if m.inventory, err = planfile.ParseInventory(s.inventory, text); err != nil {
			return m, invalidDocument("reading the inventory "+s.inventory, err)
		}
	}
	if m.inventory.Vars == nil {
		m.inventory.Vars = map[string]int{}
	}
	if err := s.values(&m); err != nil {
		return m, err
	}
	over, err := s.overrides(m.plan)
	m.inventory.Overrides = append(m.inventory.Overrides, over...)
	return m, err
}

// maxText bounds what is read of a document: one byte more than the reader takes, so that it says what is wrong.
const maxText = 4<<20 + 1

func (s *planSource) text(path string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxText))
	if err == nil {
		s.texts[path] = text
	}
	return text, err
}

func (s *planSource) open(path string) (io.ReadCloser, error) {
	text, err := s.text(path)
	return io.NopCloser(bytes.NewReader(text)), err
}

// excerpt shows the place of a finding, as far as its text is known.
func (s *planSource) excerpt(at ports.Place) string {
	text, ok := s.texts[at.File]
	if !ok {
		text, ok = builtin.Source(at.File)
	}
	if !ok || at.Line == 0 {
		return ""
	}
	return planfile.Excerpt(text, at)
}

// invalidDocument makes the mistakes of a document those that the program prints on standard output.
func invalidDocument(doing string, err error) error {
	var mistakes planfile.Mistakes
	if !errors.As(err, &mistakes) {
		return fault.Wrap(fault.Invalid, doing, err)
	}
	out := make(fault.Mistakes, len(mistakes))
	for i, m := range mistakes {
		out[i] = fault.Mistake(m)
	}
	return out
}

// servicesPath is this system's services file.
func servicesPath() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("SystemRoot"), "System32", "drivers", "etc", "services")
	}
	return "/etc/services"
}

// assignment splits NAME=VALUE.
func assignment(flag, text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || value == "" {
		return "", "", fault.New(fault.Invalid, fmt.Sprintf("--%s is %q", flag, text), "write NAME=VALUE")
	}
	return name, value, nil
}
