// Package agent answers: how do a server's orders reach the keeper of this host, and its reports and output the server?
//
// An agent is the node on a host where jobs run. It starts nothing itself: the keeper beside it does, and remembers.
// So the agent may end or be cut off at any instant; what it holds in memory, the keeper tells again.
//
//	server ══ link ══ commands ──▶ commander ──(inputs? fetcher ◀── cache)──▶ keeper
//	                  reports  ◀── reporter  ◀──(artifacts first)──────────── journal
//	                  output   ◀── outputSender ◀──────────────────────────── spools
//	                  heartbeat ◀─▶ session ── tenure, mark ────────────────▶ keeper
package agent

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/keeper"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// agent is one running agent: its parts, put together.
type agent struct {
	cfg         Config
	folder      *folder
	incarnation int64
	member      *member
	joiner      *joiner
	enroller    *enroller
	up          *uplink
	minder      *minder
	commander   *commander
	fetcher     *fetcher
	reporter    *reporter
	lanes       *lanes
	output      *outputSender
	dialer      *link.Dialer
	links       *link.Links // dialled and accepted ones
	entrances   entrances
	relays      relays
	view        atomic.Pointer[view]
	prover      Prover // nil: this host has no part in proofs
	adopting    sync.Mutex
}

// Run is an agent: it joins where it has not yet, finds or starts its keeper, and serves its domain until ctx ends.
// Then it returns nil at once; the keeper and its jobs go on. What prevents the start is returned as a fault.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	folder, err := openFolder(cfg.Data)
	if err != nil {
		return err
	}
	defer folder.close()
	a := &agent{cfg: cfg, folder: folder, links: link.NewLinks()}
	if err := a.open(ctx); err != nil {
		if errors.Is(err, errNotEnrolled) {
			return nil
		}
		return errors.Join(err, a.entrances.close())
	}
	return a.run(ctx)
}

// open does what must succeed before anything is served.
func (a *agent) open(ctx context.Context) error {
	var err error
	if a.incarnation, err = a.folder.raiseIncarnation(); err != nil {
		return err
	}
	if a.member, err = openMember(a.folder); err != nil {
		return err
	}
	if err = a.member.fits(a.cfg.Desk); err != nil {
		return err
	}
	a.openEnroller()
	if err := a.openView(); err != nil {
		return err
	}
	if a.cfg.Prover != nil {
		a.prover = a.cfg.Prover(a.proofTLS())
	}
	a.joiner = &joiner{member: a.member, keep: a.keepView, ports: a.view.Load, now: a.cfg.Now, log: a.cfg.Log}
	if err := a.join(ctx); err != nil {
		return err
	}
	if err := a.entrances.listen(ctx, a); err != nil {
		return err
	}
	cached, err := openCache(a.folder.file(cacheFolder), a.cfg.Cache, a.cfg.Reserve, a.cfg.Now)
	if err != nil {
		return err
	}
	a.build(cached)
	return a.minder.open(ctx, a.cfg.Version)
}

// join makes the agent a member where it is none, and holds a token that it no longer needs against what it is.
func (a *agent) join(ctx context.Context) error {
	token, given, err := readToken(a.cfg.Join, a.cfg.JoinFile)
	if a.member.joined() && errors.Is(err, os.ErrNotExist) {
		given, err = false, nil
	}
	if err != nil {
		return err
	}
	switch {
	case given:
		err = a.joiner.join(ctx, token, a.cfg.Name)
	case a.cfg.Enrol:
		err = a.enrol(ctx)
	case !a.member.joined():
		err = fault.New(fault.Unauthenticated, "this agent has not joined a domain",
			"on the server: reeve token create agent NAME; then start it with --join TOKEN; where only servers dial, start it with --enrol")
	}
	if err != nil {
		return err
	}
	own, err := a.member.own()
	if err != nil {
		return err
	}
	if a.cfg.Name != "" && a.cfg.Name != own.Identity.Name {
		return fault.New(fault.Conflict, "this data folder belongs to the agent "+own.Identity.Name+", not to "+a.cfg.Name,
			"give the new agent a data folder of its own")
	}
	if len(a.cfg.Addresses) > 0 && !slices.Equal(a.cfg.Addresses, a.member.addresses()) {
		return a.member.meet(a.cfg.Addresses)
	}
	return nil
}

