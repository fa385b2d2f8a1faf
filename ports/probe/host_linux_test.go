package probe_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// The test program is also the foreign process that it tests, and, in a namespace of its own, the host.
const (
	holdVariable     = "REEVE_TEST_HOLD"
	spaceVariable    = "REEVE_TEST_NAMESPACE"
	argumentVariable = "REEVE_TEST_ARGUMENT"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(holdVariable); what != "" {
		hold(what)
		return
	}
	os.Exit(m.Run())
}

// hold opens sockets, says so, and keeps them until its input ends.
func hold(what string) {
	for item := range strings.SplitSeq(what, ",") {
		kind, where, _ := strings.Cut(item, " ")
		var err error
		switch kind {
		case "tcp", "tcp4", "tcp6":
			_, err = net.Listen(kind, where)
		case "udp", "udp4", "udp6":
			_, err = net.ListenPacket(kind, where)
		case "bind": // without listening
			a := netip.MustParseAddrPort(where)
			var fd int
			if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
				err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()})
			}
		case "dial": // FROM>TO
			from, to, _ := strings.Cut(where, ">")
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}
			_, err = d.Dial("tcp", to)
		}
		if err != nil {
			fmt.Println(item, err)
			os.Exit(1)
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// program is a copy of the test program under another name: another product.
func program(t *testing.T, name string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Another user must be able to run it: the build folder is root's.
	dir, err := os.MkdirTemp("", "reeve-probe-") //nolint:usetesting // t.TempDir lies below a folder that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// holding starts a process that holds sockets, and waits until it has them.
func holding(t *testing.T, path, what string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(env, holdVariable+"="+what)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%s: %s", what, line)
	}
	return cmd
}

// inNamespace runs a test again in a network namespace of its own, and is true there. Nothing of it remains: the
// namespace has no name and ends with its last process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(spaceVariable) == t.Name() {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for a network namespace")
	}
	again(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, "")
	return false
}

// again runs a test again in another process.
func again(t *testing.T, attr *syscall.SysProcAttr, argument string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "probe.test"), "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), spaceVariable+"="+t.Name(), argumentVariable+"="+argument)
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in another process: %v\n%s", err, out)
	} else if !strings.Contains(string(out), "--- PASS") {
		t.Errorf("did not run in another process:\n%s", out)
	}
}

// up brings the namespace's loopback up.
func up(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", "10.1.0.5/32", "dev", "lo"}} {
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v %s", args, err, out)
		}
	}
}

func sysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// plan has one row a number, on this host with the addresses that are given.
func plan(rows map[string]ports.Claim, bind ...string) ports.Site {
	c := ports.Compiled{Plan: "sketch", Kinds: map[string]ports.RoleKind{"server": ports.Server}}
	var ids []string
	for id := range rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		cl := rows[id]
		cl.Service, cl.Name, cl.Binds, cl.Listeners = id, id, true, []string{"server"}
		cl.Status, cl.Scope = ports.Works, max(cl.Scope, ports.External)
		if cl.Protocol == "" {
			cl.Protocol = ports.TCP
		}
		c.Claims = append(c.Claims, cl)
	}
	return ports.Site{Compiled: c, Inventory: ports.Inventory{Hosts: []ports.Host{{Name: "h", Roles: []string{"server"}, Bind: bind}}}}
}

