package directory_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
)

// command runs a program that must end well, and returns what it prints.
func command(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := try(t, program, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return out
}

func try(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return string(out), err
}

// contains fails the test for each line of which no line of a text has all words, in their order.
func contains(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		words := strings.Fields(want)
		if !slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
			got, i := strings.Fields(line), 0
			for _, w := range got {
				if i < len(words) && w == words[i] {
					i++
				}
			}
			return i == len(words)
		}) {
			t.Errorf("no line with %q in\n%s", want, text)
		}
	}
}

// mapperPort is that of the plan arcserve.
const mapperPort = 111

// plan has a port mapper and a row of names, on UDP and TCP.
func plan() ports.Compiled {
	c := ports.Compiled{Plan: "test", Kinds: map[string]ports.RoleKind{"server": ports.Server, "agent": ports.Agent}}
	row := func(cl ports.Claim) {
		cl.Binds, cl.Status, cl.Listeners, cl.Doors = true, ports.Works, []string{"server"}, []string{"directory"}
		c.Claims = append(c.Claims, cl)
	}
	for _, protocol := range []ports.Protocol{ports.TCP, ports.UDP} {
		row(ports.Claim{Service: "portmapper", Name: "CA Remote Procedure Call service", SRVName: "catirpc", Protocol: protocol, Port: mapperPort, RPC: ports.RPC{Kind: "oncrpc", Role: "portmapper", Program: 100000, Version: 2, Registers: []string{"caauthd"}}})
		row(ports.Claim{Service: "names", Name: "domain", Protocol: protocol, Port: 5300})
	}
	row(ports.Claim{Service: "caauthd", Name: "Caauthd", Protocol: ports.TCP, Port: 7001, TLS: true, RPC: ports.RPC{Kind: "oncrpc", Program: 0x20000002, Version: 1}})
	return c
}

// opened has the sockets of a row, until the test ends.
func opened(t *testing.T, sockets *socket.Net, service, bind string) ([]responder.Packets, []net.Listener) {
	t.Helper()
	udp, err := sockets.ListenPackets(t.Context(), service, bind)
	if err != nil {
		t.Fatal(err)
	}
	var all []responder.Packets
	for _, p := range udp {
		all = append(all, p)
	}
	l, err := sockets.Listen(t.Context(), service, bind)
	if err != nil {
		t.Fatal(err)
	}
	return all, []net.Listener{l}
}

// run runs responders until the test ends.
func run(t *testing.T, all ...*responder.Responder) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, len(all))
	for _, r := range all {
		r.Now, r.Log = time.Now, slog.New(slog.NewTextHandler(os.Stderr, nil))
		go func() { ended <- r.Run(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		for range all {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

// programs are what a mapper of the plan has registered.
func programs() []directory.Program {
	return directory.Registered(plan(), "portmapper", func(ports.Claim) []netip.Addr { return nil })
}

// serveTLS does handshakes until the test ends.
func serveTLS(t *testing.T, l net.Listener) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &form, &form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS13}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = tls.Server(conn, config).Handshake()
				_ = conn.Close()
			}()
		}
	}()
}

