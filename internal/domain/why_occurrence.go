package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// one explains one occurrence.
func (x *netExplainer) one(ctx context.Context, o *seen) error {
	if o.soon != nil {
		x.toCome(ctx, o)
		return nil
	}
	x.state(string(o.rec.Decision))
	switch o.rec.Decision {
	case occurrence.Pending:
		return x.pending(ctx, o)
	case occurrence.Released:
		x.released(ctx, o)
	case occurrence.Missed:
		x.missed(ctx, o)
	case occurrence.Suppressed:
		x.suppressed(ctx, o)
	case occurrence.Cancelled:
		x.cancelled(o)
	}
	return nil
}

// subject is how a sentence about an occurrence begins.
func (o *seen) subject() string {
	if o.key.Schedule == occurrence.Manual {
		return "what was added by hand for " + stamp(o.key.Nominal)
	}
	text := "schedule " + o.key.Schedule + ", due at " + stamp(o.due)
	if !o.due.Equal(o.key.Nominal) {
		text += " (nominal " + stamp(o.key.Nominal) + o.movedText() + ")"
	}
	return text
}

// movedText says which rule made due differ from the nominal instant.
func (o *seen) movedText() string {
	moved := ""
	if o.rec != nil {
		moved = string(o.rec.Moved)
	} else {
		moved = o.soon.moved
	}
	if moved == "" {
		return ""
	}
	return ", moved by " + moved
}

// command writes a command about the occurrence.
func (o *seen) command(verb string) string {
	return fmt.Sprintf("reeve occurrence %s %s %s %s", verb, o.key.Net, o.key.Schedule, o.key.Nominal.UTC().Format(time.RFC3339Nano))
}

// edit says which field of the schedule to change.
func (o *seen) edit(what string) string {
	return fmt.Sprintf("set %s in schedule %s of %s, then reeve net apply", what, o.key.Schedule, o.key.Net)
}

func (x *netExplainer) released(ctx context.Context, o *seen) {
	r := o.rec
	x.add(string(r.Reason), r.Decided, fmt.Sprintf("%s: released at %s as %s; %s", o.subject(), stamp(r.Decided), x.runText(ctx, r.Run), r.Detail), "reeve run show "+r.Run)
	if late, end := x.s.late(ctx, r); late {
		x.add(string(r.Reason), r.MustEnd, fmt.Sprintf("it is late: it had to end by %s (must_end)%s", stamp(r.MustEnd), end), o.edit("must_end"))
	}
	x.whyRun(ctx, r.Run)
}

// late reports whether the run of an occurrence is late, and when it ended, as the end of a sentence.
func (s *Service) late(ctx context.Context, r *occurrence.Record) (bool, string) {
	shown, err := s.showRecord(ctx, r)
	switch {
	case err != nil || !shown.Late:
		return false, ""
	case shown.RunEnded != nil:
		return true, " and ended at " + stamp(*shown.RunEnded)
	}
	return true, " and has not ended"
}

// instead is the command by which the net runs all the same, where an occurrence is decided and stays so.
func (x *netExplainer) instead(o *seen) string {
	if o.due.After(x.now) {
		return fmt.Sprintf("reeve agenda add %s --at %s --reason …", x.net, stamp(o.due))
	}
	return "reeve run start " + x.net
}

// later adds to what helps now what would help the occurrences after it: what is decided stays decided.
func later(now, then string) string {
	if then == "" {
		return now
	}
	return now + "; for later ones: " + then
}

func (x *netExplainer) missed(ctx context.Context, o *seen) {
	r := o.rec
	fix := o.command("release")
	switch {
	case r.RecoveredBy != "":
		fix = "reeve run show " + r.RecoveredBy
	case !r.Dismissed.IsZero():
		fix = x.instead(o)
	}
	text, edit := missedField(o)
	x.add(string(r.Reason), r.Decided, fmt.Sprintf("%s: missed, as was decided at %s: %s%s", o.subject(), stamp(r.Decided), r.Detail, sentence(text)), later(fix, edit))
	if !r.Dismissed.IsZero() {
		x.add(string(r.Reason), r.Dismissed, "it was dismissed by "+r.DismissedBy, "")
	}
	if r.Reason == occurrence.NoAgent && r.RecoveredBy == "" {
		x.agents(ctx)
	}
	if r.RecoveredBy != "" {
		x.add(string(r.Reason), time.Time{}, "it was released later as "+x.runText(ctx, r.RecoveredBy), "")
		x.whyRun(ctx, r.RecoveredBy)
	}
}

