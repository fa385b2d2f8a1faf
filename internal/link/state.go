package link

import (
	"slices"
	"time"
)

// State is what a dialler is doing, for why and for people.
type State struct {
	Linked  bool      // a link of its own is up
	Resting bool      // the other end's link is up, which is as good as one of its own
	Since   time.Time // since when it is so
	Address string    // that the link goes to, or that was last dialled
	Row     string    // of the plan, by which it was dialled
	Rounds  int       // rounds in vain since the last link
	Err     error     // the last error; nil if there was none since the link came up
	Next    time.Time // when the next round begins; zero while linked or dialling
	// Targets has each target of the last round, in the order in which they were given; at most 64.
	Targets []TargetState
}

// TargetState is what is known of one target.
type TargetState struct {
	Target
	Since  time.Time // since when it is in vain; zero: it is not, or was never dialled
	Rounds int       // how often since then
	Err    error     // why, the last time; errors.Is(Err, ErrNoAnswer) where nobody answered at all
	At     time.Time // when it was last dialled; zero: never
	Next   time.Time // when it will be dialled again; zero: not known
}

const maxTargets = 64

// State returns what the dialler is doing. It may be called at any time.
func (d *Dialer) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.Targets = slices.Clone(d.states)
	return s
}

func (d *Dialer) change(how func(*State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	how(&d.state)
}

// keep forgets what is known of targets that are no more.
func (d *Dialer) keep(targets []Target) {
	d.mu.Lock()
	defer d.mu.Unlock()
	states := make([]TargetState, 0, min(len(targets), maxTargets))
	for _, t := range targets[:min(len(targets), maxTargets)] {
		if i := d.index(t); i >= 0 {
			states = append(states, d.states[i])
		} else {
			states = append(states, TargetState{Target: t})
		}
	}
	d.states = states
}

// index finds a target. The caller holds the lock.
func (d *Dialer) index(t Target) int {
	return slices.IndexFunc(d.states, func(s TargetState) bool { return s.Target == t })
}

// tried takes in that a target was dialled: in vain, or not.
func (d *Dialer) tried(t Target, begun time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.index(t)
	if i < 0 {
		return
	}
	s := &d.states[i]
	if err == nil {
		*s = TargetState{Target: t, At: begun}
		return
	}
	if s.Since.IsZero() {
		s.Since = begun
	}
	s.Rounds, s.Err, s.At, s.Next = s.Rounds+1, err, begun, time.Time{}
}

// told takes in when targets will be dialled again.
func (d *Dialer) told(targets []Target, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range targets {
		if i := d.index(t); i >= 0 {
			d.states[i].Next = next
		}
	}
	if len(d.own) == 0 && !d.state.Resting {
		d.state.Next = next
	}
}

// failed reports whether the last dial of a target was in vain, after an instant.
func (d *Dialer) failed(t Target, after time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.index(t)
	return i >= 0 && d.states[i].Err != nil && d.states[i].At.After(after)
}
