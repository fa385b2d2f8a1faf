package ports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Code names a kind of finding about a plan. Codes are never given a second meaning.
type Code string

// The findings of Compile. PP101 to PP119 are the ones of the reference, which name the plans that trigger them.
const (
	BadServiceName   Code = "PP107" // a service name that RFC 6335 does not allow
	SameServiceName  Code = "PP108" // service names that differ in case only
	Overlap          Code = "PP120" // two claims meet on one host
	BadInstance      Code = "PP121" // an instance outside the plan's range
	BadPort          Code = "PP122" // a number outside 1 to 65535
	UnknownRole      Code = "PP123" // a role that nobody declared
	Duplicate        Code = "PP124" // one id twice
	BadFormula       Code = "PP125" // a formula that cannot be computed
	UnknownCondition Code = "PP126" // a condition that nobody declared
	InstancesMeet    Code = "PP127" // one instance claims a number of another
	UnknownZone      Code = "PP128" // a zone that nobody declared
	NoSuchDial       Code = "PP129" // a dial direction for which the plan has no link row
	NoAdvertise      Code = "PP130" // a dialled host without an advertised address
	NoProtocol       Code = "PP131" // a service without a transport
	BadGuard         Code = "PP132" // a guard that cannot be read
	UnknownVariable  Code = "PP133" // a variable or switch that nobody declared
	BadValue         Code = "PP134" // a variable's value outside its range
	UnknownFamily    Code = "PP135" // a family that nobody declared
	OutsideWindow    Code = "PP136" // a number outside the window that the page reserves
	BadRange         Code = "PP137" // a range that is empty, reversed, or too small for its pairs
	NotOverridable   Code = "PP138" // a number from where the row does not take it
	UnknownService   Code = "PP139" // a row that the plan does not have
	TooLarge         Code = "PP140" // more than can be computed or compared
	NeighbourMeets   Code = "PP141" // a claim of a neighbour's number
	FormerNumber     Code = "PP142" // a row's old number that belongs to another row now
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
