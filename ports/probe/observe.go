package probe

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/dialect"
)

// Options hand the system down, so that a test can play another one. The zero Options are this host.
type Options struct {
	System    string                                                                 // as runtime.GOOS names it
	Root      fs.FS                                                                  // the root of the file system
	Diagnose  func() (socket.Diag, error)                                            // the kernel's socket diagnostics
	Addresses func() ([]netip.Addr, error)                                           // of this host
	Run       func(ctx context.Context, name string, args ...string) ([]byte, error) // runs a program and returns what it prints
	Now       func() time.Time
	User      int // who looks
}

const (
	patience = 10 * time.Second // for one program that is asked
	maxFile  = 4 << 20          // bytes of a file that are read
)

// complete fills in this host where nothing was given.
func (o Options) complete() Options {
	if o.System == "" {
		o.System = runtime.GOOS
		o.User = os.Getuid()
	}
	if o.Root == nil {
		o.Root = os.DirFS(rootOf(o.System))
	}
	if o.Diagnose == nil {
		o.Diagnose = socket.Diagnose
	}
	if o.Addresses == nil {
		o.Addresses = addresses
	}
	if o.Run == nil {
		o.Run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
			return exec.CommandContext(ctx, name, args...).Output()
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func rootOf(system string) string {
	if system == "windows" {
		if drive := os.Getenv("SystemDrive"); drive != "" {
			return drive + `\`
		}
		return `C:\`
	}
	return "/"
}

func addresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap().WithZone(""))
		}
	}
	return out, nil
}

// Observe looks at this host. What cannot be seen stands in Unseen; the only error is that the context ended.
func Observe(ctx context.Context, o Options) (Observation, error) {
	l := &look{Options: o.complete()}
	l.got = Observation{At: l.Now(), System: l.System, User: uint32(max(l.User, 0))}
	l.identity()
	l.network()
	l.services()
	switch l.System {
	case "linux":
		l.kernel()
		l.sockets()
		l.labels(ctx)
	case "windows":
		l.windows(ctx)
		l.unseen("sockets", "seeing other programs' sockets is only built for Linux")
	default:
		l.portrange(ctx)
		l.unseen("sockets", "seeing other programs' sockets is only built for Linux")
	}
	if err := context.Cause(ctx); err != nil {
		return Observation{}, err
	}
	return l.got, nil
}

// look is one observation in the making.
type look struct {
	Options
	got Observation
}

func (l *look) unseen(what, why string) { l.got.Unseen = append(l.got.Unseen, Unseen{what, why}) }

// read returns a file of the host, cut where no file of its kind ends.
func (l *look) read(name string) (string, error) {
	text, err := fs.ReadFile(l.Root, name)
	return string(text[:min(len(text), maxFile)]), err
}

// run asks a program.
func (l *look) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := l.Run(ctx, name, args...)
	if errors.Is(err, exec.ErrNotFound) {
		err = errors.New(name + " is not installed")
	}
	return string(out), err
}

func (l *look) identity() {
	l.got.Host, _ = os.Hostname()
	if text, err := l.read("proc/sys/kernel/hostname"); err == nil {
		l.got.Host = strings.TrimSpace(text)
	}
	if text, err := l.read("proc/sys/kernel/random/boot_id"); err == nil {
		l.got.Boot = strings.TrimSpace(text)
	}
	if link, err := fs.ReadLink(l.Root, "proc/self/ns/net"); err == nil {
		l.got.Namespace = link
	}
	l.got.Users = map[uint32]string{}
	if text, err := l.read("etc/passwd"); err == nil {
		for line := range strings.Lines(text) {
			f := strings.Split(line, ":")
			if len(f) < 3 {
				continue
			}
			if uid, err := strconv.ParseUint(f[2], 10, 32); err == nil && l.got.Users[uint32(uid)] == "" {
				l.got.Users[uint32(uid)] = f[0]
			}
		}
	}
}

func (l *look) network() {
	all, err := l.Addresses()
	if err != nil {
		l.unseen("addresses of this host", err.Error())
	}
	l.got.Addresses = all
}

// services reads the services file. What is wrong with its lines is no concern of this host's ports.
func (l *look) services() {
	name := "etc/services"
	if l.System == "windows" {
		name = "Windows/System32/drivers/etc/services"
	}
	text, err := l.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return // no names: nothing to disagree with
	}
	if err != nil {
		l.unseen("services file", err.Error())
		return
	}
	l.got.ServicesAt = "/" + name
	l.got.Services, _ = dialect.ParseServices(l.got.ServicesAt, []byte(text))
}

// kernel reads what Linux does with ports.
func (l *look) kernel() {
	const dir = "proc/sys/net/ipv4/"
	if text, err := l.read(dir + rangeSetting); err != nil {
		l.unseen("ephemeral range", err.Error())
	} else if r, err := ParseInterval(text); err != nil {
		l.unseen("ephemeral range", err.Error())
	} else {
		l.got.Ephemeral = []ports.Range{r}
	}
	if text, err := l.read(dir + reservedSetting); err != nil {
		l.unseen("reserved ports", err.Error())
	} else if l.got.Reserved, err = ParseReserved(text); err != nil {
		l.unseen("reserved ports", err.Error())
	}
	l.got.Low = 1024
	if text, err := l.read(dir + "ip_unprivileged_port_start"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err == nil {
			l.got.Low = ports.Port(n)
		}
	}
	if text, err := l.read(dir + "ip_nonlocal_bind"); err == nil {
		l.got.AnyAddress = strings.TrimSpace(text) != "0"
	}
	l.got.Settings = settings(l.Root)
	l.got.Privileged = l.User == 0
	if text, err := l.read("proc/self/status"); err == nil {
		l.got.Privileged = mayBindLow(text)
	}
}

// mayBindLow reads from /proc/PID/status whether the process has CAP_NET_BIND_SERVICE.
func mayBindLow(status string) bool {
	const netBindService = 10
	for line := range strings.Lines(status) {
		if caps, ok := strings.CutPrefix(line, "CapEff:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(caps), 16, 64)
			return err == nil && bits&(1<<netBindService) != 0
		}
	}
	return false
}

func (l *look) sockets() {
	diag, err := l.Diagnose()
	if err != nil {
		l.unseen("which IPv6 sockets leave IPv4 alone", err.Error())
	}
	all, hidden, err := socket.Host(l.Root, diag)
	if err != nil {
		l.unseen("sockets", err.Error())
		return
	}
	l.got.Seen = true
	for _, o := range all {
		l.got.Sockets = append(l.got.Sockets, socketOf(o))
	}
	if hidden > 0 {
		why := "their processes are another user's, and only root sees those"
		if l.User == 0 {
			why = "their processes run in another container, or are the kernel's own"
		}
		l.unseen("the programs of "+strconv.Itoa(hidden)+" sockets", why)
	}
}

func socketOf(o socket.Owned) Socket {
	s := Socket{
		Protocol: ports.Protocol(o.Protocol), Local: o.Local, Remote: o.Remote, V6Only: o.V6Only, UID: o.UID, Inode: o.Inode, Waiting: o.Waiting, Limit: o.Limit,
		Listens: o.State == socket.StateListening || o.State == socket.StateBound && o.Protocol == string(ports.UDP),
	}
	for _, w := range o.Owners {
		s.Owners = append(s.Owners, Process(w))
	}
	return s
}

// labels asks SELinux, where it decides.
func (l *look) labels(ctx context.Context) {
	if text, err := l.read("sys/fs/selinux/enforce"); err != nil || strings.TrimSpace(text) != "1" {
		return
	}
	text, err := l.run(ctx, "semanage", "port", "-l")
	if err != nil {
		l.unseen("SELinux port types", err.Error())
		return
	}
	l.got.Labels = ParseLabels(text)
}

// windows asks netsh.
func (l *look) windows(ctx context.Context) {
	for _, p := range []ports.Protocol{ports.TCP, ports.UDP} {
		text, err := l.run(ctx, "netsh", "int", "ipv4", "show", "excludedportrange", "protocol="+string(p))
		if err != nil {
			l.unseen("excluded "+string(p)+" ranges", err.Error())
		} else {
			l.got.Excluded = append(l.got.Excluded, ParseExcluded(text, p)...)
		}
		text, err = l.run(ctx, "netsh", "int", "ipv4", "show", "dynamicport", string(p))
		if r, ok := ParseDynamic(text); err == nil && ok {
			if !slices.Contains(l.got.Ephemeral, r) {
				l.got.Ephemeral = append(l.got.Ephemeral, r)
			}
		} else {
			l.unseen("dynamic "+string(p)+" range", "netsh does not say")
		}
	}
	for _, e := range l.got.Excluded {
		if e.Administered {
			l.got.Reserved = append(l.got.Reserved, e.Range)
		}
	}
	l.got.Reserved, l.got.Ephemeral = union(l.got.Reserved), union(l.got.Ephemeral)
}

// portrange asks the systems of the BSD family.
func (l *look) portrange(ctx context.Context) {
	text, err := l.run(ctx, "sysctl", "-n", "net.inet.ip.portrange.first", "net.inet.ip.portrange.last")
	if err == nil {
		var r ports.Range
		if r, err = ParseInterval(text); err == nil {
			l.got.Ephemeral = []ports.Range{r}
			return
		}
	}
	l.unseen("ephemeral range", err.Error())
}
