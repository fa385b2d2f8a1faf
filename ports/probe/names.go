package probe

import (
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// names compares the services file with the rows that the host offers or dials: two hosts that disagree about a name
// show only "connection refused".
func (c *check) names() {
	if c.obs.ServicesAt == "" {
		return
	}
	_, roles, err := c.ask.where(c.site)
	if err != nil {
		return
	}
	for _, cl := range c.site.Compiled.Claims {
		if cl.Name == "" || strings.ContainsAny(cl.Name, " \t#") || cl.Port == 0 || cl.Pool || cl.Status == ports.Inactive || cl.Status == ports.Foreign || !c.touches(roles, cl) {
			continue
		}
		c.name(Row{Claim: cl})
	}
}

// touches reports whether a role of the host is at one of the ends of a row.
func (c *check) touches(roles []string, cl ports.Claim) bool {
	if plays(c.site.Compiled, roles, cl.Listeners) {
		return true
	}
	for _, f := range c.site.Compiled.Flows {
		if f.Service == cl.Service && plays(c.site.Compiled, roles, []string{f.From}) {
			return true
		}
	}
	return false
}

func (c *check) name(row Row) {
	file := c.obs.Services
	if e, ok := file.Number(row.Name, row.Protocol); ok {
		if e.Port == row.Port {
			return
		}
		f := row.finding(ServicesFile, ports.Error, fmt.Sprintf("%s:%d gives %s the number %d, and the plan %d", c.obs.ServicesAt, e.Line, row.Name, e.Port, row.Port))
		f.Remedies = []string{
			fmt.Sprintf("change the line: %s %d/%s", row.Name, row.Port, row.Protocol),
			"or give Reeve's row that number on every host, " + c.written("services", fmt.Sprintf("{id: %s, port: %d}", row.Service, e.Port)),
		}
		c.found = append(c.found, f)
		return
	}
	if !row.Binds || row.RPC.Role == "portmapper" {
		return // the number is another program's by its nature, and so is its name
	}
	if e, ok := file.Name(row.Port, row.Protocol); ok && !e.Called(row.Name) && !strings.EqualFold(e.Name, row.SRVName) {
		f := row.finding(ServicesFile, ports.Warning, fmt.Sprintf("%s:%d calls the number %s, and the plan %s", c.obs.ServicesAt, e.Line, e.Name, row.Name))
		f.Remedies = []string{fmt.Sprintf("see whether this host uses %s: then one of the two needs another number", e.Name)}
		c.found = append(c.found, f)
	}
}

// unplanned reports what Reeve listens on without a row of this host.
func (c *check) unplanned() {
	for _, s := range c.obs.Sockets {
		port := ports.Port(s.Local.Port())
		if !s.Listens || !c.anyOurs(s) || c.planned(s.Protocol, port) {
			continue
		}
		if s.Protocol == ports.UDP && inside(port, c.obs.Ephemeral) {
			continue // the source of a question, as to a name server
		}
		f := Finding{
			Port: port, Protocol: s.Protocol, Address: s.Local.Addr().String(), State: Unplanned, Severity: ports.Error, Holder: c.obs.holder(s),
		}
		f.Note = "Reeve listens here (" + f.Holder.String() + "), and no row of this host has the number"
		f.Remedies = []string{"check the plan, the instance and the role that this process was started with, or add a row to the plan"}
		for _, cl := range c.site.Compiled.Claims {
			if (Row{Claim: cl}).has(s.Protocol, port) {
				f.Note += "; the row " + cl.Service + " has it (" + string(cl.Status) + "), for " + strings.Join(cl.Listeners, ", ")
				break
			}
		}
		c.found = append(c.found, f)
	}
}

func (c *check) anyOurs(s Socket) bool {
	for _, w := range s.Owners {
		if c.reeve(w) {
			return true
		}
	}
	return false
}

// planned reports whether a row of this host, or of another plan that Reeve may follow here, has a port.
func (c *check) planned(protocol ports.Protocol, port ports.Port) bool {
	for _, r := range c.rows {
		if r.has(protocol, port) {
			return true
		}
	}
	for _, also := range c.ask.Also {
		for _, cl := range also.Claims {
			if cl.Binds && (Row{Claim: cl}).has(protocol, port) {
				return true
			}
		}
	}
	return false
}
