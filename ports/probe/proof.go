package probe

import (
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// Proof is the result of one verification of a flow: whether it works (or is closed, where it must be), why, and what
// that rests on. It is made by Classify and by nothing else.
type Proof struct {
	Flow     string         `json:"flow"` // ports.ResolvedFlow.ID
	From     string         `json:"from"` // the host that dialled
	To       string         `json:"to"`   // the host that is meant
	Protocol ports.Protocol `json:"protocol"`
	Address  string         `json:"address"` // HOST:PORT, as it was dialled
	Expect   Expect         `json:"expect"`

	Verdict  Verdict  `json:"verdict"`
	Reason   Reason   `json:"reason"`
	Possible []Reason `json:"possible"` // what it can be, where the reason is Unknowable; else empty
	Basis    Basis    `json:"basis"`
	Text     string   `json:"text"`   // one sentence for a person: what was found
	Remedy   string   `json:"remedy"` // what to do; empty: nothing

	Evidence    Evidence  `json:"evidence"`
	Assumptions []string  `json:"assumptions"` // what must hold for the verdict to be true and was not seen
	PlanHash    string    `json:"plan_hash"`
	At          time.Time `json:"at"`
}

// Good reports whether the flow is as the plan wants it, seen from both ends or under the assumptions that stand beside.
func (p Proof) Good() bool { return p.Verdict == Proven || p.Verdict == Assumed }

// Expect is what the plan wants of a path.
type Expect string

// What can be expected. The empty one is Open.
const (
	Open   Expect = "open"
	Closed Expect = "closed" // no flow of the plan goes there, or only on the host itself
)

// Verdict is whether a path is as the plan wants it.
type Verdict string

// The verdicts, a closed list. Only the first two are green.
const (
	Proven   Verdict = "proven"   // it is as expected: both ends saw it, or the evidence allows nothing else
	Assumed  Verdict = "assumed"  // it is as expected as far as one end can tell; Assumptions say what was not seen
	Blocked  Verdict = "blocked"  // it does not work: the path is closed, or the dialling host's own rules are
	Broken   Verdict = "failed"   // it does not work: the path is open and its end is not as it should be, or the reason is not known
	Exposed  Verdict = "exposed"  // it works, and must be closed
	Unproven Verdict = "unproven" // whether it is as expected is not known; never green
)

// Verdicts returns the closed list.
func Verdicts() []Verdict { return []Verdict{Proven, Assumed, Blocked, Broken, Exposed, Unproven} }

// Basis is who saw what the verdict rests on.
type Basis string

// The bases of a verdict.
const (
	BothEnds Basis = "both ends"
	OneEnd   Basis = "one end" // the dialling one
)

// Evidence is what was seen. What is absent was not seen.
type Evidence struct {
	Errno       *string          `json:"errno"` // of the dial: "ECONNREFUSED"; null: none
	MS          float64          `json:"ms"`    // until the answer, or until the patience ended
	ICMP        *ICMP            `json:"icmp"`
	Hop         *Hop             `json:"hop"`         // the last one that let packets through; number 0: not even the first was seen to
	Local       string           `json:"local"`       // the dialler's own end; empty: it had none
	Seen        string           `json:"seen"`        // the dialler's end as the listener saw it; empty: not known
	Answer      Answer           `json:"answer"`      // who answered; empty: nobody was asked
	Source      SourceView       `json:"source"`      // all that the dialling end saw: with it the proof can be made again
	Destination *DestinationView `json:"destination"` // null: the far end said nothing
}

// ICMP is an error message that came back.
type ICMP struct {
	Type    int        `json:"type"`
	Code    int        `json:"code"`
	Address netip.Addr `json:"address"` // who sent it
}

// Hop is a router on the way, counted from the dialling host: the first one is 1.
type Hop struct {
	Number  int    `json:"number"`
	Address string `json:"address"` // empty: it did not say
}
