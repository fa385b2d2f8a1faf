package run

import "slices"

// ReasonText is a reason with what it means, for reference pages.
type ReasonText struct {
	Reason Reason
	Group  ReasonGroup
	Text   string
}

// ReasonGroup says of what a reason speaks.
type ReasonGroup string

// The groups, in the order in which a person meets them.
const (
	WhyWaits   ReasonGroup = "why something waits"
	WhyEnded   ReasonGroup = "why something ended as it did"
	WhyUnknown ReasonGroup = "why an end is unknown"
)

// Reasons returns every reason that `why` can give. The list is closed: a test compares it with the constants.
func Reasons() []ReasonText {
	return []ReasonText{
		{ReasonPredecessors, WhyWaits, "a predecessor has not ended"},
		{ReasonUnknownPred, WhyWaits, "a predecessor is unknown and holds its successors"},
		{ReasonRetry, WhyWaits, "the delay before the next try"},
		{ReasonHeld, WhyWaits, "a person holds the run"},
		{ReasonDomainHeld, WhyWaits, "the domain starts nothing (restored, or held by a person)"},
		{ReasonNoAgent, WhyWaits, "no agent of the domain fits"},
		{ReasonNotLinked, WhyWaits, "every agent that fits is out of reach"},
		{ReasonDraining, WhyWaits, "every linked agent that fits is being drained"},
		{ReasonNoSlot, WhyWaits, "every linked agent that fits is full"},
		{ReasonAgentDisk, WhyWaits, "every agent that fits has no room on its disk"},
		{ReasonDisk, WhyWaits, "the server has no room on its disk (waiting); the agent could not store it (ended)"},
		{ReasonDelivery, WhyWaits, "ordered, and not yet confirmed by the agent"},
		{ReasonCallback, WhyWaits, "every port of the plan's callback pool is in use or held: none is free on which the server could await the attempt's words"},
		{ReasonPorts, WhyWaits, "a pool of ports is full, or a port is another's (waiting); it cannot be had at all (ended)"},
		{ReasonNeeds, WhyWaits, "a destination that the job needs does not take connections from its agent (waiting); its plan has no row to look (ended)"},

		{ReasonExit, WhyEnded, "an exit code that is neither ok nor warn"},
		{ReasonSignal, WhyEnded, "ended by a signal"},
		{ReasonTimeout, WhyEnded, "ended for taking longer than its time-out"},
		{ReasonCancel, WhyEnded, "a person or a program cancelled it"},
		{ReasonExec, WhyEnded, "could not be executed"},
		{ReasonRunAs, WhyEnded, "the agent's allow file does not permit the user"},
		{ReasonArtifact, WhyEnded, "an artifact is missing or too large"},
		{ReasonReference, WhyEnded, "a reference has no value"},
		{ReasonOutputLimit, WhyEnded, "outputs are not of the form name=value, or too many"},
		{ReasonWhen, WhyEnded, "the predecessors' ends exclude it"},
		{ReasonWithdrawn, WhyEnded, "never started: cancelled before it was known to the keeper"},
		{ReasonJobFailed, WhyEnded, "of a run: a job failed"},
		{ReasonJobUnknown, WhyEnded, "of a run: a job is unknown"},
		{ReasonDecided, WhyEnded, "a person or a policy decided an unknown end"},
		{ReasonEpoch, WhyEnded, "never started: the server is of an older epoch than the agent has seen"},

		{ReasonStart, WhyUnknown, "the keeper ended between the intent and the first proof of execution"},
		{ReasonReboot, WhyUnknown, "the host was restarted"},
		{ReasonKeeperDied, WhyUnknown, "the keeper ended; the time is known, the code is not"},
		{ReasonFenced, WhyUnknown, "no word from the agent until the server's deadline"},
		{ReasonRestored, WhyUnknown, "ordered before the backup that the server was restored from: what came after is not known here"},
		{ReasonAgentGone, WhyUnknown, "the agent was removed from the domain"},
	}
}

// Known reports whether r is of the closed list, or empty: what nodes report comes from programs of other versions.
func (r Reason) Known() bool {
	return r == "" || slices.ContainsFunc(Reasons(), func(t ReasonText) bool { return t.Reason == r })
}
