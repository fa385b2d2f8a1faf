package ports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Matrix is every number of every instance of a plan, with what each meets.
type Matrix struct {
	Plan       string         `json:"plan"`
	Instances  []MatrixColumn `json:"instances"`
	Rows       []MatrixRow    `json:"rows"`
	Collisions []Collision    `json:"collisions"`
	Proposal   *int           `json:"proposal"` // the lowest instance that is neither in use nor collides; null: none
	Least      *int           `json:"least"`    // the instance with the fewest collisions among those not in use
}

// MatrixColumn is one instance.
type MatrixColumn struct {
	Instance   int  `json:"instance"`
	Numbers    int  `json:"numbers"` // that it claims, each transport counted
	InUse      bool `json:"in_use"`
	Collisions int  `json:"collisions"` // of rows that differ from instance to instance; names that are only registered aside
}

// MatrixRow is what one row claims over one transport in each instance, in the order of the columns.
type MatrixRow struct {
	Service  string   `json:"service"`
	Protocol Protocol `json:"protocol"`
	Parity   Parity   `json:"parity,omitempty"`
	Fixed    bool     `json:"fixed"` // the same in every instance
	Ports    []string `json:"ports"` // empty: none in this instance
}

// Collision is a number that something else uses too.
type Collision struct {
	Instance int      `json:"instance"` // meaningless where Fixed
	Fixed    bool     `json:"fixed"`    // of a row that is the same in every instance
	Service  string   `json:"service"`
	Protocol Protocol `json:"protocol"`
	Ports    string   `json:"ports"`
	Kind     string   `json:"kind"` // popular, registered, family, instance or plan
	With     string   `json:"with"` // the public name, "instance 2: notify", or "plan arcserve: callback"
}

// cell is a claim of one instance.
type cell struct {
	instance int
	fixed    bool
	claim    Claim
}

// NewMatrix lays out the instances of a plan; without instances all that it has. Instances in use, and other compiled
// plans that run on the same hosts, are what a new instance must not meet.
func NewMatrix(p Plan, inv Inventory, instances, inUse []int, beside []Compiled) Matrix {
	c := newCompiler(p, inv)
	c.setValues()
	c.readOverrides()
	c.checkRows(DefaultInstance(p, inv))
	all := p.Instances()
	if len(instances) == 0 {
		instances = all
	}
	m := Matrix{Plan: p.Name, Instances: []MatrixColumn{}, Rows: []MatrixRow{}, Collisions: []Collision{}}
	for _, i := range instances {
		if slices.Contains(all, i) {
			m.Instances = append(m.Instances, MatrixColumn{Instance: i, InUse: slices.Contains(inUse, i)})
		}
	}
	var cells []cell
	for n := range c.rows {
		cells = append(cells, m.row(&c.rows[n], all)...)
	}
	m.collide(cells, newNeighbours(c.usedCells(all, inUse), beside))
	m.sort()
	m.propose()
	return m
}

// row adds the lines of a row, and returns its claims.
func (m *Matrix) row(r *row, all []int) []cell {
	var cells []cell
	lines := map[string]*MatrixRow{}
	var order []string
	for col, column := range m.Instances {
		for _, cl := range r.claimsOf(slices.Index(all, column.Instance)) {
			key := cl.Service + "/" + string(cl.Protocol)
			if lines[key] == nil {
				lines[key] = &MatrixRow{Service: cl.Service, Protocol: cl.Protocol, Fixed: !r.varies, Ports: make([]string, len(m.Instances))}
				order = append(order, key)
			}
			line := lines[key]
			line.Ports[col] = strings.TrimPrefix(line.Ports[col]+" "+cl.Range().String(), " ")
			line.Parity = cl.Parity
			m.Instances[col].Numbers += cl.Parity.count(cl.Range())
			if !r.varies && col > 0 {
				continue // it collides once
			}
			cells = append(cells, cell{column.Instance, !r.varies, cl})
		}
	}
	for _, key := range order {
		m.Rows = append(m.Rows, *lines[key])
	}
	return cells
}

// claimsOf returns what the row holds in the instance of that position.
func (r *row) claimsOf(position int) []Claim {
	if !r.varies {
		position = 0
	}
	var claims []Claim
	for _, s := range r.numbers[position] {
		for _, proto := range r.Protocols {
			if cl := r.claim(s, proto); len(cl.holds()) > 0 {
				claims = append(claims, cl)
			}
		}
	}
	return claims
}

// usedCells are the claims of the instances in use, those of fixed rows aside, which no instance can avoid.
func (c *compiler) usedCells(all, inUse []int) []cell {
	var cells []cell
	for position, i := range all {
		for n := range c.rows {
			if r := &c.rows[n]; r.varies && slices.Contains(inUse, i) {
				for _, cl := range r.claimsOf(position) {
					cells = append(cells, cell{i, false, cl})
				}
			}
		}
	}
	return cells
}

// These bound what a plan of a thousand instances can ask for.
const (
	maxCollisions = 10_000 // that are listed: more than anybody reads; all are counted
	maxMeets      = 100    // of one claim
)

// neighbour is a claim that must not be met, with its name for people.
type neighbour struct {
	claim      Claim
	kind, with string
	instance   int // of the same plan; -1: of another
}

// neighbours are sorted by their first number; furthest is the highest last number up to each.
type neighbours struct {
	list     []neighbour
	furthest []Port
}

