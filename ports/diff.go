package ports

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is what changes from one compiled plan to another.
type Difference struct {
	From    Version   `json:"from"`
	To      Version   `json:"to"`
	Changes []Change  `json:"changes"`
	Claimed []Claimed `json:"claimed"` // numbers that the first plan leaves to others: each of them is breaking
	Freed   []Claimed `json:"freed"`   // numbers that are no longer claimed
}

// Version names one compiled plan.
type Version struct {
	Plan     string `json:"plan"`
	Instance int    `json:"instance"`
	Hash     string `json:"hash"`
}

// String names the version for people.
func (v Version) String() string {
	return fmt.Sprintf("plan %s, instance %d, hash %s", v.Plan, v.Instance, v.Hash)
}

// Change is one row, flow, pool or text that was added, removed or changed.
type Change struct {
	What   string        `json:"what"` // added, removed or changed
	Kind   string        `json:"kind"` // row, flow, pool, local, role or condition
	ID     string        `json:"id"`   // SERVICE/PROTOCOL for rows and flows
	Flow   string        `json:"flow,omitempty"`
	Fields []FieldChange `json:"fields"` // all that is known of what was added or removed
}

// FieldChange is one value before and after; empty where there is none.
type FieldChange struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Claimed is an interval of numbers that a service holds on the hosts of a role.
type Claimed struct {
	Ports    string   `json:"ports"` // "9352" or "59870-59999"
	Protocol Protocol `json:"protocol"`
	Role     string   `json:"role"` // empty: any host
	Service  string   `json:"service"`
	Breaking bool     `json:"breaking"` // what ran on these numbers until now cannot run beside the new plan
}

// Empty reports whether nothing has changed but the plan's name, number and hash.
func (d Difference) Empty() bool { return len(d.Changes) == 0 }

// Diff compares two compiled plans. Rows and flows are compared by their service and transport, in every field that
// the compiled plan has. The order of the plan decides the order of the changes.
func Diff(from, to Compiled) Difference {
	d := Difference{From: from.version(), To: to.version(), Changes: []Change{}}
	d.compare("row", claimItems(from), claimItems(to))
	d.compare("flow", flowItems(from), flowItems(to))
	d.compare("pool", poolItems(from), poolItems(to))
	d.compare("local", localItems(from), localItems(to))
	d.compare("role", textItems(from.Roles, "title"), textItems(to.Roles, "title"))
	d.compare("condition", textItems(from.Conditions, "text"), textItems(to.Conditions, "text"))
	d.Claimed, d.Freed = newlyHeld(from, to, true), newlyHeld(to, from, false)
	return d
}

func (c Compiled) version() Version { return Version{c.Plan, c.Instance, c.Hash} }

// item is something that is compared: what it is known by, what it is called among others of that id, and its values.
type item struct {
	id, name string
	fields   map[string]string
}

func (i item) equal(other item) bool {
	return i.name == other.name && maps.Equal(i.fields, other.fields)
}

// compare pairs the items of one id: first those that are equal, then those of one name, then the others in their order.
func (d *Difference) compare(kind string, from, to []item) {
	old, fresh := byID(from), byID(to)
	for _, id := range ids(from, to) {
		before, after := old[id], fresh[id]
		before, after = without(before, after), without(after, before)
		for _, same := range []func(a, b item) bool{func(a, b item) bool { return a.name == b.name }, func(a, b item) bool { return short(a.name) == short(b.name) }} {
			for i := 0; i < len(before); i++ {
				if j := slices.IndexFunc(after, func(b item) bool { return same(before[i], b) }); j >= 0 {
					d.changed(kind, before[i], after[j])
					before, after = slices.Delete(before, i, i+1), slices.Delete(after, j, j+1)
					i--
				}
			}
		}
		for _, i := range before {
			d.Changes = append(d.Changes, Change{What: "removed", Kind: kind, ID: id, Flow: i.name, Fields: fieldChanges(i.fields, nil)})
		}
		for _, i := range after {
			d.Changes = append(d.Changes, Change{What: "added", Kind: kind, ID: id, Flow: i.name, Fields: fieldChanges(nil, i.fields)})
		}
	}
}

// changed notes a pair that is not equal.
func (d *Difference) changed(kind string, a, b item) {
	fields := fieldChanges(a.fields, b.fields)
	if a.name != b.name {
		fields = append(fields, FieldChange{Name: "flow", Old: a.name, New: b.name})
	}
	d.Changes = append(d.Changes, Change{What: "changed", Kind: kind, ID: a.id, Flow: b.name, Fields: fields})
}

// short is a flow's name without its purpose: its two ends.
func short(name string) string {
	ends, _, _ := strings.Cut(name, ": ")
	return ends
}

func byID(items []item) map[string][]item {
	m := map[string][]item{}
	for _, i := range items {
		m[i.id] = append(m[i.id], i)
	}
	return m
}

// ids lists the ids of both plans: those of the second in its order, then those that it no longer has.
func ids(from, to []item) []string {
	var all []string
	seen := map[string]bool{}
	for _, i := range slices.Concat(to, from) {
		if !seen[i.id] {
			seen[i.id] = true
			all = append(all, i.id)
		}
	}
	return all
}

