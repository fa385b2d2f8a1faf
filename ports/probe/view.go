package probe

import (
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// Subject is what a proof is about.
type Subject struct {
	Flow     string // ports.ResolvedFlow.ID
	From, To string // hosts
	Expect   Expect
	PlanHash string
	At       time.Time
}

// SourceView is what the dialling end of a flow saw.
type SourceView struct {
	System   string           `json:"system"` // as runtime.GOOS names it: what an error means differs
	Protocol ports.Protocol   `json:"protocol"`
	Address  string           `json:"address"`         // HOST:PORT, as it was dialled
	Remote   netip.AddrPort   `json:"remote,omitzero"` // what was dialled in the end; zero: the name had no address
	Also     []netip.AddrPort `json:"also,omitempty"`  // the name has these addresses too, which were not dialled
	Local    netip.AddrPort   `json:"local,omitzero"`
	Outcome  Dialled          `json:"outcome"`
	Errno    string           `json:"errno,omitempty"` // "ECONNREFUSED"; empty: none
	Text     string           `json:"text,omitempty"`  // what the system said
	Took     time.Duration    `json:"took_ns"`         // until the answer, or until the patience ended

	Again   time.Duration  `json:"again_ns,omitempty"` // the same of the last dial that was made to be sure of a delay; 0: none was
	Queue   bool           `json:"queue"`              // ICMP errors could be seen: without one there was none
	ICMP    *ICMP          `json:"icmp,omitempty"`     // the error that ended the dial
	Own     []netip.Addr   `json:"own,omitempty"`      // addresses of the dialling host
	Gateway netip.Addr     `json:"gateway,omitzero"`   // by which the route leaves; zero: the target is in the same network, or not known
	Trace   []TraceStep    `json:"trace,omitempty"`    // the same dial with 1, 2 … hops to live; empty: not tried
	Egress  Egress         `json:"egress,omitempty"`   // whether the packets left this host
	Answer  Answer         `json:"answer,omitempty"`   // who answered, of a dial that had the Outcome Connected
	Seen    netip.AddrPort `json:"seen,omitzero"`      // Local, as the answer says that the listener saw it
	Reached netip.AddrPort `json:"reached,omitzero"`   // Remote, as the answer says that the listener has it
}

// Dialled is what became of a dial.
type Dialled string

// The outcomes of a dial. A datagram that was answered has the outcome Connected.
const (
	Connected       Dialled = "connected"
	Refused         Dialled = "refused"
	HostUnreachable Dialled = "host_unreachable"
	NetUnreachable  Dialled = "net_unreachable"
	Silence         Dialled = "silence" // nothing came back within the time
	NotPermitted    Dialled = "not_permitted"
	Unresolved      Dialled = "unresolved"
	Itself          Dialled = "itself" // a connection whose two ends are one
	OtherError      Dialled = "other"
)

// Answer is who answered over an open connection, or to a datagram.
type Answer string

// The answers.
const (
	Unasked     Answer = ""            // nothing was asked: a third party's service, say
	Proved      Answer = "proved"      // one who proved to be the end that is meant: by the code, or a node's certificate
	Claimed     Answer = "claimed"     // a probe or a node that could not be held to it
	Stranger    Answer = "stranger"    // a probe or a node that failed the proof
	SpeaksOther Answer = "other"       // one who speaks something else
	SpeaksTLS   Answer = "tls"         // one who speaks TLS, where plain was spoken
	SpeaksPlain Answer = "plain"       // one who does not speak TLS, where it was
	Intercepted Answer = "intercepted" // the end that is meant, over a TLS session that is not the one it made
	Hangup      Answer = "closed"      // nobody: the connection was closed or reset
	Mute        Answer = "silent"      // nobody within the time
)

// Egress is whether packets left the dialling host.
type Egress string

// What can be known of it.
const (
	EgressUnknown Egress = ""
	EgressLeft    Egress = "left"    // a router answered one of them, or the system says so
	EgressBlocked Egress = "blocked" // the system could not send them
)

// TraceStep is one dial of a trace.
type TraceStep struct {
	TTL     int        `json:"ttl"`
	Outcome Dialled    `json:"outcome"`
	Router  netip.Addr `json:"router,omitzero"` // who said that the hops were used up; zero: nobody
}

// DestinationView is what the listening end of a flow saw, about one attempt or about a time in which it watched.
type DestinationView struct {
	At       time.Time      `json:"at"`
	Listener ListenerState  `json:"listener"`
	Ours     bool           `json:"ours"`           // the listener is the one that the plan means: a probe, or Reeve
	Owner    *Holder        `json:"owner"`          // null: there is none, or it cannot be seen
	Bound    netip.AddrPort `json:"bound,omitzero"` // where it listens
	Backlog  *Backlog       `json:"backlog"`        // of a TCP listener; null: not known
	Arrived  Sight          `json:"arrived"`        // the SYN or the datagram, on the wire, before the host's own rules
	Accepted Sight          `json:"accepted"`       // the connection or the datagram, by the listener
	Nonce    bool           `json:"nonce"`          // it was this very attempt: its nonce came
	Peer     netip.AddrPort `json:"peer,omitzero"`  // the dialler's end as it was seen here; zero: it was not
	TLS      string         `json:"tls,omitempty"`  // what became of the handshake: "done", or the error; empty: there was none
}

// ListenerState is whether somebody listens.
type ListenerState string

// The states of a port at the listening end.
const (
	Listening      ListenerState = "listening" // for UDP: a socket that takes datagrams
	ListensBeside  ListenerState = "beside"    // on the port, and on none of the addresses that were dialled: loopback, say
	OnlyBound      ListenerState = "bound"     // a program has the port and does not listen
	Nobody         ListenerState = "none"
	ListenerUnseen ListenerState = "unseen" // it cannot be seen
)

// Sight is whether something was seen.
type Sight string

// What can be seen of it. The empty one is NotWatched.
const (
	Saw        Sight = "seen"
	SawNothing Sight = "not seen"
	NotWatched Sight = "not watched"
)

// Backlog is a listener's queue of connections that nobody has accepted yet.
type Backlog struct {
	Waiting int `json:"waiting"`
	Limit   int `json:"limit"` // one more than this may wait
}

// Full reports whether the system drops the next connection.
func (b *Backlog) Full() bool { return b != nil && b.Waiting > b.Limit }
