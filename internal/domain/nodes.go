package domain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const skewShown = 2 * time.Second // promise R20

// ListNodes implements api.Service.
func (s *Service) ListNodes(ctx context.Context) ([]api.Node, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	nodes, err := s.cfg.Store.ListNodes(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	out := make([]api.Node, len(nodes))
	for i, n := range nodes {
		out[i] = s.showNode(n)
	}
	return out, nil
}

func (s *Service) showNode(n store.Node) api.Node {
	out := api.Node{
		ID: n.ID, Name: n.Name, Role: n.Role, Kind: string(n.Plays()), Labels: orEmpty(n.Labels), Facts: orEmpty(n.Facts), Version: n.Version, Slots: n.Slots,
		Drained: opt(n.Drained), Joined: n.Joined.UTC(), Seen: optTime(n.Seen), Renewals: n.Renewals, Recovered: n.Recovered, Notes: []string{}, Differs: []string{}, Paths: []api.LinkPath{},
	}
	if s.cfg.Expiry != nil {
		out.Expires = optTime(s.cfg.Expiry(n.ID))
	}
	if n.Role == "server" {
		out.Linked = n.ID == s.cfg.ServerID
		out.Version, out.PlanHash = s.cfg.Version, opt(s.cfg.Plan.Hash)
		return out
	}
	if warning := n.Facts["warning.run_as"]; warning != "" {
		out.Notes = append(out.Notes, warning)
	}
	st := s.cfg.Fleet.Status(n.ID)
	s.showPaths(&out, n, st)
	out.Linked, out.Running = st.Linked, s.cfg.Engine.Open(n.ID)
	if st.Linked {
		out.LinkedAt, out.Address, out.Version = optTime(st.Since), opt(st.Address), st.Version
		out.PlanHash, out.Disk = opt(st.PlanHash), opt(st.Disk)
		if st.Slots > 0 {
			out.Slots = st.Slots
		}
		ms := st.Skew.Milliseconds()
		out.SkewMillis = &ms
		if st.Skew.Abs() > skewShown {
			out.Notes = append(out.Notes, fmt.Sprintf("its clock differs from the server's by %s", st.Skew.Round(time.Millisecond)))
		}
		if st.PlanHash != "" && st.PlanHash != s.cfg.Plan.Hash {
			out.Notes = append(append(out.Notes, "it was started with another port plan than the servers'"), st.Differs...)
		}
		out.Seen = optTime(st.Heard)
	} else if st.Closed != "" {
		out.Notes = append(out.Notes, "its last link ended: "+st.Closed)
	}
	if n.Recovered > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("its certificate was renewed %d times after it had run out", n.Recovered))
	}
	return out
}

// showPaths adds by which ways a node is linked, or could be.
func (s *Service) showPaths(out *api.Node, n store.Node, st fleet.Status) {
	if s.cfg.LinkPaths != nil {
		out.Paths = s.cfg.LinkPaths(n)
	}
	out.Differs = append(out.Differs, st.Differs...)
	for _, why := range st.Refused {
		out.Notes = append(out.Notes, "servers cannot dial it: "+why)
	}
	if st.Linked && st.Row != "" {
		by := "agent"
		if st.Dialled {
			by = "server"
		}
		out.Row, out.DialledBy = &st.Row, &by
	}
	for _, p := range out.Paths {
		if text := vain(p); text != "" {
			out.Notes = append(out.Notes, text)
		}
	}
}

// pathsOf are the ways by which the link of a node can come up.
func (s *Service) pathsOf(id string) []api.LinkPath {
	n, err := s.cfg.Store.Node(context.Background(), id)
	if err != nil || s.cfg.LinkPaths == nil {
		return nil
	}
	return s.cfg.LinkPaths(n)
}

// vain is a sentence on a path by which nobody gets through.
func vain(p api.LinkPath) string {
	if p.State != "in vain" || p.Since == nil {
		return ""
	}
	to := p.Row
	if p.Address != nil {
		to = *p.Address + " (" + p.Row + ")"
	}
	text := "dial to " + to + " in vain since " + p.Since.UTC().Format(time.RFC3339)
	if p.Dials == "agent" {
		text = "its " + text
	}
	if p.Why != nil {
		text += ": " + *p.Why
	}
	return text
}

func (s *Service) node(ctx context.Context, name string) (store.Node, error) {
	n, err := s.cfg.Store.NodeByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return n, fault.New(fault.NotFound, "there is no node "+name, "see `reeve node list`")
	}
	return n, storeFault(err)
}

// Node implements api.Service.
func (s *Service) Node(ctx context.Context, name string) (api.Node, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.Node{}, err
	}
	n, err := s.node(ctx, name)
	if err != nil {
		return api.Node{}, err
	}
	return s.showNode(n), nil
}

