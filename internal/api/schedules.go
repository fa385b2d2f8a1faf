package api

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ListSchedules implements Schedules.
func (c *Client) ListSchedules(ctx context.Context, q ScheduleQuery) ([]Schedule, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// Schedule implements Schedules.
func (c *Client) Schedule(ctx context.Context, net, name string) (Schedule, error) {
	return Schedule{}, fault.New(fault.Internal, "this is not built yet", "")
}

// PauseSchedule implements Schedules.
func (c *Client) PauseSchedule(ctx context.Context, net, name string, order Pause) (Schedule, error) {
	return Schedule{}, fault.New(fault.Internal, "this is not built yet", "")
}

// ResumeSchedule implements Schedules.
func (c *Client) ResumeSchedule(ctx context.Context, net, name string) (Schedule, error) {
	return Schedule{}, fault.New(fault.Internal, "this is not built yet", "")
}

// DiffSchedules implements Schedules.
func (c *Client) DiffSchedules(ctx context.Context, name string, text []byte, months int) ([]ScheduleDiff, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
