package run

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ErrKnown says that an input tells nothing new: it was applied before, or a later one has replaced it. Its
// sender may be told that it is taken care of.
var ErrKnown = errors.New("already known")

// Outcome is what a fold of inputs gives.
type Outcome struct {
	State   State
	Changed []int    // positions in State.Jobs that differ from before
	Effects []Effect // in the order in which they were decided
	Errors  []error  // one for each input; nil where it was applied
}

// Step applies one input. On an error the state is returned as it was and there are no effects: ErrKnown where
// the input tells nothing new, a fault of kind Conflict where the state does not allow it, NotFound where the
// run has no such job or attempt.
func Step(d *Definition, s State, in Input, now time.Time) (State, []Effect, error) {
	out := Fold(d, s, []Input{in}, now)
	return out.State, out.Effects, out.Errors[0]
}

// Fold applies inputs in order, as Step does one by one; an input that is refused leaves no trace and does not
// stop the others. It copies what it changes: s stays valid.
func Fold(d *Definition, s State, ins []Input, now time.Time) Outcome {
	m := &machine{d: d, s: s, now: now, touched: make([]bool, len(s.Jobs))}
	m.s.Jobs = slices.Clone(s.Jobs)
	errs := make([]error, len(ins))
	for i, in := range ins {
		errs[i] = m.apply(in)
	}
	out := Outcome{State: m.s, Effects: m.effects, Errors: errs}
	for i, touched := range m.touched {
		if touched {
			out.Changed = append(out.Changed, i)
		}
	}
	return out
}

// NextWake returns when a Tick is due: the earliest end of a retry's delay. Zero: none is waiting for time.
func NextWake(s State) time.Time {
	var next time.Time
	for i := range s.Jobs {
		j := &s.Jobs[i]
		if j.Status == Waiting && j.Reason == ReasonRetry && (next.IsZero() || j.Due.Before(next)) {
			next = j.Due
		}
	}
	return next
}

// machine is one fold in progress. Each input's method checks first and changes after, so that a refusal leaves no trace.
type machine struct {
	d       *Definition
	s       State
	now     time.Time
	touched []bool
	effects []Effect
}

func (m *machine) apply(in Input) error {
	var err error
	switch in := in.(type) {
	case Begin:
		err = m.begin()
	case Tick:
		err = m.tick()
	case Dispatch:
		err = m.dispatch(in)
	case Started:
		err = m.started(in)
	case Ended:
		err = m.ended(in)
	case NeverStarted:
		err = m.neverStarted(in)
	case Deferred:
		err = m.deferred(in)
	case Unknown:
		err = m.unknown(in)
	case Cancel:
		err = m.cancel(in)
	case Hold:
		err = m.hold(in)
	case Release:
		err = m.release(in)
	case Decide:
		err = m.decide(in)
	default:
		err = fmt.Errorf("stepping: no such input: %T", in)
	}
	if err == nil {
		m.settle()
	}
	return err
}

// job returns job i for change, with attempts of its own.
func (m *machine) job(i int) *Job {
	if !m.touched[i] {
		m.touched[i] = true
		m.s.Jobs[i].Attempts = slices.Clone(m.s.Jobs[i].Attempts)
	}
	return &m.s.Jobs[i]
}

// enter puts job i into a state, for a reason.
func (m *machine) enter(i int, status Status, reason Reason, detail string) {
	j := m.job(i)
	j.Status, j.Reason, j.Detail, j.Since = status, reason, detail, m.now
	if status != Waiting {
		j.Due = time.Time{}
	}
}

// ready lets job i go as far as it may without an agent.
func (m *machine) ready(i int) {
	if m.s.HeldBy != "" {
		m.enter(i, Held, ReasonHeld, "")
		return
	}
	m.enter(i, Ready, "", "")
}

func (m *machine) begin() error {
	for i := range m.s.Jobs {
		if m.s.Jobs[i].Status != Waiting || len(m.s.Jobs[i].Attempts) > 0 {
			return ErrKnown
		}
	}
	for i := range m.s.Jobs {
		if len(m.d.before[i]) == 0 {
			m.ready(i)
		}
	}
	return nil
}

