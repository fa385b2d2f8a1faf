package planfile

import (
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// planTable is everything that a plan may say. Its order is the one in which a plan is written down.
func planTable() *table[ports.Plan] {
	type plan = ports.Plan
	return &table[plan]{
		what:  "the plan",
		place: func(p *plan) *ports.Place { return &p.At },
		fields: []field[plan]{
			is("plan", id[string](), func(p *plan) *string { return &p.Name }, "the name; the first key of the document").must(),
			is("extends", readBefore(), func(p *plan) *string { return &p.Extends }, "a built-in plan: lists merge by id, and the fields that are given replace its own"),
			is("description", text[string](), func(p *plan) *string { return &p.Description }, "one line for people"),
			is("version", number[int](0, anyNumber), func(p *plan) *int { return &p.Version }, "counted up by the plan's owner"),
			is("owner", text[string](), func(p *plan) *string { return &p.Owner }, "who answers for the openings: change requests and rules name it"),
			is("instance", variable(), func(p *plan) *string { return &p.Instance }, "the variable that `--instance` sets"),
			is("policies", object(policiesTable()), func(p *plan) *ports.Policies { return &p.Policies }, "rules for all rows"),
			is("vars", keyed(varTable(), func(v *ports.Var) *string { return &v.Name }, fitsVar("the variable"), func(string) ports.Var { return ports.Var{} }),
				func(p *plan) *[]ports.Var { return &p.Vars }, "values that formulas and guards may use"),
			is("roles", keyed(roleTable(), func(x *ports.Role) *string { return &x.ID }, fitsID("the role"), freshRole),
				func(p *plan) *[]ports.Role { return &p.Roles }, "the ends of flows; an inventory binds them to hosts"),
			is("conditions", keyed(conditionTable(), func(c *ports.Condition) *string { return &c.ID }, fitsID("the condition"), func(string) ports.Condition { return ports.Condition{} }),
				func(p *plan) *[]ports.Condition { return &p.Conditions }, "footnotes: when a row applies"),
			is("families", byID(familyTable(), func(f *ports.Family) *string { return &f.ID }, ports.Family{}),
				func(p *plan) *[]ports.Family { return &p.Families }, "rows that get their numbers by one formula"),
			is("services", byID(serviceTable(), func(s *ports.Service) *string { return &s.ID }, freshService()),
				func(p *plan) *[]ports.Service { return &p.Services }, "named functions with their ports"),
			is("pools", byID(poolTable(), func(x *ports.Pool) *string { return &x.ID }, ports.Pool{Service: freshService()}),
				func(p *plan) *[]ports.Pool { return &p.Pools }, "ranges to lease from"),
			is("local", byID(localTable(), func(l *ports.LocalSocket) *string { return &l.ID }, ports.LocalSocket{}),
				func(p *plan) *[]ports.LocalSocket { return &p.Local }, "Unix sockets: listed, and exempt from the rules"),
			is("notes", byOrigin(noteTable()), func(p *plan) *[]ports.Statement { return &p.Notes }, "what the page says that is no row"),
		},
	}
}

// readBefore is the field extends, which is read before all others, because everything else is read over it. It is
// never written down: what it extends is written out.
func readBefore() kind[string] {
	k := id[string]()
	k.read = func(*reader, *node, string, *string) {}
	k.write = func(string) *written { return nil }
	return k
}

// checkInstance looks whether the plan declares the variable that an instance number sets.
func checkInstance(r *reader, doc *node, p *ports.Plan) {
	if p.Instance == "" || slices.ContainsFunc(p.Vars, func(v ports.Var) bool { return v.Name == p.Instance }) {
		return
	}
	at := p.At
	if e, ok := entryOf(doc, "instance"); ok {
		at = e.value.at
	}
	names := make([]string, len(p.Vars))
	for i, v := range p.Vars {
		names[i] = v.Name
	}
	r.add(at, "instance names the variable %q, which is not declared under vars%s", p.Instance, didYouMean(p.Instance, names))
}

func policiesTable() *table[ports.Policies] {
	type policies = ports.Policies
	return &table[policies]{
		what: "policies",
		fields: []field[policies]{
			is("ephemeral", word(ports.Reserve, ports.Forbid, ports.Tolerate), func(p *policies) *ports.Ephemeral { return &p.Ephemeral },
				"what is done with claims inside a host's range for outgoing connections").or("reserve"),
			is("egress", word("unrestricted", "restricted"), func(p *policies) *string { return &p.Egress },
				"restricted: rules for outgoing connections are rendered too").or("unrestricted"),
		},
	}
}

// variable is the name of a variable.
func variable() kind[string] {
	k := text[string]()
	k.form, k.schema = "variable", schema{"type": "string", "pattern": varForm.String()}
	read := k.read
	k.read = func(r *reader, n *node, what string, to *string) {
		var s string
		before := len(r.found)
		if read(r, n, what, &s); len(r.found) > before {
			return
		}
		if !varForm.MatchString(s) {
			r.add(n.at, "%s %q must be letters, digits and underscores", what, clip(s))
			return
		}
		*to = s
	}
	return k
}

func fitsVar(what string) func(*reader, entry) bool {
	return func(r *reader, e entry) bool {
		fits := varForm.MatchString(e.key)
		if !fits {
			r.add(e.at, "%s %q must be letters, digits and underscores", what, clip(e.key))
		}
		return fits
	}
}

func fitsID(what string) func(*reader, entry) bool {
	return func(r *reader, e entry) bool { return r.isID(e.key, e.at, what) }
}

func varTable() *table[ports.Var] {
	type variable = ports.Var
	isBool := func(v *variable) bool { return v.Type == ports.Bool }
	def := is("default", value(), func(v *variable) *int { return &v.Default }, "the value where the inventory gives none").or("0, false")
	writeNumber := def.write
	def.write = func(v *variable) *written {
		if isBool(v) {
			return flag(false).write(v.Default != 0)
		}
		return writeNumber(v)
	}
	return &table[variable]{
		what:  "a variable",
		place: func(v *variable) *ports.Place { return &v.At },
		fields: []field[variable]{
			is("type", word(ports.Int, ports.Bool), func(v *variable) *ports.VarType { return &v.Type }, "what it holds").or("int"),
			is("min", number[int](-anyNumber, anyNumber), func(v *variable) *int { return &v.Min }, "the least value").or("0").unless(isBool),
			is("max", number[int](-anyNumber, anyNumber), func(v *variable) *int { return &v.Max }, "the greatest value").or("0; any, where neither is given").unless(isBool),
			def,
			is("env", text[string](), func(v *variable) *string { return &v.Env }, "the environment variable that the page names for it"),
		},
		check: func(r *reader, at ports.Place, v *variable, given given) {
			if isBool(v) {
				if given.has("min") || given.has("max") {
					r.add(at, "the variable %q is a bool: it is false or true, and has no min and max", v.Name)
				}
				v.Min, v.Max = 0, 1
			}
			unbounded := v.Min == 0 && v.Max == 0
			if !unbounded && (v.Min > v.Max || v.Default < v.Min || v.Default > v.Max) {
				r.add(at, "the variable %q needs min <= default <= max", v.Name)
			}
		},
	}
}

// value is what a variable may be given: a number, true or false.
func value() kind[int] {
	k := number[int](-anyNumber, anyNumber)
	read := k.read
	k.form, k.schema = "number, true or false", schema{"type": []string{"integer", "boolean"}, "minimum": -anyNumber, "maximum": anyNumber}
	k.read = func(r *reader, n *node, what string, to *int) {
		if n.shape == boolShape {
			if *to = 0; n.text == "true" {
				*to = 1
			}
			return
		}
		if n.shape != intShape {
			r.add(n.at, "%s must be a whole decimal number, true or false", what)
			return
		}
		read(r, n, what, to)
	}
	return k
}

func conditionTable() *table[ports.Condition] {
	type condition = ports.Condition
	return &table[condition]{
		what:  "a condition",
		place: func(c *condition) *ports.Place { return &c.At },
		fields: []field[condition]{
			is("text", text[string](), func(c *condition) *string { return &c.Text }, "the page's words"),
			is("when", guard(), func(c *condition) *ports.Guard { return &c.When }, "the test; without one the condition is a text for people"),
			is("default", flag(false), func(c *condition) *bool { return &c.Default }, "of the switch that the test names, where the inventory says nothing").or("false"),
		},
		check: func(r *reader, at ports.Place, c *condition, given given) {
			if c.Text == "" {
				r.add(at, "the condition %q needs a text", c.ID)
			}
			if c.Default && !strings.Contains(string(c.When), "openings.") {
				r.add(at, "the condition %q has a default, and its test names no switch (openings.NAME)", c.ID)
			}
		},
	}
}

func familyTable() *table[ports.Family] {
	type family = ports.Family
	return &table[family]{
		what:  "a family",
		place: func(f *family) *ports.Place { return &f.At },
		fields: []field[family]{
			is("id", id[string](), func(f *family) *string { return &f.ID }, "its name").must(),
			is("formula", formula(), func(f *family) *ports.Formula { return &f.Formula }, "gives the number; it may use the variable offset"),
			is("window", interval1(), func(f *family) *ports.Range { return &f.Window }, "every number of the family lies in it, in every instance"),
		},
		check: func(r *reader, at ports.Place, f *family, _ given) {
			if !f.Formula.Assigned() {
				r.add(at, "the family %q needs a formula, such as 3000 + instance*100 + offset", f.ID)
			}
		},
	}
}

func localTable() *table[ports.LocalSocket] {
	type local = ports.LocalSocket
	return &table[local]{
		what:  "a local socket",
		place: func(l *local) *ports.Place { return &l.At },
		fields: []field[local]{
			is("id", id[string](), func(l *local) *string { return &l.ID }, "its name").must(),
			is("runs_on", id[string](), func(l *local) *string { return &l.RunsOn }, "the role that opens it"),
			is("purpose", text[string](), func(l *local) *string { return &l.Purpose }, "what it is for"),
		},
	}
}

func noteTable() *table[ports.Statement] {
	type note = ports.Statement
	return &table[note]{
		what:  "a note",
		place: func(x *note) *ports.Place { return &x.At },
		fields: []field[note]{
			is("origin", text[string](), func(x *note) *string { return &x.Origin }, "the statement's number, such as JS-7").must(),
			is("text", text[string](), func(x *note) *string { return &x.Text }, "what it says").must(),
			is("reading", text[string](), func(x *note) *string { return &x.Reading }, "how the plan takes it, where it can be taken in two ways"),
			is("contradicts", listOf(text[string]()), func(x *note) *[]string { return &x.Contradicts }, "other statements of the page that say something else"),
		},
	}
}

// byOrigin is a list of notes: those of an origin replace all notes of the base with that origin.
func byOrigin(t *table[ports.Statement]) kind[[]ports.Statement] {
	k := listed(t)
	read := k.read
	k.form = "list, merged by origin"
	k.read = func(r *reader, n *node, what string, to *[]ports.Statement) {
		var fresh []ports.Statement
		read(r, n, what, &fresh)
		given := map[string]bool{}
		for _, x := range fresh {
			given[x.Origin] = true
		}
		kept := slices.DeleteFunc(slices.Clone(*to), func(x ports.Statement) bool { return given[x.Origin] })
		*to = emptyAsNil(append(kept, fresh...))
	}
	return k
}
