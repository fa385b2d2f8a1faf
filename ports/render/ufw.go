package render

import (
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ufw renders a script that writes application profiles, one for each function, and lets the planned networks use
// them. It only adds: what nobody lets in, ufw's default policy keeps out.
func ufw(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	if err := g.onlyIncoming("ufw"); err != nil {
		return nil, err
	}
	if len(g.ins) == 0 && len(g.closed) == 0 {
		return nil, g.empty("ufw")
	}
	if err := addresses("ufw", g.ins, sources); err != nil {
		return nil, err
	}
	s := g.newScript()
	s.say("# ufw does not cover the ports that Docker publishes: they pass by it.")
	s.say("# Another folder than ufw's own may be given.")
	s.say("file=${1-/etc/ufw/applications.d}/%s", g.name)
	groups := fwGroups(g.name, g.ins)
	allow, deny := "ufw allow", "ufw deny"
	if in.Undo {
		allow, deny = "ufw --force delete allow", "ufw --force delete deny"
	} else {
		profiles := "# " + oneLine(g.brand()) + "\n"
		for _, group := range groups {
			profiles += ufwProfile(group)
		}
		s.heredoc(`cat >"$file"`, profiles)
		for _, group := range groups {
			s.say("ufw app update %s", group.name)
		}
	}
	for _, b := range bundles(cells(claimed(g.closed), sources, v4)) {
		for _, r := range b.ranges {
			s.say("%s in proto %s to any port %s%s", deny, b.protocol, span(r.First, r.Last, ":"), g.ufwComment("for the host itself only"))
		}
	}
	for _, group := range groups {
		if group.anywhere {
			s.say("%s in from any to any app %s%s", allow, group.name, g.ufwComment(brief(group.open, 100)))
		}
		for _, f := range families() {
			for _, p := range group.nets[f] {
				s.say("%s in from %s to any app %s%s", allow, p, group.name, g.ufwComment(brief(group.open, 100)))
			}
		}
	}
	if in.Undo {
		s.say(`rm -f "$file"`)
	}
	return s.bytes(), g.omitted.err("ufw")
}

func (g gate) ufwComment(text string) string {
	if g.in.Undo {
		return ""
	}
	return " comment " + shellWord(text)
}

// ufwProfile writes a profile. Each of its parts is one multiport rule of 15 numbers at most.
func ufwProfile(group fwGroup) string {
	open := make([]ports.Opening, len(group.open))
	for i, o := range group.open {
		open[i] = o
		open[i].Sources = nil
	}
	var parts []string
	for _, b := range bundles(cells(open, sources, v4)) {
		for _, chunk := range chunks(b.ranges, iptPorts) {
			parts = append(parts, spans(chunk, ":", ",")+"/"+string(b.protocol))
		}
	}
	return fmt.Sprintf("\n[%s]\ntitle=%s\ndescription=%s\nports=%s\n",
		group.name, ascii(oneLine("Reeve "+group.function)), brief(group.open, 200), strings.Join(parts, "|"))
}
