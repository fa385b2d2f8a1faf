package agent

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	codeLife = 15 * time.Minute
	codeLook = time.Minute // the clock is looked at this often: it may be set, or the host may have slept
	// An address that has shown so many wrong secrets is not listened to any more, and a code to which so many came from
	// all addresses ends. A guess has a chance of 2^-128; what this bounds is the noise, and nobody can end a code from
	// one address.
	wrongEach, wrongAll = 5, 100
)

// code is what one server may enrol this agent with, and what became of it.
type code struct {
	hash    string // of its secret
	expires time.Time
	domain  string               // fingerprint of the authority whose server used it first
	wrong   map[netip.Prefix]int // secrets that were not right, by where they came from
	all     int
	spoilt  chan struct{} // closed when there were too many of them
}

// enroller lets a server that dials make this agent a node: it waits with a code that a person takes to the server.
type enroller struct {
	member *member
	name   string // that the agent wants to have; empty: any
	desk   bool   // it is a desk agent
	show   func(text string) error
	now    func() time.Time
	life   time.Duration // of a code
	log    *slog.Logger

	mu       sync.Mutex
	live     *code         // nil: none is good
	before   string        // hash of the code before it
	enrolled chan struct{} // closed once this agent is a node
}

// errNotEnrolled says that the agent was stopped while it waited to be enrolled.
var errNotEnrolled = errors.New("stopped before a server has enrolled this agent")

// openEnroller makes what answers servers that enrol this agent; without a code it refuses them. An agent that was
// enrolled so goes on to listen where servers dial it.
func (a *agent) openEnroller() {
	a.enroller = &enroller{
		member: a.member, name: a.cfg.Name, desk: a.cfg.Desk, show: a.cfg.Code, now: a.cfg.Now, life: codeLife, log: a.cfg.Log, enrolled: make(chan struct{}),
	}
	if !a.cfg.Enrol && !a.member.dialled() {
		return
	}
	for _, row := range a.cfg.Rows.Await {
		if !slices.Contains(a.cfg.Rows.Listen, row) {
			a.cfg.Rows.Listen = append(slices.Clip(a.cfg.Rows.Listen), row)
		}
	}
}

// enrol waits until a server has made this agent a node. One that is a node already goes on as that.
func (a *agent) enrol(ctx context.Context) error {
	if own, err := a.member.own(); err == nil {
		a.cfg.Log.Info("a node already; no server need enrol this agent", slog.String("identity", own.Identity.String()))
		return nil
	}
	err := a.await(ctx)
	if err != nil && ctx.Err() != nil {
		return errNotEnrolled
	}
	return err
}

// await serves the rows on which servers dial until one has enrolled this agent.
func (a *agent) await(ctx context.Context) error {
	bare, err := identity.SelfSigned(a.member.key, a.cfg.Now())
	if err != nil {
		return err
	}
	// No links yet, not even where the certificate is there already: nothing that could serve one is.
	config := identity.Endpoint{Own: waits, Now: a.cfg.Now}.DialledConfig(bare)
	group, ctx := errgroup.WithContext(ctx)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	for _, row := range a.cfg.Rows.Await {
		listeners, err := a.cfg.Listen(ctx, row)
		if err != nil {
			stop()
			return errors.Join(err, group.Wait())
		}
		for _, l := range listeners {
			s := link.Server{Listener: l, Row: row, TLS: config, Web: a.doorstep(), Options: link.Options{Timing: a.cfg.Timing, Log: a.cfg.Log}}
			group.Go(func() error { return s.Run(serving) })
			a.cfg.Log.Info("a server may dial this agent and enrol it", slog.String("row", row), slog.String("address", l.Addr().String()))
		}
	}
	group.Go(func() error {
		defer stop()
		return a.enroller.wait(ctx)
	})
	return group.Wait()
}

func waits() (*identity.Credentials, error) {
	return nil, fault.New(fault.Unauthenticated, "this agent waits to be enrolled", "")
}

// wait shows one code after the other until a server has used one, or ctx ends.
func (e *enroller) wait(ctx context.Context) error {
	pause := backoff{first: 10 * time.Second, most: 5 * time.Minute}
	for {
		c, text, err := e.renew()
		if err != nil {
			return err
		}
		if err := e.show(text); err != nil {
			return err
		}
		e.log.Info("waiting to be enrolled; an older code is not good any more", slog.Time("code_expires", c.expires))
		spoilt, err := e.during(ctx, c)
		if err != nil || e.member.joined() {
			return err
		}
		if !spoilt {
			pause.reset()
			e.log.Warn("the code has expired; there is a new one")
			continue
		}
		rest := pause.wait()
		e.log.Warn("the code has ended: too many came that were not right; there will be a new one", slog.Duration("pause", rest))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rest):
		}
	}
}

// during waits as long as a code is good. It returns with nil once the agent is enrolled.
func (e *enroller) during(ctx context.Context, c *code) (spoilt bool, err error) {
	for left := c.expires.Sub(e.now()); left > 0; left = c.expires.Sub(e.now()) {
		timer := time.NewTimer(min(left, codeLook))
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-e.enrolled:
			timer.Stop()
			return false, nil
		case <-c.spoilt:
			spoilt = true
		case <-timer.C:
			continue
		}
		timer.Stop()
		return spoilt, err
	}
	return false, nil
}

