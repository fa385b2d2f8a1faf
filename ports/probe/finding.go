package probe

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// State is what was found about a row on a host.
type State string

// The states. A row that is Free or Ours and has no error is mentioned once; any other has one finding for each thing
// that is wrong.
const (
	Free         State = "free"          // nobody has it
	Ours         State = "ours"          // Reeve has it, or one of its leases
	Taken        State = "taken"         // somebody else has it
	Shadowed     State = "shadowed"      // somebody else has a part of its addresses, or all of one where the row names one
	Ghost        State = "ghost"         // only children have it: connects succeed and nobody answers (F55)
	Ephemeral    State = "ephemeral"     // the system may give it to an outgoing connection
	NotHere      State = "not-local"     // its address is not one of this host
	NoPermission State = "no-permission" // the system does not let us
	Excluded     State = "excluded"      // the system keeps it for itself (F51)
	ServicesFile State = "services-file" // the services file says something else
	Unplanned    State = "unplanned"     // somebody listens without a row, or without a lease
	Drift        State = "drift"         // what holds now is not what will hold after the next start (F35)
	Labelled     State = "label"         // SELinux calls it something
	NotSeen      State = "unseen"        // something could not be looked at
	Unclear      State = "unknown"       // nothing is known of the row
)

// Finding is one thing about one row of the plan on this host, or about a socket that has none.
type Finding struct {
	ID       string         `json:"id"`      // the row's; empty: there is none
	Service  string         `json:"service"` // the row's name
	Port     ports.Port     `json:"port"`    // 0: the finding is about the host
	Last     ports.Port     `json:"last,omitempty"`
	Protocol ports.Protocol `json:"protocol"`
	Address  string         `json:"address"` // on which the row listens; * is all
	State    State          `json:"state"`
	Severity ports.Severity `json:"severity"`
	Holder   *Holder        `json:"holder"`
	Remedies []string       `json:"remedies"`
	Sysctl   *string        `json:"sysctl"` // the line that keeps the row out of the ephemeral range, merged with what is there
	Note     string         `json:"note"`
}

// Bad reports whether the finding is one that a person must act on.
func (f Finding) Bad() bool { return f.Severity == ports.Error }

// Holder is who has a port.
type Holder struct {
	PID     *int     `json:"pid"`     // null: cannot be seen
	Program *string  `json:"program"` // null: cannot be seen
	UID     uint32   `json:"uid"`
	User    *string  `json:"user"` // null: the number has no name
	Address string   `json:"address"`
	Path    string   `json:"path,omitempty"`
	Command []string `json:"command,omitempty"`
	Job     string   `json:"job,omitempty"`
	Peer    string   `json:"peer,omitempty"` // the other end, where the port is the source of a connection
}

// String names the holder for a person.
func (h Holder) String() string {
	var s string
	if h.PID == nil {
		s = "a program that only root can see"
	} else {
		s = *h.Program + " (pid " + strconv.Itoa(*h.PID) + ")"
	}
	user := strconv.Itoa(int(h.UID))
	if h.User != nil {
		user = *h.User
	}
	s += " of user " + user
	if h.Job != "" {
		s += ", started by job " + h.Job
	}
	return s
}

// holder describes who has a socket: the first of its owners.
func (o Observation) holder(s Socket) *Holder {
	h := &Holder{UID: s.UID, Address: s.Local.String()}
	if name := o.Users[s.UID]; name != "" {
		h.User = &name
	}
	if s.Remote.IsValid() {
		h.Peer = s.Remote.String()
	}
	if len(s.Owners) > 0 {
		w := s.Owners[0]
		h.PID, h.Program, h.Path, h.Command, h.Job = &w.PID, &w.Program, w.Path, w.Command, w.Job
	}
	return h
}

// address prints the addresses of a row.
func address(all []netip.Addr) string {
	if len(all) == 0 {
		return "*"
	}
	parts := make([]string, len(all))
	for i, a := range all {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}
