package ports

import "fmt"

// readOverrides keeps, for each row, the number that goes before the plan's: a flag's before the environment's, that
// before the services file's, and of one source the first. Only a row that lets that source override it takes it.
func (c *compiler) readOverrides() {
	rows := map[string]Service{}
	for _, r := range c.plan.planRows() {
		if r.pool == nil {
			rows[r.ID] = r.Service
		}
	}
	for _, g := range c.inv.Overrides {
		s, ok := rows[g.Service]
		if !ok {
			c.report(UnknownService, Error, g.At, fmt.Sprintf("%s gives the port %d to %s, which is no service of the plan", g.source(), g.Port, quote(g.Service)), "name a service by its id")
			continue
		}
		if s.Override.By != g.By {
			c.refuse(s, g)
			continue
		}
		if ok := s.Override.Range; g.Port < 1 || ok != (Range{}) && (g.Port < ok.First || g.Port > ok.Last) {
			c.report(BadPort, Error, g.At, fmt.Sprintf("%s gives the port %d to service %s, which is outside %s", g.source(), g.Port, s.ID, s.Override.interval()), "choose a number of this range")
			continue
		}
		if _, taken := c.given[g.Service]; !taken {
			c.given[g.Service] = g
		}
	}
}

// refuse reports an override that the row does not let happen. Many lines of a services file are about rows that
// nobody may change: they are remarks.
func (c *compiler) refuse(s Service, g Given) {
	sev, fix := Error, "change the plan itself (extends), or give the row override"
	if s.Override.By != "" {
		fix = "this row takes it from " + Given{By: s.Override.By, Key: s.Override.Key}.source()
	}
	if g.By == ByServicesFile {
		sev = Warning
	}
	c.report(NotOverridable, sev, g.At, fmt.Sprintf("%s gives the port %d to service %s, which does not take it from there", g.source(), g.Port, s.ID), fix)
}

// source names what gave a number.
func (g Given) source() string {
	switch g.By {
	case ByFlag:
		return "the flag " + g.Key
	case ByEnvironment:
		return "the environment variable " + g.Key
	case ByServicesFile:
		return "the services file's name " + g.Key
	}
	return "an unknown source"
}

func (o Override) interval() string {
	if o.Range == (Range{}) {
		return "1-65535"
	}
	return o.Range.String()
}
