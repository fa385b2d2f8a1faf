package probe_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

var (
	here   = netip.MustParseAddrPort("10.2.0.1:40000")
	there  = netip.MustParseAddrPort("10.1.0.1:17971")
	router = netip.MustParseAddr("10.1.0.254")
)

// dialled is a view of the dialling end; what f changes is what the case is about.
func dialled(o probe.Dialled, f func(*probe.SourceView)) probe.SourceView {
	v := probe.SourceView{System: "linux", Protocol: ports.TCP, Address: there.String(), Remote: there, Local: here, Outcome: o, Queue: true, Own: []netip.Addr{here.Addr()}}
	if f != nil {
		f(&v)
	}
	return v
}

func icmp(kind, code int, from netip.Addr, took time.Duration) func(*probe.SourceView) {
	return func(v *probe.SourceView) {
		v.ICMP, v.Took = &probe.ICMP{Type: kind, Code: code, Address: from}, took
	}
}

// Each view, alone and with the other end's. A laboratory proves that real paths look so; here is what it cannot build.
// Windows dials a closed port several times, and may then call it silent. (trap F77)
func TestClassify(t *testing.T) {
	t.Parallel()
	owner := &probe.Holder{}
	listens := &probe.DestinationView{Listener: probe.Listening, Ours: true, Arrived: probe.NotWatched, Accepted: probe.SawNothing}
	for _, c := range []struct {
		name     string
		near     probe.SourceView
		far      *probe.DestinationView
		expect   probe.Expect
		verdict  probe.Verdict
		reason   probe.Reason
		possible []probe.Reason
	}{
		{"proved", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer, v.Seen, v.Reached = probe.Proved, here, there }), nil, "", probe.Proven, probe.OK, nil},
		{"asked nothing", dialled(probe.Connected, nil), nil, "", probe.Assumed, probe.OK, nil},
		{"asked nothing, and the listener saw it", dialled(probe.Connected, nil), &probe.DestinationView{Listener: probe.Listening, Ours: true, Accepted: probe.Saw, Peer: here}, "", probe.Proven, probe.OK, nil},
		{"asked nothing, and the host saw nothing", dialled(probe.Connected, nil), &probe.DestinationView{Listener: probe.Nobody, Arrived: probe.SawNothing, Accepted: probe.SawNothing}, "", probe.Broken, probe.ForeignListener, nil},
		{"asked nothing, and a stranger listens", dialled(probe.Connected, nil), &probe.DestinationView{Listener: probe.Listening, Owner: owner}, "", probe.Broken, probe.ForeignListener, nil},
		{"TLS opened on the way", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.Intercepted }), nil, "", probe.Broken, probe.TLSIntercepted, nil},
		{"who fails the proof", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.Stranger }), nil, "", probe.Broken, probe.ForeignListener, nil},
		{"Reeve itself instead of a probe", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.SpeaksOther }), &probe.DestinationView{Listener: probe.Listening, Ours: true}, "", probe.Assumed, probe.OK, nil},
		{"hangs up", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.Hangup }), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.ForeignListener, probe.WrongProtocol, probe.ResetOnPath}},
		{"hangs up, and the listener has not", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.Hangup }), listens, "", probe.Blocked, probe.ResetOnPath, nil},
		{"connected by the system, and never accepted", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.Mute }), &probe.DestinationView{Listener: probe.Listening, Ours: true, Backlog: &probe.Backlog{Waiting: 9, Limit: 8}}, "", probe.Broken, probe.BacklogFull, nil},

		{"refused", dialled(probe.Refused, nil), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.NoListener, probe.BoundNotListening, probe.RejectedBy, probe.ResetOnPath, probe.LocalEgressBlocked}},
		{"refused by a loopback address", dialled(probe.Refused, func(v *probe.SourceView) { v.Remote = netip.MustParseAddrPort("127.0.0.1:17971") }), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.NoListener, probe.BoundNotListening, probe.RejectedBy, probe.ResetOnPath}},
		{"refused where nobody listens, unwatched", dialled(probe.Refused, nil), &probe.DestinationView{Listener: probe.Nobody}, "", probe.Broken, probe.NoListener, nil},
		{"refused where somebody listens, unwatched", dialled(probe.Refused, func(v *probe.SourceView) { v.Egress = probe.EgressLeft }), listens, "", probe.Blocked, probe.Unknowable, []probe.Reason{probe.ResetOnPath, probe.RejectedBy}},
		{"refused by a full queue (tcp_abort_on_overflow)", dialled(probe.Refused, nil), &probe.DestinationView{Listener: probe.Listening, Ours: true, Arrived: probe.Saw, Backlog: &probe.Backlog{Waiting: 9, Limit: 8}}, "", probe.Broken, probe.BacklogFull, nil},
		{"refused by a host that cannot look", dialled(probe.Refused, nil), &probe.DestinationView{Listener: probe.ListenerUnseen}, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.NoListener, probe.BoundNotListening, probe.RejectedBy, probe.ResetOnPath, probe.LocalEgressBlocked}},

		{"unreachable at once", dialled(probe.HostUnreachable, icmp(3, 1, router, time.Millisecond)), nil, "", probe.Blocked, probe.RejectedBy, nil},
		{"unreachable at once, the second time", dialled(probe.HostUnreachable, func(v *probe.SourceView) {
			icmp(3, 1, router, 1010*time.Millisecond)(v)
			v.Again = time.Millisecond
		}), nil, "", probe.Blocked, probe.RejectedBy, nil},
		{"unreachable after three seconds", dialled(probe.HostUnreachable, icmp(3, 1, router, 3060*time.Millisecond)), nil, "", probe.Broken, probe.HostAbsent, nil},
		{"unreachable after a while", dialled(probe.HostUnreachable, icmp(3, 1, router, 1200*time.Millisecond)), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.HostAbsent, probe.RejectedBy, probe.NoRoute}},
		{"unreachable over IPv6", dialled(probe.HostUnreachable, icmp(1, 3, netip.MustParseAddr("fd00::1"), 3060*time.Millisecond)), nil, "", probe.Broken, probe.HostAbsent, nil},
		{"prohibited over IPv6", dialled(probe.HostUnreachable, icmp(1, 1, netip.MustParseAddr("fd00::1"), time.Millisecond)), nil, "", probe.Blocked, probe.RejectedBy, nil},
		{"prohibited over IPv6, which the system calls a missing right", dialled(probe.NotPermitted, icmp(1, 1, netip.MustParseAddr("fd00::1"), 0)), nil, "", probe.Blocked, probe.RejectedBy, nil},
		{"prohibited by this host's own rules over IPv6", dialled(probe.NotPermitted, icmp(1, 1, here.Addr(), 0)), nil, "", probe.Blocked, probe.LocalEgressBlocked, nil},
		{"an ICMP error with an errno of its own", dialled(probe.OtherError, icmp(3, 2, router, 0)), nil, "", probe.Blocked, probe.RejectedBy, nil},
		{"round in circles", dialled(probe.HostUnreachable, icmp(11, 0, router, 0)), nil, "", probe.Broken, probe.NoRoute, nil},
		{"unreachable, and the system does not say who says so", dialled(probe.HostUnreachable, func(v *probe.SourceView) { v.System, v.Queue = "darwin", false }), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.NoRoute, probe.HostAbsent, probe.RejectedBy, probe.LocalEgressBlocked}},

		{"silence", dialled(probe.Silence, waited), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.DroppedAfterHop, probe.BacklogFull, probe.LocalEgressBlocked}},
		{"silence on Windows, which dials a closed port again", dialled(probe.Silence, func(v *probe.SourceView) { v.System, v.Took = "windows", 3500*time.Millisecond }), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.DroppedAfterHop, probe.BacklogFull, probe.NoListener, probe.LocalEgressBlocked}},
		{"silence behind a hop", dialled(probe.Silence, func(v *probe.SourceView) {
			v.Egress, v.Trace = probe.EgressLeft, []probe.TraceStep{{TTL: 1, Router: router}}
		}), listens, "", probe.Blocked, probe.DroppedAfterHop, nil},
		{"silence, and nothing is known of this host's rules", dialled(probe.Silence, waited), listens, "", probe.Blocked, probe.Unknowable, []probe.Reason{probe.DroppedAfterHop, probe.LocalEgressBlocked}},
		{"silence, and too little patience to miss a host", dialled(probe.Silence, func(v *probe.SourceView) { v.Took = time.Second }), nil, "", probe.Broken, probe.Unknowable, []probe.Reason{probe.DroppedAfterHop, probe.BacklogFull, probe.HostAbsent, probe.LocalEgressBlocked}},
		{"silence of a datagram", dialled(probe.Silence, udp), nil, "", probe.Unproven, probe.Unknowable, []probe.Reason{probe.OK, probe.DroppedAfterHop, probe.LocalEgressBlocked}},

		{"closed, and reached", dialled(probe.Connected, nil), nil, probe.Closed, probe.Exposed, probe.UnexpectedlyOpen, nil},
		{"closed, and connected without a word", dialled(probe.Connected, func(v *probe.SourceView) { v.Answer = probe.Mute }), nil, probe.Closed, probe.Exposed, probe.UnexpectedlyOpen, nil},
		{"closed by a box", dialled(probe.HostUnreachable, icmp(3, 13, router, time.Millisecond)), nil, probe.Closed, probe.Proven, probe.NotReachable, nil},
		{"closed to all but loopback", dialled(probe.Refused, nil), &probe.DestinationView{Listener: probe.ListensBeside, Arrived: probe.Saw}, probe.Closed, probe.Proven, probe.NotReachable, nil},
		{"closed because nobody listens", dialled(probe.Refused, nil), &probe.DestinationView{Listener: probe.Nobody, Arrived: probe.Saw}, probe.Closed, probe.Unproven, probe.NoListener, nil},
		{"closed, or switched off", dialled(probe.HostUnreachable, icmp(3, 1, router, 3060*time.Millisecond)), nil, probe.Closed, probe.Unproven, probe.HostAbsent, nil},
		{"closed, or silent", dialled(probe.Silence, waited), nil, probe.Closed, probe.Unproven, probe.Unknowable, []probe.Reason{probe.DroppedAfterHop, probe.BacklogFull, probe.LocalEgressBlocked}},
		{"closed, or a silent datagram", dialled(probe.Silence, udp), nil, probe.Closed, probe.Unproven, probe.Unknowable, []probe.Reason{probe.OK, probe.DroppedAfterHop, probe.LocalEgressBlocked}},
	} {
		got := probe.Classify(probe.Subject{Flow: "secure.1/tcp", From: "north", To: "hq", Expect: c.expect}, c.near, c.far)
		if got.Verdict != c.verdict || got.Reason != c.reason || !slices.Equal(got.Possible, c.possible) {
			t.Errorf("%s: %s, %s %v (%s); want %s, %s %v", c.name, got.Verdict, got.Reason, got.Possible, got.Text, c.verdict, c.reason, c.possible)
		}
	}
}