// look observes this host and compares it; with bind the free ports are really bound.
func look(t *testing.T, s ports.Site, ask probe.Ask, bind bool) []probe.Finding {
	t.Helper()
	ask.Host = "h"
	obs, err := probe.Observe(t.Context(), probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bind {
		rows, err := probe.Rows(s, ask)
		if err != nil {
			t.Fatal(err)
		}
		obs.Attempts = probe.Try(t.Context(), rows, obs, nil)
	}
	found, err := probe.Check(s, obs, ask)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// state returns the state of a row's first finding.
func state(found []probe.Finding, id string) (probe.State, probe.Finding) {
	for _, f := range found {
		if f.ID == id {
			return f.State, f
		}
	}
	return "", probe.Finding{}
}

// F26, F57, F64, F40, F55: real listeners of both families and transports, held by another product.
func TestRealHost(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	up(t)
	other := program(t, "other-product")
	foreign := holding(t, other, "tcp4 0.0.0.0:5001,tcp6 [::]:5002,tcp [::]:5003,udp4 0.0.0.0:5004,tcp4 127.0.0.1:5005,bind 0.0.0.0:5006,tcp4 127.0.0.1:4999,dial 127.0.0.1:5007>127.0.0.1:4999")
	holding(t, other, "tcp [::]:5008", "REEVE_NET=night", "REEVE_JOB=copy", "REEVE_RUN=r-7")
	reeve := program(t, "reeve")
	holding(t, reeve, "tcp :5009")
	ask := probe.Ask{Own: probe.Own{Programs: []string{reeve}}}

	rows := map[string]ports.Claim{"udp": {Port: 5004, Protocol: ports.UDP}}
	for id, p := range map[string]ports.Port{"v4": 5001, "v6only": 5002, "dual": 5003, "loop": 5005, "bound": 5006, "source": 5007, "ghost": 5008, "ours": 5009, "free": 5010} {
		rows[id] = ports.Claim{Port: p}
	}
	for _, c := range []struct {
		bind []string
		want map[string]probe.State
	}{
		{nil, map[string]probe.State{
			"v4": probe.Taken, "v6only": probe.Taken, "dual": probe.Taken, "udp": probe.Taken, "loop": probe.Shadowed, "bound": probe.Taken,
			"source": probe.Taken, "ghost": probe.Ghost, "ours": probe.Ours, "free": probe.Free,
		}},
		{[]string{"10.1.0.5"}, map[string]probe.State{
			"v4": probe.Shadowed, "v6only": probe.Free, "dual": probe.Shadowed, "udp": probe.Shadowed, "loop": probe.Free, "source": probe.Free, "free": probe.Free,
		}},
		{[]string{"0.0.0.0"}, map[string]probe.State{"v4": probe.Taken, "v6only": probe.Free, "dual": probe.Taken, "loop": probe.Shadowed}},
	} {
		s := plan(rows, c.bind...)
		for _, bind := range []bool{false, true} {
			found := look(t, s, ask, bind)
			for id, want := range c.want {
				got, f := state(found, id)
				if got != want {
					t.Errorf("on %v, bind %v: %s is %s (%s), want %s", c.bind, bind, id, got, f.Note, want)
				}
				if want == probe.Taken && (f.Holder == nil || f.Holder.PID == nil || *f.Holder.PID != foreign.Process.Pid || *f.Holder.Program != "other-product") {
					t.Errorf("on %v: %s: holder %+v, want process %d", c.bind, id, f.Holder, foreign.Process.Pid)
				}
			}
		}
		// What the lattice says is what the kernel says: a bind works exactly where the state says so.
		agree(t, s, ask)
	}
	if _, f := state(look(t, plan(rows), ask, false), "source"); f.Holder == nil || f.Holder.Peer != "127.0.0.1:4999" {
		t.Errorf("source: %+v", f.Holder)
	}
	if _, f := state(look(t, plan(rows), ask, false), "ghost"); !strings.Contains(f.Note, "night/copy of r-7") {
		t.Errorf("ghost: %s", f.Note)
	}
}

// agree binds every row, also those that look taken, and compares.
func agree(t *testing.T, s ports.Site, ask probe.Ask) {
	t.Helper()
	rows, err := probe.Rows(s, probe.Ask{Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	found := look(t, s, ask, false)
	for _, a := range probe.Try(t.Context(), rows, probe.Observation{}, nil) {
		got, _ := state(found, a.Service)
		if free := got == probe.Free; free != (a.Outcome == probe.Bound) {
			t.Errorf("on %v: %s is %s, and a bind says %s: %s", s.Inventory.Hosts[0].Bind, a.Service, got, a.Outcome, a.Text)
		}
	}
}

// F32, F34, F35, F66: the real range and the real list, in both directions: what the check proposes is what the kernel
// takes, and then nothing is left to say.
func TestRealRange(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	up(t)
	sysctl(t, "ip_local_port_range", "9000 65500")
	sysctl(t, "ip_local_reserved_ports", "2049,9148")
	s := plan(map[string]ports.Claim{"low": {Port: 5001}, "row": {Port: 9352}, "pool": {Port: 59870, Last: 59999, Pool: true}})
	found := look(t, s, probe.Ask{}, true)
	for id, want := range map[string]probe.State{"low": probe.Free, "row": probe.Ephemeral, "pool": probe.Ephemeral} {
		if got, f := state(found, id); got != want {
			t.Errorf("%s: %s (%s), want %s", id, got, f.Note, want)
		}
	}
	_, f := state(found, "row")
	if f.Sysctl == nil || *f.Sysctl != "net.ipv4.ip_local_reserved_ports=2049,9148,9352,59870-59999" {
		t.Fatalf("got %+v", f)
	}
	_, value, _ := strings.Cut(*f.Sysctl, "=")
	sysctl(t, "ip_local_reserved_ports", value)
	for _, f := range look(t, s, probe.Ask{}, true) {
		if f.Bad() {
			t.Errorf("after the remedy: %+v", f)
		}
	}
	// The system now gives those numbers to nobody: 3,000 outgoing binds miss them.
	sysctl(t, "ip_local_port_range", "59860 60010")
	for range 3000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if p := netip.MustParseAddrPort(l.Addr().String()).Port(); p >= 59870 && p <= 59999 {
			t.Fatalf("the system gave away %d", p)
		}
		_ = l.Close()
	}
}

// F26: the kernel takes exactly what ParseReserved takes, and shows the same.
func TestReservedByKernel(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	const list = "/proc/sys/net/ipv4/ip_local_reserved_ports"
	rng := rand.New(rand.NewSource(26))
	pieces := []string{"1", "80", "8080", "65535", "65536", "0", "010", "0x1f", "08", ",", ",", ",", "-", "-", " ", "\n", "x", "59870-59999", "70-60", "0X", "+3"}
	for n := range 4000 {
		var b strings.Builder
		for range 1 + rng.Intn(7) {
			b.WriteString(pieces[rng.Intn(len(pieces))])
		}
		text := b.String()
		want, wrong := probe.ParseReserved(text)
		err := os.WriteFile(list, []byte(text), 0)
		if (err == nil) != (wrong == nil) {
			t.Errorf("%d: %q: the kernel says %v, ParseReserved %v", n, text, err, wrong)
			continue
		}
		if err != nil {
			continue
		}
		shown, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := probe.ParseReserved(string(shown)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: the kernel shows %q (%v), ParseReserved %v", text, shown, err, want)
		}
	}
}

// Without root: the sockets are seen, other users' programs are not, and a low port may not be bound. Nothing fails.
func TestAsNobody(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	if os.Getenv(spaceVariable) != t.Name() {
		if os.Getuid() != 0 {
			t.Skip("needs root to become another user")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		again(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, l.Addr().String())
		return
	}
	obs, err := probe.Observe(t.Context(), probe.Options{})
	if err != nil || !obs.Seen || obs.Privileged || obs.User != nobody || len(obs.Ephemeral) != 1 {
		t.Fatalf("got %+v, %v", obs, err)
	}
	taken := netip.MustParseAddrPort(os.Getenv(argumentVariable)).Port()
	found := look(t, plan(map[string]ports.Claim{"low": {Port: 1}, "row": {Port: ports.Port(taken)}}, "127.0.0.1"), probe.Ask{}, true)
	if got, f := state(found, "low"); got != probe.NoPermission || len(f.Remedies) == 0 {
		t.Errorf("low: %s (%s)", got, f.Note)
	}
	got, f := state(found, "row")
	if got != probe.Taken || f.Holder == nil || f.Holder.PID != nil || f.Holder.UID != 0 || !strings.Contains(f.Note, "a program that only root can see of user root") {
		t.Errorf("row: %s (%s), holder %+v", got, f.Note, f.Holder)
	}
	if !slices.ContainsFunc(found, func(f probe.Finding) bool {
		return f.State == probe.NotSeen && strings.Contains(f.Note, "only root sees")
	}) {
		t.Errorf("what was not seen is not said: %+v", found)
	}
}
