package link

import (
	"context"
	"slices"
	"sync"
	"time"
)

// watch is one Run of a Dialer: it looks at what is up, dials where that is wanted, and says how long to wait.
type watch struct {
	*Dialer
	options Options
	backoff Backoff
	onLink  func(context.Context, *Link)
	links   sync.WaitGroup

	targets  []Target  // as they were last asked for
	up       bool      // at the last look
	since    time.Time // when that became so
	rounds   int       // in vain, or with links that did not last
	next     time.Time // of the next round while nothing is up
	retake   time.Time // of the next try for something better
	retaken  time.Time // when a better link was last had
	relapses int       // better links that did not last
	urged    time.Time // when the last urge was followed
	urges    int       // in a row, for the pause between them
	begun    int       // rounds, for Next
}

// The defaults of a dialler, and what no site has asked to change.
const (
	defaultPatience = 2 * time.Second
	defaultRetake   = 15 * time.Second
	mostRelapses    = 3                // times that Retake doubles where better links do not last
	urgeLeast       = 3 * time.Second  // between two urges, doubled each time
	urgeMost        = 60 * time.Second // at most
	forever         = time.Duration(-1)
)

func (w *watch) begin(now time.Time) {
	w.since = now
	w.change(func(s *State) { s.Since = now })
	w.ask()
	w.next = now.Add(w.leave())
}

// leave is how long the dialling is left to the other end.
func (w *watch) leave() time.Duration {
	patience := w.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	if bestOf(w.targets) <= 1 {
		return 0
	}
	return max(0, patience)
}

// look does what is wanted now and returns how long nothing else will be, unless something changes.
func (w *watch) look(ctx context.Context) time.Duration {
	hurry, urge := w.taken()
	turn, up := w.linked()
	lost := w.notice(up)
	switch {
	case up && urge && w.follow(time.Now()):
		w.ask()
		w.round(ctx, w.following(turn), func() bool { return false })
		return 0
	case up:
		return w.improve(ctx, turn, hurry)
	case (hurry || urge) && !lost:
		if soon := w.since.Add(w.leave()); soon.Before(w.next) {
			w.next = soon
		}
	}
	if wait := time.Until(w.next); wait > 0 {
		w.change(func(s *State) { s.Rounds, s.Next = w.rounds, w.next })
		return wait
	}
	w.fromNothing(ctx)
	return 0
}

// notice takes in whether a link is up. It says true where one has just been lost.
func (w *watch) notice(up bool) (lost bool) {
	if w.up == up {
		return false
	}
	now := time.Now()
	lasted := now.Sub(w.since)
	w.up, w.since = up, now
	if up {
		w.retake = now.Add(w.pause())
		w.change(func(s *State) {
			if s.Next = (time.Time{}); !s.Linked {
				*s = State{Resting: true, Since: now, Address: s.Address, Row: s.Row}
			}
		})
		return false
	}
	if lasted >= w.backoff.Most { // one that always breaks at once must not be dialled in a tight loop
		w.rounds = 0
	}
	w.next = now.Add(max(w.backoff.next(w.rounds, w.backoff.Most), w.leave()))
	w.rounds++
	w.change(func(s *State) {
		if s.Resting {
			s.Resting, s.Since = false, now
		}
	})
	return true
}

// fromNothing is a round over all targets, because no link is up.
func (w *watch) fromNothing(ctx context.Context) {
	w.ask()
	w.change(func(s *State) { s.Next = time.Time{} })
	begin := time.Now()
	ended, connected := w.round(ctx, w.chosen(begin), func() bool { _, up := w.linked(); return up })
	if ended != inVain {
		return
	}
	most, from := w.backoff.Most, time.Now()
	if !connected && len(w.targets) > 0 {
		most, from = w.backoff.Unconnected, begin
	}
	w.next = from.Add(w.backoff.next(w.rounds, most))
	w.rounds++
	w.told(w.targets, w.next)
}

