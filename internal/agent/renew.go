package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	renewLimit = 30 * time.Second // one request
	// The clock is looked at this often: it may be set, or the host may have slept.
	renewLook = time.Minute
)

// renew keeps the certificate fresh until ctx ends: over the link from two thirds of its life on, and by the bound
// key once it has run out.
func (a *agent) renew(ctx context.Context) error {
	pause := backoff{first: time.Second, most: 5 * time.Minute}
	said := time.Time{}
	for ctx.Err() == nil {
		at, expires := a.member.renewal()
		now := a.cfg.Now()
		way, changed := a.up.now()
		wait := min(at.Sub(now), renewLook)
		switch {
		case !now.Before(expires) && !a.mayAsk():
			wait = a.expired(&said)
		case !now.Before(expires):
			wait = a.renewed(a.joiner.recover(ctx), &pause)
			a.dialer.Wake()
		case !now.Before(at) && way != nil:
			wait = a.renewed(a.renewOverLink(ctx, way), &pause)
		case !now.Before(at): // only the next link, or the end of the certificate, changes anything
			wait = min(expires.Sub(now), renewLook)
		}
		a.rest(ctx, changed, max(wait, time.Millisecond))
	}
	return nil
}

// mayAsk reports whether this agent can ask a server by a dial of its own.
func (a *agent) mayAsk() bool { return a.view.Load().enrolRow() != "" && len(a.member.addresses()) > 0 }

// expired says, once for each certificate, that only a server's dial brings another one, and returns how long to wait.
func (a *agent) expired(said *time.Time) time.Duration {
	if _, expires := a.member.renewal(); !expires.Equal(*said) {
		*said = expires
		a.cfg.Log.Warn("the certificate has run out; a server that dials brings a new one", slog.Time("expired", expires))
	}
	return renewLook
}

// renewed books what became of a try and returns how long to wait.
func (a *agent) renewed(err error, pause *backoff) time.Duration {
	if err != nil {
		a.cfg.Log.Warn("certificate was not renewed; will try again", slog.Any("error", err))
		return pause.wait()
	}
	pause.reset()
	return 0
}

func (a *agent) renewOverLink(ctx context.Context, way *way) error {
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	own, err := a.member.own()
	if err != nil {
		return err
	}
	csr, err := a.member.request()
	if err != nil {
		return err
	}
	var answer wire.Certificate
	if err := post(ctx, way.calls, peerBase+wire.PathLinkRenew, wire.RenewRequest{NodeID: own.Identity.ID, CSR: csr}, &answer); err != nil {
		return fmt.Errorf("renewing the certificate: %w", err)
	}
	if err := a.member.adopt(answer, &own.Identity); err != nil {
		return fmt.Errorf("renewing the certificate: %w", err)
	}
	_, expires := a.member.renewal()
	a.cfg.Log.Info("certificate renewed", slog.Time("expires", expires))
	return nil
}

func (a *agent) rest(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C:
	}
}
