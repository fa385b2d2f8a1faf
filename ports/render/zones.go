package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const mostHosts = 8 // of a zone that are named

// renderZones draws the zones of the site side by side, and who connects to whom between them on which ports. Without
// an inventory the roles take the place of the zones.
func renderZones(in Input) ([]byte, error) {
	w, c, err := in.open()
	if err != nil {
		return nil, err
	}
	m := &zoneMap{in: in, c: c, w: w, at: map[string]int{}}
	for _, z := range in.Site.Inventory.Zones {
		m.zone(z)
	}
	for _, o := range in.openings(in.Site) {
		m.opening(o)
	}
	foot := []string{w.drawing.legend}
	return drawing(w, fmt.Sprintf(w.drawing.zones, or(in.Site.Inventory.Name, c.Plan)), in.subtitle(w), []panel{m.panel()}, foot), nil
}

// zoneMap collects columns and arrows.
type zoneMap struct {
	in      Input
	c       ports.Compiled
	w       words
	columns []column
	at      map[string]int // the column of a zone, or of a role without one
	arrows  []zoneArrow
}

// zoneArrow is what goes from one column to another.
type zoneArrow struct {
	from, to int
	link     bool
	through  []string // firewalls
	sockets  []zoneSocket
	flows    []string
}

// zoneSocket is a service that is reached, over all its transports.
type zoneSocket struct {
	service     string
	first, last ports.Port
	transports  []string
}

// zone adds the column of a zone with its networks and hosts.
func (m *zoneMap) zone(z ports.Zone) {
	col := column{head: z.Name, body: slices.Clone(z.Networks)}
	hidden := 0
	for _, h := range m.in.Site.Inventory.Hosts {
		if h.Zone != z.Name {
			continue
		}
		if len(col.body)-len(z.Networks) >= mostHosts {
			hidden++
			continue
		}
		col.body = append(col.body, h.Name+": "+strings.Join(m.kinds(h), ", "))
	}
	if hidden > 0 {
		col.body = append(col.body, fmt.Sprintf(m.w.drawing.more, hidden))
	}
	m.at["zone "+z.Name] = len(m.columns)
	m.columns = append(m.columns, col)
}

// kinds are what a host is: the kinds of its roles, or the titles of those that nobody here manages.
func (m *zoneMap) kinds(h ports.Host) []string {
	var kinds []string
	for _, role := range h.Roles {
		kind := string(m.c.Kinds[role])
		if kind == "" {
			kind = roleTitle(m.c, role)
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// column is that of an end: its zone, or its role where it has none.
func (m *zoneMap) column(zone, role string) int {
	key, head := "zone "+zone, zone
	if zone == "" {
		key, head = "role "+role, roleTitle(m.c, role)
	}
	i, ok := m.at[key]
	if !ok {
		i = len(m.columns)
		m.at[key] = i
		m.columns = append(m.columns, column{head: head, body: m.outside(zone)})
	}
	return i
}

// outside is what stands below the title of a column that is no zone of the inventory.
func (m *zoneMap) outside(zone string) []string {
	if zone != "" || len(m.in.Site.Inventory.Zones) == 0 {
		return nil
	}
	return []string{m.w.drawing.outside}
}

// opening adds an opening to the arrows between the zones of its ends.
func (m *zoneMap) opening(o ports.Opening) {
	link := false
	for _, f := range m.c.Flows {
		link = link || f.ID == o.Flow && slices.Contains(f.Carries, "link")
	}
	for _, from := range byZone(o.Sources) {
		for _, to := range byZone(o.Destinations) {
			m.add(zoneArrow{from: m.column(from.zone, o.From), to: m.column(to.zone, o.To), link: link, through: firewalls(m.in.Site.Inventory, from.zone, to.zone)}, o)
		}
	}
}

func (m *zoneMap) add(a zoneArrow, o ports.Opening) {
	i := slices.IndexFunc(m.arrows, func(b zoneArrow) bool { return a.from == b.from && a.to == b.to && a.link == b.link })
	if i < 0 {
		i = len(m.arrows)
		m.arrows = append(m.arrows, a)
	}
	to := &m.arrows[i]
	to.flows = append(to.flows, o.Flow)
	j := slices.IndexFunc(to.sockets, func(s zoneSocket) bool { return s.service == o.Service && s.first == o.First && s.last == o.Last })
	if j < 0 {
		j = len(to.sockets)
		to.sockets = append(to.sockets, zoneSocket{service: o.Service, first: o.First, last: o.Last})
	}
	if transport := string(o.Protocol); !slices.Contains(to.sockets[j].transports, transport) {
		to.sockets[j].transports = append(to.sockets[j].transports, transport)
	}
}

func (m *zoneMap) panel() panel {
	p := panel{columns: m.columns, bands: true}
	for _, a := range m.arrows {
		texts := make([]string, len(a.sockets))
		for i, s := range a.sockets {
			texts[i] = socket(s.first, s.last, s.transports, m.c, s.service)
		}
		out := arrow{from: a.from, to: a.to, head: strings.Join(texts, ", "), status: ports.Works, link: a.link, flows: a.flows}
		if a.link {
			out.head, out.text = m.w.drawing.dials, out.head
		}
		if len(a.through) > 0 {
			out.text = strings.TrimSpace(out.text + " [" + strings.Join(a.through, ", ") + "]")
		}
		p.arrows = append(p.arrows, out)
	}
	return p
}
