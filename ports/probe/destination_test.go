package probe_test

import (
	"net/netip"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// What a host's sockets mean to who dials one of its addresses.
func TestDestination(t *testing.T) {
	t.Parallel()
	limit := 8
	own := []probe.Process{{PID: 7, Program: "reeve", Path: "/reeve"}}
	at := func(text string, listens bool) probe.Socket {
		return probe.Socket{Protocol: ports.TCP, Local: netip.MustParseAddrPort(text), Listens: listens, Limit: &limit, Waiting: 9}
	}
	with := func(s probe.Socket, owners []probe.Process) probe.Socket { s.Owners = owners; return s }
	v6only := func(s probe.Socket) probe.Socket { s.V6Only = true; return s }
	for _, c := range []struct {
		name    string
		sockets []probe.Socket
		at      string // that is dialled; empty: any
		want    probe.ListenerState
		ours    bool
	}{
		{"nobody", nil, "10.1.0.1", probe.Nobody, false},
		{"another port", []probe.Socket{at("0.0.0.0:99", true)}, "10.1.0.1", probe.Nobody, false},
		{"all addresses", []probe.Socket{at("0.0.0.0:80", true)}, "10.1.0.1", probe.Listening, false},
		{"all of both families", []probe.Socket{at("[::]:80", true)}, "10.1.0.1", probe.Listening, false},
		{"all of the other family", []probe.Socket{v6only(at("[::]:80", true))}, "10.1.0.1", probe.ListensBeside, false},
		{"loopback", []probe.Socket{at("127.0.0.1:80", true)}, "10.1.0.1", probe.ListensBeside, false},
		{"loopback, of whatever is dialled", []probe.Socket{at("127.0.0.1:80", true)}, "", probe.ListensBeside, false},
		{"loopback, and that is dialled", []probe.Socket{at("127.0.0.1:80", true)}, "127.0.0.1", probe.Listening, false},
		{"bound", []probe.Socket{at("10.1.0.1:80", false)}, "10.1.0.1", probe.OnlyBound, false},
		{"bound elsewhere", []probe.Socket{at("127.0.0.1:80", false)}, "10.1.0.1", probe.Nobody, false},
		{"bound, and a listener", []probe.Socket{at("127.0.0.1:80", true), at("10.1.0.1:80", false)}, "10.1.0.1", probe.OnlyBound, false},
		{"Reeve's own", []probe.Socket{with(at("0.0.0.0:80", true), own)}, "10.1.0.1", probe.Listening, true},
		{"a connection", []probe.Socket{{Protocol: ports.TCP, Local: netip.MustParseAddrPort("10.1.0.1:80"), Remote: netip.MustParseAddrPort("10.2.0.1:999")}}, "10.1.0.1", probe.Nobody, false},
	} {
		var dialled netip.Addr
		if c.at != "" {
			dialled = netip.MustParseAddr(c.at)
		}
		got := probe.Observation{Seen: true, Sockets: c.sockets}.Destination(ports.TCP, dialled, 80, probe.Own{Programs: []string{"/reeve"}})
		if got.Listener != c.want || got.Ours != c.ours || (got.Owner != nil) != (c.want != probe.Nobody) {
			t.Errorf("%s: %+v, want %s, ours %t", c.name, got, c.want, c.ours)
		}
		if (c.want == probe.Listening) != got.Backlog.Full() {
			t.Errorf("%s: the queue is %+v", c.name, got.Backlog)
		}
	}
	if got := (probe.Observation{}).Destination(ports.TCP, netip.Addr{}, 80, probe.Own{}); got.Listener != probe.ListenerUnseen {
		t.Errorf("a host that cannot look: %+v", got)
	}
}
