package dialect

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// classOrigin begins the origin of a note that keeps a process class.
const classOrigin = "process_class"

// ClassesPart turns process classes into pieces over the given plan: each remote host becomes an agent of an inventory,
// with its number for the row that is dialled, and the pool of callbacks is made large enough for all classes at once.
// What has no field of a plan, as select and heartbeats, stands in notes, from which ClassesOf reads it again. row is the id of the dialled row, pool that of the callbacks.
func ClassesPart(classes []ProcessClass, over ports.Compiled, row, pool string) Part {
	agent := "agent"
	var planned ports.Port
	for _, cl := range over.Claims {
		if cl.Service != row {
			continue
		}
		planned = cl.Port
		for _, l := range cl.Listeners {
			if over.Kinds[l] == ports.Agent {
				agent = l
			}
		}
	}
	var hosts Document
	machines := map[string]string{} // of each host and port, the name
	parallel := 0
	var notes []any
	for _, c := range classes {
		if len(c.Remotes) > 0 {
			parallel += c.processes()
		}
		var names []string
		for _, s := range c.Remotes {
			end := strings.ToLower(s.Host) + " " + strconv.Itoa(int(s.Port))
			if machines[end] != "" {
				names = append(names, machines[end])
				continue
			}
			name := hostID(s.Host)
			machine := ""
			for n := 2; slices.ContainsFunc(hosts, func(f Field) bool { return strings.EqualFold(f.Key, name) }); n++ {
				machine, name = hostID(s.Host), hostID(s.Host)+"-"+strconv.Itoa(n)
			}
			machines[end] = name
			names = append(names, name)
			host := Document{{"roles", list(agent)}}.with("machine", machine).with("advertise", list(s.Host))
			if s.Port != planned {
				host = append(host, Field{"services", Document{{row, Document{{"port", int(s.Port)}}}}})
			}
			hosts = append(hosts, Field{name, host})
		}
		notes = append(notes, Document{{"origin", strings.TrimSpace(classOrigin + " " + c.Name)}, {"text", c.xml("", "")}}.with("reading", c.selection(names)))
	}
	var pools []any
	if parallel > 0 && slices.ContainsFunc(over.Pools, func(p ports.ResolvedPool) bool { return p.ID == pool }) {
		pools = list(Document{{"id", pool}, {"capacity", Document{{"parallel", parallel}}}})
	}
	return Part{
		Plan:      planPart(over.Plan, Field{"pools", pools}, Field{"notes", notes}),
		Inventory: inventoryPart(Field{"hosts", hosts}),
	}
}

// selection is what a job of the class has in a net, by the names of its agents; empty for a class without a remote host.
func (c ProcessClass) selection(names []string) string {
	var once []string
	for _, n := range names {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	switch {
	case len(once) == 0:
		return ""
	case len(once) == 1:
		return "in a net: agent: {name: " + once[0] + "}"
	case c.Select == "next":
		return "in a net: agent: {names: [" + strings.Join(once, ", ") + "], select: next}"
	}
	return "in a net: agent: {names: [" + strings.Join(once, ", ") + "]}"
}

// processes is how many tasks a class runs at once.
func (c ProcessClass) processes() int {
	if c.MaxProcesses == 0 {
		return defaultProcesses
	}
	return c.MaxProcesses
}

// hostID is the name of a host in an inventory: IPv6 addresses cannot be one.
func hostID(host string) string {
	if !strings.Contains(host, ":") {
		return host
	}
	return "host-" + strings.Trim(strings.NewReplacer(":", "-", "%", "-", ".", "-").Replace(host), "-")
}

// fields are the attributes of a class, in the order in which they are written.
func (c ProcessClass) fields() []string {
	var all []string
	if c.Name != "" {
		all = append(all, field("name", c.Name))
	}
	if c.MaxProcesses != 0 {
		all = append(all, field("max_processes", strconv.Itoa(c.MaxProcesses)))
	}
	if c.Timeout != 0 {
		all = append(all, field("timeout", strconv.Itoa(c.Timeout)))
	}
	if !c.Listed && len(c.Remotes) == 1 {
		all = append(all, field("remote_scheduler", c.Remotes[0].Address))
	}
	return append(all, others(c.Other)...)
}

func (s RemoteScheduler) fields() []string {
	all := []string{field("remote_scheduler", s.Address)}
	if s.Patience != 0 {
		all = append(all, field("http_heartbeat_timeout", strconv.Itoa(s.Patience)))
	}
	if s.Heartbeat != 0 {
		all = append(all, field("http_heartbeat_period", strconv.Itoa(s.Heartbeat)))
	}
	return append(all, others(s.Other)...)
}

func others(values []OtherValue) []string {
	var all []string
	for _, v := range values {
		all = append(all, field(v.Name, v.Value))
	}
	return all
}

// field writes an attribute.
func field(name, value string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(value)) // a builder takes everything
	return name + `="` + b.String() + `"`
}

