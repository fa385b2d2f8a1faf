package dialect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ProcessClass is a process_class of SOS JobScheduler 1.x (jobscheduler.md, other material): on which hosts its tasks
// run, and how many at once.
type ProcessClass struct {
	Name         string
	MaxProcesses int    // 0: not given, which means 30 there
	Timeout      int    // seconds; 0: not given
	Select       string // "first", "next", or empty: not given
	Remotes      []RemoteScheduler
	Listed       bool         // the remotes stand in a list of their own, not in the class's attribute
	Other        []OtherValue // attributes that Reeve has no use for
	Line         int
}

// RemoteScheduler is one host of a process class.
type RemoteScheduler struct {
	Address   string // as it is written: "http://host1:4445", "host2:4455"
	Host      string
	Port      ports.Port
	Heartbeat int // seconds between heartbeats; 0: not given, which means 10 there
	Patience  int // seconds without one; 0: not given, which means 60 there
	Other     []OtherValue
}

// OtherValue is an attribute that is only kept.
type OtherValue struct{ Name, Value string }

const (
	defaultProcesses = 30 // of a class that says nothing
	maxDepth         = 32
	maxClasses       = 10000
)

// ParseProcessClasses reads process classes from XML: alone, several, or inside a configuration. Entities and document
// types are refused, and so is what lies deeper than anybody nests (no DTD, no expansion: what is read is what stands
// there).
func ParseProcessClasses(file string, data []byte) ([]ProcessClass, []ports.Diagnostic) {
	f := &findings{file: file}
	if len(data) > maxSize {
		f.error(ports.BadLine, 1, 1, fmt.Sprintf("the file has %d bytes, more than %d", len(data), maxSize), "split it")
		return nil, f.all()
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charset
	r := &classReader{decoder: d, f: f}
	for r.next() {
	}
	return r.classes, f.all()
}

// charset reads the encodings that such files have beside UTF-8.
func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-8", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, c := range text {
			b.WriteRune(rune(c))
		}
		return strings.NewReader(b.String()), nil
	}
	return nil, errors.New("the encoding " + clip(name) + " is not read; save it as UTF-8")
}

// classReader is one XML text that is being read.
type classReader struct {
	decoder *xml.Decoder
	f       *findings
	classes []ProcessClass
	names   map[string]int
	path    []string // the open elements
	class   bool     // the last of classes is open
	missed  bool     // one of its remote schedulers was reported
}

// next reads one token; it is false at the end, and at the first thing that makes the rest unreadable.
func (r *classReader) next() bool {
	line, column := r.decoder.InputPos()
	token, err := r.decoder.Token()
	if errors.Is(err, io.EOF) {
		return false
	}
	if err != nil {
		line, column = r.decoder.InputPos()
		r.f.error(ports.BadLine, line, column, "the XML cannot be read: "+clip(strings.TrimPrefix(err.Error(), "XML syntax error ")), "no entities but those of XML itself; every element closed")
		return false
	}
	switch t := token.(type) {
	case xml.Directive:
		r.f.error(ports.BadLine, line, column, "a document type (<!"+clip(firstWord(string(t)))+" …>) is not read: it could bring in entities", "remove it")
		return false
	case xml.StartElement:
		return r.start(t, line, column)
	case xml.EndElement:
		if r.class && t.Name.Local == "process_class" {
			r.close()
		}
		if len(r.path) > 0 {
			r.path = r.path[:len(r.path)-1]
		}
	}
	return true
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return word
}

func (r *classReader) start(t xml.StartElement, line, column int) bool {
	r.path = append(r.path, t.Name.Local)
	if len(r.path) > maxDepth {
		r.f.error(ports.BadLine, line, column, fmt.Sprintf("elements lie %d deep", len(r.path)), "a configuration lies some five deep")
		return false
	}
	switch t.Name.Local {
	case "process_class":
		if r.class {
			r.f.error(ports.BadLine, line, column, "a process_class inside another one", "close the first one")
			return false
		}
		if len(r.classes) >= maxClasses {
			r.f.error(ports.BadLine, line, column, fmt.Sprintf("more than %d process classes", maxClasses), "split the file")
			return false
		}
		r.open(t, line, column)
	case "remote_schedulers":
		if r.class {
			r.list(t, line, column)
		}
	case "remote_scheduler":
		if r.class {
			r.remote(t, line, column)
		}
	}
	return true
}

func (r *classReader) open(t xml.StartElement, line, column int) {
	c := ProcessClass{Line: line}
	r.missed = false
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "name":
			c.Name = a.Value
		case "max_processes":
			c.MaxProcesses = r.number(a, line, column)
		case "timeout":
			c.Timeout = r.number(a, line, column)
		case "remote_scheduler":
			if a.Value == "" {
				continue // nothing remote
			}
			if s, ok := r.address(a.Value, line, column); ok {
				c.Remotes = append(c.Remotes, s)
			}
		default:
			c.Other = r.keep(c.Other, a, line, column)
		}
	}
	if r.names == nil {
		r.names = map[string]int{}
	}
	if before, ok := r.names[c.Name]; ok {
		r.f.error(ports.BadLine, line, column, "the process class "+strconv.Quote(clip(c.Name))+" stands in line "+strconv.Itoa(before)+" already", "rename or remove one")
	} else {
		r.names[c.Name] = line
	}
	r.classes, r.class = append(r.classes, c), true
}

