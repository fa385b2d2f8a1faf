package engine

import (
	"context"
	"time"
)

// Waiting returns how many requests wait for the next turn.
func (e *Engine) Waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue)
}

// Sleep says how long the loop would sleep now, as it does before it sleeps.
func (e *Engine) Sleep() time.Duration {
	wait := e.untilWake()
	e.times.clock.wait = wait
	return wait
}

// Turn takes one turn, as the loop does when it wakes.
func (e *Engine) Turn(ctx context.Context) error { return e.turn(ctx) }

// Busy reports whether the last turn has left something to do at once.
func (e *Engine) Busy() bool { return e.Sleep() == 0 }

// WarmUp reads the definitions of what is due in the next minute.
func (e *Engine) WarmUp(ctx context.Context) {
	for _, net := range e.times.dueSoon(e.cfg.Now().Add(readAhead)) {
		_, _ = e.defs.of(ctx, net, 0)
	}
}

// Definitions are those that an engine keeps, for tests.
type Definitions struct{ definitions }

// NewDefinitions returns an empty cache over a store.
func NewDefinitions(cfg Config) *Definitions {
	d := &Definitions{}
	d.init(cfg)
	return d
}

// Of returns a version of a net.
func (d *Definitions) Of(ctx context.Context, net string, version int) (int, error) {
	def, err := d.of(ctx, net, version)
	if err != nil {
		return 0, err
	}
	return def.Version, nil
}

// Renew forgets which versions are the newest, and Age lets go of what nobody asked for.
func (d *Definitions) Renew(nets ...string) { d.renew(nets) }

// Age lets go of what nobody asked for since the last time.
func (d *Definitions) Age() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turnOver()
}

// Kept returns how many definitions are kept.
func (d *Definitions) Kept() int { return len(d.young) + len(d.old) }

// Alarms returns how many alarms are set.
func (e *Engine) Alarms() int { return len(e.times.alarms) }
