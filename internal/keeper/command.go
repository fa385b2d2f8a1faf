//go:build linux

package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// take decides a batch of starts: it writes the intents of those that are to be executed, and returns what must be
// on the disk before any is. Starts that arrive twice are decided once.
func (k *keeper) take(orders []wire.Order) (groups []*group, refused []wire.Refusal, runs []*attempt) {
	room := k.roomForStarts()
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	for _, o := range orders {
		k.tellAgain(o.Position.Epoch)
		refuse := func(final bool, reason, detail string) {
			refused = append(refused, wire.Refusal{Attempt: o.Attempt, Final: final, Reason: reason, Detail: detail})
		}
		if err := checkOrder(o); err != nil {
			refuse(true, "exec", err.Error())
			continue
		}
		switch v := k.reg.judge(o); v {
		case known:
		case again:
			e := k.reg.entries[o.Attempt]
			e.acked = false
			k.reg.unacked[e.end.ID] = o.Attempt
			k.outbox.add([]wire.Report{*e.end})
		case refusedEpoch:
			refuse(true, "epoch", fmt.Sprintf("the start is of epoch %d; this agent has seen %d", o.Position.Epoch, k.reg.epoch))
		case below:
			groups = append(groups, k.never(o.Attempt, o.Position, "at or below the mark, and not in the journal"))
		case doubtful:
			groups = append(groups, k.unknown(o))
		case begin:
			switch {
			case k.reg.closed:
				refuse(false, "draining", "this keeper is ending and starts nothing more")
			case room != "":
				refuse(false, "disk", room)
			default:
				g, a := k.intend(o)
				groups, runs = append(groups, g), append(runs, a)
			}
		}
	}
	return groups, refused, runs
}

// checkOrder refuses what cannot be executed whoever runs it.
func checkOrder(o wire.Order) error {
	if err := checkAttempt(o.Attempt); err != nil {
		return err
	}
	if (len(o.Command) == 0) == (o.Script == "") {
		return fmt.Errorf("exactly one of command and script is to be given")
	}
	for _, a := range o.Artifacts {
		if !filepath.IsLocal(filepath.FromSlash(a)) {
			return fmt.Errorf("artifact %q is not a name inside the working folder", a)
		}
	}
	if o.Stdout != "" && !filepath.IsLocal(filepath.FromSlash(o.Stdout)) {
		return fmt.Errorf("stdout %q is not a name inside the working folder", o.Stdout)
	}
	return nil
}

// intend writes the intent of a start. The caller holds the registry.
func (k *keeper) intend(o wire.Order) (*group, *attempt) {
	kept := o
	kept.Command, kept.Script, kept.Env, kept.Inputs = nil, "", nil, nil
	kept.Ports = slices.Clone(o.Ports)
	for i := range kept.Ports {
		kept.Ports[i].Request = nil
	}
	g := k.note(record{Kind: recordIntent, Attempt: &kept.Attempt, Position: &kept.Position, Order: &kept, Boot: k.boot}, true)
	e := k.reg.entries[o.Attempt]
	e.script = o.Script != ""
	return g, k.newAttempt(e, o)
}

// never writes that an attempt will not be executed. The caller holds the registry.
func (k *keeper) never(a wire.Attempt, p wire.Position, detail string) *group {
	r := wire.Report{
		ID: k.reg.nextID(), Attempt: a, Position: p, Kind: wire.NeverStarted, At: time.Now().UTC(), Reason: "withdrawn", Detail: detail,
	}
	return k.note(record{Kind: recordTombstone, Attempt: &r.Attempt, Position: &r.Position, Report: &r}, true, r)
}

// unknown writes that an attempt may have been executed by a keeper whose journal was damaged since.
func (k *keeper) unknown(o wire.Order) *group {
	r := wire.Report{
		ID: k.reg.nextID(), Attempt: o.Attempt, Position: o.Position, Kind: wire.Unknown, At: time.Now().UTC(),
		Reason: "start", Detail: "the agent's journal was damaged; whether this attempt was executed is lost",
	}
	return k.note(record{Kind: recordTombstone, Attempt: &r.Attempt, Position: &r.Position, Report: &r}, true, r)
}

// cancel ends what runs, and writes tombstones for what the journal does not know.
func (k *keeper) cancel(cancels []wire.Cancel) []*group {
	var groups []*group
	var running []*attempt
	var graces []time.Duration
	k.reg.mu.Lock()
	for _, c := range cancels {
		if checkAttempt(c.Attempt) != nil {
			continue
		}
		e := k.reg.entries[c.Attempt]
		switch {
		case e == nil:
			groups = append(groups, k.never(c.Attempt, c.Position, "cancelled before it was known to the keeper"))
		case e.end != nil:
			if e.acked { // the server does not know it any more
				e.acked = false
				k.reg.unacked[e.end.ID] = c.Attempt
				k.outbox.add([]wire.Report{*e.end})
			}
		default:
			if e.ending == nil {
				groups = append(groups, k.note(record{Kind: recordEnding, Attempt: &e.attempt, Grace: c.Grace}, true))
			}
			if e.live != nil {
				running, graces = append(running, e.live), append(graces, c.Grace)
			}
		}
	}
	k.reg.mu.Unlock()
	for i, a := range running {
		a.end("cancel", graces[i])
	}
	return groups
}

