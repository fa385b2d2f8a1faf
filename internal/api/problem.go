package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Problem is the body of every answer that is an error (RFC 9457, application/problem+json).
type Problem struct {
	Type     string          `json:"type" doc:"always about:blank: kind says more"`
	Title    string          `json:"title" doc:"the status in words"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail" doc:"what happened"`
	Kind     string          `json:"kind" enum:"internal,invalid,finding,unreachable,unauthenticated,forbidden,not_found,conflict,unknown,busy,disk,interrupted"`
	Fix      string          `json:"fix,omitempty" doc:"what to do"`
	Mistakes []fault.Mistake `json:"mistakes,omitempty" doc:"of a document: each mistake at its place"`
	Fields   []Field         `json:"fields,omitempty" doc:"of a request: each field that was refused"`

	retryAfter time.Duration
}

// Field is a field of a request that was refused, as the answer has it.
type Field struct {
	Name    string `json:"name" doc:"where it stands: query.limit, body.reason"`
	Message string `json:"message" doc:"what was expected"`
}

// Refused is the error of a request whose fields were refused. It is a fault, too, of kind Invalid.
type Refused struct {
	Fault  *fault.Error
	Fields []Field
}

// Error implements error.
func (r *Refused) Error() string { return r.Fault.Error() }

// Unwrap returns the fault.
func (r *Refused) Unwrap() error { return r.Fault }

const problemType = "application/problem+json"

// kinds is the one table of this door: what each kind of error is called, and the status that it is answered with.
func kinds() []kindRow {
	return []kindRow{
		{fault.Internal, "internal", http.StatusInternalServerError},
		{fault.Invalid, "invalid", http.StatusUnprocessableEntity},
		{fault.Finding, "finding", http.StatusUnprocessableEntity},
		{fault.Unreachable, "unreachable", http.StatusBadGateway},
		{fault.Unauthenticated, "unauthenticated", http.StatusUnauthorized},
		{fault.Forbidden, "forbidden", http.StatusForbidden},
		{fault.NotFound, "not_found", http.StatusNotFound},
		{fault.Conflict, "conflict", http.StatusConflict},
		{fault.Unknown, "unknown", http.StatusServiceUnavailable},
		{fault.Busy, "busy", http.StatusTooManyRequests},
		{fault.Disk, "disk", http.StatusInsufficientStorage},
		{fault.Interrupted, "interrupted", http.StatusServiceUnavailable},
	}
}

type kindRow struct {
	kind   fault.Kind
	name   string
	status int
}

func rowOf(kind fault.Kind) kindRow {
	for _, row := range kinds() {
		if row.kind == kind {
			return row
		}
	}
	return kinds()[0]
}

// KindName returns what a kind of error is called in the API.
func KindName(kind fault.Kind) string { return rowOf(kind).name }

// Status returns the status that a kind of error is answered with.
func Status(kind fault.Kind) int { return rowOf(kind).status }

const defaultRetryAfter = 5 * time.Second

// problemOf turns an error into what a client is told. What is internal stays inside: its text goes to the log only.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	// What somebody has classified says more: a dial that nobody answers is over by a deadline, too.
	if errors.Is(err, context.DeadlineExceeded) && fault.Is(err, fault.Internal) {
		err = fault.New(fault.Busy, "the server did not finish this request in time", "try again; nothing says whether it was done")
	}
	row := rowOf(fault.KindOf(err))
	p = &Problem{Type: "about:blank", Title: http.StatusText(row.status), Status: row.status, Kind: row.name}
	var known *fault.Error
	var mistakes fault.Mistakes
	switch {
	case row.kind == fault.Internal:
		p.Detail, p.Fix = "the server met an error of its own", "its log has the cause"
	case errors.As(err, &known):
		p.Fix = known.Fix
		p.Detail = strings.TrimSuffix(err.Error(), "; "+known.Fix)
	default:
		p.Detail = err.Error()
	}
	if errors.As(err, &mistakes) {
		p.Mistakes = mistakes
		p.Detail = "the document has mistakes: " + strconv.Itoa(len(mistakes))
	}
	if row.kind == fault.Busy {
		p.retryAfter = defaultRetryAfter
		var wait access.Wait
		if errors.As(err, &wait) {
			p.retryAfter = time.Duration(wait)
		}
	}
	return p
}

// problemOfStatus is for what is refused before any of ours has looked: by the router and by the checks of forms.
func problemOfStatus(status int, detail string) *Problem {
	p := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
	p.Kind = KindName(kindOfStatus(status))
	return p
}

// kindOfStatus guesses the kind where an answer does not tell it.
func kindOfStatus(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusTooManyRequests:
		return fault.Busy
	case http.StatusInsufficientStorage:
		return fault.Disk
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Unreachable
	}
	if status >= 400 && status < 500 {
		return fault.Invalid
	}
	return fault.Internal
}

// fault is the way back: the error that a client returns.
func (p *Problem) fault(status int) error {
	if len(p.Mistakes) > 0 {
		return fault.Mistakes(p.Mistakes)
	}
	e := &fault.Error{Kind: kindOfStatus(status), Msg: p.Detail, Fix: p.Fix}
	for _, row := range kinds() {
		if row.name == p.Kind {
			e.Kind = row.kind
		}
	}
	if e.Msg == "" {
		e.Msg = "the server answered " + strconv.Itoa(status) + " " + http.StatusText(status)
	}
	if len(p.Fields) > 0 {
		return &Refused{Fault: e, Fields: p.Fields}
	}
	if wait := access.Wait(p.retryAfter); strings.HasSuffix(e.Msg, ": "+wait.Error()) {
		e.Msg, e.Err = strings.TrimSuffix(e.Msg, ": "+wait.Error()), wait
	}
	return e
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="reeve"`)
	}
	return h
}

// write answers with the problem outside of huma.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = encode(w, p) // the client has gone: nobody is left to tell
}

// fromHuma turns the errors of huma's checks into problems. The values that it found wrong are left out: a password
// that is too short must not come back in an answer.
func fromHuma(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if e.Status >= http.StatusInternalServerError {
		return problemOfStatus(e.Status, "the server met an error of its own"), nil
	}
	said, fields := []string{e.Detail}, []Field(nil)
	for _, one := range e.Errors {
		if one == nil {
			continue
		}
		said = append(said, strings.TrimPrefix(one.Location+": "+one.Message, ": "))
		if one.Location != "" {
			fields = append(fields, Field{Name: one.Location, Message: one.Message})
		}
	}
	if len(said) > maxComplaints {
		said = append(said[:maxComplaints], "...")
	}
	p := problemOfStatus(e.Status, strings.Join(said, "; "))
	p.Fields = fields[:min(len(fields), maxComplaints)]
	return p, nil
}

const maxComplaints = 20