// missedField names the field of the schedule by which it would not have been missed, and how it would be set.
func missedField(o *seen) (text, edit string) {
	if o.by == nil {
		return "", ""
	}
	written := o.by.rule.Schedule()
	switch o.rec.Reason { //nolint:exhaustive // the others are no reasons of what was missed
	case occurrence.ServerDown, occurrence.ClockJump:
		text = "catchup is none: what falls due while nobody can decide is not made up"
		if written.StartWithin > 0 {
			text += fmt.Sprintf(", and its start window of %s was over", lengthText(written.StartWithin))
		}
		return text, o.edit("catchup: last, or all, or a start_within that outlasts the outage,")
	case occurrence.CatchupLimit:
		if written.Catchup == calendar.CatchupLast {
			return "", o.edit("catchup: all")
		}
	case occurrence.LateStart, occurrence.NoAgent:
		return "start_within is " + lengthText(written.StartWithin), o.edit("a longer start_within, or none,")
	}
	return "", ""
}

// agents says of each first job of the net for which no agent is linked which ones fit, and why they are not linked. It reports
// whether there is such a job.
func (x *netExplainer) agents(ctx context.Context) bool {
	def, err := x.s.cfg.Engine.Definition(ctx, x.net, 0)
	if err != nil {
		return false
	}
	any := false
	for i := range def.Net.Jobs {
		if len(def.Predecessors(i)) > 0 {
			continue
		}
		want := def.Net.Jobs[i].Agent
		ok, text := run.Linked(want, x.s.cfg.Engine.Agents())
		if ok {
			continue
		}
		any = true
		fix := joinFix(want)
		if away := (&explainer{s: x.s}).away(want); away != "" {
			text, fix = away, "see the agent's log, and that it can reach the server's link port"
		}
		x.add(string(occurrence.AwaitsAgent), time.Time{}, "job "+def.Net.Jobs[i].Name+" needs an agent now, too: "+text, fix)
		x.facts[len(x.facts)-1].Job = def.Net.Jobs[i].Name
	}
	return any
}

func (x *netExplainer) suppressed(ctx context.Context, o *seen) {
	r := o.rec
	text, then := o.subject()+": suppressed: "+r.Detail, ""
	switch r.Reason { //nolint:exhaustive // the others are no reasons of what was suppressed
	case occurrence.Calendar, occurrence.Blackout, occurrence.Collision:
		x.byRule(ctx, o, r.Reason, "suppressed")
		return
	case occurrence.Paused:
		if _, ok := x.s.cfg.Engine.PausedNow(x.net, o.key.Schedule); ok {
			text, then = text+", and is still", "reeve schedule resume "+x.net+" "+o.key.Schedule
		}
	case occurrence.Overlap:
		then = o.edit("overlap: queue, or allow,")
		for _, id := range x.s.cfg.Engine.OpenRunsOf(x.net) { // others began later
			if strings.Contains(r.Detail, id) {
				text += "; still open: " + x.runText(ctx, id)
			}
		}
	case occurrence.Held:
		text, then = text+"; catchup does not say that it runs afterwards", o.edit("catchup: last, or all,")
	}
	x.add(string(r.Reason), r.Decided, text, later(x.instead(o), then))
	if why := x.s.cfg.Engine.Held(); why != "" && r.Reason == occurrence.Held {
		x.add(string(r.Reason), time.Time{}, "the domain is still held, so that a run waits: "+why, "reeve domain release")
	}
}

// open says which runs of the net are open, each with what keeps it from ending.
func (x *netExplainer) open(ctx context.Context, reason string) {
	for i, id := range x.s.cfg.Engine.OpenRunsOf(x.net) {
		if i == whyMany {
			break
		}
		x.add(reason, time.Time{}, "still open: "+x.runText(ctx, id), "reeve run cancel "+id)
		x.whyRun(ctx, id)
	}
}

func (x *netExplainer) cancelled(o *seen) {
	r := o.rec
	x.add(string(r.Reason), r.Decided, o.subject()+": cancelled at "+stamp(r.Decided)+": "+r.Detail, x.instead(o))
}

// pending explains what has fallen due and waits.
func (x *netExplainer) pending(ctx context.Context, o *seen) error {
	reason, detail := o.rec.Reason, o.rec.Detail
	until := ""
	if w, ok := x.s.cfg.Engine.PendingWhy(o.key); ok {
		reason, detail = w.Reason, w.Detail
		if !w.Again.IsZero() && (reason == occurrence.AwaitsAgent || reason == occurrence.Queued) {
			until = "; it is missed when that has not changed by " + stamp(w.Again)
		}
	}
	since, text := o.rec.Decided, o.subject()+": "+detail+until
	switch reason { //nolint:exhaustive // the others are no reasons of what is pending
	case occurrence.Queued:
		x.add(string(reason), since, text, o.edit("overlap: allow"))
		x.open(ctx, string(reason))
	case occurrence.HeldBack:
		return x.heldBack(ctx, o, reason, text)
	case occurrence.DomainHeld:
		x.add(string(reason), since, text, "reeve domain release")
	case occurrence.AwaitsAgent:
		x.add(string(reason), since, text, o.command("release"))
		x.agents(ctx)
	case occurrence.AwaitsEnd:
		x.add(string(reason), since, text, o.command("release"))
		x.open(ctx, string(reason))
	case occurrence.DiskFull:
		x.add(string(reason), since, text, diskFix)
		return nil
	default:
		x.add(string(reason), since, text, o.command("release"))
	}
	x.disk("what waits is looked at again when there is room: ")
	return nil
}

