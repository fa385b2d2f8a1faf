package callback

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// patient is a body that may take its time, but never stops for long.
type patient struct {
	io.Reader
	extend func() error
}

// Read reads on, and gives the next piece time again.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}

// Run watches over deadlines, holds and the leases' own time until ctx ends, then closes all ports. Those that no agent
// has come to yet keep their number in the ledger, for the next start of this server.
func (d *Desk) Run(ctx context.Context) error {
	defer d.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var renewed, settled time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-timer.C:
		}
		now := time.Now()
		if now.Sub(settled) >= settleEvery {
			if err := d.settle(ctx); err != nil && ctx.Err() == nil {
				d.cfg.Log.Warn("looking for callback ports that nobody has any more", slog.Any("error", err))
			}
			settled = now
		}
		if every := d.renewEvery(); every > 0 && now.Sub(renewed) >= every {
			d.renew(ctx)
			renewed = now
		}
		if d.starving() {
			if err := d.look(ctx); err != nil && ctx.Err() == nil {
				d.cfg.Log.Warn("looking at the leases of the callback pool", slog.Any("error", err))
			}
		}
		timer.Reset(d.pass(now))
	}
}

const (
	atMost      = 15 * time.Second // between two looks, whatever is known
	settleEvery = time.Minute
)

// pass ends what is due, tells who waits for ports, and returns when to look again.
func (d *Desk) pass(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := atMost
	if every := d.renewEvery(); every > 0 {
		wait = min(wait, every)
	}
	for _, c := range d.calls {
		if c.state != Awaited || c.door == nil {
			continue
		}
		if left := c.until.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		d.cfg.Log.Warn("no agent came to a callback port; the attempt's words come over the link", slog.Any("attempt", c.attempt), slog.Int("port", int(c.door.lease.Port)))
		d.over(c, "nobody came in time")
	}
	if !d.hungry {
		return wait
	}
	n, next := d.stock.free(d.used(), now)
	switch {
	case n > 0:
		d.freed()
	case !next.IsZero():
		wait = min(wait, max(next.Sub(now), time.Millisecond))
	}
	if d.stock.others > 0 {
		wait = min(wait, lookAgain)
	}
	return wait
}

// starving reports whether somebody waits for ports that others have.
func (d *Desk) starving() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hungry && d.stock.others > 0
}

// renewEvery is how often the leases are renewed; 0: they have no time of their own.
func (d *Desk) renewEvery() time.Duration {
	ttl := d.cfg.Request.TTL
	if ttl == 0 {
		ttl = d.cfg.Request.Pool.Lease.TTL
	}
	return ttl / 3
}

// renew says that the desk still has its ports. An attempt that is silent loses its connection, and so its port.
func (d *Desk) renew(ctx context.Context) {
	d.mu.Lock()
	leases := make([]ledger.Lease, 0, len(d.doors))
	for dr := range d.doors {
		leases = append(leases, dr.lease)
	}
	d.mu.Unlock()
	for _, l := range leases {
		if err := d.cfg.Book.Renew(ctx, l.ID, l.Fence); err != nil && ctx.Err() == nil {
			d.cfg.Log.Debug("renewing the lease of a callback port", slog.Int("port", int(l.Port)), slog.Any("error", err))
		}
	}
}

// settle gives back the ports that an earlier server of this host left for attempts that are not awaited any more. Those
// that are ordered and not confirmed keep theirs: they are announced again.
func (d *Desk) settle(ctx context.Context) error {
	if _, err := d.cfg.Book.Sweep(ctx); err != nil {
		return err
	}
	all, err := d.cfg.Book.Leases(ctx)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Pool != d.cfg.Request.Pool.ID || l.State != ledger.Planned || l.Owner.Kind != ownerKind {
			continue
		}
		a, ok := ownerAttempt(l.Owner)
		if !ok || d.cfg.Ordered(a) { // also the rendezvous of another server
			continue
		}
		if err := d.giveBack(l, "its server has ended"); err != nil {
			return err
		}
	}
	return d.look(ctx)
}

// Close ends all connections and listeners, and waits until what is under way is over. Run does so at its end. A desk that
// this process, or the next one of this server, opens on the same ledger goes on from there.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	for _, c := range d.calls {
		if c.door != nil && c.state == Connected {
			d.over(c, "this server is stopping")
		}
	}
	for dr := range d.doors { // their numbers stay with their names: who was told of them finds them there again
		delete(d.doors, dr)
		d.work.Go(func() {
			_ = dr.server.Close() // the listener may be closed already
			ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
			defer cancel()
			if err := d.cfg.Book.Release(ctx, dr.lease.ID, dr.lease.Fence, "this server is stopping"); err != nil {
				d.cfg.Log.Warn("a callback port is not given back", slog.Int("port", int(dr.lease.Port)), slog.Any("error", err))
			}
		})
	}
	d.mu.Unlock()
	d.work.Wait()
}