func waited(v *probe.SourceView) { v.Took = 3500 * time.Millisecond }

func udp(v *probe.SourceView) { v.Protocol = ports.UDP }

// Over every combination of what the two ends can see: a verdict and a reason of the lists, a sentence, what to do where it
// is not as it should be, and never a green one that is not proven by both ends, or assumed with the assumption beside it.
// (promise P8; traps F76, F82)
func TestEveryVerdictHasItsGrounds(t *testing.T) {
	t.Parallel()
	reasons := map[probe.Reason]bool{}
	for _, m := range probe.Reasons() {
		if m.Text == "" || reasons[m.Reason] {
			t.Errorf("the reason %q is explained badly", m.Reason)
		}
		reasons[m.Reason] = true
	}
	met, n := map[probe.Reason]bool{}, 0
	for near := range sources() {
		for far := range destinations() {
			for _, expect := range []probe.Expect{probe.Open, probe.Closed} {
				p := probe.Classify(probe.Subject{Flow: "secure.1/tcp", Expect: expect}, near, far)
				n++
				met[p.Reason] = true
				complain := func(why string) { t.Errorf("%s: %+v\nof %+v\nand %+v", why, p, near, far) }
				switch {
				case !slices.Contains(probe.Verdicts(), p.Verdict) || !reasons[p.Reason] || p.Text == "":
					complain("no verdict, reason or text of the lists")
				case (p.Reason == probe.Unknowable) != (len(p.Possible) > 0) && near.Outcome != probe.OtherError:
					complain("what is not known has its possible reasons, and nothing else has")
				case !p.Good() && p.Remedy == "":
					complain("nothing is said of what to do")
				case p.Verdict == probe.Assumed && len(p.Assumptions) == 0:
					complain("assumed, and it is not said what")
				case expect == probe.Open && p.Good() && near.Outcome != probe.Connected:
					complain("green without an answer")
				case expect == probe.Open && p.Verdict == probe.Proven && p.Basis != probe.BothEnds:
					complain("proven by one end")
				case near.Protocol == ports.UDP && near.Outcome == probe.Silence && p.Good() && far == nil && near.Egress != probe.EgressBlocked:
					complain("a silent datagram is green")
				case expect == probe.Closed && p.Good() && near.Outcome == probe.Connected:
					complain("closed, and it was reached")
				}
				if t.Failed() {
					return
				}
			}
		}
	}
	for r := range reasons {
		if !met[r] {
			t.Errorf("nothing leads to the reason %q", r)
		}
	}
	t.Logf("%d proofs", n)
}

