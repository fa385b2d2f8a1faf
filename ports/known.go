package ports

import (
	_ "embed" // a table of numbers does not stand in code
	"strings"
)

//go:embed known.txt
var knownText string

// KnownKind says how likely a number of others is met.
type KnownKind string

// The kinds of known numbers.
const (
	Popular    KnownKind = "popular"    // found on many hosts
	Registered KnownKind = "registered" // in the registry of IANA, and rarely met
	OfFamily   KnownKind = "family"     // a block of numbers of which a host may use any
)

// Known is a number, or an interval, that other programs use.
type Known struct {
	Range
	Protocol Protocol
	Kind     KnownKind
	Name     string
}

// KnownPorts is the table of numbers that other programs are known to use. It is no list of all that are registered:
// most numbers are.
func KnownPorts() []Known {
	var all []Known
	for text := range strings.Lines(knownText) {
		fields := strings.Fields(text)
		if len(fields) < 3 || fields[0] == "#" {
			continue
		}
		number, protocol, _ := strings.Cut(fields[0], "/")
		r, err := ParseRange(number)
		if err != nil {
			continue // a test reads every line
		}
		all = append(all, Known{Range: r, Protocol: Protocol(protocol), Kind: KnownKind(fields[1]), Name: strings.Join(fields[2:], " ")})
	}
	return all
}

// Meets returns the known numbers that a claim takes under another name than theirs. A number within a wider interval
// of the claim is returned as it is known.
func (cl Claim) Meets(table []Known) []Known {
	var found []Known
	for _, k := range table {
		if k.Protocol != cl.Protocol || cl.Port == 0 || strings.EqualFold(k.Name, cl.Name) {
			continue
		}
		first, last := max(k.First, cl.Port), min(k.Last, cl.Range().Last)
		if first > last {
			continue
		}
		if k.Range = cl.Parity.within(Range{first, last}); k.Range != (Range{}) {
			found = append(found, k)
		}
	}
	return found
}
