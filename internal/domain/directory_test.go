package domain_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func testBook(context.Context) *directory.Book {
	return &directory.Book{Zone: "test", Serial: 7, Nodes: []directory.Node{
		{Name: "hq1", Role: ports.Server, Addresses: []string{"fd00::5"}, Services: []directory.Service{
			{ID: "caauthd", Title: "Caauthd", Name: "caauthd", Protocol: ports.TCP, TLS: true, Doors: []string{"auth"}, Program: 536870914, Version: 1, Places: []directory.Place{{Host: "fd00::5", Port: 8}}},
			{ID: "odd", Title: "An odd name", Protocol: ports.TCP},
		}},
		{Name: "north", Role: ports.Agent},
	}}
}

// testSearch finds north, one that only says it were north, and one that only says it were of this domain.
func testSearch(ours string) func(context.Context, []netip.Prefix) ([]discovery.Found, error) {
	return func(_ context.Context, subnets []netip.Prefix) ([]discovery.Found, error) {
		if slices.Contains(subnets, netip.MustParsePrefix("10.9.0.0/24")) {
			return nil, fault.New(fault.Conflict, "no discovery", "")
		}
		north := discovery.Found{About: discovery.About{Name: "north", Role: "agent", Fingerprint: ours, Joined: true, Port: 9}, From: netip.MustParseAddr("10.2.0.5"), Over: "tcp"}
		other := north
		other.Fingerprint, other.Domain, other.Port = "another", "elsewhere", 0
		stranger := north
		stranger.Name = "stranger"
		return []discovery.Found{north, other, stranger}, nil
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	s := open(t)
	d, err := s.service.Directory(s.admin())
	if err != nil {
		t.Fatal(err)
	}
	if d.Zone != "test" || d.Serial != 7 || len(d.Nodes) != 2 {
		t.Fatalf("%+v; want the zone test with two nodes", d)
	}
	auth := d.Nodes[0].Services[0]
	if auth.SRV == nil || *auth.SRV != "_caauthd._tcp.test" || !slices.Equal(auth.Addresses, []string{"[fd00::5]:8"}) || *auth.Program != 536870914 {
		t.Errorf("%+v; want caauthd with its name, address and program", auth)
	}
	if odd := d.Nodes[0].Services[1]; odd.SRV != nil || odd.Program != nil || odd.Addresses == nil {
		t.Errorf("%+v; want neither a name in DNS nor a program", odd)
	}
	if north := d.Nodes[1]; north.Addresses == nil || north.Services == nil {
		t.Errorf("%+v; want empty lists", north)
	}
}

// What is found is one of ours only with its name and the domain's own fingerprint.
func TestDiscover(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.agent("north", 1)
	found, err := s.service.Discover(s.admin(), api.Discover{Subnets: []string{"10.2.0.0/24", "fd00::1"}})
	if err != nil {
		t.Fatal(err)
	}
	var joined []bool
	for _, f := range found {
		joined = append(joined, f.Joined)
	}
	if !slices.Equal(joined, []bool{true, false, false}) || *found[0].Dial != "10.2.0.5:9" || found[1].Dial != nil {
		t.Errorf("joined %v of %+v; want only the first", joined, found)
	}
	for _, bad := range []string{"10.2.0.0/33", "host", "", "10.2.0.0/24 ", "fe80::1%eth0"} {
		if _, err := s.service.Discover(s.admin(), api.Discover{Subnets: []string{bad}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("subnet %q: %v, want Invalid", bad, err)
		}
	}
	if _, err := s.service.Discover(s.admin(), api.Discover{Subnets: []string{"10.9.0.0/24"}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a search that fails: %v, want its error", err)
	}
	audit, err := s.service.ListAudit(s.admin(), 0, 10)
	if err != nil || !slices.ContainsFunc(audit, func(r api.AuditRecord) bool { return r.Action == "node.discover" && r.Detail == "10.2.0.0/24 fd00::1" }) {
		t.Errorf("audit %+v, %v; want the search", audit, err)
	}
}
