package planfile

import (
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// Format writes a plan down, complete: what it extends is written out. Parse of the result gives the same plan, but
// for its places and the name of what it extended.
func Format(p ports.Plan) []byte {
	w := &writer{}
	w.line(0, "plan", p.Name)
	w.line(0, "description", p.Description)
	w.line(0, "instance", p.Instance)
	if len(p.Vars) > 0 {
		w.raw("vars:\n")
	}
	for _, v := range p.Vars {
		w.raw("  " + v.Name + ": {min: " + strconv.Itoa(v.Min) + ", max: " + strconv.Itoa(v.Max) + ", default: " + strconv.Itoa(v.Default) + "}\n")
	}
	if len(p.Roles) > 0 {
		w.raw("roles:\n")
	}
	for _, role := range p.Roles {
		w.raw("  " + quoted(role.ID) + ":\n")
		if w.line(4, "is", string(role.Is)); role.Is == ports.Unmanaged {
			w.raw("    managed: false\n")
		}
		w.line(4, "title", role.Title)
	}
	if len(p.Conditions) > 0 {
		w.raw("conditions:\n")
	}
	for _, c := range p.Conditions {
		w.raw("  " + quoted(c.ID) + ":\n")
		w.line(4, "text", c.Text)
	}
	if len(p.Services) > 0 {
		w.raw("services:\n")
	}
	for _, s := range p.Services {
		w.service(s)
	}
	if len(p.Local) > 0 {
		w.raw("local:\n")
	}
	for _, l := range p.Local {
		w.raw("  - id: " + quoted(l.ID) + "\n")
		w.line(4, "runs_on", l.RunsOn)
		w.line(4, "purpose", l.Purpose)
	}
	return []byte(w.b.String())
}

type writer struct{ b strings.Builder }

func (w *writer) raw(s string) { w.b.WriteString(s) }

// line writes a field that is not empty.
func (w *writer) line(indent int, key, value string) {
	if value != "" {
		w.raw(strings.Repeat(" ", indent) + key + ": " + quoted(value) + "\n")
	}
}

func (w *writer) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = quoted(v)
	}
	w.raw("    " + key + ": [" + strings.Join(all, ", ") + "]\n")
}

func (w *writer) service(s ports.Service) {
	w.raw("  - id: " + quoted(s.ID) + "\n")
	w.line(4, "function", s.Function)
	w.line(4, "name", s.Name)
	if port := string(s.Port); port != "" && strings.Trim(port, "0123456789") == "" {
		w.raw("    port: " + port + "\n") // a number stands bare
	} else {
		w.line(4, "port", port)
	}
	protocols := make([]string, len(s.Protocols))
	for i, p := range s.Protocols {
		protocols[i] = string(p)
	}
	w.list("protocol", protocols)
	if s.TLS {
		w.raw("    tls: true\n")
	}
	w.list("door", s.Doors)
	w.list("runs_on", s.RunsOn)
	if !s.Binds {
		w.raw("    binds: false\n")
	}
	w.line(4, "scope", string(s.Scope))
	w.line(4, "status", string(s.Status))
	if f := s.ServicesFile; f != (ports.ServicesFile{}) {
		w.raw("    services_file:\n")
		w.line(6, "windows", string(f.Windows))
		w.line(6, "unix", string(f.Unix))
	}
	w.line(4, "when", s.When)
	w.line(4, "origin", s.Origin)
	w.line(4, "was", s.Was)
	w.line(4, "note", s.Note)
	if len(s.Flows) > 0 {
		w.raw("    flows:\n")
	}
	for _, f := range s.Flows {
		w.flow(f)
	}
}

func (w *writer) flow(f ports.Flow) {
	fields := []string{"from: " + quoted(f.From), "to: " + quoted(f.To)}
	add := func(key, value string) {
		if value != "" {
			fields = append(fields, key+": "+quoted(value))
		}
	}
	add("purpose", f.Purpose)
	if len(f.Carries) > 0 {
		fields = append(fields, "carries: ["+strings.Join(f.Carries, ", ")+"]")
	}
	add("when", f.When)
	add("origin", f.Origin)
	add("note", f.Note)
	w.raw("      - {" + strings.Join(fields, ", ") + "}\n")
}

// quoted writes a value so that YAML reads it back as the same text: bare where no reader can take it for anything
// else, otherwise in double quotes.
func quoted(s string) string {
	if plainWord(s) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// plainWord reports whether s begins with a letter and holds only letters, digits, hyphens and single spaces, and is
// no word that a YAML reader gives another meaning.
func plainWord(s string) bool {
	switch strings.ToLower(s) {
	case "", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return strings.ContainsRune(letters, rune(s[0])) && strings.Trim(s, letters+"0123456789- ") == "" &&
		strings.TrimSpace(s) == s && !strings.Contains(s, "  ")
}
