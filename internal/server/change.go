package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
)

// ErrReplanned ends Run where the ports have been changed: open the server again, by the plan that was settled.
var ErrReplanned = errors.New("the server works by another port plan from now on")

// change is a change of ports under way: this server listens by the old plan and by the next one, and every node is told
// both. It is committed when each node is linked by the next plan, and rolled back at the deadline.
type change struct {
	next     planned
	written  domain.PortPlan
	begun    time.Time
	deadline time.Time
	by       string

	entrances []entrance
	stop      context.CancelFunc
	serving   sync.WaitGroup
}

// changing is what the server keeps for changes of its ports.
type changing struct {
	mu       sync.Mutex      // held while a change begins or ends
	ctx      context.Context //nolint:containedctx // of Run: what a change begins lives no longer
	replaned chan struct{}   // closed when a change was committed
	last     api.PlanChange
	settled  bool           // one was committed: nothing more is decided until the server opens again
	closing  atomic.Bool    // what was rolled back still listens
	all      sync.WaitGroup // what goes on beside: nodes are told, listeners close
}

// goesOn refuses what would begin or end a change while the server stops. The caller holds the lock.
func (c *changing) goesOn() error {
	if c.ctx.Err() != nil {
		return fault.New(fault.Conflict, "the server is stopping", "ask again once it runs")
	}
	return nil
}

// changeFile keeps what became of the last change.
const changeFile = "plan-change.json"

// firstChange is the time for a change that a server begins by itself, because it was configured with another plan while
// it was down.
const firstChange = 10 * time.Minute

// least and most bound the time that a change may take.
const leastChange, mostChange = time.Second, 7 * 24 * time.Hour

// BeginChange reads the plan that this server is configured with and begins to change the ports to it.
func (s *Server) BeginChange(ctx context.Context, by string, within time.Duration) error {
	if within < leastChange || within > mostChange {
		return fault.Newf(fault.Invalid, "a change may take from %s to %s, not %s", leastChange, mostChange, within)
	}
	if s.env.Reread == nil {
		return fault.New(fault.Conflict, "this server cannot read its port plan again", "start it anew with the other plan")
	}
	s.changing.mu.Lock()
	defer s.changing.mu.Unlock()
	switch err := s.changing.goesOn(); {
	case err != nil:
		return err
	case s.change.Load() != nil:
		return fault.New(fault.Conflict, "the ports are being changed already", "reeve plan show; reeve plan cancel")
	case s.changing.closing.Load():
		return fault.New(fault.Conflict, "the ports of the change that was rolled back are being closed", "try again in some seconds")
	}
	plan, written, err := s.env.Reread()
	if err != nil {
		return err
	}
	plan = numbered(plan, s.names.leased)
	site := ports.Site{Compiled: plan, Inventory: written.Inventory}
	if plan.Hash == s.env.Plan.Hash && sameInventory(written, s.env.Ports) {
		return fault.New(fault.Conflict, "the port plan that this server is configured with is the one by which it works", "edit it first: "+s.cfg.Plan)
	}
	c := &change{written: written, begun: s.env.Now(), deadline: s.env.Now().Add(within), by: by}
	h, _ := s.hostIn(site)
	c.next = planned{site: site, host: h, sockets: socket.New(site.For(h.Name), socket.As(string(ports.Server)))}
	if err = s.useProxy(c.next.sockets); err != nil {
		return err
	}
	if c.next.main, err = mainService(plan); err != nil {
		return err
	}
	if c.entrances, err = s.listen(ctx, c.next); err != nil {
		return errors.Join(err, closeEntrances(c.entrances))
	}
	s.begin(c)
	s.env.Log.Info("the ports are being changed: old and new listen together", slog.String("by", by), slog.Time("deadline", c.deadline), slog.String("rows", rowsText(s.changedRows(c))))
	s.auditChange(ctx, by, "plan.change", "to "+plan.Hash+", until "+c.deadline.UTC().Format(time.RFC3339))
	return nil
}

// begin serves the rows that are new, and tells all nodes.
func (s *Server) begin(c *change) {
	ctx, stop := context.WithCancel(s.changing.ctx)
	c.stop = stop
	for _, e := range c.entrances {
		for _, serve := range s.serversOf(e) {
			c.serving.Go(func() {
				if err := serve(ctx); err != nil {
					s.env.Log.Error("a row of the next port plan is no longer served", slog.String("row", e.claim.Service), slog.Any("error", err))
				}
			})
		}
	}
	s.change.Store(c)
	s.changing.all.Go(func() { s.tellChange(s.changing.ctx) })
}

