package occurrence

import "slices"

// ReasonText is a reason with its decision and what it means, for reference pages.
type ReasonText struct {
	Reason   Reason
	Decision Decision
	Text     string
}

// Reasons returns every reason of an occurrence, by decision. The list is closed, and each reason belongs to one decision: a test
// compares it with the constants.
func Reasons() []ReasonText {
	return []ReasonText{
		{Due, Released, "at its time"},
		{CaughtUp, Released, "after an outage: its start window was still open, or the schedule's catchup says so"},
		{Waited, Released, "later than its time: what it waited for came"},
		{ByHand, Released, "a person released it before its time or from what held it, or added it"},

		{ServerDown, Missed, "it fell due while no server could decide: stopped, out of reach of its disk, or with no room on it"},
		{ClockJump, Missed, "the server's clock was put forward over it by more than a minute"},
		{LateStart, Missed, "its start window (start_within) closed while it waited"},
		{NoAgent, Missed, "its start window (start_within) closed while no agent for its first jobs was linked"},
		{CatchupLimit, Missed, "of what fell due in an outage, or queued, newer ones were enough: catchup is last, or more than 1000 waited"},

		{Calendar, Suppressed, "its day is free by the schedule's calendar"},
		{Blackout, Suppressed, "it falls into a blackout of its schedule"},
		{Collision, Suppressed, "a shift brought it to the due of an earlier one, and on_collision is one"},
		{Overlap, Suppressed, "a run of the net was open and overlap is skip, or overlap is replace and a newer one took its place"},
		{Paused, Suppressed, "the schedule was paused when it fell due"},
		{Held, Suppressed, "the domain was held when it fell due, and catchup does not say that it is to run afterwards"},

		{ByPerson, Cancelled, "a person cancelled it, or said before that it is to be skipped"},
		{Changed, Cancelled, "it waited, and the newer definition does not have it or cannot be run with its parameters"},

		{NotYet, Pending, "it is in the future, or a person moved it there"},
		{Queued, Pending, "a run of the net is open, and overlap is queue or replace"},
		{HeldBack, Pending, "a person holds it, or all of its schedule from a date"},
		{DomainHeld, Pending, "the domain starts nothing (restored, or held by a person)"},
		{AwaitsAgent, Pending, "it has a start window, and no agent for its first jobs is linked"},
		{AwaitsEnd, Pending, "of every by end: the run before it has not ended"},
		{DiskFull, Pending, "the server has no room on its disk"},
	}
}

// DecisionOf returns the decision that a reason belongs to; empty: it is none of the list.
func DecisionOf(r Reason) Decision {
	if i := slices.IndexFunc(Reasons(), func(t ReasonText) bool { return t.Reason == r }); i >= 0 {
		return Reasons()[i].Decision
	}
	return ""
}
