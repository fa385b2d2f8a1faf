package discovery_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// compiled is the plan arcserve at a site that gives discovery a number.
func compiled(t testing.TB) ports.Compiled {
	t.Helper()
	return plan(t, "services: [{id: discovery, port: 41524}, {id: discovery-answers, port: 41525}]\n")
}

func plan(t testing.TB, rows string) ports.Compiled {
	t.Helper()
	plan, err := planfile.Parse("site.yaml", []byte("plan: site\nextends: arcserve\n"+rows), builtin.Load)
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c
}

func ip(t *testing.T, words string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(words)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", words, err, out)
	}
}

// elsewhere calls do on a host of its own, wired to the bridge: a network namespace on a thread of its own.
func elsewhere(t *testing.T, name, address string, do func()) {
	t.Helper()
	tid, wired, done := make(chan int), make(chan bool), make(chan bool)
	go func() {
		runtime.LockOSThread() // never unlocked: the namespace ends with the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		tid <- unix.Gettid()
		<-wired
		for _, words := range []string{"link set lo up", "addr add " + address + "/24 brd + dev " + name, "link set " + name + " up"} {
			ip(t, words)
		}
		do()
		close(done)
		<-t.Context().Done()
	}()
	id := strconv.Itoa(<-tid)
	ip(t, "link add b"+name+" type veth peer name "+name)
	ip(t, "link set b"+name+" master br0 up")
	ip(t, "link set "+name+" netns "+id)
	wired <- true
	<-done
}

// post opens discovery for a role and runs it until the test ends.
func post(t *testing.T, role string, bind []string, about func() discovery.About) *discovery.Post {
	t.Helper()
	p, err := discovery.Open(t.Context(), discovery.Config{
		Sockets: socket.New(compiled(t), socket.As(string(compiled(t).Kinds[role]))), Roles: []string{role}, Bind: func(ports.Claim) []string { return bind }, About: about,
		Rand: rand.Reader, Now: time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil || p == nil {
		t.Errorf("opening discovery for %s: %v, %v", role, p, err)
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

func says(a discovery.About) func() discovery.About { return func() discovery.About { return a } }

// TestFinds: who is on the wire is found by broadcast, whichever addresses it listens on, and over TCP where it is asked.
func TestFinds(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t) {
		return
	}
	ip(t, "link add br0 type bridge")
	ip(t, "link set br0 up")
	ip(t, "addr add 10.9.0.1/24 brd + dev br0")
	all := discovery.About{Name: "everywhere", Role: "agent", Version: "1.0", Domain: "batch", Fingerprint: strings.Repeat("a", 64), Joined: true, Port: 6050}
	elsewhere(t, "v2", "10.9.0.2", func() { post(t, "agent", nil, says(all)) })
	one := discovery.About{Name: "one-address", Role: "agent", Version: "1.0\x1b[31m"}
	elsewhere(t, "v3", "10.9.0.3", func() { post(t, "agent", []string{"10.9.0.3"}, says(one)) })
	one.Version = "1.0?[31m"

	server := post(t, "primary", nil, says(discovery.About{Name: "hq1", Role: "server"}))
	found, err := server.Ask(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []discovery.Found{
		{About: all, From: netip.MustParseAddr("10.9.0.2"), Over: "broadcast"},
		{About: one, From: netip.MustParseAddr("10.9.0.3"), Over: "broadcast"},
	}
	if len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
		t.Errorf("by broadcast: %+v\nwant %+v", found, want)
	}
	if got := want[0].Address(); got != "10.9.0.2:6050" {
		t.Errorf("it is dialled at %q, want 10.9.0.2:6050", got)
	}

	bare := plan(t, "services: [{id: discovery, port: 41524}]\n")
	sockets := socket.New(bare, socket.As("server"))
	lone, err := discovery.Open(t.Context(), discovery.Config{Sockets: sockets, Roles: []string{"primary"}, Rand: rand.Reader, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if found, err = lone.Ask(t.Context(), nil); err != nil || len(found) != 2 || len(sockets.Open()) != 0 {
		t.Errorf("without a row for answers: %+v, %v, open %v; want both, and nothing open", found, err, sockets.Open())
	}

	// Without a broadcast address only TCP finds them. Who asks does not list itself.
	ip(t, "addr del 10.9.0.1/24 dev br0")
	ip(t, "addr add 10.9.0.1/32 dev br0")
	ip(t, "route add 10.9.0.0/24 dev br0")
	found, err = server.Ask(t.Context(), []netip.Prefix{netip.MustParsePrefix("10.9.0.0/29"), netip.MustParsePrefix("10.9.0.3/32")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].Over = "tcp"
	}
	if len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
		t.Errorf("over TCP: %+v\nwant %+v", found, want)
	}
}

// TestNotPlanned: where the plan gives discovery no number nothing is open; who may not ask does not.
func TestNotPlanned(t *testing.T) {
	t.Parallel()
	plan, err := builtin.Load("arcserve")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := ports.Compile(plan, ports.Inventory{}, 0)
	sockets := socket.New(c, socket.As("server"))
	p, err := discovery.Open(t.Context(), discovery.Config{Sockets: sockets, Roles: []string{"server"}})
	if p != nil || err != nil || len(sockets.Open()) != 0 {
		t.Errorf("without a number: %v, %v, open %v; want nothing", p, err, sockets.Open())
	}
	if _, err := p.Ask(t.Context(), nil); err == nil {
		t.Error("asked without a row of the plan")
	}
}

// TestTooMany: no more addresses are dialled than the bound, however they are written.
func TestTooMany(t *testing.T) {
	t.Parallel()
	if !sockettest.Inside(t) {
		return
	}
	server := post(t, "primary", nil, nil)
	for _, subnets := range []string{"10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/64", "10.0.0.0/20 10.1.0.0/20"} {
		var all []netip.Prefix
		for _, s := range strings.Fields(subnets) {
			all = append(all, netip.MustParsePrefix(s))
		}
		if found, err := server.Ask(t.Context(), all); err == nil {
			t.Errorf("%s: searched, and found %v", subnets, found)
		}
	}
}