// tellChange gives all nodes their views, and has them dialled as the plans say now: nodes may be among them that this
// server has not dialled before.
func (s *Server) tellChange(ctx context.Context) {
	s.fleet.Views(ctx)
	if err := s.dials.refresh(ctx); err != nil && ctx.Err() == nil {
		s.env.Log.Error("dialling nodes as the port plan says", slog.Any("error", err))
	}
}

// changes looks after a change until it is committed or rolled back. It returns ErrReplanned where one was committed.
func (s *Server) changes(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.changing.replaned:
			return ErrReplanned
		case <-tick.C:
			s.lookAtChange(ctx)
		}
	}
}

// endChanges waits for what a change has begun, once Run's context has ended: who opens the server again finds its ports
// free.
func (s *Server) endChanges() {
	s.changing.mu.Lock()
	c := s.change.Load()
	s.changing.mu.Unlock()
	if c != nil {
		c.stop()
		c.serving.Wait()
	}
	s.changing.all.Wait()
}

func (s *Server) lookAtChange(ctx context.Context) {
	c := s.change.Load()
	if c == nil {
		return
	}
	nodes := s.changeNodes(ctx, c)
	missing := slices.DeleteFunc(slices.Clone(nodes), func(n api.PlanChangeNode) bool { return n.Confirmed })
	var err error
	switch {
	case len(missing) == 0:
		err = s.CommitChange(ctx, "reeve", false)
	case !s.env.Now().Before(c.deadline):
		why := make([]string, len(missing))
		for i, n := range missing {
			why[i] = n.Name + ": " + *n.Why
		}
		err = s.rollBack(ctx, "reeve", "the deadline has passed, and not every node is linked by the next plan: "+strings.Join(why, "; "))
	}
	if err != nil && !fault.Is(err, fault.Conflict) { // somebody else was faster
		s.env.Log.Error("ending a change of ports", slog.Any("error", err))
	}
}

// CommitChange makes the next plan the one by which this server works. Without force every node must be linked by it.
func (s *Server) CommitChange(ctx context.Context, by string, force bool) error {
	s.changing.mu.Lock()
	defer s.changing.mu.Unlock()
	c, err := s.underWay()
	if err != nil {
		return err
	}
	nodes := s.changeNodes(ctx, c)
	for _, n := range nodes {
		if !n.Confirmed && !force {
			return fault.New(fault.Conflict, "node "+n.Name+" is not linked by the next port plan: "+*n.Why, "wait, or commit without the nodes that are missing: reeve plan commit --without-missing")
		}
	}
	if err := s.env.Settle(true); err != nil {
		return fmt.Errorf("keeping the port plan: %w", err)
	}
	s.ended(ctx, c, "committed", by, "")
	s.changing.settled = true
	s.env.Log.Info("the ports have been changed; the server opens again by the new plan", slog.String("by", by))
	close(s.changing.replaned)
	return nil
}

// CancelChange goes back to the plan by which this server worked before.
func (s *Server) CancelChange(ctx context.Context, by string) error {
	return s.rollBack(ctx, by, "it was cancelled by "+by)
}

var errNoChange = fault.New(fault.Conflict, "the ports are not being changed", "edit the port plan, then: reeve plan change")

// underWay is the change that may still be ended. The caller holds the lock.
func (s *Server) underWay() (*change, error) {
	if err := s.changing.goesOn(); err != nil {
		return nil, err
	}
	c := s.change.Load()
	if c == nil || s.changing.settled {
		return nil, errNoChange
	}
	return c, nil
}

func (s *Server) rollBack(ctx context.Context, by, why string) error {
	s.changing.mu.Lock()
	defer s.changing.mu.Unlock()
	c, err := s.underWay()
	if err != nil {
		return err
	}
	if err := s.env.Settle(false); err != nil {
		return fmt.Errorf("keeping the port plan: %w", err)
	}
	s.ended(ctx, c, "rolled back", by, why)
	s.change.Store(nil)
	s.changing.closing.Store(true)
	s.changing.all.Go(func() {
		s.tellChange(s.changing.ctx) // before its listeners close, so that nobody is left with an address of the next plan alone
		c.stop()
		c.serving.Wait()
		s.changing.closing.Store(false)
	})
	s.env.Log.Warn("the change of ports is rolled back", slog.String("why", why))
	return nil
}

// ended keeps what became of a change.
func (s *Server) ended(ctx context.Context, c *change, state, by, why string) {
	last := s.showChange(ctx, c)
	last.State, last.Ended, last.Why = state, instant(s.env.Now()), orNil(why)
	s.changing.last = last
	text, err := json.Marshal(last)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.cfg.Data, changeFile), text, 0o600)
	}
	if err != nil { // what was decided stands without it
		s.env.Log.Warn("keeping what became of a change of ports", slog.Any("error", err))
	}
	s.auditChange(ctx, by, "plan."+strings.ReplaceAll(state, " ", "-"), why)
}

