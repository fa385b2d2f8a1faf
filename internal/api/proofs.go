package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// Proofs proves the plan's openings between the hosts of the domain, and shows what was found.
type Proofs interface {
	// Verify begins a verification; Busy while another one runs.
	Verify(ctx context.Context, order VerifyOrder) (Verification, error)
	// Verification shows one by its id, and the last one where id is "last". NotFound where it is forgotten.
	Verification(ctx context.Context, id string) (Verification, error)
	// CancelVerification ends one that runs; what it has proved until then is kept.
	CancelVerification(ctx context.Context, id string) error
	// ListProofs returns the newest proof of each path, or the proofs of one verification.
	ListProofs(ctx context.Context, q ProofQuery) ([]Proof, error)
	// ProofMap returns the hosts of the site and every path between them that the plan has, with what was found last.
	ProofMap(ctx context.Context) (ProofMap, error)
	// ProofHistory returns what was found about paths over time, newest first.
	ProofHistory(ctx context.Context, q ProofQuery) ([]Proof, error)
	ListSilences(ctx context.Context) ([]Silence, error)
	// UnusedOpenings returns the flows of the plan that nothing has used for long, those unused for longest first.
	UnusedOpenings(ctx context.Context) ([]UnusedOpening, error)
}

// VerifyOrder says what is to be proved.
type VerifyOrder struct {
	From     string  `json:"from,omitempty" maxLength:"253" doc:"host, or role of the plan, that dials; empty: all"`
	To       string  `json:"to,omitempty" maxLength:"253" doc:"host, or role, that is dialled; empty: all"`
	Flow     string  `json:"flow,omitempty" maxLength:"200" doc:"a flow's id, or a row's; empty: all"`
	All      bool    `json:"all,omitempty" doc:"more numbers of each range, and every address of each host"`
	Negative bool    `json:"negative,omitempty" doc:"what must be closed, in place of what must be open"`
	Idle     bool    `json:"idle,omitempty" doc:"how long a silent connection survives, in place of both"`
	For      float64 `json:"for,omitempty" minimum:"0" maximum:"720" doc:"of idle: the longest silence, in seconds; 0: 60"`
}

// Verification is one order to prove openings.
type Verification struct {
	ID       string         `json:"id"`
	State    string         `json:"state" enum:"running,ended,cancelled,failed"`
	Error    *string        `json:"error"` // of one that failed
	Done     int            `json:"done"`
	Total    int            `json:"total"` // 0: not counted yet
	Started  time.Time      `json:"started"`
	Ended    *time.Time     `json:"ended"`
	By       string         `json:"by"`
	PlanHash string         `json:"plan_hash"`
	Order    VerifyOrder    `json:"order"`
	Counts   map[string]int `json:"counts"`  // proofs by verdict
	Bad      int            `json:"bad"`     // of them blocked, failed or exposed
	Unknown  int            `json:"unknown"` // of them unproven although nodes of Reeve are at both ends
	Silences []Silence      `json:"silences"`
}

// ProofQuery selects proofs. What is empty selects all.
type ProofQuery struct {
	Verification string // its id: the proofs that it made, in the order of the plan
	Flow         string // a flow's id, or a row's
	From, To     string // hosts
	Expect       string // open or closed
	Offset       int
	Limit        int // 0: 1000
}