func (k *keeper) ack(ids []int64) {
	k.reg.mu.Lock()
	var done []int64
	for _, id := range ids {
		if _, ok := k.reg.unacked[id]; ok {
			done = append(done, id)
		}
	}
	if len(done) > 0 {
		k.note(record{Kind: recordAck, IDs: done}, false)
	}
	k.reg.mu.Unlock()
	k.outbox.ack(done)
}

// mark moves the mark, and forgets what it covers. A higher epoch begins a new count.
func (k *keeper) mark(epoch, mark int64) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	if epoch < k.reg.epoch || epoch == k.reg.epoch && mark <= k.reg.mark {
		return
	}
	k.tellAgain(epoch)
	k.note(record{Kind: recordMark, Epoch: epoch, Mark: mark, LastID: k.reg.lastID}, false)
	for _, e := range k.reg.forget() {
		k.later(k.removal(e))
	}
}

// tellAgain tells every end that the journal still knows where an epoch is the first of its server's that is seen
// here: the server was restored, and may have forgotten what an earlier one had committed. Of an end whose files are
// gone nothing is told: what they held cannot be brought to it. The caller holds the registry.
func (k *keeper) tellAgain(epoch int64) {
	if epoch <= k.reg.epoch || k.reg.epoch == 0 {
		return
	}
	var reports []wire.Report
	for _, e := range k.reg.entries {
		if e.end == nil || !e.acked || e.forgot && len(e.end.Artifacts) > 0 {
			continue
		}
		e.acked = false
		k.reg.unacked[e.end.ID] = e.attempt
		reports = append(reports, *e.end)
	}
	k.outbox.add(reports)
}

func (k *keeper) renew(tenure time.Duration) {
	if tenure <= 0 {
		return
	}
	until := bootClock() + tenure
	k.reg.mu.Lock()
	k.note(record{Kind: recordTenure, Clock: until, Boot: k.boot}, false)
	var live []*attempt
	for _, e := range k.reg.entries {
		if e.live != nil {
			live = append(live, e.live)
		}
	}
	k.reg.mu.Unlock()
	for _, a := range live {
		a.renew(until)
	}
}

// forget removes the folders of attempts that are over.
func (k *keeper) forget(attempts []wire.Attempt) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	for _, a := range attempts {
		if checkAttempt(a) != nil {
			continue
		}
		e := k.reg.entries[a]
		if e == nil {
			k.later(removal{place: k.folders.of(a, "")})
			continue
		}
		if e.end == nil || e.forgot {
			continue
		}
		r := k.removal(e)
		k.note(record{Kind: recordForget, Attempt: &e.attempt}, false)
		k.later(r)
	}
}

// removal says what is to be removed of an attempt that is over. A tree of which nothing was left leaves a folder
// that can be used again.
func (k *keeper) removal(e *entry) removal {
	clean := e.end.Kind == wire.Ended && e.end.Leftover == 0 && e.end.Reason == "" && e.end.Containment == executor.Cgroup
	return removal{place: k.folders.of(e.attempt, e.runAs()), reuse: clean, spool: e.end.Output > 0, script: e.script}
}

// later removes a folder when there is time for it. A folder that is not removed is found by the next keeper.
func (k *keeper) later(r removal) {
	select {
	case k.remove <- r:
	default:
		go func() {
			select {
			case k.remove <- r:
			case <-k.ctx.Done():
			}
		}()
	}
}

// roomForStarts says why nothing new can be started, or nothing.
func (k *keeper) roomForStarts() string {
	if ok, _ := k.journal.room(); !ok {
		return "the agent's disk has no room for the journal"
	}
	var st unix.Statfs_t
	if err := unix.Statfs(k.folders.keeper(), &st); err != nil {
		return "the agent's data folder cannot be looked at: " + err.Error()
	}
	free := int64(st.Bavail) * st.Bsize
	if os.Geteuid() == 0 {
		free = int64(st.Bfree) * st.Bsize
	}
	if free < k.cfg.MinFree {
		return fmt.Sprintf("the agent's disk has %d bytes free, a start needs %d", free, k.cfg.MinFree)
	}
	if st.Files > 0 && st.Ffree < 16 {
		return "the agent's disk has no room for new files"
	}
	return ""
}
