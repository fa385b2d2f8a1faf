package dialect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// UsedPorts is a USED_CONTAINER_PORTS with every byte of it: lines of `name port address`, appended one after the
// other (acs.md). A name may contain a /.
type UsedPorts struct {
	Lines []UsedPort
}

// UsedPort is one line; Name is empty for an empty line, or one that cannot be read.
type UsedPort struct {
	textLine
	Name    string
	Port    ports.Port
	Address string // of the container's host: an address, or its name
	Line    int
}

// Lease is a lease to be: a number that a name has, whether its process runs or not.
type Lease struct {
	Name     string         `json:"name"`
	Pool     string         `json:"pool"`
	Protocol ports.Protocol `json:"protocol"`
	Port     ports.Port     `json:"port"`
	Host     string         `json:"host"` // an address, or a name
	Instance int            `json:"instance"`
	Place    ports.Place    `json:"-"`
}

// ParseUsedPorts reads a USED_CONTAINER_PORTS. Short lines, long ones, names and numbers that stand twice are reported
// and kept: for a name the first line counts, as it does there.
func ParseUsedPorts(file string, data []byte) (UsedPorts, []ports.Diagnostic) {
	f := &findings{file: file}
	var u UsedPorts
	names, numbers := map[string]UsedPort{}, map[string]UsedPort{}
	lines := splitLines(f.tooLarge(data))
	for i, text := range lines {
		l := UsedPort{textLine: text, Line: i + 1}
		if l.read(f) {
			where := strconv.Itoa(int(l.Port)) + " " + strings.ToLower(l.Address)
			if before, ok := names[l.Name]; ok {
				f.error(ports.BadLine, l.Line, 1, fmt.Sprintf("the name %s has %d on %s in line %d already", clip(l.Name), before.Port, clip(before.Address), before.Line), "keep one line: the first one counts")
				l.Name = ""
			} else if before, ok := numbers[where]; ok {
				f.error(ports.BadLine, l.Line, 1, fmt.Sprintf("%d on %s is %s's in line %d already", l.Port, clip(l.Address), clip(before.Name), before.Line), "keep one line: the first one counts")
				l.Name = ""
			} else {
				names[l.Name], numbers[where] = l, l
			}
		}
		u.Lines = append(u.Lines, l)
	}
	if n := len(lines); n > 0 && lines[n-1].End == "" {
		f.warn(ports.BadLine, n, len([]rune(lines[n-1].Text))+1, "the last line does not end: what is appended next would be joined to it", "end it with a newline")
	}
	return u, f.all()
}

func (l *UsedPort) read(f *findings) bool {
	const form = "write NAME PORT ADDRESS"
	all := words(l.Text)
	switch {
	case len(all) == 0:
		return false
	case len(all) < 3:
		f.error(ports.BadLine, l.Line, all[len(all)-1].column, fmt.Sprintf("the line has %d words, and needs three", len(all)), form)
		return false
	case len(all) > 3:
		f.error(ports.BadLine, l.Line, all[3].column, fmt.Sprintf("the line has %d words, and three are read", len(all)), form)
		return false
	}
	port, wrong := number(all[1].text)
	if wrong != "" {
		f.error(ports.BadLine, l.Line, all[1].column, wrong, form)
		return false
	}
	if !leaseName(all[0].text) {
		f.error(ports.BadLine, l.Line, all[0].column, strconv.Quote(clip(all[0].text))+" is no name for a lease", "a name has 1 to 128 printable characters, without : and =")
		return false
	}
	if strings.Trim(all[2].text, letters+"0123456789.-:%") != "" {
		f.error(ports.BadLine, l.Line, all[2].column, strconv.Quote(clip(all[2].text))+" is no address", form)
		return false
	}
	l.Name, l.Port, l.Address = all[0].text, port, all[2].text
	return true
}

// leaseName reports whether the ledger takes a name.
func leaseName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == ':' || c == '=' {
			return false
		}
	}
	return true
}

// Bytes writes the file as it was read.
func (u UsedPorts) Bytes() []byte {
	var b strings.Builder
	for _, l := range u.Lines {
		b.WriteString(l.Text + l.End)
	}
	return []byte(b.String())
}

// Part turns the lines into leases of a pool. A number that the pool does not have, as an odd one among the even
// numbers of containers, is reported and left out: it would leave the range.
func (u UsedPorts) Part(file string, over ports.Compiled, pool string) (Part, []ports.Diagnostic) {
	f := &findings{file: file}
	var part Part
	for _, l := range u.Lines {
		if l.Name == "" {
			continue
		}
		protocol, has, why := poolHas(over, pool, l.Port)
		if !has {
			column := strings.Index(l.Text, " "+strconv.Itoa(int(l.Port))) + 2
			f.error(ports.BadLine, l.Line, max(column, 1), fmt.Sprintf("%s has %d, which %s", clip(l.Name), l.Port, why), "see whether the instance is right (--instance), or give the container a number of the pool")
			continue
		}
		part.Leases = append(part.Leases, Lease{
			Name: l.Name, Pool: pool, Protocol: protocol, Port: l.Port, Host: l.Address, Instance: over.Instance, Place: ports.Place{File: file, Line: l.Line, Column: 1},
		})
	}
	return part, f.all()
}

// poolHas reports whether a number is one of a pool's, and if not, why.
func poolHas(c ports.Compiled, pool string, p ports.Port) (protocol ports.Protocol, has bool, why string) {
	why = "is in no pool: the plan has no pool " + pool
	for _, cl := range c.Claims {
		if (!cl.Pool || cl.Service != pool) && cl.Pair != pool || cl.Status == ports.Inactive {
			continue
		}
		inside := cl.Port != 0 && p >= cl.Port && p <= max(cl.Port, cl.Last)
		fits := cl.Parity == "" || (cl.Parity == ports.Even) == (p%2 == 0)
		switch {
		case inside && fits && cl.Pair == "":
			return cl.Protocol, true, ""
		case inside && fits:
			return "", false, "is one of the second numbers of " + pool + " (" + cl.Service + "), not a first one"
		case cl.Pair == "" && inside:
			why = "is odd, and " + pool + " has even numbers"
			if cl.Parity == ports.Odd {
				why = "is even, and " + pool + " has odd numbers"
			}
		case cl.Pair == "" && !strings.Contains(why, " numbers"):
			why = "is outside " + pool + ", " + formatRanges([]ports.Range{{First: cl.Port, Last: max(cl.Port, cl.Last)}}, "") + " in instance " + strconv.Itoa(c.Instance)
		}
	}
	return "", false, why
}

// NewUsedPorts writes leases as the file has them. Those whose name or host cannot stand there are left out.
func NewUsedPorts(leases []Lease) UsedPorts {
	var u UsedPorts
	for _, l := range leases {
		host := l.Host
		if host == "" || strings.ContainsFunc(host+l.Name, func(r rune) bool { return r <= ' ' }) || l.Name == "" {
			continue
		}
		line := UsedPort{Name: l.Name, Port: l.Port, Address: host, Line: len(u.Lines) + 1}
		line.textLine = textLine{Text: l.Name + " " + strconv.Itoa(int(l.Port)) + " " + host, End: "\n"}
		u.Lines = append(u.Lines, line)
	}
	return u
}

// leases is the written form of leases that were imported.
func leases(all []Lease) Document {
	var items []any
	for _, l := range all {
		items = append(items, Document{
			{"name", l.Name}, {"pool", l.Pool}, {"protocol", string(l.Protocol)}, {"port", int(l.Port)}, {"host", l.Host}, {"instance", l.Instance},
		})
	}
	return Document{}.with("leases", items)
}
