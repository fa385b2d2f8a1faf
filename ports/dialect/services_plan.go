package dialect

import (
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// Part turns a services file into a piece of a plan over the given one: a row of the plan that the file gives another
// number has it; a name that no row has becomes a foreign row, unless only known names are asked for. Protocols that
// no plan covers are left out. A row to which the file gives two numbers is reported: the first one is taken, as
// readers do, and which is meant must be said.
func (s ServicesFile) Part(file string, over ports.Compiled, known bool) (Part, []ports.Diagnostic) {
	f := &findings{file: file}
	rows := newRows(over)
	var services []any
	done := map[string]ServicesEntry{} // of each row of the plan, the line that names it
	given := map[string]bool{}         // ids of rows that the plan has, or that were made here
	for _, cl := range over.Claims {
		given[cl.Service] = true
	}
	for _, group := range groups(s.Entries()) {
		e := group[0]
		if cl, ok := rows.find(e.Name, e.Aliases...); ok {
			before, twice := done[cl.Service]
			switch {
			case twice && before.Port != e.Port:
				f.error(ports.BadLine, e.Line, 1, "the row "+cl.Service+" has the number "+e.number()+" here ("+clip(e.Name)+") and "+before.number()+" in line "+strconv.Itoa(before.Line), "keep one")
			case twice || cl.Pool:
			case cl.Port != e.Port:
				services = append(services, Document{{"id", cl.Service}, {"port", int(e.Port)}})
			}
			if !twice {
				done[cl.Service] = e
			}
			continue
		}
		if known {
			continue
		}
		row := Document{{"id", unusedID(e.Name, given)}, {"name", e.Name}, {"port", int(e.Port)}}
		var protocols []string
		for _, one := range group {
			protocols = append(protocols, string(one.Protocol))
		}
		row = append(row, Field{"protocol", list(protocols...)}, Field{"status", string(ports.Foreign)}, Field{"binds", false})
		if len(e.Aliases) > 0 {
			row = append(row, Field{"note", aliasNote + strings.Join(e.Aliases, " ")})
		}
		services = append(services, row)
	}
	return Part{Plan: planPart(over.Plan, Field{"services", services})}, f.all()
}

// aliasNote begins the note of a row that has other names in a services file.
const aliasNote = "also called "

// groups brings the lines of one name and number together: its transports are one row.
func groups(entries []ServicesEntry) [][]ServicesEntry {
	type key struct {
		name string
		port ports.Port
	}
	at := map[key]int{}
	var all [][]ServicesEntry
	for _, e := range entries {
		if e.Protocol != ports.TCP && e.Protocol != ports.UDP {
			continue
		}
		k := key{strings.ToLower(e.Name), e.Port}
		i, ok := at[k]
		if !ok {
			at[k] = len(all)
			all = append(all, []ServicesEntry{e})
			continue
		}
		twice := false
		for _, one := range all[i] {
			twice = twice || one.Protocol == e.Protocol
		}
		if !twice {
			all[i] = append(all[i], e)
		}
	}
	return all
}

// unusedID makes an id of a plan from a name: small letters, digits and hyphens, and different from all others.
func unusedID(name string, given map[string]bool) string {
	const longest = 56 // of 63, so that a number may follow
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= longest {
			break
		}
	}
	id := strings.Trim(b.String(), "-")
	if id == "" || id[0] >= '0' && id[0] <= '9' {
		id = strings.TrimSuffix("x-"+id, "-")
	}
	for n, base := 2, id; given[id]; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	given[id] = true
	return id
}

// ExportServices makes a services file of a plan: one line for each named row with a number, and for each transport.
// Inactive rows and pools are left out; nothing is written twice.
func ExportServices(c ports.Compiled) ServicesFile {
	var entries []ServicesEntry
	seen := map[string]bool{}
	for _, cl := range c.Claims {
		key := strings.ToLower(cl.Name) + " " + strconv.Itoa(int(cl.Port)) + "/" + string(cl.Protocol)
		if cl.Port == 0 || cl.Pool || cl.Status == ports.Inactive || seen[key] || !inServices(cl.Name) {
			continue
		}
		seen[key] = true
		e := ServicesEntry{Name: cl.Name, Port: cl.Port, Protocol: cl.Protocol, Comment: oneLine(cl.Function)}
		if aliases, ok := strings.CutPrefix(cl.Note, aliasNote); ok {
			e.Aliases = strings.Fields(aliases)
			for _, a := range e.Aliases {
				if !inServices(a) {
					e.Aliases = nil
					break
				}
			}
		}
		entries = append(entries, e)
	}
	return NewServices(entries)
}

// inServices reports whether a name can stand in a services file.
func inServices(name string) bool {
	return name != "" && !strings.Contains(name, "#") && serviceName(name)
}

// oneLine makes a text fit for the end of a line.
func oneLine(s string) string { return strings.Join(strings.Fields(clip(s)), " ") }
