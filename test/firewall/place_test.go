//go:build linux

package firewall_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// place is a network namespace on a thread of its own. It has no name, so that nothing is left of it when the thread
// and the processes in it have ended, however the test ends; and its processes see /sys as it is, which those of
// `ip netns exec` do not: a keeper needs the cgroups.
type place struct {
	t    testing.TB
	work chan func()
	tid  int
}

// searched is where the tools are, of the system's administrator too.
const searched = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// needs skips the test where no laboratory can be built.
func needs(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces with firewalls in them")
	}
	for _, tool := range []string{"ip", "nft"} {
		if toolPath(tool) == "" {
			t.Skipf("needs %s: scripts/setup installs it", tool)
		}
	}
}

// toolPath returns where a tool is, "" where it is missing.
func toolPath(name string) string {
	for _, dir := range strings.Split(searched, ":") {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

func newPlace(t testing.TB) *place {
	t.Helper()
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
	return p
}

// do calls f on the thread of the namespace.
func (p *place) do(f func()) {
	done := make(chan struct{})
	p.work <- func() { defer close(done); f() }
	<-done
}

// start starts a command in the namespace: a process has the namespace of the thread that makes it.
func (p *place) start(cmd *exec.Cmd) error {
	var err error
	p.do(func() { err = cmd.Start() })
	return err
}

// ip runs a batch of ip's commands, one a line.
func (p *place) ip(format string, args ...any) {
	p.t.Helper()
	p.feed(fmt.Sprintf(format, args...), "ip", "-batch", "-")
}

// nft loads rules.
func (p *place) nft(rules string) {
	p.t.Helper()
	p.feed(rules, "nft", "-f", "-")
}

// feed runs a tool in the namespace with a text as its input; it has to end well.
func (p *place) feed(text, tool string, args ...string) { _ = p.tool(text, tool, args...) }

// tool is feed, and returns what the tool printed.
func (p *place) tool(text, tool string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(toolPath(tool), args...)
	cmd.Stdin = strings.NewReader(text)
	var out []byte
	var err error
	p.do(func() { out, err = cmd.CombinedOutput() })
	if err != nil {
		p.t.Fatalf("%s: %v\n%s\n%s", tool, err, out, text)
	}
	return string(out)
}

// set writes one of the kernel's settings of the namespace.
func (p *place) set(name string, value int) {
	p.t.Helper()
	var err error
	p.do(func() {
		// The kernel takes the setting of the namespace of the thread that opens the file.
		err = os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(strconv.Itoa(value)), 0o600)
	})
	if err != nil {
		p.t.Skipf("the setting net/%s of a namespace cannot be written: %v", name, err)
	}
}
