package dialect

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// PortsConfig is a PortsConfig.cfg with every byte of it: one line a service, `ServiceName PortRange_1;PortRange_2;…
// [HostName] [IPAddress]` (arcserve.md, other material).
type PortsConfig struct {
	Lines []PortsConfigLine
}

// PortsConfigLine is one line; Key is empty for a comment, an empty line, or one that cannot be read.
type PortsConfigLine struct {
	textLine
	Key     string
	Ranges  []ports.Range // none: only the name stands there
	Host    string        // empty: every host
	Address netip.Addr    // the zero address: not given
	Line    int
	column  int // of the numbers
}

// AllRPC stands alone and says that every RPC service has a number of the system's choice.
const AllRPC = "RPCServices"

// ParsePortsConfig reads a PortsConfig.cfg. Lines that cannot be read are reported and kept.
func ParsePortsConfig(file string, data []byte) (PortsConfig, []ports.Diagnostic) {
	f := &findings{file: file}
	var p PortsConfig
	type key struct{ name, host, address string }
	seen := map[key]int{}
	for i, text := range splitLines(f.tooLarge(data)) {
		l := PortsConfigLine{textLine: text, Line: i + 1}
		if l.read(f) {
			k := key{strings.ToLower(l.Key), strings.ToLower(l.Host), l.Address.String()}
			if before, ok := seen[k]; ok {
				f.error(ports.BadLine, l.Line, 1, l.Key+" stands in line "+strconv.Itoa(before)+" already, for the same host", "keep one: the first one counts")
				l.Key = ""
			} else {
				seen[k] = l.Line
			}
		}
		p.Lines = append(p.Lines, l)
	}
	return p, f.all()
}

// read takes one line apart, and reports what is wrong with it.
func (l *PortsConfigLine) read(f *findings) bool {
	const form = "write NAME PORT[-PORT][;PORT[-PORT]…] [HOST] [ADDRESS]"
	text := l.Text
	if l.Line == 1 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	all := words(text)
	if len(all) == 0 || strings.HasPrefix(all[0].text, ";") || strings.HasPrefix(all[0].text, "#") {
		return false
	}
	name := all[0]
	if strings.Trim(name.text, letters+"0123456789_.-") != "" || !strings.ContainsAny(name.text[:1], letters) {
		f.error(ports.BadLine, l.Line, name.column, strconv.Quote(clip(name.text))+" is no service name", form)
		return false
	}
	rest := all[1:]
	if len(rest) > 0 && strings.Trim(rest[0].text, "0123456789;-") == "" {
		ranges, ok := portRanges(f, l.Line, rest[0])
		if !ok {
			return false
		}
		l.Ranges, l.column, rest = ranges, rest[0].column, rest[1:]
	}
	host, address, ok := hostAndAddress(f, l.Line, rest)
	if !ok {
		return false
	}
	l.Key, l.Host, l.Address = name.text, host, address
	return true
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// portRanges reads numbers and intervals between semicolons; one at the end is allowed.
func portRanges(f *findings, line int, w word) ([]ports.Range, bool) {
	var all []ports.Range
	column := w.column
	for item := range strings.SplitSeq(strings.TrimSuffix(w.text, ";"), ";") {
		r, wrong := interval(item)
		if wrong != "" {
			f.error(ports.BadLine, line, column, wrong, "write PORT or FIRST-LAST, with ; between")
			return nil, false
		}
		all = append(all, r)
		column += len(item) + 1
	}
	return all, true
}

// interval reads PORT or FIRST-LAST.
func interval(s string) (ports.Range, string) {
	first, last, two := strings.Cut(s, "-")
	a, wrong := number(first)
	if wrong != "" {
		return ports.Range{}, wrong
	}
	b := a
	if two {
		if b, wrong = number(last); wrong != "" {
			return ports.Range{}, wrong
		}
	}
	if b < a {
		return ports.Range{}, "the range " + clip(s) + " is reversed"
	}
	return ports.Range{First: a, Last: b}, ""
}

// hostAndAddress reads what may stand behind the numbers: a host, an address, or both in this order.
func hostAndAddress(f *findings, line int, rest []word) (host string, address netip.Addr, ok bool) {
	if len(rest) > 0 {
		if a, err := netip.ParseAddr(rest[0].text); err == nil {
			address, rest = a, rest[1:]
		} else if hostName(rest[0].text) {
			host, rest = rest[0].text, rest[1:]
			if len(rest) > 0 {
				a, err := netip.ParseAddr(rest[0].text)
				if err != nil {
					f.error(ports.BadLine, line, rest[0].column, strconv.Quote(clip(rest[0].text))+" is no IP address", "write an address behind the host, or nothing")
					return "", netip.Addr{}, false
				}
				address, rest = a, rest[1:]
			}
		}
	}
	if len(rest) > 0 {
		f.error(ports.BadLine, line, rest[0].column, strconv.Quote(clip(rest[0].text))+" is too much", "write NAME, numbers, host and address, in this order")
		return "", netip.Addr{}, false
	}
	return host, address, true
}

func hostName(s string) bool {
	return s != "" && len(s) <= 253 && s[0] != '-' && s[0] != '.' && strings.Trim(s, letters+"0123456789.-") == "" && strings.ContainsAny(s, letters)
}

// Bytes writes the file as it was read.
func (p PortsConfig) Bytes() []byte {
	var b strings.Builder
	for _, l := range p.Lines {
		b.WriteString(l.Text + l.End)
	}
	return []byte(b.String())
}

// written is the line without its end.
func (l PortsConfigLine) written() string {
	s := l.Key
	if len(l.Ranges) > 0 {
		s += " " + formatRanges(l.Ranges, ";")
	}
	if l.Host != "" {
		s += " " + l.Host
	}
	if l.Address.IsValid() {
		s += " " + l.Address.String()
	}
	return s
}

func formatRanges(ranges []ports.Range, between string) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = strconv.Itoa(int(r.First))
		if r.Last != r.First {
			parts[i] += "-" + strconv.Itoa(int(r.Last))
		}
	}
	return strings.Join(parts, between)
}

// NewPortsConfig makes a file of entries, one a line.
func NewPortsConfig(entries []PortsConfigLine) PortsConfig {
	var p PortsConfig
	for i, l := range entries {
		l.textLine, l.Line = textLine{Text: l.written(), End: "\r\n"}, i+1
		p.Lines = append(p.Lines, l)
	}
	return p
}
