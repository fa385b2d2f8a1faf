package run

import (
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// maxWithdrawn bounds how often a job is ordered anew because an agent said that it never started it.
const maxWithdrawn = 3

// attempt finds the attempt that a report is about.
func (m *machine) attempt(job string, n int) (int, *Attempt, error) {
	i, err := m.find(job)
	if err != nil {
		return 0, nil, err
	}
	if n < 1 || n > len(m.s.Jobs[i].Attempts) {
		return 0, nil, fault.Newf(fault.NotFound, "job %s of run %s has no attempt %d", job, m.s.ID, n)
	}
	return i, &m.s.Jobs[i].Attempts[n-1], nil
}

// current reports whether attempt n of job i still decides the job's state.
func (m *machine) current(i, n int) bool {
	j := &m.s.Jobs[i]
	return n == len(j.Attempts) && (!j.Status.Ended() || j.Status == Lost)
}

func (m *machine) started(in Started) error {
	i, a, err := m.attempt(in.Job, in.N)
	if err != nil {
		return err
	}
	late := a.Status == Lost && a.Reason.impatient() && m.current(i, in.N)
	if a.Status != Dispatched && !late {
		return ErrKnown
	}
	m.job(i)
	a = &m.s.Jobs[i].Attempts[in.N-1]
	a.Status, a.Reason, a.Detail = Running, "", ""
	a.Started, a.PID, a.Containment = in.At, in.PID, in.Containment
	a.Ended = time.Time{}
	if m.current(i, in.N) {
		m.enter(i, Running, "", "")
	}
	return nil
}

func (m *machine) ended(in Ended) error {
	i, a, err := m.attempt(in.Job, in.N)
	if err != nil {
		return err
	}
	if a.Status.Ended() && a.Status != Lost {
		return ErrKnown
	}
	current := m.current(i, in.N)
	m.job(i)
	a = &m.s.Jobs[i].Attempts[in.N-1]
	a.Status, a.Reason = verdict(&m.d.Net.Jobs[i], in)
	a.Detail = in.Detail
	if !in.StartedAt.IsZero() {
		a.Started = in.StartedAt
	}
	a.Ended, a.ExitCode, a.Signal = in.At, in.ExitCode, in.Signal
	a.Outputs, a.Artifacts, a.Output, a.Lost = in.Outputs, in.Artifacts, in.Output, in.Lost
	a.Leftover, a.CPU, a.MaxRSS = in.Leftover, in.CPU, in.MaxRSS
	if in.PID != 0 {
		a.PID = in.PID
	}
	if in.Containment != "" {
		a.Containment = in.Containment
	}
	m.effects = append(m.effects, CloseAttempt{Job: in.Job, N: in.N, AgentID: a.AgentID})
	if current {
		m.conclude(i, a.Status, a.Reason, a.Detail)
	}
	return nil
}

// verdict turns what the keeper saw into an end, by the job's rules.
func verdict(def *jobnet.Job, in Ended) (Status, Reason) {
	switch {
	case in.Reason == ReasonCancel:
		return Cancelled, ReasonCancel
	case in.Reason != "":
		return Failed, in.Reason
	case in.Signal != "":
		return Failed, ReasonSignal
	case in.ExitCode == nil:
		return Failed, ReasonExec
	case slices.Contains(def.OK, *in.ExitCode):
		return Succeeded, ""
	case slices.Contains(def.Warn, *in.ExitCode):
		return Warning, ReasonExit
	}
	return Failed, ReasonExit
}

// conclude takes the end of the current attempt of job i: a retry, or the end of the job.
func (m *machine) conclude(i int, status Status, reason Reason, detail string) {
	if status == Failed && m.s.Cancel == "" && m.retries(i) {
		delay := m.d.Net.Jobs[i].Retry.Delay
		if delay <= 0 {
			m.ready(i)
			return
		}
		m.enter(i, Waiting, ReasonRetry, detail)
		m.job(i).Due = m.now.Add(delay)
		return
	}
	m.enter(i, status, reason, detail)
	m.releaseSuccessors(i)
}

// retries reports whether the job's rule gives it another try after its last attempt.
func (m *machine) retries(i int) bool {
	rule, j := m.d.Net.Jobs[i].Retry, &m.s.Jobs[i]
	failed := 0
	for k := range j.Attempts {
		if j.Attempts[k].Status == Failed {
			failed++
		}
	}
	if failed > rule.Max {
		return false
	}
	last := j.Attempts[len(j.Attempts)-1]
	if last.Reason == ReasonRunAs { // it cannot come out differently
		return false
	}
	return len(rule.Codes) == 0 || last.ExitCode != nil && slices.Contains(rule.Codes, *last.ExitCode)
}

func (m *machine) neverStarted(in NeverStarted) error {
	i, a, err := m.attempt(in.Job, in.N)
	if err != nil {
		return err
	}
	if a.Status.Ended() && a.Status != Lost {
		return ErrKnown
	}
	own := in.Reason != "" && in.Reason != ReasonWithdrawn && in.Reason != ReasonCancel
	if !own && !a.Started.IsZero() { // it said before that it did: the journal that knew is gone, and how it ended with it
		return m.unknown(Unknown{Job: in.Job, N: in.N, At: in.At, Reason: ReasonKeeperDied, Detail: "its agent said that it started, and now that it never did"})
	}
	current := m.current(i, in.N)
	m.job(i)
	j := &m.s.Jobs[i]
	a = &j.Attempts[in.N-1]
	a.Status, a.Reason, a.Detail, a.Ended = Cancelled, ReasonWithdrawn, in.Detail, in.At
	if own {
		a.Status, a.Reason = Failed, in.Reason
	}
	m.effects = append(m.effects, CloseAttempt{Job: in.Job, N: in.N, AgentID: a.AgentID})
	if !current {
		return nil
	}
	switch {
	case own:
		m.conclude(i, Failed, in.Reason, in.Detail)
	case m.s.Cancel != "":
		m.conclude(i, Cancelled, ReasonCancel, "cancelled by "+m.s.Cancel+" before it started")
	case withdrawn(j) >= maxWithdrawn:
		m.conclude(i, Failed, ReasonWithdrawn, fmt.Sprintf("agent %s would not start it: %s", a.Agent, in.Detail))
	default: // proven not to have run: it may be ordered anew
		m.ready(i)
	}
	return nil
}

func withdrawn(j *Job) int {
	count := 0
	for k := range j.Attempts {
		if j.Attempts[k].Reason == ReasonWithdrawn {
			count++
		}
	}
	return count
}

// deferred notes why an ordered attempt has not started. Said again with the same words, it tells nothing new.
func (m *machine) deferred(in Deferred) error {
	i, a, err := m.attempt(in.Job, in.N)
	if err != nil {
		return err
	}
	j := &m.s.Jobs[i]
	if a.Status != Dispatched || !m.current(i, in.N) || j.Reason == in.Reason && j.Detail == in.Detail {
		return ErrKnown
	}
	since := j.Since
	m.enter(i, Dispatched, in.Reason, in.Detail)
	m.job(i).Since = since // it waits as long as it has been ordered
	return nil
}

// impatient reports whether an unknown end is only the server's own: the agent may still tell, and its order stays open.
func (r Reason) impatient() bool { return r == ReasonFenced || r == ReasonRestored }

func (m *machine) unknown(in Unknown) error {
	i, a, err := m.attempt(in.Job, in.N)
	if err != nil {
		return err
	}
	final := !in.Reason.impatient() // the keeper's last word
	if a.Status.Ended() && (a.Status != Lost || !a.Reason.impatient() || !final) {
		return ErrKnown
	}
	current := m.current(i, in.N)
	m.job(i)
	a = &m.s.Jobs[i].Attempts[in.N-1]
	a.Status, a.Reason, a.Detail, a.Ended = Lost, in.Reason, in.Detail, in.At
	a.Output, a.Lost = max(a.Output, in.Output), max(a.Lost, in.Lost)
	if final {
		m.effects = append(m.effects, CloseAttempt{Job: in.Job, N: in.N, AgentID: a.AgentID})
	}
	if !current {
		return nil
	}
	m.enter(i, Lost, in.Reason, in.Detail)
	def := &m.d.Net.Jobs[i]
	switch {
	case def.OnUnknown == jobnet.UnknownFail:
		// Not by way of conclude: a retry of what may have run, or still runs, is on_unknown: rerun's alone.
		m.enter(i, Failed, ReasonDecided, fmt.Sprintf("its end is unknown (%s); on_unknown: fail", in.Reason))
		m.job(i).Decided = "policy on_unknown: fail"
		m.releaseSuccessors(i)
	case def.OnUnknown == jobnet.UnknownRerun && def.Rerunnable && m.s.Cancel == "":
		m.job(i).Decided = "policy on_unknown: rerun"
		m.ready(i)
	default:
		m.releaseSuccessors(i) // they learn for what they wait
	}
	return nil
}

func (m *machine) decide(in Decide) error {
	i, err := m.find(in.Job)
	if err != nil {
		return err
	}
	j := &m.s.Jobs[i]
	if j.Status != Lost {
		return fault.New(fault.Conflict, fmt.Sprintf("job %s of run %s is %s", in.Job, m.s.ID, j.Status), "only a job whose end is unknown can be decided")
	}
	if in.Rerun && m.s.Cancel != "" {
		return fault.New(fault.Conflict, fmt.Sprintf("run %s was cancelled", m.s.ID), "start a new run instead")
	}
	if !in.Rerun && in.As != Succeeded && in.As != Failed {
		return fault.Newf(fault.Invalid, "an unknown end can be decided as succeeded, failed or rerun, not as %q", in.As)
	}
	if j.Reason.impatient() && in.As != Succeeded {
		m.cancelAttempt(i) // it may still run where nobody sees it
	}
	if in.Rerun {
		m.job(i).Decided = in.By
		m.ready(i)
		return nil
	}
	m.enter(i, in.As, ReasonDecided, "decided by "+in.By)
	m.job(i).Decided = in.By
	m.releaseSuccessors(i)
	return nil
}
