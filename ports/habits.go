package ports

import (
	"fmt"
	"slices"
	"strings"
)

// checkHabits names what is odd about a plan that can be compiled.
func (c *compiler) checkHabits(out Compiled) {
	c.checkNames()
	c.checkStatements()
	c.checkOffsets()
	for i := range c.rows {
		r := &c.rows[i]
		c.checkNumbers(r)
		c.checkTarget(r)
		c.checkDirections(r)
		c.checkAlternates(r, out)
		if r.pool != nil {
			c.checkSize(r, out)
		}
	}
	c.checkEphemeral()
	c.checkKnown()
}

// checkNames reports names that differ in case only, and once those that a reader may take for others.
func (c *compiler) checkNames() {
	lower := map[string]string{}
	var capitals, odd []string
	for _, r := range c.plan.planRows() {
		if c.checkName(&r, &odd); r.Name == "" {
			continue
		}
		key := strings.ToLower(r.Name)
		other, ok := lower[key]
		if ok && other != r.Name {
			c.report(SameServiceName, Warning, r.At, "the service names "+quote(other)+" and "+quote(r.Name)+" differ in case only",
				"service names are compared without case (RFC 6335): rename one")
		}
		if key != r.Name && validName(r.Name) && r.ofPage() && !contains(capitals, r.Name) {
			capitals = append(capitals, r.Name)
		}
		lower[key] = r.Name
	}
	if len(odd) > 0 {
		c.report(BadServiceName, Note, c.plan.At, "service names that are not of RFC 6335, and have another in DNS: "+some(odd), nameForm)
	}
	if len(capitals) > 0 {
		c.report(SameServiceName, Note, c.plan.At, "service names with capital letters: "+some(capitals)+"; a look-up without case finds "+quote(strings.ToLower(capitals[0]))+" too",
			"service names are compared without case (RFC 6335): never give two rows names that differ in case only")
	}
}

const nameForm = "DNS SRV records need 1 to 15 letters, digits and single hyphens, with a letter"

// checkName reports a name that cannot stand in DNS. Those that have another name there are only collected.
func (c *compiler) checkName(r *row, odd *[]string) {
	name := plainName(r.Name)
	switch {
	case r.SRVName != "" && !validName(r.SRVName):
		c.report(BadServiceName, Warning, r.At, "the name for DNS "+quote(r.SRVName)+" of "+r.what()+" is not one of RFC 6335", nameForm)
	case name == "" || validName(name):
	case r.SRVName != "":
		*odd = append(*odd, quote(r.Name)+" ("+r.SRVName+")")
	default:
		c.report(BadServiceName, Warning, r.At, "the service name "+quote(r.Name)+" is not one of RFC 6335", nameForm+": give the row srv_name")
	}
}

// plainName is a name with a digit for each variable in braces.
func plainName(name string) string {
	for {
		before, after, open := strings.Cut(name, "{")
		_, rest, closed := strings.Cut(after, "}")
		if !open || !closed {
			return name
		}
		name = before + "0" + rest
	}
}

// checkStatements reports where the page contradicts itself, and which way the plan goes.
func (c *compiler) checkStatements() {
	for _, s := range c.plan.Notes {
		if len(s.Contradicts) > 0 {
			c.report(PageContradicts, Note, s.At, fmt.Sprintf("the page's statement %s (%s) contradicts %s; the plan reads: %s",
				s.Origin, s.Text, strings.Join(s.Contradicts, " and "), s.Reading), "if your site takes it the other way, change the row (extends)")
		}
	}
}

// checkTarget reports numbers below 1024: a target there is never to be reserved on this side, a listener needs rights
// and may find its number taken.
func (c *compiler) checkTarget(r *row) {
	const privileged, window = 1024, 512
	s := r.numbers[0][0]
	if s.First == 0 || s.First >= privileged || r.Status == Foreign {
		return
	}
	numbers := Range{s.First, min(s.Last, privileged-1)}
	switch {
	case !r.Binds && r.Origin != ours:
		c.report(TargetPort, Note, r.At, fmt.Sprintf("%s: %s is a number on the destination; nothing listens on it here", r.what(), numbers),
			"never reserve it on the hosts that dial it")
	case r.Binds && numbers.Last >= window:
		c.report(Privileged, Warning, r.At, fmt.Sprintf("%s: %s needs the right to bind below %d, and RPC programs take numbers from %d to %d at random (bindresvport)", r.what(), numbers, privileged, window, privileged-1),
			"reserve it, or start it before them")
	case r.Binds:
		c.report(Privileged, Warning, r.At, fmt.Sprintf("%s: %s needs the right to bind below %d", r.what(), numbers, privileged),
			"give the program CAP_NET_BIND_SERVICE or a socket that its starter has bound")
	}
}

// checkDirections reports that the server connects to the client: the client needs a rule for it, and address
// translation between them breaks it.
func (c *compiler) checkDirections(r *row) {
	var to []string
	for _, f := range r.Flows {
		kind := c.roles[f.To].Is
		if c.roles[f.From].Is == Server && (kind == Client || kind == Desk) && !contains(to, f.To) {
			to = append(to, f.To)
		}
	}
	if len(to) == 0 || !r.Binds || r.Scope == SameHost || r.Status != Works {
		return
	}
	c.report(ServerConnects, Note, r.At, fmt.Sprintf("%s: the server connects to %s, whose hosts must let it in", r.what(), strings.Join(to, ", ")),
		"where address translation stands between them it cannot work: use rendezvous, one port for all on the server")
}

// checkAlternates reports a choice that leaves nothing, or more than one.
func (c *compiler) checkAlternates(r *row, out Compiled) {
	if len(r.Alternates) == 0 {
		return
	}
	vars, holding := c.at(out.Instance), 0
	for _, a := range r.Alternates {
		if ok, _ := a.When.Eval(vars); ok {
			holding++
		}
	}
	switch {
	case holding == 0:
		c.report(AlternateChoice, Warning, r.At, r.what()+": none of its alternates is selected, so it is inactive", "give the variables of their guards another value")
	case holding > 1:
		c.report(AlternateChoice, Warning, r.At, fmt.Sprintf("%s: %d of its alternates are selected; the first is taken", r.what(), holding), "make their guards exclude each other")
	}
}

// some lists the first names, and says how many there are besides.
func some(names []string) string {
	const shown = 8
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return strings.Join(slices.Clone(names[:shown]), ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
}