// Proof is the result of one verification of a path.
type Proof struct {
	Flow        string          `json:"flow"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Protocol    string          `json:"protocol"`
	Address     string          `json:"address"` // HOST:PORT, as it was dialled; empty: nothing was
	Expect      string          `json:"expect" enum:"open,closed"`
	Verdict     string          `json:"verdict" enum:"proven,assumed,blocked,failed,exposed,unproven"`
	Reason      string          `json:"reason"`
	Possible    []string        `json:"possible"` // reasons, where several explain what was seen
	Basis       string          `json:"basis"`
	Text        string          `json:"text"`
	Remedy      string          `json:"remedy"`
	Assumptions []string        `json:"assumptions"`
	Evidence    json.RawMessage `json:"evidence"` // what both ends saw
	PlanHash    string          `json:"plan_hash"`
	At          time.Time       `json:"at"`
	Since       time.Time       `json:"since"` // when it was first found so
	Times       int             `json:"times"` // how often, in a row
}

// ProofMap is who connects to whom, and whether it works.
type ProofMap struct {
	PlanHash string       `json:"plan_hash"`
	Hosts    []ProofHost  `json:"hosts"`
	Paths    []PlannedWay `json:"paths"`
}

// ProofHost is a host of the site, or a third party that its flows go to.
type ProofHost struct {
	Name  string   `json:"name"`
	Zone  string   `json:"zone"` // empty: the inventory says none
	Roles []string `json:"roles"`
	Node  string   `json:"node" enum:",linked,not linked"` // empty: no node of Reeve runs there
}

// PlannedWay is a path of the plan between two hosts.
type PlannedWay struct {
	Flow     string     `json:"flow"`
	Service  string     `json:"service"`
	Protocol string     `json:"protocol"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Address  string     `json:"address"`
	Purpose  string     `json:"purpose"`
	Verdict  string     `json:"verdict" enum:",proven,assumed,blocked,failed,exposed,unproven"` // empty: it was never tried
	Reason   string     `json:"reason"`
	Text     string     `json:"text"` // what was found, or why nobody can try it
	Remedy   string     `json:"remedy"`
	At       *time.Time `json:"at"`    // when it was found last
	Since    *time.Time `json:"since"` // when it was first found so
}

// Silence is how long a silent connection survives between two hosts, in seconds.
type Silence struct {
	From      string    `json:"from"`
	To        string    `json:"to"`
	Flow      string    `json:"flow"`
	Address   string    `json:"address"`
	Survived  float64   `json:"survived"`   // the longest that it survived; 0: none
	Died      float64   `json:"died"`       // the shortest that it did not; 0: all were survived
	KeepAlive float64   `json:"keep_alive"` // a sign of life so often keeps it; 0: any will do
	Text      string    `json:"text"`
	Unproven  string    `json:"unproven"` // why nothing was measured; empty: it was
	At        time.Time `json:"at"`
}

// UnusedOpening is a flow of the plan that nothing has used.
type UnusedOpening struct {
	Flow     string     `json:"flow"`
	Service  string     `json:"service"`
	Protocol string     `json:"protocol"`
	Ports    string     `json:"ports"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Purpose  string     `json:"purpose"`
	Last     *time.Time `json:"last"`    // when it was used last; null: never since it is counted
	Counted  *time.Time `json:"counted"` // since when it is; null: nobody counts it
	Text     string     `json:"text"`
}

func (h *Handler) proofRoutes() []entry {
	view := func(path, id, summary string) Route {
		return get(path, id, summary).needs(access.View, Whole).behind("config")
	}
	order := post("/plan/verify", "verify-openings", "Begin to prove the plan's openings between the hosts of the domain, from both ends.").needs(access.ManagePorts, Whole).behind("config")
	return []entry{
		handle(order, h.verify),
		handle(view("/plan/verify/{id}", "show-verification", "Show a verification by its id; last is the last one."), h.verification),
		handle(post("/plan/verify/{id}/cancel", "cancel-verification", "End a verification that runs.").needs(access.ManagePorts, Whole).behind("config"), h.cancelVerification),
		handle(view("/plan/proofs", "list-proofs", "The newest proof of each path of the plan, or the proofs of one verification."), h.listProofs),
		handle(view("/plan/proofs/map", "proof-map", "The hosts of the site and every path between them that the plan has, with what was found last."), h.proofMap),
		handle(view("/plan/proofs/history", "proof-history", "What was found about paths over time, newest first."), h.proofHistory),
		handle(view("/plan/silences", "list-silences", "How long a silent connection survives between every two hosts."), h.listSilences),
		handle(view("/plan/unused", "unused-openings", "The flows of the plan that nothing has used for long."), h.unusedOpenings),
	}
}

func (h *Handler) verify(ctx context.Context, in *struct{ Body VerifyOrder }) (*body[Verification], error) {
	return answer(h.svc.Verify(ctx, in.Body))
}

func (h *Handler) verification(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"63"`
},
) (*body[Verification], error) {
	return answer(h.svc.Verification(ctx, in.ID))
}

