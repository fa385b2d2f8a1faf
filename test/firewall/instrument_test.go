//go:build linux

package firewall_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// The laboratory measures what it says: a connection and a datagram outside the plan are recorded and judged, the
// router drops them, and where it lets them through, that is seen as well.
func TestLaboratory(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: twoZones})
	hq, north := l.hosts["hq"], l.hosts["north"]
	stranger := l.port("reeve") + 1
	hq.listen(l.port("reeve"), stranger)

	// What is not marked as a probe is the product's.
	attempts := func() {
		a := north.begin(hq.at(stranger))
		delete(l.probes, a.source)
		t.Cleanup(func() { _ = unix.Close(a.fd) })
		c, err := north.dial(t.Context(), "udp", hq.at(stranger).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("datagram")); err != nil {
			t.Fatal(err)
		}
		north.wantOpen(hq.at(l.port("reeve")))
	}
	count := func(parts ...string) int {
		_, outside := l.seen()
		n := 0
		for text := range outside {
			good := true
			for _, p := range parts {
				good = good && strings.Contains(text, p)
			}
			if good {
				n++
			}
		}
		return n
	}
	attempts()
	if tcp, udp, through := count("tcp "), count("udp "), count("let it through"); tcp != 1 || udp != 1 || through != 0 {
		t.Errorf("seen outside the plan: %d connections, %d datagrams, %d let through; want 1, 1 and 0", tcp, udp, through)
	}
	l.open()
	attempts()
	if tcp, udp := count("tcp ", "let it through"), count("udp ", "let it through"); tcp == 0 || udp == 0 {
		t.Errorf("an open router lets %d connections and %d datagrams through; want both", tcp, udp)
	}
	l.close()

	l.block(north, blockage{to: true, from: true, verdict: "drop"})
	a := north.begin(hq.at(l.port("reeve")))
	defer unix.Close(a.fd)
	within(t, 10*time.Second, func() string {
		return map[bool]string{false: "the attempt has not reached the router"}[l.sources(false)[a.source]]
	})
	l.hosts["desk"].wantOpen(hq.at(l.port("reeve")))
	if l.sources(true)[a.source] || a.answer() != "" {
		t.Errorf("a blocked path answers %q", a.answer())
	}
	l.unblock()
	north.wantOpen(hq.at(l.port("reeve")))
}
