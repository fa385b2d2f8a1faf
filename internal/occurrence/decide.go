package occurrence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Outage is a time in which nobody could decide: what is due with From < Due <= Until fell into it.
type Outage struct {
	From  time.Time
	Until time.Time
	Cause Reason // ServerDown, ClockJump, or Held
	Text  string // what happened, for people
}

// Contains reports whether what is due at an instant fell into the outage.
func (o *Outage) Contains(due time.Time) bool {
	return o != nil && due.After(o.From) && !due.After(o.Until)
}

// Situation is all that the decision on one occurrence looks at.
type Situation struct {
	Key        Key
	Occurrence calendar.Occurrence
	Schedule   *calendar.Schedule // never changed
	Now        time.Time
	Outage     *Outage // it fell due in it; nil: somebody could decide when it did
	Later      int64   // with Outage: how many later ones of the schedule fell due in it too, and are to run as far as their own rule says
	Pause      *Pause
	Overrides  []Override // the active ones that concern it
	Held       string     // why the domain starts nothing; empty: it does
	Disk       string     // why nothing new can be stored; empty: there is room
	Open       []string   // runs of the net that have not ended, unknown ones too
	Agent      bool       // an agent that fits its first jobs is linked
	AgentText  string     // where none is: which would do
	Since      time.Time  // since when it waits; zero: it is looked at for the first time
	Waits      Reason     // for what it has waited
	Queued     int        // how many earlier ones of its schedule are queued
	Newer      bool       // a later one of its schedule has fallen due since it was queued
}

// Verdict is what becomes of an occurrence. A pending one is looked at again at Again, or when what it waits for has changed.
type Verdict struct {
	Decision Decision
	Reason   Reason
	Detail   string // one sentence
	By       string // who, where a person decided
	Again    time.Time
	Cancel   bool // the open runs are to be cancelled, so that it can take their place
}

// Decide says what becomes of an occurrence that is due, or has waited.
func Decide(s Situation) Verdict {
	if v, ok := s.bySchedule(); ok {
		return v
	}
	due, moved := s.due()
	if due.After(s.Now) {
		return Verdict{Decision: Pending, Reason: NotYet, Detail: notYet(moved, due), Again: due}
	}
	if v, ok := s.byPeople(due); ok {
		return v
	}
	v, caught, ok := s.afterOutage(due)
	if ok {
		return v
	}
	closes := s.window(due, caught)
	closed := !closes.IsZero() && !s.Now.Before(closes)
	switch {
	case closed && !s.fresh():
		return s.tooLate(closes, s.waited())
	case s.Held != "":
		return s.stays(DomainHeld, "the domain starts nothing: "+s.Held)
	case s.Disk != "":
		return s.stays(DiskFull, s.Disk)
	case closed:
		return s.tooLate(closes, s.waited())
	}
	if v, ok := s.overlapping(closes); ok {
		return v
	}
	if !closes.IsZero() && !s.Agent {
		return s.wait(closes, Verdict{Reason: AwaitsAgent, Detail: s.AgentText})
	}
	return s.release(due, caught, moved)
}

// bySchedule is the word of its own rule.
func (s *Situation) bySchedule() (Verdict, bool) {
	r := s.Occurrence.Suppressed
	if r == "" {
		return Verdict{}, false
	}
	return Verdict{Decision: Suppressed, Reason: Reason(r), Detail: suppressedText(r, s.Schedule)}, true
}

func suppressedText(r calendar.Reason, of *calendar.Schedule) string {
	switch r {
	case calendar.ReasonCalendar:
		return fmt.Sprintf("calendar %s has no working day for it, and shift is %s", of.Calendar, of.Shift)
	case calendar.ReasonBlackout:
		return "it falls into a blackout of its schedule"
	case calendar.ReasonCollision:
		return "an earlier nominal instant was shifted to the same due, and on_collision is one"
	case calendar.ReasonGap, calendar.ReasonOverlap, calendar.ReasonShift, calendar.ReasonJitter:
	}
	return "its schedule suppresses it: " + string(r)
}

// due is when it falls due, with what a person has moved.
func (s *Situation) due() (time.Time, *Override) {
	for i := range s.Overrides {
		if o := &s.Overrides[i]; o.Kind == OverrideMove && o.inForce(s.Occurrence.Due) {
			return o.To, o
		}
	}
	return s.Occurrence.Due, nil
}

// inForce reports whether an override has not expired at an instant.
func (o *Override) inForce(at time.Time) bool { return o.Expires.IsZero() || at.Before(o.Expires) }