func newNeighbours(used []cell, beside []Compiled) neighbours {
	var n neighbours
	for _, u := range used {
		n.list = append(n.list, neighbour{u.claim, "instance", fmt.Sprintf("instance %d: %s", u.instance, u.claim.Service), u.instance})
	}
	for _, other := range beside {
		for _, cl := range other.Claims {
			if len(cl.holds()) > 0 {
				n.list = append(n.list, neighbour{cl, byPlan, fmt.Sprintf("plan %s: %s", other.Plan, cl.Service), -1})
			}
		}
	}
	slices.SortStableFunc(n.list, func(a, b neighbour) int { return cmp.Compare(a.claim.Port, b.claim.Port) })
	furthest := Port(0)
	for _, x := range n.list {
		furthest = max(furthest, x.claim.Range().Last)
		n.furthest = append(n.furthest, furthest)
	}
	return n
}

// near returns those whose numbers may meet a range, at most maxMeets.
func (n neighbours) near(r Range) []neighbour {
	end, _ := slices.BinarySearchFunc(n.list, int(r.Last)+1, func(x neighbour, port int) int { return cmp.Compare(int(x.claim.Port), port) })
	start := end
	for start > 0 && end-start < maxMeets && n.furthest[start-1] >= r.First {
		start--
	}
	return n.list[start:end]
}

// collide looks for what each claim meets, and counts it for its instance.
func (m *Matrix) collide(cells []cell, around neighbours) {
	counts := map[int]int{}
	add := func(a cell, r Range, kind, with string) {
		if !a.fixed && kind != string(Registered) {
			counts[a.instance]++
		}
		if len(m.Collisions) < maxCollisions {
			m.Collisions = append(m.Collisions, Collision{a.instance, a.fixed, a.claim.Service, a.claim.Protocol, r.String(), kind, with})
		}
	}
	known := KnownPorts()
	for _, a := range cells {
		for _, k := range a.claim.Meets(known) {
			if a.claim.RPC.Role != "" {
				break // the port mapper's number is its own
			}
			add(a, k.Range, string(k.Kind), k.Name)
		}
		for _, b := range around.near(a.claim.Range()) {
			if r, ok := meeting(a.claim, b.claim); ok && (b.instance < 0 || !a.fixed && a.instance != b.instance) {
				add(a, r, b.kind, b.with)
			}
		}
	}
	for i := range m.Instances {
		m.Instances[i].Collisions = counts[m.Instances[i].Instance]
	}
}

// meeting returns the numbers that two claims share.
func meeting(a, b Claim) (Range, bool) {
	r := Range{max(a.Port, b.Port), min(a.Range().Last, b.Range().Last)}
	if a.Protocol != b.Protocol || r.First > r.Last || a.Port == 0 || b.Port == 0 {
		return Range{}, false
	}
	if a.Parity != "" && b.Parity != "" && a.Parity != b.Parity {
		return Range{}, false
	}
	r = cmp.Or(a.Parity, b.Parity).within(r)
	return r, r != Range{}
}

// sort puts what meets every instance first, then the instances in their order.
func (m *Matrix) sort() {
	first := func(c Collision) int {
		if c.Fixed {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(m.Collisions, func(a, b Collision) int {
		if n := cmp.Compare(first(a), first(b)); n != 0 || a.Fixed {
			return n
		}
		return cmp.Compare(a.Instance, b.Instance)
	})
}

// byPlan is the kind of a collision with another plan on the same hosts.
const byPlan = "plan"

// Blocked says that a row that is the same in every instance has a number of another plan: no instance avoids that.
func (m *Matrix) Blocked() bool {
	return slices.ContainsFunc(m.Collisions, func(c Collision) bool { return c.Fixed && c.Kind == byPlan })
}

// propose chooses an instance.
func (m *Matrix) propose() {
	for _, col := range m.Instances {
		if col.InUse {
			continue
		}
		if m.Least == nil || col.Collisions < m.column(*m.Least).Collisions {
			m.Least = &col.Instance
		}
		if m.Proposal == nil && col.Collisions == 0 && !m.Blocked() {
			m.Proposal = &col.Instance
		}
	}
}

func (m *Matrix) column(instance int) MatrixColumn {
	i := slices.IndexFunc(m.Instances, func(c MatrixColumn) bool { return c.Instance == instance })
	return m.Instances[i]
}

// RoleCell is who connects from one role to another, and on what.
type RoleCell struct {
	From  string     `json:"from"`
	To    string     `json:"to"`
	Flows []RoleFlow `json:"flows"`
}

// RoleFlow is one flow of a cell.
type RoleFlow struct {
	ID       string   `json:"id"`
	Protocol Protocol `json:"protocol"`
	Ports    string   `json:"ports"`
	Purpose  string   `json:"purpose"`
}

// RoleMatrix returns the pairs of roles between which a flow is in use, by the roles' titles, in the order of the plan.
func (c Compiled) RoleMatrix() []RoleCell {
	cells := []RoleCell{}
	at := map[[2]string]int{}
	for _, f := range c.Flows {
		if !f.works() {
			continue
		}
		key := [2]string{c.titles([]string{f.From}), c.titles([]string{f.To})}
		i, ok := at[key]
		if !ok {
			i = len(cells)
			at[key] = i
			cells = append(cells, RoleCell{From: key[0], To: key[1]})
		}
		cells[i].Flows = append(cells[i].Flows, RoleFlow{ID: f.ID, Protocol: f.Protocol, Ports: Range{f.Port, max(f.Port, f.Last)}.String(), Purpose: f.Purpose})
	}
	return cells
}