var (
	labelName = regexp.MustCompile(`^[a-z][a-z0-9._-]{0,62}$`)
	nodeName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
)

const maxLabelValue = 200

func checkLabels(labels map[string]string) error {
	for k, v := range labels {
		if !labelName.MatchString(k) {
			return fault.New(fault.Invalid, fmt.Sprintf("label %q is not a name", k), "a label's name is [a-z][a-z0-9._-]*, at most 63 long")
		}
		if len(v) > maxLabelValue {
			return fault.Newf(fault.Invalid, "the value of label %s has %d bytes; at most %d", k, len(v), maxLabelValue)
		}
	}
	return nil
}

// LabelNode implements api.Service.
func (s *Service) LabelNode(ctx context.Context, name string, labels map[string]string) (api.Node, error) {
	if err := checkLabels(labels); err != nil {
		return api.Node{}, err
	}
	return s.changeNode(ctx, name, "label", fmt.Sprint(labels), func(n *store.Node) {
		changed := maps.Clone(n.Labels)
		if changed == nil {
			changed = map[string]string{}
		}
		for k, v := range labels {
			if v == "" {
				delete(changed, k)
			} else {
				changed[k] = v
			}
		}
		n.Labels = changed
	})
}

// ControlNode implements api.Service.
func (s *Service) ControlNode(ctx context.Context, name, verb string) (api.Node, error) {
	by := api.SubjectOf(ctx).Name
	switch verb {
	case "drain":
		return s.changeNode(ctx, name, verb, "", func(n *store.Node) { n.Drained = by })
	case "undrain":
		return s.changeNode(ctx, name, verb, "", func(n *store.Node) { n.Drained = "" })
	case "remove":
		return s.removeNode(ctx, name)
	}
	return api.Node{}, fault.New(fault.Invalid, fmt.Sprintf("a node cannot be %q", verb), "drain, undrain or remove")
}

// changeNode changes a node under its guard and tells the fleet.
func (s *Service) changeNode(ctx context.Context, name, verb, detail string, change func(*store.Node)) (api.Node, error) {
	who, err := s.may(ctx, access.ManageNodes, "")
	if err != nil {
		return api.Node{}, err
	}
	for try := 0; ; try++ {
		n, err := s.node(ctx, name)
		if err != nil {
			return api.Node{}, err
		}
		change(&n)
		err = s.commit(ctx, store.Batch{Nodes: []store.NodeWrite{{Node: n}}, Audit: []store.AuditRecord{s.audit(who, "node."+verb, name, detail)}})
		if fault.Is(err, fault.Conflict) && try < 10 {
			continue // a heartbeat wrote it meanwhile
		}
		if err != nil {
			return api.Node{}, err
		}
		s.cfg.Hub.Publish(api.Change{Kind: "node", ID: name})
		if err := s.cfg.NodesChanged(ctx); err != nil {
			return api.Node{}, err
		}
		return s.showNode(n), nil
	}
}

func (s *Service) removeNode(ctx context.Context, name string) (api.Node, error) {
	if _, err := s.may(ctx, access.ManageNodes, ""); err != nil {
		return api.Node{}, err
	}
	n, err := s.node(ctx, name)
	if err != nil {
		return api.Node{}, err
	}
	if n.Role == "server" {
		return api.Node{}, fault.New(fault.Conflict, name+" is a server", "only agents can be removed")
	}
	shown, err := s.changeNode(ctx, name, "remove", "", func(n *store.Node) { n.Removed = s.cfg.Now() })
	if err != nil {
		return api.Node{}, err
	}
	s.cfg.DropNode(n.ID, "removed from the domain")
	if err := s.cfg.Engine.Lose(ctx, n.ID, run.ReasonAgentGone, "agent "+name+" was removed from the domain", s.cfg.Now()); err != nil {
		return api.Node{}, err
	}
	shown.Linked = false
	return shown, nil
}

const (
	agentTokenTTL = 15 * time.Minute
	maxAgentTTL   = 24 * time.Hour
	apiTokenTTL   = 90 * 24 * time.Hour
	maxAPITTL     = 366 * 24 * time.Hour
)