func notYet(moved *Override, due time.Time) string {
	if moved != nil {
		return fmt.Sprintf("%s moved it to %s", moved.By, stamp(due))
	}
	return "it is due at " + stamp(due)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// byPeople is what people have said before it fell due: a pause, a skip, a hold. A pause matters when it falls due, and not afterwards.
func (s *Situation) byPeople(due time.Time) (Verdict, bool) {
	if p := s.Pause; p.covers(due) && (s.Since.IsZero() || s.Waits == NotYet) {
		return Verdict{Decision: Suppressed, Reason: Paused, Detail: pausedText(p)}, true
	}
	for i := range s.Overrides {
		if o := &s.Overrides[i]; o.Kind == OverrideSkip && o.inForce(due) {
			return Verdict{Decision: Cancelled, Reason: ByPerson, Detail: because("skipped by "+o.By, o.Reason), By: o.By}, true
		}
	}
	for i := range s.Overrides {
		if o := &s.Overrides[i]; o.Kind == OverrideHold && o.inForce(s.Now) && (o.From.IsZero() || !due.Before(o.From)) {
			v := Verdict{Reason: HeldBack, Detail: because("held by "+o.By, o.Reason), Again: o.Expires}
			return s.wait(s.window(due, s.Outage.Contains(due)), v), true
		}
	}
	return Verdict{}, false
}

// covers reports whether what falls due at an instant is suppressed by the pause.
func (p *Pause) covers(due time.Time) bool {
	return p != nil && !due.Before(p.Since) && (p.Until.IsZero() || due.Before(p.Until))
}

func pausedText(p *Pause) string { return because("the schedule was paused by "+p.By, p.Reason) }

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// window returns when its start window closes; zero: it has none. One that was caught up after the window had closed has none any more.
func (s *Situation) window(due time.Time, caught bool) time.Time {
	if s.Schedule.StartWithin <= 0 {
		return time.Time{}
	}
	closes, looked := due.Add(s.Schedule.StartWithin), s.Since
	if s.fresh() {
		looked = s.Now
	}
	if !looked.Before(closes) && (caught || !s.fresh()) {
		return time.Time{}
	}
	return closes
}

// fresh reports whether nothing has been said of it yet but that it is not due, or that the domain starts nothing.
func (s *Situation) fresh() bool {
	return s.Since.IsZero() || s.Waits == NotYet || s.Waits == DomainHeld
}

// wait keeps it pending as long as its start window is open. Closes is zero where it has none.
func (s *Situation) wait(closes time.Time, v Verdict) Verdict {
	if !closes.IsZero() && !s.Now.Before(closes) {
		return s.tooLate(closes, v.Detail)
	}
	v.Decision = Pending
	if v.Again.IsZero() || !closes.IsZero() && closes.Before(v.Again) {
		v.Again = closes
	}
	return v
}

// stays keeps it pending because nothing can be released now. One that has waited for something else goes on waiting for that: it fell due when
// it could be decided, and is not caught up as after an outage.
func (s *Situation) stays(why Reason, text string) Verdict {
	if !s.fresh() {
		why = s.Waits
	}
	return Verdict{Decision: Pending, Reason: why, Detail: text}
}

// tooLate is the verdict when the start window has closed.
func (s *Situation) tooLate(closes time.Time, why string) Verdict {
	v := Verdict{Decision: Missed, Reason: LateStart, Detail: fmt.Sprintf("its start window closed at %s: %s", stamp(closes), why)}
	if s.Waits == AwaitsAgent && !s.Since.IsZero() {
		v.Reason = NoAgent
	}
	return v
}

// waited says for what it has waited until now.
func (s *Situation) waited() string {
	switch {
	case s.Since.IsZero():
		return "the server came to it too late"
	case s.Waits == AwaitsAgent && s.AgentText != "":
		return s.AgentText
	case s.Waits == AwaitsAgent:
		return "no agent for its first jobs was linked"
	case s.Waits == HeldBack:
		return "it was held"
	case s.Waits == Queued:
		return "it was queued behind other runs of the net"
	}
	return "it has waited"
}

// afterOutage decides what fell due while nobody could; caught: it is to run nevertheless.
func (s *Situation) afterOutage(due time.Time) (v Verdict, caught, decided bool) {
	if !s.Outage.Contains(due) || !s.fresh() {
		return Verdict{}, false, false
	}
	c := s.Schedule.Catchup
	open := s.Schedule.StartWithin > 0 && s.Now.Before(due.Add(s.Schedule.StartWithin))
	switch {
	case s.Later >= calendar.CatchupLimit && (open || c == calendar.CatchupAll):
		return Verdict{Decision: Missed, Reason: CatchupLimit, Detail: limitText(calendar.CatchupAll)}, false, true
	case open || c == calendar.CatchupAll || c == calendar.CatchupLast && s.Later == 0:
		if s.Schedule.Overlap == calendar.OverlapReplace && s.Later > 0 && c != calendar.CatchupNone {
			return Verdict{Decision: Suppressed, Reason: Overlap, Detail: "a newer one was caught up in its place, and overlap is replace"}, false, true
		}
		return Verdict{}, true, false
	case c == calendar.CatchupLast:
		return Verdict{Decision: Missed, Reason: CatchupLimit, Detail: limitText(c)}, false, true
	}
	return lost(s.Outage), false, true
}

// lost is the verdict on what fell due in an outage and is not caught up.
func lost(o *Outage) Verdict {
	if o.Cause == Held {
		return Verdict{Decision: Suppressed, Reason: Held, Detail: "the domain was held when it fell due: " + o.Text}
	}
	return Verdict{Decision: Missed, Reason: o.Cause, Detail: o.Text}
}

func limitText(c calendar.Catchup) string {
	if c == calendar.CatchupLast {
		return "catchup is last, and a later one fell due in the same outage"
	}
	return fmt.Sprintf("more than %d fell due in the same outage; the latest are caught up", calendar.CatchupLimit)
}

// overlapping decides where a run of the net is open.
func (s *Situation) overlapping(closes time.Time) (Verdict, bool) {
	switch s.Schedule.Overlap {
	case calendar.OverlapSkip:
		if len(s.Open) > 0 {
			return Verdict{Decision: Suppressed, Reason: Overlap, Detail: runsText(s.Open, "was", "were") + ", and overlap is skip"}, true
		}
	case calendar.OverlapQueue:
		switch {
		case len(s.Open) == 0 && s.Queued == 0:
		case s.Queued >= calendar.CatchupLimit && s.Since.IsZero():
			return Verdict{Decision: Missed, Reason: CatchupLimit, Detail: fmt.Sprintf("%d of its schedule are queued already", s.Queued)}, true
		default:
			return s.wait(closes, Verdict{Reason: Queued, Detail: queuedText(s.Open, s.Queued)}), true
		}
	case calendar.OverlapReplace:
		switch {
		case s.Newer:
			return Verdict{Decision: Suppressed, Reason: Overlap, Detail: "a newer one took its place in the queue, and overlap is replace"}, true
		case len(s.Open) > 0:
			v := s.wait(closes, Verdict{Reason: Queued, Detail: openText(s.Open) + " and is cancelled for this one", Cancel: true})
			return v, true
		}
	case calendar.OverlapAllow:
	}
	return Verdict{}, false
}

func openText(open []string) string { return runsText(open, "is", "are") }

// runsText says which runs are open, or were.
func runsText(open []string, one, many string) string {
	if len(open) == 1 {
		return "run " + open[0] + " of the net " + one + " open"
	}
	first := slices.Clone(open[:min(len(open), 3)])
	if len(open) > 3 {
		first = append(first, "…")
	}
	return fmt.Sprintf("%d runs of the net %s open (%s)", len(open), many, strings.Join(first, ", "))
}

func queuedText(open []string, before int) string {
	switch {
	case len(open) == 0:
		return fmt.Sprintf("%d of its schedule are queued before it", before)
	case before == 0:
		return openText(open)
	}
	return fmt.Sprintf("%s, and %d of its schedule are queued before it", openText(open), before)
}

// release lets it go, for the reason that is true.
func (s *Situation) release(due time.Time, caught bool, moved *Override) Verdict {
	v := Verdict{Decision: Released, Reason: Due, Detail: "released at its time"}
	switch {
	case s.Key.Schedule == Manual:
		v.Reason, v.Detail = ByHand, "added by hand"
		for i := range s.Overrides {
			if o := &s.Overrides[i]; o.Kind == OverrideAdd {
				v.By, v.Detail = o.By, because("added by "+o.By, o.Reason)
			}
		}
	case caught:
		v.Reason, v.Detail = CaughtUp, "it fell due in an outage ("+s.Outage.Text+")"
	case !s.Since.IsZero() && s.Waits == NotYet && s.Now.Sub(due) > time.Minute:
		v.Reason, v.Detail = Waited, "it was due at "+stamp(due)+", and a person had moved it"
	case !s.Since.IsZero() && s.Waits != NotYet:
		v.Reason, v.Detail = Waited, "it was due at "+stamp(due)+" and has waited"
	case moved != nil:
		v.Detail = because(fmt.Sprintf("moved to %s by %s", stamp(due), moved.By), moved.Reason)
	}
	return v
}
