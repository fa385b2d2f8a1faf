package probe

import (
	"fmt"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

const maxOfPool = 20 // findings about one pool that are listed

// occupancy finds who has the numbers of a row. It returns one of Reeve's own holders, if there is one.
func (c *check) occupancy(row Row) (*Holder, bool) {
	var holder *Holder
	held, listed, more := false, 0, 0
	for p := int(row.Port); p <= int(row.Range().Last); p++ {
		if !row.has(row.Protocol, ports.Port(p)) {
			continue
		}
		found, own := c.number(row, ports.Port(p))
		if own != nil {
			held = true
			if holder == nil {
				holder = c.obs.holder(*own)
			}
		}
		for _, f := range found {
			if listed++; listed > maxOfPool {
				more++
				continue
			}
			c.found = append(c.found, f)
		}
	}
	if more > 0 {
		f := row.finding(Taken, ports.Error, fmt.Sprintf("%d more of its numbers are taken", more))
		f.Remedies = []string{"see the others of this pool"}
		c.found = append(c.found, f)
	}
	return holder, held
}

// number finds who has one number of a row.
func (c *check) number(row Row, port ports.Port) (found []Finding, own *Socket) {
	var listeners, others []Socket
	for _, s := range c.on(row.Protocol, port) {
		if row.meets(s) == apart {
			continue
		}
		if s.Listens {
			listeners = append(listeners, s)
		} else {
			others = append(others, s)
		}
	}
	for i, s := range listeners {
		if c.ours(row, s) {
			own = &listeners[i]
			if row.Scope == ports.SameHost && !s.Local.Addr().IsLoopback() {
				found = append(found, c.exposedToOthers(row, s))
			}
		} else {
			found = append(found, c.foreign(row, port, s))
		}
	}
	if own != nil {
		for i := range found {
			if found[i].State == Taken {
				found[i].State = Shadowed
				found[i].Note += "; Reeve has " + own.Local.String() + ", and who asks for the other address reaches the other program"
			}
		}
	}
	if len(listeners) == 0 && len(others) > 0 {
		// Connections that a listener accepted stand beside it, and go when it goes.
		found = append(found, c.connected(row, port, others))
	}
	if len(found) == 0 && own == nil {
		found = c.attempted(row, port)
	}
	return found, own
}

// on returns the sockets of a port.
func (c *check) on(protocol ports.Protocol, port ports.Port) []Socket {
	return c.byPort[end{protocol, port}]
}

// end is a port of one transport.
type end struct {
	protocol ports.Protocol
	port     ports.Port
}

// tried is what an attempt was about.
type tried struct {
	service  string
	protocol ports.Protocol
	port     ports.Port
}

// ours reports whether a listener is Reeve's: one of its programs has it, or a lease names it and nobody else has it.
func (c *check) ours(row Row, s Socket) bool {
	if slices.ContainsFunc(s.Owners, c.reeve) {
		return true
	}
	for _, l := range c.ask.Own.Leases {
		if l.Protocol != s.Protocol || l.Port != ports.Port(s.Local.Port()) || !row.leased() {
			continue
		}
		if len(s.Owners) == 0 || l.PID == 0 {
			return true
		}
		for _, w := range s.Owners {
			// The owner of a lease is the one who was granted it; what listens is often its child, or a job.
			if w.PID == l.PID || w.Parent == l.PID || w.Job != "" {
				return true
			}
		}
	}
	return false
}

// reeve reports whether a process runs Reeve's own program.
func (c *check) reeve(w Process) bool {
	return slices.Contains(c.ask.Own.PIDs, w.PID) || w.Path != "" && slices.Contains(c.ask.Own.Programs, w.Path)
}

// foreign says who has a number of a row.
func (c *check) foreign(row Row, port ports.Port, s Socket) Finding {
	f := row.finding(Taken, ports.Error, "")
	f.Holder = c.obs.holder(s)
	f.Note = f.Holder.Address + " is held by " + f.Holder.String()
	if len(s.Owners) > 1 {
		f.Note += fmt.Sprintf(" and %d more", len(s.Owners)-1)
	}
	f.Remedies = []string{c.moveOther(row, port, f.Holder), c.another(row)}
	switch {
	case row.leased():
		f.Port, f.Last, f.State = port, 0, Unplanned
		f.Note += ", inside the pool " + row.pool()
		f.Remedies[1] = c.around(row, port)
		if f.Holder.Job != "" {
			f.Note += ", without a lease"
			f.Remedies[0] = "let the job ask for a port of the pool (ports: in the net, or `reeve ports lease`)"
		}
	case c.inherited(s):
		f.State = Ghost
		f.Note = f.Holder.Address + " is held by children alone, first " + f.Holder.String() + ": connects succeed, and Reeve does not answer"
		if s.Waiting > 0 {
			f.Note += fmt.Sprintf("; %d connections wait", s.Waiting)
		}
		f.Remedies[0] = "end that process, or wait for its end: it inherited the socket"
	case row.meets(s) == partly:
		f.State = Shadowed
		if s.Local.Addr().IsUnspecified() {
			f.Note += ": it has every address, also " + address(row.Addresses)
		} else {
			f.Note += ": a listener on all addresses cannot stand beside it"
			f.Remedies = append(f.Remedies, "or let Reeve's row listen on other addresses alone (inventory: bind)")
		}
	}
	return f
}

// inherited reports whether a listener is held by children of Reeve, and by nobody else.
func (c *check) inherited(s Socket) bool {
	for _, w := range s.Owners {
		if w.Job == "" && !slices.Contains(c.ask.Own.PIDs, w.Parent) && !c.reeveName(w.ParentProgram) {
			return false
		}
	}
	return len(s.Owners) > 0
}

// exposedToOthers says that a row for this host alone listens for others too.
func (c *check) exposedToOthers(row Row, s Socket) Finding {
	f := row.finding(Unplanned, ports.Error, "the row is for this host alone, and "+s.Local.String()+" can be reached by others")
	f.Holder = c.obs.holder(s)
	f.Remedies = []string{"let it listen on a loopback address"}
	return f
}

// connected says that a port is no listener's and still taken: it is the source of a connection (F34, F40), or bound
// and silent.
func (c *check) connected(row Row, port ports.Port, all []Socket) Finding {
	s := all[0]
	f := row.finding(Taken, ports.Error, "")
	f.Port, f.Last = port, 0
	f.Holder = c.obs.holder(s)
	if s.Remote.IsValid() {
		f.Note = f.Holder.String() + " has it as its end of a connection to " + s.Remote.String() + "; it is free when that has ended"
	} else {
		f.Note = f.Holder.String() + " has bound " + s.Local.String() + " and does not listen"
	}
	f.Remedies = []string{c.moveOther(row, port, f.Holder), c.another(row)}
	if s.Remote.IsValid() {
		f.Remedies[0] = "end that connection, or wait for its end"
	}
	if row.leased() {
		f.Remedies[1] = c.around(row, port)
	}
	return f
}

// attempted says what became of really binding a number that looked free.
func (c *check) attempted(row Row, port ports.Port) []Finding {
	var found []Finding
	for _, a := range c.attempts[tried{row.Service, row.Protocol, port}] {
		switch a.Outcome {
		case Bound:
			continue
		case InUse:
			f := row.finding(Taken, ports.Error, "it cannot be bound: "+a.Text+"; its holder cannot be seen, or it has just been closed (TIME_WAIT)")
			if a.Holder != nil {
				f.Holder = c.obs.holder(*a.Holder)
				f.Note = a.Text + ": " + f.Holder.String()
			}
			f.Port, f.Last = port, 0
			f.Remedies = []string{"find and move the other program, or try again in a minute", c.another(row)}
			found = append(found, f)
		case Denied:
			found = append(found, c.noPermission(row, "it cannot be bound: "+a.Text))
		case NotLocal:
			f := row.finding(NotHere, ports.Error, "it cannot be bound: "+a.Text)
			f.Remedies = []string{"write an address of this host under bind"}
			found = append(found, f)
		case Failed:
			found = append(found, row.finding(Unclear, ports.Error, "it cannot be bound: "+a.Text))
		}
	}
	return found
}
