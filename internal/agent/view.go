package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// viewFile keeps the view that servers gave last.
const viewFile = "view.json"

// Ports is a port plan as an agent uses it: how sockets are opened by its rows.
type Ports struct {
	Hash string // of the compiled plan
	// Dial opens a connection to a server by a row of the plan, and Listen listens on one: internal/socket does it.
	Dial   func(ctx context.Context, row, address string) (net.Conn, error)
	Listen func(ctx context.Context, row string) ([]net.Listener, error)
	// Call opens the connection of a callback, to an address that a server named in an order; nil: the plan has no callbacks.
	Call func(ctx context.Context, address string) (net.Conn, error)
	// Reach connects to HOST:PORT that a definition names and lets go at once; its error says what the connect said. nil: the
	// plan has no row for it.
	Reach func(ctx context.Context, address string) error
	// Pool writes a pool of the plan for the keeper's leaser, or says why the plan has none. nil: it has no pools.
	Pool func(pool string) (json.RawMessage, error)
}

// view is the plan by which an agent works now.
type view struct {
	Ports
	wire.View
}

// given is the plan with which the agent was started, before any server has given it a view.
func (c Config) given() *view {
	v := &view{Ports: c.Ports}
	if c.Rows.Enrol != "" {
		v.Enrol = []wire.Route{{Row: c.Rows.Enrol}}
	}
	for _, row := range c.Rows.Dial {
		v.View.Dial = append(v.View.Dial, wire.Route{Row: row})
	}
	for _, row := range c.Rows.Listen {
		v.View.Listen = append(v.View.Listen, wire.Route{Row: row})
	}
	return v
}

// openView takes the view that servers gave last, or the plan that the agent was started with.
func (a *agent) openView() error {
	a.view.Store(a.cfg.given())
	if a.cfg.Adopt == nil || len(a.cfg.Addresses) > 0 { // who says where the servers are knows better than what they said once
		return nil
	}
	text, err := os.ReadFile(a.folder.file(viewFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var kept wire.View
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	var ports Ports
	if err == nil {
		ports, err = a.cfg.Adopt(kept)
	}
	if err != nil {
		return &fault.Error{
			Kind: fault.Invalid, Msg: "reading the port plan that the servers gave, " + a.folder.file(viewFile), Err: err,
			Fix: "remove that file, and start the agent with the servers' --plan: they give it again",
		}
	}
	a.view.Store(&view{ports, kept})
	return nil
}

// adopt takes over a view that a server gave. It is kept before it is used.
func (a *agent) adopt(ctx context.Context, v wire.View) (wire.ViewReply, error) {
	reply := wire.ViewReply{ID: v.ID}
	a.adopting.Lock()
	defer a.adopting.Unlock()
	if a.cfg.Adopt == nil || v.ID == "" || v.ID == a.view.Load().ID {
		return reply, nil
	}
	if err := a.keepView(v); err != nil {
		return reply, err
	}
	reply.Refused = a.entrances.become(ctx, a)
	a.relays.become(a)
	a.dialer.Wake()
	if addresses := addressesOf(v.Enrol); len(addresses) > 0 && !slices.Equal(addresses, a.member.addresses()) {
		if err := a.member.meet(addresses); err != nil {
			return reply, err
		}
	}
	for _, why := range a.differs() {
		a.cfg.Log.Warn("this agent was started with another port plan than the servers'", slog.String("row", why))
	}
	return reply, nil
}

// keepView keeps a view, and works by it from then on.
func (a *agent) keepView(v wire.View) error {
	if a.cfg.Adopt == nil {
		return nil
	}
	ports, err := a.cfg.Adopt(v)
	if err != nil {
		return fmt.Errorf("reading the port plan that the server gave: %w", err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keeping the port plan: %w", err)
	}
	if err := writeSynced(a.folder.file(viewFile), text); err != nil {
		return fmt.Errorf("keeping the port plan: %w", err)
	}
	if before := a.view.Swap(&view{ports, v}); before.Ports.Hash != v.Hash {
		a.cfg.Log.Info("the servers' port plan is taken over", slog.String("hash", v.Hash))
	}
	return nil
}

func addressesOf(routes []wire.Route) []string {
	var all []string
	for _, r := range routes {
		all = append(all, r.Addresses...)
	}
	return all
}

// differs says how the plan that the agent was started with differs from that of its servers.
func (a *agent) differs() []string {
	v := a.view.Load()
	if a.cfg.Differ == nil || len(v.Plan) == 0 || v.View.Hash == a.cfg.Hash {
		return nil
	}
	return a.cfg.Differ(v.Plan)
}

// hash is that of the plan with which this agent was started, or of its servers' where it was given none: before it has
// theirs, none.
func (a *agent) hash() string {
	switch v := a.view.Load(); {
	case a.cfg.Differ != nil || a.cfg.Adopt == nil:
		return a.cfg.Hash
	case v.ID == "":
		return ""
	default:
		return v.View.Hash
	}
}

// targets is where servers are dialled.
func (a *agent) targets() []link.Target {
	v := a.view.Load()
	var all []link.Target
	for _, r := range v.View.Dial {
		addresses := r.Addresses
		if len(addresses) == 0 {
			for _, address := range a.member.addresses() {
				addresses = append(addresses, v.at(r.Row, address))
			}
		}
		for _, address := range addresses {
			all = append(all, link.Target{Row: r.Row, Address: address, Turn: r.Turn})
		}
	}
	return all
}

// linked says which place the row over which servers are reached has in the order of dialling, and whether one is. A
// link by a row or a number that the view does not have comes after all that it has.
func (a *agent) linked() (turn int, up bool) {
	w, _ := a.up.now()
	if w == nil || w.link == nil {
		return 0, w != nil
	}
	v, last := a.view.Load(), 0
	for _, r := range slices.Concat(v.View.Dial, v.View.Listen) {
		if routed(r, w.link) {
			return r.Turn, true
		}
		last = max(last, r.Turn)
	}
	if last == 0 {
		return 0, true
	}
	return last + 1, true
}

// routed reports whether a link came up by a route.
func routed(r wire.Route, l *link.Link) bool {
	if r.Row != l.Row() {
		return false
	}
	if l.Dialled() {
		return slices.Contains(r.Addresses, l.Target().Address)
	}
	at, ok := l.LocalAddr().(*net.TCPAddr)
	return ok && len(r.Addresses) == 0 && r.Port == at.Port
}

// at is where a server is found by a row: its address is that of the row at which it is joined, and other rows have
// their own numbers on its host.
func (v *view) at(row, address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || row == v.enrolRow() {
		return address
	}
	return host
}

// enrolRow is the row at which servers are asked without a link; empty: only servers dial.
func (v *view) enrolRow() string {
	if len(v.Enrol) == 0 {
		return ""
	}
	return v.Enrol[0].Row
}

// serveView answers a server that gives a view.
func (a *agent) serveView(w http.ResponseWriter, r *http.Request) {
	var v wire.View
	if !read(w, r, &v) {
		return
	}
	reply, err := a.adopt(r.Context(), v)
	if err != nil {
		a.cfg.Log.Error("the servers' port plan cannot be taken over", slog.Any("error", err))
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	write(w, reply)
}
