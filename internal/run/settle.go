package run

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// releaseSuccessors looks at the jobs after i, now that i has ended or become unknown, and at the jobs after
// those that are skipped because of it.
func (m *machine) releaseSuccessors(i int) {
	work := []int{i}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		for _, next := range m.d.successors[at] {
			j := &m.s.Jobs[next]
			if j.Status != Waiting || len(j.Attempts) > 0 {
				continue
			}
			switch m.condition(next) {
			case condWait:
				m.wait(next, ReasonPredecessors)
			case condUnknown:
				m.wait(next, ReasonUnknownPred)
			case condMet:
				m.ready(next)
			case condExcluded:
				m.enter(next, Skipped, ReasonWhen, "")
				work = append(work, next)
			}
		}
	}
}

// wait changes for what a job waits, if it does.
func (m *machine) wait(i int, reason Reason) {
	if m.s.Jobs[i].Reason != reason {
		m.enter(i, Waiting, reason, "")
	}
}

type condition uint8

const (
	condWait     condition = iota // a predecessor has not ended
	condUnknown                   // all have ended, at least one in a way that nobody knows
	condMet                       // the job may go
	condExcluded                  // the job never will
)

// condition evaluates the `when` of job i over its predecessors.
func (m *machine) condition(i int) condition {
	good, failed, unknown := 0, 0, 0
	for _, p := range m.d.before[i] {
		switch m.s.Jobs[p].Status {
		case Succeeded, Warning:
			good++
		case Failed:
			failed++
		case Lost:
			unknown++
		case Cancelled, Skipped:
		case Waiting, Ready, Held, Dispatched, Running:
			return condWait
		}
	}
	if unknown > 0 {
		return condUnknown
	}
	met := true
	switch m.d.Net.Jobs[i].When {
	case jobnet.WhenFailure:
		met = failed > 0
	case jobnet.WhenAlways:
	case jobnet.WhenSuccess:
		met = good == len(m.d.before[i])
	}
	if met {
		return condMet
	}
	return condExcluded
}

// settle derives the run's state from its jobs'.
func (m *machine) settle() {
	open, inFlight, waiting, unknown := 0, 0, 0, 0
	for i := range m.s.Jobs {
		switch m.s.Jobs[i].Status {
		case Dispatched, Running:
			inFlight++
			open++
		case Ready, Held:
			open++
		case Waiting:
			waiting++
		case Lost:
			unknown++
		case Succeeded, Warning, Failed, Cancelled, Skipped:
		}
	}
	if open == 0 && (waiting == 0 || unknown > 0 && waiting == m.stuck()) {
		m.finish(unknown > 0)
		return
	}
	m.s.Ended, m.s.Reason = time.Time{}, ""
	switch {
	case inFlight > 0:
		m.s.Status = Running
	case m.s.HeldBy != "":
		m.s.Status, m.s.Reason = Held, ReasonHeld
	case !m.s.Started.IsZero():
		m.s.Status = Running
	default:
		m.s.Status = Waiting
	}
}

// stuck counts the waiting jobs that can only go on when somebody decides an unknown end before them.
func (m *machine) stuck() int {
	seen := make([]bool, len(m.s.Jobs))
	var work []int
	for i := range m.s.Jobs {
		if m.s.Jobs[i].Status == Lost {
			work = append(work, i)
		}
	}
	count := 0
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		for _, next := range m.d.successors[at] {
			if m.s.Jobs[next].Status == Waiting && m.s.Jobs[next].Reason != ReasonRetry && !seen[next] {
				seen[next] = true
				count++
				work = append(work, next)
			}
		}
	}
	return count
}

// finish ends a run of which nothing can go on.
func (m *machine) finish(unknown bool) {
	status, reason := m.verdict(unknown)
	if m.s.Status == status && m.s.Reason == reason && !m.s.Ended.IsZero() {
		return
	}
	m.s.Status, m.s.Reason, m.s.Ended = status, reason, m.now
}

// verdict is the end of a run by the ends of its jobs, as the contract has it.
func (m *machine) verdict(unknown bool) (Status, Reason) {
	if unknown {
		return Lost, ReasonJobUnknown
	}
	cancelled, warned := m.s.Cancel != "", false // also where every job was faster than the cancel
	for i := range m.s.Jobs {
		switch m.s.Jobs[i].Status {
		case Failed:
			if !m.handled(i) {
				return Failed, ReasonJobFailed
			}
		case Cancelled:
			cancelled = true
		case Warning:
			warned = true
		case Succeeded, Skipped, Lost, Waiting, Ready, Held, Dispatched, Running:
		}
	}
	switch {
	case cancelled:
		return Cancelled, ReasonCancel
	case warned:
		return Warning, ""
	}
	return Succeeded, ""
}

// handled reports whether a failed job has a failure or always successor that succeeded.
func (m *machine) handled(i int) bool {
	for _, next := range m.d.successors[i] {
		when := m.d.Net.Jobs[next].When
		ended := m.s.Jobs[next].Status
		if (when == jobnet.WhenFailure || when == jobnet.WhenAlways) && (ended == Succeeded || ended == Warning) {
			return true
		}
	}
	return false
}