// without leaves away what stands unchanged in the other list too, one for one.
func without(items, other []item) []item {
	rest := slices.Clone(other)
	var out []item
	for _, i := range items {
		if j := slices.IndexFunc(rest, i.equal); j >= 0 {
			rest = slices.Delete(rest, j, j+1)
			continue
		}
		out = append(out, i)
	}
	return out
}

func fieldChanges(a, b map[string]string) []FieldChange {
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	changes := []FieldChange{}
	for _, name := range names {
		if a[name] != b[name] {
			changes = append(changes, FieldChange{Name: name, Old: a[name], New: b[name]})
		}
	}
	return changes
}

func claimItems(c Compiled) []item {
	items := make([]item, len(c.Claims))
	for i, cl := range c.Claims {
		fields := fieldsOf(cl)
		delete(fields, "service")
		delete(fields, "protocol")
		delete(fields, "last")
		fields["port"] = cl.Range().String()
		items[i] = item{id: cl.Service + "/" + string(cl.Protocol), fields: fields}
	}
	return items
}

// flowItems leaves away what a flow has from its row.
func flowItems(c Compiled) []item {
	items := make([]item, len(c.Flows))
	for i, f := range c.Flows {
		fields := fieldsOf(f)
		for _, of := range []string{"id", "service", "protocol", "port", "last", "parity", "tls", "from", "to", "purpose"} {
			delete(fields, of)
		}
		if f.Status != Inactive {
			delete(fields, "status")
		}
		items[i] = item{id: f.Service + "/" + string(f.Protocol), name: f.From + " to " + f.To + ": " + f.Purpose, fields: fields}
	}
	return items
}

// poolItems leaves away what a pool has from its row.
func poolItems(c Compiled) []item {
	items := make([]item, len(c.Pools))
	for i, p := range c.Pools {
		fields := fieldsOf(p)
		for _, of := range []string{"id", "name", "protocol", "ranges", "status", "runs_on"} {
			delete(fields, of)
		}
		items[i] = item{id: p.ID, fields: fields}
	}
	return items
}

func localItems(c Compiled) []item {
	items := make([]item, len(c.Local))
	for i, l := range c.Local {
		fields := fieldsOf(l)
		delete(fields, "id")
		items[i] = item{id: l.ID, fields: fields}
	}
	return items
}

func textItems(texts map[string]string, name string) []item {
	items := make([]item, 0, len(texts))
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		items = append(items, item{id: id, fields: map[string]string{name: texts[id]}})
	}
	return items
}

// fieldsOf returns what a value's JSON has, so that no field that it gets later is forgotten here. Empty ones are left
// away.
func fieldsOf(v any) map[string]string {
	text, err := json.Marshal(v)
	var fields map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	out := map[string]string{}
	if err != nil { // cannot be: these types have nothing that JSON does not know
		out["json"] = err.Error()
	}
	for name, raw := range fields {
		if s := plain(raw); s != "" {
			out[name] = s
		}
	}
	return out
}

// plain is a JSON value for people: texts without quotes, lists with spaces.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, " ")
	}
	return string(raw)
}

// held is where a number is claimed.
type held struct {
	role     string
	protocol Protocol
}

// newlyHeld returns the numbers that after holds and before does not, on the hosts of one role.
func newlyHeld(before, after Compiled, breaking bool) []Claimed {
	was := map[held][]Range{}
	for _, cl := range before.Claims {
		for _, h := range cl.holds() {
			was[h] = append(was[h], cl.Range())
		}
	}
	out := []Claimed{}
	for _, cl := range after.Claims {
		for _, h := range cl.holds() {
			for _, r := range minus(cl.Range(), was[h]) {
				one := Claimed{Ports: r.String(), Protocol: cl.Protocol, Role: h.role, Service: cl.Service, Breaking: breaking}
				if !slices.Contains(out, one) {
					out = append(out, one)
				}
			}
		}
	}
	return out
}

// holds says where a claim keeps its numbers from others: nowhere, if it is no number of ours.
func (cl Claim) holds() []held {
	if cl.Port == 0 || !cl.Binds || cl.Status != Works && cl.Status != Reserved {
		return nil
	}
	if len(cl.Listeners) == 0 {
		return []held{{"", cl.Protocol}}
	}
	out := make([]held, len(cl.Listeners))
	for i, role := range cl.Listeners {
		out[i] = held{role, cl.Protocol}
	}
	return out
}

// minus returns what is left of r without the others.
func minus(r Range, others []Range) []Range {
	others = slices.Clone(others)
	slices.SortFunc(others, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	var left []Range
	next := int(r.First)
	for _, o := range others {
		if int(o.Last) < next || o.First > r.Last {
			continue
		}
		if int(o.First) > next {
			left = append(left, Range{Port(next), o.First - 1})
		}
		next = int(o.Last) + 1
	}
	if next <= int(r.Last) {
		left = append(left, Range{Port(next), r.Last})
	}
	return left
}
