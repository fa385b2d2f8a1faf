package api

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ListOccurrences implements Occurrences.
func (c *Client) ListOccurrences(ctx context.Context, q OccurrenceQuery) (OccurrencePage, error) {
	return OccurrencePage{}, fault.New(fault.Internal, "this is not built yet", "")
}

// Missed implements Occurrences.
func (c *Client) Missed(ctx context.Context, q OccurrenceQuery) ([]Missed, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// ActOnOccurrence implements Occurrences.
func (c *Client) ActOnOccurrence(ctx context.Context, act OccurrenceAct) (Occurrence, error) {
	return Occurrence{}, fault.New(fault.Internal, "this is not built yet", "")
}

// DismissMissed implements Occurrences.
func (c *Client) DismissMissed(ctx context.Context, q OccurrenceQuery) (int64, error) {
	return 0, fault.New(fault.Internal, "this is not built yet", "")
}

// Balance implements Occurrences.
func (c *Client) Balance(ctx context.Context, q BalanceQuery) ([]Balance, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// WhyNet implements Occurrences.
func (c *Client) WhyNet(ctx context.Context, net string, at time.Time) (Why, error) {
	return Why{}, fault.New(fault.Internal, "this is not built yet", "")
}

// AtRisk implements Occurrences.
func (c *Client) AtRisk(ctx context.Context, hours int) ([]Risk, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
