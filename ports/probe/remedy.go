package probe

import (
	"fmt"
	"path"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// moveOther is the first remedy of SW-1: the other product gives way.
func (c *check) moveOther(row Row, port ports.Port, h *Holder) string {
	who := "the other program"
	if h.Program != nil {
		who = *h.Program
	}
	return fmt.Sprintf("give %s another port than %d/%s, and start it again", who, port, row.Protocol)
}

// another is the second remedy of SW-1: Reeve gives way, and how that is written.
func (c *check) another(row Row) string {
	if row.leased() {
		return "give Reeve's pool other numbers, " + c.written("pools", fmt.Sprintf("{id: %s, range: FIRST-LAST}", row.pool()))
	}
	p := c.unused(row)
	if p == 0 {
		return "give Reeve's row another number, " + c.written("services", fmt.Sprintf("{id: %s, port: PORT}", row.Service))
	}
	return "give Reeve's row another number, " + c.written("services", fmt.Sprintf("{id: %s, port: %d}", row.Service, p))
}

// written is where an entry of a plan goes: into the site's own file, or into one that extends the built-in plan.
func (c *check) written(list, entry string) string {
	if c.ask.File != "" {
		return fmt.Sprintf("in %s: %s: [%s]", c.ask.File, list, entry)
	}
	return fmt.Sprintf("in a plan of your own: {plan: site, extends: %s, %s: [%s]}", c.site.Compiled.Plan, list, entry)
}

// around is the second remedy for one number of a pool: the pool goes without it.
func (c *check) around(row Row, port ports.Port) string {
	if row.Pair != "" {
		return c.another(row)
	}
	var all []ports.Range
	for _, r := range c.rows {
		if r.Service == row.Service && r.Protocol == row.Protocol {
			all = append(all, r.Range())
		}
	}
	rest := without(union(all), []ports.Range{{First: port, Last: port}})
	parts := make([]string, len(rest))
	for i, r := range rest {
		parts[i] = `"` + formatRange(r) + `"`
	}
	return "let Reeve's pool go without it, " + c.written("pools", fmt.Sprintf("{id: %s, range: [%s]}", row.Service, strings.Join(parts, ", ")))
}

// unused proposes a number that nobody has: the row's own and ten thousand, as people do it, or the next below the
// ephemeral range.
func (c *check) unused(row Row) ports.Port {
	const step = 10000
	good := func(p int) bool {
		if p < 1024 || p > 65535 || inside(ports.Port(p), c.ephemeral) {
			return false
		}
		for _, r := range c.rows {
			if first := r.Range(); first.First <= ports.Port(p) && ports.Port(p) <= first.Last {
				return false
			}
		}
		for _, protocol := range []ports.Protocol{ports.TCP, ports.UDP} {
			if _, named := c.obs.Services.Name(ports.Port(p), protocol); named || len(c.on(protocol, ports.Port(p))) > 0 {
				return false
			}
		}
		return true
	}
	for p := int(row.Port) + step; p < int(row.Port)+step+100; p++ {
		if good(p) {
			return ports.Port(p)
		}
	}
	for p := 32767; p > 1024; p-- {
		if good(p) {
			return ports.Port(p)
		}
	}
	return 0
}

// reeveName reports whether a program has the name of Reeve's own.
func (c *check) reeveName(name string) bool {
	for _, p := range c.ask.Own.Programs {
		if name != "" && path.Base(p) == name {
			return true
		}
	}
	return false
}
