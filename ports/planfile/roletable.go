package planfile

import (
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

func roleKinds() []ports.RoleKind {
	return []ports.RoleKind{ports.Server, ports.Agent, ports.Desk, ports.Client}
}

// freshRole is a role of which nothing is said yet: one that is called like a kind is of that kind.
func freshRole(name string) ports.Role {
	if kind := ports.RoleKind(name); slices.Contains(roleKinds(), kind) {
		return ports.Role{Is: kind}
	}
	return ports.Role{Is: notSaid}
}

// notSaid is the kind of a role that is being read and has not said its kind. No plan that was read has it.
const notSaid ports.RoleKind = "?"

func roleTable() *table[ports.Role] {
	type role = ports.Role
	managed := field[role]{
		fieldDoc: fieldDoc{name: "managed", form: "true, false", meaning: "false: a neighbour that the system does not manage", def: "true", schema: flag(true).schema},
		read: func(r *reader, n *node, x *role) {
			managed := true
			if flag(true).read(r, n, "managed", &managed); !managed {
				x.Is = ports.Unmanaged
			} else if x.Is == ports.Unmanaged {
				x.Is = notSaid
			}
		},
		write: func(x *role) *written { return flag(true).write(x.Is != ports.Unmanaged) },
	}
	return &table[role]{
		what:  "a role",
		place: func(x *role) *ports.Place { return &x.At },
		fields: []field[role]{
			managed,
			is("is", word(roleKinds()...), func(x *role) *ports.RoleKind { return &x.Is }, "which part of the system it is").or("the id, where that is one of them"),
			is("relay", flag(false), func(x *role) *bool { return &x.Relay }, "an agent that carries the links of other agents; hosts play it only where they name it").or("false"),
			is("title", text[string](), func(x *role) *string { return &x.Title }, "the word of the plan's own page").or("the id"),
			is("note", text[string](), func(x *role) *string { return &x.Note }, "one line for people"),
		},
		check: func(r *reader, at ports.Place, x *role, given given) {
			if given.has("is") && given.has("managed") && given.of("managed").value.text == "false" {
				r.add(at, "the role %q cannot be both managed: false and is: %s", x.ID, given.of("is").value.text)
				return
			}
			if x.Relay && x.Is != ports.Agent {
				r.add(at, "the role %q is a relay, and only an agent can be one: is: agent", x.ID)
			}
			if x.Is == notSaid {
				r.add(at, "the role %q must say what it is: is: server, agent, desk or client, or managed: false", x.ID)
			}
		},
	}
}
