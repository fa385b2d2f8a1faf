package render

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// place is a network namespace of its own, on a thread of its own. It is gone with the test, however the test ends.
type place struct {
	t    *testing.T
	work chan func()
	tid  int
}

// newPlace needs root: another user cannot have a namespace whose rules it may load.
func newPlace(t *testing.T, tools ...string) *place {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a network namespace and its rules")
	}
	for _, tool := range append(tools, "ip") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: scripts/setup installs it", tool)
		}
	}
	p := &place{t: t, work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and the namespace with the thread
		p.tid = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range p.work {
			f()
		}
	}()
	t.Cleanup(func() { close(p.work) })
	if err := <-ready; err != nil {
		t.Skipf("no network namespace can be made: %v", err)
	}
	p.run("ip link set lo up")
	return p
}

// do calls f in the namespace.
func (p *place) do(f func()) {
	done := make(chan struct{})
	p.work <- func() { defer close(done); f() }
	<-done
}

// run runs a command of words without blanks in the namespace, which must end well; its output is returned.
func (p *place) run(command string) string {
	p.t.Helper()
	out, err := p.try(strings.Fields(command)...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

func (p *place) try(command ...string) (string, error) {
	var out []byte
	var err error
	p.do(func() {
		cmd := exec.CommandContext(p.t.Context(), command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "XTABLES_LOCKFILE="+filepath.Join(os.TempDir(), fmt.Sprintf("xtables-%d.lock", p.tid)))
		out, err = cmd.CombinedOutput()
	})
	return string(out), err
}

// load writes a text to a file and runs it with a program; the word FILE is where the file stands, else it is the last.
func (p *place) load(text string, program ...string) string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "rules")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	program = slices.DeleteFunc(slices.Clone(program), func(w string) bool { return w == "" })
	if i := slices.Index(program, "FILE"); i >= 0 {
		program[i] = path
	} else {
		program = append(program, path)
	}
	out, err := p.try(program...)
	if err != nil {
		p.t.Fatalf("%v: %v\n%s\n%s", program, err, out, text)
	}
	return out
}

// Addresses of the laboratory: a host inside, and outside a planned neighbour and a stranger behind one wire.
var (
	inside   = []netip.Addr{netip.MustParseAddr("10.66.0.1"), netip.MustParseAddr("fd66::1")}
	planless = []netip.Addr{netip.MustParseAddr("10.66.0.3"), netip.MustParseAddr("fd66::3")}
	outside  = []netip.Addr{netip.MustParseAddr("10.66.0.2"), netip.MustParseAddr("fd66::2")}
)

// wired connects two places with a wire.
func wired(t *testing.T, tools ...string) (in, out *place) {
	t.Helper()
	in, out = newPlace(t, tools...), newPlace(t)
	in.run("ip link add wire type veth peer name wire netns " + strconv.Itoa(out.tid))
	for p, addresses := range map[*place][]netip.Addr{in: inside, out: slices.Concat(outside, planless)} {
		for _, a := range addresses {
			if a.Is4() {
				p.run("ip addr add " + a.String() + "/24 dev wire")
			} else {
				p.run("ip addr add " + a.String() + "/64 dev wire nodad")
			}
		}
		p.run("ip link set wire up")
	}
	out.do(func() { greet(t) })
	return in, out
}

// greet lets both ends of the wire learn each other's hardware addresses, by connections that are refused: the kernel
// keeps few packets for a neighbour whom it does not know yet.
func greet(t *testing.T) {
	for i, to := range inside {
		for _, from := range []netip.Addr{outside[i], planless[i]} {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: 20 * time.Second}
			if c, err := d.DialContext(t.Context(), "tcp", netip.AddrPortFrom(to, 9).String()); err == nil {
				c.Close()
			} else if !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	}
}

// probe is one attempt to reach a number from an address.
type probe struct {
	protocol string
	port     int
	from, to netip.Addr
	passes   bool // what is expected
	why      string
}

func (p probe) String() string {
	return fmt.Sprintf("%s %d from %s to %s (%s)", p.protocol, p.port, p.from, p.to, p.why)
}

// ears listen on numbers of both transports on all addresses of a place.
type ears struct {
	tcp map[int]net.Listener
	udp map[int]*net.UDPConn
}

