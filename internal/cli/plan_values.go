package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/dialect"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// values lays the values of variables over those of the inventory: flag, environment, inventory, default. What a flag
// or the environment gives is checked here, because it is wrong use; what a document gives is the plan's to judge.
func (s *planSource) values(m *meantPlan) error {
	if m.plan.Instance == "" && s.given != nil && *s.given != 0 {
		return fault.New(fault.Invalid, fmt.Sprintf("the plan %s has no instances, but instance %d was asked for", m.plan.Name, *s.given), "leave the instance away")
	}
	flags, err := s.varFlags(m.plan)
	if err != nil {
		return err
	}
	for _, v := range m.plan.Vars {
		text, from := flags[v.Name], "--var "+v.Name
		switch {
		case v.Name == m.plan.Instance && s.given != nil && s.byFlag:
			if text != "" && text != strconv.Itoa(*s.given) {
				return fault.New(fault.Invalid, fmt.Sprintf("--instance is %d and --var %s is %s", *s.given, v.Name, text), "give one of the two")
			}
			text, from = strconv.Itoa(*s.given), "--instance"
		case v.Name == m.plan.Instance && s.given != nil && text == "":
			text, from = strconv.Itoa(*s.given), "REEVE_INSTANCE"
		case text == "" && v.Env != "":
			text, from = s.getenv(v.Env), v.Env
		}
		if text == "" {
			continue
		}
		n, err := varValue(v, text)
		if err != nil {
			return fault.New(fault.Invalid, fmt.Sprintf("%s is %q", from, text), err.Error())
		}
		m.inventory.Vars[v.Name] = n
	}
	m.instance = ports.DefaultInstance(m.plan, m.inventory)
	return nil
}

func (s *planSource) varFlags(p ports.Plan) (map[string]string, error) {
	given := map[string]string{}
	for _, text := range s.vars {
		name, value, err := assignment("var", text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(p.Vars, func(v ports.Var) bool { return v.Name == name }) {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("the plan %s has no variable %q", p.Name, name), "it has "+orNone(varNames(p)))
		}
		given[name] = value
	}
	return given, nil
}

func varNames(p ports.Plan) []string {
	names := make([]string, len(p.Vars))
	for i, v := range p.Vars {
		names[i] = v.Name
	}
	return names
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// varValue reads a value; the error says what would fit.
func varValue(v ports.Var, text string) (int, error) {
	if v.Type == ports.Bool {
		switch text {
		case "true", "1":
			return 1, nil
		case "false", "0":
			return 0, nil
		}
		return 0, errors.New("it is true or false")
	}
	n, err := strconv.Atoi(text)
	switch ranged := v.Min != 0 || v.Max != 0; {
	case err != nil && !ranged:
		return 0, errors.New("it is a number")
	case ranged && (err != nil || n < v.Min || n > v.Max):
		return 0, fmt.Errorf("it is a number from %d to %d", v.Min, v.Max)
	}
	return n, nil
}

// overrides collects the numbers that flags, the environment and the services file give to rows that let them.
func (s *planSource) overrides(p ports.Plan) ([]ports.Given, error) {
	var given []ports.Given
	for _, text := range s.sets {
		id, value, err := assignment("set", text)
		if err != nil {
			return nil, err
		}
		if !hasRow(p, id) {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("--set %s: the plan %s has no row %q", text, p.Name, id), "`reeve ports list` shows the ids")
		}
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("--set %s: %q is no port", text, value), "a port is a number from 1 to 65535")
		}
		given = append(given, ports.Given{Service: id, Port: ports.Port(port), By: ports.ByFlag, Key: "--set"})
	}
	var file *servicesFile
	if s.services != "" { // a file that was named must be there, also where no row asks for it
		var err error
		if file, err = s.servicesFile(); err != nil {
			return nil, err
		}
	}
	for _, row := range p.Services {
		switch row.Override.By {
		case ports.ByFlag: // read above
		case ports.ByEnvironment:
			value := s.getenv(row.Override.Key)
			if value == "" {
				continue
			}
			port, err := strconv.ParseUint(value, 10, 16)
			if err != nil || port == 0 {
				return nil, fault.New(fault.Invalid, fmt.Sprintf("%s is %q", row.Override.Key, value), "a port is a number from 1 to 65535")
			}
			given = append(given, ports.Given{Service: row.ID, Port: ports.Port(port), By: ports.ByEnvironment, Key: row.Override.Key})
		case ports.ByServicesFile:
			if file == nil {
				var err error
				if file, err = s.servicesFile(); err != nil {
					return nil, err
				}
			}
			g, err := file.find(row)
			if err != nil {
				return nil, err
			}
			given = append(given, g...)
		}
	}
	return given, nil
}

func hasRow(p ports.Plan, id string) bool {
	return slices.ContainsFunc(p.Services, func(s ports.Service) bool { return s.ID == id })
}

// servicesFile is a services file with what is wrong with it.
type servicesFile struct {
	path string
	text []byte
	dialect.ServicesFile
	found []ports.Diagnostic
}

// servicesFile reads the file that was named, which must be there, or this host's, which need not.
func (s *planSource) servicesFile() (*servicesFile, error) {
	path, named := s.services, s.services != ""
	if !named {
		path = servicesPath()
	}
	text, err := s.text(path)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return &servicesFile{}, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading the services file", err)
	}
	f := &servicesFile{path: path, text: text}
	f.ServicesFile, f.found = dialect.ParseServices(path, text)
	return f, nil
}

// find returns the number that the file has under the row's key, as the system's own look-up finds it: the first one.
// A line with that name that cannot be read is an error, because the row would silently keep the plan's number.
func (f *servicesFile) find(row ports.Service) ([]ports.Given, error) {
	for _, protocol := range row.Protocols {
		if e, ok := f.Number(row.Override.Key, protocol); ok {
			at := ports.Place{File: f.path, Line: e.Line, Column: 1}
			return []ports.Given{{Service: row.ID, Port: e.Port, By: ports.ByServicesFile, Key: row.Override.Key, At: at}}, nil
		}
	}
	var wrong fault.Mistakes
	for _, d := range f.found {
		if d.Severity == ports.Error && d.Line <= len(f.Lines) {
			if name := strings.Fields(f.Lines[d.Line-1].Text + " -")[0]; strings.EqualFold(name, row.Override.Key) {
				wrong = append(wrong, fault.Mistake{File: d.File, Line: d.Line, Column: d.Column, Message: d.Message + "; " + d.Suggestion, Excerpt: planfile.Excerpt(f.text, d.Place)})
			}
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return nil, nil
}