func (s *Server) auditChange(ctx context.Context, by, action, detail string) {
	_, err := s.store.Commit(ctx, store.Batch{Epoch: s.registry.Epoch, Audit: []store.AuditRecord{{At: s.env.Now(), By: by, From: "server", Action: action, Object: s.env.Plan.Plan, Detail: detail}}})
	if err != nil {
		s.env.Log.Warn("the audit trail lacks a change of ports", slog.Any("error", err))
	}
}

// ShowChange is the change under way, else the last one.
func (s *Server) ShowChange(ctx context.Context) api.PlanChange {
	s.changing.mu.Lock()
	defer s.changing.mu.Unlock()
	if c := s.change.Load(); c != nil && !s.changing.settled {
		return s.showChange(ctx, c)
	}
	return s.changing.last
}

func (s *Server) showChange(ctx context.Context, c *change) api.PlanChange {
	return api.PlanChange{
		State: "under way", From: s.env.Plan.Hash, To: c.next.site.Compiled.Hash, By: c.by, Begun: instant(c.begun), Deadline: instant(c.deadline),
		Rows: s.changedRows(c), Nodes: s.changeNodes(ctx, c),
	}
}

// changedRows are the rows whose numbers differ.
func (s *Server) changedRows(c *change) []api.PlanChangeRow {
	rows := []api.PlanChangeRow{}
	for _, change := range ports.Diff(s.env.Plan, c.next.site.Compiled).Changes {
		if change.Kind != "row" {
			continue
		}
		one := api.PlanChangeRow{Row: change.ID, What: change.What}
		for _, f := range change.Fields {
			if f.Name == "port" {
				one.From, one.To = f.Old, f.New
			}
		}
		if one.From != one.To {
			rows = append(rows, one)
		}
	}
	return rows
}

func rowsText(rows []api.PlanChangeRow) string {
	parts := make([]string, len(rows))
	for i, r := range rows {
		parts[i] = fmt.Sprintf("%s %s to %s", r.Row, r.From, r.To)
	}
	return strings.Join(parts, ", ")
}

// changeNodes says of each node whether it is linked by the next plan, and else why not.
func (s *Server) changeNodes(ctx context.Context, c *change) []api.PlanChangeNode {
	nodes, err := s.store.ListNodes(ctx)
	if err != nil {
		s.env.Log.Error("reading the nodes", slog.Any("error", err))
		why := "the nodes cannot be read: " + err.Error()
		return []api.PlanChangeNode{{Name: s.name(), Why: &why}}
	}
	all := []api.PlanChangeNode{}
	for _, n := range nodes {
		if n.Role != string(ports.Agent) {
			continue
		}
		why := s.unconfirmed(n)
		all = append(all, api.PlanChangeNode{Name: n.Name, Confirmed: why == "", Why: orNil(why)})
	}
	return all
}

// unconfirmed says why a node is not linked by the next plan; empty: it is.
func (s *Server) unconfirmed(n store.Node) string {
	st := s.fleet.Status(n.ID)
	if !st.Linked {
		return "it is not linked"
	}
	if v, err := s.view(n.ID); err != nil || v.ID != st.View {
		return "it has not taken over the next plan yet"
	}
	if len(st.Refused) > 0 {
		return strings.Join(st.Refused, "; ")
	}
	ways := s.ways(n)
	for _, w := range ways {
		if w.carries(st) && w.next {
			return ""
		}
	}
	for _, p := range s.linkPaths(n) {
		if p.Why != nil {
			return "it is linked by the old plan: " + *p.Why
		}
	}
	return "it is linked by the old plan"
}

func closeEntrances(all []entrance) error {
	var errs []error
	for _, e := range all {
		for _, l := range e.listeners {
			errs = append(errs, closed(l.Close()))
		}
	}
	return errors.Join(errs...)
}

func sameInventory(a, b domain.PortPlan) bool {
	x, errX := json.Marshal(a.Inventory)
	y, errY := json.Marshal(b.Inventory)
	return errX == nil && errY == nil && string(x) == string(y)
}

// openChange reads what became of the last change.
func (s *Server) openChange(ctx context.Context) {
	s.changing.ctx, s.changing.replaned = ctx, make(chan struct{})
	s.changing.last = api.PlanChange{State: "none", Rows: []api.PlanChangeRow{}, Nodes: []api.PlanChangeNode{}}
	text, err := os.ReadFile(filepath.Join(s.cfg.Data, changeFile))
	if err == nil {
		err = json.Unmarshal(text, &s.changing.last)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.env.Log.Warn("reading what became of the last change of ports", slog.Any("error", err))
	}
}
