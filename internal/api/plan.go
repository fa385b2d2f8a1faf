package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// Plan answers from the compiled port plan in use, so that programs ask and never copy a table, and from this server's
// host: its leases, and what else has its ports.
type Plan interface {
	Plan(ctx context.Context) (PlanInfo, error)
	// CompiledPlan writes the compiled plan as JSON, as `reeve ports compile -o json` does.
	CompiledPlan(ctx context.Context) (json.RawMessage, error)
	// WhyPort explains a row (its id) or a number (PORT or PORT/PROTOCOL). NotFound where the plan knows neither.
	WhyPort(ctx context.Context, what string) (ports.Explanation, error)
	SizePool(ctx context.Context, q PoolNeed) (PoolSize, error)
	// PlanDocument renders the plan to one of PlanInfo.Documents.
	PlanDocument(ctx context.Context, q PlanDocument) (Document, error)
	Leases(ctx context.Context) ([]Lease, error)
	// ReleaseLease gives a lease back whoever owns it: for one whose owner will not.
	ReleaseLease(ctx context.Context, id string) error
	CheckHost(ctx context.Context) ([]HostFinding, error)
}

// PlanInfo is the port plan in use.
type PlanInfo struct {
	Plan      string        `json:"plan"`
	Instance  int           `json:"instance"`
	Hash      string        `json:"hash"`
	Rows      []ports.Row   `json:"rows"`
	Findings  []PlanFinding `json:"findings"`
	Pools     []Pool        `json:"pools"`
	Documents []PlanTarget  `json:"documents"` // what the plan can be rendered to
}

