// Package render answers: how does the compiled plan look to a person, to a firewall and to an operating system?
//
// Everything is made from a ports.Site and from nothing else. What is rendered can be read back: the openings that it
// lets through are the plan's, no more and no fewer.
package render

import "github.com/reeve-scheduler/reeve/ports"

// Input is what a target is rendered from.
type Input struct {
	Site     ports.Site
	Host     string          // one host of the inventory; empty: the whole site, or a role
	Role     string          // one role of the plan, where there is no inventory
	Service  string          // of tables, drawings and change requests: one service of the plan; empty: all
	Undo     bool            // what takes back what the same input without Undo adds, and nothing else
	All      bool            // services file: also what the plan adds on request only
	Locale   string          // of tables: en (or empty), de, ja
	Previous *ports.Compiled // of a change request: the plan for which was asked last
	Asked    []Rule          // of a change request: the last request itself, as ReadRequest returns it; before Previous
	Owner    string          // of a change request; empty: the plan's
	Expiry   string          // of a change request: a date, as it is printed
	Reserved []ports.Range   // of sysctl: what the host reserves already; others' numbers are kept
	OS       string          // of a services file: linux (or empty) or windows; empty with a Host: the host's
}

// Target is one form to render to.
type Target struct {
	Name   string // as the command line takes it: "nftables"
	Title  string
	Kind   string // "table", "drawing", "rules", "system" or "request"
	Undo   bool   // it can be taken back
	Render func(Input) ([]byte, error)
}

// Targets lists every form, by kind and in the order of the manual.
func Targets() []Target {
	return append(documents(), rules()...)
}
