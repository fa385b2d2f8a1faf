package api

import (
	"context"
	"net/http"
	"time"
)

// Changes changes the ports of a domain that runs.
type Changes interface {
	// PlanChange is the change of the ports under way, else the last one.
	PlanChange(ctx context.Context) (PlanChange, error)
	// BeginPlanChange begins to change the ports to the plan with which the server is configured now. Conflict where that is
	// the one in use, or a change is under way.
	BeginPlanChange(ctx context.Context, in BeginPlanChange) (PlanChange, error)
	CommitPlanChange(ctx context.Context, in CommitPlanChange) (PlanChange, error)
	CancelPlanChange(ctx context.Context) (PlanChange, error)
}

// PlanChange is a change of the ports: under way, or the last one.
type PlanChange struct {
	State    string           `json:"state" enum:"none,under way,committed,rolled back"`
	From     string           `json:"from" doc:"hash of the plan before it"`
	To       string           `json:"to" doc:"hash of the next plan"`
	Rows     []PlanChangeRow  `json:"rows" doc:"those whose numbers differ"`
	By       string           `json:"by"`
	Begun    *time.Time       `json:"begun"`
	Deadline *time.Time       `json:"deadline" doc:"when it is rolled back, unless every node is linked by the next plan"`
	Ended    *time.Time       `json:"ended"`
	Why      *string          `json:"why" doc:"it was rolled back"`
	Nodes    []PlanChangeNode `json:"nodes"`
}

// PlanChangeRow is a row whose number differs.
type PlanChangeRow struct {
	Row  string `json:"row" doc:"SERVICE/PROTOCOL"`
	What string `json:"what" enum:"added,removed,changed"`
	From string `json:"from" doc:"empty: the row is new"`
	To   string `json:"to" doc:"empty: the row goes"`
}

// PlanChangeNode is a node during a change.
type PlanChangeNode struct {
	Name      string  `json:"name"`
	Confirmed bool    `json:"confirmed" doc:"it is linked by the next plan"`
	Why       *string `json:"why" doc:"it is not"`
}

// BeginPlanChange begins a change of the ports to the plan with which the server is configured now.
type BeginPlanChange struct {
	Within float64 `json:"within" minimum:"1" maximum:"604800" doc:"seconds, after which it is rolled back"`
}

// CommitPlanChange ends a change of the ports before every node has confirmed it.
type CommitPlanChange struct {
	WithoutMissing bool `json:"without_missing,omitempty" doc:"leave behind the nodes that are not linked by the next plan"`
}

func (h *Handler) planChange(ctx context.Context, _ *nothing) (*body[PlanChange], error) {
	return answer(h.svc.PlanChange(ctx))
}

func (h *Handler) beginPlanChange(ctx context.Context, in *struct{ Body BeginPlanChange }) (*body[PlanChange], error) {
	return answer(h.svc.BeginPlanChange(ctx, in.Body))
}

func (h *Handler) commitPlanChange(ctx context.Context, in *struct{ Body CommitPlanChange }) (*body[PlanChange], error) {
	return answer(h.svc.CommitPlanChange(ctx, in.Body))
}

func (h *Handler) cancelPlanChange(ctx context.Context, _ *nothing) (*body[PlanChange], error) {
	return answer(h.svc.CancelPlanChange(ctx))
}

// PlanChange implements Changes.
func (c *Client) PlanChange(ctx context.Context) (PlanChange, error) {
	return ask[PlanChange](ctx, c, at(http.MethodGet, "plan", "change"))
}

// BeginPlanChange implements Changes.
func (c *Client) BeginPlanChange(ctx context.Context, in BeginPlanChange) (PlanChange, error) {
	return ask[PlanChange](ctx, c, at(http.MethodPost, "plan", "change").sending(in))
}

// CommitPlanChange implements Changes.
func (c *Client) CommitPlanChange(ctx context.Context, in CommitPlanChange) (PlanChange, error) {
	return ask[PlanChange](ctx, c, at(http.MethodPost, "plan", "change", "commit").sending(in))
}

// CancelPlanChange implements Changes.
func (c *Client) CancelPlanChange(ctx context.Context) (PlanChange, error) {
	return ask[PlanChange](ctx, c, at(http.MethodPost, "plan", "change", "cancel"))
}