// improve tries targets that are better than the link that is up, from time to time.
func (w *watch) improve(ctx context.Context, turn int, hurry bool) time.Duration {
	if hurry {
		w.ask()
	}
	better := slices.DeleteFunc(slices.Clone(w.targets), func(t Target) bool { return !isBetter(t.Turn, turn) })
	if len(better) == 0 {
		return forever
	}
	if wait := time.Until(w.retake); wait > 0 {
		w.told(better, w.retake)
		return wait
	}
	ended, _ := w.round(ctx, better, func() bool {
		now, up := w.linked()
		return !up || !isBetter(bestOf(better), now) || w.wanted()
	})
	now := time.Now()
	switch {
	case ended == linked:
		w.retaken, w.relapses = now, min(w.relapses+1, mostRelapses)
	case now.Sub(w.retaken) > w.every()<<(mostRelapses+1):
		w.relapses = 0
	}
	w.retake = now.Add(w.pause())
	return 0
}

// wanted says whether an urge waits.
func (w *watch) wanted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.urge
}

// pause is how long a link that is up is left alone before something better is tried: longer where what was better did
// not last.
func (w *watch) pause() time.Duration { return w.backoff.some(w.every() << w.relapses) }

func (w *watch) every() time.Duration {
	if w.Retake <= 0 {
		return defaultRetake
	}
	return w.Retake
}

// follow says whether an urge is followed now. A server that is slow must not be made slower by ever new links.
func (w *watch) follow(now time.Time) bool {
	pause := min(urgeLeast<<w.urges, urgeMost)
	switch quiet := now.Sub(w.urged); {
	case quiet < pause:
		return false
	case quiet > 2*urgeMost:
		w.urges = 0
	case pause < urgeMost:
		w.urges++
	}
	w.urged = now
	return true
}

// ask asks where to dial, and forgets what was known of other targets.
func (w *watch) ask() {
	w.targets = w.Targets()
	w.keep(w.targets)
}

// chosen returns the targets of a round in their order, without those that failed a short while ago.
func (w *watch) chosen(now time.Time) []Target {
	all := slices.Clone(w.targets)
	if w.Skip > 0 {
		all = slices.DeleteFunc(all, func(t Target) bool { return w.failed(t, now.Add(-w.Skip)) })
	}
	if len(all) == 0 {
		all = slices.Clone(w.targets)
	}
	if w.Choice == Next && len(all) > 1 {
		k := w.begun % len(all)
		all = append(slices.Clone(all[k:]), all[:k]...)
	}
	w.begun++
	return all
}

// following returns all targets, that in use last: where a link's own row does not do, the next one is dialled.
func (w *watch) following(turn int) []Target {
	k := slices.IndexFunc(w.targets, func(t Target) bool { return isBetter(turn, t.Turn) })
	if used, ok := w.inUse(); ok && used.Turn == turn {
		k = slices.Index(w.targets, used) + 1
	}
	if k < 0 || k >= len(w.targets) {
		k = 0
	}
	return append(slices.Clone(w.targets[k:]), w.targets[:k]...)
}

// inUse is the target of the newest own link; it is false where there is none.
func (w *watch) inUse() (Target, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.own) == 0 {
		return Target{}, false
	}
	return w.own[len(w.own)-1].to, true
}

// isBetter reports whether one turn comes before another. What has no turn is neither better nor worse.
func isBetter(turn, than int) bool { return turn > 0 && than > 0 && turn < than }

// bestOf returns the lowest turn of some targets; 0: none has one.
func bestOf(targets []Target) int {
	best := 0
	for _, t := range targets {
		if best == 0 || isBetter(t.Turn, best) {
			best = t.Turn
		}
	}
	return best
}

// rest waits until something changes, or for so long.
func (w *watch) rest(ctx context.Context, pause time.Duration) {
	var over <-chan time.Time
	if pause != forever {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-w.waker():
	case <-ctx.Done():
	}
}