func (m *machine) tick() error {
	due := false
	for i := range m.s.Jobs {
		j := &m.s.Jobs[i]
		if j.Status == Waiting && j.Reason == ReasonRetry && !m.now.Before(j.Due) {
			m.ready(i)
			due = true
		}
	}
	if !due {
		return ErrKnown
	}
	return nil
}

func (m *machine) dispatch(in Dispatch) error {
	i, err := m.find(in.Job)
	if err != nil {
		return err
	}
	if m.s.Jobs[i].Status != Ready {
		return m.refuse(i, "dispatched")
	}
	if _, err := Resolve(m.d, m.s, i); err != nil {
		m.enter(i, Failed, ReasonReference, err.Error())
		m.releaseSuccessors(i)
		return nil
	}
	m.enter(i, Dispatched, ReasonDelivery, "")
	j := m.job(i)
	j.Decided = ""
	n := len(j.Attempts) + 1
	j.Attempts = append(j.Attempts, Attempt{N: n, Agent: in.Agent, AgentID: in.AgentID, Status: Dispatched, Ordered: m.now})
	if m.s.Started.IsZero() {
		m.s.Started = m.now
	}
	m.effects = append(m.effects, StartAttempt{Job: in.Job, N: n, AgentID: in.AgentID})
	return nil
}

func (m *machine) cancel(in Cancel) error {
	if m.s.Cancel != "" {
		return ErrKnown
	}
	if m.s.Status.Ended() && m.s.Status != Lost {
		return fault.New(fault.Conflict, fmt.Sprintf("run %s has ended (%s)", m.s.ID, m.s.Status), "only a run that has not ended can be cancelled")
	}
	m.s.Cancel = in.By
	for i := range m.s.Jobs {
		j := &m.s.Jobs[i]
		switch j.Status {
		case Waiting, Ready, Held:
			m.enter(i, Cancelled, ReasonCancel, "cancelled by "+in.By)
		case Dispatched, Running:
			m.cancelAttempt(i)
		case Lost:
			if j.Reason.impatient() { // it may still run where nobody sees it
				m.cancelAttempt(i)
			}
		case Succeeded, Warning, Failed, Cancelled, Skipped:
		}
	}
	return nil
}

// cancelAttempt asks for the end of the last attempt of job i.
func (m *machine) cancelAttempt(i int) {
	j := &m.s.Jobs[i]
	last := j.Attempts[len(j.Attempts)-1]
	m.effects = append(m.effects, CancelAttempt{Job: j.Name, N: last.N, AgentID: last.AgentID})
}

func (m *machine) hold(in Hold) error {
	if m.s.HeldBy != "" {
		return ErrKnown
	}
	if m.s.Status.Ended() {
		return fault.New(fault.Conflict, fmt.Sprintf("run %s has ended (%s)", m.s.ID, m.s.Status), "only a run that has not ended can be held")
	}
	m.s.HeldBy = in.By
	for i := range m.s.Jobs {
		if m.s.Jobs[i].Status == Ready {
			m.enter(i, Held, ReasonHeld, "")
		}
	}
	return nil
}

func (m *machine) release(Release) error {
	if m.s.HeldBy == "" {
		return fault.New(fault.Conflict, fmt.Sprintf("run %s is not held", m.s.ID), "")
	}
	m.s.HeldBy = ""
	for i := range m.s.Jobs {
		if m.s.Jobs[i].Status == Held {
			m.enter(i, Ready, "", "")
		}
	}
	return nil
}

func (m *machine) find(job string) (int, error) {
	i, ok := m.d.index[job]
	if !ok || i >= len(m.s.Jobs) {
		return 0, fault.Newf(fault.NotFound, "run %s has no job %q", m.s.ID, job)
	}
	return i, nil
}

func (m *machine) refuse(i int, what string) error {
	return fault.Newf(fault.Conflict, "job %s of run %s is %s and cannot be %s", m.s.Jobs[i].Name, m.s.ID, m.s.Jobs[i].Status, what)
}
