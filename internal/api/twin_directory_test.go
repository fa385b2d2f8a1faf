package api_test

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func (s *twin) Directory(ctx context.Context) (api.Directory, error) {
	srv, program := "_reeve._tcp.batch", int64(1<<29)
	return api.Directory{Zone: "batch", Serial: 7, Nodes: []api.DirectoryNode{{
		Name: "hq1", Role: "server", Linked: true, Addresses: []string{"10.1.0.5"},
		Services: []api.DirectoryService{{Service: "reeve", Name: "reeve", SRV: &srv, Protocol: "tcp", TLS: true, Doors: []string{"api"}, Addresses: []string{"10.1.0.5:7"}, Program: &program, Version: &program}},
	}}}, s.note(ctx, "Directory")
}

func (s *twin) Discover(ctx context.Context, q api.Discover) ([]api.Discovered, error) {
	dial := "10.2.0.5:7"
	return []api.Discovered{{Name: "dmz1", Role: "agent", Address: "10.2.0.5", Dial: &dial, Version: "1", Over: "tcp"}}, s.note(ctx, "Discover", q)
}