// CreateToken implements api.Service.
func (s *Service) CreateToken(ctx context.Context, order api.CreateToken) (api.NewToken, error) {
	need, ttl, longest := access.ManageNodes, agentTokenTTL, maxAgentTTL
	if order.Kind == "api" {
		need, ttl, longest = access.View, apiTokenTTL, maxAPITTL
	}
	who, err := s.may(ctx, need, "")
	if err != nil {
		return api.NewToken{}, err
	}
	if order.TTL != "" {
		if ttl, err = time.ParseDuration(order.TTL); err != nil || ttl <= 0 || ttl > longest {
			return api.NewToken{}, fault.New(fault.Invalid, fmt.Sprintf("ttl is %q", order.TTL), fmt.Sprintf("a duration such as 15m, at most %s", longest))
		}
	}
	if err := s.checkToken(who, order); err != nil {
		return api.NewToken{}, err
	}
	now := s.cfg.Now()
	t := store.Token{
		Kind: order.Kind, Name: order.Name, Labels: order.Labels, Scope: order.Scope, Folder: order.Folder,
		Owner: who.Name, By: who.Name, Created: now, Expires: now.Add(ttl),
	}
	text, err := s.fillToken(&t, order.Addresses)
	if err != nil {
		return api.NewToken{}, err
	}
	err = s.commit(ctx, store.Batch{Tokens: []store.TokenWrite{{Token: t}}, Audit: []store.AuditRecord{s.audit(who, "token.create", t.ID, order.Kind+" "+order.Name)}})
	if err != nil {
		return api.NewToken{}, err
	}
	return api.NewToken{Token: showToken(t, now), Secret: text}, nil
}

// fillToken gives t an id and the hash of a new secret, and returns the text that its owner shows.
func (s *Service) fillToken(t *store.Token, addresses []string) (string, error) {
	if t.Kind == "api" {
		id, secret, err := s.secret()
		if err != nil {
			return "", err
		}
		t.ID, t.Hash = id, hashed(secret)
		return "reeve_" + id + "_" + secret, nil
	}
	if len(addresses) == 0 {
		addresses = append([]string{}, s.cfg.Addresses...)
	}
	for i, a := range addresses {
		addresses[i] = s.cfg.Address(a)
	}
	minted, err := identity.MintToken(s.cfg.Rand, identity.Token{Name: t.Name, Domain: s.cfg.Name, Addresses: addresses, Fingerprint: s.cfg.Fingerprint})
	if err != nil {
		return "", err
	}
	t.ID, t.Hash = minted.ID, identity.HashSecret(minted.Secret)
	return minted.Text(), nil
}

// checkToken refuses a token that nobody could use, or that gives more than its maker has.
func (s *Service) checkToken(who access.Subject, order api.CreateToken) error {
	switch order.Kind {
	case "agent":
		if !nodeName.MatchString(order.Name) {
			return fault.New(fault.Invalid, fmt.Sprintf("%q is not a name of a node", order.Name), "a node's name is [a-z0-9][a-z0-9-]*, at most 63 long")
		}
		return checkLabels(order.Labels)
	case "api":
		if who.Token != "" {
			return fault.New(fault.Forbidden, "a token cannot make a token", "it would outlive it, and leave its folder: log in")
		}
		if len(order.Scope) == 0 {
			return fault.New(fault.Invalid, "the token has no scope", "name the permissions that it gives, as --scope view,run")
		}
		for _, p := range order.Scope {
			if !who.May(access.Permission(p), order.Folder) {
				return fault.New(fault.Forbidden, fmt.Sprintf("%s cannot give the permission %q", who.Name, p), "a token gives at most what its maker has")
			}
		}
		return nil
	}
	return fault.Newf(fault.Invalid, "there is no token of kind %q; agent or api", order.Kind)
}

// ListTokens implements api.Service: all of them for who manages nodes or users, else one's own.
func (s *Service) ListTokens(ctx context.Context) ([]api.Token, error) {
	who, err := s.may(ctx, access.View, "")
	if err != nil {
		return nil, err
	}
	tokens, err := s.cfg.Store.ListTokens(ctx, "")
	if err != nil {
		return nil, storeFault(err)
	}
	out := []api.Token{}
	for _, t := range tokens {
		if mayToken(who, t) {
			out = append(out, showToken(t, s.cfg.Now()))
		}
	}
	return out, nil
}

// mayToken reports whether a token is one's own, or of those that one manages. A token's own is only itself.
func mayToken(who access.Subject, t store.Token) bool {
	return t.Owner == who.Name && (who.Token == "" || who.Token == t.ID) || t.Kind == "agent" && who.May(access.ManageNodes, "") || t.Kind == "api" && who.May(access.ManageUsers, "")
}

// RevokeToken implements api.Service.
func (s *Service) RevokeToken(ctx context.Context, id string) (api.Token, error) {
	who, err := s.may(ctx, access.View, "")
	if err != nil {
		return api.Token{}, err
	}
	t, err := s.cfg.Store.Token(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !mayToken(who, t) {
		return api.Token{}, fault.New(fault.NotFound, "there is no token "+id, "see `reeve token list`")
	} else if err != nil {
		return api.Token{}, storeFault(err)
	}
	if t.Revoked.IsZero() {
		t.Revoked = s.cfg.Now()
		err = s.commit(ctx, store.Batch{Tokens: []store.TokenWrite{{Token: t}}, Audit: []store.AuditRecord{s.audit(who, "token.revoke", id, t.Name)}})
		if err != nil {
			return api.Token{}, err
		}
	}
	return showToken(t, s.cfg.Now()), nil
}
