package ports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Severity is how bad a finding is.
type Severity string

// The severities. Only an Error makes a plan unusable.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Diagnostic is one finding about a plan: what, where, and what to do about it.
type Diagnostic struct {
	Code       Code     `json:"code"`
	Severity   Severity `json:"severity"`
	Message    string   `json:"message"`
	Suggestion string   `json:"suggestion,omitempty"`
	Place
}

// String prints the finding as FILE:LINE:COLUMN: CODE severity: message; suggestion.
func (d Diagnostic) String() string {
	s := fmt.Sprintf("%s %s: %s", d.Code, d.Severity, d.Message)
	if d.Suggestion != "" {
		s += "; " + d.Suggestion
	}
	if d.File == "" {
		return s
	}
	return fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Column, s)
}

// HasErrors reports whether one of the findings makes the plan unusable.
func HasErrors(ds []Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// report adds a finding.
func (c *compiler) report(code Code, sev Severity, at Place, message, suggestion string) {
	c.found = append(c.found, Diagnostic{Code: code, Severity: sev, Message: message, Suggestion: suggestion, Place: at})
}

// sorted returns the findings in the order in which a reader meets their places.
func sorted(ds []Diagnostic) []Diagnostic {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return ds
}

func quote(s string) string { return strconv.Quote(s) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }
