package wire

import (
	"encoding/json"
	"time"
)

// The routes of a proof. A server calls them on the links of the nodes at both ends of a flow: the far one opens the
// row, the near one dials it, the far one tells what it saw, and both let go. A node does only what its own copy of the
// plan has: a row, or a number that must be closed.
const (
	PathProveOpen  = "/link/v1/prove/open"  // POST ProveOpen → ProveOpened
	PathProveDial  = "/link/v1/prove/dial"  // POST ProveDial → ProveDialled
	PathProveSaw   = "/link/v1/prove/saw"   // POST ProveSaw → ProveSeen
	PathProveClose = "/link/v1/prove/close" // POST ProveClose → {}
	PathProveIdle  = "/link/v1/prove/idle"  // POST ProveIdle → ProveIdled
)

// Bounds of one request; a node refuses more.
const (
	MaxProveRows  = 512
	MaxProveTries = 512
	MaxProveFor   = 15 * time.Minute // that anything stays open for a session
)

// ProveRow is a number of a row of the plan.
type ProveRow struct {
	Service  string `json:"service"`
	Protocol string `json:"protocol"`
	Number   int    `json:"number"` // that the far end has
	Closed   bool   `json:"closed"` // others must not reach it: Number may also be the one next to the row
}

// ProveOpen asks the far end to listen, or to say who does.
type ProveOpen struct {
	Session  string        `json:"session"` // what is opened for it is closed together
	PlanHash string        `json:"plan_hash"`
	Code     string        `json:"code"`  // by which both ends know each other on what is opened
	For      time.Duration `json:"for"`   // after which all is closed, whatever happens
	Quiet    bool          `json:"quiet"` // what is opened keeps connections that say nothing
	Rows     []ProveRow    `json:"rows"`
}

// ProveOpened has an entry for each row, in their order.
type ProveOpened struct {
	Rows []ProveHeld `json:"rows"`
}

// ProveHeld is who listens on a row at the far end.
type ProveHeld struct {
	Who    string `json:"who"`              // ProbeListens …
	Detail string `json:"detail,omitempty"` // one sentence: the owner, or why nothing can be opened
}

// Who listens.
const (
	ProbeListens   = "probe"   // a temporary listener, for this session
	NodeListens    = "node"    // this node itself, with TLS: it answers who proves to be of the domain
	PlainListens   = "plain"   // this node itself, without TLS
	ForeignListens = "foreign" // somebody else
	NobodyListens  = "nobody"  // nothing can be opened: Detail says why
)

// ProveDial asks the near end to dial.
type ProveDial struct {
	Session  string        `json:"session"`
	PlanHash string        `json:"plan_hash"`
	Code     string        `json:"code"`
	Patience time.Duration `json:"patience"` // for silence; 0: the instruments' own
	Tries    []ProveTry    `json:"tries"`
}

// ProveTry is one dial.
type ProveTry struct {
	ProveRow
	Flow    string `json:"flow"`
	Address string `json:"address"` // HOST:PORT
	Who     string `json:"who"`     // as the far end said; empty: nobody was asked
	Node    string `json:"node"`    // the name of the node at the far end; empty: it is none
}

// ProveDialled has an entry for each try, in their order.
type ProveDialled struct {
	Views []ProveView `json:"views"`
}

// ProveView is what one end saw.
type ProveView struct {
	Refused string          `json:"refused,omitempty"` // why the node did not do it; empty: it did
	Nonce   string          `json:"nonce,omitempty"`   // of the near end's try
	View    json.RawMessage `json:"view,omitempty"`    // probe.SourceView or probe.DestinationView
}

// ProveSaw asks the far end what it saw of tries.
type ProveSaw struct {
	Session string     `json:"session"`
	Tries   []ProveAsk `json:"tries"`
}

// ProveAsk is one try, as the near end knows it.
type ProveAsk struct {
	ProveRow
	Nonce string `json:"nonce,omitempty"`
	Local string `json:"local,omitempty"` // the near end's address and port
	Seen  string `json:"seen,omitempty"`  // the same, as an answer says that the far end saw it
	Known string `json:"known,omitempty"` // an address under which the far end saw the near one in another try
}

// ProveSeen has an entry for each try, in their order.
type ProveSeen struct {
	Views []ProveView `json:"views"`
}

// ProveClose lets go of all that a session opened.
type ProveClose struct {
	Session string `json:"session"`
}

// ProveIdle asks the near end how long a silent connection survives: it opens one for each silence at the same time.
type ProveIdle struct {
	Session  string          `json:"session"`
	PlanHash string          `json:"plan_hash"`
	Code     string          `json:"code"`
	Try      ProveTry        `json:"try"`
	Silences []time.Duration `json:"silences"`
}

// ProveIdled has an entry for each silence, in their order.
type ProveIdled struct {
	Refused string       `json:"refused,omitempty"`
	Ends    []ProveQuiet `json:"ends"`
}

// ProveQuiet is what became of one silent connection.
type ProveQuiet struct {
	Opened bool   `json:"opened"` // there was a connection at all
	Alive  bool   `json:"alive"`  // it carried words both ways after the silence
	Text   string `json:"text,omitempty"`
}
