package api

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// DiffSchedules implements Schedules.
func (c *Client) DiffSchedules(ctx context.Context, name string, text []byte, months int) ([]ScheduleDiff, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
