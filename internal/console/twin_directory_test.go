package console

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

func (t *twin) Directory(ctx context.Context) (api.Directory, error) {
	srv := "_reeve._tcp.batch"
	return api.Directory{Zone: "batch", Serial: 7, Nodes: []api.DirectoryNode{
		{Name: "hq1", Role: "server", Linked: true, Addresses: []string{"10.1.0.5"}, Services: []api.DirectoryService{
			{Service: "reeve", Name: "Reeve " + payload, SRV: &srv, Protocol: "tcp", TLS: true, Doors: []string{"api", "console"}, Addresses: []string{"10.1.0.5:7"}},
		}},
		{Name: "north", Role: "agent", Addresses: []string{"10.2.0.5"}},
	}}, t.may(ctx, access.View, "")
}

func (t *twin) Discover(ctx context.Context, q api.Discover) ([]api.Discovered, error) {
	if err := t.may(ctx, access.ManageNodes, ""); err != nil {
		return nil, err
	}
	t.asked(fmt.Sprintf("discover %v", q.Subnets), func() {})
	dial, print := "10.2.0.9:7", "ab12"
	return []api.Discovered{
		{Name: "<b>west</b>", Role: "agent", Address: "10.2.0.9", Dial: &dial, Version: "1.0", Fingerprint: &print, Over: "broadcast"},
		{Name: "north", Role: "agent", Address: "10.2.0.5", Version: "1.0", Joined: true, Over: "tcp"},
	}, nil
}
