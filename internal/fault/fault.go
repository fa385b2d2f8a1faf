// Package fault answers: what kind of error is this, and what should the person who meets it do?
//
// Every error that reaches a person carries a Kind. Only the doors (command line, API, console) turn kinds
// into exit codes, statuses and pages; each has one table for it.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what class of trouble an error is.
type Kind uint8

// The kinds. The zero value is Internal: an error that nobody classified is ours.
const (
	Internal        Kind = iota // a bug or an unforeseen condition of ours
	Invalid                     // wrong use, or a document that is not valid by itself (exit 2, status 422)
	Finding                     // valid input about which something bad was found (exit 1)
	Unreachable                 // the server or the node cannot be reached (exit 3, status 502)
	Unauthenticated             // no or wrong credentials (exit 4, status 401)
	Forbidden                   // known, and not allowed (exit 4, status 403)
	NotFound                    // (exit 5, status 404)
	Conflict                    // the state of the thing does not allow it (exit 5, status 409)
	Unknown                     // what happened cannot be known (exit 6)
	Busy                        // a bounded queue is full: try again later (status 429)
	Disk                        // no room on the disk: a state, not a crash (status 507)
	Interrupted                 // the person stopped waiting (exit 130)
)

// Error is an error with a kind and one sentence that says what to do.
type Error struct {
	Kind Kind
	Msg  string // what happened, lower case, no full stop
	Fix  string // what to do; may be empty
	Err  error  // the cause; may be nil
}

// New builds an Error without a cause.
func New(kind Kind, msg, fix string) *Error { return &Error{Kind: kind, Msg: msg, Fix: fix} }

// Newf builds an Error without a fix; the message is formatted.
func Newf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// Wrap gives err a kind and says what was being done ("opening store"). A nil err stays nil.
func Wrap(kind Kind, doing string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Msg: doing, Err: err}
}

// Error returns message, cause and fix in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Msg)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Fix != "" {
		b.WriteString("; ")
		b.WriteString(e.Fix)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error or Mistakes in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var m Mistakes
	if errors.As(err, &m) {
		return Invalid
	}
	return Internal
}

// Is reports whether err is of the given kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Mistake is one thing wrong with a document, at its place. Line and Column count from 1; 0 means unknown.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Excerpt string `json:"excerpt,omitempty"` // the lines around the place, with a caret; each line indented
}

// Mistakes is every mistake of a document at once. It is an error of kind Invalid.
type Mistakes []Mistake

// Error prints each mistake as FILE:LINE:COLUMN: message, with its excerpt below.
func (m Mistakes) Error() string {
	var b strings.Builder
	for i, one := range m {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", one.File, one.Line, one.Column, one.Message)
		if one.Excerpt != "" {
			b.WriteByte('\n')
			b.WriteString(strings.TrimRight(one.Excerpt, "\n"))
		}
	}
	return b.String()
}
