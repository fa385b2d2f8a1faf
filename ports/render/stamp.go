package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// What rendered texts say of themselves, and the names that they give to what they add.

func (g gate) owner() string { return cmp.Or(g.in.Owner, g.in.Site.Compiled.Owner) }

// brand names the source within what is loaded, where few bytes are left for it.
func (g gate) brand() string {
	c := g.in.Site.Compiled
	text := fmt.Sprintf("plan %s %d hash %s", c.Plan, c.Instance, cut(c.Hash, 16))
	if owner := g.owner(); owner != "" {
		text += " owner " + owner
	}
	if g.in.Expiry != "" {
		text += " expires " + g.in.Expiry
	}
	return ascii(oneLine(text))
}

// notice says what a whole firewall does to what the plan does not have.
func (g gate) notice(mark string) string {
	return mark + "\n" +
		mark + " Everything else that comes in is dropped, SSH too: what must stay open needs a row in the plan.\n" +
		mark + " Several plans and instances may be loaded together: what one of them opens is open.\n"
}

// stamp says in comments where a text comes from: plan, hash, owner, expiry, and every flow with its purpose.
func (g gate) stamp(mark string) string {
	var b strings.Builder
	say := func(format string, args ...any) {
		b.WriteString(mark + " " + oneLine(fmt.Sprintf(format, args...)) + "\n")
	}
	c := g.in.Site.Compiled
	say("Made from the port plan %s, instance %d, for %s. Change the plan, not this text.", c.Plan, c.Instance, g.what)
	say("hash %s", c.Hash)
	if owner := g.owner(); owner != "" {
		say("owner %s", owner)
	}
	if g.in.Expiry != "" {
		say("expires %s", g.in.Expiry)
	}
	return b.String()
}

// list names flows in comments, a line each.
func list(mark, heading string, flows []ports.Opening) string {
	var b strings.Builder
	for i, o := range flows {
		if i == 0 {
			fmt.Fprintf(&b, "%s\n%s %s\n", mark, mark, heading)
		}
		fmt.Fprintf(&b, "%s   %s\n", mark, oneLine(why(o)))
	}
	return b.String()
}

// gaps names in comments what the text leaves out.
func (g gate) gaps(mark string) string {
	text := list(mark, "Not opened, because the site has given no number:", g.numbered)
	for i, f := range g.omitted.Flows {
		if i == 0 {
			text += mark + "\n" + mark + " NOT RENDERED, because this form has no words for it:\n"
		}
		text += mark + "   " + oneLine(f) + "\n"
	}
	return text
}

// why is what a rule is for: flow, ends and purpose.
func why(o ports.Opening) string {
	text := fmt.Sprintf("%s %s to %s: %s", o.Flow, o.From, o.To, o.Purpose)
	if o.Condition != "" {
		text += " (" + o.Condition + ")"
	}
	return text
}

// brief names flows within a number of bytes: all of what one is for, or the ids of several and how many more there are.
func brief(flows []ports.Opening, most int) string {
	if len(flows) == 1 {
		return cut(ascii(why(flows[0])), most)
	}
	text := ""
	for i, o := range flows {
		next := ascii(o.Flow)
		if i > 0 {
			next = text + " " + next
		}
		more := fmt.Sprintf(" and %d more", len(flows)-i)
		if len(next) > most-len(more) {
			return cut(text, most-len(more)) + more
		}
		text = next
	}
	return text
}

// ascii keeps what every target takes inside quotes: printing ASCII without quotes, backslashes and dollars.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\'' || r == '`':
			return -1
		case r == '\\' || r == '$' || r < ' ' || r == 0x7f:
			return ' '
		case r > 0x7f:
			return '?'
		}
		return r
	}, s)
}

func cut(s string, most int) string { return s[:min(len(s), max(0, most))] }

// identifier names what the plan's instance adds to a host, so that it can be found and taken back, and so that several
// plans and instances go together on one host.
func identifier(c ports.Compiled) string {
	name := "reeve_" + word(c.Plan)
	if c.Instance != 0 {
		name += fmt.Sprintf("_%d", c.Instance)
	}
	return name
}

// word makes a name of small letters, digits and underscores.
func word(s string) string {
	return cut(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, s), 40)
}

// bounded keeps a name within a number of bytes, at least 10, and different from other long names.
func bounded(name string, most int) string {
	if len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:most-9] + "_" + hex.EncodeToString(sum[:4])
}
