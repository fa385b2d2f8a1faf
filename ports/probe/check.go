package probe

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// Check compares what a host showed with what the plan wants of it. It is pure. The findings stand in the order of the
// plan; after them come sockets without a row, what concerns the host as a whole, and what could not be seen. The error
// is ErrUnknown, for a host or a role that the site does not have.
func Check(site ports.Site, obs Observation, ask Ask) ([]Finding, error) {
	rows, err := Rows(site, ask)
	if err != nil {
		return nil, err
	}
	c := &check{site: site, obs: obs, ask: ask, rows: rows, ephemeral: union(obs.Ephemeral), byPort: map[end][]Socket{}, attempts: map[tried][]Attempt{}}
	if len(ask.Ephemeral) > 0 {
		c.ephemeral = union(ask.Ephemeral)
	}
	for _, s := range obs.Sockets {
		e := end{s.Protocol, ports.Port(s.Local.Port())}
		c.byPort[e] = append(c.byPort[e], s)
	}
	for _, a := range obs.Attempts {
		t := tried{a.Service, a.Protocol, a.Port}
		c.attempts[t] = append(c.attempts[t], a)
	}
	c.exposed = c.inEphemeral(c.ephemeral, obs.Reserved)
	for i, row := range rows {
		c.row(i, row)
	}
	c.names()
	c.unplanned()
	c.drift()
	for _, u := range obs.Unseen {
		c.found = append(c.found, Finding{State: NotSeen, Severity: ports.Note, Address: "*", Remedies: []string{}, Note: u.What + ": " + u.Why})
	}
	return c.found, nil
}

// check is one comparison in the making.
type check struct {
	site      ports.Site
	obs       Observation
	ask       Ask
	rows      []Row
	ephemeral []ports.Range   // of this host, or the one that is asked about
	exposed   [][]ports.Range // of each row: its numbers that the system may give to outgoing connections
	byPort    map[end][]Socket
	attempts  map[tried][]Attempt
	found     []Finding
}

// finding begins a finding about a row.
func (row Row) finding(state State, severity ports.Severity, note string) Finding {
	f := Finding{
		ID: row.Service, Service: row.Name, Port: row.Port, Protocol: row.Protocol, Address: address(row.Addresses),
		State: state, Severity: severity, Remedies: []string{}, Note: note,
	}
	if row.Range().Last > row.Port {
		f.Last = row.Range().Last
	}
	return f
}

// row finds everything about one row, and says at the end that it is free, or ours, if nothing is wrong.
func (c *check) row(i int, row Row) {
	before := len(c.found)
	holder, held := c.occupancy(row)
	c.local(row)
	c.excluded(row)
	c.permission(row)
	c.inRange(i, row, holder)
	if !slices.ContainsFunc(c.found[before:], Finding.Bad) {
		f := row.finding(Free, ports.Note, "")
		f.Holder = holder
		switch {
		case held:
			f.State = Ours
		case !c.obs.Seen && !c.bound(row):
			f.State, f.Severity = Unclear, ports.Error
			f.Note, f.Remedies = "the sockets of this host cannot be seen", []string{"ask with --bind: the port is then really bound, and let go again"}
		}
		c.found = slices.Insert(c.found, before, f)
	}
	if label := typeOf(c.obs.Labels, row.Protocol, row.Port); label != "" && label != "unreserved_port_t" {
		c.found = append(c.found, row.finding(Labelled, ports.Note, "SELinux calls the port "+label+": a confined program needs name_bind for that type"))
	}
}

// local reports addresses that this host does not have.
func (c *check) local(row Row) {
	if len(c.obs.Addresses) == 0 || c.obs.AnyAddress {
		return
	}
	for _, a := range row.Addresses {
		if a.IsUnspecified() || a.IsLoopback() || slices.Contains(c.obs.Addresses, a) {
			continue
		}
		f := row.finding(NotHere, ports.Error, "this host does not have the address "+a.String())
		f.Remedies = []string{
			"write an address of this host under bind: it has " + address(c.outward()),
			"if others reach it under " + a.String() + " by NAT, write that under advertise",
		}
		c.found = append(c.found, f)
	}
}

// outward returns the host's addresses that others can reach, or all if there is none.
func (c *check) outward() []netip.Addr {
	var out []netip.Addr
	for _, a := range c.obs.Addresses {
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return c.obs.Addresses
	}
	return out
}

// excluded reports numbers that Windows keeps for itself. A bind there fails as if a right were missing (F51).
func (c *check) excluded(row Row) {
	for _, e := range c.obs.Excluded {
		r := row.Range()
		if e.Administered || e.Protocol != row.Protocol || e.Last < r.First || e.First > r.Last {
			continue
		}
		f := row.finding(Excluded, ports.Error, fmt.Sprintf("the system keeps %s for itself (excludedportrange): a bind is refused as if a right were missing", formatRange(e.Range)))
		f.Remedies = []string{
			fmt.Sprintf("before that service starts (Hyper-V and WinNAT take new intervals at each start): netsh int ipv4 add excludedportrange protocol=%s startport=%d numberofports=%d",
				row.Protocol, r.First, int(r.Last)-int(r.First)+1),
			c.another(row),
		}
		c.found = append(c.found, f)
	}
}

// permission reports a low number that the one who looked may not bind.
func (c *check) permission(row Row) {
	if row.Status != ports.Works || row.Port >= c.obs.Low || c.obs.Privileged || c.bound(row) {
		return
	}
	for _, f := range c.found {
		if f.ID == row.Service && f.Protocol == row.Protocol && f.State == NoPermission {
			return // a bind has said so
		}
	}
	c.found = append(c.found, c.noPermission(row, fmt.Sprintf("user %s may not bind ports below %d", c.user(c.obs.User), c.obs.Low)))
}

func (c *check) noPermission(row Row, note string) Finding {
	f := row.finding(NoPermission, ports.Error, note)
	f.Remedies = []string{
		"run Reeve as root, or with CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or let systemd bind the port (`reeve ports render`)",
		c.another(row),
	}
	return f
}

func (c *check) user(uid uint32) string {
	if name := c.obs.Users[uid]; name != "" {
		return name
	}
	return fmt.Sprint(uid)
}

// bound reports whether the row was really bound: then nothing that was only read counts.
func (c *check) bound(row Row) bool {
	return slices.ContainsFunc(c.obs.Attempts, func(a Attempt) bool {
		return a.Service == row.Service && a.Protocol == row.Protocol && a.Outcome == Bound
	})
}