// PlanFinding is a diagnostic of the plan.
type PlanFinding struct {
	Code       string `json:"code"`
	Severity   string `json:"severity" enum:"error,warning,note"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
	Place      string `json:"place"` // FILE:LINE:COLUMN; empty: not known
}

// Pool is a range to lease from, with its use on this server's host.
type Pool struct {
	ID       string   `json:"id"`
	Protocol []string `json:"protocol"`
	Ranges   []string `json:"ranges"` // FIRST-LAST; none: the site must give them
	Parity   string   `json:"parity" enum:",even,odd"`
	Pair     string   `json:"pair"` // what the second port of a lease is; empty: there is none
	Pick     string   `json:"pick"`
	Sticky   bool     `json:"sticky"`
	Hold     float64  `json:"hold"` // seconds for which a released port is kept back
	Reasons  []string `json:"reasons"`
	Status   string   `json:"status"`
	Size     int      `json:"size"`   // ports that can be leased at one time
	Leased   int      `json:"leased"` // of these, on this host
	Held     int      `json:"held"`   // released and kept back, or somebody else's
	Needed   int      `json:"needed"` // what the plan's own capacity asks for; 0: it says none
}

// PlanTarget is a form that the plan can be rendered to.
type PlanTarget struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Kind  string `json:"kind" enum:"table,drawing,rules,system,request"`
	Undo  bool   `json:"undo"`
}

// PlanDocument says what is to be rendered.
type PlanDocument struct {
	Target string
	Host   string
	Role   string
	Lang   string
	Undo   bool
	All    bool
}

// Document is a rendered plan.
type Document struct {
	Name string `json:"name"`
	Type string `json:"type"` // media type
	Text string `json:"text"`
}

// PoolNeed is what a pool must carry. What is zero comes from the plan's pool.
type PoolNeed struct {
	Pool     string
	Parallel int
	Rate     float64 // leases a second
	Duration time.Duration
	Hold     time.Duration
	Blocking float64
}

// PoolSize is how many ports a pool needs, counted in several ways. A figure is 0 where nothing is known that it is made of.
type PoolSize struct {
	Guaranteed   int    `json:"guaranteed"`
	ErlangB      int    `json:"erlang_b"`
	Burst        int    `json:"burst"`
	ParallelRate int    `json:"parallel_rate"`
	Ports        int    `json:"ports"`
	Range        string `json:"range"` // of the plan's pool; empty: it has not so many, or none is named
	Formula      string `json:"formula"`
}

// Lease is one port of this server's host, with its pair where it has one, and whose it is.
type Lease struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Pool       string     `json:"pool"`
	Protocol   []string   `json:"protocol"`
	Address    *string    `json:"address"` // null: all
	Port       int        `json:"port"`
	Pair       *int       `json:"pair"`
	State      string     `json:"state"`
	Reason     *string    `json:"reason"`
	Owner      string     `json:"owner"` // in words
	PID        *int       `json:"pid"`
	Granted    *time.Time `json:"granted"`
	HoldUntil  *time.Time `json:"hold_until"`
	HoldReason *string    `json:"hold_reason"`
}

// HostFinding is one thing about a row of the plan on this server's host.
type HostFinding struct {
	ID       string   `json:"id"`
	Service  string   `json:"service"`
	Port     string   `json:"port"`
	Protocol string   `json:"protocol"`
	State    string   `json:"state"`
	Severity string   `json:"severity" enum:"error,warning,note"`
	Holder   *string  `json:"holder"`
	Remedies []string `json:"remedies"`
	Sysctl   *string  `json:"sysctl"`
	Note     string   `json:"note"`
}

func (h *Handler) planRoutes() []entry {
	view := func(path, id, summary string) Route {
		return get(path, id, summary).needs(access.View, Whole).behind("config")
	}
	change := func(path, id, summary string) Route {
		return post(path, id, summary).needs(access.ManagePorts, Whole).behind("config")
	}
	return []entry{
		handle(view("/plan", "show-plan", "Show the port plan in use: its rows, findings, pools and documents."), h.plan),
		handle(view("/plan/compiled", "compiled-plan", "The compiled plan: every claim and flow with its numbers."), h.compiledPlan),
		handle(view("/plan/why/{what...}", "why-port", "Explain a row of the plan by its id, or a number as PORT or PORT/PROTOCOL."), h.whyPort),
		handle(view("/plan/size", "size-pool", "Count how many ports a pool needs."), h.sizePool),
		handle(view("/plan/documents/{target}", "render-plan", "Render the plan: a table, firewall rules, a change request."), h.planDocument),
		handle(view("/plan/leases", "list-leases", "Show the leases of this server's host."), h.leases),
		handle(post("/plan/leases/{id}/release", "release-lease", "Give a lease of this server's host back, whoever owns it.").
			needs(access.ManagePorts, Whole).behind("config"), h.releaseLease),
		handle(get("/plan/check", "check-host", "Compare this server's host with the plan.").needs(access.ManagePorts, Whole).behind("config"), h.checkHost),
		handle(view("/plan/change", "show-plan-change", "Show the change of the ports that is under way, or the last one."), h.planChange),
		handle(change("/plan/change", "begin-plan-change", "Change the ports to the plan with which the server is configured now: old and new listen together, until every node is linked by the new one or the time is over."), h.beginPlanChange),
		handle(change("/plan/change/commit", "commit-plan-change", "End the change of the ports: the old ones close."), h.commitPlanChange),
		handle(change("/plan/change/cancel", "cancel-plan-change", "Take the change of the ports back."), h.cancelPlanChange),
	}
}

func (h *Handler) plan(ctx context.Context, _ *nothing) (*body[PlanInfo], error) {
	return answer(h.svc.Plan(ctx))
}

func (h *Handler) compiledPlan(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
	text, err := h.svc.CompiledPlan(ctx)
	if err != nil {
		return nil, err
	}
	return written("application/json", text), nil
}

func (h *Handler) whyPort(ctx context.Context, in *struct {
	What string `path:"what" maxLength:"200"`
},
) (*body[ports.Explanation], error) {
	return answer(h.svc.WhyPort(ctx, in.What))
}

func (h *Handler) sizePool(ctx context.Context, in *struct {
	Pool     string  `query:"pool" maxLength:"63"`
	Parallel int     `query:"parallel" minimum:"0" maximum:"1000000" doc:"leases at one time"`
	Rate     float64 `query:"rate" minimum:"0" maximum:"1000000" doc:"leases a second"`
	Duration float64 `query:"duration" minimum:"0" maximum:"100000000" doc:"of a lease, in seconds"`
	Hold     float64 `query:"hold" minimum:"0" maximum:"100000000" doc:"of a released port, in seconds"`
	Blocking float64 `query:"blocking" minimum:"0" maximum:"1" doc:"the part of requests that may find the pool full"`
},
) (*body[PoolSize], error) {
	return answer(h.svc.SizePool(ctx, PoolNeed{
		Pool: in.Pool, Parallel: in.Parallel, Rate: in.Rate, Duration: seconds(in.Duration), Hold: seconds(in.Hold), Blocking: in.Blocking,
	}))
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func (h *Handler) planDocument(ctx context.Context, in *struct {
	Target string `path:"target" maxLength:"63"`
	Host   string `query:"host" maxLength:"253"`
	Role   string `query:"role" maxLength:"63"`
	Lang   string `query:"lang" maxLength:"8" doc:"en, de or ja"`
	Undo   bool   `query:"undo"`
	All    bool   `query:"all" doc:"services file: also what the plan adds on request only"`
},
) (*body[Document], error) {
	return answer(h.svc.PlanDocument(ctx, PlanDocument{Target: in.Target, Host: in.Host, Role: in.Role, Lang: in.Lang, Undo: in.Undo, All: in.All}))
}

func (h *Handler) leases(ctx context.Context, _ *nothing) (*body[[]Lease], error) {
	return answer(h.svc.Leases(ctx))
}

func (h *Handler) releaseLease(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"63"`
},
) (*nothing, error) {
	return &nothing{}, h.svc.ReleaseLease(ctx, in.ID)
}

