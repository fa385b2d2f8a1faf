package render

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ServiceLine is a line of a services file.
type ServiceLine struct {
	Service  string         `json:"service"` // the plan's id
	Name     string         `json:"name"`
	Port     ports.Port     `json:"port"`
	Protocol ports.Protocol `json:"protocol"`
	Aliases  []string       `json:"aliases,omitempty"`
	Why      string         `json:"why,omitempty"`
}

// String writes the line as it stands in the file, without its end.
func (l ServiceLine) String() string {
	names := append([]string{fmt.Sprintf("%d/%s", l.Port, l.Protocol)}, l.Aliases...)
	return strings.TrimRight(fmt.Sprintf("%-16s %-24s # %s", l.Name, strings.Join(names, " "), l.Why), " #")
}

// servicesFile renders the block that the plan adds to a services file: what it adds by itself, with Input.All also
// what it adds on request. See EditServices for a file that exists.
func servicesFile(in Input) ([]byte, error) {
	if in.Undo {
		return nil, fmt.Errorf("%w: services-file: a block is taken back where it stands: reeve ports install --undo", ErrUnsupported)
	}
	lines, err := in.serviceLines()
	if len(lines) == 0 {
		if err != nil && !errors.As(err, new(*Omitted)) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: services-file: the plan adds no line to a services file of %s by itself; what it has is added on request (--all)", ErrEmpty, in.system())
	}
	end := "\n"
	if in.system() == "windows" {
		end = "\r\n"
	}
	return []byte(in.serviceBlock(lines, false, end)), err
}

// system is the operating system of the services file: linux stands for all but windows.
func (in Input) system() string {
	h, _ := in.Site.Host(in.Host)
	if cmp.Or(in.OS, h.OS) == "windows" {
		return "windows"
	}
	return "linux"
}

// serviceLines are the lines for the input's host or role, or for all; in the plan's order.
func (in Input) serviceLines() ([]ServiceLine, error) {
	if err := in.known(); err != nil {
		return nil, err
	}
	var out []ServiceLine
	var missing Omitted
	seen := map[string]ports.Port{}
	for _, cl := range in.ofHost(in.Site.Compiled.Claims) {
		if !in.wants(cl) {
			continue
		}
		l := ServiceLine{Service: cl.Service, Name: cl.Name, Port: cl.Port, Protocol: cl.Protocol, Why: oneLine(cl.Service + " " + cl.Function)}
		switch {
		case serviceWord(cl.Name) && serviceWord(cl.SRVName) && !strings.EqualFold(cl.Name, cl.SRVName):
			l.Aliases = []string{cl.SRVName}
		case !serviceWord(cl.Name) && serviceWord(cl.SRVName):
			l.Name = cl.SRVName
		case !serviceWord(cl.Name):
			missing.Flows = append(missing.Flows, fmt.Sprintf("%s: the name %q, which is not one word: give the row srv_name", cl.Service, cl.Name))
			continue
		}
		key := strings.ToLower(l.Name) + "/" + string(l.Protocol)
		if port, ok := seen[key]; ok {
			if port != l.Port {
				missing.Flows = append(missing.Flows, fmt.Sprintf("%s: the name %s with a second number, %d", cl.Service, l.Name, l.Port))
			}
			continue
		}
		seen[key] = l.Port
		out = append(out, l)
	}
	return out, missing.err("services-file")
}

// ofHost gives the claims of the input's host their numbers there. Rows that the host only dials are among them: a
// program looks their names up as well.
func (in Input) ofHost(claims []ports.Claim) []ports.Claim {
	if in.Host == "" {
		return in.ofRole(claims)
	}
	h, _ := in.Site.Host(in.Host)
	out := append([]ports.Claim{}, claims...)
	for i, cl := range out {
		for _, hs := range h.Services {
			if hs.Service == cl.Service && hs.Port != 0 && !cl.Pool {
				out[i].Port, out[i].Last = hs.Port, 0
			}
		}
	}
	return out
}

// wants reports whether the row gets a line. A name is entered whether or not its condition holds today: that is what
// the page calls automatic. The alternate that is not chosen has no line, nor has a neighbour's row or a range.
func (in Input) wants(cl ports.Claim) bool {
	if cl.Port == 0 || cl.Pool || cl.Pair != "" || cl.Name == "" || cl.Status == ports.Foreign || cl.Status == ports.Inactive && cl.When == "" {
		return false
	}
	way := cl.ServicesFile.Unix
	if in.system() == "windows" {
		way = cl.ServicesFile.Windows
	}
	return way == ports.Auto || in.All && (way == ports.Manual || cl.Binds)
}

// serviceWord reports whether a services file can hold the name.
func serviceWord(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '#' || r >= 0x7f })
}

const newlineAdded = "; the line before had no end"

// serviceBlock writes lines between marks by which they are found again.
func (in Input) serviceBlock(lines []ServiceLine, joined bool, end string) string {
	c := in.Site.Compiled
	note := ""
	if joined {
		note = newlineAdded
	}
	text := fmt.Sprintf("# BEGIN %s: plan %s, instance %d, hash %s%s", identifier(c), oneLine(c.Plan), c.Instance, cut(c.Hash, 16), note) + end
	for _, l := range lines {
		text += l.String() + end
	}
	return text + "# END " + identifier(c) + end
}
