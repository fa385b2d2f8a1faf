package probe

// Reason is why a verdict is what it is: a closed list.
type Reason string

// The reasons.
const (
	OK                 Reason = "ok"
	Translated         Reason = "translated" // NAT: the two ends know the connection under different addresses
	NoListener         Reason = "no_listener"
	BoundNotListening  Reason = "bound_not_listening"
	ForeignListener    Reason = "foreign_listener"
	WrongProtocol      Reason = "wrong_protocol"
	TLSIntercepted     Reason = "tls_intercepted"
	BacklogFull        Reason = "backlog_full"
	RejectedBy         Reason = "rejected_by"
	ResetOnPath        Reason = "reset_on_path"
	DroppedAfterHop    Reason = "dropped_after_hop"
	LocalEgressBlocked Reason = "local_egress_blocked"
	NoRoute            Reason = "no_route"
	HostAbsent         Reason = "host_absent"
	NameUnresolved     Reason = "name_unresolved"
	SelfConnect        Reason = "self_connect"
	UnexpectedlyOpen   Reason = "unexpectedly_open"
	NotReachable       Reason = "not_reachable" // closed, as it must be
	Unknowable         Reason = "unproven"      // what was seen allows several reasons: Proof.Possible
)

// ReasonMeaning explains a reason.
type ReasonMeaning struct {
	Reason Reason `json:"reason"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"` // what to do; empty: nothing
}

// Reasons explains the whole list.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{OK, "the connection, or the datagram and its answer, went from the one end to the other", ""},
		{
			Translated, "it works, and the path changes addresses or ports (NAT): the listener sees another source, or was reached under another number",
			"write the translated source into the rules at the listener's side, and the outer address and port under advertise",
		},
		{NoListener, "the host refused by itself: nobody listens on the port, or only on another address", "start the service there, and let it bind the address that is dialled"},
		{BoundNotListening, "a program has the port and does not listen on it", "end or repair that program: it has taken the port and does not accept"},
		{ForeignListener, "somebody answers who is not the one that the plan means", "end that program, or give one of the two another port"},
		{WrongProtocol, "one end speaks TLS and the other does not", "let both ends use the same alternate of the plan: TLS, or plain"},
		{TLSIntercepted, "TLS ends between the two hosts: a box on the way opens it", "except the address and port from TLS inspection on that box"},
		{BacklogFull, "the listener's queue of connections that nobody has accepted is full", "look why the service does not accept, and restart it; the path is open"},
		{RejectedBy, "a box on the way, or the host's own rules, refused and said so", "let the rule of the plan into the rules of the box with that address (`reeve ports render`)"},
		{ResetOnPath, "the connection was reset and never reached the host", "look for a firewall or an intrusion detection between the two that resets"},
		{
			DroppedAfterHop, "packets are dropped in silence, by the last hop that answered or behind it",
			"let the rule of the plan into the rules of that hop, the boxes behind it and the host itself (`reeve ports render`)",
		},
		{LocalEgressBlocked, "the dialling host's own rules do not let it out", "let the rule of the plan into the rules for outgoing connections of the dialling host"},
		{NoRoute, "the dialling host knows no way to the address, or its gateway does not answer", "add the route, or correct the address under advertise"},
		{HostAbsent, "nobody answers to the address in its own network: the host is off, or the address is another's", "start the host, or correct the address under advertise"},
		{NameUnresolved, "the name has no address", "correct the name, or write an IP address under advertise"},
		{
			SelfConnect, "the connection came back to itself: nobody listens, and the port lies in the range of outgoing connections",
			"keep the port out of that range (`reeve ports check` prints the line), and start the service",
		},
		{UnexpectedlyOpen, "it can be reached, and the plan wants it closed", "take the rule away that lets it through, or bind it to loopback"},
		{NotReachable, "it cannot be reached, as the plan wants it", ""},
		{Unknowable, "what was seen allows several reasons", "ask both ends: `reeve ports probe listen` there and `reeve ports probe dial` here"},
	}
}

// meaning returns the entry of a reason.
func (r Reason) meaning() ReasonMeaning {
	for _, m := range Reasons() {
		if m.Reason == r {
			return m
		}
	}
	return ReasonMeaning{Reason: r}
}
