//go:build linux

package firewall_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// without takes away what lets a flow through, and with it the connections that came that way, until heal.
func (l *laboratory) without(flows ...string) {
	l.t.Helper()
	var b strings.Builder
	for _, h := range l.holes {
		for _, flow := range flows {
			if h.flow == flow {
				fmt.Fprintf(&b, "ct original ip saddr %s ct original ip daddr %s meta l4proto %s ct original proto-dst %d-%d drop\n", h.from, h.to, h.protocol, h.first, h.last)
			}
		}
	}
	l.router.nft("table inet without\ndelete table inet without\ntable inet without {\nchain forward {\ntype filter hook forward priority filter - 10; policy accept;\n" + b.String() + "}\n}\n")
}

// heal gives back what without has taken.
func (l *laboratory) heal() { l.router.nft("delete table inet without\n") }

// linkRow returns the row of an agent's link, by the number at the end that was dialled; "" where it has none.
func (l *laboratory) linkRow(name string) string {
	l.t.Helper()
	n, err := l.server.api.Node(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	if !n.Linked || n.Address == nil {
		return ""
	}
	at := splitAddress(l.t, *n.Address)
	for _, h := range l.holes {
		if h.to.Contains(at.Addr()) && int(h.first) == int(at.Port()) {
			return service(h.flow)
		}
	}
	return "dialled by the agent"
}

// Behind systemwalker a link has three rows: the server dials 9327, the agent dials 9352, the server dials 9352. As they
// are taken away one by one, the next takes over, and the end of a job is known over it within 30 s; the state names the
// row that is lost. When the first is given back, the link goes there again.
func TestRowsTakeTurns(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "systemwalker", inventory: threeZones})
	l.serve("hq")
	north := l.join("north")
	l.join("south")
	row := func(want string) {
		t.Helper()
		began := time.Now()
		within(t, 45*time.Second, func() string {
			if got := l.linkRow("north"); got != want {
				return fmt.Sprintf("the link of north is over %q, want %q", got, want)
			}
			return ""
		})
		t.Logf("linked over %s after %s", want, time.Since(began).Round(time.Millisecond))
	}
	row("mjsnet")

	j := l.long(north)
	l.without("mjsnet.1/tcp")
	l.endsWithin(j, 30*time.Second)
	row("dialled by the agent")
	l.wantInVain("north", "mjsnet", "server")
	j = l.again(north)
	l.without("mjsnet.1/tcp", "jmnet.3/tcp")
	l.endsWithin(j, 30*time.Second)
	row("jmnet")
	l.wantInVain("north", "mjsnet", "server")
	l.wantInVain("north", "jmnet", "agent")
	l.linked("south", true)
	l.heal()
	row("mjsnet")
	l.judge("mjsnet.1/tcp", "jmnet.3/tcp", "jmnet.2/tcp")
}

// endsWithin ends a job, and wants its end to be known soon.
func (l *laboratory) endsWithin(j long, limit time.Duration) {
	l.t.Helper()
	j.end()
	ended := time.Now()
	l.wantSucceeded(j.run)
	if took := time.Since(ended); took > limit {
		l.t.Errorf("the end of the job was known after %s, want at most %s", took, limit)
	}
}

// wantInVain waits until the server says of one of an agent's paths that it is dialled in vain, and why.
func (l *laboratory) wantInVain(name, row, dials string) {
	l.t.Helper()
	within(l.t, 45*time.Second, func() string {
		n, err := l.server.api.Node(l.t.Context(), name)
		if err != nil {
			return err.Error()
		}
		for _, p := range n.Paths {
			if p.Row == row && p.Dials == dials && p.State == "in vain" && p.Why != nil {
				l.t.Logf("%s, dialled by the %s: %s", row, dials, *p.Why)
				return ""
			}
		}
		return fmt.Sprintf("nothing says that %s, dialled by the %s, is in vain: %+v", row, dials, n.Paths)
	})
}
