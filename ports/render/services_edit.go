package render

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ServicesEdit is what becomes of a services file.
type ServicesEdit struct {
	Text      []byte            // the whole file as it shall be; with conflicts as it is
	Added     []ServiceLine     // lines that it did not have
	Removed   []string          // lines of the plan's block that it no longer has
	Present   []ServiceLine     // planned lines that others have entered already; they stay theirs
	Shared    []ServiceConflict // others' names for a planned number: the name that stands first is the one that programs see
	Conflicts []ServiceConflict // others' numbers for a planned name: nothing is written
}

// ServiceConflict is a line of others that does not go with a planned one.
type ServiceConflict struct {
	Line ServiceLine `json:"line"` // the plan's
	Name string      `json:"name"` // theirs
	Port ports.Port  `json:"port"` // theirs
	At   int         `json:"at"`   // the line of the file, from 1
}

// What is wrong with a services file itself.
var (
	ErrBlock = errors.New("the plan's block is damaged")
	ErrText  = errors.New("not a text of single-byte lines")
)

// EditServices adds the plan's block to a services file or brings it up to date; with Input.Undo it takes the block
// back, and the file is what it was before. All other lines stay as they are, with their ends. Doing it again changes
// nothing.
func EditServices(file []byte, in Input) (ServicesEdit, error) {
	if bytes.IndexByte(file, 0) >= 0 {
		return ServicesEdit{}, fmt.Errorf("%w: it has a zero byte; is it UTF-16?", ErrText)
	}
	before, block, after, err := splitBlock(file, identifier(in.Site.Compiled))
	if err != nil {
		return ServicesEdit{}, err
	}
	edit := ServicesEdit{Text: file}
	var lines []ServiceLine
	if !in.Undo {
		var missing *Omitted
		if lines, err = in.serviceLines(); err != nil && !errors.As(err, &missing) {
			return ServicesEdit{}, err
		}
		lines = edit.compare(lines, before, after, bytes.Count(block, []byte("\n")))
	}
	edit.changes(lines, block)
	if len(edit.Conflicts) > 0 {
		return edit, err
	}
	edit.Text = in.withBlock(before, block, after, lines)
	return edit, err
}

// splitBlock finds the plan's block. The block is empty where there is none.
func splitBlock(file []byte, name string) (before, block, after []byte, err error) {
	begin, end := -1, -1
	at := 0
	for n, line := range bytes.SplitAfter(file, []byte("\n")) {
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case strings.HasPrefix(text, "# BEGIN "+name+":") && begin < 0:
			begin = at
		case strings.HasPrefix(text, "# BEGIN "+name+":"), text == "# END "+name && (begin < 0 || end >= 0):
			return nil, nil, nil, fmt.Errorf("%w: line %d: %q stands here a second time, or without the other mark: remove what is left over of it by hand", ErrBlock, n+1, text)
		case text == "# END "+name:
			end = at + len(line)
		}
		at += len(line)
	}
	if begin < 0 {
		return file, nil, nil, nil
	}
	if end < 0 {
		return nil, nil, nil, fmt.Errorf("%w: it has a line %q and no line %q: remove what is left over of it by hand", ErrBlock, "# BEGIN "+name, "# END "+name)
	}
	return file[:begin], file[begin:end], file[end:], nil
}

// compare looks at the lines of others, and returns the planned lines that are still to be entered.
func (e *ServicesEdit) compare(lines []ServiceLine, before, after []byte, skipped int) []ServiceLine {
	foreign := append(foreignLines(before, 1), foreignLines(after, 1+bytes.Count(before, []byte("\n"))+skipped)...)
	byName, byPort := map[string][]foreignLine{}, map[string][]foreignLine{}
	for _, f := range foreign {
		for _, name := range f.names {
			byName[strings.ToLower(name)+"/"+f.protocol] = append(byName[strings.ToLower(name)+"/"+f.protocol], f)
		}
		key := fmt.Sprintf("%d/%s", f.port, f.protocol)
		byPort[key] = append(byPort[key], f)
	}
	var out []ServiceLine
	for _, l := range lines {
		named := byName[strings.ToLower(l.Name)+"/"+string(l.Protocol)]
		if len(named) > 0 && named[0].port == l.Port {
			e.Present = append(e.Present, l)
			continue
		}
		if len(named) > 0 {
			e.Conflicts = append(e.Conflicts, ServiceConflict{l, named[0].names[0], named[0].port, named[0].at})
		} else if others := byPort[fmt.Sprintf("%d/%s", l.Port, l.Protocol)]; len(others) > 0 {
			e.Shared = append(e.Shared, ServiceConflict{l, others[0].names[0], l.Port, others[0].at})
		}
		out = append(out, l)
	}
	return out
}

// foreignLine is a line of others.
type foreignLine struct {
	names    []string
	port     ports.Port
	protocol string
	at       int
}

func foreignLines(text []byte, first int) []foreignLine {
	var out []foreignLine
	for n, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		number, protocol, _ := strings.Cut(words[1], "/")
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			continue
		}
		out = append(out, foreignLine{append([]string{words[0]}, words[2:]...), ports.Port(port), strings.ToLower(protocol), first + n})
	}
	return out
}

// changes says which lines the block gains and loses.
func (e *ServicesEdit) changes(lines []ServiceLine, block []byte) {
	had := map[string]bool{}
	old := strings.Split(strings.TrimRight(strings.ReplaceAll(string(block), "\r\n", "\n"), "\n"), "\n")
	if len(old) > 2 {
		old = old[1 : len(old)-1]
	} else {
		old = nil
	}
	for _, l := range old {
		had[l] = true
	}
	for _, l := range lines {
		if !had[l.String()] {
			e.Added = append(e.Added, l)
		}
		delete(had, l.String())
	}
	for _, l := range old {
		if had[l] {
			e.Removed = append(e.Removed, l)
		}
	}
}

// withBlock puts the file together again.
func (in Input) withBlock(before, block, after []byte, lines []ServiceLine) []byte {
	head, _, _ := bytes.Cut(block, []byte("\n"))
	joined := strings.HasSuffix(strings.TrimRight(string(head), "\r"), newlineAdded)
	end := lineEnd(append(append([]byte{}, before...), after...), in.system())
	if len(block) > 0 { // what was added once is the block's own end, and stays so
		end = lineEnd(block, in.system())
	}
	if len(lines) == 0 {
		if joined && len(after) == 0 {
			before = bytes.TrimSuffix(before, []byte(end))
		}
		return append(append([]byte{}, before...), after...)
	}
	out := append([]byte{}, before...)
	if n := len(out); n > 0 && out[n-1] != '\n' {
		out, joined = append(out, end...), true
	}
	return append(append(out, in.serviceBlock(lines, joined, end)...), after...)
}

// lineEnd is the one that most lines of the file have; where it has none, the system's.
func lineEnd(file []byte, system string) string {
	all, crlf := bytes.Count(file, []byte("\n")), bytes.Count(file, []byte("\r\n"))
	if crlf*2 > all || all == 0 && system == "windows" {
		return "\r\n"
	}
	return "\n"
}
