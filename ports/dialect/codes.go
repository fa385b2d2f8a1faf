package dialect

import "github.com/reeve-scheduler/reeve/ports"

// The findings of an import. The first two are those of the reference.
const (
	Ambiguous ports.Code = "PP102" // a list that can be read in two ways: neither is opened
	Refused   ports.Code = "PP103" // a separator that the grammar does not have
	BadLine   ports.Code = "PP150" // a line that cannot be read, or that contradicts another
)