// TestRpcinfo: the rpcinfo of libtirpc is answered in each of its ways.
func TestRpcinfo(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t, "rpcinfo") {
		return
	}
	sockets := socket.New(plan(), socket.As("server"))
	udp, tcp := opened(t, sockets, "portmapper", "")
	door, err := sockets.Listen(t.Context(), "caauthd", "")
	if err != nil {
		t.Fatal(err)
	}
	mapper := &directory.Mapper{Programs: programs, Now: time.Now}
	run(t, &responder.Responder{Name: "portmapper", Answer: mapper.Answer, Packets: udp, Streams: tcp, Framing: responder.Records{}})
	serveTLS(t, directory.Greet(door, 0x20000002, 1))

	for _, host := range []string{"127.0.0.1", "::1"} {
		contains(t, command(t, "rpcinfo", "-s", host), "100000 2,3,4 udp,udp6,tcp,tcp6 portmapper reeve", "536870914 1 tcp,tcp6 - Caauthd")
		contains(t, command(t, "rpcinfo", host), "536870914 1 tcp 0.0.0.0.27.89 - Caauthd", "100000 4 udp 0.0.0.0.0.111 portmapper")
		contains(t, command(t, "rpcinfo", "-m", host), "PORTMAP (version 2) statistics", "RPCBIND (version 4) statistics")
	}
	contains(t, command(t, "rpcinfo", "-p", "127.0.0.1"), "100000 2 tcp 111 portmapper", "100000 2 udp 111 portmapper", "536870914 1 tcp 7001")
	contains(t, command(t, "rpcinfo", "-l", "127.0.0.1", "536870914", "1"), "536870914 1 inet/tcp/cots_ord 127.0.0.1.27.89")
	contains(t, command(t, "rpcinfo", "-t", "127.0.0.1", "536870914"), "program 536870914 version 1 ready and waiting")
	contains(t, command(t, "rpcinfo", "-t", "127.0.0.1", "100000"), "program 100000 version 2 ready and waiting", "program 100000 version 4 ready and waiting")
	contains(t, command(t, "rpcinfo", "-u", "127.0.0.1", "100000"), "program 100000 version 2 ready and waiting", "program 100000 version 3 ready and waiting")
	if out, err := try(t, "rpcinfo", "-t", "127.0.0.1", "536870999"); err == nil {
		t.Errorf("an unknown program is there: %s", out)
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:7001", &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // whoever answers: that TLS is spoken is what is asked
	if err != nil {
		t.Fatalf("TLS on the row that answers rpcinfo: %v", err)
	}
	_ = conn.Close()
	if out, err := try(t, "rpcinfo", "-d", "100000", "2"); err == nil && !strings.Contains(out, "not") {
		t.Errorf("rpcinfo -d without rpcbind's socket: %s", out)
	}
}

func at(hosts ...string) func(string) []string { return func(string) []string { return hosts } }

// TestDig: dig is answered over TCP, and over UDP told to come by TCP, or answered there where it pads its question.
func TestDig(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t, "dig") {
		return
	}
	udp, tcp := opened(t, socket.New(plan(), socket.As("server")), "names", "")
	book := directory.Compose(plan(), "batch.example.com", 7, []directory.Known{
		{Name: "hq1", Role: ports.Server, Addresses: []string{"10.1.0.5", "fd00::5"}, Where: at("10.1.0.5", "fd00::5")},
		{Name: "hq2", Role: ports.Server, Addresses: []string{"hq2.example.net"}, Where: at("hq2.example.net")},
		{Name: "far", Role: ports.Agent, Addresses: []string{"10.2.0.7"}},
	})
	names := &directory.Names{Book: func() *directory.Book { return book }}
	run(t, &responder.Responder{Name: "names", Answer: names.Answer, Packets: udp, Streams: tcp, Framing: responder.Lengths{}})

	dig := func(args ...string) string {
		return command(t, "dig", append([]string{"-p", "5300", "@127.0.0.1", "+tries=1", "+timeout=5"}, args...)...)
	}
	srv := []string{"_caauthd._tcp.batch.example.com. 30 IN SRV 0 0 7001 hq1.batch.example.com.", "_caauthd._tcp.batch.example.com. 30 IN SRV 0 0 7001 hq2.example.net.", "hq1.batch.example.com. 30 IN A 10.1.0.5", "hq1.batch.example.com. 30 IN AAAA fd00::5"}
	for _, how := range [][]string{{"+tcp"}, {"+notcp"}, {"+notcp", "+padding=512", "+ignore"}} {
		out := dig(append(how, "SRV", "_caauthd._tcp.batch.example.com")...)
		contains(t, out, srv...)
		contains(t, out, ";; flags: qr aa rd; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 3")
	}
	contains(t, dig("+notcp", "+ignore", "SRV", "_caauthd._tcp.batch.example.com"), ";; flags: qr aa tc rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1")
	contains(t, dig("+tcp", "AAAA", "HQ1.Batch.Example.com"), "AAAA fd00::5")
	contains(t, dig("+tcp", "A", "hq2.batch.example.com"), "CNAME hq2.example.net.")
	contains(t, dig("+tcp", "SOA", "batch.example.com"), "SOA hq1.batch.example.com. hostmaster.batch.example.com. 7 3600 600 86400 30")
	contains(t, dig("+tcp", "NS", "batch.example.com"), "NS hq1.batch.example.com.")
	contains(t, dig("+tcp", "TXT", "_caauthd._tcp.batch.example.com"), `TXT "doors=directory" "tls=yes"`)
	contains(t, dig("+tcp", "A", "missing.batch.example.com"), "status: NXDOMAIN,", "batch.example.com. 30 IN SOA")
	contains(t, dig("+tcp", "A", "_tcp.batch.example.com"), "status: NOERROR,", "batch.example.com. 30 IN SOA")
	contains(t, dig("+tcp", "A", "example.com"), "status: REFUSED,")
	contains(t, dig("+tcp", "CH", "TXT", "version.bind"), "status: REFUSED,")
	contains(t, dig("+tcp", "ANY", "batch.example.com"), `HINFO "RFC8482" ""`)
	contains(t, dig("+edns=1", "+noednsneg", "A", "hq1.batch.example.com"), "status: BADVERS,")
	contains(t, dig("+opcode=update", "A", "hq1.batch.example.com"), "status: NOTIMP,")
	if out := dig("AXFR", "batch.example.com"); strings.Contains(out, "10.1.0.5") || !strings.Contains(out, "Transfer failed") {
		t.Errorf("the zone was transferred:\n%s", out)
	}
	var r net.Resolver
	r.PreferGo = true
	r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:5300")
	}
	_, found, err := r.LookupSRV(t.Context(), "caauthd", "tcp", "batch.example.com")
	if err != nil || len(found) != 2 {
		t.Errorf("Go's resolver found %v: %v", found, err)
	}
}

