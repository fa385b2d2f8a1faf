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
		case v.Name == m.plan.Instance && s.given != nil:
			if text != "" && text != strconv.Itoa(*s.given) {
				return fault.New(fault.Invalid, fmt.Sprintf("--instance is %d and --var %s is %s", *s.given, v.Name, text), "give one of the two")
			}
			text, from = strconv.Itoa(*s.given), "--instance"
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
	m.instance = instanceOf(*m)
	return nil
}

// instanceOf returns the value of the plan's instance variable.
func instanceOf(m meantPlan) int {
	if n, ok := m.inventory.Vars[m.plan.Instance]; ok {
		return n
	}
	for _, v := range m.plan.Vars {
		if v.Name == m.plan.Instance {
			return v.Default
		}
	}
	return 0
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
	if err != nil || n < v.Min || n > v.Max {
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
	var lines *servicesLines
	if s.services != "" { // a file that was named must be there, also where no row asks for it
		var err error
		if lines, err = s.servicesFile(); err != nil {
			return nil, err
		}
	}
	for _, row := range p.Services {
		switch row.Override.By {
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
			if lines == nil {
				var err error
				if lines, err = s.servicesFile(); err != nil {
					return nil, err
				}
			}
			if g, ok := lines.find(row); ok {
				given = append(given, g)
			}
		}
	}
	return given, nil
}

func hasRow(p ports.Plan, id string) bool {
	return slices.ContainsFunc(p.Services, func(s ports.Service) bool { return s.ID == id })
}

// servicesLines are the entries of a services file, in its order.
type servicesLines struct {
	file  string
	lines []string
}

// servicesFile reads the file that was named, which must be there, or this host's, which need not.
func (s *planSource) servicesFile() (*servicesLines, error) {
	path, named := s.services, s.services != ""
	if !named {
		path = servicesPath()
	}
	text, err := s.text(path)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return &servicesLines{}, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading the services file", err)
	}
	return &servicesLines{file: path, lines: strings.Split(string(text), "\n")}, nil
}

// find returns the first line that names the row's key over one of its transports, as the system's own look-up does.
func (l *servicesLines) find(row ports.Service) (ports.Given, bool) {
	for i, text := range l.lines {
		text, _, _ = strings.Cut(text, "#")
		fields := strings.Fields(text)
		if len(fields) < 2 || fields[0] != row.Override.Key && !slices.Contains(fields[2:], row.Override.Key) {
			continue
		}
		number, protocol, _ := strings.Cut(fields[1], "/")
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil || port == 0 || !slices.Contains(row.Protocols, ports.Protocol(protocol)) {
			continue
		}
		at := ports.Place{File: l.file, Line: i + 1, Column: 1}
		return ports.Given{Service: row.ID, Port: ports.Port(port), By: ports.ByServicesFile, Key: row.Override.Key, At: at}, true
	}
	return ports.Given{}, false
}