func (h *Handler) cancelVerification(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"63"`
},
) (*nothing, error) {
	return &nothing{}, h.svc.CancelVerification(ctx, in.ID)
}

func (h *Handler) listProofs(ctx context.Context, in *struct {
	Verification string `query:"verification" maxLength:"63" doc:"id of the one that made them; empty: the newest of each path"`
	Flow         string `query:"flow" maxLength:"200" doc:"a flow's id, or a row's"`
	From         string `query:"from" maxLength:"253"`
	To           string `query:"to" maxLength:"253"`
	Expect       string `query:"expect" enum:"open,closed"`
	Offset       int    `query:"offset" minimum:"0" maximum:"10000000"`
	Limit        int    `query:"limit" minimum:"0" maximum:"10000" doc:"0: 1000"`
},
) (*body[[]Proof], error) {
	return answer(h.svc.ListProofs(ctx, ProofQuery{
		Verification: in.Verification, Flow: in.Flow, From: in.From, To: in.To, Expect: in.Expect, Offset: in.Offset, Limit: in.Limit,
	}))
}

func (h *Handler) proofHistory(ctx context.Context, in *struct {
	Flow   string `query:"flow" maxLength:"200" doc:"a flow's id, or a row's"`
	From   string `query:"from" maxLength:"253"`
	To     string `query:"to" maxLength:"253"`
	Expect string `query:"expect" enum:"open,closed"`
	Limit  int    `query:"limit" minimum:"0" maximum:"10000" doc:"0: 1000"`
},
) (*body[[]Proof], error) {
	return answer(h.svc.ProofHistory(ctx, ProofQuery{Flow: in.Flow, From: in.From, To: in.To, Expect: in.Expect, Limit: in.Limit}))
}

func (h *Handler) proofMap(ctx context.Context, _ *nothing) (*body[ProofMap], error) {
	return answer(h.svc.ProofMap(ctx))
}

func (h *Handler) listSilences(ctx context.Context, _ *nothing) (*body[[]Silence], error) {
	return answer(h.svc.ListSilences(ctx))
}

func (h *Handler) unusedOpenings(ctx context.Context, _ *nothing) (*body[[]UnusedOpening], error) {
	return answer(h.svc.UnusedOpenings(ctx))
}

// Verify implements Proofs.
func (c *Client) Verify(ctx context.Context, order VerifyOrder) (Verification, error) {
	return ask[Verification](ctx, c, at(http.MethodPost, "plan", "verify").sending(order))
}

// Verification implements Proofs.
func (c *Client) Verification(ctx context.Context, id string) (Verification, error) {
	return ask[Verification](ctx, c, at(http.MethodGet, "plan", "verify", id))
}

// CancelVerification implements Proofs.
func (c *Client) CancelVerification(ctx context.Context, id string) error {
	return c.tell(ctx, at(http.MethodPost, "plan", "verify", id, "cancel"))
}

// ListProofs implements Proofs.
func (c *Client) ListProofs(ctx context.Context, q ProofQuery) ([]Proof, error) {
	return ask[[]Proof](ctx, c, at(http.MethodGet, "plan", "proofs").with(q.values()))
}

// ProofMap implements Proofs.
func (c *Client) ProofMap(ctx context.Context) (ProofMap, error) {
	return ask[ProofMap](ctx, c, at(http.MethodGet, "plan", "proofs", "map"))
}

// ProofHistory implements Proofs.
func (c *Client) ProofHistory(ctx context.Context, q ProofQuery) ([]Proof, error) {
	q.Verification, q.Offset = "", 0
	return ask[[]Proof](ctx, c, at(http.MethodGet, "plan", "proofs", "history").with(q.values()))
}

func (q ProofQuery) values() url.Values {
	return url.Values{
		"verification": {q.Verification}, "flow": {q.Flow}, "from": {q.From}, "to": {q.To}, "expect": {q.Expect},
		"offset": {number(int64(q.Offset))}, "limit": {number(int64(q.Limit))},
	}
}

// ListSilences implements Proofs.
func (c *Client) ListSilences(ctx context.Context) ([]Silence, error) {
	return ask[[]Silence](ctx, c, at(http.MethodGet, "plan", "silences"))
}

// UnusedOpenings implements Proofs.
func (c *Client) UnusedOpenings(ctx context.Context) ([]UnusedOpening, error) {
	return ask[[]UnusedOpening](ctx, c, at(http.MethodGet, "plan", "unused"))
}