// diskFix is what helps where the server has no room.
const diskFix = "make room under the server's data folder; the server goes on by itself"

// disk says that the server has no room, where it has none.
func (x *netExplainer) disk(said string) {
	if why := x.s.cfg.Engine.Disk(); why != "" {
		x.add(string(occurrence.DiskFull), time.Time{}, said+why, diskFix)
	}
}

// heldBack explains what people hold: with who, and how to take that back.
func (x *netExplainer) heldBack(ctx context.Context, o *seen, reason occurrence.Reason, text string) error {
	v, err := x.changeOf(ctx, o, occurrence.OverrideHold)
	if err != nil {
		return err
	}
	if v == nil {
		x.add(string(reason), o.since(), text, o.command("release"))
		return nil
	}
	expires := ""
	if !v.Expires.IsZero() {
		expires = ", until " + stamp(v.Expires) + " at the latest"
	}
	x.add(string(reason), v.Created, fmt.Sprintf("%s (change %d of the agenda by %s%s)", text, v.ID, v.By, expires), fmt.Sprintf("reeve agenda drop %d, or %s", v.ID, o.command("release")))
	return nil
}

func (o *seen) since() time.Time {
	if o.rec != nil {
		return o.rec.Decided
	}
	return time.Time{}
}

// toCome explains what is not due yet: when it is, and what will become of it as things are.
func (x *netExplainer) toCome(ctx context.Context, o *seen) {
	c := o.soon
	when := fmt.Sprintf("%s: it is not due yet, in %s", o.subject(), awayText(x.now, c.due))
	switch {
	case c.decision == occurrence.Suppressed && c.reason == occurrence.Paused:
		x.state("to be suppressed")
		x.add(string(c.reason), time.Time{}, when+"; it will be suppressed: "+c.detail, "reeve schedule resume "+x.net+" "+o.key.Schedule)
	case c.decision == occurrence.Suppressed:
		x.state("to be suppressed")
		x.byRule(ctx, o, c.reason, "it will be suppressed")
	case c.decision == occurrence.Cancelled:
		x.state("to be cancelled")
		x.dropOf(ctx, o, when+"; it will be cancelled: "+c.detail, occurrence.OverrideSkip)
	case c.reason == occurrence.DiskFull:
		x.state(string(occurrence.Pending))
		x.add(string(c.reason), c.due, o.subject()+": it is not decided yet: "+c.detail, diskFix)
	case c.reason == occurrence.HeldBack:
		x.state(string(occurrence.Pending))
		x.dropOf(ctx, o, when+"; it will wait then: "+c.detail, occurrence.OverrideHold)
	case c.moved == movedByHand:
		x.state(string(occurrence.Pending))
		x.dropOf(ctx, o, when+sentence(c.detail), occurrence.OverrideMove)
	default:
		x.state(string(occurrence.Pending))
		x.add(string(occurrence.NotYet), time.Time{}, when+sentence(c.detail), o.command("release"))
		if why := x.s.cfg.Engine.Held(); why != "" {
			x.add(string(occurrence.DomainHeld), time.Time{}, "the domain starts nothing now: "+why, "reeve domain release")
		}
		x.disk("the server decides nothing now: ")
		if o.by != nil && o.by.rule.Schedule().StartWithin > 0 {
			x.agents(ctx)
		}
	}
}

func sentence(more string) string {
	if more == "" {
		return ""
	}
	return "; " + more
}

// dropOf explains what is to come by the change of the agenda that stands in the way.
func (x *netExplainer) dropOf(ctx context.Context, o *seen, text string, kinds ...occurrence.OverrideKind) {
	fix := "reeve agenda overrides " + x.net
	if v, err := x.changeOf(ctx, o, kinds...); err == nil && v != nil {
		fix = fmt.Sprintf("reeve agenda drop %d", v.ID)
	}
	x.add(string(o.soon.reason), time.Time{}, text, fix)
}

// changeOf returns the active change of the agenda of some kinds that concerns an occurrence; nil: there is none.
func (x *netExplainer) changeOf(ctx context.Context, o *seen, kinds ...occurrence.OverrideKind) (*occurrence.Override, error) {
	overrides, err := x.s.cfg.Store.Overrides(ctx, x.net, []occurrence.OverrideState{occurrence.OverrideActive}, 0)
	if err != nil {
		return nil, storeFault(err)
	}
	for i := range overrides {
		v := &overrides[i]
		if slices.Contains(kinds, v.Kind) && (sameKey(v.Key, o.key) || v.Schedule == o.key.Schedule && !v.From.IsZero() && !o.due.Before(v.From)) {
			return v, nil
		}
	}
	return nil, nil
}