func (p *place) listen(numbers []int) ears {
	p.t.Helper()
	e := ears{map[int]net.Listener{}, map[int]*net.UDPConn{}}
	p.do(func() {
		for _, n := range numbers {
			if e.tcp[n] != nil || n < 1 || n > 65535 {
				continue
			}
			l, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", n))
			if err != nil {
				p.t.Error(err)
				return
			}
			u, err := net.ListenUDP("udp", &net.UDPAddr{Port: n})
			if err != nil {
				p.t.Error(err)
				return
			}
			e.tcp[n], e.udp[n] = l, u
		}
	})
	p.t.Cleanup(func() { e.close() })
	return e
}

func (e ears) close() {
	for n := range e.tcp {
		e.tcp[n].Close()
		e.udp[n].Close()
	}
}

// heard empties the queues of datagrams: who sent to which number.
func (e ears) heard(into map[string]bool) {
	buf := make([]byte, 64)
	for n, u := range e.udp {
		raw, err := u.SyscallConn()
		if err != nil {
			continue
		}
		_ = raw.Control(func(fd uintptr) {
			for {
				_, from, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
				if err != nil {
					return
				}
				into[fmt.Sprintf("%d %s", n, sockaddr(from))] = true
			}
		})
	}
}

func sockaddr(sa unix.Sockaddr) netip.Addr {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).Unmap()
	}
	return netip.Addr{}
}

func sockaddrOf(a netip.Addr, port int) (unix.Sockaddr, int) {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: a.As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: port, Addr: a.As16()}, unix.AF_INET6
}

// look sends all probes, those that must not pass first, and waits until all that must have passed. The wire keeps the order, so
// that by then the others were let through, or never will be.
func (p *place) look(e ears, probes []probe) (passed []bool) {
	p.t.Helper()
	slices.SortStableFunc(probes, func(a, b probe) int { return order(a.passes) - order(b.passes) })
	fds := make([]int, len(probes))
	p.do(func() {
		for i, pr := range probes {
			fds[i] = p.send(pr)
		}
	})
	defer func() {
		for _, fd := range fds {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
	}()
	passed = make([]bool, len(probes))
	heard := map[string]bool{}
	for deadline := time.Now().Add(20 * time.Second); ; {
		e.heard(heard)
		missing := 0
		var waiting []unix.PollFd
		for i, pr := range probes {
			if pr.protocol == "udp" {
				passed[i] = heard[fmt.Sprintf("%d %s", pr.port, pr.from)]
			} else if !passed[i] && fds[i] >= 0 {
				passed[i] = connected(fds[i])
			}
			if pr.passes && !passed[i] {
				missing++
				waiting = append(waiting, unix.PollFd{Fd: int32(fds[i]), Events: unix.POLLOUT})
			}
		}
		if missing == 0 || time.Now().After(deadline) {
			return passed
		}
		_, _ = unix.Poll(waiting, 5)
	}
}

func order(passes bool) int {
	if passes {
		return 1
	}
	return 0
}

// send begins to connect, or sends a datagram. It returns -1 where the host itself refuses.
func (p *place) send(pr probe) int {
	kind := map[string]int{"tcp": unix.SOCK_STREAM, "udp": unix.SOCK_DGRAM}[pr.protocol]
	to, family := sockaddrOf(pr.to, pr.port)
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		p.t.Error(err)
		return -1
	}
	from, _ := sockaddrOf(pr.from, 0)
	if err := unix.Bind(fd, from); err != nil {
		p.t.Errorf("%s: %v", pr, err)
	}
	if pr.protocol == "udp" {
		err = unix.Sendto(fd, []byte("probe"), 0, to)
	} else {
		err = unix.Connect(fd, to)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EPERM) {
		p.t.Errorf("%s: %v", pr, err)
	}
	return fd
}

// connected reports whether a connection stands.
func connected(fd int) bool {
	polls := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(polls, 0); err != nil || n == 0 {
		return false
	}
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return err == nil && code == 0 && polls[0].Revents&unix.POLLERR == 0
}

// expect compares what passed with what had to.
func (p *place) expect(e ears, probes []probe) {
	p.t.Helper()
	passed := p.look(e, probes)
	good := 0
	for i, pr := range probes {
		if passed[i] != pr.passes {
			p.t.Errorf("%s: passed %t, want %t", pr, passed[i], pr.passes)
		} else {
			good++
		}
	}
	p.t.Logf("%d of %d probes did what the plan says", good, len(probes))
}