// TestRpcbind: where rpcbind has the port, programs are registered with it, are gone at the end, and come back after its
// restart; what is registered with another port is not taken.
func TestRpcbind(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t, "rpcinfo", "rpcbind") {
		return
	}
	stop := startRpcbind(t)
	registrar := &directory.Registrar{Dial: directory.DialRpcbind(directory.Rpcbind)}
	var all []directory.Program
	for _, p := range programs() {
		if p.Number != 100000 {
			all = append(all, p)
		}
	}
	if err := registrar.Set(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	contains(t, command(t, "rpcinfo", "-s"), "536870914 1 tcp,tcp6 - superuser")
	contains(t, command(t, "rpcinfo", "-p", "127.0.0.1"), "536870914 1 tcp 7001")
	if lost, err := registrar.Lost(t.Context(), all); err != nil || len(lost) != 0 {
		t.Errorf("lost %v: %v; want none", lost, err)
	}
	if err := registrar.Set(t.Context(), all); err != nil {
		t.Errorf("registering what is registered: %v", err)
	}

	moved := all[0]
	moved.Address = netip.AddrPortFrom(moved.Address.Addr(), 7002)
	if err := registrar.Set(t.Context(), []directory.Program{moved}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a program that has another port: %v, want Conflict", err)
	}

	stop()
	if _, err := registrar.Lost(t.Context(), all); !fault.Is(err, fault.Unreachable) {
		t.Errorf("without rpcbind: %v, want Unreachable", err)
	}
	stop = startRpcbind(t)
	if lost, err := registrar.Lost(t.Context(), all); err != nil || len(lost) != len(all) {
		t.Errorf("after rpcbind's restart %v are lost: %v; want all", lost, err)
	}
	if err := registrar.Set(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := registrar.Unset(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if out := command(t, "rpcinfo", "-s"); strings.Contains(out, "536870914") {
		t.Errorf("still registered:\n%s", out)
	}
	stop()
}

// startRpcbind starts rpcbind, which must be in its own namespaces, and returns how to end it.
func startRpcbind(t *testing.T) (stop func()) {
	t.Helper()
	_ = os.Remove(directory.Rpcbind)
	cmd := exec.CommandContext(t.Context(), "rpcbind", "-f")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := try(t, "rpcinfo", "-s"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("rpcbind does not answer")
		}
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