// keep adds an attribute that Reeve has no use for, if it can be written again as it stands.
func (r *classReader) keep(all []OtherValue, a xml.Attr, line, column int) []OtherValue {
	n := a.Name.Local
	if n == "" || a.Name.Space != "" || n == "xmlns" || strings.Trim(n, letters+"0123456789_.-") != "" || !strings.ContainsAny(n[:1], letters+"_") {
		r.f.warn(ports.BadLine, line, column, "the attribute "+clip(n)+" is left out", "")
		return all
	}
	return append(all, OtherValue{n, a.Value})
}

func (r *classReader) list(t xml.StartElement, line, column int) {
	c := &r.classes[len(r.classes)-1]
	if len(c.Remotes) > 0 {
		r.f.error(ports.BadLine, line, column, "the class has a remote_scheduler and a list of them", "keep the list")
	}
	c.Listed = true
	for _, a := range t.Attr {
		switch {
		case a.Name.Local == "select" && (a.Value == "first" || a.Value == "next"):
			c.Select = a.Value
		case a.Name.Local == "select":
			r.f.error(ports.BadLine, line, column, "select is "+strconv.Quote(clip(a.Value)), "it is first or next")
		default:
			r.f.warn(ports.BadLine, line, column, "the attribute "+clip(a.Name.Local)+" of remote_schedulers is left out", "")
		}
	}
}

func (r *classReader) remote(t xml.StartElement, line, column int) {
	c := &r.classes[len(r.classes)-1]
	r.missed = true
	var s RemoteScheduler
	var other []OtherValue
	heartbeat, patience, found := 0, 0, false
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "remote_scheduler":
			s, found = r.address(a.Value, line, column)
			if !found {
				return
			}
		case "http_heartbeat_period":
			heartbeat = r.number(a, line, column)
		case "http_heartbeat_timeout":
			patience = r.number(a, line, column)
		default:
			other = r.keep(other, a, line, column)
		}
	}
	if !found {
		r.f.error(ports.BadLine, line, column, "a remote_scheduler without an address", `write remote_scheduler="http://HOST:PORT"`)
		return
	}
	r.missed = false
	s.Heartbeat, s.Patience, s.Other = heartbeat, patience, other
	c.Listed = true
	c.Remotes = append(c.Remotes, s)
}

func (r *classReader) close() {
	r.class = false
	c := r.classes[len(r.classes)-1]
	if c.Listed && len(c.Remotes) == 0 && !r.missed {
		r.f.error(ports.BadLine, c.Line, 1, "the process class "+strconv.Quote(clip(c.Name))+" has an empty list of remote schedulers", "name one, or remove the list")
	}
}

// number reads an attribute that counts something.
func (r *classReader) number(a xml.Attr, line, column int) int {
	const most = 1 << 30
	n, err := strconv.Atoi(a.Value)
	if err != nil || n < 0 || n > most {
		r.f.error(ports.BadLine, line, column, a.Name.Local+" is "+strconv.Quote(clip(a.Value)), "it is a number from 0")
		return 0
	}
	return n
}

// address reads "http://HOST:PORT", "HOST:PORT", with IPv6 addresses in brackets.
func (r *classReader) address(text string, line, column int) (RemoteScheduler, bool) {
	s := RemoteScheduler{Address: text}
	rest := text
	for _, scheme := range []string{"http://", "https://"} {
		rest = strings.TrimPrefix(rest, scheme)
	}
	rest = strings.TrimSuffix(rest, "/")
	at := strings.LastIndexByte(rest, ':')
	if at < 0 {
		r.f.error(ports.BadLine, line, column, strconv.Quote(clip(text))+" names no port", "write HOST:PORT")
		return s, false
	}
	s.Host = rest[:at]
	port, wrong := number(rest[at+1:])
	s.Port = port
	inner, bracketed := strings.CutPrefix(s.Host, "[")
	if bracketed {
		inner = strings.TrimSuffix(inner, "]")
	}
	_, err := netip.ParseAddr(inner)
	switch {
	case wrong != "":
		r.f.error(ports.BadLine, line, column, wrong+" in "+strconv.Quote(clip(text)), "write HOST:PORT")
	case bracketed && err == nil, !bracketed && err == nil && !strings.Contains(inner, ":"):
		s.Host = inner
		return s, true
	case !bracketed && err != nil && hostName(s.Host):
		return s, true
	default:
		r.f.error(ports.BadLine, line, column, strconv.Quote(clip(text))+" names no host", "write HOST:PORT")
	}
	return s, false
}
