package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// findPlan is the default plan with discovery on a port; 0: without it.
func findPlan(t *testing.T, port int) ports.Compiled {
	t.Helper()
	text := "plan: test\nextends: default\n"
	if port != 0 {
		text += fmt.Sprintf("services: [{id: discovery, name: find, port: %d, protocol: [tcp], door: [discovery], flows: [{from: server, to: agent, purpose: finding nodes, carries: [discovery]}]}]\n", port)
	}
	plan, err := planfile.Parse("plan.yaml", []byte(text), builtin.Load)
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c
}

// TestFindable: an agent says who it is as long as its plan has discovery; a second one of the host leaves the port to the
// first; servers' plans take over.
func TestFindable(t *testing.T) {
	t.Parallel()
	c := findPlan(t, sockettest.Lease(t))
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	data := t.TempDir()
	one := &findable{data: data, bind: "127.0.0.1", log: log}
	defer one.close()
	one.use(t.Context(), c, []string{"reeve"})
	two := &findable{data: t.TempDir(), bind: "127.0.0.1", log: log}
	defer two.close()
	two.use(t.Context(), c, nil)
	if !strings.Contains(said.String(), "left to who has it") {
		t.Errorf("the second agent says %q, want that the first one has the port", said.String())
	}

	asks := socket.New(c, socket.As("server"))
	server, err := discovery.Open(t.Context(), discovery.Config{Sockets: asks, Roles: []string{"server"}, Rand: rand.Reader, Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	ask := func() []discovery.Found {
		t.Helper()
		found, err := server.Ask(t.Context(), []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	reeve, _ := c.Service("reeve")
	found := ask()
	if len(found) != 1 || found[0].Name == "" || found[0].Joined || found[0].Fingerprint != "" || found[0].Port != int(reeve.Port) || found[0].Role != "agent" {
		t.Fatalf("found %+v, want one agent that has neither joined nor a key, and is dialled", found)
	}

	key, err := identity.OpenKey(filepath.Join(data, "agent.key"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := identity.KeyHash(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	one.useView(t.Context(), view(t, c)) // the same plan, by which nobody dials it
	if found = ask(); len(found) != 1 || found[0].Fingerprint != want || found[0].Port != 0 {
		t.Errorf("found %+v, want the key's fingerprint %s, and no port", found, want)
	}

	one.useView(t.Context(), view(t, findPlan(t, 0)))
	if found = ask(); len(found) != 0 {
		t.Errorf("found %+v, want nobody: the servers' plan has no discovery", found)
	}
}

func view(t *testing.T, c ports.Compiled) wire.View {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return wire.View{Plan: text, Hash: c.Hash}
}