// xml writes a class, with an indentation and an end for each line.
func (c ProcessClass) xml(indent, end string) string {
	head := indent + strings.TrimSpace("<process_class "+strings.Join(c.fields(), " "))
	if !c.Listed {
		return head + "/>" + end
	}
	var b strings.Builder
	step := strings.Repeat(" ", len(indent))
	b.WriteString(head + ">" + end + indent + step + "<remote_schedulers")
	if c.Select != "" {
		b.WriteString(" " + field("select", c.Select))
	}
	b.WriteString(">" + end)
	for _, s := range c.Remotes {
		b.WriteString(indent + step + step + "<remote_scheduler " + strings.Join(s.fields(), " ") + "/>" + end)
	}
	b.WriteString(indent + step + "</remote_schedulers>" + end + indent + "</process_class>" + end)
	return b.String()
}

// FormatProcessClasses writes process classes as XML. What is written and read is the same classes.
func FormatProcessClasses(classes []ProcessClass) []byte {
	var b strings.Builder
	b.WriteString("<process_classes>\n")
	for _, c := range classes {
		b.WriteString(c.xml("  ", "\n"))
	}
	b.WriteString("</process_classes>\n")
	return []byte(b.String())
}

// ClassesOf reads process classes from where ClassesPart has put them: the notes of a plan. Where a plan has none, each
// agent of the inventory is a class of its own.
func ClassesOf(notes []ports.Statement, site ports.Site, row string) []ProcessClass {
	var classes []ProcessClass
	for _, n := range notes {
		if n.Origin == classOrigin || strings.HasPrefix(n.Origin, classOrigin+" ") {
			of, wrong := ParseProcessClasses("", []byte(n.Text))
			if !ports.HasErrors(wrong) { // else it is a note of another's
				classes = append(classes, of...)
			}
		}
	}
	if len(classes) > 0 {
		return classes
	}
	cl, ok := site.Compiled.Service(row)
	if !ok {
		return nil
	}
	for _, h := range site.Inventory.Hosts {
		if !slices.ContainsFunc(h.Roles, func(r string) bool {
			return site.Compiled.Kinds[r] == ports.Agent && slices.Contains(cl.Listeners, r) || r == string(ports.Agent)
		}) {
			continue
		}
		port, host := cl.Port, h.Name
		if len(h.Advertise) > 0 {
			host = h.Advertise[0]
		}
		for _, s := range h.Services {
			if s.Service == row && s.Port != 0 {
				port = s.Port
			}
		}
		if strings.Count(host, ":") != 1 { // else it names its own port
			if strings.Contains(host, ":") {
				host = "[" + strings.Trim(host, "[]") + "]"
			}
			host = fmt.Sprintf("%s:%d", host, port)
		}
		classes = append(classes, ProcessClass{Name: h.Name, Remotes: []RemoteScheduler{{Address: host}}})
	}
	return classes
}
