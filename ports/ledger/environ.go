package ledger

import (
	"encoding/base64"
	"os"
	"strconv"
	"strings"
)

// The variables of a process that has leases.
const (
	portVariable  = "REEVE_PORT_"
	leaseVariable = "REEVE_LEASE_"
)

// Environment returns what a program is told of its lease: REEVE_PORT_NAME, REEVE_PORT_NAME_PAIR where it has a pair,
// and REEVE_LEASE_NAME, from which a repair knows the lease again where the ledger was lost. Names are in capitals, and
// what is no letter or digit becomes '_'.
func (g Grant) Environment() []string {
	name := variable(g.Lease.Name)
	all := []string{portVariable + name + "=" + strconv.Itoa(int(g.Lease.Port))}
	if g.Lease.Pair != 0 {
		all = append(all, portVariable+name+"_"+variable(g.Lease.PairName)+"="+strconv.Itoa(int(g.Lease.Pair)))
	}
	told := g.Lease.clone()
	told.Nonce = "" // it is secret, and an environment is not
	e := encoder{}
	e.text(g.ledger)
	e.lease(&told)
	return append(all, leaseVariable+name+"="+base64.RawURLEncoding.EncodeToString(e.b))
}

// FileNames returns a name for each of the sockets, as LISTEN_FDNAMES has them: the lease's, and NAME-PAIR.
func (g Grant) FileNames() []string {
	names := make([]string, len(g.Sockets))
	for i, s := range g.Sockets {
		names[i] = g.Lease.Name
		if s.Pair {
			names[i] += "-" + g.Lease.PairName
		}
	}
	return names
}

// variable writes a name as a part of a variable's.
func variable(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return c
		}
		return '_'
	}, name)
}

const maxEnviron = 1 << 20

// Carried is a lease that a process carries in its environment, and the ledger that granted it.
type Carried struct {
	Ledger string // its folder
	Lease
}

// carried reads the leases that processes with sockets carry. A lease counts only where its process has the number
// open: whoever makes one up blocks nothing that it does not have anyway.
func carried(listeners []Listener) []Carried {
	found := map[string]Carried{}
	begun := map[string]uint64{}
	read := map[int][]Carried{}
	for _, x := range listeners {
		for _, pid := range x.All {
			leases, ok := read[pid]
			if !ok {
				leases = environOf(pid)
				read[pid] = leases
			}
			start, _, err := startOf(pid)
			if err != nil {
				continue
			}
			for _, l := range leases {
				obs := Observation{Listeners: []Listener{x}}
				if obs.has(&l.Lease) == nil {
					continue
				}
				// Children inherit the variable: the eldest is the owner.
				if _, ok := found[l.ID]; ok && begun[l.ID] <= start {
					continue
				}
				kind := l.Owner
				l.Owner = Process(kind.Kind, kind.ID, pid)
				l.Owner.Attempt = kind.Attempt
				found[l.ID], begun[l.ID] = l, start
			}
		}
	}
	all := make([]Carried, 0, len(found))
	for _, l := range found {
		all = append(all, l)
	}
	return all
}

// environOf returns the leases in a process's environment; none if it cannot be read.
func environOf(pid int) []Carried {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil
	}
	var all []Carried
	for entry := range strings.SplitSeq(string(b[:min(len(b), maxEnviron)]), "\x00") {
		if !strings.HasPrefix(entry, leaseVariable) || len(all) == maxTogether {
			continue
		}
		_, text, _ := strings.Cut(entry, "=")
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		d := decoder{b: raw}
		if c := (Carried{Ledger: d.text(), Lease: d.lease()}); d.err == nil && c.sensible() {
			all = append(all, c)
		}
	}
	return all
}

// sensible reports whether a lease that came from outside could be one.
func (l *Lease) sensible() bool {
	return l.Port != 0 && goodName(l.Name) && l.ID != "" && len(l.ID) <= maxName && len(l.Pool) <= maxName && len(l.Protocol) > 0 && len(l.Protocol) <= 2 &&
		l.State.live() && l.HoldFor >= 0 && l.TTL >= 0
}
