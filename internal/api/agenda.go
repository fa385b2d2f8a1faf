package api

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ShowAgenda implements Agenda.
func (c *Client) ShowAgenda(ctx context.Context, q AgendaQuery) (AgendaPage, error) {
	return AgendaPage{}, fault.New(fault.Internal, "this is not built yet", "")
}

// MonthOf implements Agenda.
func (c *Client) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]MonthDay, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// ListOverrides implements Agenda.
func (c *Client) ListOverrides(ctx context.Context, net string, all bool) ([]Override, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// CreateOverride implements Agenda.
func (c *Client) CreateOverride(ctx context.Context, o CreateOverride) (Override, error) {
	return Override{}, fault.New(fault.Internal, "this is not built yet", "")
}

// DropOverride implements Agenda.
func (c *Client) DropOverride(ctx context.Context, id int64) (Override, error) {
	return Override{}, fault.New(fault.Internal, "this is not built yet", "")
}