func (h *Handler) checkHost(ctx context.Context, _ *nothing) (*body[[]HostFinding], error) {
	return answer(h.svc.CheckHost(ctx))
}

// Plan implements Plan.
func (c *Client) Plan(ctx context.Context) (PlanInfo, error) {
	return ask[PlanInfo](ctx, c, at(http.MethodGet, "plan"))
}

// CompiledPlan implements Plan.
func (c *Client) CompiledPlan(ctx context.Context) (json.RawMessage, error) {
	resp, err := c.do(ctx, at(http.MethodGet, "plan", "compiled"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, err)
	case len(text) > maxAnswer:
		return nil, fault.Newf(fault.Internal, "the server's answer is longer than %d bytes", maxAnswer)
	}
	return text, nil
}

// WhyPort implements Plan.
func (c *Client) WhyPort(ctx context.Context, what string) (ports.Explanation, error) {
	return ask[ports.Explanation](ctx, c, at(http.MethodGet, "plan", "why", what))
}

// SizePool implements Plan.
func (c *Client) SizePool(ctx context.Context, q PoolNeed) (PoolSize, error) {
	fraction := func(f float64) string {
		if f == 0 {
			return ""
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return ask[PoolSize](ctx, c, at(http.MethodGet, "plan", "size").with(url.Values{
		"pool": {q.Pool}, "parallel": {number(int64(q.Parallel))}, "rate": {fraction(q.Rate)}, "duration": {fraction(q.Duration.Seconds())},
		"hold": {fraction(q.Hold.Seconds())}, "blocking": {fraction(q.Blocking)},
	}))
}

// PlanDocument implements Plan.
func (c *Client) PlanDocument(ctx context.Context, q PlanDocument) (Document, error) {
	flag := func(b bool) string { return map[bool]string{true: "true"}[b] }
	return ask[Document](ctx, c, at(http.MethodGet, "plan", "documents", q.Target).with(url.Values{
		"host": {q.Host}, "role": {q.Role}, "lang": {q.Lang}, "undo": {flag(q.Undo)}, "all": {flag(q.All)},
	}))
}

// Leases implements Plan.
func (c *Client) Leases(ctx context.Context) ([]Lease, error) {
	return ask[[]Lease](ctx, c, at(http.MethodGet, "plan", "leases"))
}

// ReleaseLease implements Plan.
func (c *Client) ReleaseLease(ctx context.Context, id string) error {
	return c.tell(ctx, at(http.MethodPost, "plan", "leases", id, "release"))
}

// CheckHost implements Plan.
func (c *Client) CheckHost(ctx context.Context) ([]HostFinding, error) {
	return ask[[]HostFinding](ctx, c, at(http.MethodGet, "plan", "check"))
}
