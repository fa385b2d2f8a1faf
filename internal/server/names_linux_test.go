package server_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// siteOfArcserve has a range for the services that register, a number of its own for one of them, and names.
const siteOfArcserve = `plan: site
extends: arcserve
services:
  - {id: portmapper, protocol: [tcp, udp]}
  - {id: caauthd, port: 7001}
  - id: names
    function: Names
    name: domain
    port: 5300
    protocol: [udp, tcp]
    door: [directory]
    flows: [{from: client, to: primary, purpose: looking names up, carries: [directory]}]
pools:
  - {id: rpc, range: 7010-7019}
`

func compiled(t *testing.T, text string) ports.Compiled {
	t.Helper()
	plan, err := planfile.Parse("site.yaml", []byte(text), builtin.Load)
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c
}

// behind starts a server behind a plan, bound to all addresses, until the test ends.
func behind(t *testing.T, text, data, leases string) (stop func()) {
	t.Helper()
	cfg := server.Default()
	cfg.Data, cfg.Domain, cfg.Name, cfg.Advertise = data, "batch.example.com", "hq1", []string{"10.1.0.5"}
	s, err := server.Open(t.Context(), cfg, server.Env{
		Plan: compiled(t, text), Version: "test", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: time.Now, Rand: rand.Reader,
		Ports: domain.PortPlan{Ledger: leases}, Secret: func(string, string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended: %v", err)
		}
	}
}

func tool(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// hasLines fails the test for each line that a text, without its blanks, does not have.
func hasLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	var all []string
	for _, line := range strings.Split(text, "\n") {
		all = append(all, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range lines {
		if !slices.Contains(all, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
}

// TestNamesBehindArcserve: a server behind that plan is its own port mapper, has the doors of the page registered, on the
// numbers that the site fixes or a pool gives, and tells names.
func TestNamesBehindArcserve(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t, "rpcinfo", "dig") {
		return
	}
	data, leases := t.TempDir(), filepath.Join(t.TempDir(), "leases")
	stop := behind(t, siteOfArcserve, filepath.Join(data, "data"), leases)
	registered := []string{
		"100000 2,3,4 udp,udp6,tcp,tcp6 portmapper reeve",
		"536870912 1 tcp,tcp6 - Cadiscovd", "536870913 1 tcp,tcp6 - Caservd", "536870914 1 tcp,tcp6 - Caauthd",
		"536870915 1 tcp,tcp6 - LDBServer", "536870916 1 tcp,tcp6 - LQServer", "536870917 1 tcp,tcp6 - Mediasvr",
	}
	hasLines(t, tool(t, "rpcinfo", "-s", "127.0.0.1"), registered...)
	before := tool(t, "rpcinfo", "-p", "127.0.0.1")
	hasLines(t, before, "100000 2 tcp 111 portmapper", "536870914 1 tcp 7001", "536870912 1 tcp 7010")
	for program := range 6 {
		number := "53687091" + string(rune('2'+program))
		hasLines(t, tool(t, "rpcinfo", "-t", "127.0.0.1", number), "program "+number+" version 1 ready and waiting")
	}
	hasLines(t, tool(t, "rpcinfo", "-u", "127.0.0.1", "100000"), "program 100000 version 3 ready and waiting")
	for _, how := range []string{"+tcp", "+notcp"} {
		hasLines(t, tool(t, "dig", "-p", "5300", "@127.0.0.1", how, "SRV", "_caauthd._tcp.batch.example.com"),
			"_caauthd._tcp.batch.example.com. 30 IN SRV 0 0 7001 hq1.batch.example.com.", "hq1.batch.example.com. 30 IN A 10.1.0.5")
	}
	hasLines(t, tool(t, "dig", "-p", "5300", "@127.0.0.1", "SRV", "_cadiscovd._tcp.batch.example.com"),
		"_cadiscovd._tcp.batch.example.com. 30 IN SRV 0 0 7010 hq1.batch.example.com.")
	stop()

	stop = behind(t, siteOfArcserve, filepath.Join(data, "data"), leases)
	if after := tool(t, "rpcinfo", "-p", "127.0.0.1"); after != before {
		t.Errorf("after a restart the numbers differ:\n%s\nwant\n%s", after, before)
	}
	stop()
}

// TestRegistersWithRpcbind: where rpcbind has the port, the doors are registered with it, and are gone when the server
// ends.
func TestRegistersWithRpcbind(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t, "rpcinfo", "rpcbind") {
		return
	}
	rpcbind := exec.CommandContext(t.Context(), "rpcbind", "-f")
	if err := rpcbind.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = rpcbind.Process.Kill()
		_ = rpcbind.Wait()
	}()
	registrar := directory.Registrar{Dial: directory.DialRpcbind(directory.Rpcbind)}
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err := registrar.Lost(t.Context(), nil); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:1111")
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Default()
	cfg.Data, cfg.Bind = filepath.Join(t.TempDir(), "data"), []string{"127.0.0.1"}
	s, err := server.Open(t.Context(), cfg, server.Env{
		Plan: compiled(t, strings.Replace(siteOfArcserve, "id: portmapper,", "id: portmapper, port: 1111,", 1)), Version: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader,
		Ports: domain.PortPlan{Ledger: filepath.Join(t.TempDir(), "leases")}, Secret: func(string, string) {},
	})
	if out := tool(t, "rpcinfo", "-s", "127.0.0.1"); s != nil || !fault.Is(err, fault.Conflict) || strings.Contains(out, "53687091") {
		t.Errorf("another number that is taken: %v, %v, and rpcbind has\n%s\nwant a conflict, and nothing registered", s, err, out)
	}
	_ = l.Close()

	stop := behind(t, siteOfArcserve, filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "leases"))
	hasLines(t, tool(t, "rpcinfo", "-s", "127.0.0.1"), "536870914 1 tcp,tcp6 - superuser", "536870917 1 tcp,tcp6 - superuser")
	hasLines(t, tool(t, "rpcinfo", "-t", "127.0.0.1", "536870914"), "program 536870914 version 1 ready and waiting")
	stop()
	if out := tool(t, "rpcinfo", "-s", "127.0.0.1"); strings.Contains(out, "53687091") {
		t.Errorf("the server has ended, and rpcbind still has\n%s", out)
	}
	if lost, err := registrar.Lost(t.Context(), []directory.Program{{Number: 1, Netid: "tcp", Address: netip.MustParseAddrPort("0.0.0.0:1")}}); err != nil || len(lost) != 1 {
		t.Errorf("rpcbind answers %v, %v", lost, err)
	}
}

// TestMapperTaken: where something else has the port mapper's port, and no port mapper takes registrations, the server does
// not start, and says who has it.
func TestMapperTaken(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t, "rpcinfo") {
		return
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:111")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg, leases := server.Default(), filepath.Join(t.TempDir(), "leases")
	cfg.Data, cfg.Bind = filepath.Join(t.TempDir(), "data"), []string{"127.0.0.1"}
	s, err := server.Open(t.Context(), cfg, server.Env{
		Plan: compiled(t, siteOfArcserve), Version: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader,
		Ports: domain.PortPlan{Ledger: leases}, Secret: func(string, string) {},
	})
	if s != nil || !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "port 111 is taken by pid ") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v, %v; want a conflict that names who has port 111, and why it is not registered there", s, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stop := behind(t, siteOfArcserve, filepath.Join(t.TempDir(), "data"), leases) // once the port is free: nothing was left open
	hasLines(t, tool(t, "rpcinfo", "-p", "127.0.0.1"), "536870912 1 tcp 7010")
	stop()
}