// sources are the views that a dialling end can have.
func sources() func(func(probe.SourceView) bool) {
	return func(yield func(probe.SourceView) bool) {
		answers := []probe.Answer{probe.Unasked, probe.Proved, probe.Claimed, probe.Stranger, probe.SpeaksOther, probe.SpeaksTLS, probe.SpeaksPlain, probe.Intercepted, probe.Hangup, probe.Mute}
		messages := []*probe.ICMP{nil, {Type: 3, Code: 1, Address: router}, {Type: 3, Code: 1, Address: here.Addr()}, {Type: 3, Code: 3, Address: there.Addr()}, {Type: 3, Code: 13, Address: router}}
		for _, outcome := range []probe.Dialled{probe.Connected, probe.Refused, probe.HostUnreachable, probe.NetUnreachable, probe.Silence, probe.NotPermitted, probe.Unresolved, probe.Itself, probe.OtherError} {
			for _, protocol := range []ports.Protocol{ports.TCP, ports.UDP} {
				for _, egress := range []probe.Egress{probe.EgressUnknown, probe.EgressLeft, probe.EgressBlocked} {
					for _, took := range []time.Duration{0, 1200 * time.Millisecond, 3100 * time.Millisecond} {
						for _, i := range messages {
							for _, a := range answers {
								unreachable := outcome == probe.HostUnreachable || outcome == probe.NetUnreachable
								if outcome != probe.Connected && a != probe.Unasked || !unreachable && (took > 0 || i != nil && outcome != probe.Refused) ||
									egress != probe.EgressUnknown && outcome != probe.Refused && outcome != probe.Silence {
									continue // it does not go together, or makes no difference
								}
								v := dialled(outcome, nil)
								v.Protocol, v.Egress, v.Took, v.ICMP, v.Answer = protocol, egress, took, i, a
								if !yield(v) {
									return
								}
							}
						}
					}
				}
			}
		}
	}
}

// destinations are the views that a listening end can have, and none.
func destinations() func(func(*probe.DestinationView) bool) {
	return func(yield func(*probe.DestinationView) bool) {
		if !yield(nil) {
			return
		}
		sights := []probe.Sight{probe.Saw, probe.SawNothing, probe.NotWatched}
		for _, state := range []probe.ListenerState{probe.Listening, probe.ListensBeside, probe.OnlyBound, probe.Nobody, probe.ListenerUnseen} {
			for _, ours := range []bool{true, false} {
				for _, backlog := range []*probe.Backlog{nil, {Waiting: 0, Limit: 8}, {Waiting: 9, Limit: 8}} {
					for _, arrived := range sights {
						for _, accepted := range sights {
							for _, peer := range []netip.AddrPort{{}, here, netip.MustParseAddrPort("10.1.0.254:40001")} {
								if !yield(&probe.DestinationView{Listener: state, Ours: ours, Backlog: backlog, Arrived: arrived, Accepted: accepted, Peer: peer}) {
									return
								}
							}
						}
					}
				}
			}
		}
	}
}
