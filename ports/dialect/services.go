package dialect

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/ports"
)

// ServicesFile is a services file (services(5), and the file of that name on Windows) with every byte of it.
type ServicesFile struct {
	Lines []ServicesLine
}

// ServicesLine is one line: an entry, a comment, an empty line, or one that cannot be read.
type ServicesLine struct {
	textLine
	Entry ServicesEntry // the zero entry for a line that has none
}

// ServicesEntry is a name with its number.
type ServicesEntry struct {
	Name     string
	Port     ports.Port
	Protocol ports.Protocol // tcp, udp, or another that no plan covers; in lower case
	Aliases  []string
	Comment  string // what stands behind the #, trimmed
	Line     int    // from 1; 0 for an entry that was not read
}

// ParseServices reads a services file. Lines that are none are reported and kept: Bytes of the result is data, up to
// the size that is read. Names are compared without case (RFC 6335), though some systems do not.
func ParseServices(file string, data []byte) (ServicesFile, []ports.Diagnostic) {
	f := &findings{file: file}
	var parsed ServicesFile
	lines := splitLines(f.tooLarge(data))
	for i, line := range lines {
		parsed.Lines = append(parsed.Lines, ServicesLine{textLine: line, Entry: servicesEntry(f, line.Text, i+1)})
	}
	if n := len(lines); n > 0 && lines[n-1].End == "" && parsed.Lines[n-1].Entry.Name != "" {
		f.warn(ports.BadLine, n, utf8.RuneCountInString(lines[n-1].Text)+1, "the last line does not end: an old reader leaves it out", "end it with a newline")
	}
	f.twice(parsed)
	return parsed, f.all()
}

// servicesEntry reads one line, and reports what is wrong with it.
func servicesEntry(f *findings, text string, line int) ServicesEntry {
	const form = "write NAME NUMBER/PROTOCOL [ALIAS…] [# COMMENT]"
	bom := 0
	if line == 1 && strings.HasPrefix(text, "\ufeff") {
		text, bom = strings.TrimPrefix(text, "\ufeff"), 1
	}
	body, comment, _ := strings.Cut(text, "#")
	all := words(body)
	if len(all) == 0 {
		return ServicesEntry{}
	}
	if len(all) == 1 {
		f.error(ports.BadLine, line, bom+all[0].column, "the name "+clip(all[0].text)+" has no number", form)
		return ServicesEntry{}
	}
	num, proto, slash := strings.Cut(all[1].text, "/")
	port, wrong := number(num)
	switch {
	case !slash || proto == "":
		f.error(ports.BadLine, line, bom+all[1].column, strconv.Quote(clip(all[1].text))+" is no NUMBER/PROTOCOL", form)
		return ServicesEntry{}
	case wrong != "":
		f.error(ports.BadLine, line, bom+all[1].column, wrong, form)
		return ServicesEntry{}
	case strings.Trim(strings.ToLower(proto), "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		f.error(ports.BadLine, line, bom+all[1].column+len(num)+1, strconv.Quote(clip(proto))+" is no protocol", form)
		return ServicesEntry{}
	}
	for _, w := range append([]word{all[0]}, all[2:]...) {
		if !serviceName(w.text) {
			f.error(ports.BadLine, line, bom+w.column, strconv.Quote(clip(w.text))+" is no service name", "use letters, digits and hyphens")
			return ServicesEntry{}
		}
	}
	e := ServicesEntry{Name: all[0].text, Port: port, Protocol: ports.Protocol(strings.ToLower(proto)), Comment: strings.TrimSpace(comment), Line: line}
	for _, w := range all[2:] {
		e.Aliases = append(e.Aliases, w.text)
	}
	return e
}

// serviceName reports whether a word can be a name: printable characters of ASCII, without braces, in which the name of
// a plan's row has variables.
func serviceName(s string) bool {
	const longest = 100
	return len(s) <= longest && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' })
}

// twice reports names that stand for two numbers of one protocol: a reader takes the first line, another product may
// have meant the second.
func (f *findings) twice(s ServicesFile) {
	type key struct {
		name     string
		protocol ports.Protocol
	}
	first := map[key]ServicesEntry{}
	for _, l := range s.Lines {
		for _, name := range l.Entry.names() {
			k := key{strings.ToLower(name), l.Entry.Protocol}
			before, ok := first[k]
			switch {
			case !ok:
				first[k] = l.Entry
			case before.Line == l.Entry.Line:
			case before.Port != l.Entry.Port:
				f.warn(ports.BadLine, l.Entry.Line, 1, "the name "+clip(name)+" has the number "+l.Entry.number()+" here and "+before.number()+" in line "+
					strconv.Itoa(before.Line), "readers take the first")
			default:
				f.warn(ports.BadLine, l.Entry.Line, 1, "the name "+clip(name)+" stands for "+l.Entry.number()+" in line "+strconv.Itoa(before.Line)+" already", "keep one")
			}
		}
	}
}

// names are the entry's name and its aliases; none for the zero entry.
func (e ServicesEntry) names() []string {
	if e.Name == "" {
		return nil
	}
	return append([]string{e.Name}, e.Aliases...)
}

// number prints NUMBER/PROTOCOL.
func (e ServicesEntry) number() string { return strconv.Itoa(int(e.Port)) + "/" + string(e.Protocol) }

// Called reports whether the entry has a name, or an alias, without regard to case.
func (e ServicesEntry) Called(name string) bool {
	return slices.ContainsFunc(e.names(), func(n string) bool { return strings.EqualFold(n, name) })
}

// Bytes writes the file as it was read.
func (s ServicesFile) Bytes() []byte {
	var b strings.Builder
	for _, l := range s.Lines {
		b.WriteString(l.Text + l.End)
	}
	return []byte(b.String())
}

// Entries returns the entries in the order of the file.
func (s ServicesFile) Entries() []ServicesEntry {
	var all []ServicesEntry
	for _, l := range s.Lines {
		if l.Entry.Name != "" {
			all = append(all, l.Entry)
		}
	}
	return all
}

// Number returns the entry that a reader finds for a name: the first one.
func (s ServicesFile) Number(name string, protocol ports.Protocol) (ServicesEntry, bool) {
	for _, l := range s.Lines {
		if l.Entry.Name != "" && l.Entry.Protocol == protocol && l.Entry.Called(name) {
			return l.Entry, true
		}
	}
	return ServicesEntry{}, false
}

// Name returns the entry that a reader finds for a number: the first one.
func (s ServicesFile) Name(port ports.Port, protocol ports.Protocol) (ServicesEntry, bool) {
	for _, l := range s.Lines {
		if l.Entry.Name != "" && l.Entry.Protocol == protocol && l.Entry.Port == port {
			return l.Entry, true
		}
	}
	return ServicesEntry{}, false
}

// Text writes an entry as a line without its end: two columns, as these files are written by hand.
func (e ServicesEntry) Text() string {
	s := e.Name + strings.Repeat("\t", max(1, 2-len(e.Name)/8)) + e.number()
	if len(e.Aliases) > 0 {
		s += "\t" + strings.Join(e.Aliases, " ")
	}
	if e.Comment != "" {
		s += "\t# " + e.Comment
	}
	return s
}

// NewServices makes a file of entries, one a line.
func NewServices(entries []ServicesEntry) ServicesFile {
	var s ServicesFile
	for _, e := range entries {
		s.Lines = append(s.Lines, ServicesLine{textLine: textLine{Text: e.Text(), End: "\n"}, Entry: e})
	}
	return s
}