// build connects the parts.
func (a *agent) build(cached *cache) {
	log := a.cfg.Log
	a.up = newUplink()
	a.reporter = newReporter(a.up, log)
	a.output = newOutputSender(a.up, log)
	a.minder = newMinder(a.folder.path, a.cfg.Keeper, log)
	a.lanes = newLanes(func() portDialer { return a.view.Load().Call }, log)
	a.minder.reports, a.minder.sizes, a.minder.safe = a.lanes.in, a.output.grown, a.output.safe
	a.fetcher = newFetcher(a.up, cached, log)
	a.fetcher.keeper, a.fetcher.inputs = a.minder.starter, a.minder.inputs
	a.commander = &commander{keeper: a.minder.starter, mark: a.minder.mark, fetch: a.fetcher, begun: a.minder.begun, disk: a.disk, pool: a.pool, lanes: a.lanes, log: log}
	a.commander.scout = newScout(func() func(context.Context, string) error { return a.view.Load().Reach }, a.cfg.Now)
	a.output.open, a.output.forget = a.minder.spool, a.minder.forget
	uploads := &uploader{folder: a.minder.artifacts, log: log}
	a.reporter.slow = a.impatient
	a.reporter.ack, a.reporter.amend, a.reporter.upload = a.minder.ack, a.fetcher.explain, uploads.upload
	a.reporter.acked = func(r wire.Report) {
		a.output.reported(r)
		if r.Kind != wire.Started {
			a.fetcher.settled(r.Attempt)
		}
	}
	a.lanes.rest, a.lanes.output, a.lanes.tls = a.reporter.in, a.output, func() *tls.Config { return a.endpoint().CallConfig() }
	a.lanes.ack, a.lanes.acked, a.lanes.amend, a.lanes.upload = a.reporter.ack, a.reporter.acked, a.reporter.amend, a.reporter.upload
	a.dialer = &link.Dialer{
		Targets: a.dialling,
		Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
			return a.view.Load().Ports.Dial(ctx, to.Row, to.Address)
		},
		TLS:     a.tls,
		Up:      a.linked,
		Backoff: a.cfg.Backoff,
		Options: link.Options{Handler: a.handler(), Links: a.links, Timing: a.cfg.Timing, Log: log},
	}
}

// run serves until ctx ends.
func (a *agent) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	own, err := a.member.own()
	if err != nil {
		return err
	}
	a.cfg.Log.Info("agent runs", slog.String("identity", own.Identity.String()), slog.Int64("incarnation", a.incarnation), slog.Int("slots", a.cfg.Slots))
	for _, part := range []func(context.Context) error{
		a.minder.Run, a.lanes.Run, a.reporter.Run, a.output.Run, a.fetcher.Run, a.renew, a.slim, a.dial,
		func(ctx context.Context) error { return a.entrances.run(ctx, a) },
		func(ctx context.Context) error { return a.relays.run(ctx, a) },
		a.commander.scout.Run,
	} {
		group.Go(func() error { return part(ctx) })
	}
	return group.Wait()
}

// dial keeps a link up that this agent dials, where the plan has it dial.
func (a *agent) dial(ctx context.Context) error { return a.dialer.Run(ctx, a.session) }

// dialling returns where the next round of dials goes, and tells why the last one was in vain where that is news.
func (a *agent) dialling() []link.Target {
	if s := a.dialer.State(); s.Err != nil && s.Rounds <= 1 {
		a.cfg.Log.Warn("no server is linked; jobs go on, and it is dialled again", slog.Any("error", s.Err))
	}
	return a.targets()
}

// pool writes a pool of the plan for the keeper's leaser.
func (a *agent) pool(name string) (json.RawMessage, error) {
	if v := a.view.Load(); v.Pool != nil {
		return v.Pool(name)
	}
	return nil, errNoPools
}

// tls returns the configuration of one dial: only servers of the agent's own domain may answer.
func (a *agent) tls() *tls.Config { return a.endpoint().ClientConfig() }

const (
	slimFirst = 3 * time.Second // after the start
	slimEvery = time.Minute     // where something has run since
)

// slim gives memory back once the start is over, and after times of work.
func (a *agent) slim(ctx context.Context) error {
	a.minder.asked.Store(true)
	timer := time.NewTimer(slimFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if a.minder.running() == 0 && a.minder.asked.Swap(false) {
			keeper.Slim()
		}
		timer.Reset(slimEvery)
	}
}
