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

// key is a text that only equal items share.
func (i item) key() string {
	var b strings.Builder
	b.WriteString(quote(i.name))
	for _, name := range slices.Sorted(maps.Keys(i.fields)) {
		b.WriteString(" " + quote(name) + quote(i.fields[name]))
	}
	return b.String()
}

// compare pairs the items of one id: those that are equal, then those of one name, then flows between the same ends.
// What is left was removed or added.
func (d *Difference) compare(kind string, from, to []item) {
	old, fresh := byID(from), byID(to)
	for _, id := range ids(from, to) {
		before, after := old[id], fresh[id]
		before, after, _ = pair(before, after, item.key)
		for _, same := range []func(item) string{func(i item) string { return i.name }, item.ends} {
			var pairs [][2]item
			if before, after, pairs = pair(before, after, same); len(pairs) > 0 {
				for _, p := range pairs {
					d.changed(kind, p[0], p[1])
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

// pair puts together items with the same key, one for one and in their order, and returns those that have no partner.
func pair(before, after []item, key func(item) string) (lonely, fresh []item, pairs [][2]item) {
	waiting := map[string][]int{}
	for n, i := range after {
		k := key(i)
		waiting[k] = append(waiting[k], n)
	}
	taken := make([]bool, len(after))
	for _, i := range before {
		k := key(i)
		if list := waiting[k]; len(list) > 0 {
			pairs = append(pairs, [2]item{i, after[list[0]]})
			taken[list[0]], waiting[k] = true, list[1:]
			continue
		}
		lonely = append(lonely, i)
	}
	for n, i := range after {
		if !taken[n] {
			fresh = append(fresh, i)
		}
	}
	return lonely, fresh, pairs
}

// changed notes a pair that is not equal.
func (d *Difference) changed(kind string, a, b item) {
	fields := fieldChanges(a.fields, b.fields)
	if a.name != b.name {
		fields = append(fields, FieldChange{Name: "flow", Old: a.name, New: b.name})
	}
	d.Changes = append(d.Changes, Change{What: "changed", Kind: kind, ID: a.id, Flow: b.name, Fields: fields})
}

// ends is a flow's name without its purpose: its two ends.
func (i item) ends() string {
	ends, _, _ := strings.Cut(i.name, ": ")
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
	for h, ranges := range was {
		was[h] = mergedRanges(ranges)
	}
	out, seen := []Claimed{}, map[Claimed]bool{}
	for _, cl := range after.Claims {
		for _, h := range cl.holds() {
			for _, r := range minus(cl.Range(), was[h]) {
				one := Claimed{Ports: r.String(), Protocol: cl.Protocol, Role: h.role, Service: cl.Service, Breaking: breaking}
				if !seen[one] {
					seen[one] = true
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

// mergedRanges returns the fewest ranges with the same numbers, in order.
func mergedRanges(ranges []Range) []Range {
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	var out []Range
	for _, r := range ranges {
		if n := len(out) - 1; n >= 0 && int(r.First) <= int(out[n].Last)+1 {
			out[n].Last = max(out[n].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// minus returns what is left of r without others, which are merged already.
func minus(r Range, others []Range) []Range {
	start, _ := slices.BinarySearchFunc(others, r.First, func(o Range, first Port) int { return cmp.Compare(o.Last, first) })
	var left []Range
	next := int(r.First)
	for _, o := range others[start:] {
		if o.First > r.Last {
			break
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