// renew puts a new code in the place of the one before.
func (e *enroller) renew() (*code, string, error) {
	minted, err := identity.MintCode(rand.Reader, &e.member.key.PublicKey)
	if err != nil {
		return nil, "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil {
		e.before = e.live.hash
	}
	e.live = &code{
		hash: identity.HashSecret(minted.Secret), expires: e.now().Add(e.life), wrong: map[netip.Prefix]int{}, spoilt: make(chan struct{}),
	}
	return e.live, minted.Text(), nil
}

// visitor is who asks to enrol this agent: what it showed in the handshake, and where it comes from.
type visitor struct {
	from netip.Prefix
	// server returns who it is by its certificate, and the authority that has signed that.
	server func(domain string, roots []*x509.Certificate) (identity.Identity, *x509.Certificate, error)
}

// offer answers a server that has the code with a certificate request.
func (e *enroller) offer(by visitor, in wire.EnrolOffer) (wire.CertificateRequest, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.admit(by, in); err != nil {
		return wire.CertificateRequest{}, err
	}
	csr, err := e.member.request()
	return wire.CertificateRequest{CSR: csr}, err
}

// grant makes this agent a node, durably. It may come again: then it changes nothing but the certificate.
func (e *enroller) grant(by visitor, in wire.EnrolGrant) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	server, err := e.admit(by, in.EnrolOffer)
	if err != nil {
		return err
	}
	first := !e.member.joined()
	want := identity.Identity{Domain: in.Domain, Role: identity.RoleAgent, Name: in.Name, ID: in.NodeID}
	if own, err := e.member.own(); err == nil && own.Identity != want {
		return fault.New(fault.Conflict, fmt.Sprintf("this agent is %s, not %s", own.Identity, want), "")
	}
	// The way to servers first: were the certificate stored without it, a restart would not find it.
	if err := e.member.enrolled(in.Addresses, e.desk); err != nil {
		return err
	}
	if err := e.member.adopt(wire.Certificate{NodeID: in.NodeID, Certificate: in.Certificate, Authority: in.Authority}, &want); err != nil {
		return err
	}
	if first {
		close(e.enrolled)
		e.log.Info("enrolled", slog.String("identity", want.String()), slog.String("by", server.String()))
	}
	return nil
}

// admit decides whether the visitor may enrol this agent. It is called under the lock.
func (e *enroller) admit(by visitor, in wire.EnrolOffer) (identity.Identity, error) {
	var none identity.Identity
	if err := e.check(by.from, in.Secret); err != nil {
		return none, err
	}
	roots, err := identity.ParseAuthorities([]byte(in.Authority))
	if err != nil {
		return none, err
	}
	server, authority, err := by.server(in.Domain, roots)
	if err != nil {
		return none, err
	}
	if err := e.fits(in); err != nil {
		return none, err
	}
	domain := identity.Fingerprint(authority)
	if e.live.domain != "" && e.live.domain != domain {
		return none, fault.New(fault.Conflict, "the code was used already, by another domain", "start the agent again with --enrol for a new code")
	}
	e.live.domain = domain
	return server, nil
}

// check looks at a secret, and counts those that are wrong.
func (e *enroller) check(from netip.Prefix, secret string) error {
	const fix = "use the last code that the agent printed; each is good for 15 minutes"
	c := e.live
	switch {
	case c == nil:
		return fault.New(fault.Forbidden, "this agent does not wait to be enrolled", "start it with --enrol, or see whether it is a node already")
	case c.wrong[from] >= wrongEach || c.all >= wrongAll:
		return fault.New(fault.Busy, "too many codes that were not right came from this address", fix)
	case identity.SecretMatches(c.hash, secret):
		if !e.now().Before(c.expires) {
			return fault.New(fault.Conflict, "the code expired at "+c.expires.UTC().Format(time.RFC3339), fix)
		}
		return nil
	case identity.SecretMatches(e.before, secret):
		return fault.New(fault.Conflict, "the code has expired, and the agent has printed a new one", fix)
	}
	c.wrong[from]++
	c.all++
	e.log.Warn("somebody showed a code that is not right", slog.String("from", from.String()), slog.Int("so_far", c.all))
	if c.all == wrongAll {
		close(c.spoilt)
	}
	return fault.New(fault.Forbidden, "the code is not right", fix)
}

// fits refuses a name that this agent cannot have, and a kind that it is not.
func (e *enroller) fits(in wire.EnrolOffer) error {
	if err := identity.CheckName(in.Name); err != nil {
		return err
	}
	if e.name != "" && e.name != in.Name {
		return fault.New(fault.Conflict, "this agent is called "+e.name+", not "+in.Name, "enrol it as "+e.name)
	}
	switch {
	case e.desk && in.Kind != wire.Desk:
		return fault.New(fault.Conflict, "this is a desk agent", "enrol it with --desk")
	case !e.desk && in.Kind == wire.Desk:
		return fault.New(fault.Conflict, "this is no desk agent", "enrol it without --desk, or start it with --desk")
	}
	own, err := e.member.own()
	if err == nil && (own.Identity.Domain != in.Domain || own.Identity.Name != in.Name) {
		return fault.New(fault.Conflict, "this agent is "+own.Identity.String()+" already", "give the new agent a data folder of its own")
	}
	return nil
}
