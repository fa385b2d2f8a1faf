package ports

// Code names a kind of finding about a plan. Codes are never given a second meaning.
type Code string

// The findings of Compile and of importers. PP101 to PP114 are the ones that the four systems' own pages trigger.
const (
	InEphemeral      Code = "PP101"
	OddRange         Code = "PP102" // of an importer
	NoRange          Code = "PP103" // of an importer
	PrintedEnds      Code = "PP104"
	FreeOffsets      Code = "PP105"
	PopularNumber    Code = "PP106"
	BadServiceName   Code = "PP107"
	SameServiceName  Code = "PP108"
	ServerConnects   Code = "PP109"
	PageContradicts  Code = "PP110"
	PopularInRange   Code = "PP111"
	PublicNumber     Code = "PP112"
	OtherBlock       Code = "PP113"
	TargetPort       Code = "PP114"
	Overlap          Code = "PP120"
	BadInstance      Code = "PP121"
	BadPort          Code = "PP122"
	UnknownRole      Code = "PP123"
	Duplicate        Code = "PP124"
	BadFormula       Code = "PP125"
	UnknownCondition Code = "PP126"
	InstancesMeet    Code = "PP127"
	UnknownZone      Code = "PP128"
	NoSuchDial       Code = "PP129"
	NoAdvertise      Code = "PP130"
	NoProtocol       Code = "PP131"
	BadGuard         Code = "PP132"
	UnknownVariable  Code = "PP133"
	BadValue         Code = "PP134"
	UnknownFamily    Code = "PP135"
	OutsideWindow    Code = "PP136"
	BadRange         Code = "PP137"
	NotOverridable   Code = "PP138"
	UnknownService   Code = "PP139"
	TooLarge         Code = "PP140"
	NeighbourMeets   Code = "PP141"
	FormerNumber     Code = "PP142"
	NoNumber         Code = "PP143"
	Privileged       Code = "PP144"
	AlternateChoice  Code = "PP145"
	BadAddress       Code = "PP146"
	SingleNumber     Code = "PP147"
	PoolTooSmall     Code = "PP148"
	HoldTooShort     Code = "PP149"
	MirrorDrift      Code = "PP150"
	BadLine          Code = "PP151" // of an importer
)

// CodeMeaning says what a code means.
type CodeMeaning struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"` // the worst that it has
	Text     string   `json:"text"`     // one sentence
}

// Codes returns what each code means, in the order of the codes.
func Codes() []CodeMeaning {
	return []CodeMeaning{
		{InEphemeral, Error, "A claim lies in a range that hosts give to outgoing connections; an error only where the plan's policy for it is error."},
		{OddRange, Error, "A range list can be read in two ways, as single ports or as a range: neither is opened until somebody says which."},
		{NoRange, Error, "An entry of a range list is none: an unknown separator, or reversed ends."},
		{PrintedEnds, Warning, "Neither end of a printed range has the parity of its numbers; the range is read without them."},
		{FreeOffsets, Note, "A family has offsets that nothing uses."},
		{PopularNumber, Warning, "A claim has, in some instance, a number on which another well-known product listens."},
		{BadServiceName, Warning, "A service name is not one of RFC 6335; a note where the row has another name for DNS."},
		{SameServiceName, Warning, "Service names differ in case only; a note where they could, because they have capital letters."},
		{ServerConnects, Note, "The server connects to clients: their hosts need a rule for it, and address translation between them breaks it."},
		{PageContradicts, Note, "The plan's page contradicts itself; the plan says which reading it takes."},
		{PopularInRange, Warning, "A fixed range contains numbers that other products use."},
		{PublicNumber, Note, "A number stands in public tables, under the row's own name or another's."},
		{OtherBlock, Note, "Claims lie in a block of numbers that another product computes its own from, such as SAP's instances."},
		{TargetPort, Note, "A row is a destination on another host: its number is never to be reserved on the hosts that dial it."},
		{Overlap, Error, "Two claims meet on one host: the same transport, numbers in common, and addresses of which one contains the other."},
		{BadInstance, Error, "An instance is outside the plan's range, or the range has none."},
		{BadPort, Error, "A number is outside 1 to 65535, or outside what its row allows."},
		{UnknownRole, Error, "A role is named that the plan does not have."},
		{Duplicate, Error, "One id stands twice."},
		{BadFormula, Error, "A formula, or a name with variables, cannot be computed."},
		{UnknownCondition, Error, "A condition is named that the plan does not have."},
		{InstancesMeet, Warning, "One instance claims a number of another: they cannot run on one host."},
		{UnknownZone, Error, "A zone is named that the inventory does not have."},
		{NoSuchDial, Error, "The inventory asks for a dial direction for which the plan has no link row in use."},
		{NoAdvertise, Warning, "A host is dialled and has no advertised address: its name will be resolved."},
		{NoProtocol, Error, "A row has no transport."},
		{BadGuard, Error, "A guard cannot be read, or names what the plan does not have."},
		{UnknownVariable, Warning, "The inventory gives a value to a variable or a switch that the plan does not have."},
		{BadValue, Error, "A variable has a value outside its range."},
		{UnknownFamily, Error, "A family is named that the plan does not have."},
		{OutsideWindow, Error, "A number lies outside the window that the page reserves; a warning where the site has overridden it."},
		{BadRange, Error, "A range is empty, reversed, too small for its pairs, or has no size; a note where parts of it stand twice."},
		{NotOverridable, Error, "A flag, the environment, a host or the services file gives a row a number that it does not take from there; a warning for the services file."},
		{UnknownService, Error, "A number is given to a row that the plan does not have."},
		{TooLarge, Error, "The plan has more than can be computed or compared in bounded time."},
		{NeighbourMeets, Warning, "A claim has a number of a neighbour's, which the plan lists as foreign."},
		{FormerNumber, Warning, "A number that a row had before belongs to another row now: old peers would reach that one."},
		{NoNumber, Note, "A row that should work has no number: nothing listens for it until the site gives one."},
		{Privileged, Warning, "A listener's number is below 1024, and so needs rights; from 512 on, other programs may take it at random."},
		{AlternateChoice, Warning, "None of a row's alternates is selected, or more than one."},
		{BadAddress, Error, "What should be an address or a network is none; a warning where it is odd."},
		{SingleNumber, Note, "A pool has one number only."},
		{PoolTooSmall, Warning, "A pool has fewer numbers than its capacity or the site's agents need."},
		{HoldTooShort, Warning, "A pool gives a number away while a firewall on the path still remembers its last connection."},
		{MirrorDrift, Error, "A host has a number of its own for a row of which both ends must name the same."},
		{BadLine, Error, "A line of a file that is imported cannot be read, or contradicts another one or the plan; a warning where it only looks odd."},
	}
}
