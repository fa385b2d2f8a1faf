package domain

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Directory implements api.Service.
func (s *Service) Directory(ctx context.Context) (api.Directory, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.Directory{}, err
	}
	nodes, err := s.cfg.Store.ListNodes(ctx)
	if err != nil {
		return api.Directory{}, storeFault(err)
	}
	linked := map[string]bool{}
	for _, n := range nodes {
		linked[n.Name] = s.showNode(n).Linked
	}
	book := s.cfg.Book(ctx)
	out := api.Directory{Zone: book.Zone, Serial: int64(book.Serial), Nodes: []api.DirectoryNode{}}
	for _, n := range book.Nodes {
		shown := api.DirectoryNode{Name: n.Name, Role: string(n.Role), Linked: linked[n.Name], Addresses: append([]string{}, n.Addresses...), Services: []api.DirectoryService{}}
		for _, o := range n.Services {
			shown.Services = append(shown.Services, showService(o, book.Zone))
		}
		out.Nodes = append(out.Nodes, shown)
	}
	return out, nil
}

func showService(o directory.Service, zone string) api.DirectoryService {
	out := api.DirectoryService{
		Service: o.ID, Name: o.Title, Protocol: string(o.Protocol), TLS: o.TLS, Doors: append([]string{}, o.Doors...), Addresses: []string{},
		Program: opt(int64(o.Program)), Version: opt(int64(o.Version)),
	}
	if o.Name != "" {
		out.SRV = opt("_" + o.Name + "._" + string(o.Protocol) + "." + zone)
	}
	for _, p := range o.Places {
		out.Addresses = append(out.Addresses, p.String())
	}
	return out
}

// Discover implements api.Service.
func (s *Service) Discover(ctx context.Context, q api.Discover) ([]api.Discovered, error) {
	who, err := s.may(ctx, access.ManageNodes, "")
	if err != nil {
		return nil, err
	}
	subnets := make([]netip.Prefix, len(q.Subnets))
	for i, text := range q.Subnets {
		if subnets[i], err = prefix(text); err != nil {
			return nil, err
		}
	}
	// Before the search: what was looked for is known also where the search does not end.
	if err := s.commit(ctx, store.Batch{Audit: []store.AuditRecord{s.audit(who, "node.discover", s.cfg.Name, strings.Join(q.Subnets, " "))}}); err != nil {
		return nil, err
	}
	found, err := s.cfg.Discover(ctx, subnets)
	if err != nil {
		return nil, err
	}
	nodes, err := s.cfg.Store.ListNodes(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	out := make([]api.Discovered, len(found))
	for i, f := range found {
		out[i] = s.showFound(f, nodes)
	}
	return out, nil
}

func (s *Service) showFound(f discovery.Found, nodes []store.Node) api.Discovered {
	joined := false
	for _, n := range nodes {
		joined = joined || f.Joined && n.Name == f.Name && f.Fingerprint == s.cfg.Fingerprint
	}
	return api.Discovered{
		Name: f.Name, Role: f.Role, Address: f.From.String(), Dial: opt(f.Address()), Version: f.Version,
		Domain: opt(f.Domain), Fingerprint: opt(f.Fingerprint), Joined: joined, Over: f.Over,
	}
}

// prefix reads a subnet; a single address is one of its own.
func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fault.New(fault.Invalid, fmt.Sprintf("subnet %q is not ADDRESS/BITS", text), "write it as 10.2.0.0/24")
	}
	return p, nil
}
