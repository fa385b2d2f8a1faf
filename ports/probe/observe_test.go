package probe

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
func link(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// aHost is a Linux host as its files show it.
func aHost() fstest.MapFS {
	return fstest.MapFS{
		"etc/services":                                 file("jmnet 9352/tcp\n"),
		"etc/passwd":                                   file("root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbroken\n"),
		"etc/sysctl.d/50-a.conf":                       file("net.ipv4.ip_local_port_range = 10000 20000\n"),
		"usr/lib/sysctl.d/50-a.conf":                   file("net.ipv4.ip_local_port_range = 1 2\n"),
		"usr/lib/sysctl.d/60-b.conf":                   file("net.ipv4.ip_local_port_range = 30000 40000\n"),
		"proc/sys/kernel/hostname":                     file("hq1\n"),
		"proc/sys/kernel/random/boot_id":               file("b-1\n"),
		"proc/sys/net/ipv4/ip_local_port_range":        file("32768\t60999\n"),
		"proc/sys/net/ipv4/ip_local_reserved_ports":    file("9352,59870-59999\n"),
		"proc/sys/net/ipv4/ip_unprivileged_port_start": file("80\n"),
		"proc/sys/net/ipv4/ip_nonlocal_bind":           file("1\n"),
		"proc/self/status":                             file("Name:\tx\nCapEff:\t0000000000000400\n"),
		"proc/self/ns/net":                             link("net:[4026531840]"),
		"proc/self/net/tcp":                            file(heading + "0: 00000000:2488 00000000:0000 0A 00000000:00000003 00:0 0 1000 0 11 1\n"),
		"proc/self/net/udp":                            file(heading + "0: 00000000:07A0 00000000:0000 07 00000000:00000000 00:0 0 0 0 12 1\n"),
		"proc/77/fd/3":                                 link("socket:[11]"),
		"proc/77/fd/4":                                 link("socket:[11]"),
		"proc/77/exe":                                  link("/usr/bin/java (deleted)"),
		"proc/77/cmdline":                              file("java\x00-jar\x00x.jar\x00"),
		"proc/77/stat":                                 file("77 (a) (b) S 5 0 0\n"),
		"proc/77/environ":                              file("A=1\x00REEVE_NET=acs\x00REEVE_JOB=c1\x00REEVE_RUN=r-1\x00"),
		"proc/5/comm":                                  file("keeper\n"),
		"proc/notapid":                                 file(""),
		"proc/99/fd/7":                                 link("pipe:[4]"),
	}
}

func played(root fs.FS) Options {
	return Options{
		System: "linux", Root: root, User: 1000,
		Diagnose: func() (socket.Diag, error) {
			return socket.Diag{Bound: []socket.Observed{{Protocol: "tcp", State: socket.StateBound, Local: netip.MustParseAddrPort("0.0.0.0:4013"), Inode: 13}}}, nil
		},
		Addresses: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.1.0.5")}, nil },
		Run:       func(context.Context, string, ...string) ([]byte, error) { return nil, exec.ErrNotFound },
	}
}

// Everything that a Linux host shows, from files alone.
func TestObservePlayed(t *testing.T) {
	t.Parallel()
	o, err := Observe(t.Context(), played(aHost()))
	if err != nil {
		t.Fatal(err)
	}
	if o.Host != "hq1" || o.Boot != "b-1" || o.Namespace != "net:[4026531840]" || o.Users[1000] != "ann" || !o.Privileged || o.Low != 80 || !o.AnyAddress {
		t.Errorf("got %+v", o)
	}
	if FormatRanges(o.Ephemeral) != "32768-60999" || FormatRanges(o.Reserved) != "9352,59870-59999" {
		t.Errorf("ranges %v, %v", o.Ephemeral, o.Reserved)
	}
	// A file of /etc hides its namesake of /usr/lib; the last one in the order of names wins.
	if s, ok := lasting(o.Settings, rangeSetting); !ok || s.File != "/usr/lib/sysctl.d/60-b.conf" || len(o.Settings) != 2 {
		t.Errorf("settings %+v", o.Settings)
	}
	if e, ok := o.Services.Number("JMNET", ports.TCP); !ok || e.Port != 9352 {
		t.Errorf("services %+v", o.Services)
	}
	if len(o.Sockets) != 3 {
		t.Fatalf("sockets %+v", o.Sockets)
	}
	bound, tcp, udp := o.Sockets[0], o.Sockets[1], o.Sockets[2]
	if bound.Listens || bound.Local.Port() != 4013 || !udp.Listens || udp.Local.Port() != 1952 {
		t.Errorf("bound %+v, udp %+v", bound, udp)
	}
	want := Process{PID: 77, Parent: 5, ParentProgram: "keeper", Program: "java", Path: "/usr/bin/java", Command: []string{"java", "-jar", "x.jar"}, Job: "acs/c1 of r-1"}
	if !tcp.Listens || tcp.Waiting != 3 || tcp.UID != 1000 || len(tcp.Owners) != 1 || !slices.Equal(tcp.Owners[0].Command, want.Command) || tcp.Owners[0].Job != want.Job ||
		tcp.Owners[0].Parent != 5 || tcp.Owners[0].ParentProgram != "keeper" || tcp.Owners[0].Path != want.Path || tcp.Owners[0].Program != "java" {
		t.Errorf("tcp %+v, want owner %+v", tcp, want)
	}
	if len(o.Unseen) != 1 || !strings.Contains(o.Unseen[0].What, "2 sockets") || !strings.Contains(o.Unseen[0].Why, "only root") {
		t.Errorf("unseen %+v", o.Unseen)
	}
}

// Each thing that fails is said, and takes nothing else with it.
func TestObserveFaults(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken on purpose")
	for name, c := range map[string]struct {
		change func(*Options, fstest.MapFS)
		unseen string
	}{
		"range gone":  {func(_ *Options, f fstest.MapFS) { delete(f, "proc/sys/net/ipv4/ip_local_port_range") }, "ephemeral range"},
		"range odd":   {func(_ *Options, f fstest.MapFS) { f["proc/sys/net/ipv4/ip_local_port_range"] = file("many") }, "ephemeral range"},
		"list gone":   {func(_ *Options, f fstest.MapFS) { delete(f, "proc/sys/net/ipv4/ip_local_reserved_ports") }, "reserved ports"},
		"list odd":    {func(_ *Options, f fstest.MapFS) { f["proc/sys/net/ipv4/ip_local_reserved_ports"] = file("1, 2") }, "reserved ports"},
		"no sockets":  {func(_ *Options, f fstest.MapFS) { delete(f, "proc/self/net/tcp") }, "sockets"},
		"sockets odd": {func(_ *Options, f fstest.MapFS) { f["proc/self/net/tcp"] = file(heading + "x\n") }, "sockets"},
		"no diagnostics": {func(o *Options, _ fstest.MapFS) {
			o.Diagnose = func() (socket.Diag, error) { return socket.Diag{}, broken }
		}, "IPv6 sockets"},
		"no addresses":    {func(o *Options, _ fstest.MapFS) { o.Addresses = func() ([]netip.Addr, error) { return nil, broken } }, "addresses"},
		"services folder": {func(_ *Options, f fstest.MapFS) { delete(f, "etc/services"); f["etc/services/x"] = file("") }, "services file"},
		"no semanage":     {func(_ *Options, f fstest.MapFS) { f["sys/fs/selinux/enforce"] = file("1") }, "SELinux port types"},
	} {
		root := aHost()
		o := played(root)
		c.change(&o, root)
		got, err := Observe(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(got.Unseen, func(u Unseen) bool { return strings.Contains(u.What, c.unseen) && u.Why != "" }) {
			t.Errorf("%s: %+v does not name %s", name, got.Unseen, c.unseen)
		}
		if got.Host != "hq1" || got.Low != 80 {
			t.Errorf("%s: took other things with it: %+v", name, got)
		}
		if got.Seen == (c.unseen == "sockets") {
			t.Errorf("%s: seen is %v", name, got.Seen)
		}
		if found, err := Check(site(t), got, Ask{}); err != nil || !slices.ContainsFunc(found, func(f Finding) bool { return f.State == NotSeen }) {
			t.Errorf("%s: the check does not say so: %v", name, err)
		}
	}
	ended, end := context.WithCancelCause(t.Context())
	end(broken)
	if _, err := Observe(ended, played(aHost())); !errors.Is(err, broken) {
		t.Errorf("got %v, want the cause", err)
	}
}

// Windows and the systems of the BSD family are asked by their own programs.
func TestObserveOtherSystems(t *testing.T) {
	t.Parallel()
	said := map[string]string{
		"netsh int ipv4 show excludedportrange protocol=tcp":               "      2375        2474      \n     50000       50059     *\n",
		"netsh int ipv4 show excludedportrange protocol=udp":               "",
		"netsh int ipv4 show dynamicport tcp":                              "Start Port : 49152\nNumber of Ports : 16384\n",
		"netsh int ipv4 show dynamicport udp":                              "Start Port : 50000\nNumber of Ports : 15536\n",
		"sysctl -n net.inet.ip.portrange.first net.inet.ip.portrange.last": "49152\n65535\n",
	}
	o := played(fstest.MapFS{"Windows/System32/drivers/etc/services": file("jmnet 9352/tcp\r\n")})
	o.Run = func(_ context.Context, name string, args ...string) ([]byte, error) {
		text, ok := said[name+" "+strings.Join(args, " ")]
		if !ok {
			return nil, exec.ErrNotFound
		}
		return []byte(text), nil
	}
	o.System = "windows"
	got, err := Observe(t.Context(), o)
	if err != nil || got.Seen || FormatRanges(got.Ephemeral) != "49152-65535" || FormatRanges(got.Reserved) != "50000-50059" || len(got.Excluded) != 2 || len(got.Services.Entries()) != 1 {
		t.Errorf("windows: %+v, %v", got, err)
	}
	o.System = "darwin"
	if got, err = Observe(t.Context(), o); err != nil || got.Seen || FormatRanges(got.Ephemeral) != "49152-65535" {
		t.Errorf("darwin: %+v, %v", got, err)
	}
	o.Run = func(context.Context, string, ...string) ([]byte, error) { return nil, exec.ErrNotFound }
	if got, _ = Observe(t.Context(), o); len(got.Unseen) != 2 || !strings.Contains(got.Unseen[0].Why, "sysctl is not installed") {
		t.Errorf("darwin without sysctl: %+v", got.Unseen)
	}
}

// SELinux is asked where it decides.
func TestObserveLabels(t *testing.T) {
	t.Parallel()
	root := aHost()
	root["sys/fs/selinux/enforce"] = file("1")
	o := played(root)
	o.Run = func(_ context.Context, name string, args ...string) ([]byte, error) {
		if name != "semanage" || strings.Join(args, " ") != "port -l" {
			t.Errorf("asked %s %v", name, args)
		}
		return []byte("http_port_t tcp 80, 443\n"), nil
	}
	got, err := Observe(t.Context(), o)
	if err != nil || len(got.Labels) != 1 || got.Labels[0].Type != "http_port_t" {
		t.Errorf("got %+v, %v", got.Labels, err)
	}
}
