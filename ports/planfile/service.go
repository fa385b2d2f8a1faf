package planfile

import (
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

// services reads services over those of the base: an entry with a known id changes that one, all others are added.
func (r *reader) services(n ast.Node, to *[]ports.Service) {
	seen := map[string]bool{}
	for _, item := range r.items(n, "services") {
		id, at := r.idOf(item, "a service")
		if id == "" {
			continue
		}
		if seen[id] {
			r.add(at, "the service %q stands twice in this file", id)
			continue
		}
		seen[id] = true
		s := upsert(to, func(x ports.Service) bool { return x.ID == id },
			ports.Service{ID: id, Binds: true, Scope: ports.External, Status: ports.Works})
		s.At = at
		r.service(item, s)
	}
}

func (r *reader) service(n ast.Node, s *ports.Service) {
	r.fields(n, "a service", []field{
		{"id", func(ast.Node) {}},
		{"function", r.text(&s.Function, "function")},
		{"name", r.text(&s.Name, "name")},
		{"port", func(n ast.Node) { r.formula(n, &s.Port) }},
		{"protocol", listOf(r, &s.Protocols, "protocol", ports.TCP, ports.UDP)},
		{"tls", r.flag(&s.TLS, "tls")},
		{"door", listOf(r, &s.Doors, "door", ports.Doors()...)},
		{"runs_on", r.ids(&s.RunsOn, "runs_on")},
		{"binds", r.flag(&s.Binds, "binds")},
		{"scope", oneOf(r, &s.Scope, "scope", ports.External, ports.SameHost, ports.Remote)},
		{"status", oneOf(r, &s.Status, "status", ports.Works, ports.Reserved, ports.Foreign, ports.Inactive)},
		{"services_file", func(n ast.Node) { r.servicesFile(n, &s.ServicesFile) }},
		{"when", r.id(&s.When, "when")},
		{"origin", r.text(&s.Origin, "origin")},
		{"was", r.textOrNumber(&s.Was, "was")},
		{"note", r.text(&s.Note, "note")},
		{"flows", func(n ast.Node) { s.Flows = r.flows(n) }},
	})
}

func (r *reader) servicesFile(n ast.Node, to *ports.ServicesFile) {
	r.fields(n, "services_file", []field{
		{"windows", oneOf(r, &to.Windows, "windows", ports.Auto, ports.Manual)},
		{"unix", oneOf(r, &to.Unix, "unix", ports.Auto, ports.Manual)},
	})
}

// formula reads a port. Which variables it may use is known only when the whole plan is; here its form is checked.
func (r *reader) formula(n ast.Node, to *ports.Formula) {
	var s string
	before := len(r.found)
	r.textOrNumber(&s, "port")(n)
	if len(r.found) > before {
		return
	}
	f := ports.Formula(strings.TrimSpace(s))
	if f == "" {
		r.add(r.place(n), "port must be a number, a formula such as 9000 + instance, or unassigned")
		return
	}
	if err := f.Check(func(string) bool { return true }); err != nil {
		r.add(r.place(n), "port %q: %v", s, err)
		return
	}
	*to = f
}

func (r *reader) flows(n ast.Node) []ports.Flow {
	items := r.items(n, "flows")
	flows := make([]ports.Flow, 0, len(items))
	for _, item := range items {
		f := ports.Flow{At: r.place(item)}
		given := r.fields(item, "a flow", []field{
			{"from", r.id(&f.From, "from")},
			{"to", r.id(&f.To, "to")},
			{"purpose", r.text(&f.Purpose, "purpose")},
			{"carries", listOf(r, &f.Carries, "carries", ports.Carriers()...)},
			{"when", r.id(&f.When, "when")},
			{"origin", r.text(&f.Origin, "origin")},
			{"note", r.text(&f.Note, "note")},
		})
		if isMapping(item) && (!given["from"] || !given["to"]) {
			r.add(f.At, "a flow needs from and to")
		}
		flows = append(flows, f)
	}
	return emptyAsNil(flows)
}
