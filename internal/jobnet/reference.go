package jobnet

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind says to what a reference refers.
type kind uint8

const (
	literal kind = iota
	param        // ${params.x}
	output       // ${jobs.NAME.outputs.x}
	runID        // ${run.id}
	nominal      // ${run.nominal}
)

// piece is a part of a text: literal text, or a reference.
type piece struct {
	kind kind
	text string // of a literal
	job  string // of an output
	name string // of a param or an output
	at   int    // column of the reference in the text, counted in characters from 1
}

// String writes a reference as it stands in a definition.
func (p piece) String() string {
	switch p.kind {
	case param:
		return "${params." + p.name + "}"
	case output:
		return "${jobs." + p.job + ".outputs." + p.name + "}"
	case runID:
		return "${run.id}"
	case nominal:
		return "${run.nominal}"
	case literal:
	}
	return p.text
}

// badReference is a "${" that is not a reference.
type badReference struct {
	at      int // column, counted in characters from 1
	message string
}

// split cuts a text into literals and references. "$${" writes "${"; every other "${" must be a reference.
// It finds every bad one; their pieces are left out.
func split(s string) (pieces []piece, bad []badReference) {
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			pieces = append(pieces, piece{kind: literal, text: text.String()})
			text.Reset()
		}
	}
	column, counted := 1, 0
	for at := 0; at < len(s); {
		next := strings.IndexByte(s[at:], '$')
		if next < 0 {
			text.WriteString(s[at:])
			break
		}
		text.WriteString(s[at : at+next])
		at += next
		switch rest := s[at:]; {
		case strings.HasPrefix(rest, "$${"):
			text.WriteString("${")
			at += len("$${")
		case strings.HasPrefix(rest, "${"):
			column += utf8.RuneCountInString(s[counted:at])
			counted = at
			p, length, message := reference(rest)
			if message != "" {
				bad = append(bad, badReference{at: column, message: message})
			} else {
				flush()
				p.at = column
				pieces = append(pieces, p)
			}
			at += length
		default:
			text.WriteByte('$')
			at++
		}
	}
	flush()
	return pieces, bad
}

const known = "${params.NAME}, ${jobs.NAME.outputs.NAME}, ${run.id} and ${run.nominal}"

// reference reads the reference at the start of s, which begins with "${". It returns how many bytes to go on by.
func reference(s string) (p piece, length int, message string) {
	end := strings.IndexByte(s, '}')
	if again := strings.Index(s[2:], "${"); end < 0 || again >= 0 && again+2 < end {
		return piece{}, 2, "a reference begins with ${ and has no }; write $${ for the two characters ${"
	}
	inside := s[2:end]
	length = end + 1
	root, rest, _ := strings.Cut(inside, ".")
	switch root {
	case "params":
		if isParamName(rest) {
			return piece{kind: param, name: rest}, length, ""
		}
	case "run":
		switch rest {
		case "id":
			return piece{kind: runID}, length, ""
		case "nominal":
			return piece{kind: nominal}, length, ""
		}
	case "jobs":
		job, rest, _ := strings.Cut(rest, ".")
		outputs, name, _ := strings.Cut(rest, ".")
		if isJobName(job) && outputs == "outputs" && isOutputName(name) {
			return piece{kind: output, job: job, name: name}, length, ""
		}
	}
	return piece{}, length, fmt.Sprintf("%q is not a reference: there are %s; write $${ for the two characters ${", clip("${"+inside+"}"), known)
}
