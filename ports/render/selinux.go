package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// selinux renders a script that gives the plan's numbers port types, one for each role that listens, and declares the
// types in a module of its own. A number that has a label already is given the new one (-m), others are added (-a).
func selinux(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	labels := g.labels()
	if len(labels) == 0 {
		return nil, fmt.Errorf("%w: selinux: the plan has nothing that %s listens on", ErrEmpty, g.what)
	}
	s := g.newScript()
	if in.Undo {
		for _, l := range labels {
			s.say("semanage port -d -t %s -p %s %s 2>/dev/null || true", l.kind, l.protocol, span(l.first, l.last, "-"))
		}
		s.say("semodule -r %s 2>/dev/null || true", g.name)
		return s.bytes(), nil
	}
	var types []string
	for _, l := range labels {
		types = append(types, l.kind)
	}
	slices.Sort(types)
	module := ""
	for _, t := range slices.Compact(types) {
		module += fmt.Sprintf("(type %s)\n(roletype object_r %s)\n(typeattributeset port_type (%s))\n", t, t, t)
	}
	s.say(`dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT`)
	s.heredoc(fmt.Sprintf(`cat >"$dir/%s.cil"`, g.name), module)
	s.say(`semodule -i "$dir/%s.cil"`, g.name)
	s.say(`label() { semanage port -a -t "$1" -p "$2" "$3" 2>/dev/null || semanage port -m -t "$1" -p "$2" "$3"; }`)
	for _, l := range labels {
		s.say("label %s %s %s # %s", l.kind, l.protocol, span(l.first, l.last, "-"), oneLine(strings.Join(l.services, " ")))
	}
	return s.bytes(), nil
}

// portLabel is an interval with its type.
type portLabel struct {
	kind        string
	protocol    ports.Protocol
	first, last ports.Port
	services    []string
}

// labels gives each number that the host listens on one type: that of the first role that listens there.
func (g gate) labels() []portLabel {
	byType := map[string][]ports.Opening{}
	var kinds []string
	for _, cl := range g.held {
		if cl.Status != ports.Works {
			continue
		}
		role := "host"
		if len(cl.Listeners) > 0 {
			role = cl.Listeners[0]
		}
		kind := identifier(g.in.Site.Compiled) + "_" + word(role) + "_port_t"
		if _, ok := byType[kind]; !ok {
			kinds = append(kinds, kind)
		}
		byType[kind] = append(byType[kind], claimed([]ports.Claim{cl})...)
	}
	var out []portLabel
	for _, kind := range kinds {
		for _, c := range cells(byType[kind], sources, v4) {
			l := portLabel{kind: kind, protocol: c.protocol, first: c.first, last: c.last}
			for _, o := range c.flows {
				l.services = append(l.services, o.Service)
			}
			out = append(out, l)
		}
	}
	return out
}
